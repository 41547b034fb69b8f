// How Cilium's agent must be set up for an IPAM plugin of somebody else's.
// Source: Cilium 1.20.2, checkIPAMDelegatedPlugin and checkIPv4NativeRoutingCIDR in
// pkg/option/config.go, daemon/cmd/daemon_main.go, newManager in
// pkg/datapath/iptables/iptables.go, interfaceAdd of cilium-cni; the chart's cilium-configmap.yaml.
#include <algorithm>
#include <array>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cli/validate/node/cilium_settings.hpp"
#include "shim/cli/validate/node/together.hpp"

namespace shim::validate {
namespace {

using namespace settings;

constexpr const char* kRouterAddress4 = "169.254.23.0";
constexpr const char* kRouterAddress6 = "fe80::";

/// What needs an address that the agent hands out itself. The agent looks at enable-envoy-config
/// only, which the chart switches on for each of them.
struct Feature {
  Setting setting;
  std::string_view on;
  std::string_view off;
};
constexpr std::array<Feature, 4> kEnvoyFeatures = {
    Feature{{"envoyConfig/enabled", "enable-envoy-config", "false"}, "true", "false"},
    Feature{{"ingressController/enabled", "", "false"}, "true", "false"},
    Feature{{"gatewayAPI/enabled", "", "false"}, "true", "false"},
    Feature{{"loadBalancer/l7/backend", "", "disabled"}, "envoy", "disabled"}};

/// One setting that must not be as it is.
class Checker {
 public:
  Checker(AgentSettings& agent, const Report& report) : agent_(agent), report_(report) {}

  void correct(const Rule& rule, const Setting& setting, Words message, std::string_view value) {
    const std::string fix = agent_.is_by_option(setting)
                                ? joined({"set ", setting.option, " to ", value})
                                : std::string();
    report_.found(rule, {agent_.pointer(setting)}, message, fix);
    agent_.set(setting, value);
  }
  void tell(const Rule& rule, const Setting& setting, Words message, std::string_view fix = {}) {
    report_.found(rule, {agent_.pointer(setting)}, message, fix);
  }

