#include "allocator/choose.hpp"

#include <algorithm>

#include "allocator/round_robin.hpp"

namespace allocator {
namespace {

bool is_same_pod(const PodKey& left, const PodKey& right) {
  return left.pod_namespace == right.pod_namespace && left.pod_name == right.pod_name;
}

/// The choice in progress for one attachment.
class Chooser {
 public:
  Chooser(const RangeSets& sets, const Reservations& reservations, const Wish& wish,
          Snapshot& snapshot)
      : sets_(sets),
        reservations_(reservations),
        wish_(wish),
        snapshot_(snapshot),
        requested_(unique(wish.requested)) {}

  Choice run() {
    Choice choice;
    try {
      for (std::size_t index = 0; index < sets_.size(); ++index) {
        if (auto pick = pick_present(index)) {
          choice.picks.push_back(*pick);
        } else {
          choice.picks.push_back(with_place(index));
        }
      }
      refuse_unmatched();
    } catch (const Error& error) {
      choice.failure = error;
    }
    return choice;
  }

 private:
  static std::vector<Address> unique(const std::vector<Address>& addresses) {
    std::vector<Address> result;
    for (const auto& address : addresses) {
      if (!contains(result, address)) result.push_back(address);
    }
    return result;
  }

  std::optional<Pick> pick_present(std::size_t index) {
    if (wish_.refuse_duplicate_of) return std::nullopt;
    for (const auto& address : wish_.present) {
      const Range* range = sets_[index].range_of(address);
      if (range == nullptr) continue;
      std::erase(requested_, address);
      return Pick{address, range, index, Reason::present, false, std::nullopt};
    }
    return std::nullopt;
  }

  Pick with_place(std::size_t index) {
    try {
      return pick(index);
    } catch (const Error& error) {
      throw Error(error.kind,
                  "failed to allocate for range " + std::to_string(index) + ": " + error.what(),
                  error.details);
    }
  }

  Pick pick(std::size_t index) {
    refuse_duplicate(index);
    if (auto pinned = pick_pin(index)) return *pinned;
    if (auto requested = pick_requested(index)) return *requested;
    if (auto own = pick_own(index)) return *own;
    if (auto free = pick_free(index)) return *free;
    if (auto evicting = pick_held(index)) return *evicting;
    if (auto unclaimed = pick_unclaimed(index)) return *unclaimed;
    if (auto reclaimed = pick_dead(index)) return *reclaimed;
    if (auto refused = pick_set_aside(index)) return *refused;
    throw exhausted(index);
  }

  void refuse_duplicate(std::size_t index) const {
    if (!wish_.refuse_duplicate_of) return;
    const auto in_set = [&](const Address& address) { return sets_[index].contains(address); };
    if (std::any_of(requested_.begin(), requested_.end(), in_set)) return;
    const auto found = std::find_if(wish_.present.begin(), wish_.present.end(), in_set);
    if (found == wish_.present.end()) return;
    throw Error(Kind::duplicate, found->to_string() + " has been allocated to " +
                                     *wish_.refuse_duplicate_of +
                                     ", duplicate allocation is not allowed");
  }

  std::optional<Pick> pick_pin(std::size_t index) {
    std::optional<Error> busy;
    for (const auto& pin : reservations_.pins) {
      const Range* range = sets_[index].range_of(pin.address);
      if (range == nullptr || !is_of_pod(pin, wish_.pod) ||
          contains(wish_.same_sandbox, pin.address))
        continue;
      if (sets_[index].is_gateway(pin.address)) continue;
      const auto holder = live_holder(pin.address);
      if (!holder) {
        std::erase(requested_, pin.address);
        return take(pin.address, range, index, Reason::pin);
      }
      if (!busy) {
        busy = Error(Kind::busy,
                     "address " + pin.address.to_string() + " is pinned to " +
                         wish_.pod->display() + " but in use by container " + *holder +
                         "; it is given as soon as that container is deleted",
                     snapshot_.describe_use(pin.address));
      }
    }
    if (busy) throw Error(*busy);
    return std::nullopt;
  }

