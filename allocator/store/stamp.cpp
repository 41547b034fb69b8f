#include "allocator/store/stamp.hpp"

#include <array>
#include <charconv>

#include "allocator/store/fingerprint.hpp"

namespace allocator::store {

std::string container_hash(std::string_view container_id) {
  return sha256_hex(container_id).substr(0, 16);
}

std::string encode(const Stamp& stamp) {
  // The path comes last: it may hold any byte.
  return "1~" + stamp.boot_id + "~" + stamp.container_hash + "~" +
         std::to_string(stamp.netns_inode) + "~" + stamp.netns_path;
}

std::optional<Stamp> decode_stamp(std::string_view text) {
  std::array<std::string_view, 4> fields;
  for (auto& field : fields) {
    const auto end = text.find('~');
    if (end == std::string_view::npos) return std::nullopt;
    field = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  std::uint64_t inode = 0;
  const auto [end, error] =
      std::from_chars(fields[3].data(), fields[3].data() + fields[3].size(), inode);
  if (fields[0] != "1" || error != std::errc{} || end != fields[3].data() + fields[3].size())
    return std::nullopt;
  return Stamp{std::string(fields[1]), std::string(fields[2]), inode, std::string(text)};
}

}  // namespace allocator::store
