#include "allocator/store/alive/process_address.hpp"

#include <cerrno>
#include <string_view>
#include <system_error>

namespace allocator::store {
namespace {

constexpr std::size_t kTextLimit = std::size_t{4} << 20;
constexpr std::string_view kProc = "/proc/";

/// "/proc/<PID>" of "/proc/<PID>/ns/net", and of "/proc/<PID>/task/<TID>/ns/net".
std::string process_of(const std::string& netns_path) {
  return netns_path.substr(0, netns_path.find('/', kProc.size()));
}

/// Local addresses stand as "|-- 10.0.0.2" with a line "/32 host LOCAL" below.
bool is_local_in_trie(std::string_view trie, const std::string& address) {
  const std::string leaf = "|-- " + address + "\n";
  for (auto at = trie.find(leaf); at != trie.npos; at = trie.find(leaf, at + 1)) {
    const auto below = trie.substr(at + leaf.size());
    const auto text = below.find_first_not_of(' ');
    if (text != below.npos && below.substr(text).starts_with("/32 host LOCAL")) return true;
  }
  return false;
}

/// Each line begins with the address as 32 hexadecimal digits.
bool is_in_list(std::string_view list, const Address& address) {
  constexpr std::string_view digits = "0123456789abcdef";
  constexpr int bits = 128;
  std::string text;
  for (int shift = bits - 4; shift >= 0; shift -= 4) {
    text += digits[static_cast<std::size_t>((address.number() >> shift) & 0xF)];
  }
  return list.starts_with(text) || list.find("\n" + text) != list.npos;
}

}  // namespace

bool is_path_of_process(const std::string& netns_path) { return netns_path.starts_with(kProc); }

bool process_has_address(FileSystem& fs, const std::string& netns_path, const Address& address) {
  const bool is_v4 = address.family() == Family::v4;
  try {
    const auto there = fs.network_namespace(netns_path);
    const auto own = fs.network_namespace("/proc/self/ns/net");
    if (!there || (own && own->inode == there->inode)) return false;
    const std::string text = fs.read_path(
        process_of(netns_path) + (is_v4 ? "/net/fib_trie" : "/net/if_inet6"), kTextLimit);
    if (text.size() == kTextLimit) return true;
    return is_v4 ? is_local_in_trie(text, address.to_string()) : is_in_list(text, address);
  } catch (const std::system_error& error) {
    return error.code().value() != ENOENT && error.code().value() != ESRCH;
  }
}

bool may_still_have_address(FileSystem& fs, const std::string& netns_path, const Address& address) {
  return !is_path_of_process(netns_path) || process_has_address(fs, netns_path, address);
}

}  // namespace allocator::store
