#pragma once
/// The rules for one network: a conflist or a single conf, and what stands in it. Pure.
#include <string>
#include <vector>

#include "allocator/address.hpp"
#include "shim/cli/validate/document/document.hpp"

namespace shim::validate {

/// What the operator wants of the corrected files.
struct Wishes {
  std::vector<allocator::Cidr> subnets;  ///< this node's ranges
};

/// All rules for a network by itself, and for the drop-in files that complete it; corrects it.
void check_network(Network& network, Documents& documents, const Wishes& wishes,
                   const Report& report);

/// A plugin of a network while it is looked at.
struct PluginPlace {
  /// Something that has been moved, and where it stood.
  struct Move {
    std::string to;
    Report from;
  };

  Network& network;
  std::size_t index;
  std::string type;
  const Wishes& wishes;
  Report list;    ///< for what is the whole network's
  Report report;  ///< for what is the plugin's
  std::vector<Move> moves;

  [[nodiscard]] Json& json() const;
  /// `pointer` is relative to the plugin as it is now; reported is where it stood in the file.
  void found(const Rule& rule, Words pointer, Words message, std::string_view fix = {}) const;
  void warned(const Rule& rule, Words pointer, Words message, std::string_view fix = {}) const;
  /// What is at `to` now stood at `from`, both relative to the plugin.
  void moved(std::string to, std::string_view from);
  [[nodiscard]] bool is_flannel() const { return type == "flannel"; }
  [[nodiscard]] bool is_cilium() const { return type == "cilium-cni"; }
  /// Pods have the whole network behind the node to themselves: nobody else is on their link.
  [[nodiscard]] bool is_routed() const { return type == "ptp" || is_cilium(); }
  /// A flag of the plugin.
  [[nodiscard]] bool is_on(std::string_view key) const;

 private:
  /// Where the place is reported; takes from `pointer` what is in that.
  const Report& origin_of(std::string_view& pointer) const;
};

/// True when the plugin's `ipam` is ours: by its type, or host-local's with keys that only we know
/// (the executable installed as host-local).
bool uses_us(const Json& plugin);
/// True when a plugin of the network does.
bool uses_us(const Network& network);
/// The first plugin of the type; nullptr when there is none.
const Json* find_plugin_of(const Json& list, std::string_view type);

// Topics.

/// What makes a network of a file. False when there is no plugin in it to look at.
bool check_form(Network& network, Documents& documents, const Report& report);
/// "must be a string, but is a number"
std::string must_be(std::string_view wanted, const Json& value);

/// Flannel's own entry: what is in its `delegate`.
void check_flannel_entry(PluginPlace& place);
/// `ipam` of Flannel's entry, when it is ours.
void check_flannel_ipam(const PluginPlace& place);
/// cilium-cni's entry, whatever its `ipam`.
void check_cilium_entry(const PluginPlace& place);
/// An `ipam` that is ours.
void check_ipam(const PluginPlace& place);
/// The type of an `ipam` that is meant to be ours.
void check_type(PluginPlace& place);
/// Unknown keys: those that look like one of ours, and those that nobody reads.
void check_keys(PluginPlace& place);
/// Keys that are meant to be in `ipam`, but stand beside it.
void check_beside_ipam(PluginPlace& place);
/// Known keys that stand in `ipam` where nobody reads them.
void check_misplaced(const PluginPlace& place);
/// The ends and the gateways of ranges.
void check_range_edges(const PluginPlace& place);
/// Who gets the ranges.
void check_ranges(const PluginPlace& place);
/// What the plugin itself refuses, in its own words.
void ask_plugin(const PluginPlace& place);

/// True for the type of an IPAM plugin that everybody has.
bool is_ipam_plugin(std::string_view type);
/// True when an object's keys are those of an IPAM plugin, and none is a main plugin's.
bool is_ipam_block(const Json& block);
/// True for a main plugin that runs another one by its `delegate`, as Flannel does: it may write
/// ranges into `ipam`.
bool is_meta_plugin(const Json& plugin);
/// True when addresses come from host-local, built in or run.
bool is_host_local(const Json& ipam);

/// True for a key of another plugin's, or of another place.
bool is_strangers_key(std::string_view key);
/// A key that nobody reads, unless it is a comment.
void tell_of_stranger(const PluginPlace& place, const std::string& pointer, const std::string& key);
/// True for a key of host-local's that is for all ranges.
bool is_block_key(std::string_view key);
/// True for a key of Cilium's node specification.
bool is_cilium_key(std::string_view key);

/// True when an object has ranges in it, in either way; false for nullptr.
bool has_ranges_in(const Json* block);
/// True when something says already which ranges there are.
bool has_ranges(const PluginPlace& place);
/// host-local's folder for all networks.
std::string data_dir_of(const Json& ipam);

/// A range as it is written.
struct LiteralRange {
  std::string pointer;  ///< relative to the plugin
  allocator::Address first;
  allocator::Address last;
  std::string text;  ///< the subnet
};

/// The ranges that an `ipam` of host-local, or of ours for it, hands out from; those that make no
/// sense are left out.
std::vector<LiteralRange> literal_ranges(const Json& ipam);

/// Takes every range out of an `ipam` and puts these range sets in their place; none: `rangesFrom`
/// with the folder that the installer fills.
void replace_ranges(Json& ipam, Json sets);

}  // namespace shim::validate
