#pragma once
/// What the built-in allocator reads of a configuration. The rest is others': annotations,
/// arguments and results of up to 16 MiB, which are not worth their memory.
#include <string_view>

#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// The members that `command` looks at, and what is around them. A member that is not wanted must
/// not be read anywhere in that command. Of a command that does not exist: all.
Wanted wanted_by(std::string_view command);

}  // namespace shim
