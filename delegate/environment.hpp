#pragma once
/// The environment that a delegate gets.
#include <string>
#include <string_view>
#include <vector>

namespace delegate {

/// Set in every delegate's environment: a copy of this program knows by it that it was made its own
/// delegate.
inline constexpr const char* kMarker = "DELEGATED_IPAM_DELEGATE";

/// The caller's CNI_* variables with `command` as CNI_COMMAND, the trace context, PATH, and what a
/// plugin may need to reach its daemon or the API server; nothing else: the dynamic loader's
/// variables least of all. `own`: "NAME=value" each.
std::vector<std::string> delegate_environment(const char* const* own, std::string_view command);

/// The environment of a VERSION command: older plugins want variables that it does not need.
/// Source: CNI spec 1.1.0 section 2 "VERSION".
std::vector<std::string> version_environment(const char* const* own);

}  // namespace delegate
