#include "shim/cni/log.hpp"

// An exception of the sink is caught here; spdlog would format a message of it with half of fmt.
#define SPDLOG_NO_EXCEPTIONS
#include <fcntl.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <system_error>

#include "shim/cni/error.hpp"

namespace shim {
namespace {

spdlog::level::level_enum level_of(const std::string& name) {
  if (name == "panic") return spdlog::level::critical;
  if (name == "error") return spdlog::level::err;
  if (name == "warning") return spdlog::level::warn;
  if (name == "info") return spdlog::level::info;
  return spdlog::level::debug;  // verbose, debug
}

std::string backup_name(const std::string& file, unsigned number) {
  return file + "." + std::to_string(number);
}

/// Moves FILE to FILE.1, FILE.1 to FILE.2 and so on.
void shift_backups(const LogConf& conf) {
  for (unsigned number = conf.max_backups; number > 1; --number) {
    ::rename(backup_name(conf.file, number - 1).c_str(), backup_name(conf.file, number).c_str());
  }
  ::rename(conf.file.c_str(), backup_name(conf.file, 1).c_str());
}

/// Rotates a log that has grown too large. Many plugin processes share one log: who holds the lock
/// of the old file moves it, all others find a new, small one.
void rotate_if_large(const LogConf& conf) {
  const int fd = ::open(conf.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd == -1) return;
  struct stat now {};
  const bool is_large = ::flock(fd, LOCK_EX | LOCK_NB) == 0 &&
                        ::stat(conf.file.c_str(), &now) == 0 &&
                        static_cast<std::uint64_t>(now.st_size) > conf.max_size_mib * 1024 * 1024;
  if (is_large) shift_backups(conf);
  ::close(fd);
}

void make_folders_of(const std::string& file) {
  for (auto slash = file.find('/', 1); slash != std::string::npos;
       slash = file.find('/', slash + 1))
    ::mkdir(file.substr(0, slash).c_str(), 0755);
}

/// When a line is written: local time as RFC 3339 has it, in milliseconds.
std::string time_stamp(spdlog::log_clock::time_point at) {
  const std::time_t seconds = spdlog::log_clock::to_time_t(at);
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch());
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 32> text{};
  const auto length = std::strftime(text.data(), text.size(), "%FT%T", &local);
  const long minutes = std::labs(local.tm_gmtoff) / 60;
  std::snprintf(text.data() + length, text.size() - length, ".%03d%c%02ld:%02ld",
                static_cast<int>(since.count() % 1000), local.tm_gmtoff < 0 ? '-' : '+',
                minutes / 60, minutes % 60);
  return text.data();
}

/// Appends a line by one write(2), so that the many processes that share a log do not tear each
/// other's lines; a full disk costs the line. spdlog's own file sinks buffer, and bring 80 KB of
/// formatting with them, which small nodes would have to store. Errors: std::system_error where the
/// file cannot be opened.
class LineSink final : public spdlog::sinks::sink {
 public:
  explicit LineSink(const std::string& file) {
    make_folders_of(file);
    // Close on exec: it must not leak into a delegate. Not blocking: a pipe that nobody reads must
    // not hold a command up.
    fd_ = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                 0666);
    if (fd_ == -1) throw std::system_error(errno, std::generic_category(), "open " + file);
  }
  LineSink(const LineSink&) = delete;
  LineSink& operator=(const LineSink&) = delete;
  ~LineSink() override { ::close(fd_); }

  void log(const spdlog::details::log_msg& message) override {
    const auto level = spdlog::level::to_string_view(message.level);
    std::string line = time_stamp(message.time) + " [" + std::string(level.data(), level.size()) +
                       "] [" + std::to_string(::getpid()) + "] ";
    line += printable_line({message.payload.data(), message.payload.size()}) + "\n";
    static_cast<void>(::write(fd_, line.data(), line.size()));
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  int fd_ = -1;
};

}  // namespace

class Log::Sink {
 public:
  explicit Sink(const LogConf& conf)
      : logger_("delegated-ipam", std::make_shared<LineSink>(conf.file)) {
    logger_.set_level(level_of(conf.level));
  }

  void write(spdlog::level::level_enum level, const std::string& text) noexcept {
    try {
      // A std::string would go through fmt as "{}" first.
      logger_.log(level, spdlog::string_view_t(text.data(), text.size()));
    } catch (const std::exception&) {
      return;  // no memory for the line: it is lost, and nothing else
    }
  }

 private:
  spdlog::logger logger_;
};

Log::Log(const LogConf& conf) noexcept {
  if (conf.file.empty()) return;
  try {
    rotate_if_large(conf);
    sink_ = std::make_unique<Sink>(conf);
  } catch (const std::exception&) {
    sink_.reset();
  }
}

Log::~Log() = default;

void Log::debug(const std::string& text) noexcept {
  if (sink_) sink_->write(spdlog::level::debug, text);
}

void Log::info(const std::string& text) noexcept {
  if (sink_) sink_->write(spdlog::level::info, text);
}

void Log::warning(const std::string& text) noexcept {
  if (sink_) sink_->write(spdlog::level::warn, text);
}

void Log::notice(const std::string& text) noexcept {
  warning(text);
  send_to_syslog(text);
}

void Log::error(const std::string& text) noexcept {
  if (sink_) sink_->write(spdlog::level::err, text);
}

// syslog(3) waits for ever when the daemon's queue is full; an ADD must not.
void send_to_syslog(const std::string& text) noexcept {
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd == -1) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, "/dev/log", sizeof address.sun_path - 1);
  try {
    std::array<char, 32> time{};
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    std::strftime(time.data(), time.size(), "%b %e %H:%M:%S", ::localtime_r(&now, &local));
    const std::string line = "<" + std::to_string(LOG_DAEMON | LOG_NOTICE) + ">" + time.data() +
                             " delegated-ipam[" + std::to_string(::getpid()) +
                             "]: " + printable_line(text);
    ::sendto(fd, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } catch (const std::exception&) {
    ::close(fd);
    return;
  }
  ::close(fd);
}

}  // namespace shim
