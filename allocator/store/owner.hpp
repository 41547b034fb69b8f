#pragma once
/// Whose addresses a command is about: what the caller says of the pod, and whether it is kept for.
#include <optional>
#include <string>

#include "allocator/binding.hpp"

namespace allocator::store {

struct Owner {
  /// nullopt when the caller does not tell: then nothing is bound.
  std::optional<PodKey> pod;
  std::string uid;
  /// False: the pod must not be bound. It gets its pin; bindings that it has end.
  bool is_retained = true;
  /// Another UID under the pod's name does not inherit its addresses.
  bool require_same_uid = false;

  /// True where a binding is to be made or kept.
  [[nodiscard]] bool is_bound() const { return pod.has_value() && is_retained; }
};

}  // namespace allocator::store
