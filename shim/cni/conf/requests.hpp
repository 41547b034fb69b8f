#pragma once
/// What an ADD may be asked to hand out: the key `requests`, and the bound on how much is listened
/// to. Requests come from whoever may create a pod, by its annotations or by those that Multus
/// turns into `ips`.
#include <cstddef>
#include <cstdint>

#include "shim/cni/protocol/config_reader.hpp"

namespace shim {

/// Which addresses a pod may ask for.
enum class RequestsConf : std::uint8_t {
  own,   ///< free ones, its own, and those held for its namespace
  none,  ///< none at all
  any    ///< also those held for other namespaces, and those of dead containers
};

/// More addresses than these are asked for by mistake or to keep the network's lock busy.
constexpr std::size_t kMostRequested = 16;

/// Errors: throws CniError 7 for an unknown word.
RequestsConf read_requests(const ConfigReader& ipam);

/// Errors: throws CniError 7 for more than kMostRequested addresses in `args.cni.ips`,
/// `runtimeConfig.ips`, the pod's annotation and `IP=` of CNI_ARGS together. What is mistyped
/// counts for nothing.
void refuse_too_many_requests(const Json& document, bool is_in_arguments);

/// For a pod that asks for an address.
/// Errors: throws CniError 7 where pods may ask for none.
void refuse_request_of_pod(RequestsConf requests);

}  // namespace shim
