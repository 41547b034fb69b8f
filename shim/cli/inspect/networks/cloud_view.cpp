#include "shim/cli/inspect/networks/cloud_view.hpp"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "allocator/store/boot_scan.hpp"
#include "shim/cli/inspect/networks/states.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

using allocator::Address;
using allocator::PodKey;
using allocator::store::kPodInterface;
using allocator::store::SurveyedAddress;
using validate::joined;

bool is_live(const SurveyedAddress& one) { return one.is_in_use && !one.is_dead; }

bool is_bound_to(const SurveyedAddress& one, const std::string& pod) {
  return one.binding && one.binding->pod.display() == pod;
}

/// Beside the components' folders there may be others' files.
bool is_file(allocator::store::FileSystem& fs, const std::string& path) {
  try {
    return !fs.open_directory(path);
  } catch (const std::system_error& error) {
    return error.code().value() == ENOTDIR;
  }
}

}  // namespace

CloudView::CloudView(Node& node) : node_(node) {
  for (const auto& network : node.networks()) look_at(network);
  read_names();
  read_pods();
  read_slices();
}

/// Of a pod with several containers of which something is known the one counts that it is bound by.
void CloudView::look_at(const Network& network) {
  std::set<std::string> bound;
  for (const auto& [address, one] : network.survey.addresses) {
    if (!is_live(one) || !one.is_bound_now() || one.binding->pod.ifname != kPodInterface) continue;
    live_[one.binding->pod.display()].push_back(one.address);
    bound.insert(one.binding->pod.display());
  }
  for (const auto& [address, one] : network.survey.addresses) {
    if (!is_live(one) || one.is_bound_now()) continue;
    const Owner owner = network.owner_of(one);
    const bool is_first = owner.is_known() && owner.ifname == kPodInterface;
    if (is_first && !bound.contains(owner.key().display()))
      live_[owner.key().display()].push_back(one.address);
  }
}

/// kubelet asks for its own Node only: that has the name which the cluster has for it.
void CloudView::read_names() {
  if (const std::string name = node_.name(); !name.empty()) names_.insert(name);
  for (const char* layout : kYurthubNodes) {
    try {
      const auto folder = node_.fs().open_directory(joined({kYurthubCache, "/kubelet", layout}));
      if (!folder) continue;
      for (const auto& name : sorted_names(node_.fs(), *folder)) names_.insert(object_name(name));
    } catch (const std::system_error&) {
      continue;  // of the pods it is told
    }
  }
}

/// What the kind of object is called that a component has. Of two layouts today's counts: the other
/// one is what an update left behind.
void CloudView::visit(const std::string& component, const YurthubLayouts& layouts,
                      void (CloudView::*read)(const YurthubFile&)) {
  for (const char* layout : layouts) {
    const std::string path = joined({kYurthubCache, "/", component, layout});
    try {
      const auto folder = node_.fs().open_directory(path);
      if (!folder) continue;
      visit_yurthub(node_.fs(), *folder, Strays::skipped, [&](const YurthubFile& file) {
        if (!file.is_unfinished) (this->*read)(file);
      });
    } catch (const std::system_error& error) {
      unreadable(path, error.code().message());
    }
    return;
  }
}

void CloudView::read_pods() {
  visit("kubelet", kYurthubPods, &CloudView::read_pod);
  if (!has_own_ && !strangers_.empty()) tell_of_strangers();
}

void CloudView::read_pod(const YurthubFile& file) {
  try {
    const auto pod = parse_yurthub_pod(read_yurthub(node_.fs(), file));
    if (!pod || pod->name != file.name || pod->name_space != file.name_space)
      return unreadable(file.path, joined({"is not the pod ", file.name_space, "/", file.name}));
    if (!is_of_here(pod->node)) {
      strangers_.insert(pod->node);
      return;
    }
    has_own_ = true;
    if (pod->has_address) compare(file, *pod);
  } catch (const std::exception& error) {
    unreadable(file.path, error.what());
  }
}

void CloudView::compare(const YurthubFile& file, const YurthubPod& pod) {
  const std::string name = pod.name_space + "/" + pod.name;
  told_[name] = pod.addresses;
  if (const std::string stale = stale_text(name, pod.addresses); !stale.empty()) {
    found(node_.findings(), rules::kCloudPod, {}, file.path,
          joined({name, " has ", listed(now(name)), "; ", stale}));
    return;
  }
  if (!now(name).empty()) return;
  for (const auto& address : pod.addresses) {
    const std::string other = waits_for(name, address) ? "" : holder(address);
    if (!other.empty())
      found(node_.findings(), rules::kCloudPod, {}, file.path,
            joined({name, ": the cloud knows ", address.to_string(), ", which ", other,
                    " has now: what is meant for the one reaches the other"}));
  }
}

/// Where this node is not called what it seems to be nothing must look as if all was well.
void CloudView::tell_of_strangers() {
  std::string names;
  for (const auto& name : strangers_) names.append(names.empty() ? "" : ", ").append(name);
  found(node_.findings(), rules::kCloudStranger, {}, joined({kYurthubCache, "/kubelet"}),
        joined({"has pods of ", names, " only, and this node is ", node_.name(),
                ": they are not compared"}));
}

