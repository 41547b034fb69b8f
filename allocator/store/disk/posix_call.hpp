#pragma once
/// How a failing system call is told and an interrupted one repeated; for the POSIX sources only.
#include <cerrno>
#include <string>
#include <system_error>

#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

/// Errors: always throws std::system_error "<call> <path>" with the errno.
[[noreturn]] inline void fail(const char* call, const std::string& path, int error = errno) {
  throw std::system_error(error, std::generic_category(), std::string(call) + " " + path);
}

inline constexpr const char* kNoRegularFile = "a pipe or device, no regular file";

/// Errors: always throws UnfitFile "<call> <path>: <found>; ...".
[[noreturn]] inline void fail_unfit(const char* call, const std::string& path,
                                    const std::string& found, int error) {
  throw UnfitFile(error, std::string(call) + " " + path, found);
}

/// For an open(2) without following links that failed.
/// Errors: always throws, UnfitFile where what lies there is to blame; of a folder the kernel's own
/// words tell, as host-local passes them on.
[[noreturn]] inline void fail_open(const std::string& path, int error = errno) {
  if (error == ELOOP) fail_unfit("open", path, "a symbolic link, no regular file", error);
  if (error == ENXIO) fail_unfit("open", path, "a pipe, device or socket, no regular file", error);
  fail("open", path, error);
}

/// Repeats a system call that a signal interrupted.
template <typename Call>
auto retried(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

}  // namespace allocator::store
