#include "shim/cli/change/plans.hpp"

#include <algorithm>

namespace shim::change {
namespace {

using namespace inspect;
using allocator::Attachment;
using allocator::PodKey;
using allocator::store::LeaseStore;
using allocator::store::SurveyedAddress;

constexpr const char* kUsedSince = "in use, or used since it was looked at";

/// Whether the store will have a binding of the address once its attachment is gone: see hold().
bool will_be_bound(const Network& network, const SurveyedAddress& one, const Owner& owner) {
  if (one.has_record) return true;
  if (!network.conf.placement.retain.enabled) return false;
  if (!owner.is_known() || network.is_host_locals() || network.is_excluded(owner)) return false;
  const auto& all = network.survey.addresses;
  return std::none_of(all.begin(), all.end(), [&](const auto& entry) {
    const SurveyedAddress& other = entry.second;
    return other.binding && other.binding->pod == owner.key() &&
           other.address.family() == one.address.family() && other.attachment != one.attachment;
  });
}

/// Whose an attachment was, where no record tells: its addresses are held for that pod.
allocator::store::Owner adopter(const Network& network, const Owner& owner) {
  if (!owner.is_known() || network.is_host_locals() || network.is_excluded(owner)) return {};
  return {owner.key(), owner.uid};
}

void add_attachment(const SurveyedAddress& one, std::vector<Attachment>& attachments) {
  const auto known = std::find(attachments.begin(), attachments.end(), one.attachment);
  if (one.attachment && known == attachments.end()) attachments.push_back(*one.attachment);
}

}  // namespace

Change plan_freeing(const Network& network, const Members& addresses, LeaseStore::Proof proof,
                    const std::string& alive) {
  Change change{&network};
  allocator::store::Owner owner;
  bool is_dead = true;
  for (const auto* one : addresses) {
    Step step = make_step(network, *one);
    step.becomes = unused_state_of(network, one->address, will_be_bound(network, *one, step.owner));
    step.why = one->is_dead ? "proven dead" : "by --force";
    if (!one->has_record) owner = adopter(network, step.owner);
    is_dead = is_dead && one->is_dead;
    change.steps.push_back(std::move(step));
  }
  if (!is_dead && proof == LeaseStore::Proof::needed) refuse(change, alive);
  change.make = [attachment = *addresses.front()->attachment, owner, proof,
                 alive](LeaseStore& store) -> std::optional<std::string> {
    if (store.release_by_hand(attachment, owner, proof).may_be_alive) return alive;
    return std::nullopt;
  };
  return change;
}

Change plan_giving_up(const Network& network, const PodKey& pod, const Members& addresses,
                      const std::string& alive) {
  Change change{&network};
  bool is_dead = true;
  std::uint64_t newest = 0;
  std::vector<Attachment> attachments;
  for (const auto* one : addresses) {
    const bool is_its = one->binding && one->binding->pod == pod;
    if (is_its) newest = std::max(newest, one->binding->sequence);
    if (one->is_in_use) add_attachment(*one, attachments);
    is_dead = is_dead && (!one->is_in_use || (one->is_dead && one->attachment));
    Step step = make_step(network, *one);
    step.becomes = unused_state_of(network, one->address, one->has_record && !is_its);
    step.why = one->is_in_use ? "not back, and proven dead: given up" : "not back: given up";
    change.steps.push_back(std::move(step));
  }
  if (!is_dead) refuse(change, alive);
  change.make = [attachments, pod, newest, alive](LeaseStore& store) -> std::optional<std::string> {
    std::vector<std::uint64_t> own;
    for (const auto& attachment : attachments) {
      const auto released = store.release_by_hand(attachment, {}, LeaseStore::Proof::needed);
      if (released.may_be_alive) return alive;
      own.push_back(released.sequence);
    }
    if (!store.forget_pod(pod, newest, own).in_use.empty()) return kUsedSince;
    return std::nullopt;
  };
  return change;
}

Change plan_end_of_binding(const Network& network, const Members& addresses) {
  Change change{&network};
  bool is_in_use = false;
  std::uint64_t newest = 0;
  for (const auto* one : addresses) {
    Step step = make_step(network, *one);
    step.becomes = unused_state_of(network, one->address, false);
    step.why = "its binding ends";
    is_in_use = is_in_use || one->is_in_use;
    newest = std::max(newest, one->binding->sequence);
    change.steps.push_back(std::move(step));
  }
  if (is_in_use) refuse(change, "in use: the pod would be bound anew; release its address");
  change.make = [pod = addresses.front()->binding->pod,
                 newest](LeaseStore& store) -> std::optional<std::string> {
    if (!store.forget_pod(pod, newest).in_use.empty()) return kUsedSince;
    return std::nullopt;
  };
  return change;
}

}  // namespace shim::change
