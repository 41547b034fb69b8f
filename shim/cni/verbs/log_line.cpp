#include "shim/cni/verbs/log_line.hpp"

#include <chrono>
#include <cstdint>

#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

/// With all six decimals. Not by way of a double: the C library's code for that is three pages that
/// nothing else in an ADD touches.
std::string milliseconds(std::chrono::nanoseconds taken) {
  constexpr std::int64_t in_one = 1'000'000;
  const std::string fraction = std::to_string(in_one + taken.count() % in_one);
  return std::to_string(taken.count() / in_one) + "." + fraction.substr(1);
}

}  // namespace

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
  log_.info(text_ + " -> " + outcome + " " +
            milliseconds(std::chrono::steady_clock::now() - started_) + "ms");
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
