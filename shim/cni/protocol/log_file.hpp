#pragma once
/// The file behind the log: found, made and rotated so that nobody but root has a say in where root
/// writes.
///
/// The folders on the way are walked one by one. A symbolic link counts only where nobody else can
/// have made it; in a folder that others can write to, the file itself must be ours alone. Who
/// rotates holds a lock that nobody else can open; without it a log goes on growing, and nobody
/// waits. After a crash in between a number may be missing among the backups, nothing else.
#include <cstdint>
#include <string>

#include "allocator/store/disk/file_system.hpp"

namespace shim {

/// `logFile`, `logLevel`, `logOptions`
struct LogConf {
  std::string file;  ///< empty: no log
  std::string level = "info";
  std::uint64_t max_size_mib = 100;
  unsigned max_backups = 5;
  std::string lock_folder = "/run/delegated-ipam";  ///< of who rotates; not configurable
};

/// The file that lines are appended to, with its folders made, and moved aside first where it has
/// grown too large. Not blocking: a pipe that nobody reads must not hold a command up.
/// Errors: throws std::system_error.
allocator::store::Fd open_log_file(const LogConf& conf);

}  // namespace shim
