#include "shim/cli/change/import_rules.hpp"

#include <net/if.h>

#include "shim/cli/inspect/networks/states.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::change {
namespace {

constexpr std::size_t kNameLimit = 253;  // of objects in Kubernetes

}  // namespace

using allocator::Address;
using allocator::Family;
using allocator::Hold;
using allocator::PodKey;
using inspect::Network;
using validate::joined;

std::string why_not(Hold hold, const std::string& who) {
  switch (hold) {
    case Hold::closed:
      return "its record, or the pod's, cannot be read: delegated-ipam list tells why";
    case Hold::in_use:
      return "in use by " + (who.empty() ? "somebody else" : who);
    case Hold::others:
      return "kept for " + (who.empty() ? "another pod" : who) + "; --force ends that";
    case Hold::elsewhere:
      return (who.empty() ? "another address" : who) + " is kept for the pod; --force ends that";
    case Hold::elsewhere_in_use:
      return "the pod uses " + (who.empty() ? "another address" : who);
    case Hold::full:
      return "4096 addresses of the family are kept, or 16 of the pod: release some";
    case Hold::held:
    case Hold::bound_in_use:
    case Hold::already:
      break;
  }
  return {};
}

std::string why_nothing_is_kept(const Network& network) {
  if (!network.chooses())
    return joined({"given out by ", network.delegate, ", which keeps its own: ask that one"});
  if (network.is_host_locals())
    return "host-local itself hands out here: set ipam.type to delegated-ipam first";
  if (!network.conf.placement.retain.enabled) return "ipam.retain is false: nothing is kept";
  return {};
}

bool is_no_pods(const PodKey& pod, const std::string& uid) {
  const auto is_long = [](const std::string& text) { return text.size() > kNameLimit; };
  return is_long(pod.pod_namespace) || is_long(pod.pod_name) || is_long(uid) ||
         pod.ifname.size() >= IFNAMSIZ;
}

bool is_no_hosts(const Network& network, const Address& address) {
  const bool is_v4 = address.family() == Family::v4;
  const auto head = static_cast<unsigned>(address.number() >> (address_bits(address.family()) - 8));
  if (is_v4 && (head == 0 || head == 127 || head >= 224)) return true;
  if (!is_v4 && (address.number() <= 1 || head == 255)) return true;
  for (const auto& set : network.conf.allocation.sets) {
    for (const auto& range : set.ranges()) {
      const auto& subnet = range.subnet;
      if (subnet.prefix_length + 1 >= address_bits(subnet.address.family())) continue;
      if (address == subnet.network() || (is_v4 && address == subnet.last())) return true;
    }
  }
  return false;
}

std::string why_dormant(const Network& network, const Address& address, const PodKey& pod) {
  if (network.conf.allocation.sets.empty()) return "the ranges are not known";
  if (is_outside(network, address)) return "it is outside the ranges";
  const auto reserved = reservation_of(network, address);
  const bool is_own = reserved && reserved->pin != nullptr && is_of_pod(*reserved->pin, pod);
  return reserved && !is_own ? "it is " + reserved->reserved_text() : std::string();
}

}  // namespace shim::change
