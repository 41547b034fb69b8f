#include "allocator/store/repeat.hpp"

#include "allocator/store/call_start.hpp"

namespace allocator::store {

void remember_repeat(FileSystem& fs, RuntimeFolder& runtime, const Attachment& attachment) {
  if (const auto add = add_above(fs, attachment.container_id)) runtime.put_repeat(attachment, *add);
}

bool takes_back_repeat(FileSystem& fs, RuntimeFolder& runtime, const Attachment& attachment,
                       std::vector<std::string>& notes) {
  const auto repeat = runtime.repeat(attachment);
  if (!repeat) return false;
  if (add_above(fs, attachment.container_id) != repeat) {
    runtime.remove_repeat(attachment);
    return false;
  }
  notes.push_back("a repeated ADD of " + attachment.container_id + " " + attachment.ifname +
                  " failed: what it has is kept");
  return true;
}

}  // namespace allocator::store
