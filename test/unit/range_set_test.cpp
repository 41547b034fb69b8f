#include "allocator/range_set.hpp"

#include <functional>
#include <string>

#include "allocator/error.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/values.hpp"

using allocator::RangeSet;
using allocator::RangeSpec;
using test::ip;
using test::range_set;
using test::spec;

namespace {

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const allocator::Error& error) {
    CHECK(error.kind == allocator::Kind::invalid_range);
    return error.what();
  }
  return "(no error)";
}

std::string make_error(const std::vector<std::vector<RangeSpec>>& specs) {
  return error_of([&] { allocator::make_range_sets(specs); });
}

}  // namespace

TEST_CASE("S1: a set finds the range of an address, and prints itself for the message",
          "[range_set]") {
  const RangeSet set = range_set({{"192.168.0.0/24"}, {"172.16.1.0/24"}});
  CHECK(set.range_of(ip("192.168.0.55")) == &set.ranges().front());
  CHECK(set.range_of(ip("172.16.1.254")) == &set.ranges().back());
  CHECK(set.range_of(ip("192.168.99.99")) == nullptr);
  CHECK_FALSE(set.contains(ip("192.168.99.99")));
  CHECK(set.to_string() == "192.168.0.1-192.168.0.254,172.16.1.1-172.16.1.254");
}

TEST_CASE("S2: ranges of one set must not overlap", "[range_set]") {
  CHECK(error_of([] {
          range_set({{"192.168.0.0/20"}, {"192.168.2.0/24"}});
        }) == "subnets 192.168.0.1-192.168.15.254 and 192.168.2.1-192.168.2.254 overlap");
}

TEST_CASE("S3: overlapping sets are found in both directions", "[range_set]") {
  const RangeSet wide = range_set({{"192.168.0.0/20"}});
  const RangeSet narrow = range_set({{"192.168.2.0/24"}});
  CHECK(wide.overlaps(narrow));
  CHECK(narrow.overlaps(wide));
  CHECK(error_of([&] {
          allocator::check_disjoint({wide, narrow});
        }) == "range set 0 overlaps with 1");
  CHECK(error_of([&] {
          allocator::check_disjoint({narrow, wide});
        }) == "range set 0 overlaps with 1");
}

TEST_CASE("the overlap message names the sets by their place", "[range_set]") {
  CHECK(error_of([] {
          allocator::check_disjoint(
              test::sets_of({"10.0.0.0/24", "10.0.1.0/24", "2001:db8::/64", "10.0.1.128/25"}));
        }) == "range set 1 overlaps with 3");
}

TEST_CASE("disjoint sets pass", "[range_set]") {
  CHECK_NOTHROW(
      allocator::check_disjoint(test::sets_of({"10.0.0.0/24", "10.0.1.0/24", "2001:db8::/64"})));
}

TEST_CASE("a bad set is named by its place", "[range_set]") {
  const RangeSpec good = spec({"10.0.0.0/24"});
  CHECK(make_error({{good}, {}}) == "invalid range set 1: empty range set");
  CHECK(make_error({{RangeSpec{}}}) == "invalid range set 0: IP <nil> not v4 nor v6");
  CHECK(make_error({{good}, {spec({"10.1.0.0/31"})}}) ==
        "invalid range set 1: Network 10.1.0.0/31 too small to allocate from");
  CHECK(make_error({{good, spec({"2001:db8::/64"})}}) ==
        "invalid range set 0: mixed address families");
  CHECK(make_error({{good, spec({"10.0.0.128/25"})}}) ==
        "invalid range set 0: subnets 10.0.0.1-10.0.0.254 and 10.0.0.129-10.0.0.254 overlap");
}

TEST_CASE("a bad range is reported before mixed families and overlaps", "[range_set]") {
  CHECK(make_error({{spec({"10.0.0.0/24"}), spec({"2001:db8::/64"}), spec({"10.0.0.0/31"})}}) ==
        "invalid range set 0: Network 10.0.0.0/31 too small to allocate from");
}

TEST_CASE("a set knows the gateways of all its ranges", "[range_set]") {
  const RangeSet set = range_set({{"10.0.0.0/24"}, {"10.0.1.0/24", "", "", "10.0.0.77"}});
  CHECK(set.is_gateway(ip("10.0.0.1")));
  CHECK(set.is_gateway(ip("10.0.0.77")));
  CHECK_FALSE(set.is_gateway(ip("10.0.1.1")));
}

TEST_CASE("two sets of one family are told from one of each", "[range_set]") {
  CHECK(allocator::has_two_of_a_family(test::sets_of({"10.0.0.0/24", "10.0.1.0/24"})));
  CHECK(allocator::has_two_of_a_family(
      test::sets_of({"2001:db8::/64", "10.0.0.0/24", "2001:db8:1::/64"})));
  CHECK_FALSE(allocator::has_two_of_a_family(test::sets_of({"10.0.0.0/24", "2001:db8::/64"})));
}

TEST_CASE("set_of gives the place of the set that hands out an address", "[range_set]") {
  const auto sets = test::sets_of({"10.0.0.0/24", "2001:db8::/64"});
  CHECK(allocator::set_of(sets, ip("10.0.0.9")) == 0);
  CHECK(allocator::set_of(sets, ip("2001:db8::9")) == 1);
  CHECK(allocator::set_of(sets, ip("10.0.0.255")) == 2);
}
