#include "allocator/range.hpp"

#include <string>

#include "allocator/error.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/values.hpp"

using allocator::Range;
using test::ip;
using test::RangeText;

namespace {

Range complete(const RangeText& text) { return allocator::complete(test::spec(text)); }

/// "start-end gw gateway", or "error: <text>".
std::string completed(const RangeText& text) {
  try {
    const Range range = complete(text);
    return range.to_string() + " gw " + range.gateway.to_string();
  } catch (const allocator::Error& error) {
    CHECK(error.kind == allocator::Kind::invalid_range);
    return std::string("error: ") + error.what();
  }
}

bool overlap(const RangeText& left, const RangeText& right) {
  const Range one = complete(left);
  const Range other = complete(right);
  CHECK(one.overlaps(other) == other.overlaps(one));
  return one.overlaps(other);
}

const RangeText kPart{"192.0.2.0/24", "192.0.2.40", "192.0.2.50", "192.0.2.254"};
const RangeText kPartV6{"2001:DB8:1::/64", "2001:db8:1::40", "2001:db8:1::50"};

}  // namespace

TEST_CASE("R1: a /24 is handed out from .1 to .254, its gateway is .1", "[range]") {
  CHECK(completed({"192.0.2.0/24"}) == "192.0.2.1-192.0.2.254 gw 192.0.2.1");
}

TEST_CASE("R2: a /25 ends before its own broadcast address", "[range]") {
  CHECK(completed({"192.0.2.0/25"}) == "192.0.2.1-192.0.2.126 gw 192.0.2.1");
}

TEST_CASE("R3: host bits in an IPv4 subnet are refused", "[range]") {
  CHECK(completed({"192.0.2.12/24"}) ==
        "error: Network has host bits set. For a subnet mask of length 24 the network address is "
        "192.0.2.0");
}

TEST_CASE("R4: host bits in an IPv6 subnet are refused", "[range]") {
  CHECK(completed({"2001:DB8:1::24:19ff:fee1:c44a/64"}) ==
        "error: Network has host bits set. For a subnet mask of length 64 the network address is "
        "2001:db8:1::");
}

TEST_CASE("R5: host bits right behind an odd IPv6 prefix are refused", "[range]") {
  CHECK(completed({"2001:DB8:24:19ff::/63"}) ==
        "error: Network has host bits set. For a subnet mask of length 63 the network address is "
        "2001:db8:24:19fe::");
}

TEST_CASE("R6: host bits right behind an odd IPv4 prefix are refused", "[range]") {
  CHECK(completed({"192.168.127.0/23"}) ==
        "error: Network has host bits set. For a subnet mask of length 23 the network address is "
        "192.168.126.0");
}

TEST_CASE("R7: an IPv6 subnet is handed out up to its all-ones address", "[range]") {
  CHECK(completed({"2001:DB8:1::/64"}) ==
        "2001:db8:1::1-2001:db8:1:0:ffff:ffff:ffff:ffff gw 2001:db8:1::1");
}

TEST_CASE("R8: a /31 is too small", "[range]") {
  CHECK(completed({"192.0.2.0/31"}) == "error: Network 192.0.2.0/31 too small to allocate from");
}

TEST_CASE("R9: a start outside the subnet is refused", "[range]") {
  CHECK(completed({"192.0.2.0/24", "192.0.3.0"}) ==
        "error: RangeStart 192.0.3.0 not in network 192.0.2.0/24");
}

TEST_CASE("R10: an end outside the subnet is refused", "[range]") {
  CHECK(completed({"192.0.2.0/24", "", "192.0.4.0"}) ==
        "error: RangeEnd 192.0.4.0 not in network 192.0.2.0/24");
}

TEST_CASE("R11: a start behind the end is a wrong start", "[range]") {
  CHECK(completed({"192.0.2.0/24", "192.0.2.50", "192.0.2.40"}) ==
        "error: RangeStart 192.0.2.50 not in network 192.0.2.0/24");
}

TEST_CASE("R12: start, end and gateway are kept as given", "[range]") {
  CHECK(completed(kPart) == "192.0.2.40-192.0.2.50 gw 192.0.2.254");
  CHECK(complete(kPart).start.family() == allocator::Family::v4);
}

TEST_CASE("R13: a range contains what lies between its ends", "[range]") {
  const auto [address, inside] = GENERATE(table<std::string, bool>({
      {"192.0.3.0", false},
      {"192.0.2.39", false},
      {"192.0.2.40", true},
      {"192.0.2.50", true},
      {"192.0.2.51", false},
  }));
  CHECK(complete(kPart).contains(ip(address)) == inside);
}

