#pragma once
/// The address maps of a node as a picture for a browser: SVG by itself, or in a page of HTML with
/// what `status` says above it. Neither has a script, or refers to anything; both are XML. Pure.
///
/// A cell is coloured by its state (a class of the style sheet: "in-use", "dead", "held",
/// "reserved", "free", and "part" for tenths) and has the letter of the text map. What else is known
/// of it stands in its title, which browsers show beside the pointer.
#include <string>
#include <string_view>

#include "shim/cli/inspect/networks/network.hpp"

namespace shim::inspect {

/// <svg> with a map of each network's subnets, and a legend.
std::string print_svg(const Networks& networks);

/// The page around it. `text`: as the terminal has it, without colours.
std::string print_page(std::string_view text, const Networks& networks);

}  // namespace shim::inspect
