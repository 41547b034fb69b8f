// When an address is announced, in whose name, and when not: every rule against a scripted kernel.
#include "shim/cni/announce/announcer.hpp"

#include <filesystem>
#include <map>

#include "shim/cni/announce/linux_wire.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/netlink_answers.hpp"
#include "test/unit/support/temp_dir.hpp"
#include "test/unit/support/values.hpp"

using namespace shim::announce;
using namespace test;
using Catch::Matchers::Contains;

namespace {

constexpr Mac kPodMac = {2, 0, 0, 0, 0, 7};
constexpr Mac kBridgeMac = {2, 0, 0, 0, 0, 1};
constexpr std::uint32_t kPod = 2;
constexpr std::uint32_t kPort = 9;
constexpr std::uint32_t kBridge = 5;
constexpr std::int32_t kNamespace = 3;

Link link_of(std::uint32_t index, const char* name, const char* kind, Mac mac) {
  Link link;
  link.index = index;
  link.name = name;
  link.kind = kind;
  link.mac = mac;
  return link;
}

/// A node with one pod whose link is down yet.
struct Kernel final : Wire {
  Kernel() {
    pod = link_of(kPod, "eth0", "veth", kPodMac);
    pod.peer = kPort;
    pod.peer_namespace = 0;
    auto& port = ours[kPort] = link_of(kPort, "veth650fed6e", "veth", {2, 0, 0, 0, 0, 9});
    port.peer = kPod;
    port.peer_namespace = kNamespace;
    port.master = kBridge;
    ours[kBridge] = link_of(kBridge, "cni0", "bridge", kBridgeMac);
  }

  std::optional<int> open_namespace(const std::string& path) override {
    return path == "/run/netns/pod" ? std::optional(42) : std::nullopt;
  }

  std::string ask(const std::string& request) override {
    asked += std::to_string(type_of(request)) + " ";
    switch (type_of(request)) {
      case RTM_GETNSID:
        return number ? namespace_message(*number) : "";
      case RTM_GETLINK:
        return links(request);
      case RTM_GETVLAN:
        return all_vlans();
      case RTM_GETROUTE:
        return route;
      case RTM_DELNEIGH:
        forgotten_on.push_back(device_of(request));
        forgotten.push_back(*attribute_of(request, sizeof(ndmsg), NDA_DST));
        return error_message(0);
      case RTM_GETNEIGH: {
        const bool is_forwarding = attribute_of(request, sizeof(ndmsg), NDA_LLADDR).has_value();
        return is_forwarding ? forwarding : neighbour;
      }
      default:
        return "";
    }
  }

  std::optional<std::vector<std::string>> port_names(const std::string& bridge) override {
    CHECK(bridge == "cni0");
    return names;
  }

  bool send(std::uint32_t device, const std::string& frame) override {
    sent_out_of.push_back(device);
    sent.push_back(frame);
    return takes_frames;
  }

  Link pod;
  std::map<std::uint32_t, Link> ours;
  std::optional<std::int32_t> number = kNamespace;
  std::string forwarding = error_message(ENOENT);
  std::string neighbour = neighbour_message(NUD_STALE);
  std::string route = route_message(RTN_UNICAST);
  std::optional<std::vector<std::string>> names{{"veth650fed6e"}};
  bool takes_frames = true;

  std::string asked;
  std::vector<std::string> forgotten;
  std::vector<std::uint32_t> forgotten_on;
  std::vector<std::string> sent;
  std::vector<std::uint32_t> sent_out_of;
  std::optional<std::vector<VlanMember>> vlans;

 private:
  static std::uint32_t device_of(const std::string& request) {
    std::uint32_t device = 0;
    std::memcpy(&device, request.data() + sizeof(nlmsghdr) + 4, sizeof device);
    return device;
  }

  [[nodiscard]] std::string all_vlans() const {
    if (!vlans) return error_message(EOPNOTSUPP);
    std::string all;
    for (const auto& member : *vlans) all += vlan_message(member);
    return all + done_message();
  }

