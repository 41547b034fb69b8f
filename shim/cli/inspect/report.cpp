// `report`: what the last boot did to the addresses of the node's pods.
#include <nlohmann/json.hpp>

#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/inspect/boot_report.hpp"
#include "shim/cli/inspect/export_document.hpp"
#include "shim/cli/inspect/networks/cloud_view.hpp"
#include "shim/cli/inspect/networks/states.hpp"
#include "shim/cli/inspect/output/look_options.hpp"
#include "shim/cli/inspect/output/outcomes.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/announce/linux_wire.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using namespace inspect;
using validate::joined;

struct ReportOptions {
  NodeOptions node;
  LookOptions look;
  std::string pod_namespace;
  std::string outcome;
  std::string against;
};

enum Field : std::size_t {
  kNetwork,
  kOutcome,
  kNamespace,
  kPod,
  kInterface,
  kBefore,
  kNow,
  kWhy,
  kCloud,
  kName,
  kFolder,
  kFields
};

Table make_report_table(const Networks& networks) {
  const Shown where = networks.size() > 1 ? Shown::always : Shown::wide;
  Table table;
  table.columns = {{"network", "NETWORK", where},
                   {"outcome", "OUTCOME"},
                   {"namespace", "NAMESPACE"},
                   {"pod", "POD"},
                   {"if", "IF"},
                   {"before", "BEFORE"},
                   {"now", "NOW"},
                   {"why", "WHY"},
                   {"cloud", "CLOUD", Shown::wide},
                   {"name", "NAME", Shown::on_demand},
                   {"folder", "FOLDER", Shown::on_demand}};
  table.name_column = kName;
  return table;
}

/// How many of each fate, and of how many addresses nothing is known.
struct Totals {
  std::array<std::size_t, kFateNames.size()> pods{};
  std::size_t untold = 0;

  [[nodiscard]] std::size_t of(Fate fate) const { return pods[static_cast<std::size_t>(fate)]; }
};

/// A copy's neighbours are not those of this node.
NeighbourTable read_neighbours(const ReportOptions& options) {
  if (!options.node.root.empty()) return {};
  announce::LinuxWire wire;
  return NeighbourTable::read(wire);
}

/// What pods had, by the name of their network.
using FormerNetworks = std::map<std::string, FormerPods>;

/// nullopt: the records tell what pods had.
std::optional<FormerNetworks> read_former(const ReportOptions& options) {
  if (options.against.empty()) return std::nullopt;
  FormerNetworks former;
  for (const auto& network : read_export_file(options.against).networks) {
    FormerPods& pods = former[network.name];
    for (const auto& one : network.bindings) {
      Former& had = pods[one.pod];
      (one.state == State::held ? had.held : had.used).push_back(one.address);
    }
  }
  return former;
}

/// A network that was not there then had no pods.
const FormerPods* find_former(const std::optional<FormerNetworks>& former,
                              const std::string& name) {
  static const FormerPods nobody;
  if (!former) return nullptr;
  const auto found = former->find(name);
  return found == former->end() ? &nobody : &found->second;
}

/// Why, and what the cloud makes of it.
std::string why_of(const PodReport& report, const CloudView& cloud) {
  const std::string contradiction = cloud.contradiction(report.pod);
  const bool is_both = !report.why.empty() && !contradiction.empty();
  return joined({report.why, is_both ? "; " : "", contradiction});
}

Totals fill_fates(Table& table, const Networks& networks, const CloudView& cloud,
                  const ReportOptions& options, std::optional<std::size_t> wanted) {
  const NeighbourTable neighbours = read_neighbours(options);
  const auto former = read_former(options);
  Totals totals;
  for (const auto& network : networks) {
    const BootReport report =
        report_of(network, networks, neighbours, find_former(former, network.name));
    totals.untold += report.untold;
    for (const auto& one : report.pods) {
      if (!options.pod_namespace.empty() && one.pod.pod_namespace != options.pod_namespace)
        continue;
      ++totals.pods[static_cast<std::size_t>(one.fate)];
      if (wanted && one.fate != static_cast<Fate>(*wanted)) continue;
      Row row(kFields);
      row[kNetwork] = network.name;
      row[kOutcome] = name_of(one.fate);
      row[kNamespace] = one.pod.pod_namespace;
      row[kPod] = one.pod.pod_name;
      row[kInterface] = one.pod.ifname;
      row[kBefore] = listed(one.before);
      row[kNow] = listed(one.now);
      row[kWhy] = why_of(one, cloud);
      row[kCloud] = listed(cloud.addresses_of(one.pod));
      row[kName] = one.pod.display();
      row[kFolder] = network.network_dir;
      table.rows.push_back(std::move(row));
    }
  }
  return totals;
}

std::string print_all_totals(const Totals& totals) {
  std::string text = print_totals(kFateNames, totals.pods);
  if (totals.untold != 0)
    text += joined({"; ", std::to_string(totals.untold),
                    " in use by containers without a pod, or not started by delegated-ipam"});
  return text + "\n";
}

/// Of when and where it is: what is released by it is looked for there only.
Json begin_document(Node& node, const ReportOptions& options) {
  Json document = make_document("report");
  put(document, "node", text_or_null(node.name()));
  put(document, "boot", text_or_null(node.boot()));
  put(document, "against", text_or_null(options.against));
  return document;
}

std::string print_document_of(Json document, const Node& node, const Table& table,
                              const Totals& totals, Format format) {
  put(document, "totals", totals_json(kFateNames, totals.pods));
  put(document, "untold", totals.untold);
  put(document, "items", items_of(table));
  put(document, "findings", findings_json(node.findings()));
  return print_document(document, format);
}

ExitCode report(const ReportOptions& options) {
  const Look look = read_look(options.look, Forms::all);
  const auto wanted = read_outcome(options.outcome, kFateNames, kFateNameList);
  allocator::store::PosixFileSystem fs;
  Node node(fs, options.node, ReadCache::always);
  Table table = make_report_table(node.networks());
  const CloudView cloud(node);
  const Totals totals = fill_fates(table, node.networks(), cloud, options, wanted);
  if (look.format == Format::json || look.format == Format::yaml) {
    write_stdout(
        print_document_of(begin_document(node, options), node, table, totals, look.format));
  } else if (node.networks().empty()) {
    write_stderr(printable_line("no network found in " + node.places()) + "\n");
  } else {
    write_stdout(print_table(table, look));
    if (look.format != Format::name) write_stdout(print_all_totals(totals));
    write_stderr(print_findings(node.findings(), {}));
  }
  const bool is_fine = node.findings().empty() && !node.networks().empty() &&
                       totals.of(Fate::changed) == 0 && totals.of(Fate::evicted) == 0 &&
                       totals.of(Fate::unreachable) == 0;
  return is_fine ? ExitCode::fine : ExitCode::found_something;
}

}  // namespace

void add_report(CommandSpec& root) {
  static ReportOptions options;
  CommandSpec command = root.command(
      "report",
      "which pods kept their addresses over the last boot, which did not, and why; writes nothing");
  command.text("-n,--namespace", options.pod_namespace, "pods of this namespace only");
  command.text("--outcome", options.outcome,
               joined({"rows of this outcome only: ", kFateNameList}));
  command.text("--against", options.against,
               "compare with what export wrote, here before a change or on another node");
  add_look_options(command, Forms::all, options.look);
  add_node_options(command, options.node);
  command.example("delegated-ipam report");
  command.example("delegated-ipam report --against /backup/edge-7.json");
  command.example("delegated-ipam report --outcome changed -o json");
  command.runs([] { return report(options); });
}

}  // namespace shim
