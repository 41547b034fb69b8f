#include "shim/cli/validate/document/report.hpp"

#include <functional>
#include <nlohmann/json.hpp>

#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim::validate {
namespace {

std::string_view word(Severity severity) {
  return severity == Severity::error ? "error" : "warning";
}

/// What concerns one file stays together.
void each_by_file(const Findings& findings, std::size_t files,
                  const std::function<void(const Finding&)>& visit) {
  for (std::size_t file = 0; file < files; ++file) {
    for (const auto& one : findings) {
      if (one.file == file) visit(one);
    }
  }
}

}  // namespace

Report Report::below(Words pointer) const {
  Report report = *this;
  report.place_ += joined(pointer);
  return report;
}

void Report::found(const Rule& rule, Words pointer, Words message, std::string_view fix) const {
  findings_->push_back({file_, place_ + joined(pointer), rule.id, rule.severity, joined(message),
                        std::string(fix.empty() ? rule.fix : fix)});
}

void Report::warned(const Rule& rule, Words pointer, Words message, std::string_view fix) const {
  found(rule, pointer, message, fix);
  findings_->back().severity = Severity::warning;
}

std::string print_text(const Findings& findings, const std::vector<std::string>& files) {
  std::string text;
  each_by_file(findings, files.size(), [&](const Finding& one) {
    text += printable_line(
        joined({files[one.file], one.pointer.empty() ? "" : ":", one.pointer, ": ",
                word(one.severity), " ", one.rule, ": ", one.message, "; fix: ", one.fix}));
    text += '\n';
  });
  return text;
}

std::string print_findings_json(const Findings& findings, const std::vector<std::string>& files) {
  Json list = Json::array();
  each_by_file(findings, files.size(), [&](const Finding& one) {
    Json entry = object_of("file", files[one.file]);
    entry["pointer"] = one.pointer;
    entry["severity"] = std::string(word(one.severity));
    entry["rule"] = std::string(one.rule);
    entry["message"] = one.message;
    entry["fix"] = one.fix;
    list.push_back(std::move(entry));
  });
  return print_json(object_of("findings", std::move(list))) + "\n";
}

}  // namespace shim::validate
