#include "allocator/store/alive/late_add.hpp"

#include "allocator/store/state/call_start.hpp"

namespace allocator::store {

bool refuse_late_add(FileSystem& fs, RunFolder& run, const Attachment& attachment,
                     const std::string& what) {
  auto deleted = run.tombstone(attachment);
  // Nothing was deleted in the future: a tombstone that names no boot is of an earlier one.
  if (deleted && *deleted > boottime_now()) deleted.reset();
  if (deleted && !began_after(fs, attachment.container_id, *deleted)) {
    throw DeletedMeanwhile(what +
                           ": its DEL came after this ADD had been started; nothing was reserved");
  }
  if (is_abandoned(fs, attachment.container_id, kLongestAdd)) {
    throw TryAgain(what + ": this ADD was started over " +
                   std::to_string(kLongestAdd / 60'000'000'000) +
                   " minutes ago and nobody waits for it any more; nothing was reserved");
  }
  return deleted.has_value();
}

}  // namespace allocator::store
