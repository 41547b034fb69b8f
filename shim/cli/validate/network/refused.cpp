// What the plugin itself says about a configuration.
#include <algorithm>

#include "shim/cli/subnet_option.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cni/conf/own_keys.hpp"
#include "shim/cni/protocol/error.hpp"

namespace shim::validate {
namespace {

/// More mistakes than that in one `ipam` are told when the first ones are mended.
constexpr int kMost = 32;

/// In place of ranges that are known on the node only.
const std::vector<std::string> kSomeRanges = {"10.244.1.0/24", "fd00:10:244:1::/64"};

Json some_sets() { return make_range_sets(read_subnets(kSomeRanges)); }

/// Flannel's ranges: whatever the delegate narrows them to lies in them.
Json flannels_sets(const Json& ipam) {
  const Json* delegate = object_member(ipam, "delegate");
  const Json* inner = delegate == nullptr ? nullptr : find_member(*delegate, "ranges");
  if (inner != nullptr && inner->is_array() && !inner->empty()) return *inner;
  const auto subnet = delegate == nullptr ? "" : text_member(*delegate, "subnet");
  if (subnet.empty()) return some_sets();
  return list_of(set_of(subnet));
}

/// As Flannel fills it: this node's ranges, and routes to what they are parts of.
void fill_as_flannel(Json& ipam) {
  const Json sets = flannels_sets(ipam);
  if (has_ranges_in(object_member(ipam, "delegate"))) {
    erase_member(ipam, "rangesFrom");  // not read, as Flannel's ranges are there
  } else {
    const Json* given = find_member(ipam, "routes");
    Json routes = given != nullptr && given->is_array() ? *given : Json::array();
    for (const auto& set : sets) routes.push_back(object_of("dst", set.front()["subnet"]));
    if (given == nullptr || given->is_array()) set_member(ipam, "routes", std::move(routes));
  }
  set_member(ipam, "ranges", sets);
}

/// What a source on the node may give: parts of a configured subnet, here the whole of it.
std::vector<std::string> stand_in(const Json& conf) {
  const Json* ipam = object_member(conf, "ipam");
  const Json* delegate = ipam == nullptr ? nullptr : object_member(*ipam, "delegate");
  for (const Json* block : {delegate, ipam}) {
    const auto subnet = block == nullptr ? "" : text_member(*block, "subnet");
    if (!subnet.empty()) return {std::string(subnet)};
  }
  return kSomeRanges;
}

/// What the plugin gets on stdin.
Json stdin_of(const PluginPlace& place) {
  Json conf = place.json();
  for (const char* key : {"cniVersion", "name"}) {
    const Json* value = find_member(place.network.json, key);
    if (value != nullptr) set_member(conf, key, *value);
  }
  if (place.is_flannel()) {
    set_member(conf, "type", "bridge");
    erase_member(conf, "delegate");
    fill_as_flannel(*object_member(conf, "ipam"));
    return conf;
  }
  Json* ipam = object_member(conf, "ipam");
  if (is_meta_plugin(conf) && ipam != nullptr && literal_ranges(*ipam).empty() &&
      find_member(*ipam, "ranges") == nullptr)
    set_member(*ipam, "ranges", flannels_sets(*ipam));
  const Json* capabilities = object_member(conf, "capabilities");
  if (capabilities == nullptr || find_member(*capabilities, "ipRanges") == nullptr) return conf;
  set_member(conf, "runtimeConfig", object_of("ipRanges", some_sets()));
  return conf;
}

/// Reads it as an ADD does; returns what it would warn of.
std::vector<std::string> read(const Json& conf) {
  const ConfInputs inputs{{}, [&](const RangesSource&, const PlacementConf&, const std::string&) {
                            return stand_in(conf);
                          }};
  const ConfHead head = read_head(conf, Strictness::strict);
  if (head.choice.is_built_in) return read_net_conf(conf, head, inputs).warnings;
  const DelegateConf delegate = read_delegate_conf(conf, head, inputs);
  // What host-local would say, which is run then.
  if (delegate.is_host_local()) return read_net_conf(delegate.document, head, inputs).warnings;
  return delegate.warnings;
}

/// Where it is reported; what is no single place of `ipam` is its own.
std::string place_of(const CniError& error) {
  return lies_in(error.pointer, "/ipam") ? error.pointer : "/ipam";
}

/// Leaves out what was wrong, so that the next mistake is seen; false when there is nothing more to
/// look at.
bool leave_out(const std::string& path, Json& conf) {
  Json* ipam = object_member(conf, "ipam");
  if (ipam == nullptr) return false;
  Json* block = ipam;
  std::string rest = path.substr(std::string_view("/ipam").size());
  if (rest.starts_with("/delegate/") && object_member(*ipam, "delegate") != nullptr) {
    block = object_member(*ipam, "delegate");
    rest = rest.substr(std::string_view("/delegate").size());
    if (rest == "/type") return false;  // whose keys those are is not known
  }
  const std::string key = rest.empty() ? "" : rest.substr(1, rest.find('/', 1) - 1);
  const bool is_of_ranges = key.empty() || key == "delegate" || key == "ranges" ||
                            key == "subnet" || key == "rangesFrom" || key == "ipFamilies";
  if (!is_of_ranges) {
    const std::size_t before = block->size();
    erase_member(*block, key);
    return block->size() != before;
  }
  const Json as_it_was = *ipam;
  replace_ranges(*ipam, some_sets());
  for (const char* source : {"rangesFrom", "ipFamilies"}) erase_member(*ipam, source);
  return *ipam != as_it_was;
}

void report(const PluginPlace& place, const CniError& error, const std::string& path) {
  constexpr std::string_view kInside = "/ipam/delegate/";
  if (path.starts_with(kInside) && is_own_key(path.substr(kInside.size()))) return;  // known
  const bool has_more = !error.details.empty();
  place.found(rules::kRefused, {path},
              {error.what(), has_more ? " (" : "", error.details, has_more ? ")" : ""}, error.hint);
}

}  // namespace

void ask_plugin(const PluginPlace& place) {
  Json conf = stdin_of(place);
  for (int i = 0; i < kMost; ++i) {
    try {
      for (const auto& warning : read(conf)) {
        const bool is_known =
            i > 0 || place.is_flannel() || literal_ranges(*object_member(conf, "ipam")).empty();
        if (!is_known) place.found(rules::kPluginWarns, {"/ipam"}, {warning});
      }
      return;
    } catch (const std::exception&) {
      const CniError error = to_cni_error(std::current_exception());
      const std::string path = place_of(error);
      report(place, error, path);
      if (!leave_out(path, conf)) return;
    }
  }
}

}  // namespace shim::validate
