/// A cluster file for kind.
#include "shim/cli/command.hpp"
#include "shim/cli/generate/generate.hpp"
#include "shim/cli/yaml.hpp"

namespace shim {
namespace {

using allocator::Family;

constexpr const char* kOption = "--pod-subnet";
/// Each node is a container with a kubelet of its own: no machine runs more.
constexpr unsigned kMostWorkers = 1000;

/// The name that kind gives to a node's container.
std::string node_name_of(const KindOptions& options, unsigned index) {
  if (index == 0) return options.name + "-control-plane";
  return options.name + "-worker" + (index == 1 ? "" : std::to_string(index));
}

void add_mount(Json& node, const std::string& host, const std::string& inside) {
  Json mount;
  mount["hostPath"] = host;
  mount["containerPath"] = inside;
  mount["readOnly"] = true;
  node["extraMounts"].push_back(std::move(mount));
}

Json make_node(const KindOptions& options, unsigned index) {
  Json node;
  node["role"] = index == 0 ? "control-plane" : "worker";
  if (!options.image.empty()) node["image"] = options.image;
  if (!options.binary.empty()) add_mount(node, options.binary, "/opt/cni/bin/delegated-ipam");
  if (!options.conf_dir.empty()) {
    const bool is_cilium = options.main == MainPlugin::cilium;
    add_mount(node, options.conf_dir + "/" + node_name_of(options, index) + ".conflist",
              std::string("/etc/cni/net.d/") + (is_cilium ? "05-cilium" : "10-delegated-ipam") +
                  ".conflist");
  }
  return node;
}

Json make_networking(std::vector<std::string> cidrs) {
  if (cidrs.empty()) cidrs = {"10.244.0.0/16"};
  const bool has_v4 = !cidr_of_family(cidrs, kOption, Family::v4).empty();
  const bool has_v6 = !cidr_of_family(cidrs, kOption, Family::v6).empty();
  std::string list;
  for (const auto& cidr : cidrs) list += (list.empty() ? "" : ",") + cidr;
  Json networking;
  networking["disableDefaultCNI"] = true;
  networking["ipFamily"] = has_v4 && has_v6 ? "dual" : (has_v6 ? "ipv6" : "ipv4");
  networking["podSubnet"] = list;
  return networking;
}

/// Source: kind, pkg/internal/apis/config/validate.go
void require_name(const std::string& name) {
  constexpr const char* kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789.-";
  if (!name.empty() && name.find_first_not_of(kAllowed) == std::string::npos) return;
  refuse_option("--name", name, "is no name for kind; use small letters, digits, \".\" and \"-\"");
}

}  // namespace

std::string make_kind_cluster(const KindOptions& options) {
  require_name(options.name);
  if (options.workers > kMostWorkers)
    refuse_option("--workers", std::to_string(options.workers),
                  "is more than one machine runs; write at most " + std::to_string(kMostWorkers));
  const std::string why = "kind would take it from where it is started, so ";
  require_absolute("--binary", options.binary, why);
  require_absolute("--conf-dir", options.conf_dir, why);
  if (!options.conf_dir.empty() && options.main == MainPlugin::flannel)
    throw UsageError(
        "--conf-dir: kube-flannel writes its conflist itself, from its ConfigMap; leave it out");
  Json cluster = parse_json(R"({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4"})");
  cluster["name"] = options.name;
  cluster["networking"] = make_networking(options.pod_cidrs);
  for (unsigned index = 0; index <= options.workers; ++index)
    cluster["nodes"].push_back(make_node(options, index));
  return print_yaml(cluster);
}

}  // namespace shim
