#pragma once
/// The result cache that libcni keeps for containerd, CRI-O and cnitool: which pod an attachment
/// belongs to, and which addresses it was given. Read to learn about attachments that somebody else
/// made.
///
/// Format: <folder>/<network>-<container ID>-<ifname>, JSON with "kind": "cniCacheV1", containerId,
/// ifName, networkName, cniArgs (pairs), netns (newer libraries), result. Written without fsync:
/// after a power cut files may be empty or torn.
#include <string>

#include "allocator/store/boot_scan.hpp"

namespace shim {

class ResultCache final : public allocator::store::AttachmentSource {
 public:
  explicit ResultCache(allocator::store::FileSystem& fs,
                       std::string folder = "/var/lib/cni/results")
      : fs_(fs), folder_(std::move(folder)) {}

  /// Every attachment to `network` in the cache; entries that cannot be read are left out.
  std::vector<allocator::store::CachedAttachment> attachments(const std::string& network) override;
  bool still_has(const allocator::store::CachedAttachment& cached) override;

 private:
  allocator::store::FileSystem& fs_;
  std::string folder_;
};

}  // namespace shim