TEST_CASE("R14: an IPv6 range contains what lies between its ends", "[range]") {
  const auto [address, inside] = GENERATE(table<std::string, bool>({
      {"2001:db8:2::", false},
      {"2001:db8:1::39", false},
      {"2001:db8:1::40", true},
      {"2001:db8:1::50", true},
      {"2001:db8:1::51", false},
  }));
  CHECK(complete(kPartV6).contains(ip(address)) == inside);
}

TEST_CASE("R15: neighbours do not overlap", "[range]") {
  CHECK_FALSE(overlap({"10.0.0.0/24"}, {"10.0.1.0/24"}));
}

TEST_CASE("R16: ranges of two families do not overlap", "[range]") {
  CHECK_FALSE(overlap({"0.0.0.0/24"}, {"::/24"}));
}

TEST_CASE("R17: a range overlaps itself", "[range]") {
  CHECK(overlap({"10.0.0.0/24"}, {"10.0.0.0/24"}));
}

TEST_CASE("R18: a range overlaps a part of itself", "[range]") {
  CHECK(overlap({"10.0.0.0/20"}, {"10.0.1.0/24"}));
}

TEST_CASE("R19: two halves of one subnet do not overlap", "[range]") {
  CHECK_FALSE(overlap({"10.0.0.0/24", "", "10.0.0.127"}, {"10.0.0.0/24", "10.0.0.128"}));
}

TEST_CASE("R20: one common address is an overlap", "[range]") {
  CHECK(overlap({"10.0.0.0/24", "", "10.0.0.127"}, {"10.0.0.0/24", "10.0.0.127"}));
}

TEST_CASE("a subnet needs two host bits", "[range]") {
  const auto [subnet, text] = GENERATE(table<std::string, std::string>({
      {"10.0.0.0/30", "10.0.0.1-10.0.0.2 gw 10.0.0.1"},
      {"10.0.0.0/32", "error: Network 10.0.0.0/32 too small to allocate from"},
      {"10.1.2.5/31", "error: Network 10.1.2.5/31 too small to allocate from"},
      {"2001:db8::/126", "2001:db8::1-2001:db8::3 gw 2001:db8::1"},
      {"2001:db8::/127", "error: Network 2001:db8::/127 too small to allocate from"},
      {"2001:db8::/128", "error: Network 2001:db8::/128 too small to allocate from"},
  }));
  CHECK(completed({subnet}) == text);
}

TEST_CASE("an IPv4-mapped subnet is refused", "[range]") {
  CHECK(completed({"::ffff:10.0.0.0/120"}) == "error: IPNet IP and Mask version mismatch");
}

TEST_CASE("a missing subnet is refused", "[range]") {
  CHECK_THROWS_WITH(allocator::complete({}), "IP <nil> not v4 nor v6");
}

TEST_CASE("network and broadcast address are handed out when they are named", "[range]") {
  CHECK(completed({"10.1.2.0/24", "10.1.2.0", "10.1.2.255"}) == "10.1.2.0-10.1.2.255 gw 10.1.2.1");
}

TEST_CASE("the gateway may lie outside the subnet and be of the other family", "[range]") {
  CHECK(completed({"10.1.2.0/24", "", "", "10.9.9.9"}) == "10.1.2.1-10.1.2.254 gw 10.9.9.9");
  CHECK(completed({"10.1.2.0/24", "", "", "2001:db8::1"}) == "10.1.2.1-10.1.2.254 gw 2001:db8::1");
}

TEST_CASE("a start or an end of the other family is refused", "[range]") {
  CHECK(completed({"10.1.2.0/24", "2001:db8::1"}) ==
        "error: RangeStart 2001:db8::1 not in network 10.1.2.0/24");
  CHECK(completed({"10.1.2.0/24", "", "2001:db8::1"}) ==
        "error: RangeEnd 2001:db8::1 not in network 10.1.2.0/24");
}

TEST_CASE("a start on the broadcast address does not walk out of the subnet", "[range]") {
  CHECK(completed({"10.1.2.0/24", "10.1.2.255"}) ==
        "error: RangeStart 10.1.2.255 is behind the end of the range, 10.1.2.254; set rangeEnd "
        "too, or lower rangeStart");
}

TEST_CASE("subnets at both ends of the address space are complete", "[range]") {
  const auto [subnet, text] = GENERATE(table<std::string, std::string>({
      {"0.0.0.0/24", "0.0.0.1-0.0.0.254 gw 0.0.0.1"},
      {"0.0.0.0/0", "0.0.0.1-255.255.255.254 gw 0.0.0.1"},
      {"255.255.255.0/24", "255.255.255.1-255.255.255.254 gw 255.255.255.1"},
      {"::/64", "::1-::ffff:ffff:ffff:ffff gw ::1"},
      {"::1.2.3.0/120", "::102:301-::102:3ff gw ::102:301"},
      {"::/0", "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff gw ::1"},
      {"ff00::/8", "ff00::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff gw ff00::1"},
  }));
  CHECK(completed({subnet}) == text);
}
