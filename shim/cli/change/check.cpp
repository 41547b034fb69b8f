// `check`: what is wrong with the node's stores and with the node, and the repair of records.
#include "shim/cli/change/check.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/change/changes.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/inspect/networks/explain.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using namespace inspect;
using namespace change;

struct CheckOptions : ChangeOptions {
  std::string what = "all";
  std::string bin_dir;
  std::string explained;
  bool repairs = false;

  [[nodiscard]] bool wants_store() const { return what != "node"; }
  [[nodiscard]] bool wants_node() const { return what != "store"; }
};

/// What is said of a node.
struct Checked {
  NodeFindings all;
  Repairs repairs;
};

/// Those of the configurations are not the store's.
bool is_of_node(const Finding& one) {
  return one.rule->id.starts_with("conf-") || one.rule->id.starts_with("ranges-");
}

Checked look_at_all(Node& node, const CheckOptions& options) {
  Checked checked;
  if (options.wants_node()) checked.all = check_machine(node, {options.node.conf, options.bin_dir});
  Findings& findings = checked.all.findings;
  Findings stores = options.wants_store() ? check_stores(node) : Findings();
  stores.insert(stores.begin(), node.findings().begin(), node.findings().end());
  std::erase_if(stores, [&](const Finding& one) {
    return is_of_node(one) ? !options.wants_node() : !options.wants_store();
  });
  findings.insert(findings.begin(), stores.begin(), stores.end());
  if (options.repairs) checked.repairs = plan_repairs(node);
  return checked;
}

/// After the repair.
bool is_clean_now(allocator::store::FileSystem& fs, const CheckOptions& options) {
  Node node(fs, options.node, ReadCache::where_needed, Compare::yes);
  return look_at_all(node, options).all.findings.empty();
}

void print_checked(const Checked& checked, const CheckOptions& options, const Look& look) {
  const Table table = make_repair_table(checked.repairs);
  const Findings& findings = checked.all.findings;
  if (look.format == Format::table) {
    write_stdout(findings.empty() ? "nothing found\n" : print_findings(findings, look));
    if (!table.rows.empty()) write_stdout("\n" + print_table(table, look));
    return;
  }
  Json document = make_document("check");
  put(document, "applied", options.apply);
  put(document, "items", items_of(table));
  put(document, "findings", findings_json(findings));
  write_stdout(print_document(document, look.format));
}

void refuse_wrong_options(const CheckOptions& options) {
  if (options.what != "all" && options.what != "store" && options.what != "node")
    refuse_option("WHAT", options.what, "is none of store, node and all");
  if (options.apply && !options.repairs)
    throw UsageError("--apply: does what --repair says; write both");
  if (options.repairs && !options.wants_store())
    throw UsageError("--repair: mends the store only; leave node out");
}

/// With --repair: as of a command that changes something, see read_change_look().
Look read_check_look(const CheckOptions& options) {
  return options.repairs ? read_change_look(options) : read_look(options.look, Forms::documents);
}

ExitCode check(const CheckOptions& options) {
  if (!options.explained.empty()) return tell_explanation(options.explained);
  refuse_wrong_options(options);
  const Look look = read_check_look(options);
  allocator::store::PosixFileSystem fs;
  Node node(fs, options.node, ReadCache::where_needed, Compare::yes);
  Checked checked = look_at_all(node, options);
  if (node.networks().empty())
    write_stderr(printable_line("no network found in " + node.places()) + "\n");
  if (options.apply) make_repairs(fs, checked.repairs);
  print_checked(checked, options, look);
  if (!options.apply && !checked.repairs.empty())
    write_stderr("this was a dry run: nothing is changed without --apply\n");
  const bool is_clean = options.apply ? is_clean_now(fs, options) : checked.all.findings.empty();
  return is_clean ? ExitCode::fine : ExitCode::found_something;
}

}  // namespace

void add_check(CommandSpec& root) {
  static CheckOptions options;
  CommandSpec command = root.command(
      "check",
      "what is wrong with the records and address files, and with this node's configuration, "
      "folders and plugins; writes nothing without --repair --apply");
  command.text("WHAT", options.what, "store, node or all, which is the default");
  command.flag("--repair", options.repairs,
               "say which records can be mended, so that nobody who may be alive loses anything");
  add_explain_option(command, options.explained);
  command.text("--bin-dir", options.bin_dir, "where the plugins are (CNI_PATH, else /opt/cni/bin)");
  add_change_options(command, options);
  command.example("delegated-ipam check");
  command.example("delegated-ipam check store --repair --apply");
  command.example("delegated-ipam check --explain hint-missing");
  command.runs([] { return check(options); });
}

}  // namespace shim
