#include "shim/cli/change/gc/seen.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shim/cli/inspect/output/table.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim::change {
namespace {

constexpr std::uint64_t kMinute = 60;

std::string print_line(const std::string& candidate, const Moment& first) {
  Json line = Json::object();
  inspect::put(line, "candidate", candidate);
  inspect::put(line, "boot", first.boot8);
  inspect::put(line, "uptime", first.uptime);
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Seen parse_seen(const std::string& text) {
  Seen seen;
  try {
    const Json document = parse_json(text);
    for (const auto& line : document.at("seen")) {
      seen[line.at("candidate").get<std::string>()] = {line.at("boot").get<std::string>(),
                                                       line.at("uptime").get<std::uint64_t>()};
    }
  } catch (const JsonSyntaxError&) {
    return {};
  } catch (const Json::exception&) {
    return {};
  }
  return seen;
}

std::string print_seen(const Seen& seen) {
  std::string text = "{\"seen\": [";
  const std::string end = "\n]}\n";
  std::string_view separator = "\n";
  for (const auto& [candidate, first] : seen) {
    const std::string line = print_line(candidate, first);
    if (text.size() + separator.size() + line.size() + end.size() > kSeenLimit) break;
    text.append(separator).append(line);
    separator = ",\n";
  }
  return text + end;
}

Wait wait_of(const Seen& seen, const std::string& candidate, const Grace& grace) {
  const auto found = seen.find(candidate);
  if (found == seen.end() || grace.now.boot8.empty()) return {Wait::Kind::seen_now};
  const Moment& first = found->second;
  if (first.boot8 != grace.now.boot8) {
    const auto& boots = grace.earlier_boots;
    const bool is_known = std::find(boots.begin(), boots.end(), first.boot8) != boots.end();
    return {is_known ? Wait::Kind::over : Wait::Kind::seen_now};
  }
  if (first.uptime > grace.now.uptime) return {Wait::Kind::seen_now};
  const std::uint64_t passed = grace.now.uptime - first.uptime;
  if (passed >= grace.seconds) return {Wait::Kind::over};
  return {Wait::Kind::waits, (grace.seconds - passed + kMinute - 1) / kMinute};
}

}  // namespace shim::change
