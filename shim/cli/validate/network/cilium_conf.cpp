// cilium-cni's entry in a conflist.
#include <algorithm>
#include <array>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"

namespace shim::validate {
namespace {

/// The IPAM part of Cilium's node specification: cilium-cni reads them out of `ipam` with types of
/// its own.
constexpr std::array<std::string_view, 9> kCiliumKeys = {"pool",
                                                         "pools",
                                                         "podCIDRs",
                                                         "min-allocate",
                                                         "max-allocate",
                                                         "pre-allocate",
                                                         "max-above-watermark",
                                                         "ipv6-pool",
                                                         "static-ip-tags"};
/// Network names that are chaining modes at the same time.
constexpr std::array<std::string_view, 4> kChainingNames = {"flannel", "azure", "aws-cni",
                                                            "generic-veth"};

void check_ipam_keys(const PluginPlace& place) {
  Json* ipam = object_member(place.json(), "ipam");
  if (ipam == nullptr || !uses_us(place.json())) return;
  for (const auto& key : keys_of(*ipam)) {
    if (!is_cilium_key(key)) continue;
    place.found(rules::kCiliumKey, {"/ipam/", escaped(key)},
                {"cilium-cni reads ", key, " as a part of its node's specification"});
    if (find_member(*ipam, "delegate") == nullptr)
      (*ipam)["delegate"] = object_of("type", "host-local");
    if (Json* delegate = object_member(*ipam, "delegate")) move_member(*ipam, key, *delegate);
  }
}

std::string_view range_set_of(const LiteralRange& range) {
  return std::string_view(range.pointer).substr(0, range.pointer.rfind('/'));
}

void check_families(const PluginPlace& place) {
  const auto ranges = literal_ranges(*object_member(place.json(), "ipam"));
  for (auto range = ranges.begin(); range != ranges.end(); ++range) {
    const bool has_twin = std::any_of(ranges.begin(), range, [&](const LiteralRange& other) {
      return other.first.family() == range->first.family() &&
             range_set_of(other) != range_set_of(*range);
    });
    if (!has_twin) continue;
    place.found(rules::kCiliumFamilies, {range->pointer},
                {"Cilium uses the last address of a family only; the other ones stay taken"});
  }
}

}  // namespace

bool is_cilium_key(std::string_view key) {
  return std::any_of(kCiliumKeys.begin(), kCiliumKeys.end(),
                     [&](std::string_view one) { return same_key(one, key); });
}

void check_cilium_entry(const PluginPlace& place) {
  if (!uses_us(place.json())) return;
  const std::string_view mode = text_member(place.json(), "chaining-mode");
  if (!mode.empty()) {
    place.found(rules::kCiliumChaining, {"/", spelled(place.json(), "chaining-mode")},
                {"chaining-mode ", mode, " makes cilium-cni a chained plugin"});
    erase_member(place.json(), "chaining-mode");
  }
  const std::string_view name = text_member(place.network.json, "name");
  if (std::find(kChainingNames.begin(), kChainingNames.end(), name) != kChainingNames.end()) {
    place.list.found(rules::kCiliumName, {"/", spelled(place.network.json, "name")},
                     {"the network's name ", name, " makes cilium-cni a chained plugin"});
    set_member(place.network.json, "name", "cilium");
  }
  if (place.index > 0) {
    place.found(rules::kCiliumNotFirst, {"/", spelled(place.json(), "type")},
                {"cilium-cni fails when another plugin has run before it"});
  }
  check_ipam_keys(place);
  check_families(place);
}

}  // namespace shim::validate
