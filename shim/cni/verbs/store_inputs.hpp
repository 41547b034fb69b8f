#pragma once
/// What the store is to work with, taken from the configuration and the environment: used by the
/// verbs of the built-in allocator and of other delegates alike.
#include <optional>
#include <string>
#include <vector>

#include "allocator/binding.hpp"
#include "allocator/store/owner.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/store_options.hpp"
#include "shim/cni/conf/net_conf.hpp"
#include "shim/cni/protocol/arguments.hpp"
#include "shim/cni/verbs/command.hpp"

namespace shim {

/// `placement` must outlive the options.
allocator::store::StoreOptions store_options(const PlacementConf& placement,
                                             const std::string& network_dir);

allocator::Attachment attachment_of(const Environment& environment);

/// Whose attachment it is; nullopt for callers that name no pod.
std::optional<allocator::PodKey> pod_of(const Arguments& arguments, const std::string& ifname);

/// The same with all that is to be known of it. Pods opt out of retention by `retain.exclude` or by
/// their annotation.
allocator::store::Owner owner_of(const Arguments& arguments, const std::string& ifname,
                                 const PlacementConf& placement);

/// Reads `rangesFrom` for a command: from the source, else what it gave last. `args`: CNI_ARGS as
/// far as the command looks at them. `command` must outlive the inputs.
ConfInputs conf_inputs(const Command& command, const std::string& args);

/// What `rangesFrom` gave, for the time when it gives nothing.
allocator::store::RememberedRanges ranges_to_remember(const RangesSource& source,
                                                      const std::vector<std::string>& cidrs);

/// GC's lists of valid attachments.
struct ValidAttachments {
  bool is_given = false;  ///< false when the caller gave no list at all
  std::vector<allocator::Attachment> attachments;
};

/// The union of `cni.dev/valid-attachments` and `cni.dev/attachments`.
/// Errors: throws CniError 7 for a malformed list.
ValidAttachments read_valid_attachments(const Json& document);

}  // namespace shim
