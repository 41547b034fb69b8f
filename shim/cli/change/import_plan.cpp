#include "shim/cli/change/import_plan.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "allocator/store/bindings.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::change {
namespace {

using namespace inspect;
using allocator::Address;
using allocator::Elsewhere;
using allocator::Family;
using allocator::Force;
using allocator::Hold;
using allocator::HoldFacts;
using allocator::PodKey;
using allocator::User;
using allocator::store::HandHold;
using allocator::store::LeaseStore;
using allocator::store::SurveyedAddress;
using validate::joined;

/// What there is to say where a binding is not made.
std::string_view why_not(Hold hold) {
  switch (hold) {
    case Hold::closed:
      return "its record, or the pod's, cannot be read: delegated-ipam list tells why";
    case Hold::in_use:
      return "in use by somebody else";
    case Hold::others:
      return "kept for another pod; --force ends that";
    case Hold::elsewhere:
      return "another address is kept for the pod; --force ends that";
    case Hold::elsewhere_in_use:
      return "the pod uses another address";
    case Hold::full:
      return "4096 addresses of the family are kept, or 16 of the pod: release some";
    case Hold::held:
    case Hold::bound_in_use:
    case Hold::already:
      break;
  }
  return "";
}

/// True for what no pod can have: the wildcard, loopback and multicast addresses, and the edges of
/// the subnets.
bool is_no_hosts(const Network& network, const Address& address) {
  const bool is_v4 = address.family() == Family::v4;
  const auto head = static_cast<unsigned>(address.number() >> (address_bits(address.family()) - 8));
  if (is_v4 && (head == 0 || head == 127 || head >= 224)) return true;
  if (!is_v4 && (address.number() <= 1 || head == 255)) return true;
  for (const auto& set : network.conf.allocation.sets) {
    for (const auto& range : set.ranges()) {
      const auto& subnet = range.subnet;
      if (subnet.prefix_length + 1 >= address_bits(subnet.address.family())) continue;
      if (address == subnet.network() || (is_v4 && address == subnet.last())) return true;
    }
  }
  return false;
}

/// Why the pod does not get the address today, though it is kept for it; empty: it does.
std::string why_dormant(const Network& network, const Address& address, const PodKey& pod) {
  const auto& [sets, reservations] =
      std::tie(network.conf.allocation.sets, network.conf.allocation.reservations);
  if (sets.empty()) return "the ranges are not known";
  const std::size_t set = set_of(sets, address);
  if (set == sets.size()) return "outside the ranges";
  if (sets[set].is_gateway(address)) return "a gateway";
  if (span_around(reservations, address) != nullptr) return "excluded";
  const auto* const pin = pin_on(reservations, address);
  if (pin == nullptr || is_of_pod(*pin, pod)) return {};
  return joined({"pinned to ", pin->pod_namespace, "/", pin->pod_name});
}

/// Why nothing can be kept in a network.
std::string why_nothing_is_kept(const Network& network) {
  if (!network.chooses())
    return joined({"given out by ", network.delegate, ", which keeps its own: ask that one"});
  if (network.is_host_locals())
    return "host-local itself hands out here: set ipam.type to delegated-ipam first";
  if (!network.conf.placement.retain.enabled) return "ipam.retain is false: nothing is kept";
  return {};
}

/// What is bound in a network, by pod, and what is wanted of it.
class NetworkPlan {
 public:
  NetworkPlan(const Network& network, Force force)
      : network_(network), force_(force), room_(held(network)) {
    for (const auto& [address, one] : network.survey.addresses) {
      if (one.binding) bound_[key_text(one.binding->pod)].push_back(&one);
    }
  }

  void want(const ImportedAddress& one) {
    const std::string key = key_text(one.pod);
    const auto [place, is_new] = wishes_.try_emplace(key);
    if (is_new) order_.push_back(key);
    auto& of_pod = place->second;
    const auto is_same = [&](const ImportedAddress* other) {
      return other->address == one.address;
    };
    if (std::any_of(of_pod.begin(), of_pod.end(), is_same)) return;
    of_pod.push_back(&one);
    ++claims_[one.address];
  }

