#pragma once
/// What a command is given to read: a file, or standard input.
#include <cstddef>
#include <string>

namespace shim {

/// More than any manifest of a network has.
inline constexpr std::size_t kInputLimit = std::size_t{4} << 20;

/// The whole text of a file; "-": of standard input. A pipe is waited for:
/// "validate <(delegated-ipam generate ...)".
/// Errors: throws UsageError naming the file, for one that cannot be read or is over kInputLimit.
std::string read_input_text(const std::string& name);

}  // namespace shim
