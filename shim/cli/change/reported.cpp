#include "shim/cli/change/reported.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shim/cli/inspect/boot_report.hpp"
#include "shim/cli/inspect/networks/object_reader.hpp"
#include "shim/cli/named_input.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim::change {
namespace {

using namespace inspect;
using validate::joined;

/// Of a node with all the pods that it can have.
constexpr std::size_t kReportLimit = std::size_t{64} << 20;

constexpr const char* kNotHere =
    ", where --conf, --data-dir, --state-dir and --network do not lead here";
constexpr const char* kMakeAnew = "make it anew: delegated-ipam report -o json";

Json parse_report(const std::string& text, const std::string& source) {
  try {
    return parse_json(text);
  } catch (const JsonSyntaxError& error) {
    throw UsageError(joined({source, ": ", error.what(), "; copy the whole file, or ", kMakeAnew}));
  }
}

void refuse_other_documents(const Json& document, const std::string& source) {
  const Json* version = find_member(document, "schemaVersion");
  if (validate::text_member(document, "kind") != "report" || version == nullptr)
    throw UsageError(joined({source, ": is no report of delegated-ipam's; ", kMakeAnew}));
  if (*version != kSchemaVersion)
    throw UsageError(joined({source, ": has the schemaVersion ", cut(version->dump()),
                             ", and only ", std::to_string(kSchemaVersion),
                             " is known here; read it with the version that wrote it"}));
}

/// `what`: "boot" or "node".
void require_same(const ObjectReader& report, const char* what, const std::string& now) {
  const std::string told = report.text(what);
  if (told.empty()) report.fail(what, "is missing: nothing tells that it is of here and now");
  if (told != now)
    report.fail(what,
                joined({"is ", go_quoted(told), ", and this ", what, " is ", go_quoted(now)}));
}

/// What has changed since then is seen by who looks again; what was another one's is not.
void require_here_and_now(Node& node, const ObjectReader& report) {
  require_same(report, "node", node.name());
  require_same(report, "boot", node.boot());
  if (const std::string export_file = report.text("against"); !export_file.empty())
    report.fail("against", joined({"is ", go_quoted(export_file),
                                   ": it tells of pods that ran then, perhaps elsewhere"}));
}

const Network& reported_network(const Node& node, const ObjectReader& item) {
  const std::string name = item.required("network");
  const std::string folder = item.required("folder");
  for (const auto& network : node.networks()) {
    if (network.name == name && network.network_dir == folder) return network;
  }
  item.fail("network", joined({"is ", go_quoted(name), " in ", folder, kNotHere}));
}

}  // namespace

std::vector<MissingPod> read_missing(Node& node, const std::string& file) {
  const DocumentSource source{source_name(file), kMakeAnew};
  const Json document = parse_report(read_input_text(file, kReportLimit), source.name);
  refuse_other_documents(document, source.name);
  const ObjectReader report(document, source);
  require_here_and_now(node, report);
  std::vector<MissingPod> missing;
  report.each("items", [&](const ObjectReader& item) {
    if (item.required("outcome") != name_of(Fate::missing)) return;
    MissingPod one{&reported_network(node, item),
                   {item.required("namespace"), item.required("pod"), item.required("if")}};
    const bool is_new = std::find(missing.begin(), missing.end(), one) == missing.end();
    if (is_new) missing.push_back(std::move(one));
  });
  return missing;
}

}  // namespace shim::change
