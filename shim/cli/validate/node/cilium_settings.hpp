#pragma once
/// The settings of Cilium's agent, as Helm values or as the ConfigMap cilium-config that the chart
/// makes of them. Pure.
#include <string>
#include <string_view>

#include "shim/cli/validate/document/document.hpp"

namespace shim::validate {

/// One setting under both of its names.
struct Setting {
  std::string_view helm;    ///< path in the values; empty when the chart has none
  std::string_view option;  ///< the agent's own name for it
  std::string_view usual;   ///< its value when it is not given
};

namespace settings {

inline constexpr Setting kMode{"ipam/mode", "ipam", "cluster-pool"};
inline constexpr Setting kIpv4{"ipv4/enabled", "enable-ipv4", "true"};
inline constexpr Setting kIpv6{"ipv6/enabled", "enable-ipv6", "false"};
inline constexpr Setting kRouter4{"", "local-router-ipv4", ""};
inline constexpr Setting kRouter6{"", "local-router-ipv6", ""};
inline constexpr Setting kHealth{"endpointHealthChecking/enabled",
                                 "enable-endpoint-health-checking", "true"};
inline constexpr Setting kRouting{"routingMode", "routing-mode", "tunnel"};
inline constexpr Setting kNative4{"ipv4NativeRoutingCIDR", "ipv4-native-routing-cidr", ""};
inline constexpr Setting kNative6{"ipv6NativeRoutingCIDR", "ipv6-native-routing-cidr", ""};
inline constexpr Setting kMasquerade4{"enableIPv4Masquerade", "enable-ipv4-masquerade", "true"};
inline constexpr Setting kMasquerade6{"enableIPv6Masquerade", "enable-ipv6-masquerade", "true"};
inline constexpr Setting kBpfMasquerade{"bpf/masquerade", "enable-bpf-masquerade", "false"};
inline constexpr Setting kMasqInterfaces{"egressMasqueradeInterfaces",
                                         "egress-masquerade-interfaces", ""};
inline constexpr Setting kMasqSource{"enableMasqueradeRouteSource",
                                     "enable-masquerade-to-route-source", "false"};
inline constexpr Setting kUplinkRoutes{"ipam/installUplinkRoutesForDelegatedIPAM",
                                       "install-uplink-routes-for-delegated-ipam", "false"};
inline constexpr Setting kMasqAgent{"ipMasqAgent/enabled", "enable-ip-masq-agent", "false"};
inline constexpr Setting kCustomConf{"cni/customConf", "custom-cni-conf", "false"};
inline constexpr Setting kConfigMap{"cni/configMap", "", ""};
inline constexpr Setting kConfigMapKey{"cni/configMapKey", "", "cni-config"};
inline constexpr Setting kReadConf{"cni/readCniConf", "read-cni-conf", ""};
inline constexpr Setting kChainingMode{"cni/chainingMode", "cni-chaining-mode", "none"};
inline constexpr Setting kChainingTarget{"cni/chainingTarget", "cni-chaining-target", ""};

}  // namespace settings

/// The settings in one document. Texts are views into it.
class AgentSettings {
 public:
  AgentSettings(Json& json, PartKind kind)
      : json_(json), is_map_(kind == PartKind::cilium_config) {}

  /// What the agent will see: extraArgs before extraConfig before the chart's own value.
  [[nodiscard]] std::string_view get(const Setting& setting) const;
  [[nodiscard]] bool is_on(const Setting& setting) const { return get(setting) == "true"; }
  /// Where it is given, or where it would be.
  [[nodiscard]] std::string pointer(const Setting& setting) const;
  /// Changes it where it is given. `value` is "true", "false" or text.
  void set(const Setting& setting, std::string_view value);
  [[nodiscard]] bool is_map() const { return is_map_; }
  /// True when it is given under the agent's own name.
  [[nodiscard]] bool is_by_option(const Setting& setting) const;

 private:
  enum class Source : std::uint8_t { nowhere, argument, extra_config, value };
  struct Place {
    Source source;
    std::size_t argument;  // its index in extraArgs
    std::string_view text;
  };
  [[nodiscard]] Place find(const Setting& setting) const;

  Json& json_;
  bool is_map_;
};

/// True when the agent has a router address of its own, which is for an IPAM plugin of others only.
bool is_meant_for_plugin(const AgentSettings& agent);

}  // namespace shim::validate
