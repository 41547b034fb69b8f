#pragma once
/// What somebody else does between two calls of a command, in one process.
#include <functional>
#include <memory>
#include <string>

#include "test/unit/support/hooked_file_system.hpp"

namespace test {

/// A hook that plays `story` once, at the first call of `method`; the story's own calls are not
/// hooked.
inline std::function<void(const Call&)> once(const std::string& method,
                                             const std::function<void()>& story) {
  const auto told = std::make_shared<bool>(false);
  return [told, method, story](const Call& call) {
    if (*told || call.method != method) return;
    *told = true;
    story();
  };
}

}  // namespace test
