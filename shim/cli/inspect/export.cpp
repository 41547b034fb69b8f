// `export`: what pods are bound to on a node, as a file.
#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/file_output.hpp"
#include "shim/cli/inspect/export_document.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using namespace inspect;

struct ExportOptions {
  NodeOptions node;
  std::string out;
};

ExitCode export_bindings(const ExportOptions& options) {
  allocator::store::PosixFileSystem fs;
  Node node(fs, options.node, ReadCache::always);
  if (node.networks().empty()) {
    write_stderr(printable_line("no network found in " + node.places()) + "\n");
    return ExitCode::found_something;
  }
  const std::string document = print_export(export_of(node.networks(), node.name()));
  if (options.out.empty()) {
    write_stdout(document);
  } else {
    write_path(fs, options.out, document, "--out", Flush::yes);
  }
  write_stderr(print_findings(node.findings(), {}));
  return node.findings().empty() ? ExitCode::fine : ExitCode::found_something;
}

}  // namespace

void add_export(CommandSpec& root) {
  static ExportOptions options;
  CommandSpec command = root.command(
      "export", "what pods are bound to, as a file that import reads; writes nothing else");
  command.text("--out", options.out, "this file, replaced at once and durably; else stdout");
  add_node_options(command, options.node);
  command.example("delegated-ipam export --out /backup/edge-7.json");
  command.example("delegated-ipam export --root /mnt/old-disk --network cbr0");
  command.runs([] { return export_bindings(options); });
}

}  // namespace shim
