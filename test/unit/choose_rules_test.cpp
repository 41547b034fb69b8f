// What holds for a choice as a whole: all sets or none, requests, duplicates, and the order of
// evictions.
#include <set>
#include <string>

#include "allocator/choose.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/memory_snapshot.hpp"
#include "test/unit/support/random.hpp"

using allocator::Address;
using allocator::Choice;
using allocator::Kind;
using allocator::RangeSets;
using allocator::Reservations;
using allocator::Wish;
using test::contains;
using test::ip;
using test::ips;
using test::MemorySnapshot;
using test::outcome;
using test::pod;
using test::sets_of;

namespace {

const RangeSets kOne = sets_of({"10.0.0.0/29"});
const RangeSets kDual = sets_of({"10.0.0.0/29", "2001:db8::/64"});

std::string choice(const RangeSets& sets, const Wish& wish, MemorySnapshot& snapshot,
                   const Reservations& reservations = {}) {
  return outcome(allocator::choose(sets, reservations, wish, snapshot));
}

Wish requesting(std::initializer_list<const char*> addresses) {
  Wish wish;
  wish.requested = ips(addresses);
  return wish;
}

/// A wish of "web" where every address is held for somebody, by these sequence numbers from .2 on.
Choice evict(const std::vector<std::uint64_t>& sequences) {
  MemorySnapshot snapshot;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::string address = "10.0.0." + std::to_string(i + 2);
    snapshot.bind(address, pod("p" + std::to_string(i)), sequences[i]);
  }
  Wish wish;
  wish.pod = pod("web");
  return allocator::choose(kOne, {}, wish, snapshot);
}

}  // namespace

TEST_CASE("the lowest sequence number is evicted, and its binding is reported", "[choose]") {
  const Choice choice = evict({40, 30, 20, 10, 50});
  CHECK(outcome(choice) == "10.0.0.5 evicted");
  REQUIRE(choice.picks.front().evicted);
  CHECK(choice.picks.front().evicted->pod == pod("p3"));
}

TEST_CASE("sequence 0 counts as the newest of all", "[choose]") {
  CHECK(outcome(evict({0, 0, 18446744073709551615U, 0, 0})) == "10.0.0.4 evicted");
  CHECK(outcome(evict({0, 3, 0, 2, 0})) == "10.0.0.5 evicted");
}

TEST_CASE("of equal sequence numbers the lowest address is evicted", "[choose]") {
  CHECK(outcome(evict({7, 7, 7, 7, 7})) == "10.0.0.2 evicted");
  CHECK(outcome(evict({0, 0, 0, 0, 0})) == "10.0.0.2 evicted");
}

