#pragma once
/// What is known of a network in this boot only: /run/delegated-ipam/<device>:<inode of the network
/// folder>/.
///
///     boot        -> boot_id, a symbolic link; there once the folders above the network's have
///     been fsynced in this boot sequence    the highest sequence number given out, decimal
///
/// It may vanish at any time and is never the truth: without it the same answers cost more reading.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "allocator/store/file_system.hpp"

namespace allocator::store {

class RuntimeFolder {
 public:
  /// Opens the folder, making it first. Failures leave an object that knows nothing and keeps
  /// nothing.
  RuntimeFolder(FileSystem& fs, const std::string& runtime_dir,
                const FileIdentity& network_folder) noexcept;

  /// True when mark_boot() was called in this boot.
  [[nodiscard]] bool is_marked(const std::string& boot_id) noexcept;
  void mark_boot(const std::string& boot_id) noexcept;
  void unmark_boot() noexcept;

  /// The next sequence number. `highest` finds the highest one in the records when the counter is
  /// gone.
  [[nodiscard]] std::uint64_t next_sequence(const std::function<std::uint64_t()>& highest);

 private:
  [[nodiscard]] std::optional<std::string> read(const std::string& name) noexcept;
  void write(const std::string& name, const std::string& text) noexcept;

  FileSystem& fs_;
  std::optional<Directory> folder_;
  bool is_new_ = false;  // this object made it: nothing is in it
};

}  // namespace allocator::store
