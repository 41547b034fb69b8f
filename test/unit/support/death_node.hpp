#pragma once
/// A folder of namespace files, and judges who look at it.
#include <string>

#include "allocator/store/alive/death.hpp"
#include "test/unit/support/hooked_file_system.hpp"
#include "test/unit/support/temp_dir.hpp"

namespace test {

inline const allocator::Attachment kOwner = {"c1", "eth0"};

/// This process' own network namespace stands for every live one.
struct DeathNode {
  TempDir dir;
  HookedFileSystem fs;
  std::uint64_t own_inode = fs.network_namespace("/proc/self/ns/net")->inode;

  // Any other namespace: what counts is that it is one.
  DeathNode() { std::filesystem::create_symlink("/proc/self/ns/uts", dir.file("own")); }

  /// A path that names a live namespace.
  std::string live(const std::string& name) {
    std::filesystem::create_symlink("/proc/self/ns/net", dir.file(name));
    return dir.file(name);
  }
  store::Stamp stamp(const std::string& boot, std::uint64_t inode, const std::string& path) const {
    store::Stamp stamp;
    stamp.boot_id = boot;
    stamp.container_hash = store::container_hash(kOwner.container_id);
    stamp.netns_inode = inode;
    stamp.netns_path = path;
    stamp.pid_namespace = store::kInitialPidNamespace;
    return stamp;
  }
  static store::Viewpoint node_itself() { return {"boot-2", "", store::kInitialPidNamespace, ""}; }
  store::DeathJudge judge(const std::string& own = "own") {
    return {fs, node_itself(), dir.file(own)};
  }
};

/// No process of this machine is in it.
inline constexpr std::uint64_t kGoneInode = 1;

}  // namespace test
