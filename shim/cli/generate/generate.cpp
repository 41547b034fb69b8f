/// `generate`: the options of each kind of file, and where the file goes.
#include "shim/cli/generate/generate.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/file_output.hpp"
#include "shim/cli/generate/per_node.hpp"
#include "shim/cli/generate/request.hpp"
#include "shim/cli/install/ranges_checksum.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cli/subnet_option.hpp"
#include "shim/cni/conf/net_conf.hpp"
#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

using allocator::store::PosixFileSystem;

constexpr std::size_t kConfigLimit = std::size_t{1} << 20;
constexpr const char* kFlannelOwned = "/10-flannel.conflist";
constexpr const char* kNodesDir = "/etc/cni/delegated-ipam/nodes";

void read_delegate_config(Request& request) {
  if (request.delegate_config.empty()) return;
  PosixFileSystem fs;
  try {
    request.conflist.delegate_config =
        parse_json(fs.read_regular(request.delegate_config, kConfigLimit));
  } catch (const JsonSyntaxError& error) {
    throw UsageError("--delegate-config: " + request.delegate_config + ": " + error.what() +
                     "; it must hold one JSON object, the plugin's own ipam block");
  }
}

/// To --out, or to stdout.
ExitCode deliver(const std::string& out, const std::string& text) {
  if (out.empty()) {
    write_stdout(text);
    return ExitCode::fine;
  }
  PosixFileSystem fs;
  write_path(fs, out, text, "--out");
  return ExitCode::fine;
}

/// Runtimes tell by the name what a file is.
void check_out(const Request& request, Format format) {
  const std::string& out = request.out;
  if (out.ends_with(kFlannelOwned))
    refuse_option("--out", out,
                  "is written anew by kube-flannel and k3s at every start; change the ConfigMap "
                  "(--format configmap), or give k3s another name by --flannel-cni-conf");
  if (format == Format::conflist && out.ends_with(".conf"))
    refuse_option("--out", out,
                  "ends in .conf, as a single plugin does; end it in .conflist, or write a drop-in "
                  "plugin (--format drop-in)");
  if (format != Format::drop_in || out.empty()) return;
  const std::string& name = request.conflist.name;
  const std::string folder =
      "/" + (name.empty() ? default_name(request.conflist.main) : name) + "/";
  const auto slash = ("/" + out).rfind('/');
  const bool is_there = ("/" + out).substr(0, slash + 1).ends_with(folder);
  if (!is_there || !out.ends_with(".conf"))
    refuse_option("--out", out,
                  "is no place for a drop-in plugin, which is read from files that end in .conf in "
                  "a folder with the network's name; end it in " +
                      folder.substr(1) + "10-" + "delegated-ipam.conf");
}

std::string flannel_text(const Request& request, Format format) {
  if (format == Format::helm && !request.conflist.subnet_file.empty())
    throw UsageError(
        "--subnet-file: Flannel's chart mounts /run/flannel only, so flanneld could not write it; "
        "use --format configmap, and change the DaemonSet too (examples/openyurt)");
  const Json conflist = make_conflist(request.conflist);
  if (format == Format::helm) return make_flannel_values(conflist);
  if (format == Format::drop_in) return conflist_text(conflist["plugins"][0]);
  return format == Format::config_map ? make_flannel_patch(conflist) : conflist_text(conflist);
}

/// What a command of the plugin writes to: whoever runs it in a container mounts these.
std::vector<HostFolder> folders_of(const ConflistOptions& conflist) {
  const PlacementConf usual;
  std::vector<HostFolder> folders = {
      {"state", conflist.state_dir.empty() ? usual.state_dir : conflist.state_dir},
      {"run", "/run/delegated-ipam"}};
  const bool is_host_local = conflist.delegate.empty() || conflist.delegate == "host-local";
  if (is_host_local)
    folders.push_back({"data", conflist.data_dir.empty() ? usual.data_dir : conflist.data_dir});
  return folders;
}

/// Where the ranges are read; empty when nowhere.
std::string source_folder(const ConflistOptions& conflist) {
  const std::string& source = conflist.ranges_from;
  std::string path = source.substr(std::min(source.find('=') + 1, source.size()));
  if (source.starts_with("nodes-dir=")) return path;
  if (source.starts_with("subnet-file=")) return path.substr(0, path.rfind('/'));
  return source.empty() ? "" : "/etc/kubernetes/cache";
}

