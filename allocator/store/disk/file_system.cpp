#include "allocator/store/disk/file_system.hpp"

#include <unistd.h>

#include <utility>

namespace allocator::store {

Fd& Fd::operator=(Fd&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

Fd::~Fd() {
  if (number_ >= 0) ::close(number_);
}

}  // namespace allocator::store
