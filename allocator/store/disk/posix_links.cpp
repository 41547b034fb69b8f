/// Links, hard and symbolic, and what PosixFileSystem says where there are none.
#include <fcntl.h>
#include <unistd.h>

#include "allocator/store/disk/posix_call.hpp"
#include "allocator/store/disk/posix_file_system.hpp"

namespace allocator::store {
namespace {

/// Fails for a link that could not be made. `key`: where the folder is configured in which this
/// store makes such links.
[[noreturn]] void fail_link(const char* call, const std::string& path, const char* kind,
                            const char* key) {
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) fail(call, path);
  throw NoLinks(errno, std::generic_category(),
                std::string(call) + " " + path + ": the file system has no " + kind +
                    " links; set " + key +
                    " to a folder on a local disk with ext4, xfs, btrfs or f2fs");
}

}  // namespace

Outcome PosixFileSystem::link_file(const Fd& fd, const Directory& directory,
                                   const std::string& name) {
  int result = ::linkat(fd.number(), "", directory.fd.number(), name.c_str(), AT_EMPTY_PATH);
  if (result == -1 && errno == ENOENT) {
    // Before Linux 6.10 an empty path needs CAP_DAC_READ_SEARCH; /proc is the way for everybody
    // else.
    const std::string path = "/proc/self/fd/" + std::to_string(fd.number());
    result =
        ::linkat(AT_FDCWD, path.c_str(), directory.fd.number(), name.c_str(), AT_SYMLINK_FOLLOW);
  }
  if (result == 0) return Outcome::done;
  if (errno == EEXIST) return Outcome::exists;
  fail_link("link", directory.path + "/" + name, "hard", "ipam.dataDir");
}

Outcome PosixFileSystem::make_link(const std::string& target, const Directory& directory,
                                   const std::string& name) {
  if (::symlinkat(target.c_str(), directory.fd.number(), name.c_str()) == 0) return Outcome::done;
  if (errno == EEXIST) return Outcome::exists;
  fail_link("symlink", directory.path + "/" + name, "symbolic", "ipam.stateDir");
}

}  // namespace allocator::store
