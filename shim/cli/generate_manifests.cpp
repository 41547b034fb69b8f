/// Kubernetes' side of a conflist: ConfigMaps and the charts' values.
#include "allocator/address.hpp"
#include "shim/cli/command.hpp"
#include "shim/cli/generate.hpp"
#include "shim/cli/yaml.hpp"

namespace shim {
namespace {

using allocator::Family;

/// Source: Cilium's agent in delegated-plugin mode (checkIPAMDelegatedPlugin) and the values of its
/// own test of that mode.
constexpr const char* kCiliumValues = R"({
  "ipam": {"mode": "delegated-plugin"},
  "cni": {},
  "routingMode": "native",
  "endpointRoutes": {"enabled": true},
  "endpointHealthChecking": {"enabled": false},
  "extraConfig": {},
  "bpf": {"masquerade": true},
  "ipMasqAgent": {"enabled": true},
  "nodePort": {"enabled": true}
})";

/// Link-local addresses that no node has: what the pods' default route goes by.
constexpr const char* kRouterV4 = "169.254.23.0";
constexpr const char* kRouterV6 = "fe80::";

void add_family(const std::string& cidr, const std::string& family, const char* router,
                Json& values) {
  values[family] = Json::object();
  values[family]["enabled"] = !cidr.empty();
  if (cidr.empty()) return;
  values[family + "NativeRoutingCIDR"] = cidr;
  values["enableIP" + family.substr(2) + "Masquerade"] = true;
  values["extraConfig"]["local-router-" + family] = router;
}

}  // namespace

std::string cidr_of_family(const std::vector<std::string>& cidrs, const std::string& option,
                           Family family) {
  std::string found;
  for (const auto& text : cidrs) {
    const auto cidr = allocator::Cidr::parse(text);
    if (!cidr) refuse_option(option, text, "is no CIDR block; write one such as 10.244.0.0/16");
    if (cidr->address.family() != family) continue;
    if (!found.empty())
      refuse_option(option, text, "is the second of its family; give one, which covers all nodes");
    found = text;
  }
  return found;
}

std::string make_flannel_patch(const Json& conflist) {
  Json patch;
  patch["data"]["cni-conf.json"] = conflist_text(conflist);
  return print_yaml(patch);
}

std::string make_flannel_values(const Json& conflist) {
  Json values;
  values["flannel"]["cniConf"] = conflist_text(conflist);
  return print_yaml(values);
}

std::string make_config_map(const std::string& name, const std::string& name_space, Json data) {
  Json map = parse_json(R"({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}})");
  map["metadata"]["name"] = name;
  map["metadata"]["namespace"] = name_space;
  map["data"] = std::move(data);
  return print_yaml(map);
}

std::string make_cilium_config_map(const Json& conflist) {
  Json data;
  data["cni-config"] = conflist_text(conflist);
  return make_config_map("cni-configuration", "kube-system", std::move(data));
}

std::string make_cilium_values(const CiliumValuesOptions& options) {
  if (options.pod_cidrs.empty())
    throw UsageError(
        "--pod-cidr: missing: the cluster's pod range, which Cilium routes without masquerading "
        "(kubeadm: networking.podSubnet)");
  Json values = parse_json(kCiliumValues);
  if (options.has_config_map) {
    values["cni"]["configMap"] = "cni-configuration";
  } else {
    values["cni"]["customConf"] = true;
  }
  add_family(cidr_of_family(options.pod_cidrs, "--pod-cidr", Family::v4), "ipv4", kRouterV4,
             values);
  add_family(cidr_of_family(options.pod_cidrs, "--pod-cidr", Family::v6), "ipv6", kRouterV6,
             values);
  return print_yaml(values);
}

}  // namespace shim