  std::optional<Pick> pick_requested(std::size_t index) {
    const RangeSet& set = sets_[index];
    const auto found = std::find_if(requested_.begin(), requested_.end(),
                                    [&](const Address& address) { return set.contains(address); });
    if (found == requested_.end()) return std::nullopt;
    const Address address = *found;
    const Range* range = set.range_of(address);
    requested_.erase(found);
    if (address == range->gateway) {
      throw Error(Kind::unavailable,
                  "requested ip " + address.to_string() + " is subnet's gateway");
    }
    refuse_reserved(address);
    if (live_holder(address)) {
      throw Error(Kind::unavailable,
                  "requested IP address " + address.to_string() +
                      " is not available in range set " + set.to_string(),
                  snapshot_.describe_use(address));
    }
    refuse_others(address);
    return take(address, range, index, Reason::requested);
  }

  /// What a pod's author asks for must not be what somebody else comes back to: no address of
  /// another namespace's, and none whose owner, though dead, has not been deleted yet.
  void refuse_others(const Address& address) {
    if (!wish_.pod || wish_.may_ask_for_others) return;
    const auto binding = snapshot_.binding(address);  // a record that cannot be read ends the ADD
    if (binding && is_same_pod(binding->pod, *wish_.pod)) return;
    if (binding && binding->pod.pod_namespace != wish_.pod->pod_namespace)
      throw Error(Kind::refused, kept_for_others_text(address));
    if (!snapshot_.is_in_use(address)) return;
    throw Error(Kind::busy, "requested IP address " + address.to_string() +
                                " is recorded for a sandbox that is gone and has not been deleted "
                                "yet; it is given as soon as that has been");
  }

  void refuse_reserved(const Address& address) const {
    if (const Pin* pin = pin_on(reservations_, address);
        pin != nullptr && !is_of_pod(*pin, wish_.pod)) {
      throw Error(Kind::refused, "requested IP address " + address.to_string() + " is pinned to " +
                                     pin->pod_namespace + "/" + pin->pod_name +
                                     "; request another address or change ipam.pins");
    }
    if (span_around(reservations_, address) != nullptr) {
      throw Error(Kind::refused,
                  "requested IP address " + address.to_string() +
                      " is excluded; request another address or change ipam.exclude");
    }
  }

  std::optional<Pick> pick_own(std::size_t index) {
    for (const auto& address : wish_.bound) {
      const Range* range = sets_[index].range_of(address);
      if (range == nullptr || !may_use(sets_[index], reservations_, wish_.pod, address)) continue;
      if (snapshot_.is_set_aside(address)) continue;
      if (!live_holder(address)) return take(address, range, index, Reason::held);
    }
    return std::nullopt;
  }

  /// Who would refuse it may have changed his mind; without it the pod does not come up at all.
  std::optional<Pick> pick_set_aside(std::size_t index) {
    for (const auto& address : snapshot_.set_aside()) {
      const Range* range = sets_[index].range_of(address);
      const bool may_be_used = range != nullptr && pin_on(reservations_, address) == nullptr &&
                               may_use(sets_[index], reservations_, wish_.pod, address) &&
                               !live_holder(address);
      if (!may_be_used) continue;
      const bool is_own = contains(wish_.bound, address);
      return take(address, range, index, is_own ? Reason::held : Reason::evicted);
    }
    return std::nullopt;
  }

  std::optional<Pick> pick_free(std::size_t index) {
    return walk(index, [this](const Address& address) { return !snapshot_.is_taken(address); });
  }

  /// A record that makes no sense binds nobody, and is written over when nothing else is left.
  std::optional<Pick> pick_unclaimed(std::size_t index) {
    return walk(index, [this](const Address& address) {
      return !snapshot_.is_in_use(address) && !snapshot_.is_closed(address) &&
             !snapshot_.binding(address);
    });
  }

