#pragma once
/// The result cache that libcni keeps for containerd, CRI-O and cnitool: which pod an attachment
/// belongs to, and which addresses it was given. Read to learn about attachments that somebody else
/// made.
///
/// Format: <folder>/<network>-<container ID>-<ifname>, JSON with "kind": "cniCacheV1", containerId,
/// ifName, networkName, cniArgs (pairs), netns (newer libraries), result. Written without fsync:
/// after a power cut files may be empty or torn.
#include <string>

#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/state/attachment_source.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// The text at `key` of a cache entry or of an object in it; empty when there is none.
std::string entry_text(const Json& object, std::string_view key);
/// The value of a key of CNI_ARGS in a cache entry; empty when it is missing.
std::string entry_argument(const Json& entry, std::string_view name);

class ResultCache final : public allocator::store::AttachmentSource {
 public:
  explicit ResultCache(allocator::store::FileSystem& fs,
                       std::string folder = "/var/lib/cni/results")
      : fs_(fs), folder_(std::move(folder)) {}

  /// Every attachment to `network` in the cache; entries that cannot be read are left out.
  std::vector<allocator::store::CachedAttachment> attachments(const std::string& network) override;
  /// True when it has an entry of the attachment, whatever that says: an ADD was acknowledged.
  [[nodiscard]] bool has_entry(const std::string& network, const allocator::Attachment& attachment);
  bool still_has(const allocator::store::CachedAttachment& cached) override;

 private:
  allocator::store::FileSystem& fs_;
  std::string folder_;
};

}  // namespace shim
