#pragma once
/// What a finding means, for who asks about its id.
#include <string>

#include "shim/cli/command.hpp"

namespace shim::inspect {

/// Declares --explain. `id` must outlive the parsing.
void add_explain_option(CommandSpec& command, std::string& id);

/// Prints what it is, what it costs, whether a reboot is safe with it, and what mends it. Looks at
/// nothing.
/// Errors: throws UsageError for an id that there is not, naming those that there are.
ExitCode tell_explanation(const std::string& id);

}  // namespace shim::inspect
