/// The held addresses, and the list of them in the index: made when an eviction has asked for it,
/// and kept from there on, so that the next one reads no record but that of its choice.
#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "allocator/store/alive/former_use.hpp"
#include "allocator/store/session.hpp"

namespace allocator::store {

void Session::look_at_network() {
  network_.look();
  held_.reset();
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

std::vector<HeldAddress> Session::held() {
  if (!records_) return {};
  const AttachmentIndex* const index = network_.index();
  if (!held_ && index != nullptr && index->is_held_trusted()) held_ = index->held();
  if (!held_) held_ = read_held();
  network_.want_held(held_->size());
  return *held_;
}

std::vector<HeldAddress> Session::read_held() {
  std::vector<HeldAddress> held;
  for (const auto& [address, binding] : records_->bindings()) {
    if (!network_.is_in_use(address)) held.push_back(as_held(address, binding));
  }
  return held;
}

bool Session::distrust_held() {
  AttachmentIndex* const index = network_.index();
  const bool was_trusted = index != nullptr && index->is_held_trusted();
  if (index != nullptr) index->distrust_held();
  if (was_trusted) held_.reset();
  return was_trusted;
}

void Session::note_taken(const Address& address) { touch({address}); }

/// Before anything of it is changed: whoever is killed then leaves no list that is wrong.
void Session::touch(const std::vector<Address>& addresses) {
  touched_.insert(touched_.end(), addresses.begin(), addresses.end());
  if (network_.index() != nullptr) network_.index()->begin_held();
}

void Session::settle_held() noexcept {
  try {
    if (!records_) return;
    keep_held();
    if (!is_trim_due_) return;
    is_trim_due_ = false;
    trim(*records_, held(),
         [&](const Address& address) { return network_.is_in_use_now(address); });
    remember_use(*run_, &*records_, {});
    keep_held();
  } catch (const std::exception&) {
    // What is not kept is read again, and the next occasion to count will do.
    static_cast<void>(distrust_held());
  }
}

/// What was held before this command, and what it changed.
void Session::keep_held() {
  for (const auto& change : records_->changes()) {
    if (const auto address = bound_address(change.name)) touched_.push_back(*address);
  }
  AttachmentIndex* const index = network_.index();
  const auto before = std::exchange(held_, std::nullopt);
  if (index == nullptr) return;
  const bool is_listed_anew = before && !index->is_held_trusted() &&
                              before->size() + touched_.size() < index->room_for_held();
  if (is_listed_anew) index->set_held(*before);
  if (!index->is_held_trusted() || (touched_.empty() && !is_listed_anew)) return;
  const bool has_room = std::all_of(touched_.begin(), touched_.end(),
                                    [&](const Address& address) { return list(*index, address); });
  const auto now = has_room ? records_->mark() : std::nullopt;
  if (now) {
    index->seal_held(*now);
  } else {
    index->distrust_held();
  }
}

/// False when there is no room for it.
bool Session::list(AttachmentIndex& index, const Address& address) {
  const auto binding = records_->readable_binding(address);
  if (binding && !network_.is_in_use_now(address))
    return index.put_held(as_held(address, *binding));
  index.remove_held(address);
  return true;
}

}  // namespace allocator::store
