// `plan`: what a new configuration does to the node's pods before it is installed.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/inspect/output/look_options.hpp"
#include "shim/cli/inspect/output/outcomes.hpp"
#include "shim/cli/inspect/plan/conf_change.hpp"
#include "shim/cli/inspect/plan/forecast.hpp"
#include "shim/cli/inspect/plan/live_effects.hpp"
#include "shim/cli/named_input.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using namespace inspect;
using validate::joined;

struct PlanOptions {
  NodeOptions node;
  LookOptions look;
  std::string file;
  ConfChange change;
  std::string pod_namespace;
  std::string outcome;
};

enum Field : std::size_t {
  kNetwork,
  kNamespace,
  kPod,
  kInterface,
  kState,
  kNow,
  kAfter,
  kOutcome,
  kWhy,
  kName,
  kFields
};

Table make_plan_table(const Networks& networks) {
  const Shown where = networks.size() > 1 ? Shown::always : Shown::wide;
  Table table;
  table.columns = {{"network", "NETWORK", where},
                   {"namespace", "NAMESPACE"},
                   {"pod", "POD"},
                   {"if", "IF"},
                   {"state", "STATE", Shown::wide},
                   {"now", "NOW"},
                   {"after", "AFTER"},
                   {"outcome", "OUTCOME"},
                   {"why", "WHY"},
                   {"name", "NAME", Shown::on_demand}};
  table.name_column = kName;
  return table;
}

/// What is left in each network when all are back.
Table make_room_table() {
  Table table;
  table.columns = {{"network", "NETWORK"},
                   {"conf", "CONF"},
                   {"freeIPv4", "FREE-IPV4", Shown::always, CellKind::number},
                   {"freeIPv6", "FREE-IPV6", Shown::always, CellKind::number}};
  return table;
}

struct Plan {
  Table pods;
  Table room;
  std::array<std::size_t, kOutlookNames.size()> totals{};

  [[nodiscard]] bool has_losses() const {
    return totals[static_cast<std::size_t>(Outlook::moves)] != 0 ||
           totals[static_cast<std::size_t>(Outlook::does_not_fit)] != 0;
  }
};

/// Today's, or that of the file, with what the options change of it.
std::vector<PluginConf> confs_to_come(Node& today, const PlanOptions& options, Findings& findings) {
  std::vector<PluginConf> confs;
  if (options.file.empty()) {
    confs = plugin_confs(today.fs(), options.node.conf, findings);
  } else {
    const std::string text = read_input_text(options.file);
    try {
      confs = plugin_confs_to_come(today.fs(), options.node.conf, options.file, parse_json(text),
                                   findings);
    } catch (const JsonSyntaxError& error) {
      throw UsageError(options.file + ": " + error.what());
    }
    if (confs.empty())
      throw UsageError(options.file +
                       ": has no plugin with ipam of delegated-ipam or host-local; delegated-ipam "
                       "validate FILE says more");
  }
  for (auto& conf : confs) apply(options.change, conf.document);
  return confs;
}

/// Options for all networks would be meant for one of them.
void refuse_ambiguous(const Networks& networks, const PlanOptions& options) {
  if (networks.size() < 2 || !options.change.is_any()) return;
  std::string names;
  for (const auto& one : networks) names += (names.empty() ? "" : ", ") + one.name;
  throw UsageError("--subnet, --exclude, --pin: are for one network; name it with --network: " +
                   names);
}

/// What no pod could be started with is no plan.
void refuse_unusable(const Findings& findings) {
  for (const auto& one : findings) {
    const bool is_unusable = one.rule == &rules::kConfRefused ||
                             one.rule == &rules::kConfUnreadable ||
                             one.rule == &rules::kRangesMissing;
    if (is_unusable) throw UsageError(one.place + ": " + one.message);
  }
}

/// The network as it is: with the same folder, else with the same name.
const Network* today_of(const Networks& networks, const Network& planned) {
  const Network* found = nullptr;
  for (const auto& one : networks) {
    if (one.network_dir == planned.network_dir) return &one;
    if (one.name == planned.name) found = &one;
  }
  return found;
}

const Network& require_today(const Networks& networks, const Network& planned) {
  if (const Network* found = today_of(networks, planned)) return *found;
  std::string names;
  for (const auto& one : networks) names += (names.empty() ? "" : ", ") + one.name;
  throw UsageError(planned.file + ": its network " + go_quoted(planned.name) +
                   " is none of this node's, and would begin without addresses; there are " +
                   (names.empty() ? "none" : names));
}

void add_pod(Plan& plan, const Network& network, const PodForecast& one,
             std::optional<std::size_t> wanted) {
  const auto outlook = static_cast<std::size_t>(one.outlook);
  ++plan.totals[outlook];
  if (wanted && outlook != *wanted) return;
  Row row(kFields);
  row[kNetwork] = network.name;
  row[kNamespace] = one.pod.pod_namespace;
  row[kPod] = one.pod.pod_name;
  row[kInterface] = one.pod.ifname;
  row[kState] = name_of(one.is_running ? State::in_use : State::held);
  row[kNow] = listed(one.now);
  row[kAfter] = listed(one.after);
  row[kOutcome] = name_of(one.outlook);
  row[kWhy] = one.why;
  if (!one.pod.pod_name.empty()) row[kName] = one.pod.display();
  plan.pods.rows.push_back(std::move(row));
}

