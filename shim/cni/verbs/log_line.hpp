#pragma once
/// The log line that each command writes.
#include <chrono>
#include <string>
#include <vector>

#include "allocator/address.hpp"
#include "shim/cni/protocol/environment.hpp"
#include "shim/cni/protocol/log.hpp"

namespace shim {

/// "ADD c1/eth0 net=n -> 10.1.2.3 0.4ms".
class LogLine {
 public:
  LogLine(Log& log, const Environment& environment, const std::string& network,
          const std::vector<std::string>& warnings);

  void done(const std::string& outcome);

  /// Writes the failure in flight and passes it on.
  [[noreturn]] void failed();

 private:
  Log& log_;
  std::chrono::steady_clock::time_point started_;
  std::string text_;
};

/// "10.1.2.3,fd00::3", or "nothing".
std::string joined(const std::vector<allocator::Address>& addresses);

}  // namespace shim
