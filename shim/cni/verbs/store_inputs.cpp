#include "shim/cni/verbs/store_inputs.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "allocator/store/lease_store.hpp"
#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

using allocator::Attachment;
using allocator::store::Owner;
using allocator::store::StoreOptions;

constexpr std::chrono::milliseconds kLockPatience{10'000};
constexpr std::size_t kRangesLimit = std::size_t{1} << 20;

/// The state folder may be another machine's: a disk image, a node that was renamed.
bool is_of(const RangesSource& source, const allocator::store::RememberedRanges& last) {
  if (last.is_anonymous) return false;
  const bool names_nobody = last.node.empty() && last.source.empty();
  return names_nobody || (last.node == source.node && last.source == source.name);
}

std::string why_not(const std::optional<allocator::store::RememberedRanges>& last) {
  if (!last) return "none is remembered";
  if (last->is_anonymous) {
    return "what an earlier version remembered names no node; it may be another machine's";
  }
  return "what is remembered is of node " + go_quoted(last->node) + " from " + last->source;
}

std::string remedy_for(const RangesSource& source) {
  if (source.kind == RangesSource::Kind::subnet_file)
    return "flanneld writes the file when it has its lease; without flanneld write one CIDR "
           "block a line into it";
  return "this node is taken for " + go_quoted(source.node) +
         "; if it has another name there, write that into rangesFrom, or set NODE_NAME for the "
         "runtime";
}

/// The ranges of `rangesFrom`: from the source, else what it gave last.
std::vector<std::string> ranges_from(allocator::store::FileSystem& fs, const RangesSource& source,
                                     const PlacementConf& placement, const std::string& network) {
  std::string why;
  for (const auto& path : source.paths) {
    try {
      return parse_ranges(source.kind, fs.read_regular(path, kRangesLimit), path);
    } catch (const std::exception& error) {
      if (why.empty()) why = error.what();
    }
  }
  allocator::store::LeaseStore store(fs,
                                     store_options(placement, placement.data_dir + "/" + network));
  const auto last = store.last_ranges();
  if (last && is_of(source, *last)) return last->cidrs;
  throw CniError(
      ErrorCode::try_again_later,
      "rangesFrom: no subnet for this node yet (" + why + "), and " + why_not(last) + "; try again",
      {}, remedy_for(source));
}

/// The attachments in one of GC's lists; false when the key is absent.
bool append_attachments(const Json& document, std::string_view key,
                        std::vector<Attachment>& attachments) {
  const Json* list = find_member(document, key);
  if (list == nullptr) return false;
  const std::string path = "/" + std::string(key);
  const auto fail = [](const std::string& text) {
    throw CniError(ErrorCode::invalid_config, text);
  };
  if (!list->is_array())
    fail(path + " must be an array, but is " + std::string(type_name(*list)) +
         "; nothing was collected");
  std::size_t index = 0;
  for (const auto& element : *list) {
    const std::string place = path + "/" + std::to_string(index++);
    const Json* container_id = find_member(element, "containerID");
    const Json* ifname = find_member(element, "ifname");
    const bool valid = container_id != nullptr && container_id->is_string() && ifname != nullptr &&
                       ifname->is_string();
    if (!valid)
      fail(place +
           " must be an object with the strings containerID and ifname; nothing was collected");
    attachments.push_back({container_id->get<std::string>(), ifname->get<std::string>()});
  }
  return true;
}

}  // namespace

StoreOptions store_options(const PlacementConf& placement, const std::string& network_dir) {
  StoreOptions options;
  options.network_dir = network_dir;
  options.state_dir = placement.state_dir;
  options.retention =
      placement.retain.enabled ? allocator::store::Retention::on : allocator::store::Retention::off;
  options.durability = placement.durability;
  options.lock_patience = std::min(kLockPatience, placement.timeout);
  options.retains = [&placement](const allocator::PodKey& pod) {
    const auto& globs = placement.retain.exclude;
    return std::none_of(globs.begin(), globs.end(), [&](const std::string& glob) {
      return fnmatch(glob.c_str(), pod.display().c_str(), FNM_PATHNAME) == 0;
    });
  };
  return options;
}

Attachment attachment_of(const Environment& environment) {
  return {environment.container_id, environment.ifname};
}

std::optional<allocator::PodKey> pod_of(const Arguments& arguments, const std::string& ifname) {
  if (arguments.pod_namespace.empty() || arguments.pod_name.empty()) return std::nullopt;
  return allocator::PodKey{arguments.pod_namespace, arguments.pod_name, ifname};
}

Owner owner_of(const Arguments& arguments, const std::string& ifname,
               const PlacementConf& placement) {
  Owner owner;
  owner.pod = pod_of(arguments, ifname);
  owner.uid = arguments.pod_uid;
  owner.is_retained =
      placement.retain_pod && (!owner.pod || store_options(placement, {}).retains(*owner.pod));
  owner.require_same_uid = placement.retain.require_same_uid;
  return owner;
}

ConfInputs conf_inputs(const Command& command, const std::string& args) {
  return {args, [&command](const RangesSource& source, const PlacementConf& placement,
                           const std::string& network) {
            return ranges_from(command.fs, source, placement, network);
          }};
}

allocator::store::RememberedRanges ranges_to_remember(const RangesSource& source,
                                                      const std::vector<std::string>& cidrs) {
  return {source.node, source.name, cidrs};
}

ValidAttachments read_valid_attachments(const Json& document) {
  ValidAttachments valid;
  for (const char* key : {"cni.dev/valid-attachments", "cni.dev/attachments"}) {
    if (append_attachments(document, key, valid.attachments)) valid.is_given = true;
  }
  return valid;
}

}  // namespace shim
