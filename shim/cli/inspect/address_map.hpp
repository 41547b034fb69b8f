#pragma once
/// A network's ranges as a picture of characters. Pure.
///
///     10.244.1.0-10.244.1.255
///     .0     r###h.##........
///     .16    ................
///
/// One character an address, 16 a line, where a subnet has at most 1 024 addresses; larger ones in
/// 256 characters, each for as many addresses: how many tenths of them are taken. Of IPv6 only the
/// lines in which something is.
#include <string>

#include "shim/cli/inspect/networks/network.hpp"
#include "shim/cli/inspect/output/table.hpp"

namespace shim::inspect {

/// The pictures of all its subnets, with their legend.
std::string print_map(const Network& network, Colour colour);

}  // namespace shim::inspect
