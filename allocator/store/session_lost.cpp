#include <algorithm>
#include <system_error>

#include "allocator/store/alive/process_address.hpp"
#include "allocator/store/session.hpp"

namespace allocator::store {

void Session::look_for_lost(const RangeSets& sets) {
  if (looked_for_lost_ || sets.empty()) return;
  looked_for_lost_ = true;
  // Under the lock, against all rules: this happens when somebody has removed files.
  static_cast<void>(cached());
  run_boot_scan(sets, true);
  look_at_network();
  if (records_) records_->begin();
}

bool Session::may_be_lost(const Address& address) {
  if (parts_.options.retention == Retention::off) return false;
  try {
    const auto binding = records_ ? records_->binding(address) : std::nullopt;
    // A binding need not be of who had the address last.
    return (binding && is_lost(address, *binding)) ||
           (run_->is_unbound(address) && !network_.is_in_use(address));
  } catch (const ClosedRecord&) {
    return false;  // the choice meets the same record
  } catch (const std::system_error&) {
    return false;
  }
}

/// Under the lock, too, but only for what is rare: files that host-local made, and attachments with
/// more addresses than range sets.
const CachedAttachment* Session::cached_entry(const Attachment& attachment,
                                              const Address& address) {
  const auto& all = cached();
  const auto known = std::find_if(all.begin(), all.end(), [&](const CachedAttachment& one) {
    return one.attachment == attachment && contains(one.addresses, address);
  });
  return known == all.end() ? nullptr : &*known;
}

std::optional<Stamp> Session::cached_stamp(const Attachment& attachment, const Address& address) {
  const CachedAttachment* known = cached_entry(attachment, address);
  if (known == nullptr || !may_still_have_address(parts_.fs, known->netns_path, address))
    return std::nullopt;
  return stamp_of_call(parts_.fs, viewpoint(), attachment.container_id, known->netns_path);
}

void Session::note_unbound(const Address& address) {
  if (parts_.options.retention == Retention::on) run_->put_unbound(address);
}

/// A mark too many costs a look at the cache; no ADD is taken back for want of it.
void Session::note_given_up(const Address& address, const Binding& binding) {
  try {
    if (!network_.is_in_use(address) && !is_lost(address, binding)) return;
  } catch (const std::system_error&) {
    // It may be.
  }
  note_unbound(address);
}

void Session::forget_unbound(const std::vector<Address>& freed) {
  if (parts_.options.retention == Retention::off) return;
  for (const auto& address : freed) run_->remove_unbound(address);
}

bool Session::is_lost(const Address& address, const Binding& binding) {
  return binding.sequence == 0 && binding.boot8 == boot8_of(boot_id_) &&
         !network_.is_in_use(address);
}

}  // namespace allocator::store
