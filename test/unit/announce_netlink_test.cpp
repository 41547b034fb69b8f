// What is read out of rtnetlink answers, whole, cut off and forged.
#include "shim/cni/announce/netlink.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/netlink_answers.hpp"
#include "test/unit/support/random.hpp"

using namespace shim::announce;
using namespace test;

namespace {

Link veth() {
  Link link;
  link.index = 7;
  link.name = "veth650fed6e";
  link.kind = "veth";
  link.is_up = true;
  link.mac = Mac{2, 0, 0, 0, 0, 1};
  link.peer = 2;
  link.peer_namespace = 3;
  link.master = 5;
  return link;
}

/// Reads an answer in every way there is; what comes out does not matter here.
void read_all(std::string_view answer) {
  static_cast<void>(parse_namespace(answer));
  static_cast<void>(parse_link(answer));
  static_cast<void>(parse_links(answer));
  static_cast<void>(parse_vlans(answer));
  static_cast<void>(parse_neighbour(answer));
  static_cast<void>(parse_neighbours(answer));
  static_cast<void>(parse_route(answer));
}

}  // namespace

TEST_CASE("a link is read as the kernel tells it", "[announce]") {
  const auto link = parse_link(link_message(veth()));
  REQUIRE(link);
  CHECK(link->index == 7);
  CHECK(link->name == "veth650fed6e");
  CHECK(link->kind == "veth");
  CHECK(link->is_up);
  CHECK(link->mac == Mac{2, 0, 0, 0, 0, 1});
  CHECK(link->peer == 2);
  CHECK(link->peer_namespace == 3);
  CHECK(link->master == 5);
}

TEST_CASE("what a link does not have is not there", "[announce]") {
  Link bare;
  bare.index = 1;
  const auto link = parse_link(link_message(bare));
  REQUIRE(link);
  CHECK_FALSE(link->mac);
  CHECK_FALSE(link->peer);
  CHECK_FALSE(link->peer_namespace);
  CHECK_FALSE(link->master);
  CHECK(link->kind.empty());
  CHECK_FALSE(link->is_up);
}

TEST_CASE("a MAC address of another length is none", "[announce]") {
  ifinfomsg header{};
  header.ifi_index = 4;
  const auto link =
      parse_link(message(RTM_NEWLINK, raw(header) + attribute(IFLA_ADDRESS, std::string(20, 'x'))));
  REQUIRE(link);
  CHECK_FALSE(link->mac);
}

TEST_CASE("only a bridge filters VLANs", "[announce]") {
  Link bridge = veth();
  bridge.kind = "bridge";
  bridge.filters_vlans = true;
  CHECK(parse_link(link_message(bridge))->filters_vlans);
  bridge.kind = "veth";
  CHECK_FALSE(parse_link(link_message(bridge))->filters_vlans);
}

TEST_CASE("a namespace without a link to ours has no number", "[announce]") {
  CHECK(parse_namespace(namespace_message(0)) == 0);
  CHECK(parse_namespace(namespace_message(12)) == 12);
  CHECK_FALSE(parse_namespace(namespace_message(-1)));
  CHECK_FALSE(parse_namespace(error_message(EINVAL)));
  CHECK_FALSE(parse_namespace(""));
}

TEST_CASE("an error is told apart from no answer", "[announce]") {
  CHECK(parse_neighbour(error_message(ENOENT)).error == ENOENT);
  CHECK(parse_neighbour("").error == 0);
  CHECK(parse_neighbour(neighbour_message(NUD_STALE)).thing->state == NUD_STALE);
  CHECK(parse_route(route_message(RTN_LOCAL)).thing == RTN_LOCAL);
  CHECK(parse_route(error_message(ENETUNREACH)).error == ENETUNREACH);
  // An answer to another question.
  CHECK_FALSE(parse_route(neighbour_message(NUD_STALE)).thing);
  CHECK_FALSE(parse_link(route_message(RTN_UNICAST)));
}

TEST_CASE("the neighbours of both families are read, those with a MAC address", "[announce]") {
  const std::string mac("\2\0\0\0\0\7", 6);
  const auto known = parse_neighbours(
      known_neighbour("10.9.0.2", mac) + known_neighbour("10.9.0.3", mac, NUD_INCOMPLETE) +
      known_neighbour("10.9.0.4", mac, NUD_FAILED) + known_neighbour("10.9.0.5", mac.substr(1)) +
      known_neighbour("fd00:9::2", mac, NUD_PERMANENT) + neighbour_message(NUD_STALE) +
      done_message());
  REQUIRE(known);
  REQUIRE(known->size() == 2);
  CHECK(known->at(0).address.to_string() == "10.9.0.2");
  CHECK(known->at(1).address.to_string() == "fd00:9::2");
  CHECK(known->at(1).mac == Mac{2, 0, 0, 0, 0, 7});
  CHECK_FALSE(parse_neighbours(known_neighbour("10.9.0.2", mac)));  // cut off
  CHECK_FALSE(parse_neighbours(route_message(RTN_LOCAL) + done_message()));
  CHECK(parse_neighbours(done_message())->empty());
}

