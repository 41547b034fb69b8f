#pragma once
/// The `ipam` object of generated configurations.
#include "shim/cli/generate/generate.hpp"

namespace shim {

/// `ipam`, without routes.
/// Errors: throws UsageError.
Json make_ipam(const ConflistOptions& options);

}  // namespace shim
