#include "shim/cli/inspect/boot_report.hpp"

#include <algorithm>
#include <map>

#include "shim/cli/inspect/networks/states.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

using allocator::Address;
using allocator::Binding;
using allocator::PodKey;
using allocator::store::SurveyedAddress;
using validate::joined;

void add_once(std::vector<Address>& addresses, const std::vector<Address>& more) {
  for (const auto& one : more) {
    if (!contains(addresses, one)) addresses.push_back(one);
  }
}

/// What is known of one interface of a pod.
struct Seen {
  std::vector<Address> now;
  std::string contradiction;     ///< of the node's neighbour table; empty: none
  std::vector<Address> before;   ///< of a pod that is there now
  std::vector<Address> waiting;  ///< that it had when the boot began, and nobody has since
  std::string_view why_waiting;
  std::vector<Address> evicted;  ///< that it had when the boot began, and another pod got
  std::vector<Address> older;    ///< that a container has of which nothing else is known
  std::vector<Address> unheld;   ///< that were held for it when the boot began, and another pod got
  bool has_ended = false;        ///< it came back in this boot, and ended
};

class Reporter {
 public:
  Reporter(const Network& network, const Networks& all, const NeighbourTable& neighbours)
      : network_(network), all_(all), neighbours_(neighbours) {
    for (const auto& [address, one] : network_.survey.addresses) look_at(one);
    for (const auto& one : network_.survey.evicted) {
      Seen& seen = pods_[one.binding.pod];
      (one.ran_on ? seen.evicted : seen.unheld).push_back(one.address);
    }
  }

  void compare_with(const FormerPods& former) {
    for (auto& [pod, seen] : pods_) forget_former(seen);
    for (const auto& [pod, had] : former) remember(pod, had);
  }

  BootReport take() {
    for (auto& [pod, seen] : pods_) {
      if (auto report = judge(pod, seen)) report_.pods.push_back(std::move(*report));
    }
    std::stable_sort(
        report_.pods.begin(), report_.pods.end(),
        [](const PodReport& left, const PodReport& right) { return left.fate < right.fate; });
    return std::move(report_);
  }

 private:
  [[nodiscard]] std::string now8() const { return allocator::boot8_of(network_.survey.boot_id); }

  /// Records that name no boot are those of attachments that somebody else made.
  [[nodiscard]] bool is_of_now(const Binding& binding) const {
    return binding.boot8 == now8() || binding.boot8.empty() || now8().empty();
  }

  /// An ADD of this boot stamped the file, though a full disk took no more than that: it came back to
  /// what its records name. The boot scan's stamps name no namespace.
  [[nodiscard]] bool is_stamped_now(const SurveyedAddress& one) const {
    return one.stamp && !one.stamp->netns_path.empty() &&
           allocator::boot8_of(one.stamp->boot_id) == now8();
  }

  /// Bound by the boot scan, which can tell neither when the container was made nor that it lives.
  [[nodiscard]] bool is_adopted(const SurveyedAddress& one) const {
    return one.binding->kept == 0 && one.stamp && one.stamp->netns_path.empty();
  }

  /// True for a binding of an earlier boot that was released in this one: its pod ran on into it.
  [[nodiscard]] bool ended_in_this_boot(const Binding& binding) const {
    const auto before = network_.survey.sequence_before_boot;
    return !is_of_now(binding) && before && binding.sequence > *before;
  }

  void look_at(const SurveyedAddress& one) {
    const bool is_bound = one.is_bound_now();
    if (is_bound && is_of_now(*one.binding) && !is_adopted(one)) {
      run(one, one.previous_boot);
    } else if (is_bound && is_stamped_now(one)) {
      run(one, {one.address});
    } else if (is_bound ? !is_of_now(*one.binding) : one.is_in_use && one.is_dead) {
      wait(one, "neither an ADD nor a DEL since the boot");
    } else if (one.is_in_use) {
      tell_nothing(one);
    } else if (one.binding && is_of_now(*one.binding)) {
      pods_[one.binding->pod].has_ended = true;
    } else if (one.binding && ended_in_this_boot(*one.binding)) {
      wait(one, "released since the boot, and no ADD since");
    }
  }

