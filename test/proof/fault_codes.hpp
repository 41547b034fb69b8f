#pragma once
/// What the plugin makes of the store's failures: the error object, and the codes that a fault may
/// end in.
#include <exception>
#include <string>
#include <vector>

#include "test/proof/call_pages.hpp"

namespace proof {

struct ErrorTold {
  unsigned code = 0;
  std::string text;
  std::string trouble = {};  ///< what is wrong with the object; "" when nothing is
};
/// By the plugin's own code.
ErrorTold told_of(const std::exception_ptr& failure);

/// See CNI spec 1.1.0 section 5 "Error" and the table in shim/cni/README.md.
std::vector<unsigned> codes_of(Call call, const Trouble& trouble);

/// Whoever reads it knows where to look.
bool names_path(const std::string& text);

}  // namespace proof
