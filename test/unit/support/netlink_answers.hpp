#pragma once
/// rtnetlink answers as the kernel would give them, and what a request asks for.
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "shim/cni/announce/netlink.hpp"

namespace test {

template <typename Value>
std::string raw(const Value& value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline std::string padded(std::string bytes) {
  bytes.resize((bytes.size() + 3) & ~std::size_t{3}, '\0');
  return bytes;
}

inline std::string attribute(unsigned type, const std::string& value) {
  const nlattr header{static_cast<std::uint16_t>(4 + value.size()),
                      static_cast<std::uint16_t>(type)};
  return padded(raw(header) + value);
}

inline std::string message(unsigned type, const std::string& body) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + body.size());
  header.nlmsg_type = static_cast<std::uint16_t>(type);
  return padded(raw(header) + body);
}

inline std::string error_message(int error) {
  nlmsgerr body{};
  body.error = -error;
  return message(NLMSG_ERROR, raw(body));
}

inline std::string done_message() { return message(NLMSG_DONE, raw(0)); }

inline std::string namespace_message(std::int32_t number) {
  return message(RTM_NEWNSID, std::string(4, '\0') + attribute(NETNSA_NSID, raw(number)));
}

inline std::string link_message(const shim::announce::Link& link) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(link.index);
  header.ifi_flags = link.is_up ? static_cast<unsigned>(IFF_UP) : 0U;
  std::string body = raw(header) + attribute(IFLA_IFNAME, link.name + '\0');
  if (link.mac) body += attribute(IFLA_ADDRESS, raw(*link.mac));
  if (link.peer) body += attribute(IFLA_LINK, raw(*link.peer));
  if (link.peer_namespace) body += attribute(IFLA_LINK_NETNSID, raw(*link.peer_namespace));
  if (link.master) body += attribute(IFLA_MASTER, raw(*link.master));
  if (!link.kind.empty()) {
    std::string info = attribute(IFLA_INFO_KIND, link.kind + '\0');
    const auto filters = static_cast<std::uint8_t>(link.filters_vlans);
    std::string data = attribute(IFLA_BR_VLAN_FILTERING, raw(filters));
    if (link.kind == "bridge") {
      const std::uint16_t protocol = link.has_usual_tags ? ETH_P_8021Q : ETH_P_8021AD;
      data += attribute(IFLA_BR_VLAN_PROTOCOL, raw(htons(protocol)));
    }
    if (link.vlan) data = attribute(IFLA_VLAN_ID, raw(*link.vlan));
    info += attribute(IFLA_INFO_DATA, data);
    body += attribute(IFLA_LINKINFO | NLA_F_NESTED, info);
  }
  return message(RTM_NEWLINK, body);
}

inline std::string vlan_message(const shim::announce::VlanMember& member) {
  br_vlan_msg header{};
  header.family = AF_BRIDGE;
  header.ifindex = member.device;
  bridge_vlan_info info{};
  info.vid = member.first;
  if (member.is_own) info.flags |= BRIDGE_VLAN_INFO_PVID;
  if (member.is_untagged) info.flags |= BRIDGE_VLAN_INFO_UNTAGGED;
  std::string entry = attribute(BRIDGE_VLANDB_ENTRY_INFO, raw(info));
  if (member.last != member.first) entry += attribute(BRIDGE_VLANDB_ENTRY_RANGE, raw(member.last));
  return message(RTM_NEWVLAN, raw(header) + attribute(BRIDGE_VLANDB_ENTRY | NLA_F_NESTED, entry));
}

inline std::string neighbour_message(std::uint16_t state, std::uint8_t flags = 0) {
  ndmsg header{};
  header.ndm_state = state;
  header.ndm_flags = flags;
  return message(RTM_NEWNEIGH, raw(header));
}

/// An entry of the neighbour table. `mac`: of any length.
inline std::string known_neighbour(const std::string& address, const std::string& mac,
                                   std::uint16_t state = NUD_STALE) {
  const auto parsed = allocator::Address::parse(address).value();
  ndmsg header{};
  header.ndm_family = parsed.family() == allocator::Family::v4 ? AF_INET : AF_INET6;
  header.ndm_state = state;
  return message(RTM_NEWNEIGH, raw(header) + attribute(NDA_DST, shim::announce::bytes_of(parsed)) +
                                   attribute(NDA_LLADDR, mac));
}

inline std::string route_message(std::uint8_t type) {
  rtmsg header{};
  header.rtm_type = type;
  return message(RTM_NEWROUTE, raw(header));
}

inline unsigned type_of(const std::string& request) {
  nlmsghdr header{};
  std::memcpy(&header, request.data(), sizeof header);
  return header.nlmsg_type;
}

/// An attribute of a request with a fixed header of this size.
inline std::optional<std::string> attribute_of(const std::string& request, std::size_t header,
                                               unsigned type) {
  std::size_t at = sizeof(nlmsghdr) + header;
  while (at + sizeof(nlattr) <= request.size()) {
    nlattr one{};
    std::memcpy(&one, request.data() + at, sizeof one);
    if (one.nla_type == type) return request.substr(at + sizeof one, one.nla_len - sizeof one);
    at += (one.nla_len + 3U) & ~3U;
  }
  return std::nullopt;
}

}  // namespace test
