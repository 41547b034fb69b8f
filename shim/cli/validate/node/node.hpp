#pragma once
/// What `validate --node` looks at on this machine: executables, file systems, folders.
#include <string>
#include <vector>

#include "allocator/store/disk/file_system.hpp"
#include "shim/cli/validate/document/document.hpp"

namespace shim::validate {

/// Looks, and changes nothing. `bin_dirs`: where the runtime looks for plugins.
void check_node(const Network& network, allocator::store::FileSystem& fs,
                const std::vector<std::string>& bin_dirs, const Report& report);

}  // namespace shim::validate
