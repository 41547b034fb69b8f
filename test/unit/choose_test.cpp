#include "allocator/choose.hpp"

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/memory_snapshot.hpp"

using allocator::Choice;
using allocator::Kind;
using allocator::RangeSets;
using allocator::Reservations;
using allocator::Wish;
using test::ip;
using test::ips;
using test::MemorySnapshot;
using test::outcome;
using test::pin;
using test::pod;
using test::sets_of;

namespace {

/// The wish of the pod "web" with these bound and requested addresses.
Wish web(std::initializer_list<const char*> bound = {},
         std::initializer_list<const char*> requested = {}) {
  Wish wish;
  wish.pod = pod("web");
  wish.bound = ips(bound);
  wish.requested = ips(requested);
  return wish;
}

/// One IPv4 set of .2 to .6.
struct Node {
  RangeSets sets = sets_of({"10.0.0.0/29"});
  Reservations reservations;
  MemorySnapshot snapshot;

  Choice choose(const Wish& wish) { return allocator::choose(sets, reservations, wish, snapshot); }
  std::string choice(const Wish& wish) { return outcome(choose(wish)); }
};

}  // namespace

TEST_CASE("each step of the choice comes before the later ones", "[choose]") {
  Node node;
  node.reservations.pins = {pin("web", "10.0.0.6")};
  node.snapshot.bind("10.0.0.4", pod("web"), 1).bind("10.0.0.2", pod("old"), 2);
  SECTION("1: the pin before the own address") {
    CHECK(node.choice(web({"10.0.0.4"})) == "10.0.0.6 pin");
  }
  SECTION("1: the pin counts as asked for when it is asked for") {
    CHECK(node.choice(web({"10.0.0.4"}, {"10.0.0.6"})) == "10.0.0.6 pin");
  }
  SECTION("2: a requested address before the own one") {
    node.reservations.pins.clear();
    CHECK(node.choice(web({"10.0.0.4"}, {"10.0.0.5"})) == "10.0.0.5 requested");
  }
  SECTION("3: the own address before a free one") {
    node.reservations.pins.clear();
    CHECK(node.choice(web({"10.0.0.4"})) == "10.0.0.4 held");
  }
  SECTION("4: a free address before one that is held for another pod") {
    node.reservations.pins.clear();
    CHECK(node.choice(web()) == "10.0.0.3 round robin");
    CHECK(node.snapshot.held_questions == 0);
  }
  SECTION("5: another pod's held address when nothing is free") {
    node.reservations.pins.clear();
    node.snapshot.use("10.0.0.3").use("10.0.0.5").use("10.0.0.6");
    CHECK(node.choice(web()) == "10.0.0.4 evicted");
  }
}

TEST_CASE("an address whose record makes no sense is given behind those that are held",
          "[choose]") {
  Node node;
  node.snapshot.use("10.0.0.2").use("10.0.0.3").use("10.0.0.4").scribble("10.0.0.5");
  node.snapshot.bind("10.0.0.6", pod("db"), 1);
  CHECK(node.choice(web()) == "10.0.0.6 evicted");
  node.snapshot.use("10.0.0.6");
  CHECK(node.choice(web()) == "10.0.0.5 round robin");
}

TEST_CASE("a pin that is not the asked-for address leaves the request unmet", "[choose]") {
  Node node;
  node.reservations.pins = {pin("web", "10.0.0.6")};
  CHECK(node.choice(web({}, {"10.0.0.5"})) ==
        "error: failed to allocate all requested IPs: 10.0.0.5");
}

TEST_CASE("a pin that is in use names its holder and can be had later", "[choose]") {
  Node node;
  node.reservations.pins = {pin("web", "10.0.0.6")};
  node.snapshot.use("10.0.0.6", "c0ffee eth0");
  const Choice choice = node.choose(web());
  REQUIRE(choice.failure);
  CHECK(choice.failure->kind == Kind::busy);
  CHECK(std::string(choice.failure->what()) ==
        "failed to allocate for range 0: address 10.0.0.6 is pinned to default/web but in use by "
        "container c0ffee eth0; it is given as soon as that container is deleted");
}

TEST_CASE("of several pins the first free one is given", "[choose]") {
  Node node;
  node.reservations.pins = {pin("web", "10.0.0.6"), pin("web", "10.0.0.5"), pin("web", "10.0.0.4")};
  node.snapshot.use("10.0.0.6");
  CHECK(node.choice(web()) == "10.0.0.5 pin");
}

TEST_CASE("a second interface takes the next free pin, and a free address behind the last",
          "[choose]") {
  Node node;
  node.reservations.pins = {pin("web", "10.0.0.6"), pin("web", "10.0.0.5")};
  node.snapshot.use("10.0.0.6", "c1 eth0");
  Wish wish = web();
  wish.same_sandbox = ips({"10.0.0.6"});
  CHECK(node.choice(wish) == "10.0.0.5 pin");
  node.snapshot.use("10.0.0.5", "c1 eth1");
  wish.same_sandbox = ips({"10.0.0.6", "10.0.0.5"});
  CHECK(node.choice(wish) == "10.0.0.2 round robin");
}