std::string cilium_text(const Request& request, Format format) {
  if (format == Format::helm) {
    // One conflist for all nodes is the agent's to write; each node's own is put there by hand.
    const bool serves_all = request.conflist.subnets.empty();
    return make_cilium_values({serves_all, request.pod_cidrs, request.cilium_version,
                               folders_of(request.conflist), source_folder(request.conflist)});
  }
  const Json conflist = make_conflist(request.conflist);
  if (format == Format::config_map && !request.conflist.subnets.empty())
    throw UsageError(
        "--subnet: a ConfigMap is the same on all nodes, and so would be the range; use "
        "--ranges-from nodes-dir=" +
        std::string(kNodesDir));
  return format == Format::config_map ? make_cilium_config_map(conflist) : conflist_text(conflist);
}

ExitCode generate_conflist(Request request) {
  if (request.conflist.ranges_from.empty()) {
    request.conflist.subnets = read_subnets(request.subnets);
  } else {
    request.conflist.shared_subnet = read_shared_subnet(request.subnets);
  }
  read_delegate_config(request);
  if (request.nodes) return generate_for_nodes(request);
  if (!request.nodes_dir.empty())
    throw UsageError("--nodes-dir: without --nodes; or write --ranges-from nodes-dir=" +
                     request.nodes_dir);
  const Format format = format_of(request);
  check_out(request, format);
  if (!request.pod_cidrs.empty() && format != Format::helm)
    throw UsageError("--pod-cidr: is for Cilium's --format helm; leave it out");
  if (!request.cilium_version.empty() && format != Format::helm)
    throw UsageError("--cilium-version: is for --format helm; leave it out");
  return deliver(request.out, request.conflist.main == MainPlugin::cilium
                                  ? cilium_text(request, format)
                                  : flannel_text(request, format));
}

ExitCode generate_template(Request request) {
  read_delegate_config(request);
  if (request.main != "bridge" && request.main != "ptp")
    refuse_option("--main", request.main, "is neither bridge nor ptp; write one of them");
  request.conflist.main = request.main == "ptp" ? MainPlugin::ptp : MainPlugin::bridge;
  return deliver(request.out, make_containerd_template(request.conflist));
}

void add_ipam_options(CommandSpec& command, Request& request) {
  auto& conflist = request.conflist;
  command.text("--name", conflist.name, "the network's name");
  command.text("--cni-version", conflist.cni_version, "cniVersion of the conflist");
  command.text("--data-dir", conflist.data_dir, "host-local's dataDir, without the network's name");
  command.text("--state-dir", conflist.state_dir, "where the bindings live");
  command.list("--exclude", conflist.excludes,
               "an address, block or first-last span never handed out; repeatable");
  command.list("--pin", conflist.pins, "namespace/pod=address[,address]; repeatable");
  command.text("--out", request.out, "write there instead of to stdout");
}

void add_network(CommandSpec& generate, const std::string& name, MainPlugin plugin,
                 const std::string& what) {
  auto request = std::make_shared<Request>();
  request->conflist.main = plugin;
  auto command = generate.command(name, what);
  add_ipam_options(command, *request);
  auto& conflist = request->conflist;
  command.list("--subnet", request->subnets,
               "this node's own pod range; repeatable. With --ranges-from: the one subnet that "
               "nodes share, of which the source gives each its part");
  command.text("--gateway", conflist.gateway, "the router of a subnet that nodes share");
  command.text("--ranges-from", conflist.ranges_from,
               "subnet-file=PATH, nodes-dir=DIR or yurthub=NODE");
  command.text("--delegate", conflist.delegate, "another IPAM plugin than the built-in allocator");
  command.text("--delegate-config", request->delegate_config,
               "a JSON file with that plugin's own ipam block");
  command.text("--nodes", request->nodes,
               "all nodes: the output of kubectl get nodes -o json; -: stdin");
  command.text(
      "--nodes-dir", request->nodes_dir,
      "with --nodes: one conflist that reads the node's ranges there, and ConfigMaps with them");
  const bool is_charted = plugin == MainPlugin::flannel || plugin == MainPlugin::cilium;
  command.text("--format", request->format,
               is_charted ? "conflist, configmap or helm"
                          : "conflist, or drop-in: the plugin's object alone, for "
                            "<conf-dir>/<network>/*.conf beside a list of CNI 1.1");
  if (plugin == MainPlugin::flannel)
    command.text("--subnet-file", conflist.subnet_file, "a subnet.env that survives a reboot");
  if (plugin == MainPlugin::cilium)
    command.list("--pod-cidr", request->pod_cidrs,
                 "with --format helm: the cluster's pod range; repeatable");
  if (plugin == MainPlugin::cilium)
    command.text("--cilium-version", request->cilium_version,
                 "with --format helm: the chart's version, from 1.15 on (1.20)");
  command.runs([request] { return generate_conflist(*request); });
}

void add_template(CommandSpec& generate) {
  auto request = std::make_shared<Request>();
  auto command = generate.command(
      "containerd-template",
      "containerd's conf_template, with the node's pod CIDRs filled in by containerd");
  add_ipam_options(command, *request);
  command.text("--main", request->main, "bridge or ptp");
  command.runs([request] { return generate_template(*request); });
}

