#include "shim/cli/inspect/plan/forecast.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include "allocator/choose.hpp"
#include "allocator/store/survey/survey_snapshot.hpp"
#include "shim/cli/inspect/next_add.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

using allocator::Address;
using allocator::Pick;
using allocator::PodKey;
using allocator::Reason;
using allocator::store::SurveyedAddress;
using validate::joined;

bool is_own(const Pick& pick) { return pick.reason == Reason::pin || pick.reason == Reason::held; }

void add_words(std::string& text, const std::string& more) {
  if (!more.empty()) text.append(text.empty() ? "" : "; ").append(more);
}

/// One interface of a pod.
struct Client {
  std::vector<Address> now;    ///< that it runs on
  std::vector<Address> held;   ///< for it, beside those
  std::vector<Address> own;    ///< that it gets by right: pinned to it, or held for it
  std::vector<Address> after;  ///< all that it gets
  /// Those of them that its next ADD finds, by the number of their DEL.
  std::multimap<std::uint64_t, Address, std::greater<>> bound;
  std::optional<allocator::Attachment> attachment;
  std::string failure;  ///< of its next ADD
  std::string lost;     ///< why it does not get what it has
  std::string got;      ///< and what it gets instead, where others pay for it

  [[nodiscard]] bool is_running() const { return !now.empty(); }
  [[nodiscard]] bool is_bound_to(const Address& address) const {
    return std::any_of(bound.begin(), bound.end(),
                       [&](const auto& entry) { return entry.second == address; });
  }
};

/// Lets everybody come back, one after the other.
class Forecaster {
 public:
  Forecaster(const Network& today, Network& planned) : today_(today), after_(planned) {}

  Forecast take() {
    for (const auto& [address, one] : today_.survey.addresses) look_at_bound(one);
    for (const auto& [address, one] : today_.survey.addresses) look_at_unbound(one);
    if (!after_keeps()) forget_bindings();
    for (auto& [pod, client] : clients_) end(pod, client);
    for (auto& [pod, client] : clients_) find_losses(pod, client);
    for (auto& [pod, client] : clients_) settle_own(pod, client);
    for (auto& [pod, client] : clients_) settle(pod, client);
    for (const auto& [pod, client] : clients_) tell(pod, client);
    sort_by_outlook();
    forecast_.counts = count(after_);
    return std::move(forecast_);
  }

 private:
  void sort_by_outlook() {
    std::vector<PodForecast> sorted;
    for (std::size_t outlook = 0; outlook < kOutlookNames.size(); ++outlook) {
      for (auto& one : forecast_.pods) {
        if (one.outlook == static_cast<Outlook>(outlook)) sorted.push_back(std::move(one));
      }
    }
    forecast_.pods = std::move(sorted);
  }

  [[nodiscard]] bool is_elsewhere() const { return today_.network_dir != after_.network_dir; }
  [[nodiscard]] bool has_other_state() const {
    return today_.conf.placement.state_dir != after_.conf.placement.state_dir;
  }

  /// What host-local is put in the place of forgets what was kept.
  [[nodiscard]] bool after_keeps() const {
    const bool was_same = today_.ipam_type == after_.ipam_type;
    const bool is_ours =
        after_.ipam_type == "delegated-ipam" || (was_same && !after_.is_host_locals());
    return is_ours && !is_elsewhere() && after_.conf.placement.retain.enabled;
  }

  [[nodiscard]] bool keeps_after(const PodKey& pod) const {
    return after_keeps() && !after_.is_excluded({pod.pod_namespace, pod.pod_name, {}, {}, {}});
  }
  [[nodiscard]] bool keeps_today(const PodKey& pod) const { return today_.keeps(pod); }

  /// True for a binding that its next ADD can find: another state folder knows what the runtime's
  /// cache tells of those in use.
  [[nodiscard]] bool is_known_then(const SurveyedAddress& one) const {
    if (!has_other_state()) return true;
    const SurveyedAddress* then = after_.survey.find(one.address);
    return then != nullptr && then->is_in_use && after_.owner_of(*then).key() == one.binding->pod;
  }

  void look_at_bound(const SurveyedAddress& one) {
    if (!one.binding || (one.is_in_use && !one.is_bound_now())) return;
    Client& client = clients_[one.binding->pod];
    (one.is_in_use ? client.now : client.held).push_back(one.address);
    if (one.is_in_use) client.attachment = one.attachment;
    if (one.is_led_to && is_known_then(one))
      client.bound.emplace(one.binding->sequence - 1, one.address);
  }

