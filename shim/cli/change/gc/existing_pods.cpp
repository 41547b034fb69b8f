#include "shim/cli/change/gc/existing_pods.hpp"

#include <array>
#include <system_error>

#include "shim/cli/change/gc/pod_lists.hpp"
#include "shim/cli/named_input.hpp"

namespace shim::change {
namespace {

using allocator::PodKey;
using allocator::store::FileSystem;
using inspect::Network;

constexpr std::array<const char*, 2> kYurthubPods = {"/etc/kubernetes/cache/kubelet/pods.v1.core",
                                                     "/etc/kubernetes/cache/kubelet/pods"};
constexpr const char* kLogs = "/var/log/pods";

/// Of all pods of a large cluster.
constexpr std::size_t kListLimit = std::size_t{256} << 20;
/// More than the API server takes.
constexpr std::size_t kPodLimit = std::size_t{8} << 20;

/// What YurtHub calls a file that it has not written to the end.
constexpr std::string_view kUnfinished = "tmp_";
constexpr std::string_view kEnding = ".json";

std::string read_list(const std::string& name) {
  std::string text = read_named(name, kListLimit);
  if (text.size() > kListLimit)
    throw NoPods(
        "larger than 256 MiB; list the pods of this node: --field-selector "
        "spec.nodeName=NODE");
  return text;
}

/// Adds the pods of one namespace.
void add_yurthub_namespace(FileSystem& fs, const std::string& path, std::set<std::string>& pods) {
  const std::string pod_namespace = path.substr(path.rfind('/') + 1) + "/";
  const auto folder = fs.open_directory(path);
  if (!folder) return;
  for (const auto& entry : fs.list(*folder)) {
    const bool is_unfinished = entry.starts_with(kUnfinished);
    std::string name = is_unfinished ? entry.substr(kUnfinished.size()) : entry;
    if (name.ends_with(kEnding)) name.resize(name.size() - kEnding.size());
    std::string pod = pod_namespace + name;
    if (!is_unfinished) {
      try {
        require_pod(fs.read_regular(path + "/" + entry, kPodLimit), pod);
      } catch (const std::exception& error) {
        throw NoPods(path + "/" + entry + ": " + error.what());
      }
    }
    pods.insert(std::move(pod));
  }
}

/// False where there is no such folder.
bool add_yurthub_folder(FileSystem& fs, const std::string& path, std::set<std::string>& pods) {
  const auto folder = fs.open_directory(path);
  if (!folder) return false;
  for (const auto& pod_namespace : fs.list(*folder))
    add_yurthub_namespace(fs, path + "/" + pod_namespace, pods);
  return true;
}

}  // namespace

ExistingPods::ExistingPods(inspect::Node& node, const std::vector<std::string>& lists) {
  read_lists(lists);
  read_yurthub(node.fs());
  read_logs(node.fs());
  for (const auto& network : node.networks()) add_attached(network);
}

bool ExistingPods::has(const PodKey& pod) const {
  return listed_.contains(pod.display()) || others_.contains(pod.display());
}

void ExistingPods::read_lists(const std::vector<std::string>& lists) {
  for (const auto& name : lists) {
    try {
      for (auto& pod : parse_pod_list(read_list(name))) listed_.insert(std::move(pod));
    } catch (const std::exception& error) {
      troubles_.push_back("--pods " + name + ": " + error.what());
    }
  }
}

void ExistingPods::read_yurthub(FileSystem& fs) {
  std::set<std::string> pods;
  bool is_there = false;
  try {
    for (const char* path : kYurthubPods) is_there = add_yurthub_folder(fs, path, pods) || is_there;
    if (is_there && pods.empty())
      throw NoPods("/etc/kubernetes/cache/kubelet: there is no pod in YurtHub's cache");
  } catch (const std::exception& error) {
    troubles_.emplace_back(error.what());
  }
  listed_.merge(pods);
}

void ExistingPods::read_logs(FileSystem& fs) {
  try {
    const auto folder = fs.open_directory(kLogs);
    if (!folder) return;
    for (const auto& name : fs.list(*folder)) others_.insert(pod_of_log_folder(name));
  } catch (const std::system_error& error) {
    troubles_.emplace_back(error.what());
  }
}

/// Who has an address, dead or alive, and whom the runtime's cache knows. Who runs must also be in
/// a namespace that is listed: else the list is one of other namespaces.
void ExistingPods::add_attached(const Network& network) {
  for (const auto& [address, one] : network.survey.addresses) {
    if (!one.is_in_use) continue;
    if (one.binding) others_.insert(one.binding->pod.display());
    others_.insert(network.owner_of(one).key().display());
    if (one.is_bound_now() && !one.is_dead) require_namespace_of(one.binding->pod);
  }
  for (const auto& [container_id, cached] : network.cached) {
    if (cached.pod) others_.insert(cached.pod->display());
  }
}

void ExistingPods::require_namespace_of(const PodKey& runs) {
  if (!troubles_.empty() || !are_listed()) return;
  const std::string from = runs.pod_namespace + "/";
  const auto first = listed_.lower_bound(from);
  if (first != listed_.end() && first->starts_with(from)) return;
  troubles_.push_back(runs.display() +
                      " runs here, and no pod of its namespace is listed: list all namespaces "
                      "(kubectl get pods -A -o json)");
}

}  // namespace shim::change
