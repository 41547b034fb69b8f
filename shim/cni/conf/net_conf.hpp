#pragma once
/// The network configuration on stdin as typed values.
///
/// stdin is the whole configuration of the calling plugin (cilium-cni, bridge, ...). Inside its
/// `ipam` object, `delegate` holds the delegate's own keys and the keys beside it are ours; a
/// configuration without `delegate` is host-local's own. Text -> these structs -> use; nothing here
/// touches a disk.
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/choose.hpp"
#include "allocator/range_set.hpp"
#include "allocator/store/store_options.hpp"
#include "shim/cni/conf/ranges_source.hpp"
#include "shim/cni/conf/requests.hpp"
#include "shim/cni/protocol/json_text.hpp"
#include "shim/cni/protocol/log_file.hpp"
#include "shim/cni/result/result.hpp"

namespace shim {

/// `retain`
struct RetainConf {
  bool enabled = true;
  bool require_same_uid = false;
  std::vector<std::string> exclude;  ///< "namespace/pod" globs that are never held
};

/// host-local's own folder of networks.
constexpr std::string_view kDefaultDataDir = "/var/lib/cni/networks";
/// Where bindings are.
constexpr std::string_view kDefaultStateDir = "/var/lib/delegated-ipam";

/// Where the state lies and how it is kept: all that a release needs.
struct PlacementConf {
  bool data_dir_given = false;
  std::string data_dir{kDefaultDataDir};
  std::string state_dir{kDefaultStateDir};
  allocator::store::Durability durability = allocator::store::Durability::full;
  RetainConf retain;
  bool retain_pod = true;  ///< false: the pod's annotation says that its address is not to be kept
  std::chrono::milliseconds timeout{30'000};
  LogConf log;
};

/// What is handed out, and by which rules.
struct AllocationConf {
  allocator::RangeSets sets;
  allocator::Reservations reservations;
  std::vector<Route> routes;
  std::string resolv_conf;
  /// IP= of CNI_ARGS, args.cni.ips, runtimeConfig.ips, the pod's annotation, in this order.
  std::vector<allocator::Address> requested;
  RequestsConf requests = RequestsConf::own;  ///< which of them a pod may ask for
  allocator::store::OnDuplicate on_duplicate = allocator::store::OnDuplicate::same_addresses;
  std::vector<std::string> ranges_from;  ///< the CIDR blocks that rangesFrom gave
  RangesSource ranges_source;            ///< and what it is
};

/// What a configuration cannot say by itself.
struct ConfInputs {
  /// IP= of CNI_ARGS; asked where host-local reads it.
  std::function<std::optional<allocator::Address>()> requested_by_args;
  /// The CIDR blocks of `rangesFrom`; asked when there are no ranges.
  std::function<std::vector<std::string>(const RangesSource&, const PlacementConf&,
                                         const std::string& network)>
      ranges_from;
};

struct NetConf {
  std::string cni_version;  ///< as written; empty means 0.1.0
  std::string name;
  PlacementConf placement;
  AllocationConf allocation;
  /// Things that are odd but no error, for the log.
  std::vector<std::string> warnings;
};

/// The network's name.
/// Errors: throws CniError 6 (no object, name no string) or 7 (no name, bad characters).
std::string read_name(const Json& document);

/// The configuration's version as written; empty when it is missing.
/// Errors: throws CniError 6 when it is no string.
std::string read_cni_version(const Json& document);

/// The whole configuration, for commands that hand out addresses or look at them.
/// Errors: throws CniError: host-local's codes and texts for its keys, 7 for ours; what the inputs
/// throw.
NetConf read_net_conf(const Json& document, const ConfInputs& inputs);

/// What can be made out of the configuration, for commands that release: broken keys are left at
/// their defaults, as a wrong range must not keep an address from being freed. Errors: throws
/// CniError 7 for a bad delegate: its addresses are not ours to free.
NetConf read_net_conf_leniently(const Json& document);

}  // namespace shim