std::string free_of(const Network& network, FamilyCounts counts, allocator::Family family) {
  const auto& sets = network.conf.allocation.sets;
  const bool has_any = std::any_of(sets.begin(), sets.end(),
                                   [&](const auto& set) { return set.family() == family; });
  return has_any ? std::to_string(counts.of(family).free) : std::string();
}

void add_network(Plan& plan, const Network& today, Network& planned, const PlanOptions& options,
                 Findings& findings) {
  const auto wanted = read_outcome(options.outcome, kOutlookNames, kOutlookNameList);
  if (!today.chooses() || !planned.chooses()) {
    found(findings, rules::kDelegateKeeps, planned.name, planned.file,
          joined({planned.chooses() ? today.delegate : planned.delegate,
                  " hands out: what a pod gets is not known here"}));
    return;
  }
  find_live_effects(today, planned, findings);
  const Forecast forecast = forecast_of(today, planned);
  for (const auto& one : forecast.pods) {
    if (options.pod_namespace.empty() || one.pod.pod_namespace == options.pod_namespace)
      add_pod(plan, planned, one, wanted);
  }
  plan.room.rows.push_back({planned.name, planned.file,
                            free_of(planned, forecast.counts, allocator::Family::v4),
                            free_of(planned, forecast.counts, allocator::Family::v6)});
}

/// "pods: 5 IPv4 addresses and 2 IPv6 addresses are free then"
std::string print_room(const Table& room) {
  std::string text;
  for (const auto& row : room.rows) {
    const std::string v4 = row[2].empty() ? "" : row[2] + " of IPv4";
    const std::string v6 = row[3].empty() ? "" : row[3] + " of IPv6";
    text += joined({printable_line(row[0]), ": free then: ", v4,
                    v4.empty() || v6.empty() ? "" : ", ", v6, "\n"});
  }
  return text;
}

std::string print_document_of(const Plan& plan, const Findings& findings, Format format) {
  Json document = make_document("plan");
  put(document, "totals", totals_json(kOutlookNames, plan.totals));
  put(document, "networks", items_of(plan.room));
  put(document, "items", items_of(plan.pods));
  put(document, "findings", findings_json(findings));
  return print_document(document, format);
}

void print(const Plan& plan, const Findings& findings, const Look& look) {
  if (look.format == Format::json || look.format == Format::yaml) {
    write_stdout(print_document_of(plan, findings, look.format));
    return;
  }
  write_stdout(print_table(plan.pods, look));
  if (look.format != Format::name)
    write_stdout(print_totals(kOutlookNames, plan.totals) + "\n" + print_room(plan.room));
  write_stderr(print_findings(findings, {}));
}

ExitCode plan(const PlanOptions& options) {
  const Look look = read_look(options.look, Forms::all);
  static_cast<void>(read_outcome(options.outcome, kOutlookNames, kOutlookNameList));
  allocator::store::PosixFileSystem fs;
  Node today(fs, options.node);
  Findings unreadable;
  const auto confs = confs_to_come(today, options, unreadable);
  refuse_unusable(unreadable);
  Node planned(fs, options.node, confs);
  refuse_unusable(planned.findings());
  refuse_ambiguous(planned.networks(), options);
  Plan made{make_plan_table(planned.networks()), make_room_table()};
  Findings findings = planned.findings();
  for (auto& network : planned.networks())
    add_network(made, require_today(today.networks(), network), network, options, findings);
  print(made, findings, look);
  if (planned.networks().empty())
    write_stderr(printable_line("no configuration found in " + planned.places()) + "\n");
  const bool is_fine = !made.has_losses() && findings.empty() && !planned.networks().empty();
  return is_fine ? ExitCode::fine : ExitCode::found_something;
}

}  // namespace

void add_plan(CommandSpec& root) {
  static PlanOptions options;
  CommandSpec command = root.command(
      "plan",
      "what a new configuration does before it is installed: which pods keep their addresses, "
      "which move, which do not fit; writes nothing");
  command.optional_argument("CONFLIST", options.file,
                            "the new configuration, -: stdin; without it today's");
  command.list("--subnet", options.change.subnets, "in place of its ranges; repeatable");
  command.list("--exclude", options.change.excludes, "an address or a span more that nobody gets");
  command.list("--pin", options.change.pins, "one more: NAMESPACE/POD=IP[,IP]");
  command.text("-n,--namespace", options.pod_namespace, "pods of this namespace only");
  command.text("--outcome", options.outcome,
               joined({"rows of this outcome only: ", kOutlookNameList}));
  add_look_options(command, Forms::all, options.look);
  add_node_options(command, options.node);
  command.example("delegated-ipam plan new.conflist");
  command.example("delegated-ipam plan --subnet 10.244.8.0/24 --outcome moves");
  command.runs([] { return plan(options); });
}

}  // namespace shim
