/// `generate --nodes`: the files of a whole cluster.
#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/file_output.hpp"
#include "shim/cli/generate/per_node.hpp"
#include "shim/cli/generate/request.hpp"
#include "shim/cli/standard_output.hpp"

namespace shim {
namespace {

using allocator::store::PosixFileSystem;

/// One conflist a node.
void write_each_conflist(Request request, const std::vector<NodeRanges>& nodes) {
  PosixFileSystem fs;
  const auto folder = open_folder(fs, request.out, "--out", "make it first");
  for (const auto& node : nodes) {
    request.conflist.subnets = node.pod_cidrs;
    write_file(fs, folder, node.name + ".conflist", conflist_text(make_conflist(request.conflist)),
               0644, Flush::no);
  }
  write_stdout("wrote " + std::to_string(nodes.size()) + " conflists to " + folder.path +
               "; no address is on two nodes\n");
}

/// One conflist for all, and the nodes' ranges in ConfigMaps.
void write_shared_conflist(Request request, const std::vector<NodeRanges>& nodes) {
  PosixFileSystem fs;
  const auto folder = open_folder(fs, request.out, "--out", "make it first");
  request.conflist.ranges_from = "nodes-dir=" + request.nodes_dir;
  const Json conflist = make_conflist(request.conflist);
  const auto write = [&](const std::string& name, const std::string& text) {
    write_file(fs, folder, name, text, 0644, Flush::no);
  };
  write(conflist["name"].get<std::string>() + ".conflist", conflist_text(conflist));
  if (request.conflist.main == MainPlugin::cilium)
    write("cni-configuration.yaml", make_cilium_config_map(conflist));
  const auto maps = make_nodes_config_maps(nodes, kNodesNamespace);
  for (const auto& map : maps) write(map.name + ".yaml", map.text);
  write_stdout("wrote a conflist and the ranges of " + std::to_string(nodes.size()) + " nodes in " +
               std::to_string(maps.size()) + (maps.size() == 1 ? " ConfigMap" : " ConfigMaps") +
               " to " + folder.path + "; no address is on two nodes\n");
}

}  // namespace

Format format_of(const Request& request) {
  const bool is_charted =
      request.conflist.main == MainPlugin::flannel || request.conflist.main == MainPlugin::cilium;
  if (request.format == "conflist") return Format::conflist;
  // Flannel and Cilium own their list, whose main plugin stands in it.
  if (!is_charted && request.format == "drop-in") return Format::drop_in;
  if (is_charted && request.format == "configmap") return Format::config_map;
  if (is_charted && request.format == "helm") return Format::helm;
  refuse_option("--format", request.format,
                is_charted ? "is none of conflist, configmap, helm; write one of them"
                           : "is neither conflist nor drop-in; write one of them");
}

ExitCode generate_for_nodes(const Request& request) {
  if (request.conflist.main == MainPlugin::flannel)
    throw UsageError(
        "--nodes: Flannel gives each node its range; its one conflist serves all, leave it out");
  if (request.out.empty()) throw UsageError("--nodes: without --out; name the folder to write to");
  if (!request.conflist.subnets.empty() || !request.conflist.ranges_from.empty())
    throw UsageError("--subnet, --ranges-from: --nodes tells the ranges; leave them out");
  if (!request.conflist.delegate.empty() && request.conflist.delegate != "host-local")
    throw UsageError(
        "--delegate: with --nodes the ranges are the built-in allocator's; leave one of them out");
  if (format_of(request) != Format::conflist)
    throw UsageError("--format: with --nodes the files are conflists; leave it out");
  const auto nodes = nodes_of(request.nodes.value());
  if (request.nodes_dir.empty()) {
    write_each_conflist(request, nodes);
  } else {
    write_shared_conflist(request, nodes);
  }
  return ExitCode::fine;
}

}  // namespace shim
