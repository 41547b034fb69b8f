// The keys of `ipam` that are ours.
#include "shim/cni/conf/own_keys.hpp"

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/conf.hpp"

using test::conf_error;
using test::ranges_of;
using test::read_conf;
using test::with_ipam;
using test::with_range;

namespace {

const std::string kDualRanges =
    R"("ranges": [[{"subnet": "10.1.2.0/30"}], [{"subnet": "2001:db8::/126"}]])";

shim::AllocationConf allocation(const std::string& members) {
  return read_conf(with_range(members)).allocation;
}

shim::PlacementConf placement(const std::string& members) {
  return read_conf(with_range(members)).placement;
}

/// The span that one entry of `exclude` means, or the error.
std::string excluded(const std::string& entry) {
  const std::string members = R"("exclude": [")" + entry + R"("])";
  std::string error = conf_error(with_range(members));
  if (error != "ok") return error;
  const auto spans = allocation(members).reservations.excluded;
  REQUIRE(spans.size() == 1);
  return spans.front().first.to_string() + "-" + spans.front().last.to_string();
}

}  // namespace

TEST_CASE("every mistyped key of ours is named by its JSON path", "[own_keys]") {
  const auto [member, error] = GENERATE(table<std::string, std::string>({
      {R"("inProcess": "yes")", "/ipam/inProcess must be true or false, but is a string"},
      {R"("retain": "no")", "/ipam/retain must be true, false or an object, but is a string"},
      {R"("retain": {"requireSameUID": 1})",
       "/ipam/retain/requireSameUID must be true or false, but is a number"},
      {R"("retain": {"exclude": "batch/*"})",
       "/ipam/retain/exclude must be an array, but is a string"},
      {R"("retain": {"exclude": [1]})", "/ipam/retain/exclude/0 must be a string, but is a number"},
      {R"("exclude": "10.1.2.3")", "/ipam/exclude must be an array, but is a string"},
      {R"("exclude": [5])", "/ipam/exclude/0 must be a string, but is a number"},
      {R"("pins": [])", "/ipam/pins must be an object, but is an array"},
      {R"("pins": {"a/b": "10.1.2.3"})",
       "/ipam/pins/a/b must be an array of addresses, but is a string"},
      {R"("pins": {"a/b": [1]})", "/ipam/pins/a/b/0 must be a string, but is a number"},
      {R"("rangesFrom": "node")", "/ipam/rangesFrom must be an object, but is a string"},
      {R"("ipFamilies": "IPv4")", "/ipam/ipFamilies must be an array, but is a string"},
      {R"("ipFamilies": [4])", "/ipam/ipFamilies/0 must be a string, but is a number"},
      {R"("onDuplicate": true)", "/ipam/onDuplicate must be a string, but is true or false"},
      {R"("stateDir": 1)", "/ipam/stateDir must be a string, but is a number"},
      {R"("durability": 1)", "/ipam/durability must be a string, but is a number"},
      {R"("timeoutSeconds": "30")", "/ipam/timeoutSeconds must be a number, but is a string"},
      {R"("keepInterfaces": 1)", "/ipam/keepInterfaces must be true or false, but is a number"},
      {R"("logFile": 1)", "/ipam/logFile must be a string, but is a number"},
      {R"("logLevel": 1)", "/ipam/logLevel must be a string, but is a number"},
      {R"("logOptions": 1)", "/ipam/logOptions must be an object, but is a number"},
      {R"("logOptions": {"maxSize": "1"})",
       "/ipam/logOptions/maxSize must be a number, but is a string"},
      {R"("logOptions": {"maxBackups": []})",
       "/ipam/logOptions/maxBackups must be a number, but is an array"},
      {R"("delegate": "host-local")", "/ipam/delegate must be an object, but is a string"},
      {R"("delegate": {"type": 1})", "/ipam/delegate/type must be a string, but is a number"},
  }));
  INFO("member " << member);
  CHECK(conf_error(with_range(member)) == "7: " + error);
}

TEST_CASE("values that no key of ours can have are refused with what is possible", "[own_keys]") {
  const auto [member, error] = GENERATE(table<std::string, std::string>({
      {R"("onDuplicate": "ignore")",
       R"(/ipam/onDuplicate must be one of "return", "error", but is "ignore")"},
      {R"("durability": "some")",
       R"(/ipam/durability must be one of "full", "none", but is "some")"},
      {R"("stateDir": "state")", R"(/ipam/stateDir must be an absolute path, but is "state")"},
      {R"("timeoutSeconds": 0)",
       "/ipam/timeoutSeconds must be more than 0 and at most 3600, but is 0"},
      {R"("timeoutSeconds": 3601)",
       "/ipam/timeoutSeconds must be more than 0 and at most 3600, but is 3601"},
      {R"("timeoutSeconds": -1)",
       "/ipam/timeoutSeconds must be more than 0 and at most 3600, but is -1"},
      {R"("ipFamilies": ["ipv4"])",
       R"(/ipam/ipFamilies must hold "IPv4" and "IPv6" only, but has "ipv4")"},
      {R"("ipFamilies": ["IPv6"])",
       "/ipam/ipFamilies leaves no range: none of the configured ranges is of these families"},
      {R"("ipFamilies": [])",
       "/ipam/ipFamilies leaves no range: none of the configured ranges is of these families"},
      {R"("retain": {"exclude": ["batch"]})",
       R"(/ipam/retain/exclude must hold "namespace/pod" globs such as "batch/*", )"
       R"(but has "batch")"},
      {R"("logLevel": "loud")",
       R"(/ipam/logLevel must be one of "panic", "error", "warning", "info", "verbose", "debug", )"
       R"(but is "loud")"},
  }));
  INFO("member " << member);
  CHECK(conf_error(with_range(member)) == "7: " + error);
}

TEST_CASE("an entry of exclude is an address, a CIDR block or a span", "[own_keys]") {
  const auto [entry, span] = GENERATE(table<std::string, std::string>({
      {"10.1.2.3", "10.1.2.3-10.1.2.3"},
      {"10.1.2.0/28", "10.1.2.0-10.1.2.15"},
      {"10.1.2.5/28", "10.1.2.0-10.1.2.15"},
      {"10.1.2.3-10.1.2.9", "10.1.2.3-10.1.2.9"},
      {"10.1.2.3-10.1.2.3", "10.1.2.3-10.1.2.3"},
      {"2001:db8::/64", "2001:db8::-2001:db8::ffff:ffff:ffff:ffff"},
      {"::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
      {"2001:db8::1-2001:db8::ff", "2001:db8::1-2001:db8::ff"},
  }));
  CHECK(excluded(entry) == span);
}

TEST_CASE("a wrong entry of exclude is named by its JSON path", "[own_keys]") {
  const std::string entry = GENERATE(values<std::string>(
      {"", "x", "10.1.2", "10.1.2.0/33", "10.1.2.9-10.1.2.3", "10.1.2.3-2001:db8::1", "10.1.2.3-",
       "-10.1.2.3", "10.1.2.3-9", "10.1.2.0/28-10.1.2.20"}));
  INFO("entry " << entry);
  CHECK(excluded(entry).starts_with("7: /ipam/exclude/0 "));
}

TEST_CASE("pins are read for each pod, several addresses and families", "[own_keys]") {
  const auto pins =
      allocation(R"("pins": {"prod/web": ["10.1.2.10", "2001:db8::10"], "dev/web": ["10.1.2.11"],
                             "prod/db": []})")
          .reservations.pins;
  REQUIRE(pins.size() == 3);
  CHECK(pins[0].pod_namespace == "prod");
  CHECK(pins[0].pod_name == "web");
  CHECK(pins[1].address.to_string() == "2001:db8::10");
  CHECK(pins[2].pod_namespace == "dev");
}

TEST_CASE("wrong pins are refused", "[own_keys]") {
  const auto [pins, error] = GENERATE(table<std::string, std::string>({
      {R"({"web": []})", R"(the keys of /ipam/pins must be "namespace/pod", but one is "web")"},
      {R"({"/web": []})", R"(the keys of /ipam/pins must be "namespace/pod", but one is "/web")"},
      {R"({"a/": []})", R"(the keys of /ipam/pins must be "namespace/pod", but one is "a/")"},
      {R"({"a/b/c": []})", R"(the keys of /ipam/pins must be "namespace/pod", but one is "a/b/c")"},
      {R"({"a/b": ["10.1.2.0/24"]})",
       R"(/ipam/pins/a/b/0 must be an address, but is "10.1.2.0/24")"},
      {R"({"a/b": ["10.1.2.3"], "a/c": ["10.1.2.4", "10.1.2.3"]})",
       "/ipam/pins/a/c/1 pins 10.1.2.3 to a/c, but it is pinned to a/b already; give each pod its "
       "own address"},
      {R"({"a/b": ["10.1.2.3"], "c/b": ["::ffff:10.1.2.3"]})",
       "/ipam/pins/c/b/0 pins 10.1.2.3 to c/b, but it is pinned to a/b already; give each pod its "
       "own address"},
  }));
  INFO("pins " << pins);
  CHECK(conf_error(with_range(R"("pins": )" + pins)) == "7: " + error);
}

TEST_CASE("one address twice for one pod is one pin", "[own_keys]") {
  CHECK(allocation(R"("pins": {"a/b": ["10.1.2.3", "10.1.2.3"]})").reservations.pins.size() == 1);
}

TEST_CASE("a pin outside the ranges or on a gateway is a warning", "[own_keys]") {
  const std::string address = GENERATE("10.9.9.9", "10.1.2.1", "10.1.2.255", "2001:db8::9");
  const auto conf = read_conf(with_range(R"("pins": {"a/b": [")" + address + R"(", "10.1.2.9"]})"));
  REQUIRE(conf.warnings.size() == 1);
  CHECK(conf.warnings.front() ==
        "pin " + address + " of a/b is outside this node's ranges, or a gateway: ignored");
}

TEST_CASE("ipFamilies orders and filters the sets", "[own_keys]") {
  const auto [families, ranges] = GENERATE(table<std::string, std::string>({
      {"", "10.1.2.1-10.1.2.2 gw 10.1.2.1; 2001:db8::1-2001:db8::3 gw 2001:db8::1"},
      {R"(, "ipFamilies": null)",
       "10.1.2.1-10.1.2.2 gw 10.1.2.1; 2001:db8::1-2001:db8::3 gw 2001:db8::1"},
      {R"(, "ipFamilies": ["IPv4"])", "10.1.2.1-10.1.2.2 gw 10.1.2.1"},
      {R"(, "ipFamilies": ["IPv6"])", "2001:db8::1-2001:db8::3 gw 2001:db8::1"},
      {R"(, "ipFamilies": ["IPv6", "IPv4"])",
       "2001:db8::1-2001:db8::3 gw 2001:db8::1; 10.1.2.1-10.1.2.2 gw 10.1.2.1"},
  }));
  CHECK(ranges_of(with_ipam(kDualRanges + families)) == ranges);
}

TEST_CASE("a family that ipFamilies names twice counts once", "[own_keys]") {
  const std::string text = with_ipam(kDualRanges + R"(, "ipFamilies": ["IPv4", "IPv4"])");
  const std::string error = conf_error(text);
  if (error == "ok") CHECK(ranges_of(text) == "10.1.2.1-10.1.2.2 gw 10.1.2.1");
  if (error != "ok") CHECK(error.starts_with("7: /ipam/ipFamilies "));
}

TEST_CASE("the defaults are those of the table in the documentation", "[own_keys]") {
  const auto conf = read_conf(with_range(""));
  CHECK(conf.placement.retain.enabled);
  CHECK_FALSE(conf.placement.retain.require_same_uid);
  CHECK(conf.placement.state_dir == "/var/lib/delegated-ipam");
  CHECK(conf.placement.durability == allocator::store::Durability::full);
  CHECK(conf.placement.timeout == std::chrono::seconds(30));
  CHECK(conf.on_duplicate == allocator::store::OnDuplicate::same_addresses);
  CHECK(conf.placement.log.file.empty());
}

TEST_CASE("keys of ours are read in any letter case, the last one wins", "[own_keys]") {
  const auto conf = read_conf(with_range(
      R"("RETAIN": true, "Retain": false, "ONDUPLICATE": "error", "StateDir": "/s",
         "DurabiLity": "none", "timeoutseconds": 1.5)"));
  CHECK_FALSE(conf.placement.retain.enabled);
  CHECK(conf.on_duplicate == allocator::store::OnDuplicate::error);
  CHECK(conf.placement.state_dir == "/s");
  CHECK(conf.placement.durability == allocator::store::Durability::none);
  CHECK(conf.placement.timeout == std::chrono::milliseconds(1500));
}

TEST_CASE("retain can be an object", "[own_keys]") {
  const auto retain =
      placement(R"("retain": {"requireSameUID": true, "exclude": ["batch/*", "ci/job-?"]})").retain;
  CHECK(retain.enabled);
  CHECK(retain.require_same_uid);
  CHECK(retain.exclude == std::vector<std::string>{"batch/*", "ci/job-?"});
}

TEST_CASE("the log keys are those of Multus", "[own_keys]") {
  const auto log = placement(R"("logFile": "/var/log/x.log", "logLevel": "debug",
                                "logOptions": {"maxSize": 5, "maxBackups": 2, "maxAge": 5})")
                       .log;
  CHECK(log.file == "/var/log/x.log");
  CHECK(log.level == "debug");
  CHECK(log.max_size_mib == 5);
  CHECK(log.max_backups == 2);
}

TEST_CASE("a state folder inside the network's folder is refused", "[own_keys]") {
  const auto error = [](const std::string& state) {
    return conf_error(with_range(R"("dataDir": "/data", "stateDir": ")" + state + "\""));
  };
  CHECK(error("/data/mynet/state").starts_with("7: /ipam/stateDir "));
  CHECK(error("/data/mynet").starts_with("7: /ipam/stateDir "));
  CHECK(error("/x/../data//mynet/s").starts_with("7: /ipam/stateDir "));
  CHECK(error("/data/mynet2") == "ok");
  CHECK(error("/data") == "ok");
}
