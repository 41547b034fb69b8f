#include "shim/cli/inspect/boot_report.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "shim/cli/inspect/networks/states.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

using allocator::Address;
using allocator::Binding;
using allocator::PodKey;
using allocator::store::SurveyedAddress;
using validate::joined;

struct ByName {
  bool operator()(const PodKey& left, const PodKey& right) const {
    return std::tie(left.pod_namespace, left.pod_name, left.ifname) <
           std::tie(right.pod_namespace, right.pod_name, right.ifname);
  }
};

bool has_family(const std::vector<Address>& addresses, allocator::Family family) {
  return std::any_of(addresses.begin(), addresses.end(),
                     [&](const Address& one) { return one.family() == family; });
}

/// Those of `left` that are not in `right`, of families in which `right` has any.
std::vector<Address> lost(const std::vector<Address>& left, const std::vector<Address>& right) {
  std::vector<Address> missing;
  for (const auto& one : left) {
    if (!contains(right, one) && has_family(right, one.family())) missing.push_back(one);
  }
  return missing;
}

class Reporter {
 public:
  explicit Reporter(const Network& network) : network_(network) {
    for (const auto& [address, one] : network_.survey.addresses) look_at(one);
    // A pod that lost its last address has nothing left that tells what it had.
    for (const auto& one : network_.survey.evicted)
      evicted_[one.binding.pod].push_back(one.address);
    for (auto& [pod, seen] : pods_) {
      const auto lost_all = evicted_.find(pod);
      if (seen.before.empty() && lost_all != evicted_.end()) seen.before = lost_all->second;
    }
  }

  BootReport take() {
    for (auto& [pod, seen] : pods_) report_.pods.push_back(judge(pod, std::move(seen)));
    add_evicted();
    std::stable_sort(
        report_.pods.begin(), report_.pods.end(),
        [](const PodReport& left, const PodReport& right) { return left.fate < right.fate; });
    return std::move(report_);
  }

 private:
  struct Seen {
    std::vector<Address> now;
    std::vector<Address> before;   ///< of a pod that is there now
    std::vector<Address> waiting;  ///< that it had when the boot began, and nobody has since
    std::string_view why_waiting;
  };

  /// Records that name no boot are those of attachments that somebody else made.
  [[nodiscard]] bool is_of_now(const Binding& binding) const {
    const std::string now = allocator::boot8_of(network_.survey.boot_id);
    return binding.boot8 == now || binding.boot8.empty() || now.empty();
  }

  /// True for a binding of an earlier boot that was released in this one: its pod ran on into it.
  [[nodiscard]] bool ended_in_this_boot(const Binding& binding) const {
    const auto before = network_.survey.sequence_before_boot;
    return !is_of_now(binding) && before && binding.sequence > *before;
  }

  void look_at(const SurveyedAddress& one) {
    constexpr std::string_view kNoCall = "neither an ADD nor a DEL since the boot";
    constexpr std::string_view kNoAdd = "no ADD since the DEL that followed the boot";
    if (one.is_bound_now() && is_of_now(*one.binding)) {
      Seen& seen = pods_[one.binding->pod];
      seen.now.push_back(one.address);
      seen.before = one.previous_boot;
    } else if (one.is_bound_now() || (one.is_in_use && one.is_dead)) {
      wait(one, kNoCall);
    } else if (!one.is_in_use && one.binding && is_of_now(*one.binding)) {
      came_back_.insert(one.binding->pod);
    } else if (!one.is_in_use && one.binding && ended_in_this_boot(*one.binding)) {
      wait(one, kNoAdd);
    } else if (one.is_in_use && one.attachment) {
      ++report_.untold;
    }
  }

  void wait(const SurveyedAddress& one, std::string_view why) {
    const Owner owner = network_.owner_of(one);
    if (!owner.is_known()) return;
    Seen& seen = pods_[{owner.pod_namespace, owner.pod_name, owner.ifname}];
    seen.waiting.push_back(one.address);
    seen.why_waiting = why;
  }

  /// Where the pod has it back, or has another one, its own records tell.
  void add_evicted() {
    for (const auto& one : network_.survey.evicted) {
      const PodKey& pod = one.binding.pod;
      if (!one.ran_on || pods_.contains(pod) || came_back_.contains(pod)) continue;
      const auto& addresses = evicted_[pod];
      if (one.address != addresses.front()) continue;  // has been told
      PodReport report{pod, Fate::evicted, addresses, {}, {}};
      explain(report, addresses);
      report_.pods.push_back(std::move(report));
    }
  }

  [[nodiscard]] PodReport judge(const PodKey& pod, Seen seen) const {
    if (seen.now.empty())
      return {pod, Fate::missing, std::move(seen.waiting), {}, std::string(seen.why_waiting)};
    PodReport report{pod, Fate::kept, std::move(seen.before), std::move(seen.now), {}};
    if (report.before.empty()) report.fate = Fate::fresh;
    const auto gone = lost(report.before, report.now);
    if (gone.empty() || lost(report.now, report.before).empty()) return report;
    report.fate = Fate::changed;
    explain(report, gone);
    return report;
  }

  void explain(PodReport& report, const std::vector<Address>& gone) const {
    for (const auto& address : gone)
      report.why.append(report.why.empty() ? "" : "; ").append(why_gone(address, report.pod));
  }

  /// Why the pod is not on an address that it had.
  [[nodiscard]] std::string why_gone(const Address& address, const PodKey& pod) const {
    const std::string text = address.to_string();
    if (is_outside(network_, address)) return text + " is outside the ranges";
    const SurveyedAddress* one = network_.survey.find(address);
    const State state = state_of(network_, address);
    if (state == State::reserved) return why_reserved(address);
    if (contains(network_.survey.set_aside, address))
      return text + " is set aside: it was in use by somebody unknown";
    if (one == nullptr) return text + " is free now, and was not when the pod came back";
    if (one->is_closed) return text + ": its record cannot be read";
    const Owner owner = network_.owner_of(*one);
    if (!owner.is_known()) return text + " is in use by a container of which no pod is known";
    const bool is_own = owner.pod_namespace == pod.pod_namespace && owner.pod_name == pod.pod_name;
    if (is_own && one->is_in_use) return text + ": an older container of the pod still has it";
    if (is_own) return text + " is held for the pod, and was in use when it came back";
    return joined({text, one->is_in_use ? " went to " : " is held for ", owner.pod_namespace, "/",
                   owner.pod_name});
  }

  [[nodiscard]] std::string why_reserved(const Address& address) const {
    const auto reservation = reservation_of(network_, address);
    const std::string text = address.to_string();
    if (!reservation) return text + " is reserved";
    if (reservation->pin == nullptr)
      return joined(
          {text, " is ", reservation->why == "gateway" ? "a gateway" : "excluded", " now"});
    return joined(
        {text, " is pinned to ", reservation->pin->pod_namespace, "/", reservation->pin->pod_name});
  }

  const Network& network_;
  std::map<PodKey, Seen, ByName> pods_;
  std::set<PodKey, ByName> came_back_;  ///< and have ended since
  std::map<PodKey, std::vector<Address>, ByName> evicted_;
  BootReport report_;
};

}  // namespace

BootReport report_of(const Network& network) { return Reporter(network).take(); }

}  // namespace shim::inspect
