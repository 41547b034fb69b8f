#include "allocator/range_set.hpp"

#include <algorithm>

#include "allocator/error.hpp"

namespace allocator {

namespace {

/// False when no two of them have an address in common: then nobody asks which.
bool any_overlap(std::vector<Range> ranges) {
  const auto before = [](const Range& left, const Range& right) {
    const auto left_family = left.start.family();
    const auto right_family = right.start.family();
    return left_family == right_family ? left.start < right.start : left_family < right_family;
  };
  std::sort(ranges.begin(), ranges.end(), before);
  // Of ranges in this order that overlap, two neighbours do.
  return std::adjacent_find(ranges.begin(), ranges.end(), [](const Range& one, const Range& next) {
           return one.start.family() == next.start.family() && one.overlaps(next);
         }) != ranges.end();
}

}  // namespace

RangeSet::RangeSet(const std::vector<RangeSpec>& specs) {
  if (specs.empty()) throw Error(Kind::invalid_range, "empty range set");
  for (const auto& spec : specs) ranges_.push_back(complete(spec));
  for (const auto& range : ranges_) {
    if (range.start.family() != family())
      throw Error(Kind::invalid_range, "mixed address families");
  }
  if (!any_overlap(ranges_)) return;
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    for (std::size_t j = i + 1; j < ranges_.size(); ++j) {
      if (!ranges_[i].overlaps(ranges_[j])) continue;
      throw Error(Kind::invalid_range, "subnets " + ranges_[i].to_string() + " and " +
                                           ranges_[j].to_string() + " overlap");
    }
  }
}

const Range* RangeSet::range_of(const Address& address) const {
  const auto found = std::find_if(ranges_.begin(), ranges_.end(),
                                  [&](const Range& range) { return range.contains(address); });
  return found == ranges_.end() ? nullptr : &*found;
}

bool RangeSet::overlaps(const RangeSet& other) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& mine) {
    return std::any_of(other.ranges_.begin(), other.ranges_.end(),
                       [&](const Range& theirs) { return mine.overlaps(theirs); });
  });
}

bool RangeSet::is_gateway(const Address& address) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const Range& range) { return range.gateway == address; });
}

std::string RangeSet::to_string() const {
  std::string text;
  for (const auto& range : ranges_) {
    if (!text.empty()) text += ',';
    text += range.to_string();
  }
  return text;
}

RangeSets make_range_sets(const std::vector<std::vector<RangeSpec>>& specs) {
  RangeSets sets;
  for (const auto& ranges : specs) {
    try {
      sets.emplace_back(ranges);
    } catch (const Error& error) {
      throw Error(error.kind,
                  "invalid range set " + std::to_string(sets.size()) + ": " + error.what());
    }
  }
  return sets;
}

void check_disjoint(const RangeSets& sets) {
  std::vector<Range> all;
  for (const auto& set : sets) all.insert(all.end(), set.ranges().begin(), set.ranges().end());
  if (!any_overlap(std::move(all))) return;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (std::size_t j = i + 1; j < sets.size(); ++j) {
      if (!sets[i].overlaps(sets[j])) continue;
      throw Error(Kind::invalid_range,
                  "range set " + std::to_string(i) + " overlaps with " + std::to_string(j));
    }
  }
}

bool has_two_of_a_family(const RangeSets& sets) {
  const auto count = [&](Family family) {
    return std::count_if(sets.begin(), sets.end(),
                         [&](const RangeSet& set) { return set.family() == family; });
  };
  return count(Family::v4) > 1 || count(Family::v6) > 1;
}

std::size_t set_of(const RangeSets& sets, const Address& address) {
  std::size_t index = 0;
  while (index < sets.size() && !sets[index].contains(address)) ++index;
  return index;
}

}  // namespace allocator
