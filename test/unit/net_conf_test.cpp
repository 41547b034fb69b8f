// host-local's own keys: what its tests demand, how it decodes, and what it says of mistakes.
#include "shim/cni/conf/net_conf.hpp"

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/conf.hpp"

using test::conf_error;
using test::ip;
using test::joined;
using test::ranges_of;
using test::read_conf;
using test::with_ipam;

namespace {

const std::string kGatewayPart =
    R"("rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.20", "gateway": "10.1.2.30")";
const std::string kOtherPart =
    R"("rangeStart": "11.1.2.9", "rangeEnd": "11.1.2.20", "gateway": "11.1.2.30")";

std::string requested_of(const std::string& text, const std::string& args = "") {
  return joined(read_conf(text, test::inputs(args)).allocation.requested);
}

/// A configuration with `more` members beside `ipam`.
std::string beside_ipam(const std::string& more) {
  return R"({"cniVersion": "0.3.1", "name": "mynet", "ipam": {"subnet": "10.1.2.0/24"}, )" + more +
         "}";
}

std::string with_args_ips(const std::string& ips) {
  return beside_ipam(R"("args": {"cni": {"ips": )" + ips + "}}");
}

std::string with_subnets(const std::string& version, const std::string& ranges) {
  return with_ipam(R"("ranges": )" + ranges, version);
}

}  // namespace

TEST_CASE("C1: a legacy range is one set with the values as given", "[net_conf]") {
  const std::string text = with_ipam(R"("subnet": "10.1.2.0/24", )" + kGatewayPart, "0.3.1");
  CHECK(ranges_of(text) == "10.1.2.9-10.1.2.20 gw 10.1.2.30");
  CHECK(read_conf(text).cni_version == "0.3.1");
}

TEST_CASE("C2: ranges are completed each for itself", "[net_conf]") {
  CHECK(ranges_of(with_subnets("0.3.1", R"([[{"subnet": "10.1.2.0/24", )" + kGatewayPart +
                                            R"(}, {"subnet": "10.1.4.0/24"}],
                                               [{"subnet": "11.1.2.0/24", )" +
                                            kOtherPart + "}]]")) ==
        "10.1.2.9-10.1.2.20 gw 10.1.2.30, 10.1.4.1-10.1.4.254 gw 10.1.4.1; "
        "11.1.2.9-11.1.2.20 gw 11.1.2.30");
}

TEST_CASE("C3: runtimeConfig.ipRanges come first, then the legacy range, then ranges",
          "[net_conf]") {
  CHECK(ranges_of(R"({"cniVersion": "0.3.1", "name": "mynet",
            "runtimeConfig": {"irrelevant": "a", "ipRanges": [[{"subnet": "12.1.3.0/24"}]]},
            "ipam": {"subnet": "10.1.2.0/24", )" +
                  kGatewayPart + R"(, "ranges": [[{"subnet": "11.1.2.0/24", )" + kOtherPart +
                  "}]]}}") ==
        "12.1.3.1-12.1.3.254 gw 12.1.3.1; 10.1.2.9-10.1.2.20 gw 10.1.2.30; "
        "11.1.2.9-11.1.2.20 gw 11.1.2.30");
}

TEST_CASE("C4: IP= of CNI_ARGS is requested", "[net_conf]") {
  CHECK(requested_of(beside_ipam(R"("args": null)"), "IP=10.1.2.10") == "10.1.2.10");
}

TEST_CASE("C5: IP= may have a prefix length", "[net_conf]") {
  CHECK(requested_of(beside_ipam(R"("args": null)"), "IP=10.1.2.11/24") == "10.1.2.11");
}

TEST_CASE("C6: IP= comes before args.cni.ips", "[net_conf]") {
  CHECK(requested_of(with_args_ips(R"(["10.1.2.11", "11.11.11.11", "2001:db8:1::11"])"),
                     "IP=10.1.2.10") == "10.1.2.10 10.1.2.11 11.11.11.11 2001:db8:1::11");
}

TEST_CASE("C7: requested addresses may have prefix lengths", "[net_conf]") {
  CHECK(requested_of(with_args_ips(R"(["10.1.2.11/24", "11.11.11.11/24", "2001:db8:1::11/64"])"),
                     "IP=10.1.2.10/24") == "10.1.2.10 10.1.2.11 11.11.11.11 2001:db8:1::11");
}

TEST_CASE("C8: overlapping sets are refused", "[net_conf]") {
  CHECK(conf_error(with_subnets("0.3.1", R"([[{"subnet": "10.1.2.0/24"}, {"subnet": "10.2.2.0/24"}],
                         [{"subnet": "10.1.4.0/24"}, {"subnet": "10.1.6.0/24"},
                          {"subnet": "10.1.8.0/24"}, {"subnet": "10.1.2.0/24"}]])")) ==
        "999: range set 0 overlaps with 1");
}

TEST_CASE("C9: overlapping ranges of a set are refused", "[net_conf]") {
  CHECK(conf_error(
            with_subnets("0.3.1", R"([[{"subnet": "10.1.0.0/22"}, {"subnet": "10.1.2.0/24"}]])")) ==
        "999: invalid range set 0: subnets 10.1.0.1-10.1.3.254 and 10.1.2.1-10.1.2.254 overlap");
}

TEST_CASE("C10: two families in a set are refused", "[net_conf]") {
  CHECK(conf_error(with_subnets(
            "0.3.1", R"([[{"subnet": "10.1.0.0/22"}, {"subnet": "2001:db8:5::/64"}]])")) ==
        "999: invalid range set 0: mixed address families");
}

TEST_CASE("C11: 0.2.0 has no room for two sets of a family", "[net_conf]") {
  CHECK(conf_error(with_subnets("0.2.0",
                                R"([[{"subnet": "10.1.2.0/24"}], [{"subnet": "11.1.2.0/24"}]])")) ==
        "999: CNI version 0.2.0 does not support more than 1 address per family");
}

TEST_CASE("C12: 0.2.0 has room for one set of each family", "[net_conf]") {
  CHECK(conf_error(with_subnets(
            "0.2.0", R"([[{"subnet": "10.1.2.0/24"}], [{"subnet": "2001:db8:1::/48"}]])")) == "ok");
}

TEST_CASE("C13: runtimeConfig.ips are requested, prefix or not", "[net_conf]") {
  CHECK(requested_of(beside_ipam(
            R"("runtimeConfig": {"ips": ["192.168.0.1", "192.168.0.5/24", "2001:db8::1/64"]})")) ==
        "192.168.0.1 192.168.0.5 2001:db8::1");
}

TEST_CASE("requested addresses come from CNI_ARGS, args and runtimeConfig, in that order",
          "[net_conf]") {
  const std::string text = beside_ipam(
      R"("runtimeConfig": {"ips": ["10.1.2.3"]}, "args": {"cni": {"ips": ["10.1.2.2"]}})");
  CHECK(requested_of(text, "IP=10.1.2.1") == "10.1.2.1 10.1.2.2 10.1.2.3");
  CHECK(requested_of(text, "IP=") == "10.1.2.2 10.1.2.3");
}

TEST_CASE("a missing version is 0.1.0 and shows as nothing in the message", "[net_conf]") {
  CHECK(conf_error(R"({"name": "n", "ipam": {"ranges": [[{"subnet": "10.1.2.0/24"}],
                                                        [{"subnet": "11.1.2.0/24"}]]}})") ==
        "999: CNI version  does not support more than 1 address per family");
}