 private:
  AgentSettings& agent_;
  const Report& report_;
};

void check_router(AgentSettings& agent, Checker& checker) {
  if (agent.is_on(kIpv4) && agent.get(kRouter4).empty()) {
    checker.correct(rules::kCiliumRouter, kRouter4,
                    {"the agent does not start without local-router-ipv4 in this mode"},
                    kRouterAddress4);
  }
  if (agent.is_on(kIpv6) && agent.get(kRouter6).empty()) {
    checker.correct(rules::kCiliumRouter, kRouter6,
                    {"the agent does not start without local-router-ipv6 in this mode"},
                    kRouterAddress6);
  }
}

void check_features(AgentSettings& agent, Checker& checker) {
  if (agent.is_on(kHealth)) {
    checker.correct(rules::kCiliumHealth, kHealth,
                    {"the agent does not start with endpoint health checking in this mode"},
                    "false");
  }
  for (const auto& feature : kEnvoyFeatures) {
    if (agent.get(feature.setting) != feature.on) continue;
    checker.correct(rules::kCiliumEnvoy, feature.setting,
                    {"the agent does not start with Envoy's configuration (ingress, Gateway API, "
                     "L7 load balancing) in this mode"},
                    feature.off);
  }
  constexpr Setting kEncryption{"encryption/enabled", "enable-ipsec", "false"};
  constexpr Setting kType{"encryption/type", "", "ipsec"};
  if (agent.is_on(kEncryption) && agent.get(kType) == "ipsec") {
    checker.tell(rules::kCiliumIpsec, kEncryption,
                 {"the agent does not start with IPsec and a local router address"});
  }
}

bool masquerades(const AgentSettings& agent) {
  return (agent.is_on(kIpv4) && agent.is_on(kMasquerade4)) ||
         (agent.is_on(kIpv6) && agent.is_on(kMasquerade6));
}

void check_native(AgentSettings& agent, Checker& checker, const Setting& family,
                  const Setting& masquerade, const Setting& native) {
  const bool needed = agent.is_on(family) && agent.is_on(masquerade) && !agent.is_on(kMasqAgent);
  if (!needed || !agent.get(native).empty()) return;
  checker.tell(rules::kCiliumNative, native,
               {"masquerading in native routing mode needs to know which destinations are pods"});
  agent.set(kMasqAgent, "true");
  agent.set(kBpfMasquerade, "true");
}

void check_routing(AgentSettings& agent, Checker& checker) {
  if (agent.get(kRouting) != "native") {
    checker.correct(rules::kCiliumRouting, kRouting,
                    {"the agent does not start in tunnel mode with a local router address"},
                    "native");
  }
  check_native(agent, checker, kIpv4, kMasquerade4, kNative4);
  check_native(agent, checker, kIpv6, kMasquerade6, kNative6);
}

/// Nothing is masqueraded, and something is set up for it.
void check_no_masquerading(AgentSettings& agent, Checker& checker) {
  for (const auto& setting : {kBpfMasquerade, kMasqAgent}) {
    if (!agent.is_on(setting)) continue;
    checker.tell(
        rules::kCiliumMasquerade, setting,
        {"the agent does not start with it where nothing is masqueraded"},
        "set bpf.masquerade and ipMasqAgent.enabled (the agent's enable-bpf-masquerade and "
        "enable-ip-masq-agent) to false");
    agent.set(setting, "false");
  }
}

/// What the agent does not start with where BPF masquerades.
void check_bpf_masquerading(AgentSettings& agent, Checker& checker) {
  if (!agent.get(kMasqInterfaces).empty()) {
    checker.tell(rules::kCiliumMasquerade, kMasqInterfaces,
                 {"the agent does not start with interfaces to masquerade on and with "
                  "bpf.masquerade"},
                 "remove it, or set bpf.masquerade and ipMasqAgent.enabled to false");
    agent.set(kMasqInterfaces, "");
  }
  if (agent.is_on(kMasqSource)) {
    checker.tell(rules::kCiliumMasquerade, kMasqSource,
                 {"the agent does not start with it and with bpf.masquerade"},
                 "set enableMasqueradeRouteSource (the agent's enable-masquerade-to-route-source) "
                 "to false");
    agent.set(kMasqSource, "false");
  }
}

void check_masquerading(AgentSettings& agent, Checker& checker) {
  if (!masquerades(agent)) return check_no_masquerading(agent, checker);
  if (agent.is_on(kBpfMasquerade)) return check_bpf_masquerading(agent, checker);
  if (agent.is_on(kMasqAgent)) {
    checker.tell(rules::kCiliumMasquerade, kBpfMasquerade,
                 {"the agent does not start with ipMasqAgent and without bpf.masquerade"},
                 "set bpf.masquerade (the agent's enable-bpf-masquerade) to true");
    agent.set(kBpfMasquerade, "true");
    return;
  }
  if (!agent.get(kMasqInterfaces).empty()) return;
  checker.tell(rules::kCiliumMasquerade, kBpfMasquerade,
               {"the agent panics at its start: it knows no pod CIDR in this mode, so iptables can "
                "masquerade by interface only, and none is named"});
  agent.set(kBpfMasquerade, "true");
}

/// True when one of the networks is Cilium's with the built-in allocator, whose answers name no
/// uplink.
bool is_built_in(const Context& context) {
  const auto& networks = context.documents->networks;
  return std::any_of(networks.begin(), networks.end(), [](const Network& network) {
    const Json* plugin = find_plugin_of(network.json, "cilium-cni");
    return plugin != nullptr && uses_us(*plugin) && is_host_local(*object_member(*plugin, "ipam"));
  });
}

void check_uplink_routes(AgentSettings& agent, Checker& checker, const Context& context) {
  if (!agent.is_on(kUplinkRoutes)) return;
  if (masquerades(agent)) {
    checker.tell(
        rules::kCiliumUplink, kUplinkRoutes,
        {"with masquerading every ADD fails (\"empty cidrs\"): an IPAM plugin's answer has "
         "no place for the uplink's"});
  } else if (is_built_in(context)) {
    checker.tell(rules::kCiliumUplink, kUplinkRoutes,
                 {"every ADD fails (\"invalid mac\"): the built-in allocator names no uplink"});
  } else {
    return;
  }
  agent.set(kUplinkRoutes, "false");
}

/// Cilium's conflist in one of the ConfigMaps; nullptr when there is none.
const Network* mapped_conflist(const Context& context, std::string_view owner) {
  const auto& networks = context.documents->networks;
  const auto found = std::find_if(networks.begin(), networks.end(), [&](const Network& network) {
    return network.origin == Origin::config_map && (owner.empty() || network.owner == owner) &&
           find_plugin_of(network.json, "cilium-cni") != nullptr;
  });
  return found == networks.end() ? nullptr : &*found;
}

void check_conflist(AgentSettings& agent, Checker& checker, const Context& context) {
  const std::string_view map = agent.get(kConfigMap);
  if (!map.empty()) {
    const Network* network = mapped_conflist(context, map);
    if (network == nullptr || network->key == agent.get(kConfigMapKey)) return;
    checker.correct(rules::kCiliumMapKey, kConfigMapKey,
                    {"ConfigMap ", map, " has no key ", agent.get(kConfigMapKey)}, network->key);
    return;
  }
  if (agent.is_on(kCustomConf) || !agent.get(kReadConf).empty()) return;
  const Network* network = agent.is_map() ? nullptr : mapped_conflist(context, {});
  checker.tell(rules::kCiliumOwnConf, kCustomConf,
               {"the agent writes a conflist of its own, without any \"ipam\""});
  if (network == nullptr) {
    agent.set(kCustomConf, "true");
    return;
  }
  agent.set(kConfigMap, network->owner);
  if (network->key != agent.get(kConfigMapKey)) agent.set(kConfigMapKey, network->key);
}

void check_chaining(AgentSettings& agent, Checker& checker) {
  const std::string_view mode = agent.get(kChainingMode);
  if (mode != "none" && mode != "portmap") {
    checker.correct(rules::kCiliumChaining, kChainingMode,
                    {"chaining mode ", mode, ": another plugin hands out the addresses"}, "none");
  }
  if (!agent.get(kChainingTarget).empty()) {
    checker.correct(rules::kCiliumChaining, kChainingTarget,
                    {"a chaining target means chaining mode generic-veth"}, "");
  }
}

/// "--local-router-ipv6=fe80::" without quotes is an object: its last colon makes it a key.
void check_arguments(Json& values, const Report& report) {
  const auto& arguments = elements_at(values, "extraArgs");
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].is_object()) continue;
    report.found(rules::kTextExpected, {"/extraArgs/", std::to_string(i)},
                 {"must be text, but is an object: a colon ends it"}, "put it into quotes");
    const auto keys = keys_of(arguments[i]);
    if (keys.size() == 1) values["extraArgs"][i] = keys.front() + ":";
  }
}

}  // namespace

void check_cilium_agent(Part& part, const Context& context, const Report& report) {
  check_arguments(*part.json, report);
  AgentSettings agent(*part.json, part.kind);
  Checker checker(agent, report);
  const std::string_view mode = agent.get(kMode);
  if (mode != "delegated-plugin") {
    if (!context.has_cilium && !is_meant_for_plugin(agent)) return;
    checker.correct(rules::kCiliumMode, kMode,
                    {"in mode ", mode,
                     " the agent hands out the addresses itself, and our plugin gets DELs only"},
                    "delegated-plugin");
  }
  check_router(agent, checker);
  check_features(agent, checker);
  check_routing(agent, checker);
  check_masquerading(agent, checker);
  check_uplink_routes(agent, checker, context);
  check_conflist(agent, checker, context);
  check_chaining(agent, checker);
}

}  // namespace shim::validate