MainPlugin plugin_named(const std::string& name) {
  const std::vector<std::pair<std::string, MainPlugin>> plugins = {{"flannel", MainPlugin::flannel},
                                                                   {"cilium", MainPlugin::cilium},
                                                                   {"bridge", MainPlugin::bridge},
                                                                   {"ptp", MainPlugin::ptp}};
  for (const auto& [known, plugin] : plugins) {
    if (known == name) return plugin;
  }
  refuse_option("--cni", name, "is none of flannel, cilium, bridge, ptp; write one of them");
}

void add_kind(CommandSpec& generate) {
  struct KindRequest {
    KindOptions options;
    std::string main = "ptp";  // kind's images have no bridge plugin
    std::string out;
  };
  auto request = std::make_shared<KindRequest>();
  auto command = generate.command("kind", "a cluster file for kind");
  auto& options = request->options;
  command.text("--cni", request->main, "flannel, cilium, bridge or ptp");
  command.text("--name", options.name, "the cluster's name");
  command.number("--workers", options.workers, "how many beside the control plane");
  command.text("--image", options.image, "the nodes' image");
  command.text("--binary", options.binary, "the plugin on this host, mounted into the nodes");
  command.text("--conf-dir", options.conf_dir,
               "a folder on this host with NODE.conflist, mounted into the nodes");
  command.list("--pod-subnet", options.pod_cidrs, "the cluster's pod range; repeatable");
  command.text("--out", request->out, "write there instead of to stdout");
  command.runs([request] {
    request->options.main = plugin_named(request->main);
    return deliver(request->out, make_kind_cluster(request->options));
  });
}

/// The ConfigMaps of these nodes, and what tells their content from any other.
void take_nodes(const std::string& source, InstallerOptions& options) {
  if (options.name_space != kNodesNamespace)
    refuse_option("--namespace", options.name_space,
                  std::string("is not that of the ConfigMaps that generate --nodes writes, ") +
                      kNodesNamespace + "; leave it out");
  if (!options.nodes_config_maps.empty())
    throw UsageError("--nodes, --nodes-config-map: --nodes names all ConfigMaps; leave one out");
  const auto nodes = nodes_of(source);
  for (const auto& map : make_nodes_config_maps(nodes, kNodesNamespace))
    options.nodes_config_maps.push_back(map.name);
  NodeTexts texts;
  for (const auto& node : nodes) texts.emplace_back(node.name, ranges_text(node));
  options.nodes_checksum = ranges_checksum(std::move(texts));
}

void add_installer(CommandSpec& generate) {
  struct InstallerRequest {
    InstallerOptions options;
    std::optional<std::string> nodes;
    std::string out;
  };
  auto request = std::make_shared<InstallerRequest>();
  auto command =
      generate.command("installer", "a DaemonSet that installs the plugin on every node");
  auto& options = request->options;
  command.text("--image", options.image, "an image with the executable as /delegated-ipam");
  command.text("--bin-dir", options.bin_dir, "the runtime's plugin folder on the nodes");
  command.text("--namespace", options.name_space, "where it runs");
  command.text("--as", options.as_name,
               "the plugin's name there; host-local takes the place of the stock one");
  command.text("--nodes", request->nodes,
               "kubectl get nodes -o json: the ConfigMaps that generate --nodes makes of it");
  command.list("--nodes-config-map", options.nodes_config_maps,
               "or a ConfigMap with nodes' ranges; repeatable");
  command.text("--nodes-dir", options.nodes_dir, "the conflist's rangesFrom.nodesDir");
  command.text("--out", request->out, "write there instead of to stdout");
  command.runs([request] {
    if (request->nodes) take_nodes(*request->nodes, request->options);
    const std::string text = make_installer(request->options);
    const std::string hint = image_hint(request->options);
    if (!hint.empty()) write_stderr("delegated-ipam generate installer: " + hint + "\n");
    return deliver(request->out, text);
  });
}

}  // namespace

void add_generate(CommandSpec& root) {
  auto generate = root.command("generate", "write the files of a set-up");
  add_network(generate, "flannel", MainPlugin::flannel,
              "for Flannel: a conflist, a patch of its ConfigMap, values of its chart");
  add_network(generate, "cilium", MainPlugin::cilium,
              "for Cilium: a conflist, a ConfigMap, values of its chart");
  add_network(generate, "bridge", MainPlugin::bridge,
              "for the bridge plugin: a conflist, or one a node");
  add_network(generate, "ptp", MainPlugin::ptp, "for the ptp plugin: a conflist, or one a node");
  add_template(generate);
  add_kind(generate);
  add_installer(generate);
}

}  // namespace shim
