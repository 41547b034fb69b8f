#include "shim/cli/inspect/safety.hpp"

#include <algorithm>

#include "allocator/store/alive/death.hpp"
#include "allocator/store/disk/folders.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

using allocator::store::SurveyedAddress;
using validate::joined;

constexpr std::size_t kNamed = 5;   // addresses that a finding names
constexpr std::uint64_t kLow = 10;  // percent of a pool that are left
constexpr std::size_t kReasonLimit = 1000;

/// Checks one network.
class Check {
 public:
  Check(Node& node, const Network& network) : node_(node), network_(network) {}

  void run(const FamilyCounts& counts) {
    check_retention();
    const std::string& state_dir = network_.conf.placement.state_dir;
    check_writable(network_.network_dir);
    check_writable(state_dir);
    if (is_in_memory(node_.fs(), state_dir))
      tell(rules::kInMemory, state_dir,
           "is in memory: what every pod had is forgotten after a reboot");
    const auto& file = network_.flannel_file;
    if (!file.empty() && is_in_memory(node_.fs(), allocator::store::parent_of(file)))
      tell(rules::kRangesInMemory, file,
           "is in memory: after a reboot without the API server there is no range");
    if (network_.forgets_ranges)
      tell(rules::kNotRemembered, network_.file, "what rangesFrom gives is not remembered here");
    check_pool(counts.v4);
    check_pool(counts.v6);
  }

 private:
  void tell(const Rule& rule, std::string_view place, std::string_view message) {
    found(node_.findings(), rule, network_.name, place, message);
  }

  void check_retention() {
    const bool is_used = !network_.survey.addresses.empty();
    if (network_.is_host_locals() || !network_.conf.placement.retain.enabled) {
      if (is_used)
        tell(rules::kNothingKept, network_.network_dir, "no address is kept over a reboot");
    } else {
      tell_of_addresses(
          rules::kNotBound, &Check::is_unbound,
          {" address in use is bound to no pod: ", " addresses in use are bound to no pod: "});
      tell_of_addresses(rules::kWillMove, &Check::will_move,
                        {" address in use is not given to its pod again: ",
                         " addresses in use are not given to their pods again: "});
      if (is_used && !network_.chooses() && network_.delegate != "static")
        tell(rules::kDelegateKeeps, network_.network_dir,
             joined({network_.delegate, " hands out: whether a pod gets the same is not known"}));
    }
  }

  struct Words {
    std::string_view of_one;
    std::string_view of_more;
  };

  void tell_of_addresses(const Rule& rule, bool (Check::*is_so)(const SurveyedAddress&) const,
                         const Words& what) {
    std::size_t count = 0;
    std::string named;
    for (const auto& [address, one] : network_.survey.addresses) {
      if (!(this->*is_so)(one) || ++count > kNamed) continue;
      const Owner owner = network_.owner_of(one);
      const std::string pod = owner.is_known() ? joined({" (", owner.key().display(), ")"}) : "";
      named += joined({named.empty() ? "" : ", ", address.to_string(), pod});
    }
    if (count > kNamed) named += ", ...";
    const std::string_view text = count == 1 ? what.of_one : what.of_more;
    if (count > 0) tell(rule, network_.network_dir, joined({std::to_string(count), text, named}));
  }

  [[nodiscard]] bool is_unbound(const SurveyedAddress& one) const {
    return one.attachment && !one.is_dead && !one.is_bound_now() &&
           !allocator::store::has_no_namespace(*one.attachment) &&
           !network_.is_excluded(network_.owner_of(one));
  }

  /// True for a bound one that the pod's next ADD does not get: see choose().
  [[nodiscard]] bool will_move(const SurveyedAddress& one) const {
    return one.is_bound_now() && is_barred(one) && !network_.is_excluded(network_.owner_of(one));
  }

  [[nodiscard]] bool is_barred(const SurveyedAddress& one) const {
    // Who holds it is never proven dead; what a power cut left empty is removed.
    if (network_.chooses() && !one.attachment && !is_healed(one.address)) return true;
    return !one.is_led_to || is_kept_back(network_, one.address, one.binding->pod);
  }

  [[nodiscard]] bool is_healed(const allocator::Address& address) const {
    const std::string path = network_.network_dir + "/" + address.to_string();
    const auto& oddities = network_.survey.oddities;
    return std::any_of(oddities.begin(), oddities.end(), [&](const auto& oddity) {
      return oddity.kind == allocator::store::Oddity::Kind::empty_file && oddity.path == path;
    });
  }

  /// One that is missing is made by the next ADD.
  void check_writable(const std::string& path) {
    if (node_.fs().is_writable(path) == false)
      tell(rules::kReadOnly, path, "takes no changes: no pod can start");
  }

  void check_pool(const Counts& counts) {
    const std::uint64_t left = counts.free + counts.held;
    const std::uint64_t used = counts.in_use + counts.dead;
    if (network_.conf.allocation.sets.empty() || left >= used || left * 100 >= (left + used) * kLow)
      return;
    tell(rules::kPoolLow, network_.network_dir,
         joined({std::to_string(counts.free), " free, ", std::to_string(counts.held), " held, ",
                 std::to_string(used), " in use"}));
  }

  Node& node_;
  const Network& network_;
};

}  // namespace

void check_network(Node& node, const Network& network, const FamilyCounts& counts) {
  Check(node, network).run(counts);
}

std::string why_not_safe(const Findings& findings) {
  std::string why;
  for (const auto& one : findings) {
    if (one.rule->reboot != Reboot::unsafe) continue;
    if (why.size() > kReasonLimit) return why + "; ...";
    if (why.find(one.message) != std::string::npos) continue;
    const std::string_view mark = one.network.empty() ? "" : ": ";
    why += joined({why.empty() ? "" : "; ", one.network, mark, one.message});
  }
  return why;
}

}  // namespace shim::inspect
