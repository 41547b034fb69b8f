#pragma once
/// The log file, if one is configured. The only user of spdlog; a log that cannot be opened never
/// fails a command.
#include <memory>
#include <string>

#include "shim/cni/net_conf.hpp"

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

 private:
  class Sink;
  std::unique_ptr<Sink> sink_;
};

}  // namespace shim
