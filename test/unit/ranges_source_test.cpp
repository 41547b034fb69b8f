#include "shim/cni/conf/ranges_source.hpp"

#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/conf.hpp"

using Kind = shim::RangesSource::Kind;

namespace {

std::string parsed(Kind kind, const std::string& text) {
  std::string joined;
  try {
    for (const auto& range : shim::parse_ranges(kind, text, "FILE")) {
      joined += (joined.empty() ? "" : " ") + range;
    }
  } catch (const shim::CniError& error) {
    return std::to_string(static_cast<unsigned>(error.code)) + ": " + error.what();
  }
  return joined;
}

std::string paths_of(const std::string& ranges_from) {
  const auto document = shim::parse_json("{\"rangesFrom\": " + ranges_from + "}");
  std::string joined;
  const std::string error = test::cni_error([&] {
    const shim::ConfigReader ipam(&document, "/ipam", shim::ErrorCode::invalid_config);
    for (const auto& path : shim::read_ranges_source(ipam, [] { return "edge-1"; }).paths) {
      joined += (joined.empty() ? "" : " ") + path;
    }
  });
  return error == "ok" ? joined : error;
}

}  // namespace

TEST_CASE("Flannel's subnet.env names one subnet a family, with host bits", "[ranges_from]") {
  CHECK(parsed(Kind::subnet_file,
               "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n"
               "FLANNEL_IPV6_NETWORK=2001:db8::/56\nFLANNEL_IPV6_SUBNET=2001:db8:0:1::1/64\n"
               "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n") == "10.244.1.0/24 2001:db8:0:1::/64");
}

TEST_CASE("odd but readable files of ranges are read", "[ranges_from]") {
  const auto [text, ranges] = GENERATE(table<std::string, std::string>({
      {"FLANNEL_SUBNET=10.244.1.1/24\r\nFLANNEL_MTU\r\n", "10.244.1.0/24"},
      {"# the node's\n\n  10.1.0.0/24  \n2001:db8::/64", "10.1.0.0/24 2001:db8::/64"},
      {"10.1.0.0/24, 10.2.0.0/24", "10.1.0.0/24 10.2.0.0/24"},
  }));
  INFO(text);
  CHECK(parsed(Kind::subnet_file, text) == ranges);
  CHECK(parsed(Kind::node_file, text) == ranges);
}

TEST_CASE("a file that names no subnet yet is code 11", "[ranges_from]") {
  const auto [text, error] = GENERATE(table<std::string, std::string>({
      {"", "11: rangesFrom: FILE names no subnet"},
      {"FLANNEL_SUBNET=\n", "11: rangesFrom: FILE names no subnet"},
      {"FLANNEL_SUBNET=10.244\n", "11: rangesFrom: FILE: \"10.244\" is no CIDR block"},
  }));
  INFO(text);
  CHECK(parsed(Kind::subnet_file, text) == error);
}

TEST_CASE("a Node object gives podCIDRs, or else podCIDR", "[ranges_from]") {
  CHECK(parsed(Kind::yurthub_node,
               R"({"kind": "Node", "spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24",
               "2001:db8::/64"]}})") == "10.1.0.0/24 2001:db8::/64");
  CHECK(parsed(Kind::yurthub_node, R"({"spec": {"podCIDR": "10.1.0.0/24"}})") == "10.1.0.0/24");
  CHECK(parsed(Kind::yurthub_node, R"({"spec": {}})") == "11: rangesFrom: FILE names no subnet");
  CHECK(parsed(Kind::yurthub_node, R"({"spec": {"podC)").starts_with("11: rangesFrom: FILE: "));
}

TEST_CASE("each form names the files to try", "[ranges_from]") {
  CHECK(paths_of(R"({"subnetFile": "/run/flannel/subnet.env"})") == "/run/flannel/subnet.env");
  CHECK(paths_of(R"({"nodesDir": "/etc/ranges"})") == "/etc/ranges/edge-1");
  CHECK(paths_of(R"({"nodesDir": "/etc/ranges", "node": "n2"})") == "/etc/ranges/n2");
  CHECK(test::contains(paths_of(R"({"yurthubNode": "n2"})"),
                       "/etc/kubernetes/cache/kubelet/nodes.v1.core/n2 "));
}

TEST_CASE("forms that cannot be meant are refused", "[ranges_from]") {
  const std::string one =
      "7: /ipam/rangesFrom must have exactly one of subnetFile, nodesDir and "
      "yurthubNode";
  CHECK(paths_of("{}") == one);
  CHECK(paths_of(R"({"subnetFile": "/a", "nodesDir": "/b"})") == one);
  CHECK(paths_of(R"({"nodesDir": "/b", "node": "../../etc/passwd"})")
            .starts_with("7: /ipam/rangesFrom/node must be a node's name"));
}
