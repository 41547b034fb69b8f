#include <algorithm>
#include <set>
#include <string>

#include "allocator/round_robin.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/random.hpp"
#include "test/unit/support/values.hpp"

using allocator::Address;
using allocator::Lap;
using allocator::Range;
using allocator::RangeSet;
using test::ip;
using test::range_set;

namespace {

std::vector<Address> whole_lap(const RangeSet& set, const std::optional<Address>& last) {
  std::vector<Address> order;
  Lap lap(set, last);
  while (const auto candidate = lap.next()) {
    CHECK(candidate->range == set.range_of(candidate->address));
    order.push_back(candidate->address);
  }
  return order;
}

std::string first_of(const RangeSet& set, const std::string& last) {
  Lap lap(set, test::maybe_ip(last));
  const auto candidate = lap.next();
  return candidate ? candidate->address.to_string() : "none";
}

/// host-local's own walk, step by step: where it starts, where it turns, and where it stops.
class HostLocalWalk {
 public:
  HostLocalWalk(const RangeSet& set, const std::optional<Address>& last) : ranges_(set.ranges()) {
    const Range* range = last ? set.range_of(*last) : nullptr;
    if (range == nullptr) return;
    index_ = static_cast<std::size_t>(range - ranges_.data());
    cursor_ = last;
  }

  std::optional<Address> next() {
    do {
      step();
      if (stop_ && *cursor_ == *stop_) return std::nullopt;
      if (!stop_) stop_ = cursor_;
    } while (*cursor_ == ranges_[index_].gateway);
    return cursor_;
  }

 private:
  void step() {
    if (!cursor_) {
      cursor_ = ranges_[0].start;
    } else if (*cursor_ == ranges_[index_].end) {
      index_ = (index_ + 1) % ranges_.size();
      cursor_ = ranges_[index_].start;
    } else {
      cursor_ = cursor_->next();
    }
  }

  const std::vector<Range>& ranges_;
  std::size_t index_ = 0;
  std::optional<Address> cursor_;
  std::optional<Address> stop_;
};

std::vector<Address> host_local_order(const RangeSet& set, const std::optional<Address>& last) {
  std::vector<Address> order;
  HostLocalWalk walk(set, last);
  while (const auto address = walk.next()) order.push_back(*address);
  return order;
}

/// Up to four ranges in blocks of 16 addresses, in any order, each with any start, end and gateway.
RangeSet random_set(test::Random& random, const Address& base) {
  const std::size_t count = 1 + random.below(4);
  std::vector<std::size_t> blocks = {0, 1, 2, 3, 4, 5, 6, 7};
  std::vector<allocator::RangeSpec> specs;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = random.below(blocks.size());
    const auto first = base.number() + allocator::Uint128{16} * blocks[at];
    blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(at));
    const auto number = [&](std::size_t offset) { return Address(base.family(), first + offset); };
    const std::size_t start = random.below(16);
    const std::size_t end = start + random.below(16 - start);
    const unsigned prefix = allocator::address_bits(base.family()) - 4;
    specs.push_back({allocator::Cidr{number(0), prefix}, number(start), number(end),
                     random.coin() ? number(random.below(16)) : ip("192.0.2.1")});
  }
  return RangeSet(specs);
}

const RangeSet kA = range_set({{"192.168.1.0/29"}});

}  // namespace

TEST_CASE("A1: a first lap goes from the start to the end, without the gateway", "[lap]") {
  CHECK(test::joined(whole_lap(kA, std::nullopt)) ==
        "192.168.1.2 192.168.1.3 192.168.1.4 192.168.1.5 192.168.1.6");
}

TEST_CASE("A2: a lap behind the last address starts over", "[lap]") {
  CHECK(test::joined(whole_lap(kA, ip("192.168.1.6"))) ==
        "192.168.1.2 192.168.1.3 192.168.1.4 192.168.1.5 192.168.1.6");
}

TEST_CASE("A3: a lap ends with the address handed out last", "[lap]") {
  CHECK(test::joined(whole_lap(kA, ip("192.168.1.3"))) ==
        "192.168.1.4 192.168.1.5 192.168.1.6 192.168.1.2 192.168.1.3");
}

TEST_CASE("A25: behind the end of the first of two ranges comes the start of the second", "[lap]") {
  const RangeSet set = range_set({{"192.168.1.0/30", "192.168.1.0", "192.168.1.3", "192.0.2.1"},
                                  {"192.168.2.0/30", "192.168.2.0", "192.168.2.3", "192.0.2.1"}});
  CHECK(first_of(set, "192.168.1.3") == "192.168.2.0");
  CHECK(whole_lap(set, ip("192.168.1.3")).size() == 8);
}

TEST_CASE("A26: without a cursor two ranges are walked from the start of the first", "[lap]") {
  const RangeSet set = range_set({{"192.168.1.0/30", "192.168.1.0", "192.168.1.3", "192.0.2.1"},
                                  {"192.168.2.0/30", "192.168.2.0", "192.168.2.3", "192.0.2.1"}});
  CHECK(first_of(set, "") == "192.168.1.0");
  CHECK(whole_lap(set, std::nullopt).size() == 8);
}

TEST_CASE("a cursor on the gateway goes on behind it", "[lap]") {
  CHECK(first_of(range_set({{"10.0.0.0/29"}}), "10.0.0.1") == "10.0.0.2");
}

