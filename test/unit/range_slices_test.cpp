#include "shim/cni/conf/range_slices.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "test/unit/catch.hpp"
#include "test/unit/support/conf.hpp"

namespace {

const std::string kFrom = R"("rangesFrom": {"nodesDir": "/nodes", "node": "edge-1"}, )";
const std::string kLan = kFrom + R"("subnet": "192.168.1.0/24", "gateway": "192.168.1.1")";

/// The ranges of a configuration whose source has these lines; its error where it has one.
std::string handed_out(const std::string& members, const std::vector<std::string>& lines) {
  shim::ConfInputs inputs = test::inputs();
  inputs.ranges_from = [&](const auto&, const auto&, const auto&) { return lines; };
  std::string text;
  const std::string error = test::cni_error([&] {
    text = test::ranges_text(test::read_conf(test::with_ipam(members), inputs).allocation.sets);
  });
  return error == "ok" ? text : error;
}

}  // namespace

TEST_CASE("slices of one subnet: by block, by span, and at its edges", "[range_slices]") {
  const auto [lines, ranges] = GENERATE(table<std::vector<std::string>, std::string>({
      {{"192.168.1.176/28"}, "192.168.1.176-192.168.1.191 gw 192.168.1.1"},
      {{"192.168.1.10-192.168.1.19"}, "192.168.1.10-192.168.1.19 gw 192.168.1.1"},
      {{"192.168.1.7-192.168.1.7"}, "192.168.1.7-192.168.1.7 gw 192.168.1.1"},
      {{"192.168.1.7/32"}, "192.168.1.7-192.168.1.7 gw 192.168.1.1"},
      {{"192.168.1.0/28"}, "192.168.1.1-192.168.1.15 gw 192.168.1.1"},
      {{"192.168.1.240/28"}, "192.168.1.240-192.168.1.254 gw 192.168.1.1"},
      {{"192.168.1.0/24"}, "192.168.1.1-192.168.1.254 gw 192.168.1.1"},
      {{"192.168.1.32/28", "192.168.1.200-192.168.1.210"},
       "192.168.1.32-192.168.1.47 gw 192.168.1.1, 192.168.1.200-192.168.1.210 gw 192.168.1.1"},
      {{"192.168.1.32/28", "2001:db8::/64"},
       "192.168.1.32-192.168.1.47 gw 192.168.1.1; 2001:db8::1-2001:db8::ffff:ffff:ffff:ffff gw "
       "2001:db8::1"},
  }));
  CHECK(handed_out(kLan, lines) == ranges);
}

TEST_CASE("the subnet may stand in delegate, the gateway beside it or nowhere", "[range_slices]") {
  CHECK(handed_out(kFrom + R"("gateway": "10.1.0.254", "delegate": {"subnet": "10.1.0.0/16"})",
                   {"10.1.7.0/24"}) == "10.1.7.0-10.1.7.255 gw 10.1.0.254");
  CHECK(handed_out(kFrom + R"("delegate": {"subnet": "fd00::/64"})", {"fd00::100/120"}) ==
        "fd00::100-fd00::1ff gw fd00::1");
  CHECK(handed_out(kFrom + R"("delegate": {"subnet": "fd00::/64"})", {"fd00::/120"}) ==
        "fd00::1-fd00::ff gw fd00::1");
  CHECK(handed_out(kFrom + R"("subnet": "10.1.0.0/24", "delegate": {"subnet": "10.1.0.0/16"})",
                   {"10.1.7.0/24"})
            .starts_with("7: /ipam/rangesFrom: the ranges of /nodes/edge-1 cannot be used: "
                         "/ipam/delegate range 10.1.7.0-10.1.7.255 is not inside"));
}

TEST_CASE("a slice outside the subnet names file, line and subnet", "[range_slices]") {
  const std::string line = GENERATE(values<std::string>(
      {"192.168.2.0/28", "192.168.0.0/16", "192.168.1.250-192.168.2.3", "128.0.0.0/2"}));
  const std::string error = handed_out(kLan, {"192.168.1.32/28", line});
  CHECK(error.starts_with("7: /ipam/rangesFrom: /nodes/edge-1: " + line +
                          " is not inside /ipam/subnet 192.168.1.0/24; "));
}

