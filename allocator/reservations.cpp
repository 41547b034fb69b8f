#include "allocator/reservations.hpp"

#include <algorithm>

namespace allocator {

Reservations with_pins(Reservations configured, const std::vector<Pin>& by_hand) {
  for (const auto& pin : by_hand) {
    if (pin_on(configured, pin.address) == nullptr) configured.pins.push_back(pin);
  }
  return configured;
}

bool is_of_pod(const Pin& pin, const std::optional<PodKey>& pod) {
  return pod && pin.pod_namespace == pod->pod_namespace && pin.pod_name == pod->pod_name;
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
