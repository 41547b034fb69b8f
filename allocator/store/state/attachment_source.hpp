#pragma once
/// What the container runtime's own notes tell of attachments that somebody else made.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocator/binding.hpp"

namespace allocator::store {

/// An attachment as the runtime's result cache knows it.
struct CachedAttachment {
  Attachment attachment;
  std::optional<PodKey> pod;
  std::string uid;
  std::string netns_path;
  std::string mac;  ///< of the interface inside, as the main plugin wrote it; may be empty
  std::vector<Address> addresses;
  std::string entry;  ///< the name of the cache's entry
  /// When the entry was written; only tells which of two entries is the newer one.
  std::int64_t written_ns = 0;
};

/// Where the runtime's cache is read: without the lock, at most once in a boot; and once more,
/// under the lock, by a command that finds address files missing in the middle of one.
class AttachmentSource {
 public:
  virtual ~AttachmentSource() = default;
  /// Every attachment to the network that the cache tells of; what cannot be read is left out.
  [[nodiscard]] virtual std::vector<CachedAttachment> attachments(const std::string& network) = 0;
  /// True while the cache still has the entry.
  [[nodiscard]] virtual bool still_has(const CachedAttachment& cached) = 0;
};

}  // namespace allocator::store
