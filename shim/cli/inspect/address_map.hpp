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
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shim/cli/inspect/networks/network.hpp"
#include "shim/cli/inspect/networks/states.hpp"
#include "shim/cli/inspect/output/table.hpp"

namespace shim::inspect {

/// The first address of a line, and a character for each of its cells; " ": not handed out.
using MapLine = std::pair<allocator::Address, std::string>;

/// One subnet's.
struct SubnetMap {
  std::string name;
  std::uint64_t width = 1;  ///< addresses a cell
  std::vector<MapLine> lines = {};
  std::size_t hidden = 0;  ///< lines that are too many

  /// The line above the picture, and the one below it; that may be empty.
  [[nodiscard]] std::string title() const;
  [[nodiscard]] std::string rest() const;
};

inline constexpr std::string_view kMapLegend = "# in use, x dead, h held, r reserved, . free";

/// What a cell's character stands for; nullopt for tenths, and for what is not handed out.
std::optional<State> state_of_letter(char letter);

std::vector<SubnetMap> maps_of(const Network& network);

/// The pictures of all its subnets, with their legend.
std::string print_map(const Network& network, Colour colour);

}  // namespace shim::inspect
