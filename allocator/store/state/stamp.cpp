#include "allocator/store/state/stamp.hpp"

#include <array>
#include <system_error>
#include <vector>

#include "allocator/fields.hpp"
#include "allocator/store/disk/folders.hpp"
#include "allocator/store/disk/sha256.hpp"

namespace allocator::store {
namespace {

/// Reads the parts from `first` on; false when one is missing or no number.
bool read_numbers(const std::vector<std::string_view>& parts, std::size_t first,
                  std::initializer_list<std::uint64_t*> targets) {
  if (parts.size() < first + targets.size()) return false;
  for (std::uint64_t* target : targets) {
    const auto number = parse_number(parts[first++]);
    if (!number) return false;
    *target = *number;
  }
  return true;
}

bool decode_numbers(std::string_view text, Stamp& stamp) {
  constexpr std::size_t on_the_node = 3;
  constexpr std::size_t in_a_container = 8;
  const auto parts = fields_of(text, '.');
  if (!read_numbers(parts, 0, {&stamp.netns_inode, &stamp.netns_id, &stamp.pid_namespace}))
    return false;
  if (parts.size() == on_the_node) return true;
  if (parts.size() != in_a_container) return false;
  stamp.run = parts[3];
  stamp.container_boot = parts[4];
  return read_numbers(parts, 5, {&stamp.folder.device, &stamp.folder.id, &stamp.root});
}

/// Where the ADD ran in a container, it may have been one with a boot_id of its own.
bool decode_earlier_numbers(std::string_view text, Stamp& stamp) {
  const auto parts = fields_of(text, '.');
  if (parts.size() != 2) return false;
  if (!read_numbers(parts, 0, {&stamp.netns_inode, &stamp.pid_namespace})) return false;
  stamp.has_doubtful_boot = stamp.pid_namespace != 0 && stamp.pid_namespace != kInitialPidNamespace;
  return true;
}

}  // namespace

std::string container_hash(std::string_view container_id) {
  return sha256_hex(container_id).substr(0, 16);
}

Stamp stamp_of_unknown(const Viewpoint& viewpoint, const std::string& container_id) {
  Stamp stamp;
  stamp.boot_id = viewpoint.boot_id;
  stamp.container_hash = container_hash(container_id);
  stamp.pid_namespace = viewpoint.pid_namespace;
  stamp.run = viewpoint.run;
  stamp.container_boot = viewpoint.container_boot;
  stamp.root = viewpoint.root;
  return stamp;
}

Stamp stamp_of_call(FileSystem& fs, const Viewpoint& viewpoint, const std::string& container_id,
                    const std::string& netns_path) {
  Stamp stamp = stamp_of_unknown(viewpoint, container_id);
  stamp.netns_path = netns_path;
  try {
    const auto netns = fs.network_namespace(netns_path).value_or(NamespaceIdentity{});
    stamp.netns_inode = netns.inode;
    stamp.netns_id = netns.id;
  } catch (const std::system_error&) {
    stamp.netns_inode = 0;
  }
  if (!viewpoint.run.empty() && stamp.netns_inode != 0) {
    stamp.folder = fs.file_system_of(parent_of(netns_path)).value_or(FileSystemIdentity{});
  }
  return stamp;
}

bool is_of_same_run(const Stamp& left, const Stamp& right) {
  return left.boot_id == right.boot_id && left.container_boot == right.container_boot &&
         left.pid_namespace == right.pid_namespace && left.run == right.run;
}

std::string encode(const Stamp& stamp) {
  std::string numbers = std::to_string(stamp.netns_inode) + "." + std::to_string(stamp.netns_id) +
                        "." + std::to_string(stamp.pid_namespace);
  if (!stamp.run.empty()) {
    numbers += "." + stamp.run + "." + stamp.container_boot + "." +
               std::to_string(stamp.folder.device) + "." + std::to_string(stamp.folder.id) + "." +
               std::to_string(stamp.root);
  }
  // The path comes last: it may hold any byte.
  return "2~" + stamp.boot_id + "~" + stamp.container_hash + "~" + numbers + "~" + stamp.netns_path;
}

std::optional<Stamp> decode_stamp(std::string_view text) {
  std::array<std::string_view, 4> fields;
  for (auto& field : fields) {
    const auto end = text.find('~');
    if (end == std::string_view::npos) return std::nullopt;
    field = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  Stamp stamp;
  stamp.boot_id = fields[1];
  stamp.container_hash = fields[2];
  stamp.netns_path = text;
  const bool is_valid = (fields[0] == "2" && decode_numbers(fields[3], stamp)) ||
                        (fields[0] == "1" && decode_earlier_numbers(fields[3], stamp));
  return is_valid ? std::optional(std::move(stamp)) : std::nullopt;
}

}  // namespace allocator::store
