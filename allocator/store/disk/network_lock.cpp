#include "allocator/store/disk/network_lock.hpp"

#include <sys/sysmacros.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <set>
#include <string_view>
#include <system_error>

#include "allocator/store/disk/mount_info.hpp"
#include "allocator/store/disk/words.hpp"

namespace allocator::store {
namespace {

constexpr unsigned kLockMode = 0750;  // what the Go plugin makes
constexpr int kReopenLimit = 8;

/// A file as /proc/locks prints it.
std::string place_in_locks(std::uint64_t device, std::uint64_t inode) {
  std::array<char, 64> place{};
  std::snprintf(place.data(), place.size(), "%02x:%02x:%llu", major(device), minor(device),
                static_cast<unsigned long long>(inode));
  return place.data();
}

/// The process that a line of /proc/locks names as the holder of one of `places`; "" for any other
/// line.
std::string holder_in(std::string_view line, const std::set<std::string>& places) {
  Words fields(line);
  fields.next();  // a number
  const auto kind = fields.next();
  fields.next();  // ADVISORY
  fields.next();  // WRITE
  const auto pid = fields.next();
  const bool is_place = places.count(std::string(fields.next())) != 0;
  return kind == "FLOCK" && is_place ? std::string(pid) : std::string();
}

/// "process 123 (host-local)" from /proc/locks, or "" when the kernel does not tell.
std::string holder_of(FileSystem& fs, const Fd& lock, const FileIdentity& identity) {
  std::set<std::string> places = {place_in_locks(identity.device, identity.inode)};
  if (const auto mount = mount_of(fs, lock))
    places.insert(place_in_locks(mount->device, identity.inode));
  try {
    const std::string locks = fs.read_path("/proc/locks", std::size_t{1} << 20);
    for (std::string_view rest = locks; !rest.empty();) {
      const std::string pid = holder_in(take_line(rest), places);
      if (pid.empty()) continue;
      std::string name = fs.read_path("/proc/" + pid + "/comm", 64);
      while (!name.empty() && name.back() == '\n') name.pop_back();
      return "process " + pid + " (" + name + ")";
    }
  } catch (const std::system_error&) {
    return {};
  }
  return {};
}

}  // namespace

NetworkLock::NetworkLock(FileSystem& fs, Directory& folder, std::chrono::milliseconds patience)
    : fs_(fs) {
  static_cast<void>(take(folder, patience, kLockMode));
}

std::optional<NetworkLock> NetworkLock::of_existing(FileSystem& fs, Directory& folder,
                                                    std::chrono::milliseconds patience) {
  NetworkLock lock(fs);
  if (!lock.take(folder, patience, std::nullopt)) return std::nullopt;
  return lock;
}

/// False when there is no file and none is to be made.
bool NetworkLock::take(Directory& folder, std::chrono::milliseconds patience,
                       std::optional<unsigned> mode) {
  for (int round = 0; round < kReopenLimit; ++round) {
    fd_ = Fd();  // before another is waited for
    // In a folder that took the place of the one that was asked for there is no way back.
    auto opened = fs_.open_lock(folder, kLockName, reopened_ ? std::optional(kLockMode) : mode);
    if (!opened) return false;
    fd_ = *std::move(opened);
    file_ = fs_.identify(fd_);
    // As where it were to be made, and as host-local says it.
    if (file_.kind == FileKind::directory)
      throw std::system_error(EISDIR, std::generic_category(), "open " + folder.path + "/lock");
    if (file_.kind != FileKind::regular)
      throw UnfitFile(EINVAL, "lock " + folder.path + "/lock", "a pipe or device, no regular file");
    if (fs_.lock(fd_, patience) == LockResult::timed_out) {
      const std::string holder = holder_of(fs_, fd_, file_);
      throw LockTimeout("lock " + folder.path + "/lock: not free within " +
                        std::to_string(patience.count() / 1000) + " s" +
                        (holder.empty() ? "" : ", held by " + holder) + "; try again");
    }
    // Somebody may have wiped or moved the folder while we waited: a lock that is not at its path
    // excludes nobody. (An absolute path: the open folder does not matter.)
    const auto named = fs_.identify(folder, folder.path + "/" + kLockName);
    if (named && named->same_file(file_)) return true;
    auto again = fs_.open_directory(folder.path);
    if (!again) break;
    folder = std::move(*again);
    reopened_ = true;
  }
  throw TryAgain("lock " + folder.path + "/lock: the folder is being replaced; try again");
}

NetworkLock::~NetworkLock() {
  if (!fd_.is_open()) return;
  try {
    fs_.close_lock(std::move(fd_));
  } catch (const std::system_error&) {
    return;  // the descriptor is closed all the same
  }
}

}  // namespace allocator::store
