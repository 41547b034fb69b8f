#include "shim/cni/announce/announcer.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "shim/cni/announce/netlink.hpp"
#include "shim/cni/announce/vlan_ways.hpp"

namespace shim::announce {
namespace {

using allocator::Address;

/// Names of another kind than those that main plugins give to the node's ends of their pods' links.
constexpr std::size_t kOddNames = 8;

bool is_plugins_name(const std::string& name) { return name.starts_with("veth"); }

/// A port behind which nothing is but one device of this node.
bool is_virtual(const Link& port) { return port.kind == "veth" || port.kind == "tun"; }

class Announcer {
 public:
  Announcer(Wire& wire, const Subject& subject) : wire_(wire), subject_(subject) {}

  const char* run(const std::function<bool()>& is_still_given) {
    if (const char* obstacle = find_pod()) return obstacle;
    if (const char* obstacle = find_port()) return obstacle;
    if (const char* obstacle = check_mac()) return obstacle;
    if (!ports_are_virtual()) return "a port of the bridge leads out of the node";
    if (const char* obstacle = find_ways()) return obstacle;
    for (const auto& address : subject_.addresses) {
      if (!is_foreign(address)) return "the node itself has the address";
    }
    if (!is_still_given()) return "the address has been taken back";
    bool sent = true;
    for (const auto& address : subject_.addresses) sent = tell(address) && sent;
    return sent ? nullptr : "the bridge does not take the frames";
  }

 private:
  /// The pod's end of the link, as its namespace tells.
  const char* find_pod() {
    const auto descriptor = wire_.open_namespace(subject_.netns_path);
    if (!descriptor) return "CNI_NETNS is no network namespace";
    namespace_ = parse_namespace(wire_.ask(ask_namespace(*descriptor)));
    if (!namespace_) return "the pod's namespace has no link to the node's";
    const auto pod = parse_link(wire_.ask(ask_link(subject_.ifname, namespace_)));
    if (!pod || pod->kind != "veth" || !pod->peer || !pod->peer_namespace)
      return "the pod's link is no veth that leads out of its namespace";
    if (subject_.is_repeated && pod->is_up) return "the pod's link is up already";
    pod_ = *pod;
    return nullptr;
  }

  /// Our end of it, which must say the same, and the bridge that it is a port of.
  const char* find_port() {
    const auto port = parse_link(wire_.ask(ask_link(*pod_.peer)));
    const bool is_other_end = port && port->kind == "veth" && port->peer == pod_.index &&
                              port->peer_namespace == namespace_;
    if (!is_other_end) return "the pod's link does not end in the node's namespace";
    port_ = *port;
    const auto bridge = parse_link(wire_.ask(ask_link(subject_.bridge, std::nullopt)));
    if (!bridge || bridge->kind != "bridge" || !bridge->mac)
      return "the bridge of the configuration is none of the kernel's";
    if (port_.master != bridge->index) return "the pod's link is no port of the bridge";
    bridge_ = *bridge;
    return nullptr;
  }

  /// Who hears of it, and where the node's own entries are.
  const char* find_ways() {
    if (!bridge_.filters_vlans) {
      ways_ = Ways{{{bridge_.index, std::nullopt}}, {bridge_.index}};
      return nullptr;
    }
    ways_ = ways_of_vlan(wire_, bridge_, port_);
    return ways_ ? nullptr : "the bridge filters VLANs, and the pod's is not told";
  }

  /// A pod may have given itself any address: those of the bridge and of its ports are in the
  /// forwarding table as the node's own.
  const char* check_mac() {
    if (!pod_.mac || !is_unicast(*pod_.mac) || pod_.mac == bridge_.mac)
      return "the MAC address is no pod's";
    const auto known = parse_neighbour(wire_.ask(ask_forwarding(bridge_.index, *pod_.mac)));
    if (known.thing ? known.thing->is_local() : known.error != ENOENT)
      return "the MAC address is the bridge's or one of its ports'";
    return nullptr;
  }

  /// The kernel's list of names costs one look, however many ports there are; only a port with an
  /// odd name is asked what it is. Names on the node's side are the node's to give. Where the list
  /// is another namespace's, or not to be had, every port is asked.
  bool ports_are_virtual() {
    const auto names = wire_.port_names(subject_.bridge);
    const bool is_ours =
        names && std::find(names->begin(), names->end(), port_.name) != names->end();
    if (!is_ours) return all_ports_are_virtual();
    std::size_t odd = 0;
    for (const auto& name : *names) {
      if (is_plugins_name(name)) continue;
      if (++odd > kOddNames) return all_ports_are_virtual();
      const auto port = parse_link(wire_.ask(ask_link(name, std::nullopt)));
      if (!port || !is_virtual(*port)) return false;
    }
    return true;
  }

  bool all_ports_are_virtual() {
    const auto ports = parse_links(wire_.ask(ask_ports(bridge_.index)));
    return ports && std::all_of(ports->begin(), ports->end(), is_virtual);
  }

  /// No address of the node's own, none of a group: what routing says of it. An address that cannot
  /// be reached is nobody's here.
  bool is_foreign(const Address& address) {
    const auto route = parse_route(wire_.ask(ask_route(address)));
    if (!route.thing) return route.error != 0;
    const auto type = *route.thing;
    return type == RTN_UNICAST || (type >= RTN_BLACKHOLE && type <= RTN_THROW);
  }

  void forget(std::uint32_t device, const Address& address) {
    const auto known = parse_neighbour(wire_.ask(ask_neighbour(device, address))).thing;
    if (known && !known->is_fixed())
      static_cast<void>(wire_.ask(forget_neighbour(device, address)));
  }

  bool tell(const Address& address) {
    for (const auto device : ways_->own_devices) forget(device, address);
    bool sent = true;
    for (const auto& frame : announcements(address, *pod_.mac, *bridge_.mac)) {
      for (const auto& way : ways_->ways)
        sent = wire_.send(way.device, way.tag ? tagged(frame, *way.tag) : frame) && sent;
    }
    return sent;
  }

  Wire& wire_;
  const Subject& subject_;
  std::optional<std::int32_t> namespace_;  ///< the pod's, by the number that we know it by
  Link pod_;
  Link port_;
  Link bridge_;
  std::optional<Ways> ways_;
};

}  // namespace

const char* announce(Wire& wire, const Subject& subject,
                     const std::function<bool()>& is_still_given) {
  return Announcer(wire, subject).run(is_still_given);
}

}  // namespace shim::announce
