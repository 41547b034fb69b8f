#pragma once
/// The allocator's one exception: why an address cannot be handed out, or why a range makes no
/// sense.
#include <stdexcept>
#include <string>

namespace allocator {

enum class Kind {
  invalid_range,  ///< a configured range cannot be allocated from
  unavailable,    ///< the wanted address is taken, a gateway, or not in any range
  refused,        ///< our own keys forbid the wanted address (excluded, pinned to another pod)
  busy,           ///< the pin or the wanted address is somebody else's yet: later it may be free
  exhausted,      ///< nothing is left in a range set
  duplicate,  ///< this attachment has an address already and the caller wants that to be an error
};

struct Error : std::runtime_error {
  Error(Kind error_kind, const std::string& message, std::string more = {})
      : std::runtime_error(message), kind(error_kind), details(std::move(more)) {}

  Kind kind;
  std::string details;
};

}  // namespace allocator
