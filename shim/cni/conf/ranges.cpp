#include "shim/cni/conf/ranges.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace shim {
namespace {

using allocator::RangeSpec;

/// What one object says by itself.
struct OwnRanges {
  RangeSpec legacy;
  RangeSpecSets ranges;
  std::string subnet_path;
  std::string ranges_path;
};

std::optional<allocator::Address> read_address(const ConfigReader& reader, std::string_view key) {
  const auto text = reader.text(key);
  if (!text || text->empty()) return std::nullopt;
  const auto address = allocator::Address::parse(*text);
  if (!address) {
    throw CniError(reader.code(), "invalid IP address: " + cut(*text), {},
                   "at " + reader.path_of(key))
        .at(reader.path_of(key));
  }
  return address;
}

std::optional<allocator::Cidr> read_subnet(const ConfigReader& reader) {
  // Unlike everywhere else, host-local refuses a null here: it is a forgotten value, not a missing
  // key.
  const auto text = reader.is_null("subnet") ? std::string() : reader.text("subnet");
  if (!text) return std::nullopt;
  const auto cidr = allocator::Cidr::parse(*text);
  if (!cidr) {
    throw CniError(reader.code(), "invalid CIDR address: " + cut(*text), {},
                   "at " + reader.path_of("subnet") + "; write it as 10.244.1.0/24")
        .at(reader.path_of("subnet"));
  }
  return cidr;
}

RangeSpec read_range(const ConfigReader& reader) {
  return {read_subnet(reader), read_address(reader, "rangeStart"), read_address(reader, "rangeEnd"),
          read_address(reader, "gateway")};
}

RangeSpecSets read_range_sets(const ConfigReader& reader, std::string_view key) {
  RangeSpecSets sets;
  reader.each(key, [&](const Json& set, const std::string& set_path) {
    auto& ranges = sets.emplace_back();
    if (set.is_null()) return;
    if (!set.is_array())
      fail_type(set, set_path, "an array of ranges (ranges is an array of arrays)", reader.code());
    std::size_t index = 0;
    for (const auto& range : set) {
      const std::string path = set_path + "/" + std::to_string(index++);
      if (!range.is_object()) fail_type(range, path, "an object", reader.code());
      ranges.push_back(read_range({&range, path, reader.code()}));
    }
  });
  return sets;
}

OwnRanges read_own(const ConfigReader& reader) {
  return {read_range(reader), read_range_sets(reader, "ranges"), reader.path_of("subnet"),
          reader.path_of("ranges")};
}

/// One object's own ranges: the legacy one first, as host-local counts.
RangeSpecSets own_ranges(const RangeSpec& legacy, const RangeSpecSets& ranges) {
  RangeSpecSets sets;
  if (legacy.subnet) sets.push_back({legacy});
  sets.insert(sets.end(), ranges.begin(), ranges.end());
  return sets;
}

/// Where own_ranges() come from. `legacy`: the place of the legacy range, if there is one.
std::vector<std::string> places_of(const std::optional<std::string>& legacy,
                                   const std::string& ranges, std::size_t count) {
  std::vector<std::string> places;
  if (legacy) places.push_back(*legacy);
  for (std::size_t i = 0; i < count; ++i) places.push_back(ranges + "/" + std::to_string(i));
  return places;
}

bool overlaps_any(const RangeSpec& legacy, const RangeSpecSets& sets) {
  return std::any_of(sets.begin(), sets.end(), [&](const auto& ranges) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const RangeSpec& range) {
      return range.subnet && (range.subnet->contains(legacy.subnet->address) ||
                              legacy.subnet->contains(range.subnet->address));
    });
  });
}

void warn_of_stray_subnet(const RangeSpec& legacy, const RangeSpecSets& ranges,
                          RangesAsWritten& written) {
  if (!legacy.subnet || ranges.empty() || overlaps_any(legacy, ranges)) return;
  written.warnings.push_back(
      "ipam.subnet " + legacy.subnet->to_string() +
      " stands beside ipam.ranges and touches none of them: host-local and we allocate from "
      "both; remove it if it is a leftover");
}

RangeSpec completed(const RangeSpec& inner, const RangeSpec& outer) {
  return {inner.subnet ? inner.subnet : outer.subnet, inner.start ? inner.start : outer.start,
          inner.end ? inner.end : outer.end, inner.gateway ? inner.gateway : outer.gateway};
}

/// Flannel's plugin writes this node's subnets, and a route to the network that they are parts of.
bool is_by_flannel(const ConfigReader& ipam, const RangeSpecSets& ranges) {
  std::vector<allocator::Cidr> networks;
  const Json* routes = ipam.find("routes");
  for (std::size_t i = 0; routes != nullptr && routes->is_array() && i < routes->size(); ++i) {
    const Json* destination = find_member((*routes)[i], "dst");
    const bool is_text = destination != nullptr && destination->is_string();
    const auto network =
        is_text ? allocator::Cidr::parse(destination->get<std::string>()) : std::nullopt;
    if (network && network->prefix_length > 0) networks.push_back(*network);
  }
  return std::all_of(ranges.begin(), ranges.end(), [&](const auto& set) {
    const bool is_bare = set.size() == 1 && set.front().subnet && !set.front().start &&
                         !set.front().end && !set.front().gateway;
    return is_bare && std::any_of(networks.begin(), networks.end(), [&](const auto& network) {
             return network.contains(set.front().subnet->address);
           });
  });
}