  static void forget_former(Seen& seen) {
    for (auto* list : {&seen.before, &seen.waiting, &seen.evicted, &seen.older, &seen.unheld})
      list->clear();
  }

  /// A pod that is not back is told of only if it ran.
  void remember(const PodKey& pod, const Former& had) {
    Seen& seen = pods_[pod];
    seen.before = had.used.empty() ? had.held : had.used;
    if (!seen.now.empty()) return;
    seen.why_waiting = "it does not run here";
    for (const auto& address : had.used)
      (is_anothers(address, pod) ? seen.evicted : seen.waiting).push_back(address);
  }

  [[nodiscard]] bool is_anothers(const Address& address, const PodKey& pod) const {
    const SurveyedAddress* one = network_.survey.find(address);
    return one != nullptr && network_.owner_of(*one).is_known() &&
           network_.owner_of(*one).key() != pod;
  }

  void tell_nothing(const SurveyedAddress& one) {
    if (one.attachment) ++report_.untold;
    const Owner owner = network_.owner_of(one);
    if (owner.is_known()) pods_[owner.key()].older.push_back(one.address);
  }

  void run(const SurveyedAddress& one, const std::vector<Address>& before) {
    Seen& seen = pods_[one.binding->pod];
    seen.now.push_back(one.address);
    add_once(seen.before, before);
    if (seen.contradiction.empty()) seen.contradiction = contradiction(one);
  }

  /// What is wrong about where the node sends what is for the address.
  [[nodiscard]] std::string contradiction(const SurveyedAddress& one) const {
    const std::string mac = network_.mac_of(one);
    if (mac.empty()) return {};
    std::vector<std::string> others;
    for (const auto& network : all_) {
      const SurveyedAddress* other = network.survey.find(one.address);
      if (&network != &network_ && other != nullptr) others.push_back(network.mac_of(*other));
    }
    return neighbours_.contradiction(one.address, mac, others).value_or("");
  }

  /// For pods that are not kept nothing waits.
  void wait(const SurveyedAddress& one, std::string_view why) {
    const Owner owner = network_.owner_of(one);
    if (!owner.is_known() || network_.is_excluded(owner)) return;
    Seen& seen = pods_[owner.key()];
    seen.waiting.push_back(one.address);
    seen.why_waiting = why;
  }

  /// nullopt where there is nothing to tell.
  [[nodiscard]] std::optional<PodReport> judge(const PodKey& pod, const Seen& seen) const {
    if (!seen.now.empty()) return judge_running(pod, seen);
    if (seen.has_ended || (seen.evicted.empty() && seen.waiting.empty())) return std::nullopt;
    PodReport report{pod, Fate::missing, seen.waiting, {}, std::string(seen.why_waiting)};
    if (seen.evicted.empty()) return report;
    report.fate = Fate::evicted;
    add_once(report.before, seen.evicted);
    explain(report, seen.evicted);
    return report;
  }

  [[nodiscard]] PodReport judge_running(const PodKey& pod, const Seen& seen) const {
    PodReport report{pod, Fate::kept, seen.before, seen.now, {}};
    // A pod that lost its last address has nothing left that tells what it had.
    if (report.before.empty()) add_once(report.before, seen.unheld);
    if (report.before.empty()) add_once(report.before, seen.older);
    add_once(report.before, seen.evicted);
    std::vector<Address> gone;
    bool is_changed = false;
    for (const auto& one : report.before) {
      if (contains(seen.now, one) || is_dormant(one, pod)) continue;
      gone.push_back(one);
      // What was held beside what it ran on is no loss.
      const bool was_beside = !seen.before.empty() && contains(seen.unheld, one);
      is_changed |= contains(seen.evicted, one) || is_still_bound(one, pod) ||
                    (!was_beside && is_replaced(one, report));
    }
    if (is_changed) {
      report.fate = Fate::changed;
      explain(report, gone);
    } else if (!seen.contradiction.empty()) {
      report.fate = Fate::unreachable;
    } else if (report.before.empty()) {
      report.fate = Fate::fresh;
    }
    if (!seen.contradiction.empty())
      report.why.append(report.why.empty() ? "" : "; ").append(seen.contradiction);
    return report;
  }

