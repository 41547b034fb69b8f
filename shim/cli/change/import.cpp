// `import`: what pods had on another node, or before this one was made anew, is kept for them here.
#include <set>

#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/change/import_plan.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cni/conf/ranges_source.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using namespace inspect;
using namespace change;
using allocator::store::FileSystem;

struct ImportOptions : ChangeOptions {
  std::string path;
  std::string from = "export";
  bool force = false;
};

/// Errors: throws UsageError for no such source, and for a path too many or too few.
void check_path(const ImportOptions& options) {
  if (options.from == "host-local") {
    if (options.path.empty()) return;
    refuse_option("FILE|FOLDER", options.path, "is not read: host-local's folders are this node's");
  }
  if (options.from == "yurthub" || options.from == "openyurt")
    require_absolute("FILE|FOLDER", options.path);
  if (options.path.empty() && options.from != "yurthub")
    throw UsageError("FILE|FOLDER: is missing; name what is to be imported");
}

ImportSource read_source(FileSystem& fs, const ImportOptions& options, const Networks& networks) {
  if (options.from == "export") return read_exported(fs, options.path);
  if (options.from == "host-local") return read_host_local(networks);
  if (options.from == "openyurt") return read_markers(fs, options.path);
  if (options.from == "yurthub") return read_yurthub(fs, options.path);
  refuse_option("--from", options.from, "is none; write export, host-local, openyurt or yurthub");
}

/// Of an export that has the named network only that one is meant; one that has not may have one
/// only, of another name.
void keep_named(ImportSource& source, const std::string& network) {
  std::set<std::string> names;
  for (const auto& one : source.addresses) names.insert(one.network);
  if (network.empty() || (names.size() < 2 && !names.contains(network))) return;
  if (!names.contains(network))
    refuse_option("--network", network,
                  "is not in the export, which has several; export the one that is meant");
  std::erase_if(source.addresses, [&](const auto& one) { return one.network != network; });
}

/// Two nodes have no address in common, but those of a node that is gone may be this one's now.
void tell_of_other_node(const ImportSource& source) {
  if (source.node.empty() || source.node == node_name()) return;
  write_stderr(printable_line("warning: the export is of node " + go_quoted(source.node) +
                              ", and this one is " + go_quoted(node_name())) +
               "\n");
}

ExitCode import_bindings(const ImportOptions& options) {
  const Look look = read_change_look(options);
  check_path(options);
  allocator::store::PosixFileSystem fs;
  const Node node(fs, options.node, ReadCache::always);
  ImportSource source = read_source(fs, options, node.networks());
  keep_named(source, options.node.network);
  tell_of_other_node(source);
  const auto force = options.force ? allocator::Force::yes : allocator::Force::no;
  Changes changes = plan_import(node.networks(), source, {options.node.network, force});
  const bool is_done = carry_out(fs, changes, {"import", look, options.apply});
  if (changes.empty()) write_stderr("there is nothing to import\n");
  write_stderr(print_findings(source.findings, {}));
  return is_done && source.findings.empty() ? ExitCode::fine : ExitCode::found_something;
}

}  // namespace

void add_import(CommandSpec& root) {
  static ImportOptions options;
  CommandSpec command = root.command(
      "import",
      "keep for pods the addresses that they had on another node, or before the move to this "
      "plugin; a dry run without --apply");
  command.optional_argument("FILE|FOLDER", options.path,
                            "a file of export (-: stdin), OpenYurt's folder, YurtHub's cache");
  command.text(
      "--from", options.from,
      "export; host-local: pods in use here whom only the runtime's cache knows; openyurt; "
      "yurthub (/etc/kubernetes/cache)");
  command.flag("--force", options.force,
               "end bindings that are in the way and in no use; never one in use");
  add_change_options(command, options);
  command.example("delegated-ipam import /backup/edge-7.json --apply");
  command.example("delegated-ipam import --from host-local --apply");
  command.runs([] { return import_bindings(options); });
}

}  // namespace shim
