#include "shim/cni/announce/vlan_ways.hpp"

#include <algorithm>

namespace shim::announce {
namespace {

/// More frames than these would keep a runtime waiting.
constexpr std::size_t kMostPorts = 256;

using Members = std::vector<VlanMember>;

bool covers(const VlanMember& member, std::uint16_t vlan) {
  return member.first <= vlan && vlan <= member.last;
}

/// The entry for a VLAN of a device; nullptr when it is no member.
const VlanMember* find_member(const Members& members, std::uint32_t device, std::uint16_t vlan) {
  const auto found = std::find_if(members.begin(), members.end(), [&](const VlanMember& member) {
    return member.device == device && covers(member, vlan);
  });
  return found == members.end() ? nullptr : &*found;
}

/// The VLAN that a device's frames without a tag come into and leave again without one.
std::optional<std::uint16_t> own_vlan(const Members& members, std::uint32_t device) {
  for (const auto& member : members) {
    if (member.device == device && member.is_own && member.is_untagged) return member.first;
  }
  return std::nullopt;
}

Way way_to(const VlanMember& member, std::uint16_t vlan) {
  return {member.device, member.is_untagged ? std::nullopt : std::optional(vlan)};
}

/// Every other port of the bridge that is a member; one of them may lead to the node.
std::optional<Ways> ways_by_ports(Wire& wire, const Link& bridge, const Link& port,
                                  const Members& members, std::uint16_t vlan) {
  const auto ports = parse_links(wire.ask(ask_ports(bridge.index)));
  if (!ports || ports->size() > kMostPorts) return std::nullopt;
  Ways found;
  for (const auto& member : members) {
    const bool is_port = std::any_of(ports->begin(), ports->end(), [&](const Link& link) {
      return link.index == member.device && link.index != port.index;
    });
    if (is_port && covers(member, vlan)) found.ways.push_back(way_to(member, vlan));
  }
  return found;
}

}  // namespace

std::optional<Ways> ways_of_vlan(Wire& wire, const Link& bridge, const Link& port) {
  const auto members = parse_vlans(wire.ask(ask_vlans()));
  if (!members || !bridge.has_usual_tags) return std::nullopt;
  const auto vlan = own_vlan(*members, port.index);
  if (!vlan) return std::nullopt;
  const VlanMember* own = find_member(*members, bridge.index, *vlan);
  if (own == nullptr) return ways_by_ports(wire, bridge, port, *members, *vlan);
  const auto devices = parse_links(wire.ask(ask_vlan_devices()));
  if (!devices) return std::nullopt;
  // A frame with a tag is in its VLAN, whatever the bridge's own one is.
  Ways found{{{bridge.index, *vlan}}, {}};
  if (own->is_own) found.own_devices.push_back(bridge.index);
  for (const auto& device : *devices) {
    if (device.vlan == vlan && device.peer == bridge.index && !device.peer_namespace)
      found.own_devices.push_back(device.index);
  }
  return found;
}

}  // namespace shim::announce
