#include "shim/cli/install/ranges_checksum.hpp"

#include <set>
#include <string>
#include <vector>

#include "allocator/store/disk/sha256.hpp"
#include "test/unit/catch.hpp"

using shim::is_ranges_checksum;
using shim::NodeTexts;
using shim::ranges_checksum;

namespace {

const NodeTexts& nodes() {
  static const NodeTexts all = {{"edge-1", "10.1.0.0/24\nfd00:1::/64\n"},
                                {"edge-10", "10.3.0.0/24\n"},
                                {"edge-2", "10.2.0.0/24\n"}};
  return all;
}

}  // namespace

TEST_CASE("ranges_checksum: SHA-256 of the ranges as JSON, so that a chart can make it",
          "[ranges_checksum]") {
  CHECK(ranges_checksum(nodes()) ==
        allocator::store::sha256_hex(
            R"({"edge-1":["10.1.0.0/24","fd00:1::/64"],"edge-10":["10.3.0.0/24"],)"
            R"("edge-2":["10.2.0.0/24"]})"));
  CHECK(ranges_checksum({}) == allocator::store::sha256_hex("{}"));
  CHECK(is_ranges_checksum(ranges_checksum(nodes())));
}

TEST_CASE("ranges_checksum: the order in which a folder is listed does not matter",
          "[ranges_checksum]") {
  CHECK(ranges_checksum({nodes()[2], nodes()[0], nodes()[1]}) == ranges_checksum(nodes()));
  CHECK(ranges_checksum({nodes()[1], nodes()[2], nodes()[0]}) == ranges_checksum(nodes()));
}

TEST_CASE("ranges_checksum: the order of the names is that of their bytes, as Go's",
          "[ranges_checksum]") {
  CHECK(
      ranges_checksum(
          {{"a-b", "1\n"}, {"a.b", "2\n"}, {"a1", "3\n"}, {"a", "4\n"}, {"A", "5\n"}}) ==
      allocator::store::sha256_hex(R"({"A":["5"],"a":["4"],"a-b":["1"],"a.b":["2"],"a1":["3"]})"));
}

TEST_CASE("ranges_checksum: how lines end and empty ones do not matter", "[ranges_checksum]") {
  const auto same =
      GENERATE(values<std::string>({"10.2.0.0/24", "10.2.0.0/24\n\n", "\n10.2.0.0/24"}));
  CHECK(ranges_checksum({nodes()[0], nodes()[1], {"edge-2", same}}) == ranges_checksum(nodes()));
}

TEST_CASE("ranges_checksum: whatever else is another is another sum", "[ranges_checksum]") {
  const auto& first = nodes()[0];
  const auto& second = nodes()[1];
  const auto& third = nodes()[2];
  const std::vector<NodeTexts> others = {
      nodes(),
      {},
      {first},
      {first, third},
      {first, second, third, {"edge-3", "10.4.0.0/24\n"}},
      {first, second, {"edge-2", "10.4.0.0/24\n"}},
      {first, second, {"edge-2", "10.2.0.0/25\n"}},
      {first, second, {"edge-2", "10.2.0.0/24\nfd00:2::/64\n"}},
      {first, second, {"edge-2", "10.2.0.0/24 \n"}},
      {first, second, {"edge-2", ""}},
      {{"edge-1", "10.1.0.0/24\n"}, second, third},                  // one of two families
      {{"edge-1", "fd00:1::/64\n10.1.0.0/24\n"}, second, third},     // the other one first
      {{"edge-1", "10.1.0.0/24\",\"fd00:1::/64\n"}, second, third},  // what JSON would take for two
      {{"edge-2", first.second}, second, {"edge-1", third.second}},
  };
  std::set<std::string> sums;
  for (const auto& one : others) sums.insert(ranges_checksum(one));
  CHECK(sums.size() == others.size());
}

TEST_CASE("ranges_checksum: text that is no UTF-8 has one, too", "[ranges_checksum]") {
  CHECK(is_ranges_checksum(ranges_checksum({{"edge-1", "\xff\xfe\n"}, {"edge\x80", "1\n"}})));
}

TEST_CASE("is_ranges_checksum: 64 small hexadecimal digits", "[ranges_checksum]") {
  const std::string digits = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  CHECK(is_ranges_checksum(digits));
  const auto bad = GENERATE_COPY(values<std::string>(
      {"", "x", digits.substr(1), digits + "0", "A" + digits.substr(1), "g" + digits.substr(1),
       " " + digits.substr(1), digits.substr(1) + "\n", "sha256:" + digits}));
  INFO(bad);
  CHECK_FALSE(is_ranges_checksum(bad));
}
