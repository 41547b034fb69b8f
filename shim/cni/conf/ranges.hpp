#pragma once
/// The ranges of a configuration: legacy keys, `ranges`, `runtimeConfig.ipRanges`, and narrowing by
/// `delegate`.
#include <optional>
#include <vector>

#include "allocator/range_set.hpp"
#include "shim/cni/conf/range_slices.hpp"
#include "shim/cni/protocol/config_reader.hpp"

namespace shim {

/// Ranges as written, set by set; nothing is completed or checked yet.
struct RangesAsWritten {
  /// In the order that counts for last_reserved_ip.N: runtimeConfig.ipRanges, the legacy range,
  /// `ranges`.
  RangeSpecSets sets;
  /// Where each of them is written, as JSON paths; those of rangesFrom are in no configuration.
  std::vector<std::string> places;
  /// How many of them are the runtime's (ipRanges): it may ask for what it likes.
  std::size_t from_runtime = 0;
  /// The outer ranges that the delegate's own must lie inside; empty when only one side has ranges.
  RangeSpecSets limits;
  /// Beside `rangesFrom`: the subnet that its ranges are slices of.
  std::optional<SliceFrame> frame;
  std::vector<std::string> warnings;
};

/// Reads all ranges. `inner` is the `delegate` object: with ranges of its own it narrows those
/// beside it, else it inherits each key that it lacks. Beside `rangesFrom` a subnet is a frame
/// and no range, and Flannel's `ranges` count as ever.
/// Errors: throws CniError with host-local's texts ("invalid CIDR address: X", "invalid IP address:
/// X"); CniError 7 naming the path for ranges that make a `rangesFrom` dead.
RangesAsWritten read_ranges(const ConfigReader& outer, const ConfigReader& inner,
                            const ConfigReader& runtime_config);

/// The range sets to allocate from.
/// Errors: throws allocator::Error and CniError 999 with host-local's texts; CniError 7 naming both
/// ranges when an inner one is not inside the outer ones.
allocator::RangeSets complete_ranges(const RangesAsWritten& written, std::string_view cni_version);

}  // namespace shim
