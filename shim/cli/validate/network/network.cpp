#include "shim/cli/validate/network/network.hpp"

#include <algorithm>

#include "shim/cli/validate/document/duplicates.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/conf/own_keys.hpp"

namespace shim::validate {
namespace {

/// An `ipam` beside `plugins`: nobody reads it there. Returns where the first plugin's came from.
std::vector<PluginPlace::Move> check_ipam_place(Network& network, const Report& report) {
  const Json* ipam = object_member(network.json, "ipam");
  if (network.is_single || ipam == nullptr) return {};
  report.found(rules::kIpamOutside, {"/", spelled(network.json, "ipam")},
               {"it stands beside \"plugins\", where no plugin sees it"});
  const std::string key(spelled(network.json, "ipam"));
  if (!move_member(network.json, key, member(network.json, "plugins")->front())) return {};
  return {{"/ipam", report.below({"/", key})}};
}

/// False when the list is none.
bool check_plugins(const Network& network, const Report& report) {
  const Json* value = find_member(network.json, "plugins");
  const auto& plugins = elements(network.json, "plugins");
  if (plugins.empty()) {
    report.found(rules::kPlugins, {"/", spelled(network.json, "plugins")},
                 {value == nullptr || value->is_array() ? "the list has no plugin"
                                                        : must_be("a list", *value)});
    return false;
  }
  bool valid = true;
  for (std::size_t i = 0; i < plugins.size(); ++i) {
    const Json& plugin = plugins[i];
    if (!text_member(plugin, "type").empty()) continue;
    valid = valid && plugin.is_object();
    report.found(rules::kPlugins, {network.plugin_pointer(i)},
                 {plugin.is_object() ? "the plugin has no type" : must_be("an object", plugin)});
  }
  return valid;
}

/// The common mistake of a `delegate` of ours that is not in `ipam`. Main plugins may have one of
/// their own.
void check_delegate_place(PluginPlace& place) {
  Json& plugin = place.json();
  const Json* delegate = object_member(plugin, "delegate");
  if (place.is_flannel() || delegate == nullptr || !uses_us(plugin) || !is_ipam_block(*delegate))
    return;
  const std::string key(spelled(plugin, "delegate"));
  place.found(rules::kDelegateOutside, {"/", key},
              {"it stands beside \"ipam\", where delegated-ipam does not see it"});
  if (move_member(plugin, key, *object_member(plugin, "ipam")))
    place.moved("/ipam/delegate", "/" + key);
}

/// Plugins read these objects, and take no notice of letter case.
void check_letter_cases(const PluginPlace& place) {
  const Json& plugin = place.json();
  check_letter_case(plugin, place.report);
  const Json* ipam = object_member(plugin, "ipam");
  if (ipam == nullptr || !uses_us(plugin)) return;
  const Report report = place.report.below({"/ipam"});
  check_letter_case(*ipam, report);
  for (const char* key : {"delegate", "retain", "rangesFrom", "logOptions"}) {
    if (const Json* inner = object_member(*ipam, key))
      check_letter_case(*inner, report.below({"/", spelled(*ipam, key)}));
  }
}

void check_plugin(PluginPlace& place) {
  check_letter_cases(place);
  if (place.type == "delegated-ipam") {
    place.found(rules::kMainIsIpam, {"/", spelled(place.json(), "type")},
                {"delegated-ipam hands out addresses; it makes no interface"});
    return;
  }
  if (place.is_flannel()) check_flannel_entry(place);
  check_type(place);
  if (place.is_cilium()) check_cilium_entry(place);
  check_delegate_place(place);
  const Json* ipam = find_member(place.json(), "ipam");
  if (ipam != nullptr && !ipam->is_object()) {
    place.found(rules::kRefused, {"/ipam"}, {must_be("an object", *ipam)},
                "write {\"type\": \"delegated-ipam\", \"delegate\": {...}}");
    return;
  }
  check_beside_ipam(place);
  check_keys(place);
  if (!uses_us(place.json())) return;
  check_misplaced(place);
  if (place.is_flannel()) check_flannel_ipam(place);
  check_ipam(place);
  check_range_edges(place);
  check_ranges(place);
  ask_plugin(place);
}

/// kube-flannel writes its ConfigMap's text over this file at every start.
void check_owned_file(const Network& network, File& file, const Report& report) {
  if (!network.is_rewritten || !uses_us(network)) return;
  report.found(rules::kFlannelOwned, {},
               {"kube-flannel and k3s write this file anew whenever they start"});
  file.as_config_map = true;
}

}  // namespace

Json& PluginPlace::json() const { return member(network.json, "plugins")->at(index); }

const Report& PluginPlace::origin_of(std::string_view& pointer) const {
  for (auto move = moves.rbegin(); move != moves.rend(); ++move) {
    if (!lies_in(pointer, move->to)) continue;
    pointer.remove_prefix(move->to.size());
    return move->from;
  }
  return report;
}

bool PluginPlace::is_on(std::string_view key) const {
  const Json* value = find_member(json(), key);
  return value != nullptr && scalar_text(*value) == "true";
}

void PluginPlace::moved(std::string to, std::string_view from) {
  const Report& where = origin_of(from);
  moves.push_back({std::move(to), where.below({from})});
}

void PluginPlace::found(const Rule& rule, Words pointer, Words message,
                        std::string_view fix) const {
  const std::string here = joined(pointer);
  std::string_view there = here;
  const Report& where = origin_of(there);
  where.found(rule, {there}, message, fix);
}

void PluginPlace::warned(const Rule& rule, Words pointer, Words message,
                         std::string_view fix) const {
  const std::string here = joined(pointer);
  std::string_view there = here;
  const Report& where = origin_of(there);
  where.warned(rule, {there}, message, fix);
}

bool uses_us(const Json& plugin) {
  const Json* ipam = object_member(plugin, "ipam");
  if (ipam == nullptr) return false;
  const std::string_view type = text_member(*ipam, "type");
  if (type != "host-local") return type == "delegated-ipam";
  const auto& members = entries(*ipam);
  return std::any_of(members.begin(), members.end(), [](const auto& entry) {
    return is_own_key(entry.first) || same_key(entry.first, "delegate");
  });
}

bool uses_us(const Network& network) {
  const auto& plugins = elements(network.json, "plugins");
  return std::any_of(plugins.begin(), plugins.end(), [](const Json& one) { return uses_us(one); });
}

const Json* find_plugin_of(const Json& list, std::string_view type) {
  for (const Json& plugin : elements(list, "plugins")) {
    if (text_member(plugin, "type") == type) return &plugin;
  }
  return nullptr;
}

void check_network(Network& network, Documents& documents, const Wishes& wishes,
                   const Report& report) {
  File& file = documents.files[network.file];
  network.is_rewritten = file.base == "10-flannel.conflist" && network.origin == Origin::file;
  if (!check_form(network, documents, report)) return;
  if (!check_plugins(network, report)) return;
  const auto moves = check_ipam_place(network, report);
  for (std::size_t i = 0; i < elements(network.json, "plugins").size(); ++i) {
    const std::string type(text_member(elements(network.json, "plugins")[i], "type"));
    PluginPlace place{network,
                      i,
                      type,
                      wishes,
                      report,
                      report.below({network.plugin_pointer(i)}),
                      i == 0 ? moves : std::vector<PluginPlace::Move>{}};
    check_plugin(place);
  }
  check_owned_file(network, file, report);
}

}  // namespace shim::validate
