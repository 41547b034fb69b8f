// What an operator has kept for pods: the bindings that he brings along, one pod after the other.
#include <algorithm>
#include <set>

#include "allocator/store/bindings.hpp"
#include "allocator/store/lease_store.hpp"

namespace allocator::store {
namespace {

bool is_wanted(const HandHold& wanted, const Address& address) {
  return std::any_of(wanted.addresses.begin(), wanted.addresses.end(),
                     [&](const auto& one) { return one.address == address; });
}

/// What is in use, and only not stamped yet, does not count.
std::vector<HeldAddress> stamped(std::vector<HeldAddress> held) {
  std::erase_if(held, [](const HeldAddress& one) { return one.sequence == 0; });
  return held;
}

/// Binds pods by hand. The lock is held.
class HandHolder {
 public:
  HandHolder(Session& session, Force force, std::vector<std::string>& notes)
      : session_(session),
        records_(*session.records()),
        force_(force),
        notes_(notes),
        room_(stamped(session.held().all())) {}

  /// What cannot be read costs its own pod.
  std::vector<Hold> hold(const HandHold& wanted) {
    try {
      const auto known = records_.hint(wanted.pod);
      const auto bound = bound_by(known, wanted.pod);
      auto holds = judge(wanted, bound);
      if (std::any_of(holds.begin(), holds.end(), is_news)) write(wanted, known, bound, holds);
      return holds;
    } catch (const ClosedRecord&) {
      return std::vector<Hold>(wanted.addresses.size(), Hold::closed);
    }
  }

 private:
  /// Errors: throws ClosedRecord: what cannot be read may be the pod's, and only the hint leads to
  /// it.
  Bindings bound_by(const std::optional<PodHint>& hint, const PodKey& pod) {
    Bindings bound;
    for (const auto& address : hint ? hint->addresses : std::vector<Address>()) {
      auto binding = records_.binding(address);
      if (binding && binding->pod == pod) bound.emplace_back(address, std::move(*binding));
    }
    return bound;
  }

  std::vector<Hold> judge(const HandHold& wanted, const Bindings& bound) {
    std::vector<HoldFacts> facts;
    for (const auto& one : wanted.addresses) facts.push_back(facts_of(wanted, one, bound));
    return judge_holds(facts, force_, room_);
  }

  HoldFacts facts_of(const HandHold& wanted, const HandHold::Wanted& one, const Bindings& bound) {
    const auto binding = records_.binding(one.address);
    const bool is_own = binding && binding->pod == wanted.pod;
    return {as_held(one.address, {wanted.pod, {}, 1, 0, {}}),
            user_of(one, binding, is_own),
            !binding && records_.has_binding(one.address),
            is_own,
            binding && !is_own,
            elsewhere(wanted, bound, one.address.family())};
  }

  /// Who had an address in this boot may live on where somebody has removed its file.
  User user_of(const HandHold::Wanted& one, const std::optional<Binding>& binding, bool is_own) {
    const bool is_in_use = session_.network().is_in_use(one.address);
    if (!is_in_use && !session_.may_be_lost(one.address)) return User::nobody;
    const bool is_told_by_binding = !is_in_use || (binding && binding->sequence == 0);
    const bool has_it = is_told_by_binding ? is_own : is_file_of(one);
    return has_it ? User::the_pod : User::somebody_else;
  }

  bool is_file_of(const HandHold::Wanted& one) {
    const AttachmentFile* file = session_.network().file_of(one.address);
    return file != nullptr && one.attachment && names_attachment(*file) &&
           parse_owner(file->owner) == *one.attachment;
  }

  Elsewhere elsewhere(const HandHold& wanted, const Bindings& bound, Family family) {
    Elsewhere found = Elsewhere::no;
    for (const auto& [address, binding] : bound) {
      if (address.family() != family || is_wanted(wanted, address)) continue;
      const bool has_it = binding.sequence == 0 && session_.network().is_in_use(address);
      if (has_it || session_.is_lost(address, binding)) return Elsewhere::in_use;
      found = Elsewhere::held;
    }
    return found;
  }

  void write(const HandHold& wanted, const std::optional<PodHint>& known, const Bindings& bound,
             const std::vector<Hold>& holds) {
    Rebinding change;
    change.known = known;
    if (known) change.hint.previous_boot = known->previous_boot;
    give(wanted, holds, change);
    keep_or_end(wanted, bound, change);
    session_.held().touch({});
    static_cast<void>(rebind(records_, wanted.pod, change, notes_));
  }

  /// All addresses of a pod get one number, as at a DEL; the hint has the newest first.
  void give(const HandHold& wanted, const std::vector<Hold>& holds, Rebinding& change) {
    const bool any_held = std::count(holds.begin(), holds.end(), Hold::held) != 0;
    const std::uint64_t number = any_held ? next_release_number(records_, session_.run()) : 0;
    std::vector<Address> in_use;
    for (std::size_t place = holds.size(); place-- > 0;) {
      const auto& one = wanted.addresses[place];
      if (is_kept(holds[place])) change.hint.addresses.push_back(one.address);
      if (!is_news(holds[place])) continue;
      Binding binding{wanted.pod, wanted.uid, number, one.kept, {}};
      if (holds[place] == Hold::bound_in_use) {
        binding.sequence = 0;
        binding.boot8 = boot8_of(session_.boot_id());
        in_use.push_back(one.address);
      }
      change.given.emplace_back(one.address, std::move(binding));
    }
    // As bind_attachment() does: nobody has noted when it got them.
    if (change.hint.previous_boot.empty()) change.hint.previous_boot = in_use;
  }

  /// The pod's other addresses of a family that it is given one of end: unforced there are none.
  static void keep_or_end(const HandHold& wanted, const Bindings& bound, Rebinding& change) {
    std::set<Family> given;
    for (const auto& [address, binding] : change.given) given.insert(address.family());
    for (const auto& one : bound) {
      const bool ends = !is_wanted(wanted, one.first) && given.contains(one.first.family());
      const bool is_named = contains(change.hint.addresses, one.first);
      if (ends) change.bound.push_back(one);
      if (!ends && !is_named) change.hint.addresses.push_back(one.first);
    }
  }

  Session& session_;
  RecordFolder& records_;
  Force force_;
  std::vector<std::string>& notes_;
  HeldRoom room_;
};

}  // namespace

std::vector<std::vector<Hold>> LeaseStore::hold_by_hand(const std::vector<HandHold>& pods,
                                                        Force force) {
  std::vector<std::string> changed;
  auto folder = ensure_folder(fs_, options_.network_dir, kNetworkFolderMode, changed);
  Session session = open_session(std::move(folder), std::move(changed));
  std::vector<std::vector<Hold>> holds;
  {
    const NetworkLock lock = session.lock(Session::Purpose::reserve);
    session.require_records();
    session.prepare({});
    session.look_at_network();
    HandHolder holder(session, force, notes_);
    for (const auto& pod : pods) holds.push_back(holder.hold(pod));
    session.held().settle();
  }
  // Also what an earlier call has written, and was killed at: what is told to be kept is durable.
  session.flush({});
  session.flush_parents();
  return holds;
}

}  // namespace allocator::store
