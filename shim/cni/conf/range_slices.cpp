#include "shim/cni/conf/range_slices.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

using allocator::Address;
using allocator::Cidr;
using allocator::Family;
using allocator::RangeSpec;
using allocator::Span;

[[noreturn]] void refuse(const std::string& path, const std::string& line,
                         const std::string& problem) {
  throw CniError(ErrorCode::invalid_config, "/ipam/rangesFrom: " + path + ": " + line + problem)
      .at("/ipam/rangesFrom");
}

RangeSpec whole(const std::string& line, const std::string& path) {
  const auto subnet = Cidr::parse(line);
  if (!subnet)
    refuse(path, line,
           " is a span of a subnet that nobody names; write \"subnet\" (and \"gateway\") beside "
           "rangesFrom, or a CIDR block there");
  RangeSpec range;
  range.subnet = *subnet;
  return range;
}

/// The first and last address of a subnet that a pod can have.
Span hosts_of(const Cidr& subnet) {
  const Family family = subnet.address.family();
  const Address last = subnet.last();
  return {Address(family, subnet.network().number() + 1),
          family == Family::v4 ? Address(family, last.number() - 1) : last};
}

RangeSpec slice(const Span& span, const SliceFrame& frame, const std::string& line,
                const std::string& path) {
  const Cidr& subnet = *frame.range.subnet;
  if (!subnet.contains(span.first) || !subnet.contains(span.last))
    refuse(path, line,
           " is not inside " + frame.path + " " + subnet.to_string() +
               "; correct one of them: rangesFrom gives this node's part of that subnet");
  const Span hosts = hosts_of(subnet);
  RangeSpec range = frame.range;
  // A slice at the subnet's edge includes its network or broadcast address, which is no pod's.
  range.start = std::max(span.first, hosts.first);
  range.end = std::min(span.last, hosts.last);
  if (*range.start > *range.end)
    refuse(path, line, " has no address that a pod can have in " + subnet.to_string());
  return range;
}

}  // namespace

std::optional<Span> parse_block_or_span(std::string_view text) {
  if (const auto block = Cidr::parse(text)) return Span{block->network(), block->last()};
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = Address::parse(text.substr(0, dash));
  const auto last = Address::parse(text.substr(dash + 1));
  const bool is_span = first && last && first->family() == last->family() && *first <= *last;
  return is_span ? std::optional(Span{*first, *last}) : std::nullopt;
}

RangeSpecSets sets_of_source(const std::vector<std::string>& lines,
                             const std::optional<SliceFrame>& frame, const std::string& path) {
  RangeSpecSets sets;
  for (const auto& line : lines) {
    const auto span = parse_block_or_span(line);
    if (!span) continue;
    const bool is_slice = frame && frame->range.subnet->address.family() == span->first.family();
    const RangeSpec range = is_slice ? slice(*span, *frame, line, path) : whole(line, path);
    const auto same_family = std::find_if(sets.begin(), sets.end(), [&](const auto& set) {
      return set.front().subnet->address.family() == span->first.family();
    });
    if (same_family == sets.end()) {
      sets.push_back({range});
    } else {
      same_family->push_back(range);
    }
  }
  return sets;
}

Json ranges_json(const RangeSpecSets& sets) {
  Json list = Json::array();
  for (const auto& set : sets) {
    Json& ranges = list.emplace_back(Json::array());
    for (const auto& range : set) {
      Json& one = ranges.emplace_back(Json::object());
      one["subnet"] = range.subnet->to_string();
      if (range.start) one["rangeStart"] = range.start->to_string();
      if (range.end) one["rangeEnd"] = range.end->to_string();
      if (range.gateway) one["gateway"] = range.gateway->to_string();
    }
  }
  return list;
}

}  // namespace shim
