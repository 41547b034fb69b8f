#pragma once
/// The `ipam` object of generated configurations.
#include "shim/cli/generate.hpp"

namespace shim {

/// `ipam`, without routes.
/// Errors: throws UsageError.
Json make_ipam(const ConflistOptions& options);

/// The CIDR blocks of --subnet, one range set a family. Errors: throws UsageError for what is no
/// block, has host bits set, or overlaps another one.
Json make_range_sets(const std::vector<std::string>& subnets);

}  // namespace shim
