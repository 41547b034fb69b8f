#pragma once
/// Whose trouble a failed system call is.
#include <cerrno>
#include <system_error>

namespace allocator::store {

/// True for what this process has run out of (descriptors, memory): it passes, and must not be
/// taken for the trouble of the entry that was looked at.
inline bool is_own_want(const std::system_error& error) {
  const int number = error.code().value();
  return number == EMFILE || number == ENFILE || number == ENOMEM;
}

}  // namespace allocator::store
