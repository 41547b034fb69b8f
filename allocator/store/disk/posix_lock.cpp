/// The lock's part of PosixFileSystem: a flock(2) that is waited for, but not for ever.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/time.h>

#include <csignal>

#include "allocator/store/disk/posix_call.hpp"
#include "allocator/store/disk/posix_file_system.hpp"

namespace allocator::store {
namespace {

/// SIGALRM ends a waiting flock(2): no SA_RESTART, and the timer repeats, so that an alarm between
/// two calls is not the last one. A caller may have left the signal blocked.
class Alarm {
 public:
  explicit Alarm(std::chrono::milliseconds first) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, &old_action_);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarm, &old_mask_);
    itimerval timer{};
    timer.it_value.tv_sec = first.count() / 1000;
    timer.it_value.tv_usec = (first.count() % 1000) * 1000;
    timer.it_interval.tv_usec = 10'000;
    setitimer(ITIMER_REAL, &timer, nullptr);
  }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm() {
    const itimerval off{};
    setitimer(ITIMER_REAL, &off, nullptr);
    sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
    sigaction(SIGALRM, &old_action_, nullptr);
  }

 private:
  struct sigaction old_action_ {};
  sigset_t old_mask_{};
};

}  // namespace

std::optional<Fd> PosixFileSystem::open_lock(const Directory& directory, const std::string& name,
                                             std::optional<unsigned> mode) {
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  const int fd = retried([&] {
    return ::openat(directory.fd.number(), name.c_str(), mode ? flags | O_CREAT : flags,
                    mode.value_or(0));
  });
  if (fd == -1 && errno == ENOENT && !mode) return std::nullopt;
  if (fd == -1) fail_open(directory.path + "/" + name);
  return Fd(fd);
}

LockResult PosixFileSystem::lock(const Fd& fd, std::chrono::milliseconds patience) {
  if (retried([&] { return ::flock(fd.number(), LOCK_EX | LOCK_NB); }) == 0)
    return LockResult::locked;
  if (errno != EWOULDBLOCK) fail("flock", "lock");
  if (patience.count() <= 0) return LockResult::timed_out;  // a timer of 0 never rings
  const Alarm alarm(patience);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(fd.number(), LOCK_EX) != 0) {
    if (errno != EINTR) fail("flock", "lock");
    if (std::chrono::steady_clock::now() >= deadline) return LockResult::timed_out;
  }
  return LockResult::locked;
}

void PosixFileSystem::unlock(const Fd& fd) {
  if (retried([&] { return ::flock(fd.number(), LOCK_UN); }) != 0) fail("unlock", "lock");
}

void PosixFileSystem::close_lock(Fd fd) { const Fd closed = std::move(fd); }

}  // namespace allocator::store
