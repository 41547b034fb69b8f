#include "shim/cli/inspect/plan/conf_change.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shim/cli/subnet_option.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

using validate::member;
using validate::object_member;

void erase_ranges(Json& block) {
  for (const char* key : {"ranges", "subnet", "rangeStart", "rangeEnd", "gateway", "rangesFrom"})
    erase_member(block, key);
}

/// In `ipam` itself, where the plugin's block inherits them.
void replace_ranges(const std::vector<std::string>& subnets, Json& ipam) {
  Json sets = make_range_sets(read_subnets(subnets));
  erase_ranges(ipam);
  if (Json* delegate = object_member(ipam, "delegate")) erase_ranges(*delegate);
  set_member(ipam, "ranges", std::move(sets));
}

void add_excludes(const std::vector<std::string>& excludes, Json& ipam) {
  if (find_member(ipam, "exclude") == nullptr) set_member(ipam, "exclude", Json::array());
  Json& list = *member(ipam, "exclude");
  if (!list.is_array()) return;
  for (const auto& one : excludes) list.push_back(one);
}

void add_pins(const std::vector<std::string>& pins, Json& ipam) {
  if (find_member(ipam, "pins") == nullptr) set_member(ipam, "pins", Json::object());
  Json& object = *member(ipam, "pins");
  const bool is_sound =
      object.is_object() && std::all_of(object.begin(), object.end(),
                                        [](const Json& addresses) { return addresses.is_array(); });
  if (!is_sound) return;
  for (const auto& one : pins) add_pin(one, object);
}

}  // namespace

void apply(const ConfChange& change, Json& plugin) {
  Json* ipam = object_member(plugin, "ipam");
  if (ipam == nullptr) return;
  if (!change.subnets.empty()) replace_ranges(change.subnets, *ipam);
  if (!change.excludes.empty()) add_excludes(change.excludes, *ipam);
  if (!change.pins.empty()) add_pins(change.pins, *ipam);
}

}  // namespace shim::inspect
