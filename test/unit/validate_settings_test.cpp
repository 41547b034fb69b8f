// The settings of Cilium's agent: which of its places wins.
#include "shim/cli/validate/node/cilium_settings.hpp"
#include "test/unit/catch.hpp"

using shim::Json;
using namespace shim::validate;  // NOLINT(google-build-using-namespace)

namespace {

constexpr const char* kEverywhere = R"({
  "routingMode": "a",
  "extraConfig": {"routing-mode": "b"},
  "extraArgs": ["--routing-mode=c", "--debug", "--routing-mode=d", "--routing-mode-x=e"]})";

}  // namespace

TEST_CASE("validate settings: the last argument, then extraConfig, then the value", "[validate]") {
  Json values = Json::parse(kEverywhere);
  AgentSettings agent(values, PartKind::cilium_values);
  CHECK(agent.get(settings::kRouting) == "d");
  CHECK(agent.pointer(settings::kRouting) == "/extraArgs/2");
  values["extraArgs"] = Json::array();
  CHECK(agent.get(settings::kRouting) == "b");
  CHECK(agent.pointer(settings::kRouting) == "/extraConfig/routing-mode");
  values["extraConfig"] = nullptr;
  CHECK(agent.get(settings::kRouting) == "a");
  CHECK(agent.pointer(settings::kRouting) == "/routingMode");
  values["routingMode"] = "";
  CHECK(agent.get(settings::kRouting) == "tunnel");
}

TEST_CASE("validate settings: changed where they are given", "[validate]") {
  Json values = Json::parse(kEverywhere);
  AgentSettings agent(values, PartKind::cilium_values);
  agent.set(settings::kRouting, "native");
  CHECK(values["extraArgs"][2] == "--routing-mode=native");
  CHECK(values["routingMode"] == "a");
  values.erase("extraArgs");
  agent.set(settings::kRouting, "native");
  CHECK(values["extraConfig"]["routing-mode"] == "native");
  values.erase("extraConfig");
  agent.set(settings::kRouting, "native");
  agent.set(settings::kHealth, "false");
  agent.set(settings::kRouter4, "169.254.23.0");
  agent.set(settings::kChainingTarget, "");
  CHECK(values.dump() == R"({"routingMode":"native","endpointHealthChecking":{"enabled":false},)"
                         R"("extraArgs":["--local-router-ipv4=169.254.23.0"],)"
                         R"("cni":{"chainingTarget":null}})");
}

TEST_CASE("validate settings: the agent's ConfigMap has texts under its own names", "[validate]") {
  Json data = Json::parse(R"({"enable-ipv4": "false", "extraArgs": ["--routing-mode=native"]})");
  AgentSettings agent(data, PartKind::cilium_config);
  CHECK_FALSE(agent.is_on(settings::kIpv4));
  CHECK(agent.get(settings::kRouting) == "tunnel");
  agent.set(settings::kHealth, "false");
  CHECK(data["enable-endpoint-health-checking"] == "false");
  CHECK(agent.pointer(settings::kRouter6) == "/local-router-ipv6");
  CHECK(agent.get(settings::kConfigMap).empty());
}

TEST_CASE("validate settings: an argument without a value is true", "[validate]") {
  Json values = Json::parse(R"({"extraArgs": ["--enable-ipv6"]})");
  CHECK(AgentSettings(values, PartKind::cilium_values).is_on(settings::kIpv6));
}