  std::string links(const std::string& request) {
    if (attribute_of(request, sizeof(ifinfomsg), IFLA_MASTER)) {
      std::string all;
      for (const auto& [index, link] : ours) {
        if (link.master == kBridge) all += link_message(link);
      }
      return all + done_message();
    }
    if (attribute_of(request, sizeof(ifinfomsg), IFLA_LINKINFO)) {
      std::string all;  // as of a kernel without VLAN devices: of every kind
      for (const auto& [index, link] : ours) all += link_message(link);
      return all + done_message();
    }
    const auto where = attribute_of(request, sizeof(ifinfomsg), IFLA_TARGET_NETNSID);
    const auto name = attribute_of(request, sizeof(ifinfomsg), IFLA_IFNAME);
    if (where) {
      CHECK(*where == raw(kNamespace));
      return *name == pod.name + '\0' ? link_message(pod) : error_message(ENODEV);
    }
    for (const auto& [index, link] : ours) {
      if (name ? *name == link.name + '\0' : request.substr(20, 4) == raw(index))
        return link_message(link);
    }
    return error_message(ENODEV);
  }
};

Subject subject() { return {"/run/netns/pod", "eth0", "cni0", {ip("10.244.1.7")}, false}; }

std::string outcome(Kernel& kernel, const Subject& what = subject(), bool still_given = true) {
  const char* obstacle = announce(kernel, what, [&] { return still_given; });
  return obstacle == nullptr ? "announced" : obstacle;
}

/// Nothing was sent, and nothing forgotten.
void check_silent(Kernel& kernel, const std::string& why, const Subject& what = subject(),
                  bool still_given = true) {
  CHECK_THAT(outcome(kernel, what, still_given), Contains(why));
  CHECK(kernel.sent.empty());
  CHECK(kernel.forgotten.empty());
}

}  // namespace

TEST_CASE("a new pod's address is announced, and the node's own entry forgotten", "[announce]") {
  Kernel kernel;
  CHECK(outcome(kernel) == "announced");
  CHECK(kernel.forgotten == std::vector<std::string>{bytes_of(ip("10.244.1.7"))});
  CHECK(kernel.forgotten_on == std::vector{kBridge});
  CHECK(kernel.sent == announcements(ip("10.244.1.7"), kPodMac, kBridgeMac));
  CHECK(kernel.sent_out_of == std::vector{kBridge, kBridge});
}

TEST_CASE("both families are announced in one burst", "[announce]") {
  Kernel kernel;
  Subject what = subject();
  what.addresses.push_back(ip("fd00::7"));
  CHECK(outcome(kernel, what) == "announced");
  CHECK(kernel.sent.size() == 3);
  CHECK(kernel.forgotten.size() == 2);
}

TEST_CASE("a neighbour entry that somebody made stays", "[announce]") {
  for (const auto& entry :
       {neighbour_message(NUD_PERMANENT), neighbour_message(NUD_NOARP),
        neighbour_message(NUD_REACHABLE, NTF_EXT_LEARNED), error_message(ENOENT), std::string()}) {
    Kernel kernel;
    kernel.neighbour = entry;
    CHECK(outcome(kernel) == "announced");
    CHECK(kernel.forgotten.empty());
  }
}

TEST_CASE("what is no namespace, or has no link to ours, announces nothing", "[announce]") {
  Subject elsewhere = subject();
  elsewhere.netns_path = "/etc/passwd";
  Kernel first;
  check_silent(first, "no network namespace", elsewhere);
  for (const std::optional<std::int32_t> number : {std::optional<std::int32_t>(-1), {}}) {
    Kernel kernel;
    kernel.number = number;
    check_silent(kernel, "no link to the node's");
  }
}

