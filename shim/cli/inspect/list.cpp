// `list`: who has which address.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "allocator/store/disk/posix_file_system.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/inspect/address_table.hpp"
#include "shim/cli/inspect/networks/configurations.hpp"
#include "shim/cli/inspect/networks/folder_watch.hpp"
#include "shim/cli/inspect/output/look_options.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using namespace inspect;

struct ListOptions {
  NodeOptions node;
  LookOptions look;
  std::string pod_namespace;
  std::string state;
  bool all_namespaces = false;
  bool is_watched = false;
};

// What no event tells of: a network that comes where no folder was.
constexpr std::chrono::seconds kLookAnyway{60};

AddressFilter read_filter(const ListOptions& options) {
  if (options.all_namespaces && !options.pod_namespace.empty())
    throw UsageError("-A: all namespaces, and -n names one; leave one of them out");
  AddressFilter filter{options.pod_namespace, std::nullopt};
  if (options.state.empty()) return filter;
  filter.state = parse_state(options.state);
  if (!filter.state)
    refuse_option("--state", options.state, "is no state; write " + std::string(kStateNames));
  return filter;
}

/// The runtime's cache, of which each file is read, only where a column tells of it.
ReadCache cache_for(const Look& look) {
  const bool is_document = look.format == Format::json || look.format == Format::yaml;
  const bool is_told = look.columns.empty()
                           ? look.format == Format::wide
                           : std::any_of(look.columns.begin(), look.columns.end(),
                                         [](const auto& name) { return same_key(name, "mac"); });
  return is_document || is_told ? ReadCache::always : ReadCache::where_needed;
}

Table make_table(const Node& node, const AddressFilter& filter) {
  Table table = make_address_table(node.networks());
  for (const auto& network : node.networks()) add_rows(table, network, filter);
  return table;
}

/// Where the addresses and bindings of a node's networks lie, and its configurations.
std::set<std::string> folders_of(const Node& node, const NodeOptions& options) {
  std::set<std::string> folders = {options.conf.empty() ? kDefaultConfFolder : options.conf};
  for (const auto& network : node.networks()) {
    folders.insert(network.network_dir);
    folders.insert(network.conf.placement.state_dir + "/" +
                   allocator::store::record_folder_name(network.network_dir));
  }
  return folders;
}

/// What has been told of each address, by network.
class Told {
 public:
  /// The rows of a table that tell something else than before; and of addresses that are in it no
  /// more, unless others were asked for.
  std::vector<Row> news(const Node& node, const Table& table, const AddressFilter& filter) {
    std::vector<Row> rows;
    Rows now;
    for (const auto& row : table.rows) {
      const Key key{row[kNetwork], row[kAddress]};
      const auto before = rows_.find(key);
      if (before == rows_.end() || before->second != row) rows.push_back(row);
      now[key] = row;
    }
    if (filter.pod_namespace.empty() && !filter.state) add_gone(node, now, rows);
    rows_ = std::move(now);
    return rows;
  }

 private:
  using Key = std::pair<std::string, std::string>;
  using Rows = std::map<Key, Row>;

  void add_gone(const Node& node, const Rows& now, std::vector<Row>& rows) const {
    for (const auto& [key, row] : rows_) {
      if (now.count(key) != 0) continue;
      const auto address = allocator::Address::parse(key.second);
      if (!address) continue;  // of several that nobody had
      for (const auto& network : node.networks()) {
        if (network.name == key.first) rows.push_back(row_of(network, *address));
      }
    }
  }

  Rows rows_;
};

/// As kubectl's --watch: the table, then a row for each address of which something else is to be
/// told, until somebody ends it, or nobody reads it.
ExitCode watch(const ListOptions& options, const Look& look, const AddressFilter& filter) {
  if (look.format == Format::json || look.format == Format::yaml)
    throw UsageError("-w: prints lines as they come; leave -o json and yaml out");
  if (!options.node.root.empty())
    refuse_option("--root", options.node.root, "is a copy, in which nothing happens; leave -w out");
  allocator::store::PosixFileSystem fs;
  Told told;
  FolderWatch changes({});
  for (bool is_first = true;; is_first = false) {
    const Node node(fs, options.node, cache_for(look));
    Table table = make_table(node, filter);
    const auto news = told.news(node, table, filter);
    if (is_first) {
      write_stdout(print_table(table, look));
      write_stderr(print_findings(node.findings(), {}));
    } else if (!news.empty()) {
      const std::size_t known = table.rows.size();
      table.rows.insert(table.rows.end(), news.begin(), news.end());
      write_stdout(print_table(table, look, known));
    }
    // What happened before the watch was made is looked at once more.
    if (auto folders = folders_of(node, options.node); folders != changes.folders()) {
      changes = FolderWatch(std::move(folders));
    } else if (!changes.wait(kLookAnyway)) {
      return ExitCode::fine;
    }
  }
}

ExitCode list(const ListOptions& options) {
  const Look look = read_look(options.look, Forms::all);
  const AddressFilter filter = read_filter(options);
  if (options.is_watched) return watch(options, look, filter);
  allocator::store::PosixFileSystem fs;
  const Node node(fs, options.node, cache_for(look));
  const Table table = make_table(node, filter);
  if (look.format == Format::json || look.format == Format::yaml) {
    write_stdout(print_items("list", table, node.findings(), look.format));
  } else if (node.networks().empty()) {
    write_stderr(printable_line("no network found in " + node.places()) + "\n");
  } else {
    write_stdout(print_table(table, look));
    write_stderr(print_findings(node.findings(), {}));
  }
  const bool is_fine = node.findings().empty() && !node.networks().empty();
  return is_fine ? ExitCode::fine : ExitCode::found_something;
}

}  // namespace

void add_list(CommandSpec& root) {
  static ListOptions options;
  CommandSpec command = root.command("list",
                                     "who has which address, since when, and what is kept "
                                     "for whom; writes nothing");
  command.text("-n,--namespace", options.pod_namespace, "pods of this namespace only");
  command.flag("-A,--all-namespaces", options.all_namespaces, "all of them, as without -n");
  command.text("--state", options.state, std::string(kStateNames) + "; without it all but free");
  command.flag("-w,--watch", options.is_watched,
               "then a line for each address that changes, until it is ended");
  add_look_options(command, Forms::all, options.look);
  add_node_options(command, options.node);
  command.example("delegated-ipam list -n shop -o wide");
  command.example("delegated-ipam list --state dead -o name");
  command.runs([] { return list(options); });
}

}  // namespace shim
