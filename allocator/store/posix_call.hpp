#pragma once
/// How a failing system call is told and an interrupted one repeated; for the POSIX sources only.
#include <cerrno>
#include <string>
#include <system_error>

namespace allocator::store {

/// Errors: always throws std::system_error "<call> <path>" with the errno.
[[noreturn]] inline void fail(const char* call, const std::string& path, int error = errno) {
  throw std::system_error(error, std::generic_category(), std::string(call) + " " + path);
}

/// Repeats a system call that a signal interrupted.
template <typename Call>
auto retried(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

}  // namespace allocator::store