TEST_CASE("a link that the pod forged announces nothing", "[announce]") {
  Kernel kernel;
  SECTION("another kind of device") { kernel.pod.kind = "dummy"; }
  SECTION("a device without a kind") { kernel.pod.kind.clear(); }
  SECTION("a veth both of whose ends are the pod's") { kernel.pod.peer_namespace.reset(); }
  SECTION("a veth without a peer") { kernel.pod.peer.reset(); }
  SECTION("no such link") { kernel.pod.name = "eth1"; }
  check_silent(kernel, "no veth that leads out");
}

TEST_CASE("what our end says counts", "[announce]") {
  Kernel kernel;
  SECTION("its peer is in a third namespace") { kernel.ours[kPort].peer_namespace = 4; }
  SECTION("its peer is in ours") { kernel.ours[kPort].peer_namespace.reset(); }
  SECTION("its peer is another link") { kernel.ours[kPort].peer = 3; }
  SECTION("it is no veth") { kernel.ours[kPort].kind = "macvlan"; }
  SECTION("it is not there") { kernel.ours.erase(kPort); }
  SECTION("the pod names another one's port") {
    auto& other = kernel.ours[11] = kernel.ours[kPort];
    other.index = 11;
    other.peer = 4;
    kernel.pod.peer = 11;
  }
  check_silent(kernel, "does not end in the node's namespace");
}

TEST_CASE("only the configuration's bridge is spoken on", "[announce]") {
  Kernel kernel;
  SECTION("the port belongs to another one") {
    kernel.ours[kPort].master = 6;
    check_silent(kernel, "no port of the bridge");
  }
  SECTION("the port belongs to none") {
    kernel.ours[kPort].master.reset();
    check_silent(kernel, "no port of the bridge");
  }
  SECTION("it is Open vSwitch's") {
    kernel.ours[kBridge].kind = "openvswitch";
    check_silent(kernel, "none of the kernel's");
  }
  SECTION("it is not there") {
    kernel.ours.erase(kBridge);
    check_silent(kernel, "none of the kernel's");
  }
}

namespace {

/// The bridge keeps VLANs apart, and the pod's port is in VLAN 5.
void keep_vlans_apart(Kernel& kernel) {
  kernel.ours[kBridge].filters_vlans = true;
  kernel.vlans = {{kPort, 5, 5, true, true}, {kBridge, 1, 1, true, true}};
}

/// Another port of the bridge, or of none.
void add_port(Kernel& kernel, std::uint32_t index, std::optional<std::uint32_t> master) {
  const std::string name = "veth" + std::to_string(index);
  auto& port = kernel.ours[index] = link_of(index, name.c_str(), "veth", {2, 0, 0, 0, 1, 1});
  port.master = master;
  kernel.names->push_back(name);
}

}  // namespace

TEST_CASE("on a bridge that keeps VLANs apart, the bridge passes it on to the pod's",
          "[announce]") {
  Kernel kernel;
  keep_vlans_apart(kernel);
  auto member = VlanMember{kBridge, 4, 6, false, false};
  std::vector<std::uint32_t> own_devices;
  SECTION("as a member") {}
  SECTION("as its own") {
    member = {kBridge, 5, 5, true, true};
    own_devices = {kBridge};
  }
  SECTION("with a device of the node's in it") {
    for (const std::uint32_t index : {30U, 31U, 32U}) {
      auto& device = kernel.ours[index] = link_of(index, "cni0.5", "vlan", {2, 0, 0, 0, 0, 1});
      device.peer = index == 31 ? 6 : kBridge;                        // one of another bridge
      device.vlan = static_cast<std::uint16_t>(index == 32 ? 7 : 5);  // and one of another VLAN
    }
    own_devices = {30};
  }
  kernel.vlans->push_back(member);
  CHECK(outcome(kernel) == "announced");
  CHECK(kernel.forgotten_on == own_devices);
  CHECK(kernel.sent_out_of == std::vector{kBridge, kBridge});
  const auto plain = announcements(ip("10.244.1.7"), kPodMac, kBridgeMac);
  CHECK(kernel.sent == std::vector{tagged(plain[0], 5), tagged(plain[1], 5)});
}

