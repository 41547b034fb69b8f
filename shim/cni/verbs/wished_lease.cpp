#include "shim/cni/verbs/wished_lease.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace shim {
namespace {

using allocator::Address;
using allocator::store::Presence;

/// True when `text` has the address as a word of its own.
bool names_address(std::string_view text, const Address& address) {
  const std::string name = address.to_string();
  const bool is_v6 = address.family() == allocator::Family::v6;
  const auto is_part = [&](std::size_t at) {
    if (at >= text.size()) return false;
    return std::isxdigit(static_cast<unsigned char>(text[at])) != 0 || (is_v6 && text[at] == ':');
  };
  for (auto at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if (!is_part(at - 1) && !is_part(at + name.size())) return true;
  }
  return false;
}

}  // namespace

void WishedLease::look() {
  allocator::store::Wishes wishes;
  try {
    wishes = lease_.bindings().wishes(lease_.owner());
  } catch (const std::exception& error) {
    lease_.note(std::string("the address of before is not known: ") + error.what());
  }
  if (conf_.requests != RequestsConf::any) refuse_others();
  for (const auto& dead : wishes.dead) end_dead(dead);
  taken_over_ = std::move(wishes.taken_over);
  wishes_ = std::move(wishes.addresses);
  if (conf_.caller_requests) wishes_.clear();
  if (!conf_.requested.empty()) wishes_ = conf_.requested;
}

/// host-local knows no bindings: it would give away what another pod comes back to.
void WishedLease::refuse_others() {
  for (const auto* asked : {&conf_.requested_by_caller, &conf_.requested}) {
    const auto kept = lease_.bindings().kept_for_others(lease_.owner(), *asked);
    if (kept) throw CniError(ErrorCode::invalid_config, allocator::kept_for_others_text(*kept));
  }
}

std::vector<allocator::store::TakenOver> WishedLease::taken_over(
    const std::vector<Address>& answered) const {
  auto taken = taken_over_;
  std::erase_if(taken, [&](const allocator::store::TakenOver& one) {
    return std::find(answered.begin(), answered.end(), one.address) == answered.end();
  });
  return taken;
}

void WishedLease::end_dead(const allocator::Attachment& dead) {
  const std::string what = "the lease of " + dead.container_id + " " + dead.ifname;
  try {
    lease_.caller().release(deadline_, dead);
    lease_.note(what + " ended: its container is gone");
  } catch (const DelegateFailure& failure) {
    lease_.note(what + " cannot be ended, though its container is gone: " + failure.what());
  }
}

Result WishedLease::run(Presence before) {
  if (before == Presence::live) wishes_.clear();
  while (true) {
    try {
      const Json& plain = conf_.document;
      const auto answer = lease_.caller().call(
          "ADD", wishes_.empty() ? plain : with_requested(plain, wishes_), deadline_);
      return usable_result(answer.output, {answer.sent_version, conf_.cni_version,
                                           conf_.keep_interfaces, conf_.families});
    } catch (const DelegateFailure& failure) {
      if (!failure.has_run || failure.timed_out || before == Presence::live) throw;
      // host-local refuses a second ADD of an attachment. One that is dead gives way: podman starts
      // a container again under its ID.
      if (std::exchange(before, Presence::none) == Presence::dead) {
        lease_.caller().release(deadline_);
        continue;
      }
      if (wishes_.empty() || !conf_.requested.empty()) throw;
      drop_refused(failure);
    }
  }
}

void WishedLease::drop_refused(const DelegateFailure& failure) {
  const std::string text = std::string(failure.what()) + " " + failure.details;
  const auto before = wishes_.size();
  std::erase_if(wishes_, [&](const Address& address) { return names_address(text, address); });
  if (wishes_.size() == before) wishes_.clear();
  lease_.note("not the address of before: " + text);
}

}  // namespace shim
