#pragma once
/// What `validate --node` looks at on this machine: executables, file systems, folders.
#include <string>
#include <vector>

#include "allocator/store/file_system.hpp"
#include "shim/cli/validate_document.hpp"

namespace shim::validate {

/// Looks, and changes nothing. `bin_dirs`: where the runtime looks for plugins.
void check_node(const Network& network, allocator::store::FileSystem& fs,
                const std::vector<std::string>& bin_dirs, const Report& report);

}  // namespace shim::validate
