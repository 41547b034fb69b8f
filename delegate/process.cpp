#include "delegate/process.hpp"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/process/v2/environment.hpp>
#include <boost/process/v2/impl/environment.ipp>
#include <boost/process/v2/posix/vfork_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>

#include "delegate/pipes.hpp"

namespace delegate {
namespace {

namespace process = boost::process::v2;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTermGrace{1};
constexpr std::chrono::milliseconds kDrainGrace{500};
constexpr std::chrono::seconds kBusyPatience{5};
constexpr std::chrono::milliseconds kBusyPause{50};

/// Boost.Process ends this process where the kernel has none: it must be tried before.
Descriptor open_pidfd(pid_t pid) {
  Descriptor opened(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (opened.is_open()) return opened;
  throw std::system_error(errno, std::generic_category(),
                          "run a delegate: pidfd_open (Linux 5.3 or newer is needed)");
}

/// What the child does between fork and exec.
struct ChildSetup {
  pid_t parent;
  mode_t umask;

  template <typename Launcher>
  boost::system::error_code on_exec_setup(Launcher&, const boost::filesystem::path&,
                                          const char* const*) const {
    ::setpgid(0, 0);
    // A delegate that went on after our end could take a lease that nobody ever frees.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(EXIT_FAILURE);
    ::umask(umask);
    constexpr int signals = 31;  // the standard ones: signal(7)
    for (int number = 1; number <= signals; ++number)
      static_cast<void>(std::signal(number, SIG_DFL));
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    return {};
  }

  /// The launcher would run this process' own exit handlers.
  template <typename... Any>
  void on_exec_error(Any&&...) const {
    ::_exit(EXIT_FAILURE);
  }
};

/// One run of a program, from its start to its being reaped.
class Run {
 public:
  Run(const ProcessRequest& request, process::process child, Pipes pipes)
      : request_(request),
        child_(std::move(child)),
        pidfd_(open_pidfd(child_.id())),
        pipes_(std::move(pipes)) {}

  ProcessOutcome finish() {
    Clock::time_point next = request_.deadline;
    while (!wait_until(next)) {
      if (outcome_.end == End::timed_out) {
        signal_group(SIGKILL);
        next = Clock::time_point::max();
      } else {
        outcome_.end = End::timed_out;
        signal_group(SIGTERM);
        next = Clock::now() + kTermGrace;
      }
    }
    collect_rest();
    return reap();
  }

 private:
  /// Moves data until the program has ended; false at `moment`.
  bool wait_until(Clock::time_point moment) {
    while (true) {
      const bool ended = pipes_.move(pidfd_.number(), moment) == Moved::program_ended;
      if (pipes_.output().size() > kOutputLimit && outcome_.end == End::exited) {
        outcome_.end = End::too_much_output;
        signal_group(SIGKILL);
      }
      if (ended) return true;
      if (Clock::now() >= moment) return false;
    }
  }

  /// The program is a zombie still: its process group cannot be another one's yet.
  void collect_rest() {
    const bool was_killed = outcome_.end != End::exited;
    const auto until = was_killed ? Clock::now() : Clock::now() + kDrainGrace;
    while (pipes_.is_open() && Clock::now() < until) {
      static_cast<void>(pipes_.move(-1, until));
      if (pipes_.output().size() <= kOutputLimit) continue;
      outcome_.end = End::too_much_output;
      break;
    }
    if (pipes_.is_open() || was_killed) signal_group(SIGKILL);
    pipes_.take_what_is_there();
  }

  ProcessOutcome reap() {
    boost::system::error_code error;
    child_.wait(error);
    if (error) throw std::system_error(error.value(), std::system_category(), "wait");
    const int status = child_.native_exit_code();
    if (outcome_.end == End::exited && WIFSIGNALED(status)) outcome_.end = End::signalled;
    outcome_.number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    outcome_.output = pipes_.take_output();
    outcome_.error_text = pipes_.take_error_text();
    return std::move(outcome_);
  }

  void signal_group(int signal) const {
    ::kill(-child_.id(), signal);
    // One that has left its group must not outlive its deadline.
    if (::getpgid(child_.id()) != child_.id()) ::kill(child_.id(), signal);
  }

  const ProcessRequest& request_;
  process::process child_;
  Descriptor pidfd_;
  Pipes pipes_;
  ProcessOutcome outcome_;
};

ProcessOutcome run_once(const ProcessRequest& request, mode_t umask, const ShowText& show) try {
  boost::asio::io_context context;
  PipeEnds ends;
  Pipes pipes = Pipes::make(request.input, show, ends);
  boost::system::error_code error;
  process::posix::vfork_launcher launcher;
  process::process child = launcher(
      context.get_executor(), error, request.path, std::vector<std::string>(),
      process::process_stdio{ends.input.number(), ends.output.number(), ends.error.number()},
      process::process_environment(request.environment), ChildSetup{::getpid(), umask});
  if (error) {
    if (launcher.pid > 0) ::waitpid(launcher.pid, nullptr, 0);
    ProcessOutcome outcome;
    outcome.end = End::not_started;
    outcome.number = error.value();
    return outcome;
  }
  ends = PipeEnds();
  return Run(request, std::move(child), std::move(pipes)).finish();
} catch (const boost::system::system_error& error) {
  // Asio's; no std::system_error.
  throw std::system_error(error.code().value(), std::generic_category(), "run a delegate");
}

}  // namespace

std::optional<FileVersion> PosixProcessRunner::identify(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
  constexpr std::int64_t second = 1'000'000'000;
  return FileVersion{found.st_dev, found.st_ino,
                     found.st_mtim.tv_sec * second + found.st_mtim.tv_nsec};
}

ProcessOutcome PosixProcessRunner::run(const ProcessRequest& request) {
  static_cast<void>(open_pidfd(::getpid()));
  // A caller's SIG_IGN would make programs vanish before we know how they ended.
  static_cast<void>(std::signal(SIGCHLD, SIG_DFL));
  // A program that does not read its stdin is no reason to die of.
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  // Somebody is copying the file this very moment: an installer that does not rename.
  const auto give_up = std::min(request.deadline, Clock::now() + kBusyPatience);
  while (true) {
    ProcessOutcome outcome = run_once(request, umask_, show_);
    const bool busy = outcome.end == End::not_started && outcome.number == ETXTBSY;
    if (!busy || Clock::now() + kBusyPause >= give_up) return outcome;
    std::this_thread::sleep_for(kBusyPause);
  }
}

}  // namespace delegate
