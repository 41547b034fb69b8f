// What an operator pins by hand.
#include <algorithm>

#include "allocator/store/lease_store.hpp"

namespace allocator::store {

/// Flushed also where nothing changes: whoever wrote it may have died before.
void LeaseStore::change_pins(const std::function<void(std::vector<Pin>&)>& change) {
  std::vector<std::string> changed;
  auto folder = open_for_release({}, changed);
  if (!folder) return;
  Session session = open_session(std::move(*folder), std::move(changed));
  {
    const NetworkLock lock = session.lock(Session::Purpose::reserve);
    session.require_records();
    session.prepare({});
    if (!session.records()) return;
    auto pins = session.records()->pins();
    change(pins);
    // First the word that somebody has to look: an ordinary ADD does not.
    if (!pins.empty() &&
        !session.run().change_mark([](BootMark& mark) { mark.is_unpinned = false; }))
      throw TryAgain("pin in " + options_.network_dir + ": nothing can be noted in " +
                     options_.run_dir + "; try again");
    session.records()->put_pins(pins);
  }
  session.flush({});
  session.flush_parents();
}

std::vector<Pin> LeaseStore::pin(const std::vector<Pin>& pins) {
  std::vector<Pin> refused;
  change_pins([&](std::vector<Pin>& by_hand) {
    for (const auto& pin : pins) {
      const auto other = std::find_if(by_hand.begin(), by_hand.end(), [&](const Pin& one) {
        return one.address == pin.address && one != pin;
      });
      if (other != by_hand.end()) refused.push_back(pin);
    }
    if (!refused.empty()) return;
    for (const auto& pin : pins) {
      if (std::find(by_hand.begin(), by_hand.end(), pin) == by_hand.end()) by_hand.push_back(pin);
    }
  });
  return refused;
}

void LeaseStore::unpin(const std::vector<Pin>& pins) {
  change_pins([&](std::vector<Pin>& by_hand) {
    std::erase_if(by_hand, [&](const Pin& one) {
      return std::find(pins.begin(), pins.end(), one) != pins.end();
    });
  });
}

}  // namespace allocator::store
