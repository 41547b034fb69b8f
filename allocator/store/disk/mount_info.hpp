#pragma once
/// What the kernel tells of the mount that an open file lies on. Read where something is refused or
/// explained, never on the ordinary path.
#include <cstdint>
#include <optional>
#include <string>

#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

struct Mount {
  /// The superblock's number, which /proc/locks prints. stat(2) gives another one on btrfs (one a
  /// subvolume) and on overlayfs.
  std::uint64_t device;
  std::string type;  ///< "ext4", "fuse.sshfs", "virtiofs"
};

/// nullopt without /proc, or when the mount is not in our namespace.
/// Source: proc(5), /proc/[pid]/fdinfo and /proc/[pid]/mountinfo.
std::optional<Mount> mount_of(FileSystem& fs, const Fd& file) noexcept;

}  // namespace allocator::store
