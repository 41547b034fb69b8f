#pragma once
/// What a configuration has whoever hands out the addresses: where the state lies and how it is
/// kept, and what of an ADD is decided by us.
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/store/store_options.hpp"
#include "shim/cni/conf/head.hpp"
#include "shim/cni/conf/ranges.hpp"
#include "shim/cni/conf/ranges_source.hpp"
#include "shim/cni/conf/requests.hpp"
#include "shim/cni/protocol/log_file.hpp"

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

struct CommonConf : ConfHead {
  CommonConf() = default;
  explicit CommonConf(const ConfHead& head) : ConfHead(head) {}

  PlacementConf placement;
  allocator::store::OnDuplicate on_duplicate = allocator::store::OnDuplicate::same_addresses;
  RequestsConf requests = RequestsConf::own;  ///< which addresses a pod may ask for
  std::vector<std::string> ranges_from;       ///< the CIDR blocks that rangesFrom gave
  RangesSource ranges_source;                 ///< and what it is; without paths: it was not asked
  /// Things that are odd but no error, for the log.
  std::vector<std::string> warnings;
};

/// What a configuration cannot say by itself.
struct ConfInputs {
  /// CNI_ARGS, where the command looks at them.
  std::string args;
  /// The CIDR blocks of `rangesFrom`; asked when there are no ranges.
  std::function<std::vector<std::string>(const RangesSource&, const PlacementConf&,
                                         const std::string& network)>
      ranges_from;
};

/// Sets `dataDir`; the empty text is none.
void set_data_dir(const std::string& text, PlacementConf& placement);

/// Takes the ranges from `rangesFrom` where none are written.
/// Errors: throws what the inputs throw, and CniError 7 for what is not inside its subnet.
void ask_ranges_source(const RangesSource& source, const ConfInputs& inputs, CommonConf& conf,
                       RangesAsWritten& written);

/// What a release needs of our keys in `ipam` and of the pod's annotations; what is broken stays at
/// its default.
void read_common_leniently(const Json& document, const ConfigReader& ipam, CommonConf& conf);

}  // namespace shim
