// `status`: is everything in order, and may the node be rebooted?
#include <memory>
#include <nlohmann/json.hpp>

#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/file_output.hpp"
#include "shim/cli/inspect/address_map.hpp"
#include "shim/cli/inspect/address_picture.hpp"
#include "shim/cli/inspect/networks/explain.hpp"
#include "shim/cli/inspect/output/look_options.hpp"
#include "shim/cli/inspect/safety.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using namespace inspect;
using allocator::Range;
using validate::joined;

struct StatusOptions {
  NodeOptions node;
  LookOptions look;
  std::string out;
  std::string explained;
  bool is_short = false;
  bool has_map = false;
};

enum Field : std::size_t {
  kName,
  kRange,
  kInUse,
  kHeld,
  kReserved,
  kFree,
  kDead,
  kBoot,
  kUptime,
  kSeconds,
  kFolder
};

Table make_status_table() {
  Table table;
  constexpr Shown always = Shown::always;
  table.columns = {{"network", "NETWORK"},
                   {"range", "RANGE"},
                   {"inUse", "IN-USE", always, CellKind::number},
                   {"held", "HELD", always, CellKind::number},
                   {"reserved", "RESERVED", always, CellKind::number},
                   {"free", "FREE", always, CellKind::number},
                   {"dead", "DEAD", always, CellKind::number},
                   {"boot", "BOOT", Shown::wide},
                   {"uptime", "UPTIME", Shown::wide},
                   {"uptimeSeconds", "SECONDS", Shown::on_demand, CellKind::number},
                   {"folder", "FOLDER", Shown::on_demand}};
  return table;
}

std::string range_text(const Range& range) {
  const auto& subnet = range.subnet;
  const bool is_whole = range.start.number() <= subnet.network().number() + 2 &&
                        range.end.number() + 1 >= subnet.last().number();
  return is_whole ? subnet.to_string() : range.to_string();
}

std::string ranges_of(const Network& network) {
  std::string text;
  for (const auto& set : network.conf.allocation.sets) {
    for (const auto& range : set.ranges()) text += (text.empty() ? "" : ",") + range_text(range);
  }
  return text;
}

/// Seconds since the boot, decimal; empty where it cannot be told.
std::string read_uptime(Node& node) {
  try {
    const std::string text = node.fs().read_path("/proc/uptime", 64);
    return text.substr(0, text.find('.'));
  } catch (const std::system_error&) {
    return {};  // a copy
  }
}

/// "3d4h", "4h12m", "12m"
std::string uptime_text(const std::string& seconds) {
  if (seconds.empty()) return {};
  const unsigned long minutes = std::strtoul(seconds.c_str(), nullptr, 10) / 60;
  const auto text = [](unsigned long number, const char* unit) {
    return std::to_string(number) + unit;
  };
  constexpr unsigned long day = 1440;
  if (minutes < 60) return text(minutes, "m");
  if (minutes < day) return text(minutes / 60, "h") + text(minutes % 60, "m");
  return text(minutes / day, "d") + text(minutes / 60 % 24, "h");
}

/// What is said of a node.
struct Status {
  Table table;
  std::string boot;     ///< "b0070001, for 3d4h"; empty where none is known
  std::string verdict;  ///< "ok", "warning", "error"
  std::string why_not;  ///< it is not safe to reboot; empty: it is
};

std::string verdict_of(const Node& node) {
  std::string verdict = node.findings().empty() ? "ok" : "warning";
  for (const auto& one : node.findings()) {
    if (one.rule->severity == Severity::error) verdict = "error";
  }
  return verdict;
}

