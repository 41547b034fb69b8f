#pragma once
/// The lock of a network: flock(2) on <network folder>/lock, shared with the Go plugin.
///
/// The kernel frees it when its holder dies. It is never held across another program, stdin or
/// stdout; across an fsync only where what somebody else changed must be on the disk before this
/// command goes on: pending releases that are done, what the boot scan changed, what was removed
/// before /run was emptied (Session::prepare(), once a boot or after trouble). An ordinary ADD or
/// DEL flushes when it is free again.
#include <chrono>
#include <stdexcept>
#include <string>

#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

/// The name of the lock inside the network folder.
inline constexpr const char* kLockName = "lock";

class NetworkLock {
 public:
  /// Takes the lock, waiting for at most `patience`. `folder` is opened anew when somebody replaced
  /// it meanwhile.
  /// Errors: throws TryAgain naming the holder; std::system_error.
  NetworkLock(FileSystem& fs, Directory& folder, std::chrono::milliseconds patience);
  NetworkLock(const NetworkLock&) = delete;
  NetworkLock& operator=(const NetworkLock&) = delete;
  /// Frees the lock.
  ~NetworkLock();

  /// True when the folder was opened anew.
  [[nodiscard]] bool reopened_folder() const { return reopened_; }

 private:
  FileSystem& fs_;
  Fd fd_;
  bool reopened_ = false;
};

}  // namespace allocator::store
