#pragma once
/// The keys of `ipam` that are this plugin's own: everything beside `delegate` that host-local does
/// not know.
#include "shim/cni/config_reader.hpp"
#include "shim/cni/net_conf.hpp"

namespace shim {

/// Whether broken keys end the command or stay at their defaults.
enum class Strictness : std::uint8_t { strict, lenient };

/// Reads `stateDir`, `durability`, `retain`, `timeoutSeconds`, `logFile`, `logLevel`, `logOptions`.
/// Errors: throws CniError 7 naming the JSON path, with Strictness::strict.
void read_placement_keys(const ConfigReader& ipam, Strictness strictness, PlacementConf& placement);

/// Reads `exclude`, `pins`, `onDuplicate`; `sets` tells which pins are of use on this node.
/// Errors: throws CniError 7 naming the JSON path.
void read_allocation_keys(const ConfigReader& ipam, AllocationConf& allocation,
                          std::vector<std::string>& warnings);

/// Applies `ipFamilies`: filters and orders the sets.
/// Errors: throws CniError 7 for an unknown family, or when nothing is left.
allocator::RangeSets apply_families(const ConfigReader& ipam, const allocator::RangeSets& sets);

/// Errors: throws CniError 7 "move it beside delegate" for a key of ours inside `delegate`.
void refuse_own_keys(const ConfigReader& delegate);

/// Looks at `delegate.type` and `inProcess`.
/// Errors: throws CniError 7 for a bad type, 2 for one that is not built in.
void require_built_in_delegate(const ConfigReader& ipam);

}  // namespace shim