void add_network(Node& node, const Network& network, const std::string& seconds, Table& table) {
  const FamilyCounts by_family = count(network);
  check_network(node, network, by_family);
  const Counts counts = by_family.all();
  const bool has_ranges = !network.conf.allocation.sets.empty();
  Row row(table.columns.size());
  row[kName] = network.name;
  row[kRange] = ranges_of(network);
  row[kInUse] = std::to_string(counts.in_use);
  row[kHeld] = std::to_string(counts.held);
  if (has_ranges) row[kReserved] = std::to_string(counts.reserved);
  if (has_ranges) row[kFree] = std::to_string(counts.free);
  row[kDead] = std::to_string(counts.dead);
  row[kBoot] = allocator::boot8_of(network.survey.boot_id);
  row[kUptime] = uptime_text(seconds);
  row[kSeconds] = seconds;
  row[kFolder] = network.network_dir;
  table.rows.push_back(std::move(row));
}

Status look_at(Node& node) {
  Status status{make_status_table(), node.boot(), {}, {}};
  const std::string seconds = read_uptime(node);
  if (!status.boot.empty() && !seconds.empty()) status.boot += ", for " + uptime_text(seconds);
  for (const auto& network : node.networks()) add_network(node, network, seconds, status.table);
  status.verdict = verdict_of(node);
  status.why_not = why_not_safe(node.findings());
  if (node.networks().empty() && status.why_not.empty()) {
    status.why_not = "no network found";
    if (status.verdict == "ok") status.verdict = "warning";
  }
  return status;
}

std::string reboot_text(const Status& status, Colour colour) {
  if (status.why_not.empty()) return joined({"safe to reboot: ", coloured("yes", colour), "\n"});
  return joined(
      {"safe to reboot: ", coloured("no", colour), ": ", printable_line(status.why_not), "\n"});
}

std::string print_short(const Node& node, const Status& status, const Look& look) {
  std::string ids;
  for (const auto& one : node.findings()) {
    if (ids.find(one.rule->id) == std::string::npos)
      ids.append(ids.empty() ? ": " : ", ").append(one.rule->id);
  }
  return joined(
      {coloured(status.verdict, look.colour), ids, "; ", reboot_text(status, look.colour)});
}

std::string print_whole(const Node& node, const Status& status, const Look& look) {
  const bool is_clean = node.findings().empty();
  const std::string_view boot_line = status.boot.empty() ? "" : "\nboot:    ";
  return joined({"verdict: ", coloured(status.verdict, look.colour), boot_line, status.boot, "\n\n",
                 print_table(status.table, look), "\n", print_findings(node.findings(), look),
                 is_clean ? "" : "\n", reboot_text(status, look.colour)});
}

std::string print_json_of(const Node& node, const Status& status, Format format) {
  Json document = make_document("status");
  put(document, "verdict", status.verdict);
  put(document, "safeToReboot", status.why_not.empty());
  put(document, "reason", status.why_not.empty() ? Json() : Json(status.why_not));
  put(document, "networks", items_of(status.table));
  put(document, "findings", findings_json(node.findings()));
  return print_document(document, format);
}

constexpr std::string_view kFindingsHead =
    "# HELP delegated_ipam_findings What is wrong with the node, by severity.\n"
    "# TYPE delegated_ipam_findings gauge\n"
    "delegated_ipam_findings";
constexpr std::string_view kSafeHead =
    "\n# HELP delegated_ipam_safe_to_reboot 1 when every pod comes back to its address after a "
    "reboot.\n"
    "# TYPE delegated_ipam_safe_to_reboot gauge\n"
    "delegated_ipam_safe_to_reboot";

/// What is read from a disk may be anything.
std::string label(const std::string& value) {
  std::string text;
  for (const char one : printable_line(value)) {
    if (one == '"' || one == '\\') text += '\\';
    text += one;
  }
  return text;
}

