#include "shim/cli/inspect/safety.hpp"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "allocator/store/alive/death.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

using allocator::store::SurveyedAddress;
using validate::joined;

constexpr std::size_t kNamed = 5;   // addresses that a finding names
constexpr std::uint64_t kLow = 10;  // percent of a pool that are left

/// Checks one network.
class Check {
 public:
  Check(Node& node, const Network& network) : node_(node), network_(network) {}

  void run(const Counts& counts) {
    check_retention();
    check_folder(network_.network_dir, State::in_use);
    check_folder(network_.conf.placement.state_dir, State::held);
    if (network_.forgets_ranges)
      tell(rules::kNotRemembered, network_.file, "what rangesFrom gives is not remembered here");
    check_pool(counts);
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
      check_bindings();
    }
  }

  void check_bindings() {
    std::size_t count = 0;
    std::string named;
    for (const auto& [address, one] : network_.survey.addresses) {
      if (!is_unbound(one) || ++count > kNamed) continue;
      named.append(named.empty() ? "" : ", ").append(address.to_string());
    }
    if (count > kNamed) named += ", ...";
    if (count > 0)
      tell(rules::kNotBound, network_.network_dir,
           joined({std::to_string(count), " addresses in use are bound to no pod: ", named}));
  }

  [[nodiscard]] bool is_unbound(const SurveyedAddress& one) const {
    return one.attachment && !one.is_dead && !one.is_bound_now() &&
           !allocator::store::has_no_namespace(*one.attachment) &&
           !network_.is_excluded(network_.owner_of(one));
  }

  /// One that is missing is made by the next ADD.
  void check_folder(const std::string& path, State kind) {
    if (node_.fs().is_writable(path) == false)
      tell(rules::kReadOnly, path, "takes no changes: no pod can start");
    const auto folder = kind == State::held ? node_.fs().open_directory(path) : std::nullopt;
    struct statfs status {};
    if (!folder || ::fstatfs(folder->fd.number(), &status) != 0) return;
    const auto type = static_cast<std::uint32_t>(status.f_type);
    if (type == TMPFS_MAGIC || type == RAMFS_MAGIC)
      tell(rules::kInMemory, path, "is in memory: what every pod had is forgotten after a reboot");
  }

  void check_pool(const Counts& counts) {
    const std::uint64_t left = counts.free + counts.held;
    const std::uint64_t used = counts.in_use + counts.dead;
    if (network_.conf.allocation.sets.empty() || left >= used || left * 100 >= (left + used) * kLow)
      return;
    tell(rules::kPoolLow, network_.network_dir,
         joined({std::to_string(counts.free), " addresses are free and ",
                 std::to_string(counts.held), " held, ", std::to_string(used), " in use"}));
  }

  Node& node_;
  const Network& network_;
};

}  // namespace

void check_network(Node& node, const Network& network, const Counts& counts) {
  Check(node, network).run(counts);
}

std::string why_not_safe(const Findings& findings) {
  std::string why;
  for (const auto& one : findings) {
    const bool is_said = why.find(one.message) != std::string::npos;
    if (one.rule->reboot == Reboot::safe || is_said) continue;
    const std::string_view mark = one.network.empty() ? "" : ": ";
    why += joined({why.empty() ? "" : "; ", one.network, mark, one.message});
  }
  return why;
}

}  // namespace shim::inspect
