// The cases that host-local's own allocator has to pass.
#include <string>
#include <vector>

#include "test/unit/catch.hpp"
#include "test/unit/support/memory_snapshot.hpp"

using allocator::Choice;
using allocator::RangeSet;
using test::MemorySnapshot;
using test::outcome;
using test::range_set;

namespace {

Choice choose(const RangeSet& set, MemorySnapshot& snapshot,
              const std::vector<allocator::Address>& requested = {}) {
  allocator::Wish wish;
  wish.requested = requested;
  const allocator::RangeSets sets = {set};
  Choice choice = allocator::choose(sets, {}, wish, snapshot);
  snapshot.apply(choice);
  return choice;
}

/// What is handed out next with these addresses taken and this one reserved last.
std::string next_of(const RangeSet& set, std::initializer_list<const char*> taken,
                    const std::string& last) {
  MemorySnapshot snapshot;
  for (const char* address : taken) snapshot.use(address);
  if (!last.empty()) snapshot.cursor_at(0, last);
  return outcome(choose(set, snapshot));
}

const RangeSet kA = range_set({{"192.168.1.0/29"}});
const RangeSet kEight = range_set({{"10.0.0.0/29"}});
const RangeSet kTwoRanges = range_set({{"10.0.0.0/30"}, {"10.0.1.0/30"}});

}  // namespace

TEST_CASE("A4: the first address of a /29 is .2", "[choose]") {
  CHECK(next_of(kEight, {}, "") == "10.0.0.2 round robin");
}

TEST_CASE("A5: the first address of an IPv6 /64 is ::2", "[choose]") {
  CHECK(next_of(range_set({{"2001:db8:1::0/64"}}), {}, "") == "2001:db8:1::2 round robin");
}

TEST_CASE("A6: the only address of a /30 is .2", "[choose]") {
  CHECK(next_of(range_set({{"10.0.0.0/30"}}), {}, "") == "10.0.0.2 round robin");
}

TEST_CASE("A7: a taken address is passed over", "[choose]") {
  CHECK(next_of(kEight, {"10.0.0.2"}, "") == "10.0.0.3 round robin");
}

TEST_CASE("A8: the walk goes on behind the last reserved address", "[choose]") {
  CHECK(next_of(kEight, {}, "10.0.0.5") == "10.0.0.6 round robin");
}

TEST_CASE("A9: taken addresses behind the last reserved one are passed over", "[choose]") {
  CHECK(next_of(kEight, {"10.0.0.4", "10.0.0.5"}, "10.0.0.3") == "10.0.0.6 round robin");
}

TEST_CASE("A10: the walk comes round at the end of the range", "[choose]") {
  CHECK(next_of(kEight, {"10.0.0.6"}, "10.0.0.5") == "10.0.0.2 round robin");
}

TEST_CASE("A11: a last reserved address outside the range is ignored", "[choose]") {
  CHECK(next_of(kEight, {"10.0.0.2"}, "10.0.0.128") == "10.0.0.3 round robin");
}

TEST_CASE("A12: the last reserved address itself comes last", "[choose]") {
  CHECK(next_of(kEight, {"10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6"}, "10.0.0.3") ==
        "10.0.0.3 round robin");
}

TEST_CASE("A13: two ranges start with the first", "[choose]") {
  CHECK(next_of(kTwoRanges, {}, "") == "10.0.0.2 round robin");
}

TEST_CASE("A14: behind the end of the first range comes the second", "[choose]") {
  CHECK(next_of(kTwoRanges, {}, "10.0.0.2") == "10.0.1.2 round robin");
}

TEST_CASE("A15: behind the end of the last of three ranges comes the first", "[choose]") {
  CHECK(next_of(range_set({{"10.0.0.0/30"}, {"10.0.1.0/30"}, {"10.0.2.0/30"}}), {}, "10.0.2.2") ==
        "10.0.0.2 round robin");
}

TEST_CASE("A16: a range is handed out to its end, and then is an error", "[choose]") {
  MemorySnapshot snapshot;
  for (int last = 2; last <= 6; ++last) {
    CHECK(outcome(choose(kA, snapshot)) == "192.168.1." + std::to_string(last) + " round robin");
  }
  CHECK(outcome(choose(kA, snapshot)) ==
        "error: failed to allocate for range 0: no IP addresses available in range set: "
        "192.168.1.1-192.168.1.6");
}

TEST_CASE("A17: a released address is not the next one handed out", "[choose]") {
  MemorySnapshot snapshot;
  CHECK(outcome(choose(kA, snapshot)) == "192.168.1.2 round robin");
  snapshot.free("192.168.1.2");
  CHECK(outcome(choose(kA, snapshot)) == "192.168.1.3 round robin");
}

TEST_CASE("A18: a requested address is given", "[choose]") {
  MemorySnapshot snapshot;
  CHECK(outcome(choose(kA, snapshot, test::ips({"192.168.1.5"}))) == "192.168.1.5 requested");
}

TEST_CASE("A19: a requested address that is taken is an error", "[choose]") {
  MemorySnapshot snapshot;
  choose(kA, snapshot, test::ips({"192.168.1.5"}));
  CHECK(outcome(choose(kA, snapshot, test::ips({"192.168.1.5"}))) ==
        "error: failed to allocate for range 0: requested IP address 192.168.1.5 is not available "
        "in range set 192.168.1.1-192.168.1.6");
}

TEST_CASE("A20: a requested address behind the end of the range is an error", "[choose]") {
  MemorySnapshot snapshot;
  const RangeSet set = range_set({{"192.168.1.0/29", "", "192.168.1.4"}});
  CHECK(outcome(choose(set, snapshot, test::ips({"192.168.1.5"}))) ==
        "error: failed to allocate all requested IPs: 192.168.1.5");
}

TEST_CASE("A21: a requested address before the start of the range is an error", "[choose]") {
  MemorySnapshot snapshot;
  const RangeSet set = range_set({{"192.168.1.0/29", "192.168.1.3"}});
  CHECK(outcome(choose(set, snapshot, test::ips({"192.168.1.2"}))) ==
        "error: failed to allocate all requested IPs: 192.168.1.2");
}

TEST_CASE("A22: a full /30 is exhausted", "[choose]") {
  CHECK(next_of(range_set({{"10.0.0.0/30"}}), {"10.0.0.2"}, "") ==
        "error: failed to allocate for range 0: no IP addresses available in range set: "
        "10.0.0.1-10.0.0.2");
}

TEST_CASE("A23: a full /29 is exhausted", "[choose]") {
  CHECK(next_of(kEight, {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}, "") ==
        "error: failed to allocate for range 0: no IP addresses available in range set: "
        "10.0.0.1-10.0.0.6");
}

TEST_CASE("A24: two full ranges are exhausted, and both are named", "[choose]") {
  CHECK(next_of(kTwoRanges, {"10.0.0.2", "10.0.1.2"}, "") ==
        "error: failed to allocate for range 0: no IP addresses available in range set: "
        "10.0.0.1-10.0.0.2,10.0.1.1-10.0.1.2");
}
