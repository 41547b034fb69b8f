#include "shim/cli/change/gc/existing_pods.hpp"

#include <system_error>

#include "shim/cli/change/gc/kubelet_pods.hpp"
#include "shim/cli/change/gc/pod_lists.hpp"
#include "shim/cli/inspect/networks/yurthub_cache.hpp"
#include "shim/cli/named_input.hpp"

namespace shim::change {
namespace {

using allocator::PodKey;
using allocator::store::FileSystem;
using inspect::kYurthubCache;
using inspect::kYurthubPods;
using inspect::Network;
using inspect::read_yurthub;
using inspect::Strays;
using inspect::visit_yurthub;
using inspect::YurthubFile;

constexpr const char* kLogs = "/var/log/pods";

/// For a list that the kubelet has in memory.
constexpr std::chrono::seconds kKubeletPatience{5};

/// Of all pods of a large cluster.
constexpr std::size_t kListLimit = std::size_t{256} << 20;

std::string read_list(const std::string& name) {
  std::string text = read_named(name, kListLimit);
  if (text.size() > kListLimit)
    throw NoPods(
        "larger than 256 MiB; list the pods of this node: --field-selector "
        "spec.nodeName=NODE");
  return text;
}

/// Strictly: one file that is not understood, and the list might be a longer one.
void add_yurthub_file(FileSystem& fs, const YurthubFile& file, std::set<std::string>& pods) {
  std::string pod = file.name_space + "/" + file.name;
  if (!file.is_unfinished) {
    try {
      require_pod(read_yurthub(fs, file), pod);
    } catch (const std::exception& error) {
      throw NoPods(file.path + ": " + error.what());
    }
  }
  pods.insert(std::move(pod));
}

/// False where there is no such folder.
bool add_yurthub_folder(FileSystem& fs, const std::string& path, std::set<std::string>& pods) {
  const auto folder = fs.open_directory(path);
  if (!folder) return false;
  visit_yurthub(fs, *folder, Strays::refused,
                [&](const YurthubFile& file) { add_yurthub_file(fs, file, pods); });
  return true;
}

}  // namespace

ExistingPods::ExistingPods(inspect::Node& node, const std::vector<std::string>& lists) {
  read_lists(lists);
  if (!node.fs().has_root()) read_kubelet();
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

void ExistingPods::read_kubelet() {
  try {
    auto pods = ask_kubelet(kKubeletSocket, kKubeletPatience);
    if (pods) listed_.insert(pods->begin(), pods->end());
  } catch (const std::exception& error) {
    troubles_.push_back(std::string("kubelet's Pods API, ") + kKubeletSocket + ": " + error.what());
  }
}

void ExistingPods::read_yurthub(FileSystem& fs) {
  const std::string kubelet = std::string(kYurthubCache) + "/kubelet";
  std::set<std::string> pods;
  bool is_there = false;
  try {
    for (const char* layout : kYurthubPods)
      is_there = add_yurthub_folder(fs, kubelet + layout, pods) || is_there;
    if (is_there && pods.empty()) throw NoPods(kubelet + ": there is no pod in YurtHub's cache");
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
