// The configuration that a delegate is given, and in which version of the specification.
#include <nlohmann/json.hpp>
#include <string>

#include "shim/cni/conf/delegate_conf.hpp"
#include "shim/cni/verbs/delegate_caller.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/conf.hpp"

using test::with_ipam;

namespace {

shim::DelegateConf read(const std::string& text, bool leniently = false) {
  const auto document = shim::parse_json(text);
  const auto head = shim::read_head(document, shim::Strictness::lenient);
  if (leniently) return shim::read_delegate_conf_leniently(document, head);
  shim::ConfInputs inputs = test::inputs();
  inputs.ranges_from = [](const auto&, const auto&, const auto&) {
    return std::vector<std::string>{"10.7.0.0/24", "2001:db8::/64"};
  };
  return shim::read_delegate_conf(document, head, inputs);
}

std::string ipam_of(const std::string& members, bool leniently = false) {
  return read(with_ipam(members), leniently).document["ipam"].dump();
}

std::string error_of(const std::string& members) {
  try {
    read(with_ipam(members));
    return "none";
  } catch (const shim::CniError& error) {
    return std::to_string(static_cast<unsigned>(error.code)) + ": " + error.what();
  }
}

const std::string kExec = R"("inProcess": false, )";

}  // namespace

TEST_CASE("the delegate gets its own block, its type first", "[delegate_effective_conf]") {
  CHECK(ipam_of(R"("stateDir": "/s", "delegate": {"range": "10.1.0.0/24", "type": "w"})") ==
        R"({"type":"w","range":"10.1.0.0/24"})");
}

TEST_CASE("the rest of the configuration stays as it is", "[delegate_effective_conf]") {
  const auto conf = read(R"({"cniVersion": "1.0.0", "name": "n", "type": "bridge", "mtu": 1400,
      "args": {"cni": {"x": 1}}, "IPAM": {"delegate": {"type": "w"}}, "cni.dev/a": [1]})");
  CHECK(conf.document.dump() == R"({"cniVersion":"1.0.0","name":"n","type":"bridge","mtu":1400,)"
                                R"("args":{"cni":{"x":1}},"IPAM":{"type":"w"},"cni.dev/a":[1]})");
}

TEST_CASE("what the delegate lacks is inherited", "[delegate_effective_conf]") {
  CHECK(ipam_of(R"("ranges": [[{"subnet": "10.1.0.0/24"}]], "dataDir": "/d",
                   "delegate": {"type": "w", "dataDir": "/own"})") ==
        R"({"type":"w","dataDir":"/own","ranges":[[{"subnet":"10.1.0.0/24"}]]})");
}

TEST_CASE("ranges inside and outside do not add up", "[delegate_effective_conf]") {
  CHECK(ipam_of(kExec + R"("ranges": [[{"subnet": "10.1.0.0/16"}]],
                           "delegate": {"type": "host-local", "subnet": "10.1.2.0/24"})") ==
        R"({"type":"host-local","subnet":"10.1.2.0/24"})");
  CHECK(error_of(kExec + R"("ranges": [[{"subnet": "10.1.0.0/16"}]],
                            "delegate": {"type": "host-local", "subnet": "10.0.0.0/8"})")
            .starts_with("7: "));
}

TEST_CASE("without a delegate block our own keys are left out", "[delegate_effective_conf]") {
  CHECK(ipam_of(kExec + R"("subnet": "10.1.2.0/24", "stateDir": "/s", "Retain": false)") ==
        R"({"type":"host-local","subnet":"10.1.2.0/24"})");
}

