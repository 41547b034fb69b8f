// Flannel's entry in a conflist: its `delegate` is the main plugin, not ours.
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"

namespace shim::validate {
namespace {

void check_ipam_inside(PluginPlace& place) {
  Json& plugin = place.json();
  Json* delegate = object_member(plugin, "delegate");
  if (find_member(*delegate, "ipam") == nullptr) return;
  const std::string key(spelled(*delegate, "ipam"));
  place.found(rules::kFlannelIpamInside, {"/delegate/", key},
              {"Flannel refuses an \"ipam\" inside its \"delegate\""});
  Json block = *delegate;
  Json outer = plugin;
  if (!move_member(block, key, outer)) return;
  set_member(outer, "delegate", std::move(block));
  plugin = std::move(outer);
  place.moved("/ipam", "/delegate/" + key);
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
void check_flannel_delegate(PluginPlace& place) {
  Json& plugin = place.json();
  Json* delegate = object_member(plugin, "delegate");
  const std::string_view type = text_member(*delegate, "type");
  if (!is_ipam_plugin(type)) return;
  place.found(rules::kFlannelDelegate, {"/delegate/type"},
              {type, " as Flannel's main plugin: it makes no interface"});
  const Json* given = find_member(plugin, "ipam");
  Json ipam = given == nullptr ? object_of("type", "delegated-ipam") : *given;
  if (!ipam.is_object() || find_member(ipam, "delegate") != nullptr) return;
  ipam["delegate"] = *delegate;
  *delegate = object_of("hairpinMode", true);
  (*delegate)["isDefaultGateway"] = true;
  set_member(plugin, "ipam", std::move(ipam));
  place.moved("/ipam/delegate", "/delegate");
}

}  // namespace

void check_flannel_entry(PluginPlace& place) {
  if (object_member(place.json(), "delegate") == nullptr) return;
  check_ipam_inside(place);
  check_name_inside(place);
  check_flannel_delegate(place);
}

void check_flannel_ipam(const PluginPlace& place) {
  Json& plugin = place.json();
  Json& ipam = *object_member(plugin, "ipam");
  if (find_member(ipam, "ranges") != nullptr) {
    place.found(rules::kFlannelRanges, {"/ipam/", spelled(ipam, "ranges")},
                {"Flannel overwrites them with this node's"});
  }
  for (const char* key : {"subnet", "rangeStart", "rangeEnd", "gateway"}) {
    if (find_member(ipam, key) == nullptr) continue;
    place.found(rules::kFlannelSubnet, {"/ipam/", spelled(ipam, key)},
                {"Flannel leaves it beside the node's ranges, on every node"});
    erase_member(ipam, key);
  }
  const std::string_view file = text_member(plugin, "subnetFile");
  const std::string clean = clean_path(file.empty() ? "/run/flannel/subnet.env" : file);
  if (!is_volatile(clean)) return;
  place.found(rules::kFlannelSubnetEnv, {"/", spelled(plugin, "subnetFile")},
              {clean,
               " is gone after a reboot until flanneld has reached the API server, and "
               "Flannel refuses every pod until then"});
}

}  // namespace shim::validate