  void add_changes(Changes& changes) {
    // Those that were given up last come first: they are kept where not all have room.
    for (auto key = order_.rbegin(); key != order_.rend(); ++key) judge(*key);
    const auto refusal = why_nothing_is_kept(network_);
    std::size_t next = 0;
    while (next < order_.size()) {
      Change& change = changes.emplace_back(Change{&network_});
      auto holds = std::make_shared<Batch>();
      for (; next < order_.size() && change.steps.size() < kBatch; ++next)
        add_pod(order_[next], change, *holds);
      if (!refusal.empty()) {
        for (auto& step : change.steps) refuse(step, refusal);
      } else if (!holds->pods.empty()) {
        change.make_each = [holds, force = force_](LeaseStore& store) {
          return make(store, *holds, force);
        };
      }
    }
  }

 private:
  using Wishes = std::vector<const ImportedAddress*>;

  /// What is made while the lock is held once: pods, and the steps that their addresses are.
  struct Batch {
    std::vector<HandHold> pods;
    std::vector<std::vector<std::size_t>> places;
  };

  static std::vector<allocator::HeldAddress> held(const Network& network) {
    std::vector<allocator::HeldAddress> all;
    for (const auto& [address, one] : network.survey.addresses) {
      if (one.binding && one.binding->sequence != 0 && !one.is_in_use)
        all.push_back(allocator::store::as_held(one.address, *one.binding));
    }
    return all;
  }

  static std::map<std::size_t, std::string> make(LeaseStore& store, const Batch& batch,
                                                 Force force) {
    const auto holds = store.hold_by_hand(batch.pods, force);
    std::map<std::size_t, std::string> obstacles;
    for (std::size_t pod = 0; pod < holds.size(); ++pod) {
      for (std::size_t number = 0; number < holds[pod].size(); ++number) {
        if (!is_kept(holds[pod][number]))
          obstacles.emplace(batch.places[pod][number], why_not(holds[pod][number]));
      }
    }
    return obstacles;
  }

  [[nodiscard]] SurveyedAddress surveyed(const Address& address) const {
    const SurveyedAddress* one = network_.survey.find(address);
    return one == nullptr ? SurveyedAddress(address) : *one;
  }

  /// A binding of this boot that no DEL has stamped, and no file: somebody removed it.
  [[nodiscard]] bool is_lost(const SurveyedAddress& one) const {
    return !one.is_in_use && one.binding && one.binding->sequence == 0 &&
           !one.binding->boot8.empty() &&
           one.binding->boot8 == allocator::boot8_of(network_.survey.boot_id);
  }

  /// The pod's attachment to the address, where somebody tells so.
  [[nodiscard]] std::optional<allocator::Attachment> attachment_of(
      const ImportedAddress& wanted, const SurveyedAddress& one) const {
    if (!one.attachment || wanted.attachment) return wanted.attachment;
    const Owner owner = network_.owner_of(one);
    const bool is_told =
        owner.is_known() ? owner.key() == wanted.pod : wanted.beside == network_.network_dir;
    return is_told ? one.attachment : std::nullopt;
  }

  [[nodiscard]] User user_of(const ImportedAddress& wanted, const SurveyedAddress& one) const {
    const bool is_own = one.binding && one.binding->pod == wanted.pod;
    if (!one.is_in_use && !is_lost(one)) return User::nobody;
    const auto attachment = attachment_of(wanted, one);
    const bool is_told_by_binding = !one.is_in_use || one.is_bound_now();
    const bool has_it = is_told_by_binding ? is_own : attachment && attachment == one.attachment;
    return has_it ? User::the_pod : User::somebody_else;
  }

