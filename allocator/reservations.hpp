#pragma once
/// What an administrator keeps back: addresses that nobody gets, and those that one pod gets. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocator/binding.hpp"
#include "allocator/range_set.hpp"

namespace allocator {

/// A span of addresses from the `exclude` key, both ends included.
struct Span {
  Address first;
  Address last;

  [[nodiscard]] bool contains(const Address& address) const {
    return first <= address && address <= last;
  }
};

/// An address that only one pod gets.
struct Pin {
  std::string pod_namespace;
  std::string pod_name;
  Address address;

  friend bool operator==(const Pin&, const Pin&) = default;
};

/// What an administrator keeps back.
struct Reservations {
  std::vector<Span> excluded;
  std::vector<Pin> pins;
};

/// Those that are configured, with what is pinned by hand: who configures an address has the last
/// word on it, and the first on a pod.
Reservations with_pins(Reservations configured, const std::vector<Pin>& by_hand);

/// True for a pin of the pod, on whatever interface.
bool is_of_pod(const Pin& pin, const std::optional<PodKey>& pod);
/// The pin on an address, and the excluded span around it; nullptr when there is none.
const Pin* pin_on(const Reservations& reservations, const Address& address);
const Span* span_around(const Reservations& reservations, const Address& address);

/// How many addresses of the set are gateways, excluded or pinned; at most 2^64 - 1.
std::uint64_t count_reserved(const RangeSet& set, const Reservations& reservations);

/// True when `pod` may be handed `address` at all: no gateway of the set, not excluded, not pinned
/// to another pod. A binding on an address that may not be handed out is dormant: it stays, and
/// counts again when the rule is gone.
bool may_use(const RangeSet& set, const Reservations& reservations,
             const std::optional<PodKey>& pod, const Address& address);

}  // namespace allocator
