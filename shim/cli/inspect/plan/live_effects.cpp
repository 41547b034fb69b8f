#include "shim/cli/inspect/plan/live_effects.hpp"

#include <algorithm>
#include <map>

#include "shim/cli/inspect/networks/states.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

using allocator::Address;
using allocator::Range;
using validate::joined;

constexpr std::size_t kMostNamed = 5;

/// "3 addresses in use", and the first of them behind a colon.
std::string counted(const std::vector<Address>& addresses, std::string_view what) {
  const std::size_t shown = std::min(addresses.size(), kMostNamed);
  const std::vector<Address> first(addresses.begin(),
                                   addresses.begin() + static_cast<std::ptrdiff_t>(shown));
  return joined({std::to_string(addresses.size()),
                 addresses.size() == 1 ? " address" : " addresses", " in use ", what, ": ",
                 listed(first), shown < addresses.size() ? ",..." : ""});
}

/// The range whose subnet an address lies in, be it handed out or not; nullptr for none.
const Range* around(const Network& network, const Address& address) {
  for (const auto& set : network.conf.allocation.sets) {
    for (const auto& range : set.ranges()) {
      if (range.subnet.contains(address)) return &range;
    }
  }
  return nullptr;
}

class Effects {
 public:
  Effects(const Network& today, const Network& planned, Findings& findings)
      : today_(today), planned_(planned), findings_(findings) {}

  void find() {
    compare_folders();
    for (const auto& [address, one] : today_.survey.addresses) {
      if (one.is_in_use && !one.is_dead) look_at(one.address);
    }
    if (!left_.empty())
      tell(rules::kSubnetLeft, counted(left_, "lie in no subnet of the new ranges"));
    for (const auto& [gateways, addresses] : by_gateway_)
      tell(rules::kGatewayChanges,
           counted(addresses, joined({"have the gateway ", gateways.first.to_string(),
                                      ", which becomes ", gateways.second.to_string()})));
  }

 private:
  void tell(const Rule& rule, const std::string& message) {
    found(findings_, rule, planned_.name, planned_.file, message);
  }

  void compare_folders() {
    const std::string& state = today_.conf.placement.state_dir;
    if (today_.network_dir != planned_.network_dir) {
      tell(rules::kFolderChanges,
           joined({"what is in use is known in ", today_.network_dir, ", not in ",
                   planned_.network_dir, ": two pods could get one address"}));
    } else if (today_.survey.has_records && state != planned_.conf.placement.state_dir) {
      tell(rules::kFolderChanges, joined({"what is kept is known in ", state, ", not in ",
                                          planned_.conf.placement.state_dir}));
    }
  }

  void look_at(const Address& address) {
    const Range* then = around(planned_, address);
    if (then == nullptr) {
      left_.push_back(address);
      return;
    }
    if (then->gateway == address)
      tell(rules::kGatewayInUse,
           joined({address.to_string(), " becomes a gateway, and is in use"}));
    const Range* now = around(today_, address);
    if (now != nullptr && now->gateway != then->gateway)
      by_gateway_[{now->gateway, then->gateway}].push_back(address);
  }

  const Network& today_;
  const Network& planned_;
  Findings& findings_;
  std::vector<Address> left_;
  std::map<std::pair<Address, Address>, std::vector<Address>> by_gateway_;
};

}  // namespace

void find_live_effects(const Network& today, const Network& planned, Findings& findings) {
  Effects(today, planned, findings).find();
}

}  // namespace shim::inspect
