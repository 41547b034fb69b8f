#pragma once
/// Whether the pods of a node come back to their addresses after a reboot, and what is in the way.
#include "shim/cli/inspect/networks/network.hpp"
#include "shim/cli/inspect/networks/states.hpp"

namespace shim::inspect {

/// Adds what is wrong with a network beyond what was found when it was read: addresses in use that
/// are bound to nobody, folders that take no changes or vanish with the boot, ranges that nobody
/// remembers, an empty pool.
void check_network(Node& node, const Network& network, const FamilyCounts& counts);

/// Why it is not safe to reboot: the findings' messages; empty when it is.
std::string why_not_safe(const Findings& findings);

}  // namespace shim::inspect
