#include "shim/cli/inspect/networks/finding.hpp"

#include <nlohmann/json.hpp>

#include "shim/cni/protocol/printable.hpp"

namespace shim::inspect {
namespace {

std::string word(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

}  // namespace

void found(Findings& findings, const Rule& rule, const std::string& network,
           const std::string& place, const std::string& message) {
  findings.push_back({&rule, network, place, message, std::string(rule.fix)});
}

std::string print_findings(const Findings& findings, const Look& look) {
  std::string text;
  for (const auto& one : findings) {
    text += coloured(word(one.rule->severity), look.colour) + " " + std::string(one.rule->id) +
            " " + printable_line(one.place + ": " + one.message) +
            "\n      fix: " + printable_line(one.fix) + "\n";
  }
  return text;
}

Json findings_json(const Findings& findings) {
  Json list = Json::array();
  for (const auto& one : findings) {
    Json entry = Json::object();
    put(entry, "severity", word(one.rule->severity));
    put(entry, "rule", std::string(one.rule->id));
    put(entry, "network", one.network);
    put(entry, "place", one.place);
    put(entry, "message", one.message);
    put(entry, "fix", one.fix);
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace shim::inspect
