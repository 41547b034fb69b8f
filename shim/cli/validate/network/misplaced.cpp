// Keys of ours and of host-local's that stand where nobody reads them.
#include <algorithm>
#include <array>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/document/shapes.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cni/conf/own_keys.hpp"

namespace shim::validate {
namespace {

using allocator::Address;
using allocator::Cidr;

/// Keys that no main plugin has: beside `ipam` they are meant to be in it.
constexpr std::array<std::string_view, 13> kMeantForIpam = {
    "exclude",  "pins",       "retain", "rangesFrom", "ipFamilies", "stateDir", "onDuplicate",
    "requests", "durability", "ranges", "subnet",     "rangeStart", "rangeEnd"};
/// host-local's keys that a range has no use for.
constexpr std::array<std::string_view, 3> kOfBlock = {"routes", "dataDir", "resolvConf"};
constexpr std::array<std::string_view, 3> kEdges = {"rangeStart", "rangeEnd", "gateway"};

template <std::size_t kCount>
bool is_one_of(const std::array<std::string_view, kCount>& keys, std::string_view key) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](std::string_view one) { return same_key(one, key); });
}

/// Lists of what is not to be handed out add up; anything else moves if it is nowhere else. True
/// when it is in the other place now and was not merged with what was there, so that findings about
/// it belong here.
bool move_key(Json& from, const std::string& key, Json& to) {
  Json* there = member(to, key);
  const auto more = in_shape(from.at(key), Shape::spans);
  const bool adds_up = same_key(key, "exclude") && more && there != nullptr &&
                       has_shape(*there, Shape::spans) && more->is_array();
  if (!adds_up) {
    if (same_key(key, "exclude") && more) from[key] = *more;
    return move_member(from, key, to);
  }
  for (const auto& one : *more) {
    if (std::find(there->begin(), there->end(), one) == there->end()) there->push_back(one);
  }
  from.erase(key);
  return false;
}

/// The object that ranges are in: "/ipam" or "/ipam/delegate". What is added to the one moves the
/// other.
Json& block_at(const PluginPlace& place, std::string_view pointer) {
  Json& ipam = *object_member(place.json(), "ipam");
  Json* const inner = pointer == "/ipam" ? nullptr : object_member(ipam, "delegate");
  return inner == nullptr ? ipam : *inner;
}

void check_misplaced_range(const PluginPlace& place, Json& range, const std::string& pointer,
                           std::string_view block) {
  for (const auto& key : keys_of(range)) {
    const bool is_ours = is_own_key(key);
    if ((!is_ours && !is_one_of(kOfBlock, key)) || range.at(key).is_null()) continue;
    place.found(rules::kMisplaced, {pointer, "/", escaped(key)},
                {key, " stands in a range, where nobody reads it"},
                is_ours ? "move it into \"ipam\", where it is for all ranges"
                        : "move it beside \"ranges\"");
    move_key(range, key, block_at(place, is_ours ? "/ipam" : block));
  }
}

void check_in_ranges(const PluginPlace& place, const std::string& pointer) {
  const Json* given = find_member(block_at(place, pointer), "ranges");
  if (given == nullptr || !given->is_array()) return;
  Json sets = *given;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (std::size_t j = 0; sets[i].is_array() && j < sets[i].size(); ++j) {
      const std::string index = "/ranges/" + std::to_string(i) + "/" + std::to_string(j);
      if (sets[i][j].is_object())
        check_misplaced_range(place, sets[i][j], pointer + index, pointer);
    }
  }
  set_member(block_at(place, pointer), "ranges", std::move(sets));
}

/// The only range that the address can be meant for; nullptr when there are several, or none.
Json* only_range_of(Json& block, const Address& address, std::string_view key) {
  Json* only = nullptr;
  Json* sets = member(block, "ranges");
  for (std::size_t i = 0; sets != nullptr && sets->is_array() && i < sets->size(); ++i) {
    for (std::size_t j = 0; sets->at(i).is_array() && j < sets->at(i).size(); ++j) {
      Json& range = sets->at(i).at(j);
      const auto subnet = Cidr::parse(text_member(range, "subnet"));
      if (!subnet || !subnet->contains(address)) continue;
      if (only != nullptr || find_member(range, key) != nullptr) return nullptr;
      only = &range;
    }
  }
  return only;
}

/// Edges of a range that has no subnet: host-local leaves them out without a word. `ranges`: which
/// block has them.
void check_edges(const PluginPlace& place, const std::string& pointer, std::string_view ranges) {
  for (const auto edge : kEdges) {
    Json& block = block_at(place, pointer);
    const auto address = Address::parse(text_member(block, edge));
    if (!address) continue;
    const std::string key(spelled(block, edge));
    place.found(rules::kMisplaced, {pointer, "/", key},
                {key, " stands beside \"ranges\", where it says nothing about them"},
                "move it into the range that it is for");
    Json copy = block_at(place, ranges);
    Json* range = only_range_of(copy, *address, edge);
    if (range == nullptr || !move_member(block, key, *range)) continue;
    set_member(block_at(place, ranges), "ranges", *find_member(copy, "ranges"));
  }
}

bool has_list(const Json* block) { return block != nullptr && !elements(*block, "ranges").empty(); }

bool has_subnet(const Json* block) {
  return block != nullptr && find_member(*block, "subnet") != nullptr;
}

}  // namespace

bool is_block_key(std::string_view key) { return is_one_of(kOfBlock, key); }

void check_beside_ipam(PluginPlace& place) {
  Json& plugin = place.json();
  if (!uses_us(plugin)) return;
  for (const auto& key : keys_of(plugin)) {
    if (!is_one_of(kMeantForIpam, key) || plugin.at(key).is_null()) continue;
    place.found(rules::kMisplaced, {"/", escaped(key)},
                {key, " stands beside \"ipam\", where nobody reads it"}, "move it into \"ipam\"");
    const bool is_of_ranges = !is_own_key(key) || same_key(key, "rangesFrom");
    if (is_of_ranges && has_ranges(place)) continue;
    if (move_key(plugin, key, *object_member(plugin, "ipam")))
      place.moved(joined({"/ipam/", escaped(key)}), "/" + escaped(key));
  }
}

void check_misplaced(const PluginPlace& place) {
  if (!is_host_local(block_at(place, "/ipam"))) return;
  check_in_ranges(place, "/ipam");
  if (object_member(block_at(place, "/ipam"), "delegate") != nullptr)
    check_in_ranges(place, "/ipam/delegate");
  const Json& ipam = block_at(place, "/ipam");
  const Json* delegate = object_member(ipam, "delegate");
  const bool has_ranges_list = has_list(&ipam) || has_list(delegate);
  if (place.is_flannel() || !has_ranges_list || has_subnet(&ipam) || has_subnet(delegate)) return;
  const bool is_inner = delegate != nullptr;
  const std::string_view ranges = has_list(delegate) ? "/ipam/delegate" : "/ipam";
  check_edges(place, "/ipam", ranges);
  if (is_inner) check_edges(place, "/ipam/delegate", ranges);
}

}  // namespace shim::validate
