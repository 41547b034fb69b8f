#include "allocator/choose.hpp"

#include <algorithm>

#include "allocator/lap.hpp"

namespace allocator {
namespace {

bool is_of_pod(const Pin& pin, const std::optional<PodKey>& pod) {
  return pod && pin.pod_namespace == pod->pod_namespace && pin.pod_name == pod->pod_name;
}

bool has(const std::vector<Address>& addresses, const Address& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

const Pin* pin_on(const Reservations& reservations, const Address& address) {
  const auto& pins = reservations.pins;
  const auto found = std::find_if(pins.begin(), pins.end(),
                                  [&](const Pin& pin) { return pin.address == address; });
  return found == pins.end() ? nullptr : &*found;
}

const Span* span_around(const Reservations& reservations, const Address& address) {
  const auto& spans = reservations.excluded;
  const auto found = std::find_if(spans.begin(), spans.end(),
                                  [&](const Span& span) { return span.contains(address); });
  return found == spans.end() ? nullptr : &*found;
}

/// Sequence 0 means that no DEL ever ended the use (somebody wiped the directory): such a pod was
/// the last to let go. Unsigned arithmetic turns 0 into the largest number.
bool held_longer(const HeldAddress& left, const HeldAddress& right) {
  const std::uint64_t left_order = left.binding.sequence - 1;
  const std::uint64_t right_order = right.binding.sequence - 1;
  return left_order != right_order ? left_order < right_order : left.address < right.address;
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
      if (!has(result, address)) result.push_back(address);
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
    if (auto evicting = pick_held_longest(index)) return *evicting;
    if (auto reclaimed = pick_dead(index)) return *reclaimed;
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
      if (range == nullptr || !is_of_pod(pin, wish_.pod) || has(wish_.same_sandbox, pin.address))
        continue;
      if (sets_[index].is_gateway(pin.address)) continue;
      const auto holder = live_holder(pin.address);
      if (!holder) {
        std::erase(requested_, pin.address);
        return take(pin.address, range, index, Reason::pin);
      }
      if (!busy) {
        busy = Error(Kind::busy, "address " + pin.address.to_string() + " is pinned to " +
                                     wish_.pod->display() + " but in use by container " + *holder +
                                     "; it is given as soon as that container is deleted");
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
      throw Error(Kind::unavailable, "requested IP address " + address.to_string() +
                                         " is not available in range set " + set.to_string());
    }
    return take(address, range, index, Reason::requested);
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
      if (!live_holder(address)) return take(address, range, index, Reason::held);
    }
    return std::nullopt;
  }

  std::optional<Pick> pick_free(std::size_t index) {
    Lap lap(sets_[index], snapshot_.cursor(index));
    while (const auto candidate = lap.next()) {
      if (const Span* span = span_around(reservations_, candidate->address)) {
        lap.skip_through(span->last);
        continue;
      }
      if (pin_on(reservations_, candidate->address) != nullptr) continue;
      if (snapshot_.holder(candidate->address) || snapshot_.binding(candidate->address)) continue;
      return take(candidate->address, candidate->range, index, Reason::round_robin);
    }
    return std::nullopt;
  }

  /// Only pods that leave a binding, and plain callers alike, may end another pod's binding: an
  /// address that nobody uses never keeps a pod from coming up.
  std::optional<Pick> pick_held_longest(std::size_t index) {
    const RangeSet& set = sets_[index];
    std::optional<HeldAddress> longest;
    for (const auto& held : snapshot_.held()) {
      const Range* range = set.range_of(held.address);
      if (range == nullptr || held.address == range->gateway ||
          pin_on(reservations_, held.address) != nullptr ||
          span_around(reservations_, held.address) != nullptr) {
        continue;
      }
      if (!longest || held_longer(held, *longest)) longest = held;
    }
    if (!longest) return std::nullopt;
    return take(longest->address, set.range_of(longest->address), index, Reason::evicted);
  }

  std::optional<Pick> pick_dead(std::size_t index) {
    const RangeSet& set = sets_[index];
    for (const auto& address : snapshot_.in_use_by_age(set)) {
      const Range* range = set.range_of(address);
      if (range == nullptr || address == range->gateway ||
          pin_on(reservations_, address) != nullptr ||
          span_around(reservations_, address) != nullptr) {
        continue;
      }
      if (snapshot_.is_dead(address)) return take(address, range, index, Reason::reclaimed);
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
    Pick pick{address, range, index, reason, snapshot_.holder(address).has_value(), binding};
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

Choice choose(const RangeSets& sets, const Reservations& reservations, const Wish& wish,
              Snapshot& snapshot) {
  return Chooser(sets, reservations, wish, snapshot).run();
}

std::uint64_t count_reserved(const RangeSet& set, const Reservations& reservations) {
  std::uint64_t count = 0;
  for (const auto& range : set.ranges()) {
    std::vector<Span> spans = reservations.excluded;
    spans.push_back({range.gateway, range.gateway});
    for (const auto& pin : reservations.pins) spans.push_back({pin.address, pin.address});
    std::sort(spans.begin(), spans.end(),
              [](const Span& a, const Span& b) { return a.first < b.first; });
    std::optional<Address> next = range.start;  // everything before it has been counted
    for (const auto& span : spans) {
      if (!next || span.last < *next || span.first > range.end) continue;
      const Address first = std::max(span.first, *next);
      const Address last = std::min(span.last, range.end);
      const Uint128 width = last.number() - first.number() + 1;
      const std::uint64_t room = ~std::uint64_t{0} - count;
      count += width > room ? room : static_cast<std::uint64_t>(width);
      next = last.next();
    }
  }
  return count;
}

bool may_use(const RangeSet& set, const Reservations& reservations,
             const std::optional<PodKey>& pod, const Address& address) {
  if (set.is_gateway(address) || span_around(reservations, address) != nullptr) return false;
  const Pin* pin = pin_on(reservations, address);
  return pin == nullptr || is_of_pod(*pin, pod);
}

}  // namespace allocator
