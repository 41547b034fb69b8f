// Who gets the ranges: the same ones on every node mean that two pods get one address.
#include <algorithm>

#include "allocator/error.hpp"
#include "allocator/range.hpp"
#include "shim/cli/subnet_option.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cni/protocol/version.hpp"

namespace shim::validate {
namespace {

using allocator::Address;
using allocator::Cidr;
using allocator::Family;

constexpr const char* kNodesDir = "/etc/cni/delegated-ipam/nodes";

std::optional<Address> address_member(const Json& range, std::string_view key) {
  return Address::parse(text_member(range, key));
}

void add_range(const Json& range, Words pointer, std::vector<LiteralRange>& ranges) {
  const std::string_view text = text_member(range, "subnet");
  const auto subnet = Cidr::parse(text);
  if (!subnet) return;
  try {
    const auto complete =
        allocator::complete({subnet, address_member(range, "rangeStart"),
                             address_member(range, "rangeEnd"), address_member(range, "gateway")});
    ranges.push_back({joined(pointer), complete.start, complete.end, std::string(text)});
  } catch (const allocator::Error&) {
    return;  // the plugin says what is wrong with it
  }
}

/// `is_frame`: its subnet is what a source gives parts of, and no range.
std::vector<LiteralRange> ranges_of_block(const Json& block, std::string_view pointer,
                                          bool is_frame) {
  std::vector<LiteralRange> ranges;
  if (!is_frame) add_range(block, {pointer, "/", spelled(block, "subnet")}, ranges);
  const auto& sets = elements(block, "ranges");
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (std::size_t j = 0; sets[i].is_array() && j < sets[i].size(); ++j) {
      add_range(
          sets[i][j],
          {pointer, "/", spelled(block, "ranges"), "/", std::to_string(i), "/", std::to_string(j)},
          ranges);
    }
  }
  return ranges;
}

void erase_ranges(Json& block) {
  for (const char* key : {"ranges", "subnet", "rangeStart", "rangeEnd", "gateway"})
    erase_member(block, key);
}

/// Why a range cannot be right, behind its text; empty when it can.
std::string_view problem_of(const PluginPlace& place, const LiteralRange& range) {
  if (place.network.is_for_all_nodes())
    return " in what every node gets: all nodes hand out the same addresses";
  if (is_more_than_a_share(range.first, range.last))
    return " is more than one node's share: nodes that have it hand out the same addresses";
  return {};
}

std::string_view remedy_of(const PluginPlace& place) {
  if (place.is_flannel()) return "remove it: Flannel writes this node's ranges";
  return place.network.is_for_all_nodes()
             ? "write \"rangesFrom\" instead, which finds each node's own ranges on the node"
             : "";
}

/// What every node gets must not have ranges in it.
Json wished_ranges(const PluginPlace& place) {
  return place.network.is_for_all_nodes() ? Json::array() : make_range_sets(place.wishes.subnets);
}

bool gets_ranges_elsewhere(const PluginPlace& place, const Json& ipam) {
  const Json* capabilities = object_member(place.json(), "capabilities");
  const bool by_runtime =
      capabilities != nullptr && find_member(*capabilities, "ipRanges") != nullptr;
  return by_runtime || place.is_flannel() || is_meta_plugin(place.json()) ||
         find_member(ipam, "rangesFrom") != nullptr;
}

bool has_range_keys(const Json& block) {
  return has_ranges_in(&block) || find_member(block, "rangeStart") != nullptr;
}

void check_missing(const PluginPlace& place, Json& ipam) {
  const Json* delegate = object_member(ipam, "delegate");
  const bool has_some = has_range_keys(ipam) || (delegate != nullptr && has_range_keys(*delegate));
  if (has_some || gets_ranges_elsewhere(place, ipam)) return;
  place.found(rules::kNoRanges, {"/ipam"}, {"nothing says which addresses this node has"});
  replace_ranges(ipam, wished_ranges(place));
}

/// {"subnet", "gateway"} of the only range of a block, where it has both: a subnet that nodes
/// share.
Json shared_subnet(const Json& block) {
  const auto& sets = elements(block, "ranges");
  const bool is_legacy = find_member(block, "subnet") != nullptr;
  const bool is_listed = sets.size() == 1 && sets.front().is_array() && sets.front().size() == 1;
  if (is_legacy ? !sets.empty() : !is_listed) return {};
  const Json& range = is_legacy ? block : sets.front().front();
  Json shared = Json::object();
  for (const char* key : {"subnet", "gateway"}) {
    if (text_member(range, key).empty()) return {};
    shared[key] = std::string(text_member(range, key));
  }
  return shared;
}

void set_members(Json& block, const Json& members) {
  for (const auto& [key, value] : entries(members)) set_member(block, key, value);
}

/// What makes the source dead, or says what the source says.
void check_beside_source(const PluginPlace& place, Json& block, std::string_view pointer) {
  if (!elements(block, "ranges").empty()) {
    place.found(rules::kDeadSource, {pointer, "/", spelled(block, "ranges")},
                {"\"rangesFrom\" is never read where there are ranges"});
    const Json shared = shared_subnet(block);
    erase_member(block, "ranges");
    set_members(block, shared);
  }
  for (const char* key : {"rangeStart", "rangeEnd"}) {
    if (find_member(block, key) == nullptr) continue;
    place.found(rules::kDeadSource, {pointer, "/", spelled(block, key)},
                {"\"rangesFrom\" says where this node's part of the subnet starts and ends"},
                "remove it");
    erase_member(block, key);
  }
}

void check_old_version(const PluginPlace& place, const std::vector<LiteralRange>& ranges) {
  const std::string_view version = text_member(place.network.json, "cniVersion");
  const auto has = [&](Family family) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const LiteralRange& range) { return range.first.family() == family; });
  };
  const bool is_old = version == "0.1.0" || version == "0.2.0";
  if (!is_old || !has(Family::v4) || !has(Family::v6)) return;
  place.list.found(
      rules::kVersionOld, {"/", spelled(place.network.json, "cniVersion")},
      {"IPv4 and IPv6 with CNI ", version, ", whose results have one place for each and no list"});
}

