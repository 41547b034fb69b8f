// Two levels of keys: what `delegate` inherits, narrows and may not hold; and lenient reading.
#include "shim/cni/conf/delegate_conf.hpp"

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/conf.hpp"

using test::conf_error;
using test::contains;
using test::ranges_of;
using test::ranges_text;
using test::read_conf;
using test::read_conf_leniently;
using test::with_ipam;
using test::with_range;

namespace {

/// ipam with these members beside and inside `delegate`.
std::string two_levels(const std::string& outer, const std::string& inner) {
  return with_ipam(outer + (outer.empty() ? "" : ", ") + R"("delegate": {"type": "host-local")" +
                   (inner.empty() ? "" : ", ") + inner + "}");
}

const std::string kNode = R"("ranges": [[{"subnet": "10.244.1.0/24"}]])";

}  // namespace

TEST_CASE("delegate inherits every key of host-local's that it lacks", "[delegate_conf]") {
  const auto conf = read_conf(two_levels(
      kNode + R"(, "routes": [{"dst": "10.244.0.0/16"}], "dataDir": "/d", "resolvConf": "/r")",
      ""));
  CHECK(ranges_text(conf.allocation.sets) == "10.244.1.1-10.244.1.254 gw 10.244.1.1");
  CHECK(conf.allocation.routes.size() == 1);
  CHECK(conf.placement.data_dir == "/d");
  CHECK(conf.allocation.resolv_conf == "/r");
}

TEST_CASE("delegate's own keys win over those beside it", "[delegate_conf]") {
  const auto conf = read_conf(two_levels(
      kNode + R"(, "routes": [{"dst": "10.244.0.0/16"}], "dataDir": "/d", "resolvConf": "/r")",
      R"("routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}], "dataDir": "/inner",
         "resolvConf": "/inner.conf")"));
  CHECK(conf.allocation.routes.size() == 2);
  CHECK(conf.placement.data_dir == "/inner");
  CHECK(conf.allocation.resolv_conf == "/inner.conf");
}

TEST_CASE("the keys of a legacy range are inherited one by one", "[delegate_conf]") {
  CHECK(ranges_of(two_levels(R"("subnet": "10.1.2.0/24", "rangeStart": "10.1.2.9",
                                "gateway": "10.1.2.30")",
                             R"("rangeEnd": "10.1.2.20")")) == "10.1.2.9-10.1.2.20 gw 10.1.2.30");
  CHECK(ranges_of(two_levels(R"("rangeStart": "10.1.2.9", "gateway": "10.1.2.30")",
                             R"("subnet": "10.1.2.0/24")")) == "10.1.2.9-10.1.2.254 gw 10.1.2.30");
}

TEST_CASE("ranges inside delegate narrow those beside it", "[delegate_conf]") {
  const auto [inner, ranges] = GENERATE(table<std::string, std::string>({
      {R"("subnet": "10.244.1.0/24", "rangeStart": "10.244.1.100")",
       "10.244.1.100-10.244.1.254 gw 10.244.1.1"},
      {R"("ranges": [[{"subnet": "10.244.1.128/25"}]])",
       "10.244.1.129-10.244.1.254 gw 10.244.1.129"},
      {R"("ranges": [[{"subnet": "10.244.1.0/24"}]])", "10.244.1.1-10.244.1.254 gw 10.244.1.1"},
  }));
  CHECK(ranges_of(two_levels(kNode, inner)) == ranges);
}

TEST_CASE("ranges inside delegate that leave those beside it are refused, both named",
          "[delegate_conf]") {
  const auto [inner, range] = GENERATE(table<std::string, std::string>({
      {R"("subnet": "10.244.0.0/16")", "10.244.0.1-10.244.255.254"},
      {R"("ranges": [[{"subnet": "10.244.2.0/24"}]])", "10.244.2.1-10.244.2.254"},
      {R"("ranges": [[{"subnet": "10.244.0.0/23", "rangeEnd": "10.244.1.9"}]])",
       "10.244.0.1-10.244.1.9"},
      {R"("ranges": [[{"subnet": "10.244.1.0/24"}], [{"subnet": "2001:db8::/64"}]])",
       "2001:db8::1-2001:db8::ffff:ffff:ffff:ffff"},
  }));
  INFO("inside delegate: " << inner);
  CHECK(conf_error(two_levels(kNode, inner)) ==
        "7: /ipam/delegate range " + range +
            " is not inside the ranges beside delegate (10.244.1.1-10.244.1.254): those are this "
            "node's; choose a part of them, or remove one side");
}