  [[nodiscard]] bool is_still_bound(const Address& address, const PodKey& pod) const {
    const SurveyedAddress* one = network_.survey.find(address);
    return one != nullptr && !one->is_in_use && one->binding && one->binding->pod == pod;
  }

  /// Still the pod's, and not in use in the boot before either: nothing that this boot did.
  [[nodiscard]] bool is_dormant(const Address& address, const PodKey& pod) const {
    return is_still_bound(address, pod) &&
           boots_ago(network_.survey, network_.survey.find(address)->binding->boot8) != 1;
  }

  /// Another address stands in its place, or none of its family. Records name what a pod ran on
  /// before what was held beside it.
  static bool is_replaced(const Address& gone, const PodReport& report) {
    if (!has_family(report.now, gone.family())) return true;
    const auto place = std::find(report.before.begin(), report.before.end(), gone);
    return std::all_of(report.before.begin(), place,
                       [&](const Address& one) {
                         return one.family() != gone.family() || !contains(report.now, one);
                       }) ||
           std::any_of(report.now.begin(), report.now.end(), [&](const Address& one) {
             return one.family() == gone.family() && !contains(report.before, one);
           });
  }

  void explain(PodReport& report, const std::vector<Address>& gone) const {
    std::string why;
    for (const auto& address : gone)
      why.append(why.empty() ? "" : "; ").append(why_gone(address, report));
    report.why = why;
  }

  /// Why the pod is not on an address that it had.
  [[nodiscard]] std::string why_gone(const Address& address, const PodReport& report) const {
    const std::string text = address.to_string();
    if (is_outside(network_, address)) return text + " is outside the ranges";
    const SurveyedAddress* one = network_.survey.find(address);
    if (state_of(network_, address) == State::reserved) return why_reserved(address);
    if (contains(network_.survey.set_aside, address))
      return text + " is set aside: it was in use by somebody unknown";
    if (one == nullptr) return why_free(text, report);
    if (one->is_closed) return text + ": its record cannot be read";
    const Owner owner = network_.owner_of(*one);
    if (!owner.is_known()) return text + " is in use by a container of which no pod is known";
    return joined({text, whose(owner, report.pod, one->is_in_use)});
  }

  [[nodiscard]] static std::string whose(const Owner& owner, const PodKey& pod, bool is_in_use) {
    const bool is_own = owner.pod_namespace == pod.pod_namespace && owner.pod_name == pod.pod_name;
    if (is_own && owner.ifname != pod.ifname)
      return joined({" is that of the pod's ", owner.ifname, " now"});
    if (is_own && is_in_use) return ": an older container of the pod still has it";
    if (is_own) return " is held for the pod";
    return joined({is_in_use ? " went to " : " is held for ", owner.key().display()});
  }

  [[nodiscard]] std::string why_free(const std::string& text, const PodReport& report) const {
    if (report.now.empty()) return text + " was given to another container, which has ended";
    for (const auto& one : report.now) {
      const auto* pin = pin_on(network_.conf.allocation.reservations, one);
      if (pin != nullptr && is_of_pod(*pin, report.pod))
        return joined({"the pod is pinned to ", one.to_string(), " now"});
    }
    if (network_.conf.placement.retain.require_same_uid)
      return text + " is free now; another object of that name had it (requireSameUID)";
    return text + " is free now";
  }

  [[nodiscard]] std::string why_reserved(const Address& address) const {
    const auto reservation = reservation_of(network_, address);
    const std::string text = address.to_string();
    if (!reservation) return text + " is reserved";
    return joined(
        {text, " is ", reservation->reserved_text(), reservation->pin == nullptr ? " now" : ""});
  }

  const Network& network_;
  const Networks& all_;
  const NeighbourTable& neighbours_;
  std::map<PodKey, Seen, ByName> pods_;
  BootReport report_;
};

}  // namespace

BootReport report_of(const Network& network, const Networks& all, const NeighbourTable& neighbours,
                     const FormerPods* former) {
  Reporter reporter(network, all, neighbours);
  if (former != nullptr) reporter.compare_with(*former);
  return reporter.take();
}

}  // namespace shim::inspect
