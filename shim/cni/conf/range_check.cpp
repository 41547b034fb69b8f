// What makes ranges as written ones that addresses are handed out of, or an error that tells where
// they stand.
#include <algorithm>

#include "allocator/error.hpp"
#include "shim/cni/conf/ranges.hpp"
#include "shim/cni/protocol/version.hpp"

namespace shim {
namespace {

bool lies_inside(const allocator::Range& range, const allocator::RangeSets& limits) {
  return std::any_of(limits.begin(), limits.end(), [&](const allocator::RangeSet& set) {
    return std::any_of(set.ranges().begin(), set.ranges().end(),
                       [&](const allocator::Range& limit) {
                         return limit.contains(range.start) && limit.contains(range.end);
                       });
  });
}

std::string list_of(const allocator::RangeSets& sets) {
  std::string text;
  for (const auto& set : sets) text += (text.empty() ? "" : ",") + set.to_string();
  return text;
}

/// host-local's texts for wrong ranges name the set; the hint says how to count, and what the odd
/// ones mean.
allocator::RangeSets make_sets_with_hint(const RangeSpecSets& specs) {
  try {
    return allocator::make_range_sets(specs);
  } catch (const allocator::Error& error) {
    std::string hint = "sets count from 0: runtimeConfig.ipRanges, then subnet, then ranges";
    const std::string text = error.what();
    if (text.ends_with("IP <nil> not v4 nor v6")) hint = "a range has no subnet; " + hint;
    if (text.find("RangeStart") != std::string::npos) {
      hint = "rangeStart must lie in the subnet and not behind rangeEnd; " + hint;
    }
    throw CniError(ErrorCode::internal, text, error.details, hint).at("/ipam");
  }
}

/// host-local's text counts the sets; the hint says where they stand.
void refuse_overlap(const allocator::RangeSets& sets, const RangesAsWritten& written) {
  const auto& places = written.places;
  try {
    allocator::check_disjoint(sets);
  } catch (const allocator::Error& error) {
    std::string hint;
    std::string pointer = "/ipam";
    for (std::size_t i = 0; i < places.size() && hint.empty(); ++i) {
      for (std::size_t j = i + 1; j < places.size() && hint.empty(); ++j) {
        if (!sets[i].overlaps(sets[j])) continue;
        const bool is_same = sets[i].to_string() == sets[j].to_string();
        hint = places[i] + (is_same ? " repeats " : " overlaps with ") + places[j] +
               "; remove one of them";
        pointer = places[i < written.from_runtime ? j : i];
      }
    }
    throw CniError(ErrorCode::internal, error.what(), error.details, hint).at(pointer);
  }
}

void check_narrowing(const allocator::RangeSets& sets, std::size_t from_runtime,
                     const allocator::RangeSets& limits) {
  for (std::size_t index = from_runtime; index < sets.size(); ++index) {
    for (const auto& range : sets[index].ranges()) {
      if (lies_inside(range, limits)) continue;
      throw CniError(ErrorCode::invalid_config,
                     "/ipam/delegate range " + range.to_string() +
                         " is not inside the ranges beside delegate (" + list_of(limits) +
                         "): those are this node's; choose a part of them, or remove one side")
          .at("/ipam/delegate");
    }
  }
}

}  // namespace

allocator::RangeSets complete_ranges(const RangesAsWritten& written, std::string_view cni_version) {
  if (written.sets.empty()) {
    throw CniError(
        ErrorCode::internal, "no IP ranges specified", {},
        "write \"ranges\": [[{\"subnet\": \"10.244.1.0/24\"}]] into /ipam or /ipam/delegate")
        .at("/ipam");
  }
  allocator::RangeSets sets = make_sets_with_hint(written.sets);
  if (!at_least(cni_version, "0.3.0") && allocator::has_two_of_a_family(sets)) {
    throw CniError(ErrorCode::internal, "CNI version " + std::string(cni_version) +
                                            " does not support more than 1 address per family");
  }
  refuse_overlap(sets, written);
  if (!written.limits.empty())
    check_narrowing(sets, written.from_runtime, allocator::make_range_sets(written.limits));
  return sets;
}

}  // namespace shim
