#include "shim/cni/verbs/log_line.hpp"

#include "shim/cni/protocol/error.hpp"

namespace shim {

LogLine::LogLine(Log& log, const Environment& environment, const std::string& network,
                 const std::vector<std::string>& warnings)
    : log_(log), started_(std::chrono::steady_clock::now()) {
  text_ = environment.command;
  if (!environment.container_id.empty())
    text_ += " " + environment.container_id + "/" + environment.ifname;
  text_ += " net=" + network;
  for (const auto& warning : warnings) log_.warning(warning);
}

void LogLine::done(const std::string& outcome) {
  const std::chrono::duration<double, std::milli> taken =
      std::chrono::steady_clock::now() - started_;
  log_.info(text_ + " -> " + outcome + " " + std::to_string(taken.count()) + "ms");
}

void LogLine::failed() {
  const CniError error = to_cni_error(std::current_exception());
  log_.error(text_ + " -> code " + std::to_string(static_cast<unsigned>(error.code)) + ": " +
             cut(error.what(), kShownLineLimit));
  throw;
}

std::string joined(const std::vector<allocator::Address>& addresses) {
  std::string text;
  for (const auto& address : addresses) text += (text.empty() ? "" : ",") + address.to_string();
  return text.empty() ? "nothing" : text;
}

}  // namespace shim