TEST_CASE("runtimeConfig.ipRanges are the runtime's word, not a part to be narrowed",
          "[delegate_conf]") {
  const std::string text =
      R"({"cniVersion": "1.0.0", "name": "n",
          "runtimeConfig": {"ipRanges": [[{"subnet": "10.9.0.0/24"}]]},
          "ipam": {"ranges": [[{"subnet": "10.244.1.0/24"}]],
                   "delegate": {"ranges": [[{"subnet": "10.244.1.0/25"}]]}}})";
  CHECK(ranges_of(text) ==
        "10.9.0.1-10.9.0.254 gw 10.9.0.1; 10.244.1.1-10.244.1.126 gw 10.244.1.1");
}

TEST_CASE("a part of a range without a subnet is refused inside delegate", "[delegate_conf]") {
  CHECK(conf_error(two_levels(kNode, R"("rangeStart": "10.244.1.100")"))
            .starts_with("7: /ipam/delegate has rangeStart, rangeEnd or gateway without a subnet"));
}

TEST_CASE("a subnet beside ranges that it does not touch is a warning", "[delegate_conf]") {
  const auto conf = read_conf(with_ipam(R"("subnet": "10.9.0.0/16", )" + kNode));
  REQUIRE(conf.warnings.size() == 1);
  CHECK(contains(conf.warnings.front(), "ipam.subnet 10.9.0.0/16 stands beside ipam.ranges"));
}

TEST_CASE("every key of ours inside delegate is refused in any letter case", "[delegate_conf]") {
  const std::string key = GENERATE(values<std::string>(
      {"inProcess", "retain", "exclude", "pins", "rangesFrom", "ipFamilies", "onDuplicate",
       "requests", "stateDir", "durability", "timeoutSeconds", "keepInterfaces", "logFile",
       "logLevel", "logOptions", "RETAIN", "Pins"}));
  const std::string error = conf_error(two_levels(kNode, "\"" + key + R"(": true)"));
  INFO("key " << key << ", error " << error);
  CHECK(error.starts_with("7: /ipam/delegate/"));
  CHECK(contains(error, "is a key of delegated-ipam: move it beside delegate"));
}

TEST_CASE("delegate.type is the bare name of a plugin", "[delegate_conf]") {
  const auto [type, code] = GENERATE(table<std::string, std::string>({
      {"host-local", "ok"},
      {"whereabouts", "ok"},
      {"HOST-LOCAL", "ok"},
      {"", "7: /ipam/delegate/type "},
      {"/opt/cni/bin/host-local", "7: /ipam/delegate/type "},
      {"..", "7: /ipam/delegate/type "},
      {R"(a\\b)", "7: /ipam/delegate/type "},
      {R"(a\u0000b)", "7: /ipam/delegate/type "},
      {"delegated-ipam", "7: /ipam/delegate/type "},
  }));
  const std::string error = conf_error(with_range(R"("delegate": {"type": ")" + type + "\"}"));
  INFO("type " << type << ", error " << error);
  CHECK(error.starts_with(code));
}

TEST_CASE("who hands out the addresses", "[delegate_conf]") {
  const auto [members, names] = GENERATE(table<std::string, std::vector<std::string>>({
      {R"("delegate": {})", {}},
      {R"("delegate": {"type": "host-local"})", {}},
      {R"("inProcess": true, "delegate": {"type": "host-local"})", {}},
      {R"("inProcess": false, "delegate": {"type": "host-local"})",
       {"host-local.orig", "host-local"}},
      {R"("inProcess": false)", {"host-local.orig", "host-local"}},
      {R"("delegate": {"type": "whereabouts"})", {"whereabouts"}},
      {R"("inProcess": true, "delegate": {"type": "dhcp"})", {"dhcp"}},
  }));
  const auto choice =
      shim::delegate_choice(shim::parse_json(with_ipam(members)), shim::Strictness::strict);
  INFO(members);
  CHECK(choice.is_built_in == names.empty());
  CHECK(choice.names == names);
}

