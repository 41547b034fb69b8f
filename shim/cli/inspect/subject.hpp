#pragma once
/// What a command is asked about: a pod or an address. Pure.
#include <optional>
#include <set>
#include <string>

#include "allocator/address.hpp"

namespace shim::inspect {

/// An address, or a pod in one namespace or in any.
struct Subject {
  std::optional<allocator::Address> address;
  std::string pod_namespace;
  std::string pod_name;

  /// True for the pod of this name. An address is no pod's name.
  [[nodiscard]] bool is_pod(const std::string& name_space, const std::string& name) const {
    return !address && name == pod_name && (pod_namespace.empty() || name_space == pod_namespace);
  }
};

/// Reads "web-0", "shop/web-0" or "10.244.1.7"; `pod_namespace`: what -n says, empty for any.
/// Errors: throws UsageError for what is neither, and for two namespaces.
Subject read_subject(const std::string& text, const std::string& pod_namespace);

/// A pod's name alone may be that of several.
/// Errors: throws UsageError naming the namespaces when there are several.
void refuse_ambiguous(const std::set<std::string>& namespaces, const Subject& subject);

}  // namespace shim::inspect
