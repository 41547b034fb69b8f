// A file that `validate` is given; the first byte says under which name. What it prints corrected
// can be read, has no error left and nothing more to correct; the findings are printed as JSON.
#include <array>
#include <nlohmann/json.hpp>

#include "shim/cli/validate/document/corrected.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cli/validate/node/together.hpp"
#include "shim/cli/yaml.hpp"
#include "test/fuzz/target.hpp"

namespace {

using namespace shim::validate;  // NOLINT(google-build-using-namespace)
using fuzz::require;

constexpr std::array kNames = {"-",           "10-net.conflist", "10-net.conf",
                               "values.yaml", "cni-conf.json",   "net.json"};

void check_part(Part& part, const Context& context, const Report& report) {
  switch (part.kind) {
    case PartKind::cilium_values:
    case PartKind::cilium_config:
      return check_cilium_agent(part, context, report);
    case PartKind::flannel_values:
    case PartKind::flannel_daemon:
      return check_flanneld(part, context, report);
    case PartKind::yurthub:
      return check_yurthub(part, context, report);
    case PartKind::kind_cluster:
      return check_kind(part, context, report);
  }
}

/// All rules, as shim/cli/validate/validate.cpp applies them, on no machine.
Documents validation(const std::vector<Input>& inputs, Findings& findings) {
  Documents documents = read_documents(inputs, findings);
  const Wishes wishes{};
  for (auto& network : documents.networks)
    check_network(network, documents, wishes, Report(findings, network.file, network.pointer));
  write_back(documents);
  Context context = make_context(documents);
  context.mounted = [](const auto&, const auto&) { return std::nullopt; };
  for (auto& part : documents.parts)
    check_part(part, context, Report(findings, part.file, part.pointer));
  write_back(documents.texts);
  check_stores(documents, findings);
  check_use(documents, make_context(documents), findings);
  spell_pointers(documents, findings);
  return documents;
}

std::string errors_of(const Findings& findings) {
  std::string text;
  for (const auto& one : findings) {
    if (one.severity == Severity::error)
      text += std::string(one.rule) + " " + one.pointer + ": " + one.message + "\n";
  }
  return text;
}

/// The name under which the corrected file is right.
std::string name_behind(const std::string& name, const Documents& documents) {
  if (documents.files.front().as_config_map) return "net.yaml";
  return name == "10-net.conf" || name == "net.json" ? "10-net.conflist" : name;
}

void run(std::string_view bytes) {
  fuzz::Input input(bytes);
  const std::string name = kNames.at(input.below(kNames.size()));
  const std::vector<Input> inputs = {{name, input.rest()}};
  Findings findings;
  const Documents documents = validation(inputs, findings);
  const auto printed = shim::parse_json(print_findings_json(findings, {name}));
  require(printed["findings"].size() == findings.size(), "a finding is not printed");
  static_cast<void>(print_text(findings, {name}));

  const Corrected corrected = correct(inputs, documents, findings, validation);
  require(corrected.text.empty() || corrected.undecided.empty(), "printed, and undecided");
  if (corrected.text.empty()) return;
  const std::vector<Input> again = {{name_behind(name, documents), corrected.text}};
  Findings left;
  const Documents corrected_documents = validation(again, left);
  require(errors_of(left).empty(),
          "errors in what is printed corrected: " + errors_of(left) + "in\n" + corrected.text);
  require(!is_corrected(corrected_documents.files.front()),
          "what is printed corrected is corrected again:\n" + corrected.text);
}

const fuzz::Registration kTarget("validate", &run);

}  // namespace