  /// What the boot scan or its DEL will bind to the pod, if it has nothing else of its own.
  void look_at_unbound(const SurveyedAddress& one) {
    if (!one.is_in_use || !one.attachment || one.is_bound_now()) return;
    const Owner owner = today_.owner_of(one);
    if (!owner.is_known() && one.is_dead) return;  // nobody's
    Client* client = owner.is_known() ? &clients_[owner.key()] : nullptr;
    if (client != nullptr && (!client->is_running() || client->attachment == one.attachment)) {
      client->now.push_back(one.address);
      client->attachment = one.attachment;
      client->bound.emplace(std::uint64_t{0} - 1, one.address);
    } else {
      tell_of_stranger(one, owner);
    }
  }

  void tell_of_stranger(const SurveyedAddress& one, const Owner& owner) {
    std::string why = owner.is_known() ? "an older container of the pod" : "";
    add_words(why, why_kept_back(one.address));
    forecast_.pods.push_back({owner.key(), Outlook::not_kept, true, {one.address}, {}, why});
  }

  void forget_bindings() {
    for (auto& [address, one] : after_.survey.addresses) {
      one.binding.reset();
      one.has_record = false;
    }
  }

  /// As its DEL leaves it. A file that names nobody is nobody's to remove.
  void end(const PodKey& pod, const Client& client) {
    for (const auto& address : client.now) {
      const auto place = after_.survey.addresses.find(address);
      if (place == after_.survey.addresses.end() || !place->second.attachment) continue;
      SurveyedAddress left(address);
      left.is_closed = place->second.is_closed;
      left.has_record = keeps_after(pod) && (!has_other_state() || client.is_bound_to(address));
      if (left.has_record) left.binding = allocator::Binding{pod, {}, 0, 0, {}};
      place->second = left;
    }
  }

  void find_losses(const PodKey& pod, Client& client) {
    for (const auto& address : client.is_running() ? client.now : client.held)
      add_words(client.lost, why_lost(pod, address));
  }

  /// Empty for an address that it gets again.
  [[nodiscard]] std::string why_lost(const PodKey& pod, const Address& address) const {
    if (is_elsewhere()) return "it is known in another folder only";
    if (!keeps_after(pod)) return keeps_today(pod) ? "nothing is kept for it any more" : "";
    const std::string text = address.to_string();
    if (inspect::is_kept_back(after_, address, pod)) {
      const std::string why = why_kept_back(address);
      return why.empty() ? why_pinned(pod, address) : why;
    }
    if (has_other_state() && !clients_.at(pod).is_bound_to(address))
      return "it is kept in another folder only";
    const SurveyedAddress* one = after_.survey.find(address);
    if (one == nullptr) return {};
    if (one->is_in_use) return text + " is in use: its file names no attachment";
    if (contains(after_.survey.set_aside, address)) return text + " is set aside";
    return {};
  }

  [[nodiscard]] std::string why_kept_back(const Address& address) const {
    if (is_outside(after_, address)) return address.to_string() + " is outside the ranges";
    const auto reservation = reservation_of(after_, address);
    return reservation ? joined({address.to_string(), " is ", reservation->reserved_text()}) : "";
  }

  /// Of an address that another one is pinned to the pod instead of.
  [[nodiscard]] std::string why_pinned(const PodKey& pod, const Address& address) const {
    const auto& sets = after_.conf.allocation.sets;
    const std::size_t set = set_of(sets, address);
    for (const auto& pin : after_.conf.allocation.reservations.pins) {
      if (is_of_pod(pin, pod) && set_of(sets, pin.address) == set)
        return "the pod is pinned to " + pin.address.to_string();
    }
    return {};
  }

  [[nodiscard]] allocator::Choice ask(const PodKey& pod, const Client& client) {
    allocator::Wish wish;
    wish.pod = pod;
    wish.present = client.after;
    if (keeps_after(pod)) {
      for (const auto& [age, address] : client.bound) wish.bound.push_back(address);
    }
    wish.same_sandbox = of_other_interfaces(pod);
    allocator::store::SurveySnapshot snapshot(after_.survey);
    const auto& allocation = after_.conf.allocation;
    return choose(allocation.sets, allocation.reservations, wish, snapshot);
  }

