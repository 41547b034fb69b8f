#pragma once
/// One lap of the round robin over a range set: every address once, starting behind the last one
/// handed out. Pure.
///
/// The order is host-local's, so that both can alternate on one directory and freed addresses rest
/// as long as possible.
#include <optional>
#include <vector>

#include "allocator/range_set.hpp"

namespace allocator {

/// An address on offer and the range that it comes from.
struct Candidate {
  Address address;
  const Range* range;
};

class Lap {
 public:
  /// `last_reserved` is the cursor: the lap starts behind it and ends with it. Without one, or with
  /// one outside the set, it starts at the first address of the first range. `set` must outlive the
  /// lap.
  Lap(const RangeSet& set, std::optional<Address> last_reserved);

  /// The next address that is not the gateway of its range; nullopt when the lap is over.
  std::optional<Candidate> next();

  /// Leave out everything up to `address` in the range of the last candidate: how a lap gets past
  /// an excluded block of 2^64 addresses in one step.
  void skip_through(const Address& address);

 private:
  struct Segment {
    std::optional<Address> next;  // nullopt: used up
    Address last;
    const Range* range;
  };

  void add(Address first, Address last, const Range& range);

  std::vector<Segment> segments_;
  std::size_t current_ = 0;
};

}  // namespace allocator