void CloudView::read_slices() {
  try {
    const auto cache = node_.fs().open_directory(kYurthubCache);
    if (!cache) return;
    for (const auto& component : sorted_names(node_.fs(), *cache)) {
      if (!is_file(node_.fs(), joined({kYurthubCache, "/", component})))
        visit(component, kYurthubSlices, &CloudView::read_slice);
    }
  } catch (const std::system_error& error) {
    unreadable(kYurthubCache, error.code().message());
  }
}

void CloudView::read_slice(const YurthubFile& file) {
  try {
    const Json slice = parse_json(read_yurthub(node_.fs(), file));
    if (validate::text_at(slice, "metadata/name") != file.name)
      return unreadable(file.path,
                        joined({"is not the EndpointSlice ", file.name_space, "/", file.name}));
    for (const auto& endpoint : validate::elements_at(slice, "endpoints"))
      look_at_endpoint(file, endpoint);
  } catch (const std::exception& error) {
    unreadable(file.path, error.what());
  }
}

/// An endpoint that names no node is this one's when its pod is.
void CloudView::look_at_endpoint(const YurthubFile& file, const Json& endpoint) {
  if (validate::text_at(endpoint, "targetRef/kind") != "Pod") return;
  const auto name_space = validate::text_at(endpoint, "targetRef/namespace");
  const std::string pod =
      joined({name_space.empty() ? std::string_view(file.name_space) : name_space, "/",
              validate::text_at(endpoint, "targetRef/name")});
  const std::string on_node(validate::text_at(endpoint, "nodeName"));
  if (on_node.empty() ? now(pod).empty() && !told_.contains(pod) : !is_of_here(on_node)) return;
  for (const auto& one : validate::elements_at(endpoint, "addresses")) {
    const auto address =
        one.is_string() ? Address::parse(one.get<std::string>()) : std::optional<Address>();
    if (address) judge_endpoint(file, pod, *address);
  }
}

/// Of a pod that does not run here only addresses of these networks are judged: others may be those
/// of the host, or of other plugins.
void CloudView::judge_endpoint(const YurthubFile& file, const std::string& pod,
                               const Address& address) {
  const auto& has = now(pod);
  if (contains(has, address) || waits_for(pod, address)) return;
  if (has.empty() && !is_of_a_network(address)) return;
  if (!judged_.insert(joined({pod, " ", address.to_string()})).second) return;
  const std::string other = holder(address);
  found(node_.findings(), rules::kCloudSlice, {}, file.path,
        joined({"sends what is for ", pod, " to ", address.to_string(), ", which ",
                other.empty() ? "nobody" : other, " has now; ", pod,
                has.empty() ? " does not run here" : joined({" has ", listed(has)})}));
}

std::vector<Address> CloudView::addresses_of(const PodKey& pod) const {
  const auto known = told_.find(pod.display());
  return known == told_.end() || pod.ifname != kPodInterface ? Addresses() : known->second;
}

std::string CloudView::contradiction(const PodKey& pod) const {
  const auto known = addresses_of(pod);
  return known.empty() ? std::string() : stale_text(pod.display(), known);
}

/// Of a pod that runs here: what the cloud knows, and the pod has not.
std::string CloudView::stale_text(const std::string& pod, const Addresses& known) const {
  const auto& has = now(pod);
  Addresses stale;
  for (const auto& address : known) {
    if (!has.empty() && !contains(has, address)) stale.push_back(address);
  }
  if (stale.empty()) return {};
  return joined({"the cloud knows ", listed(stale), ": Services do not reach it"});
}

bool CloudView::is_of_here(const std::string& node_name) const {
  return node_name.empty() || names_.empty() || names_.contains(node_name);
}

const std::vector<Address>& CloudView::now(const std::string& pod) const {
  static const Addresses kNone;
  const auto known = live_.find(pod);
  return known == live_.end() ? kNone : known->second;
}

bool CloudView::is_of_a_network(const Address& address) const {
  const auto& all = node_.networks();
  return std::any_of(all.begin(), all.end(), [&](const Network& network) {
    const auto& sets = network.conf.allocation.sets;
    return network.survey.find(address) != nullptr || set_of(sets, address) < sets.size();
  });
}

/// True where its pod gets it when it comes back.
bool CloudView::waits_for(const std::string& pod, const Address& address) const {
  const auto& all = node_.networks();
  return std::any_of(all.begin(), all.end(), [&](const Network& network) {
    const SurveyedAddress* one = network.survey.find(address);
    return one != nullptr && !is_live(*one) && is_bound_to(*one, pod);
  });
}

/// Who has the address and lives, as far as is known; empty for nobody.
std::string CloudView::holder(const Address& address) const {
  for (const auto& network : node_.networks()) {
    const SurveyedAddress* one = network.survey.find(address);
    if (one == nullptr || !is_live(*one)) continue;
    const Owner owner = network.owner_of(*one);
    return owner.is_known() ? owner.key().display() : "a container of which no pod is known";
  }
  return {};
}

void CloudView::unreadable(const std::string& path, std::string_view why) {
  found(node_.findings(), rules::kCloudUnreadable, {}, path, why);
}

}  // namespace shim::inspect
