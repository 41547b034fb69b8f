#pragma once
/// What a pod's annotations say to us, where the runtime passes them on (capability
/// io.kubernetes.cri.pod-annotations).
#include <vector>

#include "allocator/address.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// `delegated-ipam.io/retain`: false when the pod's address is not to be kept.
/// Errors: throws CniError 7 naming the JSON path.
bool read_retain_annotation(const Json& document);

/// `delegated-ipam.io/ips`: the addresses that the pod asks for.
/// Errors: throws CniError 7 naming the JSON path.
std::vector<allocator::Address> read_address_annotation(const Json& document);

/// How many they are; a mistyped one counts for none.
std::size_t count_address_annotation(const Json& document);

}  // namespace shim
