#include "allocator/store/held_addresses.hpp"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "allocator/store/alive/former_use.hpp"
#include "allocator/store/bindings.hpp"

namespace allocator::store {

void HeldAddresses::look() {
  found_.reset();
  AttachmentIndex* const index = network_.index();
  if (index == nullptr || has_looked_) return;
  has_looked_ = true;
  if (!records_ || !index->has_held()) return;
  try {
    index->trust_held(records_->identity());
  } catch (const std::system_error&) {
    index->distrust_held();  // an eviction will meet the same trouble
  }
}

void HeldAddresses::forget() {
  static_cast<void>(distrust());
  found_.reset();
}

std::vector<HeldAddress> HeldAddresses::all() {
  if (!records_) return {};
  const AttachmentIndex* const index = network_.index();
  if (!found_ && index != nullptr && index->is_held_trusted()) found_ = index->held();
  if (!found_) found_ = read();
  network_.want_held(found_->size());
  return *found_;
}

std::vector<HeldAddress> HeldAddresses::read() const {
  std::vector<HeldAddress> held;
  for (const auto& [address, binding] : records_->bindings()) {
    if (!network_.is_in_use(address)) held.push_back(as_held(address, binding));
  }
  return held;
}

bool HeldAddresses::distrust() {
  AttachmentIndex* const index = network_.index();
  const bool was_trusted = index != nullptr && index->is_held_trusted();
  if (index != nullptr) index->distrust_held();
  if (was_trusted) found_.reset();
  return was_trusted;
}

void HeldAddresses::touch(const std::vector<Address>& addresses) {
  touched_.insert(touched_.end(), addresses.begin(), addresses.end());
  if (network_.index() != nullptr) network_.index()->begin_held();
}

void HeldAddresses::settle() noexcept {
  try {
    if (!records_) return;
    keep_list();
    if (!is_trim_due_) return;
    is_trim_due_ = false;
    trim(*records_, all(), [&](const Address& address) { return network_.is_in_use_now(address); });
    remember_use(*run_, &*records_, {});
    keep_list();
  } catch (const std::exception&) {
    // What is not kept is read again, and the next occasion to count will do.
    static_cast<void>(distrust());
  }
}

/// What was held before this command, and what it changed.
void HeldAddresses::keep_list() {
  for (const auto& change : records_->changes()) {
    if (const auto address = bound_address(change.name)) touched_.push_back(*address);
  }
  AttachmentIndex* const index = network_.index();
  const auto before = std::exchange(found_, std::nullopt);
  if (index == nullptr) return;
  const bool is_listed_anew = before && !index->is_held_trusted() &&
                              before->size() + touched_.size() < index->room_for_held();
  if (is_listed_anew) index->set_held(*before);
  if (!index->is_held_trusted() || (touched_.empty() && !is_listed_anew)) return;
  const bool has_room = std::all_of(touched_.begin(), touched_.end(),
                                    [&](const Address& address) { return put(*index, address); });
  const auto now = has_room ? records_->mark() : std::nullopt;
  if (now) {
    index->seal_held(*now);
  } else {
    index->distrust_held();
  }
}

/// False when there is no room for it.
bool HeldAddresses::put(AttachmentIndex& index, const Address& address) {
  const auto binding = records_->readable_binding(address);
  if (binding && !network_.is_in_use_now(address))
    return index.put_held(as_held(address, *binding));
  index.remove_held(address);
  return true;
}

}  // namespace allocator::store
