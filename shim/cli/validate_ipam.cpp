// The `ipam` object: whose key goes where, and the folders.
#include <algorithm>
#include <array>

#include "shim/cli/validate_edit.hpp"
#include "shim/cli/validate_network.hpp"
#include "shim/cni/net_conf.hpp"
#include "shim/cni/own_keys.hpp"

namespace shim::validate {
namespace {

/// What does not survive a reboot, on any distribution.
constexpr std::array<std::string_view, 4> kVolatileFolders = {"/run", "/var/run", "/tmp",
                                                              "/dev/shm"};

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
    Json& delegate = *object_member(ipam, "delegate");
    const Json* value = find_member(delegate, key);
    Json moved = value == nullptr ? Json() : *value;
    erase_member(delegate, key);
    if (find_member(ipam, key) == nullptr && !moved.is_null()) ipam[key] = std::move(moved);
  }
}

bool is_volatile(std::string_view path) {
  const std::string clean = clean_path(path);
  return std::any_of(kVolatileFolders.begin(), kVolatileFolders.end(),
                     [&](std::string_view folder) { return lies_in(clean, folder); });
}

/// True when the key had to go.
bool check_volatile(const PluginPlace& place, Json& block, std::string_view pointer,
                    const char* key) {
  const std::string_view path = text_member(block, key);
  if (!is_volatile(path)) return false;
  place.found(rules::kVolatile, {pointer, "/", spelled(block, key)},
              {path, " is empty after a reboot: every pod gets another address"});
  erase_member(block, key);
  return true;
}

void check_data_dir(const PluginPlace& place, Json& block, std::string_view pointer) {
  if (check_volatile(place, block, pointer, "dataDir")) return;
  const std::string path = clean_path(text_member(block, "dataDir"));
  const std::string_view name = text_member(place.network.json, "name");
  const std::string end = joined({"/", name});
  if (name.empty() || path == kDefaultDataDir || !path.ends_with(end)) return;
  place.found(rules::kDataDirJoined, {pointer, "/", spelled(block, "dataDir")},
              {"the network's name is added to dataDir: addresses are kept in ", path, "/", name,
               ", and those that host-local has left in ", path, " are not seen"});
  std::string above = path;
  while (above.ends_with(end) && above != kDefaultDataDir) above.resize(above.size() - end.size());
  if (above.empty() || above == kDefaultDataDir) {
    erase_member(block, "dataDir");
  } else {
    set_member(block, "dataDir", above);
  }
}

void check_state_dir(const PluginPlace& place, Json& ipam) {
  if (check_volatile(place, ipam, "/ipam", "stateDir")) return;
  const std::string_view path = text_member(ipam, "stateDir");
  const std::string data_dir = data_dir_of(ipam);
  if (path.empty() || !lies_in(clean_path(path), data_dir)) return;
  place.found(rules::kStateInDataDir, {"/ipam/", spelled(ipam, "stateDir")},
              {path, " lies in dataDir ", data_dir});
  erase_member(ipam, "stateDir");
}

}  // namespace

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
}

}  // namespace shim::validate
