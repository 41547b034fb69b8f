#include "shim/cni/log.hpp"

// The descriptor of the log must not leak into a delegate.
#define SPDLOG_PREVENT_CHILD_FD
#include <fcntl.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <ctime>
#include <filesystem>

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
  std::error_code ignored;
  for (unsigned number = conf.max_backups; number > 1; --number) {
    std::filesystem::rename(backup_name(conf.file, number - 1), backup_name(conf.file, number),
                            ignored);
  }
  std::filesystem::rename(conf.file, backup_name(conf.file, 1), ignored);
}

/// Rotates a log that has grown too large. Many plugin processes share one log: who holds the lock
/// of the old file moves it, all others find a new, small one.
void rotate_if_large(const LogConf& conf) {
  const int fd = ::open(conf.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd == -1) return;
  const bool locked = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  std::error_code ignored;
  const auto size = std::filesystem::file_size(conf.file, ignored);
  if (locked && !ignored && size > conf.max_size_mib * 1024 * 1024) shift_backups(conf);
  ::close(fd);
}

}  // namespace

class Log::Sink {
 public:
  explicit Sink(const LogConf& conf)
      : logger_("delegated-ipam", std::make_shared<spdlog::sinks::basic_file_sink_st>(conf.file)) {
    logger_.set_level(level_of(conf.level));
    logger_.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z [%l] [%P] %v");
    logger_.flush_on(spdlog::level::trace);
    // A full disk must not put text on stderr, nor anything else.
    logger_.set_error_handler([](const std::string&) {});
  }

  void write(spdlog::level::level_enum level, const std::string& text) { logger_.log(level, text); }

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
