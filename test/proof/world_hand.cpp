/// What an operator does by hand while everything else goes on.
#include <algorithm>

#include "test/proof/node.hpp"
#include "test/proof/world.hpp"
#include "test/unit/support/values.hpp"

namespace proof {
namespace {

std::string name_of(unsigned pod) { return "p" + std::to_string(pod); }

/// Of the narrow range as well, and never the one that is pinned by the configuration.
std::string some_address(unsigned draw) {
  constexpr std::array kSome = {2, 3, 4, 6};
  return "10.0.0." + std::to_string(kSome.at(draw % kSome.size()));
}

}  // namespace

World::Trouble World::happen_by_hand(const Event& event) {
  if (event.who == kNameless || machine_.is_read_only) return std::nullopt;
  happening_.is_nothing = false;
  switch (event.kind) {
    case Kind::hand_release:
      return release_by_hand(event);
    case Kind::hand_forget:
      return forget_by_hand(event);
    case Kind::hand_hold:
      hold_by_hand(event);
      break;
    case Kind::hand_pin:
      pin_by_hand(event);
      break;
    default:
      unpin_by_hand(event);
      break;
  }
  return std::nullopt;
}

/// Only who is proven dead may be ended without force.
World::Trouble World::release_by_hand(const Event& event) {
  const Sandbox* sandbox = oldest(event.who);
  if (sandbox == nullptr) return std::nullopt;
  const allocator::Attachment attachment{sandbox->container, kInterface};
  std::vector<std::string> freed;
  const bool is_done = act_by_hand(event, [&](store::LeaseStore& leases) {
    const auto outcome = leases.release_by_hand(attachment, {test::pod(name_of(event.who)), {}},
                                                store::LeaseStore::Proof::needed);
    for (const auto& address : outcome.freed) freed.push_back(address.to_string());
  });
  if (!is_done || freed.empty()) return std::nullopt;
  kept_.erase(event.who);
  for (auto& other : sandboxes_) {
    if (other.container != attachment.container_id || !share_one(other.addresses, freed)) continue;
    if (lives(other)) return "P1: a release by hand ends " + other.container + ", which lives";
    other.addresses.clear();
  }
  return std::nullopt;
}

World::Trouble World::forget_by_hand(const Event& event) {
  std::vector<std::string> ended;
  static_cast<void>(act_by_hand(event, [&](store::LeaseStore& leases) {
    for (const auto& address : leases.forget_pod(test::pod(name_of(event.who))).ended)
      ended.push_back(address.to_string());
  }));
  kept_.erase(event.who);
  for (const auto& sandbox : sandboxes_) {
    const bool is_known = lives(sandbox) && !sandbox.is_damaged && sandbox.pod == event.who;
    if (is_known && share_one(sandbox.addresses, ended))
      return "P2: the binding of " + sandbox.container + ", which lives, is ended by hand";
  }
  return std::nullopt;
}

/// Nothing that is another pod's, or in use by somebody else.
void World::hold_by_hand(const Event& event) {
  const std::string address = some_address(event.draw);
  static_cast<void>(act_by_hand(event, [&](store::LeaseStore& leases) {
    allocator::store::HandHold wanted{test::pod(name_of(event.who)), {}, {}};
    wanted.addresses.push_back({test::ip(address)});
    static_cast<void>(leases.hold_by_hand({wanted}, allocator::Force::no));
  }));
  kept_.erase(event.who);
  // Who has lost his file there is told of by his binding no longer.
  unrecorded_.insert("ip." + address);
}

/// What the configuration pins to a pod goes first, in an order of its own.
void World::pin_by_hand(const Event& event) {
  if (event.who == kPinned) return;
  was_pinned_.insert(event.who);
  const std::string address = some_address(event.draw);
  const bool is_done = act_by_hand(event, [&](store::LeaseStore& leases) {
    if (leases.pin({test::pin(name_of(event.who), address)}).empty())
      pins_.emplace(address, event.who);
  });
  // The pod gets it from here on, and nobody else; of a list that cannot be read nobody knows.
  if (!is_done) pins_.erase(address);
  std::erase_if(kept_, [&](const auto& one) {
    return one.first == event.who || share_one(one.second, {address});
  });
}

void World::unpin_by_hand(const Event& event) {
  std::vector<allocator::Pin> all;
  for (const auto& [address, pod] : pins_) {
    if (pod == event.who) all.push_back(test::pin(name_of(pod), address));
  }
  static_cast<void>(act_by_hand(event, [&](store::LeaseStore& leases) { leases.unpin(all); }));
  std::erase_if(pins_, [&](const auto& one) { return one.second == event.who; });
  kept_.erase(event.who);
}

bool World::is_pinned_to_another(unsigned pod, const std::vector<std::string>& addresses) const {
  return std::any_of(pins_.begin(), pins_.end(), [&](const auto& pin) {
    return pin.second != pod && share_one({pin.first}, addresses);
  });
}

/// Addresses that are pinned by hand are given to nobody else who has not got them yet.
World::Trouble World::trouble_with_pins(const Sandbox& sandbox,
                                        const std::vector<std::string>& told) const {
  const bool may_be_its_own =
      sandbox.had_file || sandbox.is_mistold || share_one(sandbox.addresses, told);
  if (may_be_its_own) return std::nullopt;
  if (!is_pinned_to_another(sandbox.pod, told)) return std::nullopt;
  return "P5: " + sandbox.container + " gets " + told.front() + ", which is pinned to another pod";
}

}  // namespace proof
