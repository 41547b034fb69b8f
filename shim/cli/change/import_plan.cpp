#include "shim/cli/change/import_plan.hpp"

#include <algorithm>
#include <map>

#include "shim/cli/change/import_network.hpp"

namespace shim::change {
namespace {

using namespace inspect;

/// Where an address goes, or why nowhere.
struct Place {
  const Network* network = nullptr;
  std::string why = {};
};

/// The only one that is so; `none` and `several` say what is wrong else.
template <typename IsSo>
Place only_one(const Networks& networks, IsSo is_so, std::string_view none,
               std::string_view several) {
  std::vector<const Network*> found;
  std::string names;
  for (const auto& network : networks) {
    if (!is_so(network)) continue;
    names += (found.empty() ? "" : ", ") + network.name;
    found.push_back(&network);
  }
  if (found.size() == 1) return {found.front()};
  return {nullptr, found.empty() ? std::string(none) : std::string(several) + ": " + names};
}

Place place_of(const Networks& networks, const ImportedAddress& one, const ImportManner& manner) {
  if (!one.folder.empty())
    return only_one(
        networks, [&](const Network& network) { return network.network_dir == one.folder; }, "",
        "");
  const auto is_called = [](const std::string& name) {
    return [&name](const Network& network) { return network.name == name; };
  };
  const std::string& name = manner.network.empty() ? one.network : manner.network;
  const bool is_known = std::any_of(networks.begin(), networks.end(), is_called(name));
  if (is_known)
    return only_one(networks, is_called(name), "",
                    "several networks have the name; say which with --data-dir");
  return only_one(
      networks,
      [&](const Network& network) {
        const auto& sets = network.conf.allocation.sets;
        return set_of(sets, one.address) < sets.size();
      },
      "in no network's ranges; name the network with --network",
      "in the ranges of several networks; name one with --network");
}

}  // namespace

Changes plan_import(const Networks& networks, const ImportSource& source,
                    const ImportManner& manner) {
  static const Network kNowhere;
  Change nowhere{&kNowhere};
  std::map<const Network*, NetworkImport> plans;
  for (const auto& one : source.addresses) {
    const Place place = place_of(networks, one, manner);
    if (place.network != nullptr) {
      plans.try_emplace(place.network, *place.network, manner.force).first->second.want(one);
      continue;
    }
    Step& step =
        nowhere.steps.emplace_back(Step{one.address, {}, {}, State::free, State::free, {}});
    step.owner = {one.pod.pod_namespace, one.pod.pod_name, one.pod.ifname, one.uid, {}};
    refuse(step, place.why);
  }
  Changes changes;
  for (const auto& network : networks) {
    const auto plan = plans.find(&network);
    if (plan != plans.end()) plan->second.add_changes(changes);
  }
  if (!nowhere.steps.empty()) changes.push_back(std::move(nowhere));
  return changes;
}

}  // namespace shim::change
