#include "allocator/round_robin.hpp"

namespace allocator {

Lap::Lap(const RangeSet& set, std::optional<Address> last_reserved) {
  const auto& ranges = set.ranges();
  const Range* start = last_reserved ? set.range_of(*last_reserved) : nullptr;
  if (start == nullptr) {
    for (const auto& range : ranges) add(range.start, range.end, range);
    return;
  }
  if (*last_reserved != start->end) add(*last_reserved->next(), start->end, *start);
  const auto position = static_cast<std::size_t>(start - ranges.data());
  for (std::size_t step = 1; step < ranges.size(); ++step) {
    const Range& range = ranges[(position + step) % ranges.size()];
    add(range.start, range.end, range);
  }
  add(start->start, *last_reserved, *start);
}

void Lap::add(Address first, Address last, const Range& range) {
  segments_.push_back({first, last, &range});
}

std::optional<Candidate> Lap::next() {
  while (current_ < segments_.size()) {
    Segment& segment = segments_[current_];
    if (!segment.next) {
      ++current_;
      continue;
    }
    const Address address = *segment.next;
    segment.next = address == segment.last ? std::nullopt : address.next();
    if (address != segment.range->gateway) return Candidate{address, segment.range};
  }
  return std::nullopt;
}

void Lap::skip_through(const Address& address) {
  if (current_ >= segments_.size()) return;
  Segment& segment = segments_[current_];
  if (!segment.next || address < *segment.next) return;
  segment.next = address < segment.last ? address.next() : std::nullopt;
}

}  // namespace allocator
