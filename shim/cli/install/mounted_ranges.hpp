#pragma once
/// The nodes' ranges as kubelet mounts them for the installer: a folder with a file a key of the
/// ConfigMaps, each a symbolic link below `..data`. kubelet replaces the whole content at once, but a
/// while after the ConfigMap has changed, and may do so while it is read. Nothing is written here.
#include <cstddef>
#include <optional>
#include <string>

#include "allocator/store/disk/file_system.hpp"

namespace shim {

/// Bytes of one node's CIDR blocks, one a line; more are not read.
constexpr std::size_t kRangesLimit = 4096;

/// The text of the node's key. With a checksum it is taken from a content that has it
/// (ranges_checksum()) and from no other: what kubelet knew before may be another node's by now.
/// Errors: throws UsageError when the node is not in it, when a file of it cannot be read, and when
/// it is another content.
std::string mounted_ranges(allocator::store::FileSystem& fs, const std::string& folder,
                           const std::string& node, const std::optional<std::string>& checksum);

}  // namespace shim
