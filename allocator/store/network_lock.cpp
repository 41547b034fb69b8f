#include "allocator/store/network_lock.hpp"

#include <sys/sysmacros.h>

#include <array>
#include <cstdio>
#include <sstream>
#include <system_error>

namespace allocator::store {
namespace {

constexpr unsigned kLockMode = 0750;  // what the Go plugin makes
constexpr int kReopenLimit = 8;

/// "process 123 (host-local)" from /proc/locks, or "" when the kernel does not tell.
std::string holder_of(FileSystem& fs, const FileIdentity& lock) {
  std::array<char, 64> wanted{};
  std::snprintf(wanted.data(), wanted.size(), "%02x:%02x:%llu", major(lock.device),
                minor(lock.device), static_cast<unsigned long long>(lock.inode));
  try {
    std::istringstream locks(fs.read_path("/proc/locks", std::size_t{1} << 20));
    for (std::string line; std::getline(locks, line);) {
      std::istringstream fields(line);
      std::string number;
      std::string kind;
      std::string mode;
      std::string access;
      std::string pid;
      std::string file;
      fields >> number >> kind >> mode >> access >> pid >> file;
      if (kind != "FLOCK" || file != wanted.data()) continue;
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
  for (int round = 0; round < kReopenLimit; ++round) {
    fd_ = fs.open_lock(folder, kLockName, kLockMode);
    const FileIdentity opened = fs.identify(fd_);
    if (fs.lock(fd_, patience) == LockResult::timed_out) {
      const std::string holder = holder_of(fs, opened);
      throw LockTimeout("lock " + folder.path + "/lock: not free within " +
                        std::to_string(patience.count() / 1000) + " s" +
                        (holder.empty() ? "" : ", held by " + holder) + "; try again");
    }
    // Somebody may have wiped or moved the folder while we waited: a lock that is not at its path
    // excludes nobody. (An absolute path: the open folder does not matter.)
    const auto named = fs.identify(folder, folder.path + "/" + kLockName);
    if (named && named->same_file(opened)) return;
    auto again = fs.open_directory(folder.path);
    if (!again) break;
    folder = std::move(*again);
    reopened_ = true;
  }
  throw TryAgain("lock " + folder.path + "/lock: the folder is being replaced; try again");
}

NetworkLock::~NetworkLock() {
  try {
    fs_.unlock(fd_);
  } catch (const std::system_error&) {
    // Closing the descriptor frees the lock as well.
    fd_ = Fd();
  }
}

}  // namespace allocator::store
