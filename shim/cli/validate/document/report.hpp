#pragma once
/// What the rules of `validate` have found.
#include <string>
#include <string_view>
#include <vector>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/document/rules.hpp"

namespace shim::validate {

struct Finding {
  std::size_t file;     ///< index of the file, in the order of the command line
  std::string pointer;  ///< JSON pointer (RFC 6901); "/data/cni-conf.json/name" goes into the text
  std::string_view rule;
  Severity severity;
  std::string message;
  std::string fix;
};

using Findings = std::vector<Finding>;

/// Where a rule puts its findings: pointers are relative to one place of one file.
class Report {
 public:
  /// `findings` must outlive the report.
  Report(Findings& findings, std::size_t file, std::string place)
      : findings_(&findings), file_(file), place_(std::move(place)) {}

  /// The same for what lies at `pointer`.
  [[nodiscard]] Report below(Words pointer) const;

  /// `fix`: a better remedy than the rule's.
  void found(const Rule& rule, Words pointer, Words message, std::string_view fix = {}) const;
  /// As found, but no more than a warning.
  void warned(const Rule& rule, Words pointer, Words message, std::string_view fix = {}) const;

 private:
  Findings* findings_;
  std::size_t file_;
  std::string place_;
};

/// "FILE:/json/pointer: error RULE-ID: message; fix: remedy", one a line. Control characters and
/// invalid UTF-8 are replaced.
std::string print_text(const Findings& findings, const std::vector<std::string>& files);

/// {"findings": [{file, pointer, severity, rule, message, fix}]} with a newline.
std::string print_findings_json(const Findings& findings, const std::vector<std::string>& files);

}  // namespace shim::validate
