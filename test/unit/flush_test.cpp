// What becomes of a flush that the disk refuses. The kernel tells of a lost write once: whoever asks again is told that
// all is well.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "allocator/store/disk/posix_file_system.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/temp_dir.hpp"

namespace {

/// The disk, as this process sees it.
struct Disk {
  int flushes = 0;
  int refused = 0;  ///< so many of the next flushes
};

Disk& disk() {
  static Disk disk;
  return disk;
}

}  // namespace

/// Stands in the place of the C library's.
extern "C" int fsync(int fd) {
  ++disk().flushes;
  if (disk().refused == 0) return static_cast<int>(::syscall(SYS_fsync, fd));
  --disk().refused;
  errno = EIO;
  return -1;
}

TEST_CASE("a flush that fails is told, and not tried again", "[disk]") {
  const test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  const auto folder = fs.open_directory(dir.path());
  REQUIRE(folder.has_value());
  disk() = {0, 1};
  CHECK_THROWS_AS(fs.sync(folder->fd, folder->path), std::system_error);
  CHECK(disk().flushes == 1);
  CHECK_NOTHROW(fs.sync(folder->fd, folder->path));
  CHECK(disk().flushes == 2);
}
