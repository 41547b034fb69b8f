/// Files in memory, and the time that a folder says it was changed.
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "allocator/store/disk/posix_call.hpp"
#include "allocator/store/disk/posix_file_system.hpp"

namespace allocator::store {
namespace {

constexpr std::int64_t kPerSecond = 1'000'000'000;
constexpr off_t kBlock = 512;  // what st_blocks counts in, see stat(2)
constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

Mapping map(const Fd& fd, std::size_t size, const std::string& path) {
  void* const bytes = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.number(), 0);
  if (bytes == MAP_FAILED) fail("mmap", path);
  return {bytes, size};
}

}  // namespace

void PosixFileSystem::set_modified(const Fd& fd, std::int64_t modified_ns,
                                   const std::string& path_for_errors) {
  const std::array<timespec, 2> times = {
      timespec{0, UTIME_OMIT},
      timespec{modified_ns / kPerSecond, static_cast<long>(modified_ns % kPerSecond)}};
  if (::futimens(fd.number(), times.data()) == -1) fail("utimensat", path_for_errors);
}

std::optional<Mapping> PosixFileSystem::map_file(const Directory& directory,
                                                 const std::string& name, std::size_t limit) {
  const std::string path = directory.path + "/" + name;
  const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  const Fd fd(retried([&] { return ::openat(directory.fd.number(), name.c_str(), flags); }));
  if (!fd.is_open() && errno == ENOENT) return std::nullopt;
  if (!fd.is_open()) fail_open(path);
  struct stat status {};
  if (::fstat(fd.number(), &status) == -1) fail("stat", path);
  const bool is_ours_alone = S_ISREG(status.st_mode) && status.st_uid == ::getauxval(AT_EUID) &&
                             status.st_nlink == 1 && (status.st_mode & kWritableByOthers) == 0;
  const auto size = static_cast<std::size_t>(status.st_size);
  // A hole would be filled at the first look at it: where the disk is full then, by a signal.
  const bool has_holes = status.st_blocks * kBlock < status.st_size;
  if (!is_ours_alone || size == 0 || size > limit || has_holes) return std::nullopt;
  return map(fd, size, path);
}

Mapping PosixFileSystem::map_new_file(const Directory& directory, const std::string& name,
                                      std::size_t size, unsigned mode) {
  const std::string path = directory.path + "/" + name;
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  static_cast<void>(unlink(directory, name));
  const Fd fd(retried([&] {
    return ::openat(directory.fd.number(), name.c_str(), flags, static_cast<mode_t>(mode));
  }));
  if (!fd.is_open()) fail_open(path);
  if (retried([&] { return ::fallocate(fd.number(), 0, 0, static_cast<off_t>(size)); }) == -1) {
    const int cause = errno;
    static_cast<void>(unlink(directory, name));
    fail("fallocate", path, cause);
  }
  return map(fd, size, path);
}

}  // namespace allocator::store
