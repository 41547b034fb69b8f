#include "shim/cli/inspect/next_add.hpp"

#include <functional>
#include <map>

#include "allocator/store/survey/survey_snapshot.hpp"

namespace shim::inspect {
namespace {

using allocator::Address;
using allocator::Pick;
using allocator::PodKey;
using allocator::Reason;

/// What the pod is bound to: what it runs on first, then what it had last. An ADD does not find
/// what the pod's own record does not lead to.
void find_bound(const Network& network, const PodKey& pod, allocator::Wish& wish,
                std::vector<allocator::Attachment>& ended) {
  std::multimap<std::uint64_t, Address, std::greater<>> by_age;
  for (const auto& [address, one] : network.survey.addresses) {
    if (!one.binding || one.binding->pod != pod) continue;
    if (one.is_led_to)
      by_age.emplace(one.binding->sequence - 1, one.address);  // 0, in use, is the newest
    if (one.is_bound_now() && one.attachment) ended.push_back(*one.attachment);
  }
  for (const auto& [age, address] : by_age) wish.bound.push_back(address);
}

}  // namespace

NextAdd explain(const Pick& pick) {
  NextAdd next{pick.address.to_string(), 0, {}};
  switch (pick.reason) {
    case Reason::pin:
      next.step = 1;
      next.why = "its pin";
      break;
    case Reason::present:
    case Reason::requested:  // neither is asked for here
      next.step = 2;
      break;
    case Reason::held:
      next.step = 3;
      next.why = pick.takes_over ? "its own address, taken over from a dead container"
                                 : "its own held address";
      break;
    case Reason::round_robin:
      next.step = 4;
      next.why = "the next free address";
      break;
    case Reason::evicted:
      next.step = 5;
      next.why = pick.evicted
                     ? "held longest, by " + pick.evicted->pod.display() + ", whose binding ends"
                     : "nothing else is free";
      break;
    case Reason::reclaimed:
      next.step = 6;
      next.why = "from a container that is proven dead";
      break;
  }
  return next;
}

std::string NextAdd::to_string() const {
  if (address.empty()) return "fails: " + why;
  return address + ", step " + std::to_string(step) + ": " + why;
}

std::vector<NextAdd> next_add(const Network& network, const PodKey& pod) {
  const auto& allocation = network.conf.allocation;
  allocator::Wish wish;
  wish.pod = pod;
  std::vector<allocator::Attachment> ended;
  find_bound(network, pod, wish, ended);
  if (!network.keeps(pod)) wish.bound.clear();
  allocator::store::SurveySnapshot snapshot(network.survey, std::move(ended));
  const auto choice = choose(allocation.sets, allocation.reservations, wish, snapshot);
  std::vector<NextAdd> answers;
  for (const auto& pick : choice.picks) answers.push_back(explain(pick));
  if (choice.failure) answers.push_back({{}, 0, choice.failure->what()});
  return answers;
}

std::vector<NextAdd> next_add_at(const Network& network, const PodKey& pod,
                                 const std::optional<Address>& address) {
  auto answers = next_add(network, pod);
  const auto& sets = network.conf.allocation.sets;
  const std::size_t set = address ? set_of(sets, *address) : sets.size();
  if (set >= answers.size()) return answers;
  return {answers[set]};
}

}  // namespace shim::inspect
