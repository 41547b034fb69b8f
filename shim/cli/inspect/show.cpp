// `show`: everything that is known of a pod or of an address, and what its next ADD gets.
#include <nlohmann/json.hpp>
#include <set>

#include "allocator/store/disk/posix_file_system.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/inspect/address_table.hpp"
#include "shim/cli/inspect/networks/audit.hpp"
#include "shim/cli/inspect/next_add.hpp"
#include "shim/cli/inspect/output/look_options.hpp"
#include "shim/cli/inspect/owner_history.hpp"
#include "shim/cli/inspect/subject.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using namespace inspect;
using allocator::Address;
using allocator::PodKey;
using validate::joined;

struct ShowOptions {
  NodeOptions node;
  LookOptions look;
  std::string subject;
  std::string pod_namespace;
  bool history = false;
};

bool is_of(const Row& row, const Subject& subject) {
  if (subject.address) return row[kAddress] == subject.address->to_string();
  return subject.is_pod(row[kNamespace], row[kPod]);
}

Table make_show_table(const Networks& networks) {
  Table table = make_address_table(networks);
  table.columns.push_back({"file", "FILE"});
  table.columns.push_back({"record", "RECORD"});
  table.columns.push_back({"conf", "CONF"});
  table.columns.push_back({"nextAddress", "NEXT-ADDRESS", Shown::on_demand});
  table.columns.push_back({"nextStep", "NEXT-STEP", Shown::on_demand, CellKind::number});
  table.columns.push_back({"next", "NEXT-ADD"});
  return table;
}

/// Where to look by hand.
void add_places(const Network& network, const std::optional<Address>& address, Row& row) {
  const auto* one = address ? network.survey.find(*address) : nullptr;
  const bool has_file =
      one != nullptr && one->is_in_use && !one->is_nested && network.survey.has_folder;
  row.emplace_back(has_file ? joined({network.network_dir, "/", row[kAddress]}) : "");
  const std::string records = allocator::store::record_folder_name(network.network_dir);
  row.emplace_back(one != nullptr && one->has_record ? joined({network.conf.placement.state_dir,
                                                               "/", records, "/ip.", row[kAddress]})
                                                     : "");
  row.push_back(network.file);
}

void add_next(const Network& network, const std::optional<Address>& address, Row& row) {
  std::vector<NextAdd> answers;
  const PodKey pod{row[kNamespace], row[kPod], row[kInterface].empty() ? "eth0" : row[kInterface]};
  const bool is_ours_to_tell =
      !row[kPod].empty() && !network.conf.allocation.sets.empty() && !network.is_host_locals();
  if (is_ours_to_tell) answers = next_add_at(network, pod, address);
  std::string text;
  for (const auto& one : answers) text.append(text.empty() ? "" : "; ").append(one.to_string());
  const bool is_one = answers.size() == 1 && answers.front().step != 0;
  row.push_back(is_one ? answers.front().address : "");
  row.push_back(is_one ? std::to_string(answers.front().step) : "");
  row.push_back(text);
}

void add(Table& table, const Network& network, Row row) {
  const auto address = Address::parse(row[kAddress]);
  add_places(network, address, row);
  add_next(network, address, row);
  table.rows.push_back(std::move(row));
}

/// An address of the network, whatever it counts as.
void add_address(Table& table, const Network& network, const Address& address) {
  const bool is_known =
      network.survey.find(address) != nullptr ||
      set_of(network.conf.allocation.sets, address) < network.conf.allocation.sets.size();
  if (is_known) add(table, network, row_of(network, address));
}

/// A pod whose address another one got in this boot; false when it was none of this network's.
bool add_evicted(Table& table, const Network& network, const Subject& subject) {
  bool any = false;
  for (const auto& one : network.survey.evicted) {
    const PodKey& pod = one.binding.pod;
    if (!subject.is_pod(pod.pod_namespace, pod.pod_name)) continue;
    Row row(kFields);
    row[kNetwork] = network.name;
    row[kNamespace] = pod.pod_namespace;
    row[kPod] = pod.pod_name;
    row[kInterface] = pod.ifname;
    row[kUid] = one.binding.uid;
    const auto* now = network.survey.find(one.address);
    const Owner owner = now != nullptr ? network.owner_of(*now) : Owner{};
    row[kNote] = joined({"evicted: ", one.address.to_string(), " went to ",
                         owner.is_known() ? owner.key().display() : "another pod"});
    add(table, network, std::move(row));
    any = true;
  }
  return any;
}

/// A pod of which nothing is known gets something, too.
void add_newcomer(Table& table, const Network& network, const Subject& subject) {
  Row row(kFields);
  row[kNetwork] = network.name;
  row[kNamespace] = subject.pod_namespace;
  row[kPod] = subject.pod_name;
  if (!subject.pod_namespace.empty()) add(table, network, std::move(row));
}