void check_source(const PluginPlace& place, Json& ipam) {
  if (find_member(ipam, "rangesFrom") == nullptr || place.is_flannel()) return;
  check_beside_source(place, ipam, "/ipam");
  if (Json* delegate = object_member(ipam, "delegate"))
    check_beside_source(place, *delegate, "/ipam/delegate");
}

/// True when pods are in a network of their own behind the node, with the node as their gateway.
bool is_behind_node(const PluginPlace& place) {
  return place.is_routed() || place.is_on("isGateway") || place.is_on("isDefaultGateway");
}

/// The ranges that the operator wishes; else a source of them, and the subnet of the LAN that they
/// are parts of.
void correct_ranges(const PluginPlace& place, Json& ipam, const Json& wished) {
  Json* delegate = object_member(ipam, "delegate");
  const bool is_inner = delegate != nullptr && has_range_keys(*delegate);
  const Json shared = is_behind_node(place) ? Json() : shared_subnet(is_inner ? *delegate : ipam);
  replace_ranges(ipam, wished);
  if (!wished.empty()) return;
  delegate = object_member(ipam, "delegate");
  set_members(delegate != nullptr ? *delegate : ipam, shared);
}

}  // namespace

bool has_ranges_in(const Json* block) {
  return block != nullptr &&
         (find_member(*block, "ranges") != nullptr || find_member(*block, "subnet") != nullptr);
}

std::vector<LiteralRange> literal_ranges(const Json& ipam) {
  if (!is_host_local(ipam)) return {};
  const Json* delegate = object_member(ipam, "delegate");
  const bool has_source = find_member(ipam, "rangesFrom") != nullptr;
  std::vector<LiteralRange> ranges;
  if (delegate != nullptr) ranges = ranges_of_block(*delegate, "/ipam/delegate", has_source);
  return ranges.empty() ? ranges_of_block(ipam, "/ipam", has_source) : ranges;
}

void replace_ranges(Json& ipam, Json sets) {
  erase_ranges(ipam);
  Json* delegate = object_member(ipam, "delegate");
  if (delegate != nullptr) erase_ranges(*delegate);
  if (!sets.empty()) {
    (delegate != nullptr ? *delegate : ipam)["ranges"] = std::move(sets);
    return;
  }
  if (find_member(ipam, "rangesFrom") != nullptr) return;
  ipam["rangesFrom"] = object_of("nodesDir", kNodesDir);
}

bool has_ranges(const PluginPlace& place) {
  const Json* ipam = object_member(place.json(), "ipam");
  if (ipam == nullptr || gets_ranges_elsewhere(place, *ipam)) return true;
  return has_ranges_in(ipam) || has_ranges_in(object_member(*ipam, "delegate"));
}

void check_ranges(const PluginPlace& place) {
  Json& ipam = *object_member(place.json(), "ipam");
  if (!is_host_local(ipam)) return;
  check_source(place, ipam);
  const auto ranges = literal_ranges(ipam);
  // Behind the node's own address a range that every node has is usable, if unwise.
  const bool is_hidden = !place.network.is_for_all_nodes() && place.is_on("ipMasq");
  std::size_t wrong = 0;
  for (const auto& range : ranges) {
    const std::string_view problem = problem_of(place, range);
    if (problem.empty()) continue;
    ++wrong;
    if (is_hidden) {
      place.warned(rules::kSharedSubnet, {range.pointer}, {range.text, problem});
    } else {
      place.found(rules::kSharedSubnet, {range.pointer}, {range.text, problem}, remedy_of(place));
    }
  }
  check_old_version(place, ranges);
  const Json wished = wished_ranges(place);
  const bool is_partly_right = wrong < ranges.size() && wished.empty();
  if (wrong == 0) {
    check_missing(place, ipam);
  } else if (is_hidden || is_partly_right) {
    return;  // it works (podman's network of a single machine, say), or a right range would be lost
  } else if (place.is_flannel()) {
    if (Json* delegate = object_member(ipam, "delegate")) erase_ranges(*delegate);
  } else {
    correct_ranges(place, ipam, wished);
  }
}

}  // namespace shim::validate