TEST_CASE("what somebody decided is not ours to forget", "[announce]") {
  CHECK(Neighbour{NUD_PERMANENT, 0}.is_fixed());
  CHECK(Neighbour{NUD_NOARP, 0}.is_fixed());
  CHECK(Neighbour{NUD_REACHABLE, NTF_EXT_LEARNED}.is_fixed());
  CHECK(Neighbour{NUD_STALE, NTF_PROXY}.is_fixed());
  for (const int state : {NUD_REACHABLE, NUD_STALE, NUD_FAILED, NUD_INCOMPLETE, NUD_PROBE})
    CHECK_FALSE(Neighbour{static_cast<std::uint16_t>(state), 0}.is_fixed());
}

TEST_CASE("who is a member of which VLANs is read as the kernel tells it", "[announce]") {
  const auto members = parse_vlans(vlan_message({9, 5, 5, true, true}) +
                                   vlan_message({5, 10, 20, false, false}) + done_message());
  REQUIRE(members);
  REQUIRE(members->size() == 2);
  const VlanMember& own = members->front();
  CHECK(own.device == 9);
  CHECK(own.first == 5);
  CHECK(own.last == 5);
  CHECK(own.is_own);
  CHECK(own.is_untagged);
  const VlanMember& range = members->back();
  CHECK(range.device == 5);
  CHECK(range.first == 10);
  CHECK(range.last == 20);
  CHECK_FALSE(range.is_own);
  CHECK_FALSE(range.is_untagged);
  CHECK(parse_vlans(done_message())->empty());
  CHECK_FALSE(parse_vlans(vlan_message(own)));
  CHECK_FALSE(parse_vlans(error_message(EOPNOTSUPP)));
  CHECK_FALSE(parse_vlans(link_message(veth()) + done_message()));
  CHECK_FALSE(parse_vlans(""));
}

TEST_CASE("a VLAN's device knows its VLAN", "[announce]") {
  Link device = veth();
  device.kind = "vlan";
  device.vlan = 5;
  CHECK(parse_link(link_message(device))->vlan == 5);
  device.kind = "veth";
  CHECK_FALSE(parse_link(link_message(device))->vlan);
}

TEST_CASE("ports are all there or none are", "[announce]") {
  const std::string one = link_message(veth());
  CHECK(parse_links(one + one + done_message())->size() == 2);
  CHECK(parse_links(done_message())->empty());
  CHECK_FALSE(parse_links(one + one));
  CHECK_FALSE(parse_links(one + error_message(EBUSY)));
  CHECK_FALSE(parse_links(one + done_message().substr(0, 15)));
  CHECK_FALSE(parse_links(""));
}

TEST_CASE("an answer that is cut off anywhere says less, never more", "[announce]") {
  const std::string whole = link_message(veth());
  for (std::size_t length = 0; length < whole.size(); ++length)
    CHECK_FALSE(parse_link(std::string_view(whole).substr(0, length)));
}

TEST_CASE("lengths that do not fit end the reading", "[announce]") {
  ifinfomsg header{};
  header.ifi_index = 4;
  for (const int length : {0, 1, 3, 5, 200, 0xffff}) {
    std::string lying =
        raw(nlattr{static_cast<std::uint16_t>(length), IFLA_MASTER}) + raw(std::uint32_t{9});
    const auto link = parse_link(message(RTM_NEWLINK, raw(header) + lying));
    REQUIRE(link);
    CHECK_FALSE((link->master && *link->master == 9));
  }
  for (const std::uint32_t length : {0U, 15U, 17U, 1000U, 0xffffffffU}) {
    std::string answer = link_message(veth());
    std::memcpy(answer.data(), &length, sizeof length);
    CHECK_FALSE((length > answer.size() && parse_link(answer)));
    read_all(answer);
  }
}

TEST_CASE("no garbage makes the reader read what is not there", "[announce]") {
  // Copies on the heap of exactly the answer's size: a sanitizer sees a byte too many.
  Random random;
  INFO(Random::note());
  const std::string whole = link_message(veth()) + namespace_message(3) + done_message();
  for (int round = 0; round < 20000; ++round) {
    std::string forged = whole;
    for (std::size_t change = random.below(6); change > 0; --change)
      forged[random.below(forged.size())] = static_cast<char>(random.below(256));
    read_all(std::string(forged, 0, random.below(forged.size() + 1)));
  }
}
