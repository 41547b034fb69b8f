#include "allocator/store/alive/former_use.hpp"

#include <algorithm>

namespace allocator::store {

bool was_used(const Pick& pick, const std::string& boot_id, RunFolder& run) {
  // The attachment may live in another network namespace than at its first ADD.
  if (pick.reason == Reason::present) return true;
  if (pick.last_boot) return pick.last_boot->empty() || boot_id.starts_with(*pick.last_boot);
  return pick.takes_over || run.was_used(pick.address);
}

void remember_use(RunFolder& run, const RecordFolder* records, const std::vector<Address>& freed) {
  std::vector<Address> unnamed = freed;
  if (records != nullptr) {
    for (const auto& change : records->changes()) {
      const auto address = bound_address(change.name);
      if (!address) continue;
      std::erase(unnamed, *address);
      if (!change.after) unnamed.push_back(*address);
    }
  }
  run.mark_used(unnamed);
}

}  // namespace allocator::store
