#pragma once
/// `validate --node`, for who looks at the node's own configuration.
#include <string>
#include <vector>

#include "shim/cli/validate/document/document.hpp"

namespace shim::validate {

/// Whether this machine is looked at, too.
enum class Machine : std::uint8_t { left_out, looked_at };

/// What is wrong with files that are used together; `bin_dir` as of the option. Returns what they
/// are.
Documents find_mistakes(const std::vector<Input>& inputs, Machine machine,
                        const std::string& bin_dir, Findings& findings);

/// Where the runtime looks for plugins on this machine: the option --bin-dir, CNI_PATH, or the
/// usual folder.
std::vector<std::string> bin_dirs(const std::string& option);

}  // namespace shim::validate
