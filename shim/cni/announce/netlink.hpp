#pragma once
/// The rtnetlink requests that announcing an address needs, and what is read out of the answers.
/// Pure. Answers are taken as hostile: lengths that do not fit end the reading, never more.
/// Source: rtnetlink(7), netlink(7), linux/if_link.h, linux/neighbour.h, linux/net_namespace.h,
/// linux/if_bridge.h.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/address.hpp"
#include "shim/cni/announce/frames.hpp"

namespace shim::announce {

/// A network device, as far as it is looked at.
struct Link {
  std::uint32_t index = 0;
  std::string name;
  std::string kind;  ///< "veth", "bridge"; empty for a device of its own
  bool is_up = false;
  std::optional<Mac> mac;
  /// Of a veth: the index of its other end; of a VLAN's device: that of the one below it.
  std::optional<std::uint32_t> peer;
  std::optional<std::int32_t> peer_namespace;  ///< where that is; nullopt: in the same one
  std::optional<std::uint32_t> master;         ///< the index of the bridge that it is a port of
  std::optional<std::uint16_t> vlan;           ///< of a VLAN's device
  bool filters_vlans = false;                  ///< a bridge that keeps VLANs apart
  bool has_usual_tags = true;                  ///< such a bridge's tags are 802.1Q's
};

/// That a bridge's device or port belongs to some VLANs.
struct VlanMember {
  std::uint32_t device = 0;
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  bool is_own = false;       ///< frames without a tag that come in belong to it
  bool is_untagged = false;  ///< its frames go out without a tag
};

/// An entry of a neighbour or forwarding table.
struct Neighbour {
  std::uint16_t state = 0;
  std::uint8_t flags = 0;

  /// Somebody's own decision, which is not ours to forget: permanent, without ARP, or learned
  /// elsewhere.
  [[nodiscard]] bool is_fixed() const;
  /// In a bridge's forwarding table: the address of the bridge or of a port itself.
  [[nodiscard]] bool is_local() const;
};

/// Which device an address of ours is taken to be at.
struct KnownNeighbour {
  allocator::Address address;
  Mac mac{};
  std::uint32_t device = 0;
};

/// What a question about one thing was answered.
template <typename Thing>
struct Answer {
  std::optional<Thing> thing;
  int error = 0;  ///< an errno, as the kernel refused; with neither, nothing was understood
};

/// What number we know the namespace behind an open descriptor by.
std::string ask_namespace(int descriptor);
/// Errors: nullopt also for a namespace that ours has no link to.
std::optional<std::int32_t> parse_namespace(std::string_view answer);

/// A link by its name, in the namespace with this number; nullopt: in ours.
std::string ask_link(const std::string& name, std::optional<std::int32_t> where);
/// A link of ours by its index.
std::string ask_link(std::uint32_t index);
std::optional<Link> parse_link(std::string_view answer);

/// All ports of a bridge.
std::string ask_ports(std::uint32_t bridge);
/// All VLANs' devices; where the kernel knows no such kind, all links.
std::string ask_vlan_devices();
/// Errors: nullopt for an answer that is not whole.
std::optional<std::vector<Link>> parse_links(std::string_view answer);

/// The VLANs that bridges and ports are members of. Linux 5.6.
std::string ask_vlans();
/// Errors: nullopt for an answer that is not whole, as of a kernel that does not tell.
std::optional<std::vector<VlanMember>> parse_vlans(std::string_view answer);

/// What a bridge knows of a MAC address.
std::string ask_forwarding(std::uint32_t bridge, const Mac& mac);
/// What we know of a neighbour's address on a device.
std::string ask_neighbour(std::uint32_t device, const allocator::Address& address);
Answer<Neighbour> parse_neighbour(std::string_view answer);

/// All neighbours that we know the MAC address of, on every device.
std::string ask_neighbours();
/// Entries of other families, and those without a MAC address, are left out.
/// Errors: nullopt for an answer that is not whole.
std::optional<std::vector<KnownNeighbour>> parse_neighbours(std::string_view answer);

/// Forgets it.
std::string forget_neighbour(std::uint32_t device, const allocator::Address& address);

/// Where we would send a packet for an address.
std::string ask_route(const allocator::Address& address);
/// The type of the route (RTN_UNICAST and so on).
Answer<std::uint8_t> parse_route(std::string_view answer);

}  // namespace shim::announce
