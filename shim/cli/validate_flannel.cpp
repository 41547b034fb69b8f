// Flannel's entry in a conflist: its `delegate` is the main plugin, not ours.
#include <algorithm>
#include <array>

#include "shim/cli/validate_edit.hpp"
#include "shim/cli/validate_network.hpp"

namespace shim::validate {
namespace {

constexpr std::array<std::string_view, 5> kIpamPlugins = {"host-local", "delegated-ipam", "dhcp",
                                                          "static", "whereabouts"};

void check_ipam_inside(PluginPlace& place) {
  Json& plugin = place.json();
  Json* delegate = object_member(plugin, "delegate");
  const Json* inner = find_member(*delegate, "ipam");
  if (inner == nullptr) return;
  place.found(rules::kFlannelIpamInside, {"/delegate/ipam"},
              {"Flannel refuses an \"ipam\" inside its \"delegate\""});
  const Json moved = *inner;
  erase_member(*delegate, "ipam");
  if (find_member(plugin, "ipam") != nullptr) return;
  plugin["ipam"] = moved;
  place.moves.push_back({"/ipam", place.report.below({"/delegate/ipam"})});
}

void check_name_inside(const PluginPlace& place) {
  Json& plugin = place.json();
  Json* delegate = object_member(plugin, "delegate");
  if (find_member(*delegate, "name") == nullptr) return;
  place.found(rules::kFlannelName, {"/delegate/name"},
              {"Flannel refuses a \"name\" inside its \"delegate\""});
  erase_member(*delegate, "name");
}

/// Our `delegate` in the place of Flannel's.
void check_delegate_type(PluginPlace& place) {
  Json& plugin = place.json();
  Json* delegate = object_member(plugin, "delegate");
  const std::string_view type = text_member(*delegate, "type");
  const bool is_ipam =
      std::find(kIpamPlugins.begin(), kIpamPlugins.end(), type) != kIpamPlugins.end();
  if (!is_ipam) return;
  place.found(rules::kFlannelDelegate, {"/delegate/type"},
              {type, " as Flannel's main plugin: it makes no interface"});
  const Json moved = *delegate;
  *delegate = object_of("hairpinMode", true);
  (*delegate)["isDefaultGateway"] = true;
  if (find_member(plugin, "ipam") == nullptr) plugin["ipam"] = object_of("type", "delegated-ipam");
  Json* ipam = object_member(plugin, "ipam");
  if (ipam == nullptr || find_member(*ipam, "delegate") != nullptr) return;
  (*ipam)["delegate"] = moved;
  place.moves.push_back({"/ipam/delegate", place.report.below({"/delegate"})});
}

}  // namespace

void check_flannel_entry(PluginPlace& place) {
  if (object_member(place.json(), "delegate") == nullptr) return;
  check_ipam_inside(place);
  check_name_inside(place);
  check_delegate_type(place);
}

void check_flannel_ipam(const PluginPlace& place) {
  Json& plugin = place.json();
  Json& ipam = *object_member(plugin, "ipam");
  if (find_member(ipam, "ranges") != nullptr) {
    place.found(rules::kFlannelRanges, {"/ipam/", spelled(ipam, "ranges")},
                {"Flannel overwrites them with this node's"});
    erase_member(ipam, "ranges");
  }
  for (const char* key : {"subnet", "rangeStart", "rangeEnd", "gateway"}) {
    if (find_member(ipam, key) == nullptr) continue;
    place.found(rules::kFlannelSubnet, {"/ipam/", spelled(ipam, key)},
                {"Flannel leaves it beside the node's ranges, on every node"});
    erase_member(ipam, key);
  }
  const std::string_view file = text_member(plugin, "subnetFile");
  const std::string clean = clean_path(file.empty() ? "/run/flannel/subnet.env" : file);
  if (!lies_in(clean, "/run") && !lies_in(clean, "/var/run") && !lies_in(clean, "/tmp")) return;
  place.found(rules::kFlannelSubnetEnv, {"/", spelled(plugin, "subnetFile")},
              {clean,
               " is gone after a reboot until flanneld has reached the API server, and "
               "Flannel refuses every pod until then"});
}

}  // namespace shim::validate
