#include "shim/cli/change/import_network.hpp"

#include <algorithm>
#include <memory>

#include "allocator/store/bindings.hpp"
#include "shim/cli/change/import_rules.hpp"

namespace shim::change {

using namespace inspect;
using allocator::Attachment;
using allocator::Elsewhere;
using allocator::Family;
using allocator::Force;
using allocator::HeldAddress;
using allocator::Hold;
using allocator::HoldFacts;
using allocator::PodKey;
using allocator::User;
using allocator::store::HandHold;
using allocator::store::LeaseStore;
using allocator::store::SurveyedAddress;

/// What is made while the lock is held once: pods, and the steps that their addresses are.
struct NetworkImport::Batch {
  std::vector<HandHold> pods;
  std::vector<std::vector<std::size_t>> places;

  /// Returns what must not be made any more.
  [[nodiscard]] std::map<std::size_t, std::string> make(LeaseStore& store, Force force) const {
    const auto holds = store.hold_by_hand(pods, force);
    std::map<std::size_t, std::string> obstacles;
    for (std::size_t pod = 0; pod < holds.size(); ++pod) {
      for (std::size_t number = 0; number < holds[pod].size(); ++number) {
        const Hold hold = holds[pod][number];
        if (!is_kept(hold)) obstacles.emplace(places[pod][number], why_not(hold));
      }
    }
    return obstacles;
  }
};

namespace {

std::vector<HeldAddress> held_in(const Network& network) {
  std::vector<HeldAddress> held;
  for (const auto& [address, one] : network.survey.addresses) {
    if (one.binding && one.binding->sequence != 0 && !one.is_in_use)
      held.push_back(allocator::store::as_held(one.address, *one.binding));
  }
  return held;
}

bool is_pods(const SurveyedAddress& one, const ImportedAddress& wanted) {
  return one.binding && one.binding->pod == wanted.pod;
}

Owner as_owner(const ImportedAddress& wanted) {
  return {wanted.pod.pod_namespace, wanted.pod.pod_name, wanted.pod.ifname, wanted.uid, {}};
}

}  // namespace

NetworkImport::NetworkImport(const Network& network, Force force)
    : network_(network), force_(force), room_(held_in(network)) {
  for (const auto& [address, one] : network.survey.addresses) {
    if (one.binding) pods_[key_text(one.binding->pod)].known.push_back(&one);
    if (!one.is_in_use || one.is_bound_now()) continue;
    const Owner owner = network.owner_of(one);
    if (owner.is_known()) pods_[key_text(owner.key())].known.push_back(&one);
  }
}

void NetworkImport::want(const ImportedAddress& one) {
  Pod& pod = pods_[key_text(one.pod)];
  const bool is_known = std::any_of(pod.wishes.begin(), pod.wishes.end(), [&](const Wish& wish) {
    return wish.wanted->address == one.address;
  });
  if (is_known) return;
  if (pod.wishes.empty()) order_.push_back(&pod);
  pod.wishes.push_back({&one});
  ++claims_[one.address];
}

void NetworkImport::add_changes(Changes& changes) {
  // The pods that were there last come first: they have their addresses where not all have room.
  for (auto pod = order_.rbegin(); pod != order_.rend(); ++pod) judge(**pod);
  const auto refusal = why_nothing_is_kept(network_);
  for (auto next = order_.begin(); next != order_.end();) {
    Change& change = changes.emplace_back(Change{&network_});
    const auto batch = std::make_shared<Batch>();
    while (next != order_.end() && change.steps.size() < kBatch)
      add_steps(**next++, change, *batch);
    if (!refusal.empty()) {
      for (auto& step : change.steps) refuse(step, refusal);
    } else if (!batch->pods.empty()) {
      change.make_each = [batch, force = force_](LeaseStore& store) {
        return batch->make(store, force);
      };
    }
  }
}

SurveyedAddress NetworkImport::here(const ImportedAddress& wanted) const {
  const SurveyedAddress* one = network_.survey.find(wanted.address);
  return one == nullptr ? SurveyedAddress(wanted.address) : *one;
}

/// By who is bound to it: its file is there, or was in this boot, and somebody removed it.
bool NetworkImport::is_used(const SurveyedAddress& one) const {
  if (one.is_in_use || !one.binding) return one.is_bound_now();
  const auto& boot8 = one.binding->boot8;
  return one.binding->sequence == 0 && !boot8.empty() &&
         boot8 == allocator::boot8_of(network_.survey.boot_id);
}

/// The pod's attachment to the address, where somebody tells so: the runtime's cache, or a marker
/// beside the address' own file.
std::optional<Attachment> NetworkImport::attachment_of(const ImportedAddress& wanted,
                                                       const SurveyedAddress& one) const {
  if (!one.attachment || wanted.attachment) return wanted.attachment;
  const Owner owner = network_.owner_of(one);
  const bool is_told =
      owner.is_known() ? owner.key() == wanted.pod : wanted.beside == network_.network_dir;
  return is_told ? one.attachment : std::nullopt;
}

User NetworkImport::user_of(const ImportedAddress& wanted, const SurveyedAddress& one) const {
  if (!one.is_in_use && !is_used(one)) return User::nobody;
  const auto attachment = attachment_of(wanted, one);
  const bool has_it =
      is_used(one) ? is_pods(one, wanted) : attachment.has_value() && attachment == one.attachment;
  return has_it ? User::the_pod : User::somebody_else;
}

/// By its record, or by the runtime's cache.
bool NetworkImport::uses(const PodKey& pod, const SurveyedAddress& one) const {
  if (!one.is_in_use) return is_used(one) && one.binding->pod == pod;
  const Owner owner = network_.owner_of(one);
  return owner.is_known() && owner.key() == pod;
}

/// Another address of the family that the pod has, rather one that it uses; nullptr for none.
const SurveyedAddress* NetworkImport::other_of(const Pod& pod, Family family) const {
  const SurveyedAddress* other = nullptr;
  for (const SurveyedAddress* one : pod.known) {
    const bool is_wanted = std::any_of(pod.wishes.begin(), pod.wishes.end(), [&](const Wish& wish) {
      return wish.wanted->address == one->address;
    });
    if (is_wanted || one->address.family() != family) continue;
    if (other == nullptr || uses(pod.wishes.front().wanted->pod, *one)) other = one;
  }
  return other;
}

HoldFacts NetworkImport::facts_of(const Pod& pod, const ImportedAddress& wanted) const {
  const SurveyedAddress one = here(wanted);
  const bool is_own = is_pods(one, wanted);
  const SurveyedAddress* other = other_of(pod, wanted.address.family());
  const Elsewhere elsewhere = other == nullptr           ? Elsewhere::no
                              : uses(wanted.pod, *other) ? Elsewhere::in_use
                                                         : Elsewhere::held;
  return {allocator::store::as_held(wanted.address, {wanted.pod, {}, 1, 0, {}}),
          user_of(wanted, one),
          one.has_record && !one.binding,
          is_own,
          one.binding && !is_own,
          elsewhere};
}

std::string NetworkImport::why_refused(const Pod& pod, const ImportedAddress& wanted) const {
  if (wanted.pod.pod_name.empty()) return "the runtime's cache does not know its container";
  if (is_no_pods(wanted.pod, wanted.uid)) return "no names that a pod can have";
  if (is_no_hosts(network_, wanted.address)) return "no address that a pod can have";
  if (network_.is_excluded(as_owner(wanted))) return "ipam.retain.exclude names the pod";
  if (claims_.at(wanted.address) > 1) return "several pods are said to have it";
  const ImportedAddress* best = best_of_set(pod, wanted);
  if (best == &wanted) return {};
  return "the pod is said to have " + best->address.to_string() + ", too";
}

/// A pod has one address of each range set: the one that it uses, else the one that it had last.
const ImportedAddress* NetworkImport::best_of_set(const Pod& pod,
                                                  const ImportedAddress& wanted) const {
  const auto& sets = network_.conf.allocation.sets;
  const std::size_t set = set_of(sets, wanted.address);
  if (set == sets.size()) return &wanted;
  const auto uses = [&](const ImportedAddress& one) {
    return user_of(one, here(one)) == User::the_pod;
  };
  const ImportedAddress* best = nullptr;
  for (const Wish& wish : pod.wishes) {
    if (!sets[set].contains(wish.wanted->address)) continue;
    if (best == nullptr || uses(*wish.wanted) || !uses(*best)) best = wish.wanted;
  }
  return best;
}

void NetworkImport::judge(Pod& pod) {
  std::vector<HoldFacts> facts;
  std::vector<Wish*> judged;
  for (Wish& wish : pod.wishes) {
    wish.refusal = why_refused(pod, *wish.wanted);
    if (!wish.refusal.empty()) continue;
    facts.push_back(facts_of(pod, *wish.wanted));
    judged.push_back(&wish);
  }
  const auto holds = judge_holds(facts, force_, room_);
  for (std::size_t number = 0; number < holds.size(); ++number)
    judged[number]->hold = holds[number];
}

std::string NetworkImport::why(const Pod& pod, const Wish& wish, const SurveyedAddress& one) const {
  const SurveyedAddress* other = other_of(pod, one.address.family());
  if (wish.hold == Hold::elsewhere || wish.hold == Hold::elsewhere_in_use)
    return why_not(wish.hold, other->address.to_string());
  const Owner owner = network_.owner_of(one);
  if (!is_kept(wish.hold))
    return why_not(wish.hold, owner.is_known() ? owner.key().display() : std::string());
  std::string text = wish.hold == Hold::already        ? "it was so"
                     : wish.hold == Hold::bound_in_use ? "bound to the pod, which uses it"
                                                       : "kept for the pod";
  if (is_news(wish.hold) && one.binding) text += ", no longer for " + one.binding->pod.display();
  if (is_news(wish.hold) && other != nullptr) text += ", which loses " + other->address.to_string();
  const std::string dormant = why_dormant(network_, one.address, wish.wanted->pod);
  if (!dormant.empty()) text += "; not given out while " + dormant;
  return text;
}

Step NetworkImport::step_of(const Pod& pod, const Wish& wish) const {
  const SurveyedAddress one = here(*wish.wanted);
  Step step = make_step(network_, one);
  if (!wish.wanted->pod.pod_name.empty()) step.owner = as_owner(*wish.wanted);
  if (!wish.refusal.empty() || !is_kept(wish.hold)) {
    refuse(step, wish.refusal.empty() ? why(pod, wish, one) : wish.refusal);
    return step;
  }
  step.why = why(pod, wish, one);
  if (wish.hold == Hold::already) step.course = Course::left;
  if (wish.hold == Hold::held) step.becomes = unused_state_of(network_, one.address, true);
  return step;
}

void NetworkImport::add_steps(const Pod& pod, Change& change, Batch& batch) const {
  const ImportedAddress& first = *pod.wishes.front().wanted;
  HandHold held{first.pod, first.uid, {}};
  std::vector<std::size_t> places;
  for (const Wish& wish : pod.wishes) {
    change.steps.push_back(step_of(pod, wish));
    if (change.steps.back().course == Course::refused) continue;
    const ImportedAddress& wanted = *wish.wanted;
    held.uid = wanted.uid;  // of the one that it had last
    held.addresses.push_back({wanted.address, wanted.kept, attachment_of(wanted, here(wanted))});
    places.push_back(change.steps.size() - 1);
  }
  if (places.empty()) return;
  batch.pods.push_back(std::move(held));
  batch.places.push_back(std::move(places));
}

}  // namespace shim::change
