#include "allocator/hand_hold.hpp"

namespace allocator {
namespace {

Hold judge_alone(const HoldFacts& facts, Force force) {
  if (facts.is_closed) return Hold::closed;
  if (facts.user == User::somebody_else) return Hold::in_use;
  if (facts.is_bound_to_pod) return Hold::already;
  if (facts.elsewhere == Elsewhere::in_use) return Hold::elsewhere_in_use;
  if (force == Force::no) {
    if (facts.is_bound_to_others) return Hold::others;
    if (facts.elsewhere == Elsewhere::held) return Hold::elsewhere;
  }
  return facts.user == User::the_pod ? Hold::bound_in_use : Hold::held;
}

}  // namespace

HeldRoom::HeldRoom(const std::vector<HeldAddress>& held) {
  for (const auto& one : held) {
    ++of_family_[one.address.family()];
    ++of_pod_[{one.address.family(), one.pod}];
  }
}

bool HeldRoom::take(const HeldAddress& one) {
  std::size_t& of_family = of_family_[one.address.family()];
  std::size_t& of_pod = of_pod_[{one.address.family(), one.pod}];
  if (of_family >= kHeldPerFamily || of_pod >= kHeldPerPod) return false;
  ++of_family;
  ++of_pod;
  return true;
}

std::vector<Hold> judge_holds(const std::vector<HoldFacts>& wanted, Force force, HeldRoom& room) {
  std::map<Family, std::size_t> bound;
  for (const auto& one : wanted) {
    if (one.is_bound_to_pod) ++bound[one.wanted.address.family()];
  }
  std::vector<Hold> holds(wanted.size());
  for (std::size_t place = wanted.size(); place-- > 0;) {
    const HeldAddress& address = wanted[place].wanted;
    Hold& hold = holds[place] = judge_alone(wanted[place], force);
    if (!is_news(hold)) continue;
    std::size_t& of_family = bound[address.address.family()];
    const bool has_room = of_family < kBoundPerFamily && (hold != Hold::held || room.take(address));
    if (has_room) ++of_family;
    if (!has_room) hold = Hold::full;
  }
  return holds;
}

}  // namespace allocator
