#pragma once
/// The lock of a network: flock(2) on <network folder>/lock, shared with the Go plugin.
///
/// The kernel frees it when its holder dies. It is never held across another program, stdin or
/// stdout; across an fsync only where what somebody else changed must be on the disk before this
/// command goes on: pending releases that are done, what the boot scan changed, what was removed
/// before /run was emptied (Session::prepare(), once a boot or after trouble). An ordinary ADD or
/// DEL flushes when it is free again.
#include <chrono>
#include <optional>
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
  /// The same where somebody has made the lock's file; nullopt, with nothing made, where nobody has.
  static std::optional<NetworkLock> of_existing(FileSystem& fs, Directory& folder,
                                                std::chrono::milliseconds patience);
  NetworkLock(NetworkLock&&) noexcept = default;
  NetworkLock& operator=(NetworkLock&&) = delete;
  /// Frees the lock.
  ~NetworkLock();

  /// True when the folder was opened anew.
  [[nodiscard]] bool reopened_folder() const { return reopened_; }
  /// The file that is locked.
  [[nodiscard]] const FileIdentity& file() const { return file_; }

 private:
  explicit NetworkLock(FileSystem& fs) : fs_(fs) {}
  [[nodiscard]] bool take(Directory& folder, std::chrono::milliseconds patience,
                          std::optional<unsigned> mode);

  FileSystem& fs_;
  Fd fd_;
  FileIdentity file_{};
  bool reopened_ = false;
};

}  // namespace allocator::store
