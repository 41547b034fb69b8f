#include "shim/cni/protocol/log.hpp"

// An exception of the sink is caught here; spdlog would format a message of it with half of fmt.
#define SPDLOG_NO_EXCEPTIONS
#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/log_file.hpp"

namespace shim {
namespace {

spdlog::level::level_enum level_of(const std::string& name) {
  if (name == "panic") return spdlog::level::critical;
  if (name == "error") return spdlog::level::err;
  if (name == "warning") return spdlog::level::warn;
  if (name == "info") return spdlog::level::info;
  return spdlog::level::debug;  // verbose, debug
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

/// More than any line of ours: lists of addresses, say, are told whole.
constexpr std::size_t kLineLimit = std::size_t{64} << 10;

/// Appends a line by one write(2), so that the many processes that share a log do not tear each
/// other's lines; a full disk costs the line. spdlog's own file sinks buffer, and bring 80 KB of
/// formatting with them, which small nodes would have to store.
/// Errors: std::system_error where the file cannot be opened.
class LineSink final : public spdlog::sinks::sink {
 public:
  explicit LineSink(const LogConf& conf) : fd_(open_log_file(conf)) {
    // It may be a pipe whose reader goes away: that costs the line, not the command.
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  }

  void log(const spdlog::details::log_msg& message) override {
    const auto level = spdlog::level::to_string_view(message.level);
    std::string line = time_stamp(message.time) + " [" + std::string(level.data(), level.size()) +
                       "] [" + std::to_string(::getpid()) + "] ";
    line += printable_line({message.payload.data(), message.payload.size()}, kLineLimit) + "\n";
    [[maybe_unused]] const auto written = ::write(fd_.number(), line.data(), line.size());
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  allocator::store::Fd fd_;
};

}  // namespace

class Log::Sink {
 public:
  explicit Sink(const LogConf& conf) : logger_("delegated-ipam", std::make_shared<LineSink>(conf)) {
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
