#include "allocator/store/pod_records.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "allocator/store/bindings.hpp"

namespace allocator::store {
void PodRecords::read() {
  bound_.clear();
  if (!records_ || !is_bound()) return;
  closed_.clear();
  read_hint();
  if (!hint_) return;
  for (const auto& address : hint_->addresses) {
    try {
      auto binding = records_->binding(address);
      if (binding && binding->pod == *request_.owner.pod)
        bound_.emplace_back(address, std::move(*binding));
    } catch (const ClosedRecord&) {
      closed_.push_back(address);
    }
  }
}

/// What leads to the pod's bindings cannot be read: then all of them are looked at.
void PodRecords::read_hint() {
  try {
    hint_ = records_->hint(*request_.owner.pod);
    is_hint_closed_ = is_hint_damaged_ = false;
  } catch (const ClosedRecord& closed) {
    if (!is_hint_closed_) context_.notes.emplace_back(closed.what());
    is_hint_closed_ = true;
    hint_ = PodHint{};
    const auto found = records_->survey();
    // What else cannot be read may be the pod's too, and only the hint would lead to it.
    is_hint_damaged_ =
        found.closed.empty() && dynamic_cast<const DamagedRecord*>(&closed) != nullptr;
    for (const auto& [address, binding] : found.bindings) {
      if (binding.pod == *request_.owner.pod) hint_->addresses.push_back(address);
    }
  }
}

bool PodRecords::has_lost() const {
  return std::any_of(bound_.begin(), bound_.end(), [&](const auto& bound) {
    return context_.session.is_lost(bound.first, bound.second);
  });
}

std::vector<Address> PodRecords::inherited() const {
  std::vector<Address> addresses;
  for (const auto& [address, binding] : bound_) {
    const bool other_object = request_.owner.require_same_uid && binding.uid != request_.owner.uid;
    if (!other_object) addresses.push_back(address);
  }
  return addresses;
}

void PodRecords::write(const std::vector<Pick>& picks) {
  picks_ = picks;
  if (!records_ || !is_bound()) {
    if (records_) end_bindings_of_strangers();
    for (const auto& pick : picks_) context_.session.note_unbound(pick.address);
    return;
  }
  PodHint hint;
  for (const auto& pick : picks_) hint.addresses.push_back(pick.address);
  for (const auto& address : still_bound(hint.addresses)) hint.addresses.push_back(address);
  // What cannot be read may be the pod's, and may be read again one day.
  for (const auto& address : closed_) hint.addresses.push_back(address);
  hint.addresses = newest_of_each_family(hint.addresses);
  hint.previous_boot = previous_boot(hint_, bound_, boot8_of(context_.session.boot_id()));
  rebind_to(hint);
}

/// A pod that came back to its own address comes up on a full disk too: what its records would have
/// been told is statistics.
void PodRecords::rebind_to(const PodHint& hint) {
  Rebinding change{bound_, hint_, hint, is_hint_closed_, {}, true};
  for (const auto& pick : picks_) {
    if (is_closed(pick)) continue;
    if (contains(hint.addresses, pick.address)) {
      change.given.emplace_back(pick.address, binding_for(pick));
      continue;
    }
    context_.session.note_unbound(pick.address);
    if (pick.evicted) records_->remove(pick.address);  // over the limit: held for nobody
  }
  for (const auto& [address, binding] : bound_) {
    if (!contains(hint.addresses, address)) context_.session.note_given_up(address, binding);
  }
  for (const auto& address : rebind(*records_, *request_.owner.pod, change, context_.notes))
    context_.session.note_unbound(address);
  if (is_hint_damaged_) mend_hint(hint);
  forget_evicted();
}

/// The attachment has the address already, whatever its record says: that must neither be guessed
/// at nor overwritten, and is no reason to refuse what a repeated ADD asks for.
bool PodRecords::is_closed(const Pick& pick) {
  const auto why =
      pick.reason == Reason::present ? records_->why_closed(pick.address) : std::nullopt;
  if (why) context_.notes.push_back("not recorded: " + *why);
  return why.has_value();
}

/// What the disk would not give once may lead elsewhere than the bindings do now. All of those were
/// looked at: nothing that it said is lost.
void PodRecords::mend_hint(PodHint hint) {
  // Also to what an undo would bring back.
  for (const auto& [address, binding] : bound_) {
    if (!contains(hint.addresses, address)) hint.addresses.push_back(address);
  }
  try {
    records_->replace_damaged(*request_.owner.pod, hint);
  } catch (const std::system_error& error) {
    context_.notes.push_back("not recorded: " + std::string(error.what()));
  }
}

/// A plain allocation binds nothing; what was bound on its addresses ends.
void PodRecords::end_bindings_of_strangers() {
  for (const auto& pick : picks_) {
    if (pick.evicted) records_->remove(pick.address);
  }
  forget_evicted();
  if (!request_.owner.pod) return;
  for (const auto& [address, binding] : bindings_of(*records_, *request_.owner.pod))
    context_.session.note_given_up(address, binding);
  forget(*records_, *request_.owner.pod);
}

/// A pod that lost its last address leaves nothing behind: names that never come back must not pile
/// up.
void PodRecords::forget_evicted() {
  for (const auto& pick : picks_) {
    if (pick.evicted) records_->forget_evicted(pick.evicted->pod);
  }
}

Binding PodRecords::binding_for(const Pick& pick) const {
  Binding binding{*request_.owner.pod, request_.owner.uid, 0, 0,
                  boot8_of(context_.session.boot_id())};
  const auto before = std::find_if(bound_.begin(), bound_.end(),
                                   [&](const auto& bound) { return bound.first == pick.address; });
  if (before == bound_.end()) return binding;
  binding.kept = before->second.kept + (pick.reason == Reason::present ? 0 : 1);
  return binding;
}

/// Bound addresses that stay beside the chosen ones: those in no set of today, and the dormant
/// ones. An address that lost its place to a newer one of the same set is no longer the pod's.
std::vector<Address> PodRecords::still_bound(const std::vector<Address>& chosen) const {
  std::vector<Address> addresses;
  for (const auto& [address, binding] : bound_) {
    if (contains(chosen, address)) continue;
    const std::size_t set = set_of(request_.sets, address);
    const bool counts_today =
        set < request_.sets.size() && !context_.session.set_asides().is_refused(address) &&
        may_use(request_.sets[set], context_.session.reservations(request_.reservations),
                request_.owner.pod, address);
    if (!counts_today) addresses.push_back(address);
  }
  return addresses;
}

/// True when `pick` stands where the pod had `bound`: in the same set, or in the place of an
/// address of the family that is in no set any more.
bool PodRecords::replaces(const Pick& pick, const Address& bound) const {
  if (request_.sets[pick.set].contains(bound)) return true;
  return bound.family() == pick.address.family() &&
         set_of(request_.sets, bound) == request_.sets.size();
}

void PodRecords::note_changes(const std::vector<Pick>& picks) {
  picks_ = picks;
  for (const auto& pick : picks_) {
    if (pick.evicted) {
      context_.notes.push_back("the binding of " + pick.evicted->pod.display() + " on " +
                               pick.address.to_string() + " ended: nothing else was free");
      context_.session.run().put_evicted(pick.address, *pick.evicted);
    }
    const auto before = std::find_if(bound_.begin(), bound_.end(), [&](const auto& bound) {
      return replaces(pick, bound.first);
    });
    if (before == bound_.end() || before->first == pick.address) continue;
    context_.notes.push_back(request_.owner.pod->display() + " changed from " +
                             before->first.to_string() + " to " + pick.address.to_string());
  }
}

}  // namespace allocator::store
