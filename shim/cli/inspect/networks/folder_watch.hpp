#pragma once
/// Waits for changes in folders. inotify(7).
#include <chrono>
#include <set>
#include <string>

#include "allocator/store/disk/file_system.hpp"

namespace shim::inspect {

/// Looks at what happens in folders from its making on. Those that are missing, or that no watch is
/// to be had for, are looked at by nobody.
class FolderWatch {
 public:
  explicit FolderWatch(std::set<std::string> folders);

  [[nodiscard]] const std::set<std::string>& folders() const { return folders_; }
  /// Waits until something has happened in one of them, for at most `patience`. False when nobody
  /// reads standard output any more.
  [[nodiscard]] bool wait(std::chrono::milliseconds patience);

 private:
  std::set<std::string> folders_;
  allocator::store::Fd events_;
};

}  // namespace shim::inspect
