// Addresses in use whose owner is proven dead: taken over at steps 1 to 3, reclaimed at step 6.
#include <string>

#include "allocator/choose.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/memory_snapshot.hpp"

using allocator::Choice;
using allocator::Reservations;
using allocator::Wish;
using test::ip;
using test::ips;
using test::MemorySnapshot;
using test::outcome;
using test::pin;
using test::pod;
using test::sets_of;
using test::span;

namespace {

Wish web(std::initializer_list<const char*> bound = {}) {
  Wish wish;
  wish.pod = pod("web");
  wish.bound = ips(bound);
  return wish;
}

/// One IPv4 set of .2 to .6.
struct DeadNode {
  allocator::RangeSets sets = sets_of({"10.0.0.0/29"});
  Reservations reservations;
  MemorySnapshot snapshot;

  Choice choose(const Wish& wish) { return allocator::choose(sets, reservations, wish, snapshot); }
};

void fill(DeadNode& node, std::initializer_list<const char*> addresses) {
  for (const char* address : addresses) node.snapshot.use(address);
}

}  // namespace

TEST_CASE("the own address is taken over from a dead attachment, not from a live one", "[choose]") {
  DeadNode node;
  SECTION("dead") {
    node.snapshot.dead("10.0.0.4").bind("10.0.0.4", pod("web"));
    const Choice choice = node.choose(web({"10.0.0.4"}));
    CHECK(outcome(choice) == "10.0.0.4 held");
    CHECK(choice.picks.front().takes_over);
    CHECK_FALSE(choice.picks.front().evicted.has_value());
  }
  SECTION("alive") {
    node.snapshot.use("10.0.0.4").bind("10.0.0.4", pod("web"));
    const Choice choice = node.choose(web({"10.0.0.4"}));
    CHECK(outcome(choice) == "10.0.0.2 round robin");
    CHECK_FALSE(choice.picks.front().takes_over);
  }
}

TEST_CASE("a pin and a requested address are taken over from the dead", "[choose]") {
  DeadNode node;
  node.snapshot.dead("10.0.0.5");
  Wish wish = web();
  SECTION("pin") { node.reservations.pins = {pin("web", "10.0.0.5")}; }
  SECTION("request of the pod that had it") {
    node.snapshot.bind("10.0.0.5", pod("web"));
    wish.requested = ips({"10.0.0.5"});
  }
  const Choice choice = node.choose(wish);
  REQUIRE(choice.picks.size() == 1);
  CHECK(choice.picks.front().address == ip("10.0.0.5"));
  CHECK(choice.picks.front().takes_over);
}

TEST_CASE("free and held addresses come before dead ones", "[choose]") {
  DeadNode node;
  node.snapshot.dead("10.0.0.2").dead("10.0.0.3");
  fill(node, {"10.0.0.4", "10.0.0.5"});
  SECTION("free") { CHECK(outcome(node.choose(web())) == "10.0.0.6 round robin"); }
  SECTION("held by another pod") {
    node.snapshot.bind("10.0.0.6", pod("old"), 3);
    CHECK(outcome(node.choose(web())) == "10.0.0.6 evicted");
  }
  CHECK(node.snapshot.death_questions == 0);
}

TEST_CASE("the oldest dead address is reclaimed, and its pod's binding ends", "[choose]") {
  DeadNode node;
  node.snapshot.use("10.0.0.2").dead("10.0.0.5").dead("10.0.0.3");
  fill(node, {"10.0.0.4", "10.0.0.6"});
  node.snapshot.bind("10.0.0.5", pod("gone"));
  const Choice choice = node.choose(web());
  CHECK(outcome(choice) == "10.0.0.5 reclaimed");
  CHECK(choice.picks.front().takes_over);
  REQUIRE(choice.picks.front().evicted.has_value());
  CHECK(choice.picks.front().evicted->pod == pod("gone"));
}

TEST_CASE("a dead address that is reserved is not reclaimed", "[choose]") {
  DeadNode node;
  node.snapshot.dead("10.0.0.2").dead("10.0.0.3").dead("10.0.0.1");
  fill(node, {"10.0.0.4", "10.0.0.5", "10.0.0.6"});
  node.reservations.excluded = {span("10.0.0.2", "10.0.0.2")};
  node.reservations.pins = {pin("other", "10.0.0.3")};
  CHECK(outcome(node.choose(web())).starts_with("error: "));
}

TEST_CASE("a full set without a dead owner is exhausted", "[choose]") {
  DeadNode node;
  fill(node, {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"});
  CHECK(outcome(node.choose(web({"10.0.0.4"}))).starts_with("error: "));
}

TEST_CASE("nothing is asked about deaths on the ordinary path", "[choose]") {
  DeadNode node;
  node.snapshot.bind("10.0.0.4", pod("web"));
  fill(node, {"10.0.0.2", "10.0.0.3"});
  CHECK(outcome(node.choose(web({"10.0.0.4"}))) == "10.0.0.4 held");
  CHECK(outcome(node.choose(web())) == "10.0.0.5 round robin");
  CHECK(node.snapshot.death_questions == 0);
}
