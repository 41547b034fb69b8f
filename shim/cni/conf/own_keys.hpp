#pragma once
/// The keys of `ipam` that are this plugin's own: everything beside `delegate` that host-local does
/// not know.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/address.hpp"
#include "shim/cni/conf/net_conf.hpp"
#include "shim/cni/protocol/config_reader.hpp"

namespace shim {

/// Reads `stateDir`, `durability`, `retain`, `timeoutSeconds`, `logFile`, `logLevel`, `logOptions`.
/// Errors: throws CniError 7 naming the JSON path, with Strictness::strict.
void read_placement_keys(const ConfigReader& ipam, Strictness strictness, PlacementConf& placement);

/// `keepInterfaces`, for a delegate's result.
bool read_keep_interfaces(const ConfigReader& ipam);

/// `ipFamilies`: in this order, each once; empty when every family is welcome.
/// Errors: throws CniError 7 for an unknown family.
std::vector<allocator::Family> read_families(const ConfigReader& ipam);

/// The keys of `ipam` that are ours and no delegate's.
std::span<const std::string_view> own_keys();
/// True for one of them, in any letter case.
bool is_own_key(std::string_view key);

/// `onDuplicate`
allocator::store::OnDuplicate read_on_duplicate(const ConfigReader& ipam);

/// Reads `exclude` and `pins`; `sets` tells which pins are of use on this node.
/// Errors: throws CniError 7 naming the JSON path.
void read_allocation_keys(const ConfigReader& ipam, AllocationConf& allocation,
                          std::vector<std::string>& warnings);

/// Applies `ipFamilies`: filters and orders the sets.
/// Errors: throws CniError 7 for an unknown family, or when nothing is left.
allocator::RangeSets apply_families(const ConfigReader& ipam, const allocator::RangeSets& sets);

/// Errors: throws CniError 7 "move it beside delegate" for a key of ours inside `delegate`.
void refuse_own_keys(const ConfigReader& delegate);

/// Errors: throws CniError 7 for keys that only the built-in allocator can honour.
void refuse_allocator_keys(const ConfigReader& ipam, const std::string& plugin);

}  // namespace shim
