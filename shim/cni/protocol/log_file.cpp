#include "shim/cni/protocol/log_file.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace shim {
namespace {

using allocator::store::Fd;

constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0600;
constexpr int kLinkLimit = 40;  // as the kernel's own: path_resolution(7)
constexpr const char* kLock = "log.lock";

[[noreturn]] void fail_log(const std::string& path, int error = errno) {
  throw std::system_error(error, std::generic_category(), "open " + path);
}

/// True for what only root, or whoever we are, can change the entries of.
bool is_ours_to_write(const struct stat& folder) {
  return (folder.st_uid == 0 || folder.st_uid == ::geteuid()) &&
         (folder.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/// A folder that is open and the name of the log in it.
struct Place {
  Fd folder;
  std::string name;
  bool is_ours = false;     ///< nobody else can change what lies in the folder
  bool is_kernels = false;  ///< /proc/self/fd/2, to which /dev/stderr leads: a link like no other
};

/// The way to a file, folder by folder.
class Walk {
 public:
  explicit Walk(std::string path) : path_(std::move(path)) {
    prepend(path_);
    enter(path_.starts_with('/') ? "/" : ".", 0);
  }

  Place to_the_end() {
    while (!names_.empty()) {
      const std::string name = names_.back();
      names_.pop_back();
      struct stat found {};
      const bool is_there =
          ::fstatat(place_.folder.number(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0;
      const bool is_link = is_there && S_ISLNK(found.st_mode);
      if (is_link) follow(name);
      if (names_.empty() && (!is_link || place_.is_kernels)) {
        place_.name = name;
        return std::move(place_);
      }
      if (!is_link) enter(name, O_NOFOLLOW);
    }
    fail_log(path_, EISDIR);
  }

 private:
  /// The names of `path` are the next ones.
  void prepend(const std::string& path) {
    std::vector<std::string> names;
    for (std::size_t start = 0; start < path.size();) {
      const auto end = std::min(path.find('/', start), path.size());
      if (end > start) names.push_back(path.substr(start, end - start));
      start = end + 1;
    }
    names_.insert(names_.end(), names.rbegin(), names.rend());
  }

  void enter(const std::string& name, int more_flags) {
    const int from = place_.folder.is_open() ? place_.folder.number() : AT_FDCWD;
    const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC | more_flags;
    Fd next(::openat(from, name.c_str(), flags));
    if (!next.is_open() && errno == ENOENT) {
      ::mkdirat(from, name.c_str(), kFolderMode);
      next = Fd(::openat(from, name.c_str(), flags));
    }
    struct stat found {};
    if (!next.is_open() || ::fstat(next.number(), &found) != 0) fail_log(path_);
    place_.folder = std::move(next);
    place_.is_ours = is_ours_to_write(found);
    place_.is_kernels = false;
  }

  void follow(const std::string& name) {
    if (!place_.is_ours || ++links_ > kLinkLimit) fail_log(path_, ELOOP);
    struct statfs file_system {};
    // Its links lead to what has no path.
    place_.is_kernels = ::fstatfs(place_.folder.number(), &file_system) == 0 &&
                        file_system.f_type == PROC_SUPER_MAGIC;
    if (place_.is_kernels) {
      if (!names_.empty()) enter(name, 0);
      return;
    }
    std::array<char, PATH_MAX> target{};
    const auto length =
        ::readlinkat(place_.folder.number(), name.c_str(), target.data(), target.size() - 1);
    if (length <= 0) fail_log(path_);
    prepend(target.data());
    if (target.front() == '/') enter("/", 0);
  }

  std::string path_;
  std::vector<std::string> names_;  ///< still to come, the next one last
  Place place_;
  int links_ = 0;
};

/// In a folder of everybody's, a file may be a second name of another one, or be read by the
/// stranger who made it.
bool is_ours_alone(const struct stat& file) {
  return S_ISREG(file.st_mode) && file.st_nlink == 1 && file.st_uid == ::geteuid();
}

Fd open_at(const Place& place, int flags) {
  return Fd(::openat(
      place.folder.number(), place.name.c_str(),
      flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (place.is_kernels ? 0 : O_NOFOLLOW), kFileMode));
}

/// The open log, and how it was when it was opened.
struct OpenLog {
  Fd fd;
  struct stat status {};
};

OpenLog open_to_append(const Place& place, const std::string& path) {
  OpenLog log{open_at(place, O_WRONLY | O_APPEND | O_CREAT), {}};
  if (!log.fd.is_open() || ::fstat(log.fd.number(), &log.status) != 0) fail_log(path);
  if (!place.is_ours && !is_ours_alone(log.status)) fail_log(path, EPERM);
  return log;
}

bool is_too_large(const struct stat& log, const LogConf& conf) {
  return S_ISREG(log.st_mode) &&
         static_cast<std::uint64_t>(log.st_size) > conf.max_size_mib * 1024 * 1024;
}

/// Held while the file is closed; not open: somebody else rotates. The lock lies where root alone
/// can open it. Where there is no such folder yet, the log is its own lock, as long as nobody holds
/// that.
Fd lock_of(const LogConf& conf, const Place& place) {
  const Fd folder(
      ::open(conf.lock_folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat found {};
  const bool is_fit =
      folder.is_open() && ::fstat(folder.number(), &found) == 0 && is_ours_to_write(found);
  Fd lock(is_fit ? ::openat(folder.number(), kLock,
                            O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, kFileMode)
                 : -1);
  if (!lock.is_open()) lock = open_at(place, O_RDONLY);
  return lock.is_open() && ::flock(lock.number(), LOCK_EX | LOCK_NB) == 0 ? std::move(lock) : Fd();
}

/// Moves FILE to FILE.1, FILE.1 to FILE.2 and so on. Where a folder of this name is in the way, the
/// next number will do; where one is under each, the log begins anew.
void shift_backups(const LogConf& conf, const Place& place) {
  const int folder = place.folder.number();
  const auto backup = [&](unsigned number) { return place.name + "." + std::to_string(number); };
  for (unsigned number = conf.max_backups; number > 1; --number)
    ::renameat(folder, backup(number - 1).c_str(), folder, backup(number).c_str());
  for (unsigned number = 1; number <= std::max(conf.max_backups, 1U); ++number) {
    if (::renameat(folder, place.name.c_str(), folder, backup(number).c_str()) == 0) return;
  }
  ::unlinkat(folder, place.name.c_str(), 0);
}

/// Many plugin processes share one log: who holds the lock moves what is still too large, all
/// others go on with what they have.
void rotate(const LogConf& conf, const Place& place) {
  const Fd lock = lock_of(conf, place);
  if (!lock.is_open()) return;
  struct stat now {};
  const int found = ::fstatat(place.folder.number(), place.name.c_str(), &now, AT_SYMLINK_NOFOLLOW);
  if (found == 0 && is_too_large(now, conf)) shift_backups(conf, place);
}

}  // namespace

Fd open_log_file(const LogConf& conf) {
  const Place place = Walk(conf.file).to_the_end();
  OpenLog log = open_to_append(place, conf.file);
  if (!is_too_large(log.status, conf)) return std::move(log.fd);
  rotate(conf, place);
  return open_to_append(place, conf.file).fd;
}

}  // namespace shim