TEST_CASE("where the bridge is no member, the VLAN's other ports hear it", "[announce]") {
  Kernel kernel;
  keep_vlans_apart(kernel);
  add_port(kernel, 11, kBridge);
  add_port(kernel, 12, kBridge);
  add_port(kernel, 13, kBridge);
  add_port(kernel, 14, 6);
  kernel.vlans->insert(kernel.vlans->end(), {{11, 5, 5, true, true},
                                             {12, 6, 6, true, true},
                                             {13, 2, 9, false, false},
                                             {14, 5, 5, true, true}});
  CHECK(outcome(kernel) == "announced");
  CHECK(kernel.forgotten_on.empty());
  CHECK(kernel.sent_out_of == std::vector<std::uint32_t>{11, 13, 11, 13});
  const auto plain = announcements(ip("10.244.1.7"), kPodMac, kBridgeMac);
  CHECK(kernel.sent == std::vector{plain[0], tagged(plain[0], 5), plain[1], tagged(plain[1], 5)});
}

TEST_CASE("a VLAN that cannot be told is not spoken in", "[announce]") {
  Kernel kernel;
  keep_vlans_apart(kernel);
  SECTION("an old kernel") { kernel.vlans.reset(); }
  SECTION("the pod tags its frames itself") { kernel.vlans->front().is_own = false; }
  SECTION("the pod gets its frames with a tag") { kernel.vlans->front().is_untagged = false; }
  SECTION("tags of another kind") { kernel.ours[kBridge].has_usual_tags = false; }
  SECTION("too many ports") {
    for (std::uint32_t index = 100; index < 400; ++index) add_port(kernel, index, kBridge);
  }
  check_silent(kernel, "filters VLANs");
}

TEST_CASE("a MAC address that is not the pod's own announces nothing", "[announce]") {
  Kernel kernel;
  SECTION("none") { kernel.pod.mac.reset(); }
  SECTION("zero") { kernel.pod.mac = Mac{}; }
  SECTION("everybody's") { kernel.pod.mac = Mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}; }
  SECTION("a group's") { kernel.pod.mac = Mac{1, 0, 0x5e, 0, 0, 1}; }
  SECTION("the bridge's") { kernel.pod.mac = kBridgeMac; }
  SECTION("a port's") { kernel.forwarding = neighbour_message(NUD_PERMANENT); }
  SECTION("it cannot be told whose") { kernel.forwarding = error_message(EOPNOTSUPP); }
  SECTION("no answer") { kernel.forwarding.clear(); }
  check_silent(kernel, "MAC address");
}

TEST_CASE("a MAC address that the bridge has learned before is no obstacle", "[announce]") {
  Kernel kernel;
  kernel.forwarding = neighbour_message(NUD_REACHABLE);
  CHECK(outcome(kernel) == "announced");
}

TEST_CASE("a bridge that leads out of the node is not spoken on", "[announce]") {
  Kernel kernel;
  auto& uplink = kernel.ours[4] = link_of(4, "eth0", "", {2, 0, 0, 0, 0, 4});
  uplink.master = kBridge;
  SECTION("by the list of names") { kernel.names->push_back("eth0"); }
  SECTION("without a list") { kernel.names.reset(); }
  SECTION("with another namespace's list") { kernel.names = {{"veth1", "veth2"}}; }
  SECTION("a VXLAN leads out, too") {
    kernel.names->push_back("eth0");
    uplink.kind = "vxlan";
  }
  SECTION("a VLAN of a device, too") {
    kernel.names->push_back("eth0");
    uplink.kind = "vlan";
  }
  SECTION("one of many odd names") {
    for (int i = 0; i < 12; ++i) {
      const std::string name = "tap" + std::to_string(i);
      kernel.ours[20 + static_cast<std::uint32_t>(i)] =
          link_of(20 + static_cast<std::uint32_t>(i), name.c_str(), "tun", {2, 0, 0, 0, 1, 4});
      kernel.names->push_back(name);
    }
    kernel.names->push_back("eth0");
  }
  SECTION("one that is gone when it is looked at") {
    kernel.names->push_back("eth7");
    kernel.ours.erase(4);
  }
  check_silent(kernel, "out of the node");
}