  /// Round robin over the addresses for which `is_free` holds.
  template <typename Question>
  std::optional<Pick> walk(std::size_t index, Question is_free) {
    Lap lap(sets_[index], snapshot_.cursor(index));
    while (const auto candidate = lap.next()) {
      if (const Span* span = span_around(reservations_, candidate->address)) {
        lap.skip_through(span->last);
        continue;
      }
      if (pin_on(reservations_, candidate->address) != nullptr) continue;
      if (!is_free(candidate->address) || snapshot_.is_set_aside(candidate->address)) continue;
      return take(candidate->address, candidate->range, index, Reason::round_robin);
    }
    return std::nullopt;
  }

  /// The range of an address that is nobody's by right; nullptr for any other.
  const Range* range_for_anybody(const RangeSet& set, const Address& address) {
    const Range* range = set.range_of(address);
    const bool is_reserved = range == nullptr || address == range->gateway ||
                             pin_on(reservations_, address) != nullptr ||
                             span_around(reservations_, address) != nullptr;
    return is_reserved || snapshot_.is_set_aside(address) ? nullptr : range;
  }

  /// Only pods that leave a binding, and plain callers alike, may end another pod's binding: an
  /// address that nobody uses never keeps a pod from coming up.
  std::optional<Pick> pick_held(std::size_t index) {
    const RangeSet& set = sets_[index];
    const auto own = wish_.pod
                         ? std::optional(snapshot_.number_of_namespace(wish_.pod->pod_namespace))
                         : std::nullopt;
    do {
      auto held = snapshot_.held();
      std::erase_if(held, [&](const HeldAddress& one) {
        return range_for_anybody(set, one.address) == nullptr;
      });
      const HeldAddress* evicted = first_to_go(held, own);
      if (evicted != nullptr && is_held_now(*evicted))
        return take(evicted->address, set.range_of(evicted->address), index, Reason::evicted);
    } while (snapshot_.distrust_held());
    return std::nullopt;
  }

  /// A list may be out of date; what it leads to is looked at before it is taken.
  bool is_held_now(const HeldAddress& one) {
    if (snapshot_.is_in_use(one.address) || snapshot_.is_closed(one.address)) return false;
    const auto binding = snapshot_.binding(one.address);
    return binding && binding->sequence == one.sequence;
  }

  std::optional<Pick> pick_dead(std::size_t index) {
    const RangeSet& set = sets_[index];
    for (const auto& address : snapshot_.in_use_by_age(set)) {
      const Range* range = range_for_anybody(set, address);
      if (range != nullptr && snapshot_.is_dead(address) && !snapshot_.is_closed(address))
        return take(address, range, index, Reason::reclaimed);
    }
    return std::nullopt;
  }

  /// The holder of an address, unless it is proven dead.
  std::optional<std::string> live_holder(const Address& address) {
    auto holder = snapshot_.holder(address);
    if (holder && snapshot_.is_dead(address)) return std::nullopt;
    return holder;
  }

  Pick take(const Address& address, const Range* range, std::size_t index, Reason reason) {
    const auto binding = snapshot_.binding(address);
    Pick pick{address, range, index, reason, snapshot_.is_in_use(address), binding};
    if (binding) pick.last_boot = binding->boot8;
    if (binding && wish_.pod && binding->pod == *wish_.pod) pick.evicted.reset();
    return pick;
  }

  [[nodiscard]] Error exhausted(std::size_t index) const {
    return {Kind::exhausted, "no IP addresses available in range set: " + sets_[index].to_string()};
  }

  void refuse_unmatched() const {
    if (requested_.empty()) return;
    std::string text = "failed to allocate all requested IPs:";
    for (const auto& address : requested_) text += " " + address.to_string();
    throw Error(Kind::unavailable, text);
  }

  const RangeSets& sets_;
  const Reservations& reservations_;
  const Wish& wish_;
  Snapshot& snapshot_;
  std::vector<Address> requested_;
};

}  // namespace

std::string kept_for_others_text(const Address& address) {
  return "requested IP address " + address.to_string() +
         " is kept for a pod of another namespace; request another address, or where all pods are "
         "one tenant's set ipam.requests to \"any\"";
}

Choice choose(const RangeSets& sets, const Reservations& reservations, const Wish& wish,
              Snapshot& snapshot) {
  return Chooser(sets, reservations, wish, snapshot).run();
}

}  // namespace allocator
