#pragma once
/// CNI_ARGS: the pod's names from the container runtime, and a requested address.
#include <optional>
#include <string>
#include <string_view>

#include "allocator/address.hpp"

namespace shim {

struct Arguments {
  std::optional<allocator::Address> ip;  ///< IP=
  std::string pod_namespace;             ///< K8S_POD_NAMESPACE
  std::string pod_name;                  ///< K8S_POD_NAME
  std::string pod_uid;                   ///< K8S_POD_UID
};

/// Reads "KEY=VALUE;KEY=VALUE".
/// Errors: throws CniError 999 with host-local's texts; keys that host-local does not know (K8S_...
/// among them) need IgnoreUnknown=1 anywhere in the text, which every Kubernetes runtime sends.
Arguments parse_arguments(std::string_view text);

/// The pod's names, and the address, as far as they can be made out: nothing is an error. For DEL,
/// which must release whatever the arguments look like, and for delegates, which read them
/// themselves.
Arguments parse_arguments_leniently(std::string_view text);

/// An address with or without a prefix length, as in "IP=" and "ips".
std::optional<allocator::Address> parse_requested_address(std::string_view text);

}  // namespace shim