TEST_CASE("what a source cannot give is refused", "[range_slices]") {
  CHECK(handed_out(kFrom + R"("retain": true)", {"10.1.0.5-10.1.0.9"})
            .starts_with("7: /ipam/rangesFrom: /nodes/edge-1: 10.1.0.5-10.1.0.9 is a span of a "
                         "subnet that nobody names; write \"subnet\""));
  CHECK(handed_out(kLan, {"192.168.1.0-192.168.1.0"})
            .starts_with("7: /ipam/rangesFrom: /nodes/edge-1: 192.168.1.0-192.168.1.0 has no "));
  CHECK(handed_out(kLan, {"192.168.1.32/28", "192.168.1.40-192.168.1.50"})
            .starts_with("7: /ipam/rangesFrom: the ranges of /nodes/edge-1 cannot be used: "));
  CHECK(handed_out(kFrom + R"("subnet": "192.168.1.5/24")", {"192.168.1.32/28"})
            .starts_with("999: Network has host bits set."));
}

TEST_CASE("ranges that make the source dead are refused, naming the path", "[range_slices]") {
  const std::string mine = R"([[{"subnet": "10.1.2.0/24"}]])";
  const std::vector<std::string> lines = {"10.7.0.0/24"};
  CHECK(handed_out(kFrom + "\"ranges\": " + mine, lines)
            .starts_with("7: /ipam/ranges stands beside /ipam/rangesFrom, which would never be "
                         "read; remove one of them."));
  CHECK(handed_out(kFrom + R"("delegate": {"ranges": )" + mine + "}", lines)
            .starts_with("7: /ipam/delegate/ranges stands beside /ipam/rangesFrom"));
  CHECK(handed_out(kFrom + R"("routes": [{"dst": "0.0.0.0/0"}], "ranges": )" + mine, lines)
            .starts_with("7: /ipam/ranges "));
  CHECK(handed_out(kLan + R"(, "rangeStart": "192.168.1.9")", lines)
            .starts_with("7: /ipam/rangeStart stands beside rangesFrom"));
  CHECK(
      handed_out(kFrom + R"("delegate": {"subnet": "10.7.0.0/16", "rangeEnd": "10.7.0.9"})", lines)
          .starts_with("7: /ipam/delegate/rangeEnd stands beside rangesFrom"));
}

TEST_CASE("Flannel's ranges beside rangesFrom count, and nothing else does", "[range_slices]") {
  const std::string flannels =
      R"("ranges": [[{"subnet": "10.244.1.0/24"}], [{"subnet": "fd00:244:0:1::/64"}]],
         "routes": [{"dst": "10.244.0.0/16"}, {"dst": "fd00:244::/48"}])";
  const std::string all =
      "10.244.1.1-10.244.1.254 gw 10.244.1.1; fd00:244:0:1::1-fd00:244:0:1:ffff:ffff:ffff:ffff gw "
      "fd00:244:0:1::1";
  const std::vector<std::string> lines = {"10.7.0.0/24"};
  CHECK(handed_out(kFrom + flannels, lines) == all);
  CHECK(handed_out(kLan + ", " + flannels, lines) == all);
  CHECK(
      handed_out(kFrom + flannels + R"(, "delegate": {"ranges": [[{"subnet": "10.244.1.0/25"}]]})",
                 lines) == "10.244.1.1-10.244.1.126 gw 10.244.1.1");
}

TEST_CASE("the runtime's ranges come before any source", "[range_slices]") {
  CHECK(test::ranges_of(R"({"cniVersion": "1.0.0", "name": "n", "ipam": {)" + kLan + R"(},
          "runtimeConfig": {"ipRanges": [[{"subnet": "10.9.0.0/24"}]]}})") ==
        "10.9.0.1-10.9.0.254 gw 10.9.0.1");
}
