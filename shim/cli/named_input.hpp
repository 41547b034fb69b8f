#pragma once
/// Files that people name on the command line; "-" is standard input.
#include <cstddef>
#include <string>

namespace shim {

/// More than any manifest of a network has.
inline constexpr std::size_t kInputLimit = std::size_t{4} << 20;

/// The whole text, from a pipe too: "validate <(delegated-ipam generate ...)". Blocks where that
/// has nothing yet. Of one larger than `limit` a part that is larger, too.
/// Errors: throws std::system_error.
std::string read_named(const std::string& name, std::size_t limit);

/// The same of a configuration, a manifest, or an export, which may be larger.
/// Errors: throws UsageError naming the file, for one that cannot be read or is over the limit.
std::string read_input_text(const std::string& name, std::size_t limit = kInputLimit);

}  // namespace shim