TEST_CASE("a mistyped inProcess stops an ADD, not a DEL", "[delegate_conf]") {
  const auto document = shim::parse_json(with_ipam(R"("inProcess": "no")"));
  CHECK_THROWS_AS(shim::delegate_choice(document, shim::Strictness::strict), shim::CniError);
  CHECK(shim::delegate_choice(document, shim::Strictness::lenient).is_built_in);
}

TEST_CASE("rangesFrom counts only where there are no ranges", "[delegate_conf]") {
  const std::string from = R"("rangesFrom": {"subnetFile": "/run/flannel/subnet.env"})";
  const auto ranges_at = [&](const std::string& members) {
    shim::ConfInputs inputs = test::inputs();
    inputs.ranges_from = [](const auto&, const auto&, const auto&) {
      return std::vector<std::string>{"10.7.0.0/24", "2001:db8::/64"};
    };
    return ranges_text(read_conf(with_ipam(members), inputs).allocation.sets);
  };
  CHECK(ranges_at(from) ==
        "10.7.0.1-10.7.0.254 gw 10.7.0.1; 2001:db8::1-2001:db8::ffff:ffff:ffff:ffff gw "
        "2001:db8::1");
  CHECK(ranges_at(from + R"(, "ranges": [])").starts_with("10.7.0.1-"));
}

TEST_CASE("a release reads name and folders out of whatever is left", "[delegate_conf]") {
  const std::string broken = GENERATE(values<std::string>({
      R"("subnet": "bad")",
      R"("ranges": 5)",
      R"("ranges": [[{"subnet": "10.1.2.0/31"}]])",
      R"("routes": "x", "exclude": 7, "pins": [], "onDuplicate": 1)",
      R"("retain": "x", "durability": 1, "timeoutSeconds": "x", "logOptions": 1, "ipFamilies": 5)",
      R"("delegate": "host-local")",
      R"("type": 5)",
      "\"gateway\": {}",
  }));
  INFO("broken " << broken);
  const auto conf =
      read_conf_leniently(with_ipam(R"("dataDir": "/d", "stateDir": "/s", )" + broken));
  CHECK(conf.name == "mynet");
  CHECK(conf.placement.state_dir == "/s");
  if (!contains(broken, R"("delegate")")) CHECK(conf.placement.data_dir == "/d");
}

TEST_CASE("a release without ipam, or with a wrong one, uses the defaults", "[delegate_conf]") {
  const std::string text = GENERATE(R"({"name": "n"})", R"({"name": "n", "ipam": null})",
                                    R"({"name": "n", "ipam": []})", R"({"name": "n", "ipam": {}})");
  const auto conf = read_conf_leniently(text);
  CHECK(conf.placement.data_dir == "/var/lib/cni/networks");
  CHECK(conf.placement.state_dir == "/var/lib/delegated-ipam");
  CHECK_FALSE(conf.placement.data_dir_given);
  CHECK(conf.allocation.sets.empty());
}

TEST_CASE("a release keeps the sets where they can be read, for the number of passes",
          "[delegate_conf]") {
  const auto conf = read_conf_leniently(two_levels(kNode, R"("dataDir": "/d")"));
  CHECK(conf.allocation.sets.size() == 1);
  CHECK(conf.placement.data_dir == "/d");
  CHECK(conf.placement.data_dir_given);
}

TEST_CASE("a release still needs a name and a version that is text", "[delegate_conf]") {
  CHECK(test::cni_error([] { read_conf_leniently(R"({"ipam": {}})"); }) ==
        "7: missing network name");
  CHECK(test::cni_error([] {
          read_conf_leniently(R"({"name": "n", "cniVersion": 1})");
        }).starts_with("6: "));
}
