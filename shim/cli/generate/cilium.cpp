/// Cilium's side of a conflist: the ConfigMap that the agent copies to the nodes, and the values of
/// its chart.
#include <charconv>
#include <system_error>

#include "allocator/address.hpp"
#include "shim/cli/command.hpp"
#include "shim/cli/generate/generate.hpp"
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
  "ipMasqAgent": {"enabled": true}
})";

struct Version {
  unsigned major;
  unsigned minor;

  friend auto operator<=>(const Version&, const Version&) = default;  // NOLINT: clang-tidy 14
};

constexpr const char* kNewest = "1.20";
constexpr Version kOldest{1, 15};
/// The chart's nodePort.enabled, which BPF masquerading wants, is always on from here on.
constexpr Version kNodePortIsOn{1, 19};
/// From here on the agent may run the plugin itself, in its own container, and repeats its ADDs
/// (CFP-45607).
constexpr Version kRunsPlugin{1, 20};

Version read_version(const std::string& text) {
  Version version{};
  const char* at = text.c_str() + (text.starts_with("v") ? 1 : 0);
  const char* end = text.c_str() + text.size();
  const auto major = std::from_chars(at, end, version.major);
  const bool has_minor = major.ec == std::errc() && major.ptr != end && *major.ptr == '.';
  const auto minor = has_minor ? std::from_chars(major.ptr + 1, end, version.minor) : major;
  const bool is_version =
      has_minor && minor.ec == std::errc() && (minor.ptr == end || *minor.ptr == '.');
  if (!is_version)
    refuse_option("--cilium-version", text,
                  std::string("is no version; write one such as ") + kNewest);
  if (version < kOldest)
    refuse_option("--cilium-version", text,
                  "is older than 1.15, whose chart has none of these settings under these names");
  return version;
}

/// One of the node's folders, under the path that it has there.
void mount(const std::string& folder, const char* name, bool read_only, Json& values) {
  Json& entry = values["extraHostPathMounts"].emplace_back(Json::object());
  entry["name"] = std::string("delegated-ipam-") + name;
  entry["mountPath"] = folder;
  entry["hostPath"] = folder;
  entry["hostPathType"] = "DirectoryOrCreate";
  entry["readOnly"] = read_only;
}

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
  const Version version = read_version(options.version.empty() ? kNewest : options.version);
  Json values = parse_json(kCiliumValues);
  if (version < kNodePortIsOn) values["nodePort"]["enabled"] = true;
  if (options.has_config_map) {
    values["cni"]["configMap"] = "cni-configuration";
  } else {
    values["cni"]["customConf"] = true;
  }
  add_family(cidr_of_family(options.pod_cidrs, "--pod-cidr", Family::v4), "ipv4", kRouterV4,
             values);
  add_family(cidr_of_family(options.pod_cidrs, "--pod-cidr", Family::v6), "ipv6", kRouterV6,
             values);
  if (version >= kRunsPlugin) {
    for (const auto& folder : options.folders) mount(folder.path, folder.name, false, values);
    if (!options.source_folder.empty()) mount(options.source_folder, "ranges", true, values);
  }
  return print_yaml(values);
}

}  // namespace shim
