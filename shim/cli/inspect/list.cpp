// `list`: who has which address.

#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/inspect/address_table.hpp"
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
};

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

ExitCode list(const ListOptions& options) {
  const Look look = read_look(options.look, Forms::all);
  const AddressFilter filter = read_filter(options);
  allocator::store::PosixFileSystem fs;
  const Node node(fs, options.node);
  Table table = make_address_table(node.networks());
  for (const auto& network : node.networks()) add_rows(table, network, filter);
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
  add_look_options(command, Forms::all, options.look);
  add_node_options(command, options.node);
  command.example("delegated-ipam list -n shop -o wide");
  command.example("delegated-ipam list --state dead -o name");
  command.runs([] { return list(options); });
}

}  // namespace shim
