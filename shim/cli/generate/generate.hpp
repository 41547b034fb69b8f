#pragma once
/// What `generate` writes, as pure functions: options in, documents out. Nothing here touches a
/// disk.
///
/// Every conflist is read back with the plugin's own reader before it is handed out: what the
/// plugin would refuse is an error here, that names the option.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "allocator/address.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// The plugin that makes the interfaces, and calls the IPAM plugin.
enum class MainPlugin : std::uint8_t { flannel, cilium, bridge, ptp };

/// The options that say what goes into a conflist.
struct ConflistOptions {
  MainPlugin main = MainPlugin::bridge;
  std::string name;
  std::string cni_version;
  std::vector<allocator::Cidr> subnets;          ///< host bits cleared
  std::optional<allocator::Cidr> shared_subnet;  ///< what `ranges_from` gives this node's part of
  std::string gateway;                           ///< of that one
  std::string ranges_from;  ///< "subnet-file=PATH", "nodes-dir=DIR", "yurthub" or "yurthub=NODE"
  std::string data_dir;
  std::string state_dir;
  std::string delegate;                 ///< another IPAM plugin than the built-in allocator
  std::optional<Json> delegate_config;  ///< its block
  std::vector<std::string> excludes;
  std::vector<std::string> pins;  ///< "namespace/pod=address[,address]"
  std::string subnet_file;        ///< Flannel's own
};

/// What a network is called when nobody says so: a network's folder is named by it.
std::string default_name(MainPlugin plugin);

/// The conflist.
/// Errors: throws UsageError.
Json make_conflist(const ConflistOptions& options);

/// The conflist of containerd's conf_template: a Go template that containerd fills with the node's
/// pod CIDRs. Text, as it is no JSON until then.
/// Errors: throws UsageError.
std::string make_containerd_template(const ConflistOptions& options);

/// A conflist as a file: JSON, two spaces, a newline at the end.
std::string conflist_text(const Json& conflist);

/// A patch for kube-flannel's ConfigMap (kubectl patch --patch-file): the file on the node is
/// written anew from it at every start of kube-flannel.
std::string make_flannel_patch(const Json& conflist);
/// Values for Flannel's chart.
std::string make_flannel_values(const Json& conflist);

/// A ConfigMap manifest.
std::string make_config_map(const std::string& name, const std::string& name_space, Json data);

/// The block of a family among those that an option gave; empty when there is none.
/// Errors: throws UsageError for what is no block, and for a second one of the family.
std::string cidr_of_family(const std::vector<std::string>& cidrs, const std::string& option,
                           allocator::Family family);

/// The ConfigMap that Cilium's chart is told of by cni.configMap.
std::string make_cilium_config_map(const Json& conflist);

/// A folder on the node, and what its mount is called.
struct HostFolder {
  const char* name;
  std::string path;
};

struct CiliumValuesOptions {
  bool has_config_map = false;  ///< the agent writes the conflist; else it is put there by hand
  std::vector<std::string> pod_cidrs;  ///< of the whole cluster
  std::string version;                 ///< of Cilium; empty: the newest that is known
  std::vector<HostFolder> folders;     ///< that a command of the plugin writes to
  std::string source_folder;           ///< that it reads ranges from; empty: none
};

/// Values for Cilium's chart: delegated-plugin mode and what it needs, in keys that the chart of
/// that version has.
/// Errors: throws UsageError without a pod CIDR, with two of a family, for a version before 1.15.
std::string make_cilium_values(const CiliumValuesOptions& options);

struct KindOptions {
  std::string name = "delegated-ipam";
  MainPlugin main = MainPlugin::ptp;
  unsigned workers = 2;
  std::string image;
  std::string binary;    ///< on the host; empty: the installer brings it
  std::string conf_dir;  ///< on the host, with <node>.conflist; empty: something else does
  std::vector<std::string> pod_cidrs;  ///< none: 10.244.0.0/16
};

/// A cluster file for kind.
/// Errors: throws UsageError.
std::string make_kind_cluster(const KindOptions& options);

struct InstallerOptions {
  std::string image;
  std::string bin_dir = "/opt/cni/bin";
  std::string name_space = "kube-system";
  std::string as_name;
  std::vector<std::string> nodes_config_maps;
  std::string nodes_checksum;  ///< ranges_checksum() of what is in them; empty: not known
  std::string nodes_dir;
};

/// The DaemonSet that installs on every node, before there is a pod network and without asking the
/// API server for anything.
/// Errors: throws UsageError.
std::string make_installer(const InstallerOptions& options);

/// One line about an image that a registry may replace under its name; "" when there is nothing to
/// say.
std::string image_hint(const InstallerOptions& options);

}  // namespace shim
