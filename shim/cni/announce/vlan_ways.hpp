#pragma once
/// How those who share a link with a pod hear of its address, on a bridge that keeps VLANs apart:
/// the pod's own VLAN only.
#include <cstdint>
#include <optional>
#include <vector>

#include "shim/cni/announce/netlink.hpp"
#include "shim/cni/announce/wire.hpp"

namespace shim::announce {

/// One device that frames are sent out of.
struct Way {
  std::uint32_t device = 0;
  std::optional<std::uint16_t> tag;  ///< nullopt: frames without a tag
};

struct Ways {
  std::vector<Way> ways;
  /// The node's devices there that hear nothing of it, so that their entries are to be forgotten.
  std::vector<std::uint32_t> own_devices;
};

/// The ways to the VLAN that the port's untagged frames belong to. Where the bridge itself is a
/// member of it, the bridge passes frames on; else (a network without a gateway) every other port
/// that is one gets them.
/// Errors: nullopt when the kernel does not tell the VLANs (before Linux 5.6), the port has no VLAN
/// of its own or passes its frames on with a tag, tags are not 802.1Q's, or there are too many
/// ports.
std::optional<Ways> ways_of_vlan(Wire& wire, const Link& bridge, const Link& port);

}  // namespace shim::announce