/// Without the subnet that a source gives slices of, nobody would read them.
void refuse_loose_edge(const RangeSpec& legacy, const std::string& place) {
  if (!legacy.start && !legacy.end && !legacy.gateway) return;
  const std::string path = place + (legacy.gateway ? "/gateway"
                                    : legacy.start ? "/rangeStart"
                                                   : "/rangeEnd");
  throw CniError(ErrorCode::invalid_config,
                 path +
                     " stands beside rangesFrom without a subnet, where nobody reads it; write "
                     "\"subnet\" beside it, the one that the nodes share, or remove it")
      .at(path);
}

[[noreturn]] void refuse_dead_source(const std::string& path) {
  throw CniError(ErrorCode::invalid_config,
                 path +
                     " stands beside /ipam/rangesFrom, which would never be read; remove one of "
                     "them. For a part of a subnet that several nodes share write \"subnet\" (and "
                     "\"gateway\"), and the part into the source")
      .at(path);
}

SliceFrame make_frame(const RangeSpec& legacy, const std::string& place) {
  if (legacy.start || legacy.end) {
    const std::string path = place + (legacy.start ? "/rangeStart" : "/rangeEnd");
    throw CniError(ErrorCode::invalid_config,
                   path +
                       " stands beside rangesFrom, which says where this node's part of the subnet "
                       "starts and ends; remove it")
        .at(path);
  }
  static_cast<void>(allocator::complete(legacy));  // its own mistakes are not the source's
  return {legacy, place + "/subnet"};
}

/// `legacy` and the ranges of `own`, behind what is there already.
void append(const RangeSpec& legacy, const OwnRanges& own, RangesAsWritten& written) {
  const RangeSpecSets sets = own_ranges(legacy, own.ranges);
  const auto places = places_of(legacy.subnet ? std::optional(own.subnet_path) : std::nullopt,
                                own.ranges_path, own.ranges.size());
  written.sets.insert(written.sets.end(), sets.begin(), sets.end());
  written.places.insert(written.places.end(), places.begin(), places.end());
}

/// Without a source: the delegate's own ranges, or those beside it.
void read_configured(const OwnRanges& outer, const OwnRanges& inner, RangesAsWritten& written) {
  warn_of_stray_subnet(outer.legacy, outer.ranges, written);
  if (inner.legacy.subnet || !inner.ranges.empty()) {
    append(outer.legacy.subnet ? inner.legacy : completed(inner.legacy, outer.legacy), inner,
           written);
    written.limits = own_ranges(outer.legacy, outer.ranges);
    return;
  }
  const RangeSpec legacy = completed(inner.legacy, outer.legacy);
  const bool carves = inner.legacy.start || inner.legacy.end || inner.legacy.gateway;
  if (carves && !legacy.subnet) {
    throw CniError(ErrorCode::invalid_config,
                   "/ipam/delegate has rangeStart, rangeEnd or gateway without a subnet: they "
                   "say nothing about "
                   "ipam.ranges; write a range inside delegate.ranges instead")
        .at("/ipam/delegate");
  }
  append(legacy, outer, written);
}

/// What may stand beside `rangesFrom`.
void read_beside_source(const ConfigReader& outer, const OwnRanges& outer_own,
                        const ConfigReader& inner, const OwnRanges& inner_own,
                        RangesAsWritten& written) {
  if (!outer_own.ranges.empty()) {
    if (!is_by_flannel(outer, outer_own.ranges)) refuse_dead_source(outer.path_of("ranges"));
    // A subnet beside them is what a source would give slices of, and no range of its own.
    OwnRanges flannels = outer_own;
    flannels.legacy = {};
    read_configured(flannels, inner_own, written);
    return;
  }
  if (!inner_own.ranges.empty()) refuse_dead_source(inner.path_of("ranges"));
  const bool is_inner = inner_own.legacy.subnet.has_value();
  const bool is_outer = outer_own.legacy.subnet.has_value();
  if (!is_inner && !is_outer) {
    refuse_loose_edge(inner_own.legacy, "/ipam/delegate");
    refuse_loose_edge(outer_own.legacy, "/ipam");
    return;
  }
  written.frame = make_frame(
      is_inner && is_outer ? inner_own.legacy : completed(inner_own.legacy, outer_own.legacy),
      is_inner ? "/ipam/delegate" : "/ipam");
  if (is_inner && is_outer) written.limits = {{outer_own.legacy}};
}

}  // namespace

RangesAsWritten read_ranges(const ConfigReader& outer, const ConfigReader& inner,
                            const ConfigReader& runtime_config) {
  RangesAsWritten written;
  const OwnRanges outer_own = read_own(outer);
  const OwnRanges inner_own = read_own(inner);
  written.sets = read_range_sets(runtime_config, "ipRanges");
  written.from_runtime = written.sets.size();
  written.places =
      places_of(std::nullopt, runtime_config.path_of("ipRanges"), written.from_runtime);
  const Json* source = outer.find("rangesFrom");
  if (source != nullptr && source->is_object()) {  // a mistyped one is told by whoever reads it
    read_beside_source(outer, outer_own, inner, inner_own, written);
  } else {
    read_configured(outer_own, inner_own, written);
  }
  return written;
}

}  // namespace shim
