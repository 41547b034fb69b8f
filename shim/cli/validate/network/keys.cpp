// Keys that nobody reads, as they are misspelled.
#include <algorithm>
#include <array>
#include <cctype>
#include <span>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/document/shapes.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cni/conf/own_keys.hpp"

namespace shim::validate {
namespace {

using Keys = std::span<const KnownKey>;

constexpr std::string_view kOurType = "delegated-ipam";
constexpr std::size_t kLongest = 32;  ///< longer ones resemble no key of ours
constexpr std::array<KnownKey, 15> kOwn = {{{"inProcess", Shape::flag},
                                            {"retain", Shape::flag_or_object},
                                            {"exclude", Shape::spans},
                                            {"pins", Shape::object},
                                            {"rangesFrom", Shape::object},
                                            {"ipFamilies", Shape::families},
                                            {"onDuplicate", Shape::text},
                                            {"requests", Shape::text},
                                            {"stateDir", Shape::path},
                                            {"durability", Shape::text},
                                            {"timeoutSeconds", Shape::number},
                                            {"keepInterfaces", Shape::flag},
                                            {"logFile", Shape::path},
                                            {"logLevel", Shape::text},
                                            {"logOptions", Shape::object}}};
constexpr std::array<KnownKey, 10> kHostLocal = {{{"type", Shape::text},
                                                  {"ranges", Shape::sets},
                                                  {"subnet", Shape::block},
                                                  {"rangeStart", Shape::address},
                                                  {"rangeEnd", Shape::address},
                                                  {"gateway", Shape::address},
                                                  {"routes", Shape::objects},
                                                  {"dataDir", Shape::path},
                                                  {"resolvConf", Shape::path},
                                                  {"delegate", Shape::object}}};
constexpr std::array<KnownKey, 4> kRange = {{{"subnet", Shape::block},
                                             {"rangeStart", Shape::address},
                                             {"rangeEnd", Shape::address},
                                             {"gateway", Shape::address}}};
constexpr std::array<KnownKey, 7> kRoute = {{{"dst", Shape::block},
                                             {"gw", Shape::address},
                                             {"mtu", Shape::number},
                                             {"advmss", Shape::number},
                                             {"priority", Shape::number},
                                             {"table", Shape::number},
                                             {"scope", Shape::number}}};
constexpr std::array<KnownKey, 2> kRetain = {
    {{"requireSameUID", Shape::flag}, {"exclude", Shape::texts}}};
constexpr std::array<KnownKey, 4> kRangesFrom = {{{"subnetFile", Shape::path},
                                                  {"nodesDir", Shape::path},
                                                  {"node", Shape::text},
                                                  {"yurthubNode", Shape::text}}};
constexpr std::array<KnownKey, 2> kLogOptions = {
    {{"maxSize", Shape::number}, {"maxBackups", Shape::number}}};

/// What a key is called elsewhere, however few letters the two have in common.
struct Alias {
  std::string_view key;
  std::string_view known;
};
constexpr std::array<Alias, 11> kAliases = {{{"range", "subnet"},
                                             {"subnets", "subnet"},
                                             {"cidr", "subnet"},
                                             {"podCIDR", "subnet"},
                                             {"start", "rangeStart"},
                                             {"end", "rangeEnd"},
                                             {"gw", "gateway"},
                                             {"gateway", "gw"},
                                             {"ipFamily", "ipFamilies"},
                                             {"destination", "dst"},
                                             {"to", "dst"}}};

/// Without what people get wrong most: letter case and separators.
std::string plain(std::string_view key) {
  std::string text;
  for (const char c : key) {
    if (c != '_' && c != '-')
      text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

/// The number of letters to add, remove, replace, or to swap with their neighbour.
std::size_t distance(const std::string& from, const std::string& to) {
  std::array<std::array<std::size_t, kLongest + 1>, kLongest + 1> rows{};
  for (std::size_t j = 1; j <= to.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    rows[i][0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = rows[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[from.size()][to.size()];
}

bool is_near(std::string_view key, std::string_view wanted) {
  if (key.size() > kLongest) return false;
  const std::size_t most = wanted.size() < 8 ? 1 : 2;
  const std::string from = plain(key);
  const std::string to = plain(wanted);
  const bool differs_in_length = from.size() > to.size() + most || to.size() > from.size() + most;
  return !differs_in_length && distance(from, to) <= most;
}

bool contains(Keys keys, std::string_view key) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const KnownKey& known) { return same_key(known.name, key); });
}

bool is_alias(std::string_view key, std::string_view known) {
  return std::any_of(kAliases.begin(), kAliases.end(), [&](const Alias& one) {
    return same_key(one.key, key) && one.known == known;
  });
}

/// Which key is meant, and the value as it has to be there.
struct Meant {
  const KnownKey* known = nullptr;  ///< nullptr: none is like it
  std::optional<Json> value;        ///< nullopt: it cannot be that key's
};

Meant meant_by(std::string_view key, const Json& value, Keys first, Keys second) {
  Meant near;
  for (const bool by_alias : {true, false}) {
    for (const Keys keys : {first, second}) {
      for (const KnownKey& known : keys) {
        if (by_alias ? !is_alias(key, known.name) : !is_near(key, known.name)) continue;
        if (auto fitting = in_shape(value, known.shape)) return {&known, std::move(fitting)};
        if (!by_alias && near.known == nullptr) near.known = &known;
      }
    }
  }
  return near;
}

/// In the same place among its siblings; false when it is there already.
bool replace_key(Json& object, const std::string& from, std::string_view to,
                 const Json& new_value) {
  if (find_member(object, to) != nullptr) return false;
  Json renamed = Json::object();
  for (const auto& [key, value] : entries(object)) {
    if (key == from) {
      renamed[std::string(to)] = new_value;
    } else {
      renamed[key] = value;
    }
  }
  object = std::move(renamed);
  return true;
}

void correct_key(PluginPlace& place, Json& object, const std::string& pointer,
                 const std::string& key, const Meant& meant) {
  const std::string_view wanted = meant.known->name;
  const bool has_its_shape = *meant.value == object.at(key);
  place.found(rules::kKeyTypo, {pointer, "/", escaped(key)},
              {key, " is a key that nobody reads; did you mean ", wanted, "?"},
              joined({"write \"", wanted, "\"", has_its_shape ? "" : " with ",
                      has_its_shape ? "" : shape_name(meant.known->shape)}));
  if (replace_key(object, key, wanted, *meant.value))
    place.moved(joined({pointer, "/", wanted}), pointer + "/" + escaped(key));
}

void tell_of_likeness(const PluginPlace& place, const std::string& pointer, const std::string& key,
                      const KnownKey& known) {
  place.found(
      rules::kKeyTypo, {pointer, "/", escaped(key)},
      {key, " is a key that nobody reads; ", known.name, ", which it resembles, is ",
       shape_name(known.shape)},
      joined({"write \"", known.name, "\" with ", shape_name(known.shape), ", or remove it"}));
}

/// A second source of ranges would make a second address for each pod.
bool adds_ranges(const PluginPlace& place, std::string_view pointer, std::string_view key) {
  const bool is_inside = pointer.find("/ranges/") != std::string_view::npos;
  return !is_inside && (key == "ranges" || key == "subnet") && has_ranges(place);
}

/// `second`: more keys that are known.
void check_object(PluginPlace& place, Json* object, const std::string& pointer, Keys first,
                  Keys second = {}) {
  if (object == nullptr || !object->is_object()) return;
  // A copy, as corrections rename keys; a look-up would compare all of them.
  const Json::object_t as_found = entries(*object);
  for (const auto& [key, value] : as_found) {
    const bool is_known = contains(first, key) || contains(second, key);
    if (is_known || (!second.empty() && is_own_key(key)) || value.is_null()) continue;
    const Meant meant = meant_by(key, value, first, second);
    const bool is_of_ranges =
        meant.known != nullptr && adds_ranges(place, pointer, meant.known->name);
    if (meant.value && !is_of_ranges) {
      correct_key(place, *object, pointer, key, meant);
    } else if (meant.known != nullptr && !is_strangers_key(key)) {
      tell_of_likeness(place, pointer, key, *meant.known);
    } else {
      tell_of_stranger(place, pointer, key);
    }
  }
}

void check_list(PluginPlace& place, Json& list, const std::string& pointer, Keys first,
                Keys second = {}) {
  for (std::size_t i = 0; list.is_array() && i < list.size(); ++i)
    check_object(place, &list.at(i), pointer + "/" + std::to_string(i), first, second);
}

/// What a range has no use for, but `ipam` has: told of when it is moved there.
Keys known_elsewhere() {
  static const std::vector<KnownKey> keys = [] {
    std::vector<KnownKey> all(kOwn.begin(), kOwn.end());
    for (const KnownKey& known : kHostLocal) {
      if (is_block_key(known.name)) all.push_back(known);
    }
    return all;
  }();
  return keys;
}

/// What lies in the lists of a block.
void check_lists(PluginPlace& place, Json& block, const std::string& pointer) {
  if (Json* sets = member(block, "ranges"); sets != nullptr && sets->is_array()) {
    for (std::size_t i = 0; i < sets->size(); ++i)
      check_list(place, sets->at(i), pointer + "/ranges/" + std::to_string(i), kRange,
                 known_elsewhere());
  }
  if (Json* routes = member(block, "routes"))
    check_list(place, *routes, pointer + "/routes", kRoute);
}

/// A key that is meant to be `type`; empty when there is none.
std::string misspelled_type(const Json& ipam) {
  for (const auto& [key, value] : entries(ipam)) {
    const bool is_known = is_own_key(key) || contains(kHostLocal, key);
    if (!is_known && value.is_string() && is_near(key, "type")) return key;
  }
  return {};
}

}  // namespace

void check_type(PluginPlace& place) {
  Json* ipam = object_member(place.json(), "ipam");
  if (ipam == nullptr) return;
  const auto& members = entries(*ipam);
  const bool is_meant = std::any_of(members.begin(), members.end(), [](const auto& entry) {
    return is_own_key(entry.first) || same_key(entry.first, "delegate");
  });
  const std::string other = misspelled_type(*ipam);
  if (text_member(*ipam, "type").empty() && is_meant && !other.empty())
    correct_key(place, *ipam, "/ipam", other, {&kHostLocal.front(), ipam->at(other)});
  const std::string_view type = text_member(*ipam, "type");
  if (type.empty() && is_meant) {
    place.found(rules::kTypeTypo, {"/ipam/type"}, {"\"ipam\" has no type"});
    set_member(*ipam, "type", std::string(kOurType));
    return;
  }
  if (type == kOurType || !is_near(type, kOurType)) return;
  place.found(rules::kTypeTypo, {"/ipam/", spelled(*ipam, "type")},
              {"no IPAM plugin is called ", type, "; did you mean delegated-ipam?"});
  set_member(*ipam, "type", std::string(kOurType));
}

void check_keys(PluginPlace& place) {
  Json* ipam = object_member(place.json(), "ipam");
  if (ipam == nullptr || !uses_us(place.json())) return;
  if (find_member(*ipam, "delegate") == nullptr || is_host_local(*ipam))
    check_object(place, ipam, "/ipam", kOwn, kHostLocal);
  check_object(place, member(*ipam, "retain"), "/ipam/retain", kRetain);
  check_object(place, member(*ipam, "rangesFrom"), "/ipam/rangesFrom", kRangesFrom);
  check_object(place, member(*ipam, "logOptions"), "/ipam/logOptions", kLogOptions);
  Json* delegate = object_member(*ipam, "delegate");
  if (!is_host_local(*ipam)) return;
  check_lists(place, *ipam, "/ipam");
  if (delegate == nullptr) return;
  check_object(place, delegate, "/ipam/delegate", kHostLocal, kOwn);
  check_lists(place, *delegate, "/ipam/delegate");
}

}  // namespace shim::validate
