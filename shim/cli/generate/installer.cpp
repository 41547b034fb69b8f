/// The DaemonSet that brings the plugin to the nodes.
#include "shim/cli/command.hpp"
#include "shim/cli/generate/generate.hpp"
#include "shim/cli/yaml.hpp"
#include "shim/cni/protocol/environment.hpp"

namespace shim {
namespace {

constexpr const char* kDefaultImage = "delegated-ipam:" DELEGATED_IPAM_VERSION;

/// On the host's network, as there is no other before it has run. NODE_NAME is the name by which
/// the ConfigMap knows the node: kubelet fills it in, nothing is asked of the API server. As little
/// as installing needs: root, for the host's folder is root's, but none of its capabilities; who
/// then waits is nobody. Where SELinux is enforced, only spc_t writes to a folder of the host that
/// has no label for containers: README.md. An installation reads what lies under the plugin's name,
/// which may be 60 MB.
constexpr const char* kDaemonSet = R"({
  "apiVersion": "apps/v1",
  "kind": "DaemonSet",
  "metadata": {
    "name": "delegated-ipam-installer",
    "namespace": "",
    "labels": {"app": "delegated-ipam-installer"}
  },
  "spec": {
    "selector": {"matchLabels": {"app": "delegated-ipam-installer"}},
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
    "template": {
      "metadata": {"labels": {"app": "delegated-ipam-installer"}},
      "spec": {
        "hostNetwork": true,
        "priorityClassName": "system-node-critical",
        "automountServiceAccountToken": false,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 5,
        "initContainers": [{
          "name": "install",
          "image": "",
          "imagePullPolicy": "",
          "command": ["/delegated-ipam"],
          "args": ["install", "/host/bin"],
          "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
          "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "privileged": false,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]}
          },
          "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "500m", "memory": "128Mi"}
          },
          "volumeMounts": [{"name": "bin", "mountPath": "/host/bin"}]
        }],
        "containers": [{
          "name": "pause",
          "image": "",
          "imagePullPolicy": "",
          "command": ["/delegated-ipam"],
          "args": ["pause"],
          "securityContext": {
            "runAsUser": 65534,
            "runAsGroup": 65534,
            "runAsNonRoot": true,
            "privileged": false,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]}
          },
          "resources": {
            "requests": {"cpu": "1m", "memory": "4Mi"},
            "limits": {"cpu": "10m", "memory": "32Mi"}
          }
        }],
        "volumes": [{"name": "bin", "hostPath": {"path": "", "type": "DirectoryOrCreate"}}]
      }
    }
  }
})";

constexpr const char* kNodesMounts = R"([
  {"name": "nodes", "mountPath": "/nodes", "readOnly": true},
  {"name": "nodes-dir", "mountPath": "/host/nodes"}
])";

constexpr const char* kNodesVolumes = R"([
  {"name": "nodes", "projected": {"sources": []}},
  {"name": "nodes-dir", "hostPath": {"path": "", "type": "DirectoryOrCreate"}}
])";

void append(Json& list, Json more) {
  for (auto& element : more) list.push_back(std::move(element));
}

/// The ConfigMaps with the nodes' ranges as one folder, and this node's part of it on the host. A
/// pod installs once. The checksum makes it another pod when a range has changed, and that one waits
/// until it sees that change: kubelet may mount what it knew before.
void add_nodes(const InstallerOptions& options, Json& pod) {
  Json& install = pod["initContainers"][0];
  append(install["args"], {"--nodes-from", "/nodes", "--nodes-dir", "/host/nodes"});
  if (!options.nodes_checksum.empty())
    append(install["args"], {"--nodes-checksum", options.nodes_checksum});
  append(install["volumeMounts"], parse_json(kNodesMounts));
  Json volumes = parse_json(kNodesVolumes);
  for (const auto& name : options.nodes_config_maps) {
    Json source;
    source["configMap"]["name"] = name;
    volumes[0]["projected"]["sources"].push_back(std::move(source));
  }
  volumes[1]["hostPath"]["path"] = options.nodes_dir;
  append(pod["volumes"], std::move(volumes));
}

const std::string& image_of(const InstallerOptions& options) {
  static const std::string own = kDefaultImage;
  return options.image.empty() ? own : options.image;
}

/// Built and brought to the nodes by hand. A runtime would ask Docker Hub, or a registry of its own
/// list, for a name without one: a stranger's program, run as root.
bool has_no_registry(const std::string& image) {
  return image.find('/') == std::string::npos || image.starts_with("localhost/");
}

bool has_digest(const std::string& image) { return image.find("@sha256:") != std::string::npos; }

/// Source: RFC 1123 section 2.1, as Kubernetes takes it: small letters, at most 63 characters.
bool is_dns_label(std::string_view text) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
         text.find_first_not_of(kLetters) == std::string_view::npos;
}

/// Labels with dots between them: the name of most objects.
bool is_dns_subdomain(std::string_view text) {
  for (std::size_t dot = 0; (dot = text.find('.')) != std::string_view::npos;
       text.remove_prefix(dot + 1)) {
    if (!is_dns_label(text.substr(0, dot))) return false;
  }
  return is_dns_label(text);
}

void check(const InstallerOptions& options) {
  if (!is_dns_label(options.name_space))
    refuse_option("--namespace", options.name_space,
                  "is no namespace; use small letters, digits and \"-\", at most 63");
  for (const auto& name : options.nodes_config_maps) {
    if (!is_dns_subdomain(name))
      refuse_option("--nodes-config-map", name,
                    "is no ConfigMap's name; use small letters, digits, \"-\" and \".\"");
  }
  if (!options.bin_dir.starts_with('/'))
    refuse_option("--bin-dir", options.bin_dir, "is no absolute path; write one from /");
  const bool is_name = is_identifier(options.as_name) && !options.as_name.ends_with(".orig");
  if (!options.as_name.empty() && !is_name)
    refuse_option("--as", options.as_name, "is no plugin's name; leave it out, or give host-local");
  if (options.nodes_config_maps.empty() != options.nodes_dir.empty())
    throw UsageError(
        "--nodes-config-map (or --nodes), --nodes-dir: go together; give both, or none");
  if (!options.nodes_dir.empty() && !options.nodes_dir.starts_with('/'))
    refuse_option("--nodes-dir", options.nodes_dir,
                  "is no absolute path; write the rangesFrom.nodesDir of the conflist");
}

}  // namespace

std::string make_installer(const InstallerOptions& options) {
  check(options);
  const std::string& image = image_of(options);
  const char* pull_policy = has_no_registry(image) && !has_digest(image) ? "Never" : "IfNotPresent";
  Json daemon_set = parse_json(kDaemonSet);
  daemon_set["metadata"]["namespace"] = options.name_space;
  Json& pod = daemon_set["spec"]["template"]["spec"];
  for (const char* list : {"initContainers", "containers"}) {
    pod[list][0]["image"] = image;
    pod[list][0]["imagePullPolicy"] = pull_policy;
  }
  pod["volumes"][0]["hostPath"]["path"] = options.bin_dir;
  if (!options.as_name.empty()) append(pod["initContainers"][0]["args"], {"--as", options.as_name});
  if (!options.nodes_config_maps.empty()) add_nodes(options, pod);
  return print_yaml(daemon_set);
}

std::string image_hint(const InstallerOptions& options) {
  const std::string& image = image_of(options);
  if (has_digest(image) || has_no_registry(image)) return {};
  return "--image: " + image +
         " has no digest: who can push this tag decides what runs as root on every node; write "
         "NAME@sha256:...";
}

}  // namespace shim
