#pragma once
/// What `plan` is asked to do to a configuration before it looks what that would do. Pure.
#include <string>
#include <vector>

#include "shim/cni/protocol/json_text.hpp"

namespace shim::inspect {

struct ConfChange {
  std::vector<std::string> subnets;   ///< in place of all ranges
  std::vector<std::string> excludes;  ///< beside those that there are
  std::vector<std::string> pins;      ///< likewise

  [[nodiscard]] bool is_any() const {
    return !subnets.empty() || !excludes.empty() || !pins.empty();
  }
};

/// Makes the change in a plugin's configuration. What is mistyped there stays for its reader.
/// Errors: throws UsageError naming the option.
void apply(const ConfChange& change, Json& plugin);

}  // namespace shim::inspect
