// The linter for the files around the plugin: reads them, applies the rules, prints what was found
// and the corrected file.
#include "shim/cli/validate/validate.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <system_error>

#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/named_input.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cli/subnet_option.hpp"
#include "shim/cli/validate/document/corrected.hpp"
#include "shim/cli/validate/document/document.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cli/validate/node/drop_ins.hpp"
#include "shim/cli/validate/node/node.hpp"
#include "shim/cli/validate/node/together.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using namespace validate;

struct Options {
  std::vector<std::string> files;
  std::vector<std::string> subnets;
  std::string bin_dir;
  std::string output = "text";
  bool node = false;
  bool strict = false;
};

/// A file that a kind cluster file mounts: beside it, else where kind would be run.
std::optional<std::string> read_mounted(const std::string& host_path, const File& cluster) {
  std::vector<std::string> candidates = {host_path};
  const auto slash = cluster.name.rfind('/');
  if (!host_path.starts_with('/') && slash != std::string::npos)
    candidates.insert(candidates.begin(), cluster.name.substr(0, slash + 1) + host_path);
  allocator::store::PosixFileSystem fs;
  for (const auto& path : candidates) {
    try {
      return fs.read_regular(path, kInputLimit);
    } catch (const std::system_error&) {
      continue;
    }
  }
  return std::nullopt;
}

void check_parts(Documents& documents, Findings& findings) {
  Context context = make_context(documents);
  context.mounted = &read_mounted;
  for (auto& part : documents.parts) {
    const Report report(findings, part.file, part.pointer);
    switch (part.kind) {
      case PartKind::cilium_values:
      case PartKind::cilium_config:
        check_cilium_agent(part, context, report);
        break;
      case PartKind::flannel_values:
      case PartKind::flannel_daemon:
        check_flanneld(part, context, report);
        break;
      case PartKind::yurthub:
        check_yurthub(part, context, report);
        break;
      case PartKind::kind_cluster:
        check_kind(part, context, report);
        break;
    }
  }
}

void apply_rules(Documents& documents, const Options& options, Findings& findings) {
  const Wishes wishes{read_subnets(options.subnets)};
  allocator::store::PosixFileSystem fs;
  for (auto& network : documents.networks) {
    const Report report(findings, network.file, network.pointer);
    check_network(network, documents, wishes, report);
    if (options.node) check_node(network, fs, bin_dirs(options.bin_dir), report);
  }
  write_back(documents);  // before a part, which may be around a network, is corrected
  check_parts(documents, findings);
  write_back(documents.texts);
  check_stores(documents, findings);
  check_use(documents, make_context(documents), findings);
}

Documents validate_inputs(const std::vector<Input>& inputs, const Options& options,
                          Findings& findings) {
  Documents documents = read_documents(inputs, findings);
  apply_rules(documents, options, findings);
  spell_pointers(documents, findings);
  return documents;
}

std::string what_is_undecided(const Corrected& corrected) {
  std::string text;
  for (const auto& name : corrected.undecided)
    text += printable_line(name) +
            ": not printed corrected, as some of these have to be decided by hand first\n";
  return text;
}

void print(const Findings& findings, const std::vector<Input>& inputs, const Options& options,
           const Corrected& corrected) {
  std::vector<std::string> names;
  names.reserve(inputs.size());
  for (const auto& input : inputs) names.push_back(input.name);
  if (options.output == "json") {
    write_stdout(print_findings_json(findings, names));
  } else {
    write_stderr(print_text(findings, names) + what_is_undecided(corrected));
    write_stdout(corrected.text);
  }
}

ExitCode validate_files(const Options& options) {
  if (options.output != "text" && options.output != "json")
    throw UsageError("-o: no format " + options.output + "; write text or json");
  std::vector<Input> inputs;
  for (const auto& name : options.files) inputs.push_back({name, read_input_text(name)});
  allocator::store::PosixFileSystem fs;
  add_drop_ins(fs, inputs);
  const auto validation = [&](const std::vector<Input>& files, Findings& found) {
    return validate_inputs(files, options, found);
  };
  Findings findings;
  const Documents documents = validation(inputs, findings);
  const bool is_text = options.output == "text";
  print(findings, inputs, options,
        is_text ? correct(inputs, documents, findings, validation) : Corrected{});
  const bool failed = std::any_of(findings.begin(), findings.end(), [&](const Finding& one) {
    return options.strict || one.severity == Severity::error;
  });
  return failed ? ExitCode::found_something : ExitCode::fine;
}

}  // namespace

std::vector<std::string> validate::bin_dirs(const std::string& option) {
  if (!option.empty()) return {option};
  const char* variable = std::getenv("CNI_PATH");
  const std::string path = variable == nullptr ? "" : variable;
  std::vector<std::string> folders;
  for (std::size_t start = 0; start < path.size();) {
    const auto end = std::min(path.find(':', start), path.size());
    if (path[start] == '/') folders.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  if (folders.empty()) folders.emplace_back("/opt/cni/bin");
  return folders;
}

validate::Documents validate::find_mistakes(const std::vector<Input>& inputs, Machine machine,
                                            const std::string& bin_dir, Findings& findings) {
  Options options;
  options.bin_dir = bin_dir;
  options.node = machine == Machine::looked_at;
  return validate_inputs(inputs, options, findings);
}

void add_validate(CommandSpec& root) {
  static Options options;
  CommandSpec command = root.command(
      "validate",
      "find mistakes in a conf, conflist, manifest, Helm values or kind cluster file; the findings "
      "go to stderr, the corrected file (without its comments) to stdout");
  command.arguments("FILE", options.files, "files that are used together; - for standard input");
  command.flag("--node", options.node, "look at this machine as well");
  command.text("--bin-dir", options.bin_dir,
               "with --node: where the plugins are (CNI_PATH, else /opt/cni/bin)");
  command.list("--subnet", options.subnets,
               "this node's pod CIDR, for the corrected file; repeatable");
  command.text("-o,--output", options.output, "text or json (findings only, on stdout)");
  command.flag("--strict", options.strict, "warnings count as errors");
  command.runs([] { return validate_files(options); });
}

}  // namespace shim
