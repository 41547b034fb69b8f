// What is said of wrong values of host-local's keys.
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/conf.hpp"

using test::conf_error;
using test::with_ipam;
using test::with_range;

TEST_CASE("a mistyped key of host-local's is named by its JSON path", "[net_conf]") {
  const auto [text, error] = GENERATE(table<std::string, std::string>({
      {with_range(R"("dataDir": 5)"), "/ipam/dataDir must be a string, but is a number"},
      {with_range(R"("resolvConf": [])"), "/ipam/resolvConf must be a string, but is an array"},
      {with_range(R"("routes": {})"), "/ipam/routes must be an array, but is an object"},
      {with_range(R"("routes": ["x"])"), "/ipam/routes/0 must be an object, but is a string"},
      {with_range(R"("routes": [{"dst": "0.0.0.0/0"}, {"dst": 7}])"),
       "/ipam/routes/1/dst must be a string, but is a number"},
      {with_range(R"("rangeStart": true)"),
       "/ipam/rangeStart must be a string, but is true or false"},
      {with_range(R"("gateway": 1)"), "/ipam/gateway must be a string, but is a number"},
      {with_ipam(R"("subnet": {})"), "/ipam/subnet must be a string, but is an object"},
      {with_ipam(R"("ranges": {})"), "/ipam/ranges must be an array, but is an object"},
      {with_ipam(R"("ranges": [{"subnet": "10.1.2.0/24"}])"),
       "/ipam/ranges/0 must be an array of ranges (ranges is an array of arrays), but is an "
       "object"},
      {with_ipam(R"("ranges": [[{"subnet": "10.1.2.0/24"}, 3]])"),
       "/ipam/ranges/0/1 must be an object, but is a number"},
      {with_ipam(R"("ranges": [[{"subnet": 3}]])"),
       "/ipam/ranges/0/0/subnet must be a string, but is a number"},
      {with_ipam(R"("ranges": [[{"subnet": "10.1.2.0/24", "rangeEnd": []}]])"),
       "/ipam/ranges/0/0/rangeEnd must be a string, but is an array"},
      {with_ipam(R"("delegate": {"ranges": [[{"gateway": 1, "subnet": "10.1.2.0/24"}]]})"),
       "/ipam/delegate/ranges/0/0/gateway must be a string, but is a number"},
      {with_ipam(R"("delegate": {"subnet": 5})"),
       "/ipam/delegate/subnet must be a string, but is a number"},
      {with_range(R"("delegate": {"dataDir": 5})"),
       "/ipam/delegate/dataDir must be a string, but is a number"},
      {R"({"name": "n", "ipam": []})", "/ipam must be an object, but is an array"},
      {R"({"name": "n", "args": 1, "ipam": {"subnet": "10.1.2.0/24"}})",
       "/args must be an object, but is a number"},
      {R"({"name": "n", "args": {"cni": []}, "ipam": {"subnet": "10.1.2.0/24"}})",
       "/args/cni must be an object, but is an array"},
      {R"({"name": "n", "args": {"cni": {"ips": "x"}}, "ipam": {"subnet": "10.1.2.0/24"}})",
       "/args/cni/ips must be an array, but is a string"},
      {R"({"name": "n", "args": {"cni": {"ips": [null]}}, "ipam": {"subnet": "10.1.2.0/24"}})",
       "/args/cni/ips/0 must be a string, but is null"},
      {R"({"name": "n", "runtimeConfig": "x", "ipam": {"subnet": "10.1.2.0/24"}})",
       "/runtimeConfig must be an object, but is a string"},
      {R"({"name": "n", "runtimeConfig": {"ips": [5]}, "ipam": {"subnet": "10.1.2.0/24"}})",
       "/runtimeConfig/ips/0 must be a string, but is a number"},
      {R"({"name": "n", "runtimeConfig": {"ipRanges": [[{"subnet": 5}]]}, "ipam": {}})",
       "/runtimeConfig/ipRanges/0/0/subnet must be a string, but is a number"},
  }));
  INFO("configuration " << text);
  CHECK(conf_error(text) == "999: " + error);
}

TEST_CASE("a mistyped type is named by its JSON path", "[net_conf]") {
  CHECK(conf_error(R"({"name": "n", "ipam": {"type": 5, "subnet": "10.1.2.0/24"}})") ==
        "999: /ipam/type must be a string, but is a number");
}

TEST_CASE("wrong addresses have host-local's messages", "[net_conf]") {
  const auto [members, error] = GENERATE(table<std::string, std::string>({
      {R"("subnet": "")", "invalid CIDR address: "},
      {R"("subnet": null)", "invalid CIDR address: "},
      {R"("subnet": "10.1.2.0")", "invalid CIDR address: 10.1.2.0"},
      {R"("subnet": "010.1.2.0/24")", "invalid CIDR address: 010.1.2.0/24"},
      {R"("subnet": "10.1.2.0/24", "rangeStart": "10.1.2")", "invalid IP address: 10.1.2"},
      {R"("subnet": "10.1.2.0/24", "rangeEnd": "x")", "invalid IP address: x"},
      {R"("subnet": "10.1.2.0/24", "gateway": "fe80::1%eth0")", "invalid IP address: fe80::1%eth0"},
      {R"("ranges": [[{"subnet": "10.1.2.0/33"}]])", "invalid CIDR address: 10.1.2.0/33"},
      {R"("ranges": [[{"rangeStart": "10.1.2.3"}]])",
       "invalid range set 0: IP <nil> not v4 nor v6"},
      {R"("ranges": [[]])", "invalid range set 0: empty range set"},
      {R"("ranges": [null])", "invalid range set 0: empty range set"},
      {R"("ranges": [])", "no IP ranges specified"},
      {R"("rangeStart": "10.1.2.3")", "no IP ranges specified"},
      {R"("subnet": "10.1.2.0/24", "routes": [{"dst": "x"}])", "invalid CIDR address: x"},
      {R"("subnet": "10.1.2.0/24", "routes": [{"dst": "0.0.0.0/0", "gw": "x"}])",
       "invalid IP address: x"},
      {R"("subnet": "::ffff:10.0.0.0/120")",
       "invalid range set 0: IPNet IP and Mask version mismatch"},
      {R"("subnet": "10.1.2.5/31")",
       "invalid range set 0: Network 10.1.2.5/31 too small to allocate from"},
      {R"("subnet": "10.1.2.0/24", "rangeEnd": "10.1.3.1")",
       "invalid range set 0: RangeEnd 10.1.3.1 not in network 10.1.2.0/24"},
  }));
  INFO("ipam members " << members);
  CHECK(conf_error(with_ipam(members)) == "999: " + error);
}