  /// The pod's other address of the family.
  [[nodiscard]] const SurveyedAddress* other_of(const ImportedAddress& wanted) const {
    const auto found = bound_.find(key_text(wanted.pod));
    if (found == bound_.end()) return nullptr;
    const auto& wishes = wishes_.at(found->first);
    const SurveyedAddress* other = nullptr;
    for (const SurveyedAddress* one : found->second) {
      const bool is_wanted = std::any_of(wishes.begin(), wishes.end(), [&](const auto* wish) {
        return wish->address == one->address;
      });
      if (is_wanted || one->address.family() != wanted.address.family()) continue;
      if (other == nullptr || is_lost(*one) || one->is_bound_now()) other = one;
    }
    return other;
  }

  [[nodiscard]] HoldFacts facts_of(const ImportedAddress& wanted) const {
    const SurveyedAddress one = surveyed(wanted.address);
    const bool is_own = one.binding && one.binding->pod == wanted.pod;
    Elsewhere elsewhere = Elsewhere::no;
    if (const SurveyedAddress* other = other_of(wanted))
      elsewhere = is_lost(*other) || other->is_bound_now() ? Elsewhere::in_use : Elsewhere::held;
    return {allocator::store::as_held(wanted.address, {wanted.pod, {}, 1, 0, {}}),
            user_of(wanted, one),
            one.has_record && !one.binding,
            is_own,
            one.binding && !is_own,
            elsewhere};
  }

  /// Why the source itself is no reason for a binding; empty: it is.
  [[nodiscard]] std::string why_refused(const ImportedAddress& wanted, const Wishes& wishes) const {
    if (wanted.pod.pod_name.empty())
      return "the runtime's cache does not tell whose it is: its pod is bound at its DEL, or not";
    if (is_no_hosts(network_, wanted.address)) return "no address that a pod can have";
    if (network_.is_excluded({wanted.pod.pod_namespace, wanted.pod.pod_name, {}, {}, {}}))
      return "ipam.retain.exclude names the pod";
    if (claims_.at(wanted.address) > 1) return "several pods are said to have it";
    const ImportedAddress* better = better_of_set(wanted, wishes);
    if (better == nullptr) return {};
    return "the pod is said to have " + better->address.to_string() + ", too";
  }

  /// A pod has one address of each range set: the one that it uses, else the one that it had last.
  [[nodiscard]] const ImportedAddress* better_of_set(const ImportedAddress& wanted,
                                                     const Wishes& wishes) const {
    const auto& sets = network_.conf.allocation.sets;
    const std::size_t set = set_of(sets, wanted.address);
    if (set == sets.size()) return nullptr;
    const ImportedAddress* best = nullptr;
    for (const ImportedAddress* one : wishes) {
      if (!sets[set].contains(one->address)) continue;
      const auto uses = [&](const ImportedAddress& which) {
        return user_of(which, surveyed(which.address)) == User::the_pod;
      };
      if (best == nullptr || uses(*one) || !uses(*best)) best = one;
    }
    return best == &wanted ? nullptr : best;
  }

  void judge(const std::string& key) {
    const Wishes& wishes = wishes_.at(key);
    std::vector<HoldFacts> facts;
    for (const ImportedAddress* wanted : wishes) {
      auto why = why_refused(*wanted, wishes);
      if (why.empty()) facts.push_back(facts_of(*wanted));
      reasons_[key].push_back(std::move(why));
    }
    holds_[key] = judge_holds(facts, force_, room_);
  }

