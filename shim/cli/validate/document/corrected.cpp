#include "shim/cli/validate/document/corrected.hpp"

#include <algorithm>

#include "shim/cli/validate/document/edit.hpp"

namespace shim::validate {
namespace {

/// A correction may uncover what could not be seen before, such as keys under a misspelled one.
constexpr int kRounds = 4;

/// The name under which the corrected file is right.
std::string fitting_name(const File& file) {
  const auto dot = file.base.rfind('.');
  const std::string stem = file.name.substr(0, file.name.size() - file.base.size()) +
                           file.base.substr(0, std::min(dot, file.base.size()));
  if (file.as_config_map) return stem + ".yaml";
  if (file.drop_in) return file.name;  // one plugin stays one
  const bool is_conf = file.base.ends_with(".conf") || file.base.ends_with(".json");
  return is_conf && file.base != "cni-conf.json" ? stem + ".conflist" : file.name;
}

bool has_error(const Findings& findings, std::size_t file) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& one) {
    return one.file == file && one.severity == Severity::error;
  });
}

/// The files as they are after this round; `is_changed` says which of them have changed so far.
std::vector<Input> next_inputs(const std::vector<Input>& inputs, const Documents& documents,
                               std::vector<bool>& is_changed) {
  std::vector<Input> next;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const File& file = documents.files[i];
    const bool is_new = is_corrected(file);
    is_changed[i] = is_changed[i] || is_new;
    Input& input = next.emplace_back(inputs[i]);
    if (!is_new) continue;
    input.name = fitting_name(file);
    input.text = print_file(file);
  }
  return next;
}

/// A key that is there twice has lost one of its values when the file was read.
bool has_lost_something(const Findings& findings, std::size_t file) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& one) {
    return one.file == file && one.rule == rules::kDuplicateKey.id;
  });
}

/// Files that were named, and those that were only found and have changed.
std::size_t count_of_printed(const std::vector<Input>& inputs,
                             const std::vector<bool>& is_changed) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    count += !inputs[i].is_found || is_changed[i] ? 1 : 0;
  return count;
}

}  // namespace

Corrected correct(const std::vector<Input>& inputs, const Documents& documents,
                  const Findings& findings, const Validation& validation) {
  std::vector<bool> is_changed(inputs.size(), false);
  std::vector<Input> latest = next_inputs(inputs, documents, is_changed);
  Findings left;
  for (int round = 0; round < kRounds; ++round) {
    if (std::none_of(is_changed.begin(), is_changed.end(), [](bool one) { return one; })) break;
    left.clear();
    const Documents again = validation(latest, left);
    const bool is_done = std::none_of(again.files.begin(), again.files.end(), &is_corrected);
    if (is_done) break;
    latest = next_inputs(latest, again, is_changed);
  }
  const bool is_one_of_several = count_of_printed(inputs, is_changed) > 1;
  Corrected corrected;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!is_changed[i]) continue;
    if (has_error(left, i) || has_lost_something(findings, i)) {
      corrected.undecided.push_back(inputs[i].name);
      continue;
    }
    if (is_one_of_several) corrected.text += "==> " + inputs[i].name + " <==\n";
    corrected.text += latest[i].text;
  }
  return corrected;
}

}  // namespace shim::validate
