#pragma once
/// What a finding means, for who asks about its id.
#include <string>

namespace shim::inspect {

/// What it is, what it costs, whether a reboot is safe with it, and what mends it.
/// Errors: throws UsageError for an id that there is not, naming those that there are.
std::string explain(const std::string& id);

}  // namespace shim::inspect
