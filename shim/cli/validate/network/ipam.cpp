// The `ipam` object: whose key goes where, and the folders.
#include <algorithm>
#include <array>
#include <span>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cni/conf/net_conf.hpp"
#include "shim/cni/conf/own_keys.hpp"

namespace shim::validate {
namespace {

void check_delegate_type(const PluginPlace& place, Json& ipam) {
  Json* delegate = object_member(ipam, "delegate");
  if (delegate == nullptr || text_member(*delegate, "type") != "delegated-ipam") return;
  place.found(rules::kDelegateSelf, {"/ipam/delegate/", spelled(*delegate, "type")},
              {"delegated-ipam would run itself"});
  set_member(*delegate, "type", "host-local");
}

void move_own_keys(const PluginPlace& place, Json& ipam) {
  const Json* inner = object_member(ipam, "delegate");
  if (inner == nullptr || !is_host_local(ipam)) return;
  for (const auto& key : keys_of(*inner)) {
    if (!is_own_key(key)) continue;
    place.found(rules::kOwnKeyInside, {"/ipam/delegate/", escaped(key)},
                {key, " is a key of delegated-ipam, not of host-local"});
    move_member(*object_member(ipam, "delegate"), key, ipam);
  }
}

/// Bindings are in stateDir: pods that return keep their addresses whatever becomes of dataDir. To
/// write another one while pods live would give their addresses away.
void warn_of_volatile_data_dir(const PluginPlace& place, const Json& block,
                               std::string_view pointer) {
  const std::string_view path = text_member(block, "dataDir");
  if (!is_volatile(path)) return;
  place.warned(rules::kVolatile, {pointer, "/", spelled(block, "dataDir")},
               {path,
                " is empty after a reboot: pods keep their addresses by stateDir, but callers "
                "without a pod's name, and pods of retain.exclude, begin anew"},
               "nothing has to be done; to move it, drain the node first, as live pods' addresses "
               "are known by it alone");
}

void check_data_dir(const PluginPlace& place, Json& block, std::string_view pointer) {
  warn_of_volatile_data_dir(place, block, pointer);
  const std::string path = clean_path(text_member(block, "dataDir"));
  const std::string_view name = text_member(place.network.json, "name");
  const std::string end = joined({"/", name});
  if (name.empty() || path == kDefaultDataDir || !path.ends_with(end)) return;
  place.found(rules::kDataDirJoined, {pointer, "/", spelled(block, "dataDir")},
              {"the network's name is added to dataDir: addresses are kept in ", path, "/", name,
               ", and those that host-local has left in ", path, " are not seen"});
  // The addresses of live pods are then in a folder below the network's own, where they still count
  // as in use; below that one nobody looks.
  const std::string above = path.substr(0, path.size() - end.size());
  if (!above.empty() && (above == kDefaultDataDir || !above.ends_with(end)))
    set_member(block, "dataDir", above);
}

void check_state_dir(const PluginPlace& place, Json& ipam) {
  const std::string_view path = text_member(ipam, "stateDir");
  if (is_volatile(path)) {
    place.found(rules::kVolatile, {"/ipam/", spelled(ipam, "stateDir")},
                {path, " is empty after a reboot, and with it what every pod had is forgotten"});
    set_member(ipam, "stateDir", std::string(kDefaultStateDir));
    return;
  }
  const std::string data_dir = data_dir_of(ipam);
  if (path.empty() || !lies_in(clean_path(path), data_dir)) return;
  place.found(rules::kStateInDataDir, {"/ipam/", spelled(ipam, "stateDir")},
              {path, " lies in dataDir ", data_dir});
}

void check_requests(const PluginPlace& place, const Json& ipam) {
  if (text_member(ipam, "requests") != "any") return;
  place.found(rules::kRequestsAny, {"/ipam/", spelled(ipam, "requests")},
              {"whoever may create a pod gets, by an annotation, the address that a pod of another "
               "namespace comes back to"});
}

constexpr std::array<std::string_view, 5> kIpamPlugins = {"host-local", "delegated-ipam", "dhcp",
                                                          "static", "whereabouts"};
/// Keys that only an IPAM plugin has, and those that only a main plugin has.
constexpr std::array<std::string_view, 6> kIpamKeys = {"ranges",   "subnet",  "rangeStart",
                                                       "rangeEnd", "dataDir", "resolvConf"};
constexpr std::array<std::string_view, 9> kMainKeys = {
    "ipam",   "bridge", "isGateway", "isDefaultGateway", "hairpinMode", "ipMasq",
    "master", "vlan",   "mtu"};

bool has_any_of(const Json& block, std::span<const std::string_view> keys) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](std::string_view key) { return find_member(block, key) != nullptr; });
}

}  // namespace

bool is_ipam_plugin(std::string_view type) {
  return std::find(kIpamPlugins.begin(), kIpamPlugins.end(), type) != kIpamPlugins.end();
}

bool is_ipam_block(const Json& block) {
  if (has_any_of(block, kMainKeys)) return false;
  const std::string_view type = text_member(block, "type");
  if (!type.empty()) return is_ipam_plugin(type);
  return has_any_of(block, kIpamKeys) || has_any_of(block, own_keys());
}

bool is_meta_plugin(const Json& plugin) {
  const Json* delegate = object_member(plugin, "delegate");
  return delegate != nullptr && !is_ipam_block(*delegate);
}

std::string data_dir_of(const Json& ipam) {
  const Json* delegate = object_member(ipam, "delegate");
  std::string_view path = delegate == nullptr ? "" : text_member(*delegate, "dataDir");
  if (path.empty()) path = text_member(ipam, "dataDir");
  return clean_path(path.empty() ? kDefaultDataDir : path);
}

bool is_host_local(const Json& ipam) {
  const Json* delegate = object_member(ipam, "delegate");
  if (delegate == nullptr) return true;
  const std::string_view type = text_member(*delegate, "type");
  return type.empty() || type == "host-local" || type == "delegated-ipam";
}

void check_ipam(const PluginPlace& place) {
  Json& ipam = *object_member(place.json(), "ipam");
  check_delegate_type(place, ipam);
  move_own_keys(place, ipam);
  check_data_dir(place, ipam, "/ipam");
  if (Json* delegate = object_member(ipam, "delegate"); delegate != nullptr && is_host_local(ipam))
    check_data_dir(place, *delegate, "/ipam/delegate");
  check_state_dir(place, ipam);
  check_requests(place, ipam);
}

}  // namespace shim::validate
