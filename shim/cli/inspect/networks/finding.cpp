#include "shim/cli/inspect/networks/finding.hpp"

#include <nlohmann/json.hpp>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim::inspect {
namespace {

std::string_view word(Severity severity) {
  return severity == Severity::error ? "error" : "warning";
}

}  // namespace

void found(Findings& findings, const Rule& rule, std::string_view network, std::string_view place,
           std::string_view message) {
  findings.push_back({&rule, std::string(network), std::string(place), std::string(message)});
}

std::string print_findings(const Findings& findings, const Look& look) {
  std::string text;
  for (const auto& one : findings) {
    const std::string said = printable_line(validate::joined({one.place, ": ", one.message}));
    text += validate::joined({coloured(word(one.rule->severity), look.colour), " ", one.rule->id,
                              " ", said, "\n      fix: ", one.rule->fix, "\n"});
  }
  return text;
}

Json findings_json(const Findings& findings) {
  Json list = Json::array();
  for (const auto& one : findings) {
    Json entry = Json::object();
    put(entry, "severity", std::string(word(one.rule->severity)));
    put(entry, "rule", std::string(one.rule->id));
    put(entry, "network", one.network);
    put(entry, "place", one.place);
    put(entry, "message", one.message);
    put(entry, "fix", std::string(one.rule->fix));
    list.push_back(std::move(entry));
  }
  return list;
}

std::string print_items(std::string_view kind, const Table& table, const Findings& findings,
                        Format format) {
  Json document = make_document(kind);
  put(document, "items", items_of(table));
  put(document, "findings", findings_json(findings));
  return print_document(document, format);
}

}  // namespace shim::inspect
