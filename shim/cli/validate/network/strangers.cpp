// Keys of somebody else's in `ipam`: whose they are, and where they would be read.
#include <algorithm>
#include <array>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"

namespace shim::validate {
namespace {

struct Stranger {
  std::string_view key;
  std::string_view owner;
};
constexpr std::string_view kBeside = "read beside \"ipam\" only, by the main plugin or the runtime";
constexpr std::array<Stranger, 40> kStrangers = {
    {{"args", kBeside},
     {"capabilities", kBeside},
     {"runtimeConfig", kBeside},
     {"prevResult", kBeside},
     {"name", kBeside},
     {"cniVersion", kBeside},
     {"bridge", kBeside},
     {"isGateway", kBeside},
     {"isDefaultGateway", kBeside},
     {"forceAddress", kBeside},
     {"hairpinMode", kBeside},
     {"promiscMode", kBeside},
     {"ipMasq", kBeside},
     {"master", kBeside},
     {"mode", kBeside},
     {"mtu", kBeside},
     {"vlan", kBeside},
     {"subnetFile", kBeside},
     {"dns",
      "a key of static; host-local has "
      "resolvConf"},
     {"addresses", "a key of static"},
     {"range", "a key of whereabouts"},
     {"omit_ranges", "a key of whereabouts"},
     {"ipRanges", "a key of whereabouts"},
     {"network_name", "a key of whereabouts"},
     {"node_slice_size", "a key of whereabouts"},
     {"kubernetes", "a key of whereabouts"},
     {"datastore", "a key of whereabouts"},
     {"etcd_host", "a key of whereabouts"},
     {"enable_overlapping_ranges", "a key of whereabouts"},
     {"configuration_path", "a key of whereabouts"},
     {"daemonSocketPath", "a key of dhcp"},
     {"request", "a key of dhcp"},
     {"provide", "a key of dhcp"},
     {"priority", "a key of dhcp"},
     {"assign_ipv4", "a key of calico-ipam"},
     {"assign_ipv6", "a key of calico-ipam"},
     {"ipv4_pools", "a key of calico-ipam"},
     {"ipv6_pools", "a key of calico-ipam"},
     {"leaseTime",
      "a key of nobody here: addresses "
      "are held as long as there is "
      "room"},
     {"ipFamily",
      "no key; ipFamilies is a list of "
      "\"IPv4\" and \"IPv6\""}}};

const Stranger* stranger_of(std::string_view key) {
  const auto* found = std::find_if(kStrangers.begin(), kStrangers.end(),
                                   [&](const Stranger& one) { return same_key(one.key, key); });
  return found == kStrangers.end() ? nullptr : found;
}

/// JSON has no comments: people write them as keys that nobody has.
bool is_comment(std::string_view key) {
  constexpr std::array<std::string_view, 6> kWords = {"comment", "comments", "description",
                                                      "note",    "notes",    "doc"};
  const bool has_mark = key.empty() || std::string_view("_#/$@").find(key[0]) != std::string::npos;
  return has_mark || std::any_of(kWords.begin(), kWords.end(),
                                 [&](std::string_view word) { return same_key(word, key); });
}

}  // namespace

bool is_strangers_key(std::string_view key) { return stranger_of(key) != nullptr; }

void tell_of_stranger(const PluginPlace& place, const std::string& pointer,
                      const std::string& key) {
  if (is_comment(key) || (place.is_cilium() && is_cilium_key(key))) return;
  const Stranger* stranger = stranger_of(key);
  place.found(rules::kNotRead, {pointer, "/", escaped(key)},
              {"nobody reads ", key, " here", stranger == nullptr ? "" : ": it is ",
               stranger == nullptr ? "" : stranger->owner});
}

}  // namespace shim::validate
