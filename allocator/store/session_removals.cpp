#include <system_error>

#include "allocator/store/session.hpp"

namespace allocator::store {

/// Where /run was emptied in the middle of a boot, what others had removed without a flush is
/// unknown now: from here on everything counts as flushed again.
void Session::flush_what_is_unknown() {
  if (!is_scan_due() || !records_ || parts_.options.durability == Durability::none) return;
  try {
    const auto boots = records_->boots();
    if (boots.empty() || boots.back() != boot8_of(boot_id_)) return;
  } catch (const ClosedRecord&) {
    return;  // the list is neither needed nor overwritten
  } catch (const std::system_error&) {
    return;
  }
  network_.sync();
  records_->sync();
}

bool Session::will_remove(const Attachment& attachment) {
  held_.touch({});  // its addresses may be held from here on
  if (parts_.options.durability == Durability::none) return true;
  removed_.push_back(attachment);
  return run_->put_unflushed(attachment);
}

bool Session::is_unflushed(const Attachment& attachment) {
  if (parts_.options.durability == Durability::none) return false;
  if (!was_first_ && !run_->is_unflushed(attachment)) return false;
  removed_.push_back(attachment);
  return true;
}

/// They are on the disk.
void Session::forget_removals() {
  for (const auto& attachment : removed_) run_->remove_unflushed(attachment);
  removed_.clear();
}

void Session::flush_removal(FailureList& failures) {
  std::vector<std::string> above;
  if (records_) {
    append_parents(records_->path(), above);
    failures.attempt([&] { records_->sync(); });
  }
  flush_release(failures, above);
}

}  // namespace allocator::store
