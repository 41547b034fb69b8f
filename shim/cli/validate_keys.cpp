// Keys that nobody reads, as they are misspelled.
#include <algorithm>
#include <array>
#include <cctype>
#include <span>

#include "shim/cli/validate_edit.hpp"
#include "shim/cli/validate_network.hpp"
#include "shim/cni/own_keys.hpp"

namespace shim::validate {
namespace {

using Keys = std::span<const std::string_view>;

constexpr std::string_view kOurType = "delegated-ipam";
constexpr std::size_t kLongest = 32;  ///< longer ones resemble no key of ours
constexpr std::array<std::string_view, 10> kHostLocal = {
    "type",    "ranges", "subnet",  "rangeStart", "rangeEnd",
    "gateway", "routes", "dataDir", "resolvConf", "delegate"};
constexpr std::array<std::string_view, 4> kRange = {"subnet", "rangeStart", "rangeEnd", "gateway"};
constexpr std::array<std::string_view, 2> kRetain = {"requireSameUID", "exclude"};
constexpr std::array<std::string_view, 4> kRangesFrom = {"subnetFile", "nodesDir", "node",
                                                         "yurthubNode"};
constexpr std::array<std::string_view, 2> kLogOptions = {"maxSize", "maxBackups"};

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
  return distance(plain(key), plain(wanted)) <= (wanted.size() < 8 ? 1U : 2U);
}

bool contains(Keys keys, std::string_view key) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](std::string_view known) { return same_key(known, key); });
}

std::string_view nearest(std::string_view key, Keys first, Keys second) {
  for (const Keys keys : {first, second}) {
    const auto found = std::find_if(keys.begin(), keys.end(),
                                    [&](std::string_view known) { return is_near(key, known); });
    if (found != keys.end()) return *found;
  }
  return {};
}

void rename(Json& object, const std::string& from, const std::string& to) {
  if (find_member(object, to) != nullptr) return;
  Json renamed = Json::object();
  for (const auto& [key, value] : entries(object)) renamed[key == from ? to : key] = value;
  object = std::move(renamed);
}

void correct_key(const PluginPlace& place, Json& object, const std::string& pointer,
                 const std::string& key, const std::string& wanted) {
  place.found(rules::kKeyTypo, {pointer, "/", escaped(key)},
              {key, " is a key that nobody reads; did you mean ", wanted, "?"},
              "write \"" + wanted + "\"");
  rename(object, key, wanted);
}

/// `second`: more keys that are known.
void check_object(const PluginPlace& place, Json* object, const std::string& pointer, Keys first,
                  Keys second = {}) {
  if (object == nullptr || !object->is_object()) return;
  for (const auto& key : keys_of(*object)) {
    if (contains(first, key) || contains(second, key)) continue;
    const std::string wanted(nearest(key, first, second));
    if (wanted.empty()) continue;
    correct_key(place, *object, pointer, key, wanted);
  }
}

void check_sets(const PluginPlace& place, Json& block, const std::string& pointer) {
  Json* sets = member(block, "ranges");
  if (sets == nullptr || !sets->is_array()) return;
  for (std::size_t i = 0; i < sets->size(); ++i) {
    Json& set = sets->at(i);
    for (std::size_t j = 0; set.is_array() && j < set.size(); ++j) {
      check_object(place, &set.at(j),
                   pointer + "/ranges/" + std::to_string(i) + "/" + std::to_string(j), kRange);
    }
  }
}

/// A key that is meant to be `type`; empty when there is none.
std::string misspelled_type(const Json& ipam) {
  for (const auto& [key, value] : entries(ipam)) {
    const bool is_known = contains(own_keys(), key) || contains(kHostLocal, key);
    if (!is_known && value.is_string() && is_near(key, "type")) return key;
  }
  return {};
}

}  // namespace

void check_type(const PluginPlace& place) {
  Json* ipam = object_member(place.json(), "ipam");
  if (ipam == nullptr) return;
  const auto& members = entries(*ipam);
  const bool is_meant = std::any_of(members.begin(), members.end(), [](const auto& entry) {
    return is_own_key(entry.first) || same_key(entry.first, "delegate");
  });
  const std::string other = misspelled_type(*ipam);
  if (text_member(*ipam, "type").empty() && is_meant && !other.empty())
    correct_key(place, *ipam, "/ipam", other, "type");
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

void check_keys(const PluginPlace& place) {
  Json* ipam = object_member(place.json(), "ipam");
  if (ipam == nullptr || !uses_us(place.json())) return;
  check_object(place, ipam, "/ipam", own_keys(), kHostLocal);
  check_object(place, member(*ipam, "retain"), "/ipam/retain", kRetain);
  check_object(place, member(*ipam, "rangesFrom"), "/ipam/rangesFrom", kRangesFrom);
  check_object(place, member(*ipam, "logOptions"), "/ipam/logOptions", kLogOptions);
  check_sets(place, *ipam, "/ipam");
  Json* delegate = object_member(*ipam, "delegate");
  if (delegate == nullptr || !is_host_local(*ipam)) return;
  check_object(place, delegate, "/ipam/delegate", kHostLocal, own_keys());
  check_sets(place, *delegate, "/ipam/delegate");
}

}  // namespace shim::validate