  void add_pod(const std::string& key, Change& change, Batch& batch) {
    HandHold pod;
    std::vector<std::size_t> places;
    auto hold = holds_.at(key).begin();
    auto reason = reasons_.at(key).begin();
    for (const ImportedAddress* wanted : wishes_.at(key)) {
      const SurveyedAddress one = surveyed(wanted->address);
      Step& step = change.steps.emplace_back(make_step(network_, one));
      if (!wanted->pod.pod_name.empty()) step.owner = owner_of(*wanted);
      const std::string refusal = *reason++;
      const std::string why = refusal.empty() ? why_kept_or_not(*wanted, one, *hold) : refusal;
      if (!refusal.empty() || !is_kept(*hold)) {
        refuse(step, why);
      } else {
        settle(step, one, *hold, why);
        pod.pod = wanted->pod;
        pod.uid = wanted->uid;
        pod.addresses.push_back({wanted->address, wanted->kept, attachment_of(*wanted, one)});
        places.push_back(change.steps.size() - 1);
      }
      if (refusal.empty()) ++hold;
    }
    if (places.empty()) return;
    batch.pods.push_back(std::move(pod));
    batch.places.push_back(std::move(places));
  }

  static Owner owner_of(const ImportedAddress& wanted) {
    return {wanted.pod.pod_namespace, wanted.pod.pod_name, wanted.pod.ifname, wanted.uid, {}};
  }

  void settle(Step& step, const SurveyedAddress& one, Hold hold, const std::string& why) const {
    step.why = why;
    if (hold == Hold::already) step.course = Course::left;
    if (hold == Hold::held) step.becomes = unused_state_of(network_, one.address, true);
  }

  [[nodiscard]] std::string why_kept_or_not(const ImportedAddress& wanted,
                                            const SurveyedAddress& one, Hold hold) const {
    if (!is_kept(hold)) return joined({why_not(hold), detail_of(wanted, one, hold)});
    std::string why = hold == Hold::already        ? "it was so"
                      : hold == Hold::bound_in_use ? "the pod uses it: bound to it"
                                                   : "kept for the pod";
    if (is_news(hold) && one.binding) why += ", no longer for " + one.binding->pod.display();
    const SurveyedAddress* other = is_news(hold) ? other_of(wanted) : nullptr;
    if (other != nullptr) why += ", which loses " + other->address.to_string();
    const std::string dormant = why_dormant(network_, wanted.address, wanted.pod);
    if (!dormant.empty()) why += "; not given to it while " + dormant;
    return why;
  }

  /// Who it is that is in the way.
  [[nodiscard]] std::string detail_of(const ImportedAddress& wanted, const SurveyedAddress& one,
                                      Hold hold) const {
    if (hold == Hold::elsewhere || hold == Hold::elsewhere_in_use) {
      const SurveyedAddress* other = other_of(wanted);
      return other == nullptr ? std::string() : ": " + other->address.to_string();
    }
    const Owner owner =
        hold == Hold::in_use || hold == Hold::others ? network_.owner_of(one) : Owner{};
    return owner.is_known() ? ": " + owner.key().display() : std::string();
  }

  const Network& network_;
  Force force_;
  allocator::HeldRoom room_;
  std::unordered_map<std::string, std::vector<const SurveyedAddress*>> bound_;
  std::unordered_map<std::string, Wishes> wishes_;
  std::vector<std::string> order_;  ///< the pods, as they came
  std::map<Address, std::size_t> claims_;
  std::unordered_map<std::string, std::vector<std::string>> reasons_;
  std::unordered_map<std::string, std::vector<Hold>> holds_;  ///< of the addresses without a reason
};

/// Where an address goes, or why nowhere.
struct Place {
  const Network* network = nullptr;
  std::string why = {};
};

/// The only one that is so; `none` and `several` say what is wrong else.
template <typename IsSo>
Place only_one(const Networks& networks, IsSo is_so, std::string_view none,
               std::string_view several) {
  Place place;
  std::string names;
  for (const auto& network : networks) {
    if (!is_so(network)) continue;
    names += (names.empty() ? "" : ", ") + network.name;
    if (place.network != nullptr) place.why = several;
    if (place.network == nullptr) place.network = &network;
  }
  if (place.network == nullptr) place.why = none;
  if (!place.why.empty() && place.network != nullptr) place = {nullptr, place.why + ": " + names};
  return place;
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
  std::map<const Network*, NetworkPlan> plans;
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