TEST_CASE("keys match in any letter case, and the last of equal ones wins", "[net_conf]") {
  CHECK(ranges_of(with_ipam(R"("SUBNET": "10.1.2.0/24", "RangeStart": "10.1.2.9")")) ==
        "10.1.2.9-10.1.2.254 gw 10.1.2.1");
  CHECK(ranges_of(with_ipam(R"("subnet": "10.1.2.0/24", "subnet": "10.1.3.0/24")")) ==
        "10.1.3.1-10.1.3.254 gw 10.1.3.1");
  CHECK(ranges_of(with_ipam(R"("subnet": "10.1.2.0/24", "Subnet": "10.1.3.0/24")")) ==
        "10.1.3.1-10.1.3.254 gw 10.1.3.1");
  CHECK(ranges_of(R"({"NAME": "n", "IPAM": {"Ranges": [[{"sUBNET": "10.1.2.0/24"}]]}})") ==
        "10.1.2.1-10.1.2.254 gw 10.1.2.1");
}

TEST_CASE("null and unknown keys are as good as missing", "[net_conf]") {
  CHECK(ranges_of(R"({"name": "n", "args": null, "runtimeConfig": null, "color": "blue",
                      "ipam": {"subnet": "10.1.2.0/24", "rangeStart": null, "rangeEnd": null,
                               "gateway": null, "ranges": null, "routes": null, "dataDir": null,
                               "resolvConf": null, "type": null, "delegate": null,
                               "flavor": [1, {"a": {}}]}})") == "10.1.2.1-10.1.2.254 gw 10.1.2.1");
}

TEST_CASE("an empty rangeStart, rangeEnd or gateway is as good as missing", "[net_conf]") {
  CHECK(ranges_of(with_ipam(
            R"("subnet": "10.1.2.0/24", "rangeStart": "", "rangeEnd": "", "gateway": "")")) ==
        "10.1.2.1-10.1.2.254 gw 10.1.2.1");
}

TEST_CASE("the data folder is cleaned, and made absolute", "[net_conf]") {
  const auto [given, cleaned] = GENERATE(table<std::string, std::string>({
      {"/data//cni/../nets/", "/data/nets"},
      {"/", "/"},
      {"/x/.", "/x"},
      {"", "/var/lib/cni/networks"},
  }));
  const auto conf = read_conf(test::with_range(R"("dataDir": ")" + given + "\""));
  CHECK(conf.placement.data_dir == cleaned);
  CHECK(conf.placement.data_dir_given == !given.empty());
}

TEST_CASE("a relative data folder counts from the working directory", "[net_conf]") {
  const auto conf = read_conf(test::with_range(R"("dataDir": "rel/../rel2")"));
  CHECK(conf.placement.data_dir == (std::filesystem::current_path() / "rel2").string());
}

TEST_CASE("routes are read with all their attributes", "[net_conf]") {
  const auto conf = read_conf(test::with_range(
      R"("routes": [{"dst": "0.0.0.0/0"}, {"dst": "192.168.1.5/16", "gw": "1.1.1.1", "mtu": 1400,
         "advmss": 1360, "priority": 10, "table": 5, "scope": 0}], "resolvConf": "/etc/r.conf")"));
  REQUIRE(conf.allocation.routes.size() == 2);
  const shim::Route& route = conf.allocation.routes.back();
  CHECK(route.dst->to_string() == "192.168.1.5/16");
  CHECK(route.gw == ip("1.1.1.1"));
  CHECK(route.mtu == 1400);
  CHECK(route.table == 5);
  CHECK(route.scope == 0);
  CHECK(conf.allocation.resolv_conf == "/etc/r.conf");
}