TEST_CASE("a pin outside the ranges is ignored", "[choose]") {
  Node node;
  node.reservations.pins = {pin("web", "10.9.9.9")};
  CHECK(node.choice(web()) == "10.0.0.2 round robin");
}

TEST_CASE("a pin on the gateway is not handed out", "[choose]") {
  Node node;
  node.reservations.pins = {pin("web", "10.0.0.1")};
  const Choice choice = node.choose(web());
  for (const auto& pick : choice.picks) CHECK(pick.address.to_string() != "10.0.0.1");
}

TEST_CASE("a pin ends the binding of the pod that had the address before", "[choose]") {
  Node node;
  node.reservations.pins = {pin("web", "10.0.0.6")};
  node.snapshot.bind("10.0.0.6", pod("old"), 1);
  const Choice choice = node.choose(web());
  CHECK(outcome(choice) == "10.0.0.6 pin");
  REQUIRE(choice.picks.front().evicted);
  CHECK(choice.picks.front().evicted->pod == pod("old"));
}

TEST_CASE("an address that is pinned to another pod is given to nobody else", "[choose]") {
  Node node;
  node.reservations.pins = {pin("db", "10.0.0.2"), pin("db", "10.0.0.4")};
  SECTION("not by round robin") {
    CHECK(node.choice(web()) == "10.0.0.3 round robin");
    CHECK(node.choice(Wish{}) == "10.0.0.3 round robin");
  }
  SECTION("not as the own address: the binding is dormant") {
    CHECK(node.choice(web({"10.0.0.4"})) == "10.0.0.3 round robin");
  }
  SECTION("not by eviction") {
    node.snapshot.bind("10.0.0.2", pod("old"), 1).bind("10.0.0.3", pod("older"), 9);
    node.snapshot.use("10.0.0.5").use("10.0.0.6");
    CHECK(node.choice(web()) == "10.0.0.3 evicted");
  }
  SECTION("not on request") {
    const Choice choice = node.choose(web({}, {"10.0.0.4"}));
    REQUIRE(choice.failure);
    CHECK(choice.failure->kind == Kind::refused);
    CHECK(std::string(choice.failure->what()) ==
          "failed to allocate for range 0: requested IP address 10.0.0.4 is pinned to default/db; "
          "request another address or change ipam.pins");
  }
}

TEST_CASE("a pin of the same name in another namespace is another pod's", "[choose]") {
  Node node;
  node.reservations.pins = {{"prod", "web", ip("10.0.0.2")}};
  CHECK(node.choice(web()) == "10.0.0.3 round robin");
}

TEST_CASE("an excluded address is never handed out", "[choose]") {
  Node node;
  node.reservations.excluded = {test::span("10.0.0.2", "10.0.0.4")};
  SECTION("not by round robin") { CHECK(node.choice(web()) == "10.0.0.5 round robin"); }
  SECTION("not as the own address") {
    CHECK(node.choice(web({"10.0.0.4"})) == "10.0.0.5 round robin");
  }
  SECTION("not by eviction") {
    node.snapshot.bind("10.0.0.2", pod("old"), 1).use("10.0.0.5").use("10.0.0.6");
    CHECK(node.choice(web()) ==
          "error: failed to allocate for range 0: no IP addresses available in range set: "
          "10.0.0.1-10.0.0.6");
  }
  SECTION("not on request") {
    const Choice choice = node.choose(web({}, {"10.0.0.4"}));
    REQUIRE(choice.failure);
    CHECK(choice.failure->kind == Kind::refused);
    CHECK(std::string(choice.failure->what()) ==
          "failed to allocate for range 0: requested IP address 10.0.0.4 is excluded; request "
          "another address or change ipam.exclude");
  }
}

TEST_CASE("the gateway is never handed out", "[choose]") {
  Node node;
  SECTION("not on request") {
    CHECK(node.choice(web({}, {"10.0.0.1"})) ==
          "error: failed to allocate for range 0: requested ip 10.0.0.1 is subnet's gateway");
  }
  SECTION("not as the own address") {
    CHECK(node.choice(web({"10.0.0.1"})) == "10.0.0.2 round robin");
  }
  SECTION("not by eviction") {
    node.snapshot.bind("10.0.0.1", pod("old"), 1);
    for (const char* used : {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}) {
      node.snapshot.use(used);
    }
    CHECK(node.choose(web()).failure->kind == Kind::exhausted);
  }
}

TEST_CASE("an own address that is in use or out of the ranges is passed over for the next own one",
          "[choose]") {
  Node node;
  node.snapshot.use("10.0.0.4", "old eth0");
  CHECK(node.choice(web({"10.0.0.4", "10.7.7.7", "10.0.0.5"})) == "10.0.0.5 held");
}
