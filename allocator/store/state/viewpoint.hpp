#pragma once
/// From where a command looks at the node: which boot, which processes, which /run.
///
/// A container may have another boot_id laid over the kernel's (systemd-nspawn, lxcfs), sees the
/// processes of its own PID namespace only, and has a /run of its own. So what a call saw is part
/// of what it recorded, and what is proven later depends on both.
#include <cstdint>
#include <string>

#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/state/run_folder.hpp"

namespace allocator::store {

struct Viewpoint {
  std::string boot_id;         ///< the kernel's own; empty: unknown
  std::string container_boot;  ///< what lies over it; empty: nothing does
  std::uint64_t pid_namespace = 0;
  /// The mark of this /run, see RunFolder::mark_of_run(); empty where neither a container's
  /// boot nor its restart has to be told by it.
  std::string run;
  /// When the root folder was made, in nanoseconds, or else its inode; 0: unknown, or not needed,
  /// as `run`. A container that is restarted keeps it, one inside it or beside it has another.
  std::uint64_t root = 0;

  [[nodiscard]] bool sees_all_processes() const { return pid_namespace == kInitialPidNamespace; }
  friend bool operator==(const Viewpoint&, const Viewpoint&) = default;
};

/// What the file says; empty when it cannot be read (/proc is missing, or shows processes only):
/// then nothing is proven by boots, and that is all.
std::string read_boot_id(FileSystem& fs, const std::string& path) noexcept;

/// `boot_id`: what read_boot_id() found at `path`. `runtime`: the network's.
Viewpoint look_around(FileSystem& fs, const std::string& boot_id, const std::string& path,
                      RunFolder& run);

}  // namespace allocator::store
