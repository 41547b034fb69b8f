#include "shim/cni/conf/requests.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shim/cni/conf/annotations.hpp"

namespace shim {
namespace {

std::size_t count_ips(const Json* object) {
  const Json* list = object == nullptr ? nullptr : find_member(*object, "ips");
  return list != nullptr && list->is_array() ? list->size() : 0;
}

}  // namespace

RequestsConf read_requests(const ConfigReader& ipam) {
  const auto word = ipam.choice("requests", {"own", "none", "any"});
  return static_cast<RequestsConf>(word.value_or(0));
}

void refuse_too_many_requests(const Json& document, bool is_in_arguments) {
  const Json* args = find_member(document, "args");
  std::size_t count = is_in_arguments ? 1 : 0;
  count += count_ips(args == nullptr ? nullptr : find_member(*args, "cni"));
  count += count_ips(find_member(document, "runtimeConfig"));
  count += count_address_annotation(document);
  if (count <= kMostRequested) return;
  throw CniError(ErrorCode::invalid_config,
                 std::to_string(count) + " addresses are requested, but at most " +
                     std::to_string(kMostRequested) + " may be",
                 {},
                 "by the annotation delegated-ipam.io/ips, args.cni.ips, runtimeConfig.ips and IP= "
                 "of CNI_ARGS together");
}

void refuse_request_of_pod(RequestsConf requests) {
  if (requests != RequestsConf::none) return;
  throw CniError(
      ErrorCode::invalid_config,
      "pods may not request addresses on this network: ipam.requests is \"none\"; remove "
      "the request from the pod, or set ipam.requests to \"own\"");
}

}  // namespace shim
