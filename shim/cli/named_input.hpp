#pragma once
/// Files that people name on the command line; "-" is standard input.
#include <cstddef>
#include <string>

namespace shim {

/// The whole text, from a pipe too: "validate <(delegated-ipam generate ...)". Blocks where that
/// has nothing yet. Of one larger than `limit` a part that is larger, too.
/// Errors: throws std::system_error.
std::string read_named(const std::string& name, std::size_t limit);

}  // namespace shim