/// Source: prometheus.io, "Exposition formats".
std::string print_metrics(const Node& node, const Status& status) {
  std::string text =
      "# HELP delegated_ipam_addresses Addresses of a network in each state.\n"
      "# TYPE delegated_ipam_addresses gauge\n";
  constexpr std::pair<Field, std::string_view> states[] = {{kInUse, "in-use"},
                                                           {kHeld, "held"},
                                                           {kReserved, "reserved"},
                                                           {kFree, "free"},
                                                           {kDead, "dead"}};
  for (const auto& row : status.table.rows) {
    for (const auto& [field, state] : states) {
      if (!row[field].empty())
        text += joined({"delegated_ipam_addresses{network=\"", label(row[kName]), "\",folder=\"",
                        label(row[kFolder]), "\",state=\"", state, "\"} ", row[field], "\n"});
    }
  }
  std::size_t errors = 0;
  for (const auto& one : node.findings()) errors += one.rule->severity == Severity::error ? 1 : 0;
  return joined({text, kFindingsHead, "{severity=\"error\"} ", std::to_string(errors),
                 "\ndelegated_ipam_findings{severity=\"warning\"} ",
                 std::to_string(node.findings().size() - errors), kSafeHead,
                 status.why_not.empty() ? " 1\n" : " 0\n"});
}

std::string print(const Node& node, const Status& status, const StatusOptions& options,
                  const Look& look) {
  if (options.look.output == "prometheus") return print_metrics(node, status);
  if (options.look.output == "svg") return print_svg(node.networks());
  if (options.look.output == "html")
    return print_page(print_whole(node, status, {}), node.networks());
  if (options.is_short) return print_short(node, status, look);
  if (look.format != Format::table) return print_json_of(node, status, look.format);
  std::string text = print_whole(node, status, look);
  if (!options.has_map) return text;
  for (const auto& network : node.networks()) {
    const std::string map = print_map(network, look.colour);
    if (!map.empty()) text += "\n" + map;
  }
  return text;
}

bool is_for_file(const std::string& form) {
  return form == "prometheus" || form == "svg" || form == "html";
}

void refuse_contradictions(const StatusOptions& options) {
  if (!options.out.empty() && !is_for_file(options.look.output))
    throw UsageError("--out: for -o prometheus, svg and html only; redirect the others");
  if (options.is_short && options.look.output != "table")
    throw UsageError("-x: is a line for people; leave -o out");
  if (options.has_map && (options.is_short || options.look.output != "table"))
    throw UsageError("--map: is a picture for people; leave -o and -x out");
}

ExitCode tell_status(const StatusOptions& options) {
  if (!options.explained.empty()) return tell_explanation(options.explained);
  const Look look = read_look(options.look, Forms::metrics);
  refuse_contradictions(options);
  allocator::store::PosixFileSystem fs;
  auto node = std::make_unique<Node>(fs, options.node);
  const Status status = look_at(*node);
  if (node->networks().empty())
    write_stderr(printable_line("no network found in " + node->places()) + "\n");
  const std::string text = print(*node, status, options, look);
  leave_to_exit(std::move(node));
  if (options.out.empty()) {
    write_stdout(text);
  } else {
    write_path(fs, options.out, text, "--out");
  }
  return status.verdict == "ok" ? ExitCode::fine : ExitCode::found_something;
}

}  // namespace

void add_status(CommandSpec& root) {
  static StatusOptions options;
  CommandSpec command =
      root.command("status",
                   "whether everything is in order, what mends it, and whether the node may be "
                   "rebooted; writes nothing but --out");
  command.flag("-x", options.is_short, "one line");
  command.flag("--map", options.has_map, "with a picture of each network's ranges");
  command.text("--out", options.out, "with -o prometheus, svg or html: into this file, by rename");
  add_explain_option(command, options.explained);
  add_look_options(command, Forms::metrics, options.look);
  add_node_options(command, options.node);
  command.example("delegated-ipam status --map");
  command.example("delegated-ipam status -o html --out status.html");
  command.example(
      "delegated-ipam status -o prometheus --out "
      "/var/lib/node_exporter/textfile/delegated-ipam.prom");
  command.runs([] { return tell_status(options); });
}

}  // namespace shim
