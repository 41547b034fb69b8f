#include "shim/cli/validate/document/recognition.hpp"

#include <algorithm>
#include <array>

#include "shim/cli/validate/document/edit.hpp"

namespace shim::validate {
namespace {

/// Keys at the top of the values of Cilium's chart that no other chart has.
constexpr std::array<std::string_view, 14> kCiliumValues = {"routingMode",
                                                            "endpointHealthChecking",
                                                            "ipv4NativeRoutingCIDR",
                                                            "endpointRoutes",
                                                            "ipMasqAgent",
                                                            "ipv6NativeRoutingCIDR",
                                                            "bpf",
                                                            "kubeProxyReplacement",
                                                            "k8sServiceHost",
                                                            "enableIPv4Masquerade",
                                                            "autoDirectNodeRoutes",
                                                            "tunnelProtocol",
                                                            "hubble",
                                                            "gatewayAPI"};

bool is_multus_plugin(const Json& plugin) {
  const std::string_view type = text_member(plugin, "type");
  return type == "multus" || type == "multus-shim";
}

void add_delegates(const Json& plugin, const std::string& place,
                   std::vector<std::string>& pointers) {
  const auto& delegates = elements(plugin, "delegates");
  for (std::size_t i = 0; is_multus_plugin(plugin) && i < delegates.size(); ++i) {
    if (!delegates[i].is_object()) continue;
    pointers.push_back(joined({place, "/", spelled(plugin, "delegates"), "/", std::to_string(i)}));
  }
}

}  // namespace

bool looks_like_conf(const Json& value) {
  const Json* ipam = object_member(value, "ipam");
  return find_member(value, "plugins") != nullptr || find_member(value, "cniVersion") != nullptr ||
         !text_member(value, "type").empty() ||
         (ipam != nullptr && !text_member(*ipam, "type").empty());
}

bool is_single_conf(const Json& conf) {
  if (find_member(conf, "plugins") != nullptr) return false;
  return find_member(conf, "type") != nullptr || find_member(conf, "ipam") != nullptr ||
         find_member(conf, "name") == nullptr;
}

bool has_place_for_ipam(const Json& conf) {
  const std::string_view type = text_member(conf, "type");
  return find_member(conf, "plugins") != nullptr || find_member(conf, "ipam") != nullptr ||
         type == "flannel" || type == "cilium-cni";
}

bool looks_like_conf_text(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{') return false;
  const Words keys = {"\"plugins\"", "\"cniVersion\"", "\"ipam\""};
  return std::any_of(keys.begin(), keys.end(), [&](std::string_view key) {
    return text.find(key) != std::string_view::npos;
  });
}

bool looks_like_cilium_values(const Json& value) {
  const Json* cni = at_path(value, "cni");
  if (at_path(value, "ipam/mode") != nullptr || (cni != nullptr && cni->is_object())) return true;
  return std::any_of(kCiliumValues.begin(), kCiliumValues.end(),
                     [&](std::string_view key) { return at_path(value, key) != nullptr; });
}

std::vector<std::string> delegates_of_multus(const Json& conf) {
  std::vector<std::string> pointers;
  add_delegates(conf, "", pointers);
  const auto& plugins = elements(conf, "plugins");
  for (std::size_t i = 0; i < plugins.size(); ++i) {
    add_delegates(plugins[i], joined({"/", spelled(conf, "plugins"), "/", std::to_string(i)}),
                  pointers);
  }
  return pointers;
}

}  // namespace shim::validate
