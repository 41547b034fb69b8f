/// Taking back what a command changed in the records.
#include <algorithm>

#include "allocator/store/state/record_folder.hpp"

namespace allocator::store {
namespace {

bool is_binding(const RecordChange& change) { return change.name.starts_with("ip."); }

}  // namespace

void RecordFolder::undo() {
  read_.clear();
  is_new_ = false;
  // A DEL that came meanwhile has stamped a binding of ours: it is held now, and its hint must
  // stay.
  const bool taken_up =
      std::any_of(changes_.begin(), changes_.end(),
                  [&](const RecordChange& change) { return was_stamped(change); });
  // Hints first: whether a binding may come back is asked of them.
  for (const bool bindings : {false, true}) {
    for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
      if (is_binding(*change) != bindings) continue;
      if (!bindings && taken_up) continue;
      if (fs_->read_link(folder_, change->name) != change->after) continue;
      write(change->name, may_restore(*change) ? change->before : std::nullopt);
    }
  }
  changes_.clear();
  read_.clear();
}

/// True for a binding that somebody changed since this object wrote it, without giving it to
/// another pod.
bool RecordFolder::was_stamped(const RecordChange& change) {
  if (!change.after || !is_binding(change)) return false;
  const auto now = fs_->read_link(folder_, change.name);
  if (!now || now == change.after) return false;
  const auto ours = decode_binding(*change.after);
  const auto theirs = decode_binding(*now);
  return ours && theirs && ours->pod == theirs->pod;
}

bool RecordFolder::may_restore(const RecordChange& change) {
  if (!change.before || !is_binding(change)) return true;
  const auto before = decode_binding(*change.before);
  const auto address = bound_address(change.name);
  if (!before || !address) return true;
  // A pod that was bound anew meanwhile has dropped the address from its hint: it was not its own
  // then.
  try {
    const auto pod_hint = hint(before->pod);
    return pod_hint && std::find(pod_hint->addresses.begin(), pod_hint->addresses.end(),
                                 *address) != pod_hint->addresses.end();
  } catch (const ClosedRecord&) {
    return true;
  }
}

}  // namespace allocator::store
