#include "allocator/fairness.hpp"

#include <algorithm>
#include <map>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace allocator {
namespace {

/// Sequence 0 means that no DEL ever ended the use (somebody wiped the directory): such a pod was
/// the last to let go. Unsigned arithmetic turns 0 into the largest number.
std::uint64_t order_of(const HeldAddress& held) { return held.sequence - 1; }

bool held_longer(const HeldAddress& left, const HeldAddress& right) {
  const std::uint64_t left_order = order_of(left);
  const std::uint64_t right_order = order_of(right);
  return left_order != right_order ? left_order < right_order : left.address < right.address;
}

/// The one of a namespace that is held longest, and how many it has.
struct Share {
  std::size_t count = 0;
  const HeldAddress* oldest = nullptr;
};

}  // namespace

const HeldAddress* first_to_go(const std::vector<HeldAddress>& held,
                               const std::optional<std::uint64_t>& space) {
  std::unordered_map<std::uint64_t, Share> shares;
  for (const auto& one : held) {
    Share& share = shares[one.space];
    ++share.count;
    if (share.oldest == nullptr || held_longer(one, *share.oldest)) share.oldest = &one;
  }
  if (space) {
    const auto own = shares.find(*space);
    if (own != shares.end()) return own->second.oldest;
  }
  const Share* largest = nullptr;
  for (const auto& [id, share] : shares) {
    const bool is_larger =
        largest == nullptr || share.count > largest->count ||
        (share.count == largest->count && held_longer(*share.oldest, *largest->oldest));
    if (is_larger) largest = &share;
  }
  return largest == nullptr ? nullptr : largest->oldest;
}

std::vector<HeldAddress> surplus(std::vector<HeldAddress> held, std::size_t limit,
                                 std::size_t per_pod) {
  // Newest first: what is to go stands at the end of each list.
  std::sort(held.begin(), held.end(), [](const HeldAddress& left, const HeldAddress& right) {
    return held_longer(right, left);
  });
  std::vector<HeldAddress> too_many;
  std::unordered_map<std::uint64_t, std::size_t> of_pod;
  std::map<std::uint64_t, std::vector<HeldAddress>> of_namespace;
  std::size_t total = 0;
  for (auto& one : held) {
    if (++of_pod[one.pod] > per_pod) {
      too_many.push_back(one);
      continue;
    }
    ++total;
    of_namespace[one.space].push_back(one);
  }
  // The largest first; of two as large the one whose oldest is held longer.
  std::priority_queue<std::tuple<std::size_t, std::uint64_t, std::uint64_t>> by_size;
  const auto enqueue = [&](std::uint64_t space, const std::vector<HeldAddress>& list) {
    if (!list.empty()) by_size.emplace(list.size(), ~order_of(list.back()), space);
  };
  for (const auto& [space, list] : of_namespace) enqueue(space, list);
  for (; total > limit; --total) {
    const std::uint64_t space = std::get<2>(by_size.top());
    by_size.pop();
    auto& list = of_namespace[space];
    too_many.push_back(list.back());
    list.pop_back();
    enqueue(space, list);
  }
  return too_many;
}

}  // namespace allocator