TEST_CASE("a caller without a pod evicts as well, but never takes what is free first", "[choose]") {
  MemorySnapshot snapshot;
  snapshot.bind("10.0.0.2", pod("old"), 1);
  CHECK(choice(kOne, {}, snapshot) == "10.0.0.3 round robin");
  for (const char* used : {"10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}) snapshot.use(used);
  CHECK(choice(kOne, {}, snapshot) == "10.0.0.2 evicted");
}

TEST_CASE("an address in use is never evicted", "[choose]") {
  MemorySnapshot snapshot;
  for (const char* used : {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}) {
    snapshot.use(used).bind(used, pod(std::string("pod-") + used), 1);
  }
  CHECK(contains(choice(kOne, {}, snapshot), "no IP addresses available"));
}

TEST_CASE("a requested address ends the binding of another pod on it", "[choose]") {
  MemorySnapshot snapshot;
  snapshot.bind("10.0.0.4", pod("old"), 5);
  Wish wish = requesting({"10.0.0.4"});
  wish.pod = pod("web");
  const Choice choice = allocator::choose(kOne, {}, wish, snapshot);
  REQUIRE(choice.picks.size() == 1);
  CHECK(choice.picks.front().evicted.value().pod == pod("old"));
}

TEST_CASE("a pod that gets its own address evicts nobody", "[choose]") {
  MemorySnapshot snapshot;
  snapshot.bind("10.0.0.4", pod("web"), 5);
  Wish wish = requesting({"10.0.0.4"});
  wish.pod = pod("web");
  CHECK_FALSE(allocator::choose(kOne, {}, wish, snapshot).picks.front().evicted);
  wish.requested.clear();
  wish.bound = ips({"10.0.0.4"});
  CHECK_FALSE(allocator::choose(kOne, {}, wish, snapshot).picks.front().evicted);
}

TEST_CASE("each set gives one address, requested ones by where they lie", "[choose]") {
  MemorySnapshot snapshot;
  const auto [wish, expected] = GENERATE(table<Wish, std::string>({
      {Wish{}, "10.0.0.2 round robin; 2001:db8::2 round robin"},
      {requesting({"2001:db8::999"}), "10.0.0.2 round robin; 2001:db8::999 requested"},
      {requesting({"2001:db8::999", "10.0.0.5"}), "10.0.0.5 requested; 2001:db8::999 requested"},
      {requesting({"10.0.0.5", "10.0.0.5"}), "10.0.0.5 requested; 2001:db8::2 round robin"},
  }));
  CHECK(choice(kDual, wish, snapshot) == expected);
}

TEST_CASE("of two requests in one set the first is tried and the other is unmet", "[choose]") {
  MemorySnapshot snapshot;
  CHECK(choice(kOne, requesting({"10.0.0.6", "10.0.0.3"}), snapshot) ==
        "error: failed to allocate all requested IPs: 10.0.0.3");
  CHECK(choice(kDual, requesting({"10.9.9.9", "10.0.0.6", "2001:db9::1"}), snapshot) ==
        "error: failed to allocate all requested IPs: 10.9.9.9 2001:db9::1");
}

TEST_CASE("a failing set is named, and the picks before it are told for the cursors", "[choose]") {
  MemorySnapshot snapshot;
  const RangeSets sets = sets_of({"10.0.0.0/29", "10.0.1.0/30"});
  snapshot.use("10.0.1.2");
  const Choice choice = allocator::choose(sets, {}, {}, snapshot);
  REQUIRE(choice.failure);
  CHECK(choice.failure->kind == Kind::exhausted);
  CHECK(std::string(choice.failure->what()) ==
        "failed to allocate for range 1: no IP addresses available in range set: "
        "10.0.1.1-10.0.1.2");
  REQUIRE(choice.picks.size() == 1);
  CHECK(choice.picks.front().address == ip("10.0.0.2"));
}

TEST_CASE("an attachment keeps what it has, and gets the sets that it lacks", "[choose]") {
  MemorySnapshot snapshot;
  snapshot.use("10.0.0.4", "c1 eth0");
  Wish wish;
  wish.present = ips({"10.0.0.4"});
  CHECK(choice(kDual, wish, snapshot) == "10.0.0.4 present; 2001:db8::2 round robin");
  wish.requested = ips({"10.0.0.4"});
  CHECK(choice(kOne, wish, snapshot) == "10.0.0.4 present");
  wish.requested = ips({"10.0.0.5"});
  CHECK(choice(kOne, wish, snapshot) == "error: failed to allocate all requested IPs: 10.0.0.5");
}

TEST_CASE("an address outside the ranges does not count as the one a set has", "[choose]") {
  MemorySnapshot snapshot;
  Wish wish;
  wish.present = ips({"10.9.9.9"});
  CHECK(choice(kOne, wish, snapshot) == "10.0.0.2 round robin");
}

TEST_CASE("a duplicate is an error on demand, unless an address is requested from the set",
          "[choose]") {
  MemorySnapshot snapshot;
  snapshot.use("10.0.0.4", "c1 eth0");
  Wish wish;
  wish.refuse_duplicate_of = "c1";
  wish.present = ips({"10.0.0.4"});
  const Choice refused = allocator::choose(kOne, {}, wish, snapshot);
  REQUIRE(refused.failure);
  CHECK(refused.failure->kind == Kind::duplicate);
  CHECK(outcome(refused) ==
        "error: failed to allocate for range 0: 10.0.0.4 has been allocated to c1, duplicate "
        "allocation is not allowed");
  wish.requested = ips({"10.0.0.5"});
  CHECK(choice(kOne, wish, snapshot) == "10.0.0.5 requested");
  wish.requested = ips({"2001:db8::9"});
  CHECK(contains(choice(kDual, wish, snapshot), "10.0.0.4 has been allocated to c1"));
  wish.requested.clear();
  wish.present = ips({"10.9.9.9"});
  CHECK(choice(kOne, wish, snapshot) == "10.0.0.2 round robin");
}

TEST_CASE("an excluded block of 2^64 addresses is passed over at once", "[choose]") {
  MemorySnapshot snapshot;
  Reservations reservations;
  reservations.excluded = {test::span("2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"),
                           test::span("2001:db8:0:1::", "2001:db8:0:ffff:ffff:ffff:ffff:fffe")};
  const RangeSets sets = sets_of({"2001:db8::/48"});
  CHECK(choice(sets, {}, snapshot, reservations) ==
        "2001:db8:0:ffff:ffff:ffff:ffff:ffff round robin");
  reservations.excluded.push_back(test::span("2001:db8::", "2001:db8:1::"));
  CHECK(contains(choice(sets, {}, snapshot, reservations), "no IP addresses available"));
}

TEST_CASE("a node hands out every address that is neither gateway, excluded nor pinned, each once",
          "[choose][property]") {
  test::Random random;
  INFO(test::Random::note());
  for (int round = 0; round < 200; ++round) {
    const RangeSets sets = sets_of({"10.0.0.0/27"});
    Reservations reservations;
    std::set<Address> left;
    for (int last = 1; last <= 30; ++last) left.insert(ip("10.0.0." + std::to_string(last)));
    left.erase(ip("10.0.0.1"));
    MemorySnapshot snapshot;
    for (int i = 0; i < 6; ++i) {
      const auto address =
          Address(allocator::Family::v4, ip("10.0.0.1").number() + random.below(30));
      const auto last = Address(allocator::Family::v4, address.number() + random.below(3));
      left.erase(address);
      if (random.coin()) {
        reservations.pins.push_back({"default", "db" + std::to_string(i), address});
      } else {
        reservations.excluded.push_back({address, last});
        for (auto at = address; at <= last; at = *at.next()) left.erase(at);
      }
    }
    snapshot.cursor_at(0, "10.0.0." + std::to_string(random.below(32)));
    Wish wish;
    wish.pod = pod("web");
    while (!left.empty()) {
      const Choice choice = allocator::choose(sets, reservations, wish, snapshot);
      INFO("round " << round << ": " << outcome(choice));
      REQUIRE_FALSE(choice.failure);
      REQUIRE(left.erase(choice.picks.front().address) == 1);
      snapshot.apply(choice);
    }
    REQUIRE(allocator::choose(sets, reservations, wish, snapshot).failure.has_value());
  }
}