TEST_CASE("a gateway of another range is handed out, as host-local does", "[lap]") {
  const RangeSet set = range_set({{"10.0.0.0/30"}, {"10.0.1.0/30", "", "", "10.0.0.2"}});
  CHECK(test::joined(whole_lap(set, std::nullopt)) == "10.0.0.2 10.0.1.1 10.0.1.2");
}

TEST_CASE("a range that is all gateway offers nothing", "[lap]") {
  const RangeSet set = range_set({{"10.0.0.0/29", "10.0.0.3", "10.0.0.3", "10.0.0.3"}});
  CHECK(whole_lap(set, std::nullopt).empty());
  CHECK(whole_lap(set, ip("10.0.0.3")).empty());
}

TEST_CASE("three ranges of different sizes are walked in their order", "[lap]") {
  const RangeSet set =
      range_set({{"10.1.2.0/30"}, {"10.1.3.0/30"}, {"10.1.4.0/29", "10.1.4.4", "10.1.4.5"}});
  CHECK(test::joined(whole_lap(set, std::nullopt)) == "10.1.2.2 10.1.3.2 10.1.4.4 10.1.4.5");
}

TEST_CASE(
    "a lap offers every address once, never a gateway, the cursor last, in host-local's order",
    "[lap][property]") {
  const std::string base = GENERATE("10.0.0.0", "2001:db8::", "::", "255.255.255.128",
                                    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff80");
  test::Random random;
  INFO(test::Random::note());
  for (int round = 0; round < 500; ++round) {
    const RangeSet set = random_set(random, ip(base));
    const Address cursor(ip(base).family(), ip(base).number() + random.below(128));
    const auto last = random.below(4) == 0 ? std::nullopt : std::optional(cursor);
    INFO("set " << set.to_string() << ", cursor " << (last ? last->to_string() : "none"));
    const auto order = whole_lap(set, last);
    std::set<Address> expected;
    for (const auto& range : set.ranges()) {
      for (auto at = std::optional(range.start); at && *at <= range.end; at = at->next()) {
        if (*at != range.gateway) expected.insert(*at);
      }
    }
    REQUIRE(order.size() == expected.size());
    REQUIRE(std::set<Address>(order.begin(), order.end()) == expected);
    REQUIRE(order == host_local_order(set, last));
    if (last && expected.count(*last) != 0) REQUIRE(order.back() == *last);
  }
}

TEST_CASE("skip_through leaves out what lies up to an address in the range at hand",
          "[lap][property]") {
  test::Random random;
  INFO(test::Random::note());
  for (int round = 0; round < 500; ++round) {
    const RangeSet set = random_set(random, ip("10.0.0.0"));
    const auto last =
        std::optional(Address(allocator::Family::v4, ip("10.0.0.0").number() + random.below(128)));
    const auto order = whole_lap(set, last);
    if (order.empty()) continue;
    const std::size_t position = random.below(order.size());
    const Address through(allocator::Family::v4, order[position].number() + random.below(20));
    INFO("set " << set.to_string() << ", cursor " << last->to_string() << ", after "
                << order[position].to_string() << " skip through " << through.to_string());
    Lap lap(set, last);
    for (std::size_t i = 0; i <= position; ++i) REQUIRE(lap.next().has_value());
    lap.skip_through(through);
    // The range at hand ends where the walk leaves it: at its end, or where the lap comes round.
    const Range* range = set.range_of(order[position]);
    std::size_t next = position + 1;
    while (next < order.size() && set.range_of(order[next]) == range &&
           order[next] > order[next - 1] && order[next] <= through) {
      ++next;
    }
    for (; next < order.size(); ++next) {
      const auto candidate = lap.next();
      REQUIRE(candidate.has_value());
      REQUIRE(candidate->address == order[next]);
    }
    REQUIRE_FALSE(lap.next().has_value());
  }
}

TEST_CASE("skip_through before the first and behind the last candidate changes nothing", "[lap]") {
  Lap lap(kA, std::nullopt);
  while (lap.next()) {
  }
  lap.skip_through(ip("192.168.1.6"));
  CHECK_FALSE(lap.next().has_value());
}

TEST_CASE("a lap near the end of the address space does not run over it", "[lap]") {
  const RangeSet set = range_set({{"ff00::/8"}});
  const std::string top = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:";
  CHECK(first_of(set, top + "fffe") == top + "ffff");
  CHECK(first_of(set, top + "ffff") == "ff00::2");
  CHECK(first_of(range_set({{"::/0"}}), top + "ffff") == "::2");
  CHECK(first_of(range_set({{"0.0.0.0/0"}}), "255.255.255.254") == "0.0.0.2");
  CHECK(first_of(range_set({{"255.255.255.0/24", "", "255.255.255.255"}}), "255.255.255.255") ==
        "255.255.255.2");
}

TEST_CASE("a block of 2^64 addresses and more is skipped in one step", "[lap]") {
  const RangeSet set = range_set({{"2001:db8::/32"}});
  Lap lap(set, std::nullopt);
  REQUIRE(lap.next()->address == ip("2001:db8::2"));
  lap.skip_through(ip("2001:db8::ffff:ffff:ffff:ffff"));
  CHECK(lap.next()->address == ip("2001:db8:0:1::"));
  lap.skip_through(ip("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe"));
  CHECK(lap.next()->address == ip("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"));
  CHECK_FALSE(lap.next().has_value());
}