  [[nodiscard]] std::vector<Address> of_other_interfaces(const PodKey& pod) const {
    std::vector<Address> addresses;
    auto other = clients_.lower_bound({pod.pod_namespace, pod.pod_name, {}});
    for (; other != clients_.end() && other->first.display() == pod.display(); ++other) {
      const auto& after = other->second.after;
      if (other->first != pod) addresses.insert(addresses.end(), after.begin(), after.end());
    }
    return addresses;
  }

  void settle_own(const PodKey& pod, Client& client) {
    if (!client.is_running()) return;
    for (const auto& pick : ask(pod, client).picks) {
      if (!is_own(pick)) continue;
      occupy(pick, pod);
      client.own.push_back(pick.address);
    }
    client.after = client.own;
  }

  void settle(const PodKey& pod, Client& client) {
    if (!client.is_running() || client.after.size() == after_.conf.allocation.sets.size()) return;
    const auto choice = ask(pod, client);
    if (choice.failure) client.failure = choice.failure->what();
    if (choice.failure) return;
    client.after.clear();
    for (const auto& pick : choice.picks) {
      client.after.push_back(pick.address);
      if (pick.reason == Reason::present) continue;
      occupy(pick, pod);
      if (pick.evicted || pick.reason == Reason::reclaimed)
        add_words(client.got, joined({pick.address.to_string(), " is ", explain(pick).why}));
    }
  }

  /// As its ADD leaves it.
  void occupy(const Pick& pick, const PodKey& pod) {
    auto& one = after_.survey.addresses.try_emplace(pick.address, pick.address).first->second;
    if (pick.evicted) evicted_by_[pick.address] = pod.display();
    one.is_in_use = true;
    one.is_dead = false;
    one.attachment = {pod.display(), pod.ifname};
    one.has_record = keeps_after(pod);
    one.binding.reset();
    if (one.has_record) one.binding = allocator::Binding{pod, {}, 0, 0, {}};
    auto& cursors = after_.survey.cursors;
    if (pick.reason != Reason::round_robin) return;
    cursors.resize(std::max(cursors.size(), pick.set + 1));
    cursors[pick.set] = pick.address;
  }

  void tell(const PodKey& pod, const Client& client) {
    if (client.is_running()) {
      tell_of_running(pod, client);
    } else if (keeps_today(pod)) {
      tell_of_held(pod, client);
    }
  }

  void tell_of_running(const PodKey& pod, const Client& client) {
    PodForecast told{pod, Outlook::keeps, true, client.now, client.after, {}};
    const bool gets_all = std::all_of(client.now.begin(), client.now.end(),
                                      [&](const auto& one) { return contains(client.own, one); });
    if (!client.failure.empty()) {
      told.outlook = Outlook::does_not_fit;
      told.after.clear();
      told.why = client.lost;
      add_words(told.why, client.failure);
    } else if (gets_all) {
      told.outlook = Outlook::keeps;  // a pin counts for whom nothing is kept, too
    } else if (!keeps_after(pod) && !keeps_today(pod)) {
      told.outlook = Outlook::not_kept;
      told.after.clear();
    } else {
      told.outlook = Outlook::moves;
      if (!keeps_after(pod)) told.after.clear();  // by chance
      told.why = client.lost.empty() ? "its record does not lead to it" : client.lost;
      add_words(told.why, client.got);
    }
    forecast_.pods.push_back(std::move(told));
  }

  void tell_of_held(const PodKey& pod, const Client& client) {
    PodForecast told{pod, Outlook::keeps, false, client.held, {}, {}};
    std::string evicted;
    for (const auto& address : client.held) {
      const auto by = evicted_by_.find(address);
      if (by != evicted_by_.end())
        add_words(evicted, joined({address.to_string(), " goes to ", by->second}));
      else if (keeps_after(pod) && client.is_bound_to(address) &&
               !inspect::is_kept_back(after_, address, pod))
        told.after.push_back(address);
    }
    const bool has_all =
        std::all_of(client.held.begin(), client.held.end(),
                    [&](const Address& one) { return has_family(told.after, one.family()); });
    if (!has_all) told.outlook = evicted.empty() ? Outlook::dormant : Outlook::evicted;
    if (!has_all) told.why = evicted.empty() ? client.lost : evicted;
    forecast_.pods.push_back(std::move(told));
  }

  const Network& today_;
  Network& after_;
  std::map<PodKey, Client, ByName> clients_;
  std::map<Address, std::string> evicted_by_;
  Forecast forecast_;
};

}  // namespace

Forecast forecast_of(const Network& today, Network& planned) {
  return Forecaster(today, planned).take();
}

}  // namespace shim::inspect
