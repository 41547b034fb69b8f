#pragma once
/// The log file, if one is configured. The only user of spdlog; a log that cannot be opened never
/// fails a command.
#include <memory>
#include <string>

#include "shim/cni/protocol/log_file.hpp"

namespace shim {

class Log {
 public:
  /// Without a file nothing is opened and nothing is written.
  explicit Log(const LogConf& conf) noexcept;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  void debug(const std::string& text) noexcept;
  void info(const std::string& text) noexcept;
  void warning(const std::string& text) noexcept;
  void error(const std::string& text) noexcept;
  /// What an operator must be able to find without a log file: goes to syslog too.
  void notice(const std::string& text) noexcept;

 private:
  class Sink;
  std::unique_ptr<Sink> sink_;
};

/// One line to the system's log, as RFC 3164 has it, facility daemon, severity notice. Never waits:
/// a log daemon that does not read, or none at all, costs the line and nothing else.
void send_to_syslog(const std::string& text) noexcept;

}  // namespace shim
