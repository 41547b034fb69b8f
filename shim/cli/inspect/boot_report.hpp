#pragma once
/// What the last boot of a node did to the addresses of its pods. Pure.
///
/// Nothing has to be noted down before: a pod's record keeps what the pod had when the boot began,
/// and the boot's run folder whose binding ended in it.
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "shim/cli/inspect/neighbour_table.hpp"
#include "shim/cli/inspect/networks/network.hpp"

namespace shim::inspect {

/// What became of a pod, worst first.
enum class Fate : std::uint8_t {
  changed,      ///< it runs, and on another address
  evicted,      ///< another pod was given its address, and it is not back
  unreachable,  ///< it runs where it ran, or is new, and the node sends what is for it elsewhere
  missing,      ///< it ran when the boot began, and is not back; its address waits for it
  fresh,        ///< it runs, and nothing is known of it from an earlier boot
  kept          ///< it runs on an address that it had
};

inline constexpr std::array<std::string_view, 6> kFateNames = {"CHANGED", "EVICTED", "UNREACHABLE",
                                                               "MISSING", "NEW",     "KEPT"};

inline constexpr std::string_view kFateNameList =
    "CHANGED, EVICTED, UNREACHABLE, MISSING, NEW or KEPT";

inline std::string_view name_of(Fate fate) { return kFateNames[static_cast<std::size_t>(fate)]; }

struct PodReport {
  allocator::PodKey pod;
  Fate fate = Fate::kept;
  std::vector<allocator::Address> before;
  std::vector<allocator::Address> now;
  std::string why;
};

struct BootReport {
  /// One for each interface of each pod, by fate, then by name. Pods that ended before the boot, and
  /// those that began and ended in it, are left out.
  std::vector<PodReport> pods;
  std::size_t untold = 0;  ///< addresses in use by attachments of which no record tells
};

/// What pods had at another time, each of their interfaces.
struct Former {
  std::vector<allocator::Address> used;
  std::vector<allocator::Address> held;
};
using FormerPods = std::map<allocator::PodKey, Former, ByName>;

/// `all`: the node's networks, `network` among them; the pods' MAC addresses are those that the
/// runtime's cache has. `former`: what is compared with, in the place of what the records keep of
/// the time before the boot; may be null.
BootReport report_of(const Network& network, const Networks& all, const NeighbourTable& neighbours,
                     const FormerPods* former = nullptr);

}  // namespace shim::inspect
