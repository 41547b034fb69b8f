#include "allocator/store/stamp.hpp"

#include <array>
#include <charconv>
#include <system_error>

#include "allocator/store/fingerprint.hpp"

namespace allocator::store {
namespace {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string container_hash(std::string_view container_id) {
  return sha256_hex(container_id).substr(0, 16);
}

Stamp stamp_of_call(FileSystem& fs, const std::string& boot_id, const std::string& container_id,
                    const std::string& netns_path) {
  Stamp stamp{boot_id, container_hash(container_id), 0, netns_path, 0};
  // First: it tells what kind of file a namespace is.
  stamp.pid_namespace = fs.pid_namespace();
  try {
    stamp.netns_inode = fs.network_namespace(netns_path).value_or(0);
  } catch (const std::system_error&) {
    stamp.netns_inode = 0;
  }
  return stamp;
}

std::string encode(const Stamp& stamp) {
  // The path comes last: it may hold any byte.
  return "1~" + stamp.boot_id + "~" + stamp.container_hash + "~" +
         std::to_string(stamp.netns_inode) + "." + std::to_string(stamp.pid_namespace) + "~" +
         stamp.netns_path;
}

std::optional<Stamp> decode_stamp(std::string_view text) {
  std::array<std::string_view, 4> fields;
  for (auto& field : fields) {
    const auto end = text.find('~');
    if (end == std::string_view::npos) return std::nullopt;
    field = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  const auto dot = fields[3].find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto inode = parse_number(fields[3].substr(0, dot));
  const auto pid_namespace = parse_number(fields[3].substr(dot + 1));
  if (fields[0] != "1" || !inode || !pid_namespace) return std::nullopt;
  return Stamp{std::string(fields[1]), std::string(fields[2]), *inode, std::string(text),
               *pid_namespace};
}

}  // namespace allocator::store