TEST_CASE("other pods' ports and those of virtual machines are no obstacle", "[announce]") {
  Kernel kernel;
  auto& tap = kernel.ours[4] = link_of(4, "tap0", "tun", {2, 0, 0, 0, 0, 4});
  tap.master = kBridge;
  SECTION("by the list of names") { kernel.names->insert(kernel.names->end(), {"veth1", "tap0"}); }
  SECTION("without a list") { kernel.names.reset(); }
  CHECK(outcome(kernel) == "announced");
}

TEST_CASE("an address of the node's own or of a group is not announced", "[announce]") {
  for (const std::uint8_t type :
       {RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST, RTN_UNSPEC}) {
    Kernel kernel;
    kernel.route = route_message(type);
    check_silent(kernel, "the node itself");
  }
  Kernel silent;
  silent.route.clear();
  check_silent(silent, "the node itself");
}

TEST_CASE("an address that the node has no way to is announced to the neighbours", "[announce]") {
  for (const auto& answer : {error_message(ENETUNREACH), error_message(EINVAL),
                             route_message(RTN_BLACKHOLE), route_message(RTN_UNREACHABLE)}) {
    Kernel kernel;
    kernel.route = answer;
    CHECK(outcome(kernel) == "announced");
  }
}

TEST_CASE("an address that was taken back meanwhile is not announced", "[announce]") {
  Kernel kernel;
  check_silent(kernel, "taken back", subject(), false);
}

TEST_CASE("whether it was taken back is looked at last", "[announce]") {
  Kernel kernel;
  std::string asked_before;
  static_cast<void>(announce(kernel, subject(), [&] {
    asked_before = kernel.asked;
    return true;
  }));
  // Only the entry is looked at and forgotten after that.
  CHECK(kernel.asked ==
        asked_before + std::to_string(RTM_GETNEIGH) + " " + std::to_string(RTM_DELNEIGH) + " ");
}

TEST_CASE("a running pod whose ADD is repeated says itself where it is", "[announce]") {
  Subject again = subject();
  again.is_repeated = true;
  Kernel running;
  running.pod.is_up = true;
  check_silent(running, "up already", again);
  Kernel restarted;
  CHECK(outcome(restarted, again) == "announced");
  Kernel old_plugin;  // raises the link before it asks for addresses
  old_plugin.pod.is_up = true;
  CHECK(outcome(old_plugin) == "announced");
}

TEST_CASE("frames that the bridge does not take are said, and harm nothing", "[announce]") {
  Kernel kernel;
  kernel.takes_frames = false;
  CHECK_THAT(outcome(kernel), Contains("does not take"));
}

TEST_CASE("a kernel that answers nothing hears nothing", "[announce]") {
  struct Silent final : Wire {
    std::optional<int> open_namespace(const std::string&) override { return 3; }
    std::string ask(const std::string&) override { return ""; }
    std::optional<std::vector<std::string>> port_names(const std::string&) override { return {}; }
    bool send(std::uint32_t, const std::string&) override {
      FAIL("sent");
      return false;
    }
  } wire;
  CHECK(announce(wire, subject(), [] { return true; }) != nullptr);
}

TEST_CASE("a bridge's name is a name, and never a way to another folder", "[announce]") {
  const test::TempDir folder;
  std::filesystem::create_directories(folder.file("brif/eth0"));
  shim::announce::LinuxWire wire;
  CHECK_FALSE(wire.port_names("../../.." + folder.path()));
  CHECK_FALSE(wire.port_names(".."));
}
