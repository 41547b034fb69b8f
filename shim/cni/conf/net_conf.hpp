#pragma once
/// The network configuration on stdin as typed values.
///
/// stdin is the whole configuration of the calling plugin (cilium-cni, bridge, ...). Inside its
/// `ipam` object, `delegate` holds the delegate's own keys and the keys beside it are ours; a
/// configuration without `delegate` is host-local's own. Text -> these structs -> use; nothing here
/// touches a disk.
#include <string>
#include <vector>

#include "allocator/choose.hpp"
#include "allocator/range_set.hpp"
#include "shim/cni/conf/common_conf.hpp"
#include "shim/cni/protocol/arguments.hpp"
#include "shim/cni/protocol/json_text.hpp"
#include "shim/cni/result/result.hpp"

namespace shim {

/// What is handed out, and by which rules.
struct AllocationConf {
  allocator::RangeSets sets;
  allocator::Reservations reservations;
  std::vector<Route> routes;
  std::string resolv_conf;
  /// IP= of CNI_ARGS, args.cni.ips, runtimeConfig.ips, the pod's annotation, in this order.
  std::vector<allocator::Address> requested;
};

struct NetConf : CommonConf {
  using CommonConf::CommonConf;

  AllocationConf allocation;
  Arguments arguments;  ///< of the inputs' CNI_ARGS; a lenient reader does not look at them
};

/// The whole configuration, for commands that hand out addresses or look at them.
/// Errors: throws CniError: host-local's codes and texts for its keys, 7 for ours; what the inputs
/// throw, and what parse_arguments() does.
NetConf read_net_conf(const Json& document, const ConfHead& head, const ConfInputs& inputs);

/// What can be made out of the configuration, for commands that release: broken keys are left at
/// their defaults, as a wrong range must not keep an address from being freed.
NetConf read_net_conf_leniently(const Json& document, const ConfHead& head);

}  // namespace shim
