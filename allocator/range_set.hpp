#pragma once
/// Range sets: from each set an attachment gets exactly one address. Pure.
#include <string>
#include <vector>

#include "allocator/range.hpp"

namespace allocator {

/// Ranges of one family that do not overlap; never empty.
class RangeSet {
 public:
  /// Errors: throws Error{invalid_range} for no range, a bad range, mixed families or an overlap
  /// (host-local's texts).
  explicit RangeSet(const std::vector<RangeSpec>& specs);

  [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
  [[nodiscard]] Family family() const { return ranges_.front().start.family(); }
  /// The range that hands out `address`; nullptr when none does.
  [[nodiscard]] const Range* range_of(const Address& address) const;
  [[nodiscard]] bool contains(const Address& address) const { return range_of(address) != nullptr; }
  [[nodiscard]] bool overlaps(const RangeSet& other) const;
  /// True when `address` is the gateway of one of the ranges.
  [[nodiscard]] bool is_gateway(const Address& address) const;
  /// "start-end,start-end", as host-local's messages name a range set.
  [[nodiscard]] std::string to_string() const;

 private:
  std::vector<Range> ranges_;
};

/// Range sets in the order of the configuration; the index is the N of last_reserved_ip.N.
using RangeSets = std::vector<RangeSet>;

/// Reads all sets.
/// Errors: throws Error{invalid_range} "invalid range set I: ..."; overlaps between sets are not
/// looked at here.
RangeSets make_range_sets(const std::vector<std::vector<RangeSpec>>& specs);

/// Errors: throws Error{invalid_range} "range set I overlaps with J".
void check_disjoint(const RangeSets& sets);

/// True when two sets are of one family: results of CNI 0.1.0 and 0.2.0 have room for one address
/// of each only.
bool has_two_of_a_family(const RangeSets& sets);

/// The index of the set that hands out `address`; the number of sets when none does.
std::size_t set_of(const RangeSets& sets, const Address& address);

}  // namespace allocator