TEST_CASE("rangesFrom becomes host-local's ranges", "[delegate_effective_conf]") {
  const std::string from = R"("rangesFrom": {"subnetFile": "/x"})";
  CHECK(
      ipam_of(kExec + from) ==
      R"({"type":"host-local","ranges":[[{"subnet":"10.7.0.0/24"}],[{"subnet":"2001:db8::/64"}]]})");
  CHECK(ipam_of(kExec + from + R"(, "ipFamilies": ["IPv6"])") ==
        R"({"type":"host-local","ranges":[[{"subnet":"2001:db8::/64"}]]})");
  CHECK(error_of(from + R"(, "delegate": {"type": "w"})").starts_with("7: /ipam/rangesFrom "));
  CHECK(ipam_of(kExec + from + R"(, "gateway": "10.0.0.1", "ipFamilies": ["IPv4"],
                "delegate": {"subnet": "10.0.0.0/8", "routes": []})") ==
        R"({"type":"host-local","routes":[],"ranges":[[{"subnet":"10.0.0.0/8",)"
        R"("rangeStart":"10.7.0.0","rangeEnd":"10.7.0.255","gateway":"10.0.0.1"}]]})");
  CHECK(error_of(kExec + from + R"(, "subnet": "10.8.0.0/24")")
            .starts_with("7: /ipam/rangesFrom: /x: 10.7.0.0/24 is not inside /ipam/subnet "));
  CHECK(error_of(kExec + from + R"(, "delegate": {"ranges": [[{"subnet": "10.7.0.0/24"}]]})")
            .starts_with("7: /ipam/delegate/ranges stands beside /ipam/rangesFrom"));
}

TEST_CASE("a release gives host-local ranges that it takes", "[delegate_effective_conf]") {
  const std::string members =
      GENERATE(R"("rangesFrom": {"subnetFile": "/x"})", R"("subnet": "not a subnet")",
               R"("ranges": [[{"subnet": "10.1.0.0/24", "rangeStart": "10.9.0.1"}]], "routes": 1)");
  const auto block = shim::parse_json(ipam_of(kExec + members, true));
  CHECK(block["ranges"].dump() == R"([[{"subnet":"127.0.0.0/8"}]])");
  CHECK(shim::find_member(block, "subnet") == nullptr);
}

TEST_CASE("keys of the built-in allocator are refused", "[delegate_effective_conf]") {
  const std::string key = GENERATE(R"("exclude": ["10.1.0.1"])", R"("pins": {"a/b": []})");
  CHECK(error_of(key + R"(, "delegate": {"type": "w"})").find("built-in") != std::string::npos);
}

TEST_CASE("requested addresses add up", "[delegate_effective_conf]") {
  const auto document = shim::parse_json(R"({"args": {"CNI": {"ips": ["10.1.0.9"]}}})");
  const auto address = allocator::Address::parse("fd00::9");
  CHECK(shim::with_requested(document, {*address}).dump() ==
        R"({"args":{"CNI":{"ips":["10.1.0.9","fd00::9"]}}})");
}

TEST_CASE("the best version is the newest that is not above the caller's",
          "[delegate_effective_conf]") {
  CHECK(shim::best_version({"0.3.1", "0.4.0", "1.0.0"}, "1.1.0") == "1.0.0");
  CHECK(shim::best_version({"1.0.0", "0.4.0"}, "0.4.0") == "0.4.0");
  CHECK(shim::best_version({"1.0.0", "1.1.0"}, "0.2.0") == "1.1.0");
  CHECK(shim::best_version({"2.0.0"}, "1.1.0").empty());
  CHECK(shim::best_version({}, "1.1.0").empty());
}

TEST_CASE("a lowered configuration has its prevResult converted", "[delegate_effective_conf]") {
  const auto lowered = shim::in_version(shim::parse_json(R"({"cniVersion": "1.1.0", "prevResult":
          {"cniVersion": "1.1.0", "ips": [{"address": "10.1.0.5/16"}]}})"),
                                        "0.4.0");
  CHECK(lowered["cniVersion"] == "0.4.0");
  CHECK(lowered["prevResult"]["cniVersion"] == "0.4.0");
  CHECK(lowered["prevResult"]["ips"][0]["version"] == "4");
}