enum class Known : std::uint8_t { nothing, eviction, yes };

/// Rows of what is known.
Known fill_subject(Table& table, const Networks& networks, const Subject& subject) {
  for (const auto& network : networks) {
    if (subject.address) add_address(table, network, *subject.address);
    if (subject.address) continue;
    Table known;
    add_rows(known, network, {});
    for (auto& row : known.rows) {
      if (is_of(row, subject)) add(table, network, std::move(row));
    }
  }
  if (!table.rows.empty()) return Known::yes;
  if (subject.address) return Known::nothing;
  bool is_evicted = false;
  for (const auto& network : networks) is_evicted |= add_evicted(table, network, subject);
  if (is_evicted) return Known::eviction;
  for (const auto& network : networks) add_newcomer(table, network, subject);
  return Known::nothing;
}

/// Those of the files and records of what is shown.
Findings findings_of(const Node& node, const Table& table) {
  Findings findings;
  for (const auto& one : node.findings()) {
    for (const auto& row : table.rows) {
      const std::string& address = row[kAddress];
      const bool is_of_it =
          one.network == row[kNetwork] && !address.empty() &&
          (one.place.ends_with("/" + address) || one.place.ends_with("." + address));
      if (is_of_it) findings.push_back(one);
    }
  }
  return findings;
}

/// Who had it, or what it had, in each boot that is known.
Table make_owners(Node& node, const Subject& subject) {
  Table table = make_owner_table(node.networks());
  for (const auto& network : node.networks()) add_owners(table, node.fs(), network, subject);
  return table;
}

/// What was changed by hand of the pod or address, as far back as the networks remember.
Table make_history(Node& node, const Subject& subject) {
  Table table = make_audit_table();
  for (const auto& network : node.networks()) {
    for (auto& row : read_audit(node.fs(), network)) {
      const bool is_wanted = subject.address ? row[kAuditAddress] == subject.address->to_string()
                                             : subject.is_pod(row[kAuditNamespace], row[kAuditPod]);
      if (is_wanted) table.rows.push_back(std::move(row));
    }
  }
  return table;
}

std::string print_with_history(const Table& table, const Table& owners, const Table& history,
                               const Findings& findings, Format format) {
  Json document = make_document("show");
  put(document, "items", items_of(table));
  put(document, "owners", items_of(owners));
  put(document, "history", items_of(history));
  put(document, "findings", findings_json(findings));
  return print_document(document, format);
}

std::string print_blocks(const Table& table, const Look& look) {
  std::string text;
  for (const auto& row : table.rows)
    text.append(text.empty() ? "" : "\n").append(print_upright(table, row, look));
  return text;
}

ExitCode show(const ShowOptions& options) {
  const Look look = read_look(options.look, Forms::documents);
  const Subject subject = read_subject(options.subject, options.pod_namespace);
  allocator::store::PosixFileSystem fs;
  Node node(fs, options.node, ReadCache::always);
  const Table owners = options.history ? make_owners(node, subject) : Table{};
  const Table history = options.history ? make_history(node, subject) : Table{};
  Table table = make_show_table(node.networks());
  const Known known = fill_subject(table, node.networks(), subject);
  const Findings findings = findings_of(node, table);
  if (look.format == Format::table) {
    write_stdout(print_blocks(table, look));
    for (const Table* past : {&owners, &history})
      if (!past->rows.empty()) write_stdout("\n" + print_table(*past, look));
    write_stderr(print_findings(findings, {}));
  } else if (options.history) {
    write_stdout(print_with_history(table, owners, history, findings, look.format));
  } else {
    write_stdout(print_items("show", table, findings, look.format));
  }
  if (known == Known::nothing)
    write_stderr(printable_line("nothing is known of " + options.subject + " here") + "\n");
  return known == Known::yes && findings.empty() ? ExitCode::fine : ExitCode::found_something;
}

}  // namespace

void add_show(CommandSpec& root) {
  static ShowOptions options;
  CommandSpec command = root.command(
      "show",
      "all that is known of a pod or of an address, and which step of the choice decides "
      "what the pod's next ADD gets; writes nothing");
  command.argument("POD|IP", options.subject, "web-0, shop/web-0 or 10.244.1.7");
  command.text("-n,--namespace", options.pod_namespace, "the pod's namespace; without it any");
  command.flag(
      "--history", options.history,
      "also who had it boot by boot, as far as the disk tells, and what was changed by hand");
  add_look_options(command, Forms::documents, options.look);
  add_node_options(command, options.node);
  command.example("delegated-ipam show shop/web-0");
  command.example("delegated-ipam show 10.244.1.7 -o json");
  command.runs([] { return show(options); });
}

}  // namespace shim
