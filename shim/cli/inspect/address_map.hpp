#pragma once
/// A network's ranges as pictures of characters, 16 a line. Pure.
///
///     10.244.1.0/24
///     10.244.1.0      r###h.##........
///     10.244.1.16     ................
///
/// Where an IPv4 subnet has at most 1 024 addresses, each has a character. A larger one has 256 of
/// them, each for as many addresses: how many tenths of these are taken, rounded down, but for the
/// first one. Of IPv6 those lines are shown in which something is.
#include <string>

#include "shim/cli/inspect/networks/network.hpp"
#include "shim/cli/inspect/output/table.hpp"

namespace shim::inspect {

/// The pictures of all its subnets, with their legend.
std::string print_map(const Network& network, Colour colour);

}  // namespace shim::inspect
