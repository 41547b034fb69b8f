#include "allocator/fairness.hpp"

#include <algorithm>
#include <map>
#include <queue>
#include <utility>

namespace allocator {
namespace {

/// Sequence 0 means that no DEL ever ended the use (somebody wiped the directory): such a pod was
/// the last to let go. Unsigned arithmetic turns 0 into the largest number.
bool held_longer(const HeldAddress& left, const HeldAddress& right) {
  const std::uint64_t left_order = left.binding.sequence - 1;
  const std::uint64_t right_order = right.binding.sequence - 1;
  return left_order != right_order ? left_order < right_order : left.address < right.address;
}

/// The one of a namespace that is held longest, and how many it has.
struct Share {
  std::size_t count = 0;
  const HeldAddress* oldest = nullptr;
};

}  // namespace

const HeldAddress* first_to_go(const std::vector<HeldAddress>& held,
                               const std::optional<std::string>& pod_namespace) {
  std::map<std::string_view, Share> shares;
  for (const auto& one : held) {
    Share& share = shares[one.binding.pod.pod_namespace];
    ++share.count;
    if (share.oldest == nullptr || held_longer(one, *share.oldest)) share.oldest = &one;
  }
  if (pod_namespace) {
    const auto own = shares.find(*pod_namespace);
    if (own != shares.end()) return own->second.oldest;
  }
  const Share* largest = nullptr;
  for (const auto& [name, share] : shares) {
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
  std::map<std::pair<std::string, std::string>, std::size_t> of_pod;
  std::map<std::string, std::vector<HeldAddress>> of_namespace;
  std::size_t total = 0;
  for (auto& one : held) {
    const PodKey& pod = one.binding.pod;
    if (++of_pod[{pod.pod_namespace, pod.pod_name}] > per_pod) {
      too_many.push_back(std::move(one));
      continue;
    }
    ++total;
    of_namespace[pod.pod_namespace].push_back(std::move(one));
  }
  std::priority_queue<std::pair<std::size_t, std::string>> by_size;
  for (const auto& [name, list] : of_namespace) by_size.emplace(list.size(), name);
  for (; total > limit; --total) {
    const std::string name = by_size.top().second;
    by_size.pop();
    auto& list = of_namespace[name];
    too_many.push_back(std::move(list.back()));
    list.pop_back();
    by_size.emplace(list.size(), name);
  }
  return too_many;
}

}  // namespace allocator
