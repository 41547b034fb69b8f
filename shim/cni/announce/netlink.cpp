#include "shim/cni/announce/netlink.hpp"

#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace shim::announce {
namespace {

constexpr std::size_t kAlignment = NLMSG_ALIGNTO;

std::size_t aligned(std::size_t length) { return (length + kAlignment - 1) & ~(kAlignment - 1); }

template <typename Value>
std::string raw(const Value& value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

template <typename Value>
std::optional<Value> read_as(std::string_view bytes) {
  Value value;
  if (bytes.size() < sizeof value) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::string attribute(std::uint16_t type, const std::string& value) {
  const nlattr header{static_cast<std::uint16_t>(sizeof header + value.size()), type};
  std::string bytes = raw(header) + value;
  bytes.resize(aligned(bytes.size()), '\0');
  return bytes;
}

enum class Wanted : std::uint16_t {
  one = NLM_F_REQUEST,
  all = NLM_F_REQUEST | NLM_F_DUMP,
  done = NLM_F_REQUEST | NLM_F_ACK
};

std::string request(std::uint16_t type, Wanted wanted, const std::string& body) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + body.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(wanted);
  return raw(header) + body;
}

struct Message {
  std::uint16_t type;
  std::string_view body;
};

/// Takes the first message off `bytes`; nullopt when there is no whole one.
std::optional<Message> next_message(std::string_view& bytes) {
  const auto header = read_as<nlmsghdr>(bytes);
  if (!header || header->nlmsg_len < sizeof *header || header->nlmsg_len > bytes.size())
    return std::nullopt;
  const Message message{header->nlmsg_type,
                        bytes.substr(sizeof *header, header->nlmsg_len - sizeof *header)};
  bytes.remove_prefix(std::min(bytes.size(), aligned(header->nlmsg_len)));
  return message;
}

struct Attribute {
  std::uint16_t type;
  std::string_view value;
};

/// Takes the first attribute off `attributes`; nullopt when there is no whole one.
std::optional<Attribute> next_attribute(std::string_view& attributes) {
  const auto header = read_as<nlattr>(attributes);
  if (!header || header->nla_len < sizeof *header || header->nla_len > attributes.size())
    return std::nullopt;
  const auto type = static_cast<std::uint16_t>(header->nla_type & NLA_TYPE_MASK);
  const Attribute found{type, attributes.substr(sizeof *header, header->nla_len - sizeof *header)};
  attributes.remove_prefix(std::min(attributes.size(), aligned(header->nla_len)));
  return found;
}

/// The value of the first attribute of a type; nullopt when it is not there whole.
std::optional<std::string_view> find(std::string_view attributes, std::uint16_t type) {
  while (const auto found = next_attribute(attributes)) {
    if (found->type == type) return found->value;
  }
  return std::nullopt;
}

template <typename Value>
std::optional<Value> find_as(std::string_view attributes, std::uint16_t type) {
  const auto value = find(attributes, type);
  return value ? read_as<Value>(*value) : std::nullopt;
}

std::string find_text(std::string_view attributes, std::uint16_t type) {
  const auto value = find(attributes, type).value_or("");
  return std::string(value.substr(0, value.find('\0')));
}

/// The body after its fixed header.
template <typename Header>
std::string_view attributes_of(std::string_view body) {
  return body.substr(std::min(body.size(), aligned(sizeof(Header))));
}

/// The address in network order; nullopt for any other length than a family's.
std::optional<allocator::Address> address_of(std::string_view bytes) {
  using allocator::Family;
  for (const Family family : {Family::v4, Family::v6}) {
    if (bytes.size() * 8 != allocator::address_bits(family)) continue;
    allocator::Uint128 number = 0;
    for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
    return allocator::Address(family, number);
  }
  return std::nullopt;
}

/// The answer to a question about one thing: the body of its first message, if that has the type.
Answer<std::string_view> one(std::string_view answer, std::uint16_t type) {
  const auto message = next_message(answer);
  if (!message) return {};
  if (message->type == type) return {message->body, 0};
  const auto error = message->type == NLMSG_ERROR ? read_as<nlmsgerr>(message->body) : std::nullopt;
  return {std::nullopt, error ? -error->error : 0};
}

std::optional<Link> link_of(std::string_view body) {
  const auto header = read_as<ifinfomsg>(body);
  if (!header || header->ifi_index <= 0) return std::nullopt;
  const auto attributes = attributes_of<ifinfomsg>(body);
  Link link;
  link.index = static_cast<std::uint32_t>(header->ifi_index);
  link.is_up = (header->ifi_flags & IFF_UP) != 0;
  link.name = find_text(attributes, IFLA_IFNAME);
  link.peer = find_as<std::uint32_t>(attributes, IFLA_LINK);
  link.peer_namespace = find_as<std::int32_t>(attributes, IFLA_LINK_NETNSID);
  link.master = find_as<std::uint32_t>(attributes, IFLA_MASTER);
  const auto mac = find(attributes, IFLA_ADDRESS);
  if (mac && mac->size() == sizeof(Mac)) link.mac = read_as<Mac>(*mac);
  const auto info = find(attributes, IFLA_LINKINFO).value_or("");
  link.kind = find_text(info, IFLA_INFO_KIND);
  const auto data = find(info, IFLA_INFO_DATA).value_or("");
  if (link.kind == "vlan") link.vlan = find_as<std::uint16_t>(data, IFLA_VLAN_ID);
  if (link.kind == "bridge") {
    link.filters_vlans = find_as<std::uint8_t>(data, IFLA_BR_VLAN_FILTERING).value_or(0) != 0;
    const auto usual = ::htons(ETH_P_8021Q);
    link.has_usual_tags =
        find_as<std::uint16_t>(data, IFLA_BR_VLAN_PROTOCOL).value_or(usual) == usual;
  }
  return link;
}

void add_member(std::vector<VlanMember>& members, std::uint32_t device, std::string_view entry) {
  const auto info = find_as<bridge_vlan_info>(entry, BRIDGE_VLANDB_ENTRY_INFO);
  if (!info) return;
  const auto last = find_as<std::uint16_t>(entry, BRIDGE_VLANDB_ENTRY_RANGE).value_or(info->vid);
  members.push_back({device, info->vid, last, (info->flags & BRIDGE_VLAN_INFO_PVID) != 0,
                     (info->flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0});
}

std::string link_header(std::uint32_t index) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(index);
  // Counters are most of a link's answer, and nobody asks for them.
  return raw(header) + attribute(IFLA_EXT_MASK, raw<std::uint32_t>(RTEXT_FILTER_SKIP_STATS));
}

int family_of(const allocator::Address& address) {
  return address.family() == allocator::Family::v4 ? AF_INET : AF_INET6;
}

std::string neighbour_header(int family, std::uint32_t device) {
  ndmsg header{};
  header.ndm_family = static_cast<std::uint8_t>(family);
  header.ndm_ifindex = static_cast<int>(device);
  return raw(header);
}

}  // namespace

bool Neighbour::is_fixed() const {
  return (state & (NUD_PERMANENT | NUD_NOARP)) != 0 || (flags & (NTF_EXT_LEARNED | NTF_PROXY)) != 0;
}

bool Neighbour::is_local() const { return (state & NUD_PERMANENT) != 0; }

std::string ask_namespace(int descriptor) {
  return request(RTM_GETNSID, Wanted::one,
                 raw(rtgenmsg{}) + std::string(3, '\0') + attribute(NETNSA_FD, raw(descriptor)));
}

std::optional<std::int32_t> parse_namespace(std::string_view answer) {
  const auto body = one(answer, RTM_NEWNSID).thing;
  if (!body) return std::nullopt;
  const auto number = find_as<std::int32_t>(attributes_of<rtgenmsg>(*body), NETNSA_NSID);
  return number && *number >= 0 ? number : std::nullopt;
}

std::string ask_link(const std::string& name, std::optional<std::int32_t> where) {
  std::string body = link_header(0) + attribute(IFLA_IFNAME, name + '\0');
  if (where) body += attribute(IFLA_TARGET_NETNSID, raw(*where));
  return request(RTM_GETLINK, Wanted::one, body);
}

std::string ask_link(std::uint32_t index) {
  return request(RTM_GETLINK, Wanted::one, link_header(index));
}

std::optional<Link> parse_link(std::string_view answer) {
  const auto body = one(answer, RTM_NEWLINK).thing;
  return body ? link_of(*body) : std::nullopt;
}

std::string ask_ports(std::uint32_t bridge) {
  return request(RTM_GETLINK, Wanted::all, link_header(0) + attribute(IFLA_MASTER, raw(bridge)));
}

std::string ask_vlan_devices() {
  const std::string kind = attribute(IFLA_INFO_KIND, "vlan");
  return request(RTM_GETLINK, Wanted::all, link_header(0) + attribute(IFLA_LINKINFO, kind));
}

std::optional<std::vector<Link>> parse_links(std::string_view answer) {
  std::vector<Link> links;
  while (const auto message = next_message(answer)) {
    if (message->type == NLMSG_DONE) return links;
    const auto link = message->type == RTM_NEWLINK ? link_of(message->body) : std::nullopt;
    if (!link) return std::nullopt;
    links.push_back(*link);
  }
  return std::nullopt;
}

std::string ask_vlans() {
  br_vlan_msg header{};
  header.family = AF_BRIDGE;
  return request(RTM_GETVLAN, Wanted::all, raw(header));
}

std::optional<std::vector<VlanMember>> parse_vlans(std::string_view answer) {
  std::vector<VlanMember> members;
  while (const auto message = next_message(answer)) {
    if (message->type == NLMSG_DONE) return members;
    const auto header = read_as<br_vlan_msg>(message->body);
    if (message->type != RTM_NEWVLAN || !header) return std::nullopt;
    auto attributes = attributes_of<br_vlan_msg>(message->body);
    while (const auto entry = next_attribute(attributes)) {
      if (entry->type == BRIDGE_VLANDB_ENTRY) add_member(members, header->ifindex, entry->value);
    }
  }
  return std::nullopt;
}

std::string ask_forwarding(std::uint32_t bridge, const Mac& mac) {
  return request(RTM_GETNEIGH, Wanted::one,
                 neighbour_header(AF_BRIDGE, 0) + attribute(NDA_LLADDR, raw(mac)) +
                     attribute(NDA_MASTER, raw(bridge)));
}

std::string ask_neighbour(std::uint32_t device, const allocator::Address& address) {
  return request(
      RTM_GETNEIGH, Wanted::one,
      neighbour_header(family_of(address), device) + attribute(NDA_DST, bytes_of(address)));
}

Answer<Neighbour> parse_neighbour(std::string_view answer) {
  const auto found = one(answer, RTM_NEWNEIGH);
  const auto header = found.thing ? read_as<ndmsg>(*found.thing) : std::nullopt;
  if (!header) return {std::nullopt, found.error};
  return {Neighbour{header->ndm_state, header->ndm_flags}, 0};
}

std::string ask_neighbours() {
  return request(RTM_GETNEIGH, Wanted::all, neighbour_header(AF_UNSPEC, 0));
}

std::optional<std::vector<KnownNeighbour>> parse_neighbours(std::string_view answer) {
  constexpr unsigned kUnknown = NUD_INCOMPLETE | NUD_FAILED;
  std::vector<KnownNeighbour> neighbours;
  while (const auto message = next_message(answer)) {
    if (message->type == NLMSG_DONE) return neighbours;
    const auto header = read_as<ndmsg>(message->body);
    if (message->type != RTM_NEWNEIGH || !header) return std::nullopt;
    const auto attributes = attributes_of<ndmsg>(message->body);
    const auto address = address_of(find(attributes, NDA_DST).value_or(""));
    const auto mac = find(attributes, NDA_LLADDR).value_or("");
    const bool is_known = (header->ndm_state & kUnknown) == 0 && mac.size() == sizeof(Mac);
    const bool is_ours = header->ndm_family == AF_INET || header->ndm_family == AF_INET6;
    if (is_ours && is_known && address) {
      const auto device = static_cast<std::uint32_t>(header->ndm_ifindex);
      neighbours.push_back({*address, *read_as<Mac>(mac), device});
    }
  }
  return std::nullopt;
}

std::string forget_neighbour(std::uint32_t device, const allocator::Address& address) {
  return request(
      RTM_DELNEIGH, Wanted::done,
      neighbour_header(family_of(address), device) + attribute(NDA_DST, bytes_of(address)));
}

std::string ask_route(const allocator::Address& address) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(family_of(address));
  header.rtm_dst_len = static_cast<std::uint8_t>(address_bits(address.family()));
  return request(RTM_GETROUTE, Wanted::one, raw(header) + attribute(RTA_DST, bytes_of(address)));
}

Answer<std::uint8_t> parse_route(std::string_view answer) {
  const auto found = one(answer, RTM_NEWROUTE);
  const auto header = found.thing ? read_as<rtmsg>(*found.thing) : std::nullopt;
  if (!header) return {std::nullopt, found.error};
  return {header->rtm_type, 0};
}

}  // namespace shim::announce
