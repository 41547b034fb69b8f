// Ranges as they are written, and whose they can be.
#include "shim/cli/subnet_option.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "test/unit/catch.hpp"

using allocator::Cidr;
using shim::is_more_than_a_share;
using shim::Json;
using namespace shim::validate;  // NOLINT(google-build-using-namespace)

TEST_CASE("validate ranges: a node has a /20 or a /64 at most", "[validate]") {
  const auto [text, is_more] = GENERATE(table<std::string, bool>({{"10.0.0.0/20", false},
                                                                  {"10.0.0.0/19", true},
                                                                  {"10.244.1.0/24", false},
                                                                  {"0.0.0.0/0", true},
                                                                  {"fd00::/64", false},
                                                                  {"fd00::/63", true},
                                                                  {"::/0", true},
                                                                  {"fd00::1/128", false}}));
  INFO(text);
  const auto cidr = Cidr::parse(text);
  CHECK(is_more_than_a_share(cidr->network(), cidr->last()) == is_more);
}

TEST_CASE("validate ranges: the delegate's own ones narrow those beside it", "[validate]") {
  const Json ipam = Json::parse(R"({"subnet": "10.244.0.0/16", "delegate": {"Ranges": [
      [{"subnet": "10.244.1.0/24"}, {"subnet": "bad"}], "odd", [{"subnet": "fd00::/64"}]]}})");
  const auto ranges = literal_ranges(ipam);
  REQUIRE(ranges.size() == 2);
  CHECK(ranges[0].pointer == "/ipam/delegate/Ranges/0/0");
  CHECK(ranges[0].first.to_string() == "10.244.1.1");
  CHECK(ranges[0].last.to_string() == "10.244.1.254");
  CHECK(ranges[1].pointer == "/ipam/delegate/Ranges/2/0");
  CHECK(ranges[1].text == "fd00::/64");
}

TEST_CASE("validate ranges: rangeStart and rangeEnd are what counts", "[validate]") {
  const auto ranges = literal_ranges(Json::parse(
      R"({"subnet": "10.0.0.0/8", "rangeStart": "10.0.0.10", "rangeEnd": "10.0.0.20"})"));
  REQUIRE(ranges.size() == 1);
  CHECK_FALSE(is_more_than_a_share(ranges[0].first, ranges[0].last));
}

TEST_CASE("validate ranges: those of another plugin are not looked at", "[validate]") {
  const Json ipam = Json::parse(R"({"delegate": {"type": "whereabouts", "subnet": "10.0.0.0/8"}})");
  CHECK(literal_ranges(ipam).empty());
}

TEST_CASE("validate ranges: replaced, a set for each family, or by their source", "[validate]") {
  const std::string before =
      R"({"type": "delegated-ipam", "subnet": "10.0.0.0/8", "gateway": "10.0.0.1",
          "delegate": {"dataDir": "/x", "RANGES": [[{"subnet": "10.0.0.0/8"}]]}})";
  Json ipam = Json::parse(before);
  const auto subnets = shim::read_subnets({"fd00::/64", "10.1.0.0/24", "10.1.1.0/24"});
  replace_ranges(ipam, shim::make_range_sets(subnets));
  CHECK(ipam.dump() ==
        R"({"type":"delegated-ipam","delegate":{"dataDir":"/x","ranges":[)"
        R"([{"subnet":"10.1.0.0/24"},{"subnet":"10.1.1.0/24"}],[{"subnet":"fd00::/64"}]]}})");
  ipam = Json::parse(before);
  replace_ranges(ipam, Json::array());
  CHECK(ipam.dump() == R"({"type":"delegated-ipam","delegate":{"dataDir":"/x"},)"
                       R"("rangesFrom":{"nodesDir":"/etc/cni/delegated-ipam/nodes"}})");
}
