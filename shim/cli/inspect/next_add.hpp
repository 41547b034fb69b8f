#pragma once
/// Which address a pod's next ADD gets, and which step of the choice decides that. Pure.
///
/// It is choose() itself that is asked, about the network as it was surveyed and without the pod's
/// present sandbox: the answer is for the time after its DEL, or after a reboot. What a pod
/// requests (step 2) is known at its ADD only.
#include <optional>
#include <string>

#include "allocator/choose.hpp"
#include "shim/cli/inspect/networks/network.hpp"

namespace shim::inspect {

struct NextAdd {
  std::string address;  ///< empty where the ADD would fail
  unsigned step = 0;    ///< as allocator/README.md numbers them; 0 where none decides
  std::string why;      ///< "its own held address"

  /// "10.244.1.7, step 3: its own held address"
  [[nodiscard]] std::string to_string() const;
};

/// What choose() has picked.
NextAdd explain(const allocator::Pick& pick);

/// One answer for each range set. A choice that fails ends with why.
std::vector<NextAdd> next_add(const Network& network, const allocator::PodKey& pod);

/// The answer of the set that `address` lies in; all of them for an address in no set, or none.
std::vector<NextAdd> next_add_at(const Network& network, const allocator::PodKey& pod,
                                 const std::optional<allocator::Address>& address);

}  // namespace shim::inspect