TEST_CASE("wrong requested addresses have host-local's messages", "[net_conf]") {
  const auto [ips, error] = GENERATE(table<std::string, std::string>({
      {R"(["10.1.2"])", "invalid IP address 10.1.2"},
      {R"(["192.168.0.1000"])", "invalid IP address 192.168.0.1000"},
      {R"(["2001:db8::1/256"])", "invalid IP address 2001:db8::1/256"},
      {R"(["10.1.2.9", ""])", "cannot understand ip: IP <nil> not v4 nor v6"},
  }));
  INFO("ips " << ips);
  CHECK(conf_error(R"({"name": "n", "ipam": {"subnet": "10.1.2.0/24"}, "args": {"cni": {"ips": )" +
                   ips + "}}}") == "999: " + error);
}

TEST_CASE("a missing or null ipam is named", "[net_conf]") {
  CHECK(conf_error(R"({"name": "n"})") == "999: IPAM config missing 'ipam' key");
  CHECK(conf_error(R"({"name": "n", "ipam": null})") == "999: IPAM config missing 'ipam' key");
}

TEST_CASE("the network's name is checked before everything else", "[net_conf]") {
  const auto [text, error] = GENERATE(table<std::string, std::string>({
      {R"({"ipam": 5})", "7: missing network name"},
      {R"({"name": ""})", "7: missing network name"},
      {R"({"name": null})", "7: missing network name"},
      {R"({"name": "../up"})", "7: invalid characters found in network name"},
      {R"({"name": "-x"})", "7: invalid characters found in network name"},
      {R"({"name": 5})",
       "6: error unmarshall network config: /name must be a string, but is a number"},
      {R"([])",
       "6: error unmarshall network config: the configuration must be an object, but is an array"},
      {"null", "7: missing network name"},
  }));
  INFO("configuration " << text);
  CHECK(conf_error(text) == error);
}

TEST_CASE("a version that is no text is a decoding error", "[net_conf]") {
  CHECK(conf_error(R"({"cniVersion": 1, "name": "n"})") ==
        "6: decoding version from network config: /cniVersion must be a string, but is a number");
}

TEST_CASE("an error carries its place, also where its text has none", "[net_conf]") {
  const auto [text, pointer] = GENERATE(table<std::string, std::string>({
      {R"({"name": 5})", "/name"},
      {R"({"name": "n", "cniVersion": 1})", "/cniVersion"},
      {R"({"name": "-x"})", "/name"},
      {with_ipam(R"("delegate": {"type": "a/b"})"), "/ipam/delegate/type"},
      {with_ipam(R"("ranges": [[{"subnet": "bad"}]])"), "/ipam/ranges/0/0/subnet"},
      {with_ipam(R"("subnet": "10.1.2.0/24", "ranges": [[{"subnet": "10.1.2.0/25"}]])"),
       "/ipam/subnet"},
      {with_range(R"("routes": [{"dst": 5}])"), "/ipam/routes/0/dst"},
      {with_range(R"("pins": {"web": []})"), "/ipam/pins"},
      {with_range(R"("exclude": ["10.1.2.9", "/ipam/pins"])"), "/ipam/exclude/1"},
      {with_range(R"("stateDir": "here")"), "/ipam/stateDir"},
      {R"([])", ""},
  }));
  INFO("configuration " << text);
  std::string found = "none";
  try {
    test::read_conf(text);
  } catch (const shim::CniError& error) {
    found = error.pointer;
  }
  CHECK(found == pointer);
}

TEST_CASE("mistakes are reported in host-local's order", "[net_conf]") {
  const auto inputs = test::inputs("no pair");
  const auto [text, error] = GENERATE(table<std::string, std::string>({
      {R"({"name": "n", "ipam": {"subnet": "bad"}, "args": {"cni": {"ips": [""]}}})",
       "invalid CIDR address: bad"},
      {R"({"name": "n", "runtimeConfig": {"ips": ["bad"]}})", "invalid IP address bad"},
      {R"({"name": "n", "runtimeConfig": {"ips": [""]}})", "IPAM config missing 'ipam' key"},
      {R"({"name": "n", "ipam": {}, "runtimeConfig": {"ips": [""]}})",
       "ARGS: invalid pair \"no pair\""},
  }));
  INFO("configuration " << text);
  CHECK(test::cni_error([&, text = text] { test::read_conf(text, inputs); }) == "999: " + error);
}
