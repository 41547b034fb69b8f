#include "shim/cli/change/import_source.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "allocator/store/alive/death.hpp"
#include "allocator/store/boot_scan.hpp"
#include "shim/cli/inspect/networks/yurthub_cache.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::change {
namespace {

using namespace inspect;
using allocator::Address;
using allocator::store::CachedAttachment;
using allocator::store::Directory;
using allocator::store::FileSystem;
using allocator::store::kPodInterface;
using allocator::store::SurveyedAddress;

constexpr Rule kPodUnreadable{"import-pod-unreadable", Severity::warning, Reboot::safe,
                              "nothing, if the pod is gone; else let YurtHub write the file again"};

bool is_folder(FileSystem& fs, const std::string& path) {
  try {
    return fs.open_directory(path).has_value();
  } catch (const std::system_error&) {
    return false;  // whoever reads it says what it is
  }
}

/// For what is in use no DEL has come yet: unsigned arithmetic makes the largest number of its 0.
std::uint64_t order_of(const ExportedBinding& binding) { return binding.sequence - 1; }

using InUse = std::multimap<std::string, const SurveyedAddress*>;

/// By container: the addresses in use that no record binds to who has them.
InUse unbound_in(const Network& network) {
  InUse found;
  for (const auto& [address, one] : network.survey.addresses) {
    const bool counts = one.is_in_use && one.attachment && !one.is_bound_now() &&
                        !allocator::store::has_no_namespace(*one.attachment);
    if (counts) found.emplace(one.attachment->container_id, &one);
  }
  return found;
}

/// The runtime's entries, the newest last: of several sandboxes of a pod it is the one that counts.
std::vector<const CachedAttachment*> by_age(const Network& network) {
  std::vector<const CachedAttachment*> all;
  for (const auto& [container, one] : network.cached) all.push_back(&one);
  std::sort(all.begin(), all.end(), [](const auto* left, const auto* right) {
    return std::tie(left->written_ns, left->entry) < std::tie(right->written_ns, right->entry);
  });
  return all;
}

void add_used(const Network& network, const SurveyedAddress& one, const allocator::PodKey& pod,
              const std::string& uid, ImportSource& source) {
  ImportedAddress& added = source.add(one.address, pod, uid);
  added.network = network.name;
  added.folder = network.network_dir;
  added.attachment = one.attachment;
}

/// What the cache knows leaves the list.
void add_known(const Network& network, InUse& unbound, ImportSource& source) {
  for (const CachedAttachment* cached : by_age(network)) {
    const auto [first, last] = unbound.equal_range(cached->attachment.container_id);
    for (auto at = first; at != last;) {
      const SurveyedAddress& one = *at->second;
      const auto here = at++;
      if (*one.attachment != cached->attachment) continue;
      unbound.erase(here);
      const bool is_kept = cached->pod && !network.is_excluded(network.owner_of(one));
      if (is_kept) add_used(network, one, *cached->pod, cached->uid, source);
    }
  }
}

void add_pod(FileSystem& fs, const YurthubFile& file, ImportSource& source) {
  const auto complain = [&](std::string_view why) {
    found(source.findings, kPodUnreadable, {}, file.path, why);
  };
  try {
    const auto pod = parse_yurthub_pod(read_yurthub(fs, file));
    if (!pod) return complain("names no pod");
    for (const auto& address : pod->addresses)
      source.add(address, {pod->name_space, pod->name, kPodInterface}, pod->uid);
  } catch (const std::system_error& error) {
    complain(error.code().message());
  } catch (const std::exception& error) {
    complain(error.what());
  }
}

/// The folder of pods; of two layouts today's, as the other one is what an update left behind.
Directory pods_folder(FileSystem& fs, const std::string& named) {
  const std::string top = named.empty() ? kYurthubCache : validate::clean_path(named);
  for (const char* below : {"/kubelet/pods.v1.core", "/kubelet/pods", "/pods.v1.core", "/pods"}) {
    if (auto folder = fs.open_directory(top + below)) return std::move(*folder);
  }
  const bool is_it = top.ends_with("/pods.v1.core") || top.ends_with("/pods");
  auto folder = is_it ? fs.open_directory(top) : std::nullopt;
  if (!folder)
    throw UsageError("--from yurthub: there are no pods in " + top +
                     "; name YurtHub's cache folder, which has kubelet/pods.v1.core in it");
  return std::move(*folder);
}

}  // namespace

ImportedAddress& ImportSource::add(const Address& address, const allocator::PodKey& pod,
                                   const std::string& uid) {
  return addresses.emplace_back(ImportedAddress{address, pod, uid});
}

ImportSource read_exported(FileSystem& fs, const std::string& path) {
  if (path != "-" && is_folder(fs, path))
    throw UsageError(path + ": is a folder; say whose it is with --from openyurt or yurthub");
  const ExportedNode node = read_export_file(path);
  std::vector<std::pair<const ExportedNetwork*, const ExportedBinding*>> all;
  for (const auto& network : node.networks) {
    for (const auto& binding : network.bindings) all.emplace_back(&network, &binding);
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& left, const auto& right) {
    return order_of(*left.second) < order_of(*right.second);
  });
  ImportSource source{{}, node.node};
  for (const auto& [network, one] : all) {
    ImportedAddress& added = source.add(one->address, one->pod, one->uid);
    added.kept = one->kept;
    added.network = network->name;
  }
  return source;
}

ImportSource read_host_local(const Networks& networks) {
  ImportSource source;
  for (const auto& network : networks) {
    if (!network.chooses()) continue;
    InUse unbound = unbound_in(network);
    add_known(network, unbound, source);
    for (const auto& [container, one] : unbound) add_used(network, *one, {}, {}, source);
  }
  return source;
}

ImportSource read_markers(FileSystem& fs, const std::string& folder) {
  const std::string path = validate::clean_path(folder);
  const auto opened = fs.open_directory(path);
  if (!opened) throw UsageError(path + ": is missing; name the folder of OpenYurt's host-local");
  ImportSource source;
  for (const auto& name : sorted_names(fs, *opened)) {
    const auto marker = allocator::store::parse_marker(name);
    if (marker) source.add(marker->address, marker->pod).beside = path;
  }
  return source;
}

ImportSource read_yurthub(FileSystem& fs, const std::string& folder) {
  const Directory pods = pods_folder(fs, folder);
  ImportSource source;
  visit_yurthub(fs, pods, Strays::skipped,
                [&](const YurthubFile& file) { add_pod(fs, file, source); });
  return source;
}

}  // namespace shim::change
