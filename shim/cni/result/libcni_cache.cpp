#include "shim/cni/result/libcni_cache.hpp"

#include <nlohmann/json.hpp>
#include <system_error>

#include "shim/cni/protocol/json_text.hpp"
#include "shim/cni/result/convert.hpp"
#include "shim/cni/result/result.hpp"

namespace shim {

std::string entry_text(const Json& object, std::string_view key) {
  const Json* value = find_member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::string entry_argument(const Json& entry, std::string_view name) {
  const Json* pairs = find_member(entry, "cniArgs");
  if (pairs == nullptr || !pairs->is_array()) return {};
  for (const auto& pair : *pairs) {
    if (pair.is_array() && pair.size() == 2 && pair[0] == std::string(name) &&
        pair[1].is_string()) {
      return pair[1].get<std::string>();
    }
  }
  return {};
}

namespace {

using allocator::store::CachedAttachment;

/// A pod's annotations may have 256 KiB, and six times as much as JSON escapes: their author must
/// not make his pod unseen by them.
constexpr std::size_t kEntryLimit = std::size_t{4} << 20;

void read_result_into(const Json& result, CachedAttachment& attachment) {
  const Result newest = newest_form(read_result(result.dump(), entry_text(result, "cniVersion")));
  for (const auto& ip : newest.ips) {
    if (ip.address) attachment.addresses.push_back(ip.address->address);
  }
  for (const auto& interface : newest.interfaces) {
    const bool inside =
        interface.name == attachment.attachment.ifname && !interface.sandbox.empty();
    if (inside && attachment.netns_path.empty()) attachment.netns_path = interface.sandbox;
    if (inside) attachment.mac = interface.mac;
  }
}

/// Errors: throws what the JSON and result readers throw.
std::optional<CachedAttachment> read_entry(const std::string& text, const std::string& network) {
  const Json entry = parse_json(text);
  if (entry_text(entry, "kind") != "cniCacheV1" || entry_text(entry, "networkName") != network)
    return std::nullopt;
  CachedAttachment attachment;
  attachment.attachment = {entry_text(entry, "containerId"), entry_text(entry, "ifName")};
  if (attachment.attachment.container_id.empty()) return std::nullopt;
  attachment.netns_path = entry_text(entry, "netns");
  const std::string pod_namespace = entry_argument(entry, "K8S_POD_NAMESPACE");
  const std::string pod_name = entry_argument(entry, "K8S_POD_NAME");
  if (!pod_namespace.empty() && !pod_name.empty()) {
    attachment.pod = allocator::PodKey{pod_namespace, pod_name, attachment.attachment.ifname};
    attachment.uid = entry_argument(entry, "K8S_POD_UID");
  }
  if (const Json* result = find_member(entry, "result")) read_result_into(*result, attachment);
  return attachment;
}

}  // namespace

std::vector<CachedAttachment> ResultCache::attachments(const std::string& network) {
  std::vector<CachedAttachment> found;
  try {
    const auto folder = fs_.open_directory(folder_);
    if (!folder) return found;
    for (const auto& name : fs_.list(*folder)) {
      if (!name.starts_with(network + "-")) continue;
      try {
        const auto content = fs_.read_file(*folder, name, kEntryLimit);
        auto attachment = content ? read_entry(content->bytes, network) : std::nullopt;
        if (!attachment) continue;
        attachment->entry = name;
        attachment->written_ns = content->identity.changed_ns;
        found.push_back(std::move(*attachment));
      } catch (const std::exception&) {
        // An entry that a power cut left torn tells nothing.
        continue;
      }
    }
  } catch (const std::system_error&) {
    return found;
  }
  return found;
}

bool ResultCache::has_entry(const std::string& network, const allocator::Attachment& attachment) {
  const auto folder = fs_.open_directory(folder_);
  return folder &&
         fs_.identify(*folder, network + "-" + attachment.container_id + "-" + attachment.ifname)
             .has_value();
}

bool ResultCache::still_has(const CachedAttachment& cached) {
  try {
    const auto folder = fs_.open_directory(folder_);
    return folder && fs_.identify(*folder, cached.entry).has_value();
  } catch (const std::system_error&) {
    return true;  // an entry that cannot be looked at may be a live attachment's
  }
}

}  // namespace shim
