#pragma once
/// What a configuration to come changes for who is in use, before anybody starts anew: his routes
/// and his gateway stay those of his ADD. Pure.
#include "shim/cli/inspect/networks/finding.hpp"
#include "shim/cli/inspect/networks/network.hpp"

namespace shim::inspect {

/// Adds what is found: addresses in use in no subnet any more, another gateway, a gateway that is
/// somebody's address, other folders. As of forecast_of().
void find_live_effects(const Network& today, const Network& planned, Findings& findings);

}  // namespace shim::inspect
