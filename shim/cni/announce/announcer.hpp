#pragma once
/// Tells node and neighbours that an address has moved to a new pod, from the node's side: the
/// pod's link is down yet and is not touched.
///
/// The node's own entry for the address on the bridge is forgotten, and the bridge's device says in
/// the pod's name where the address is. The pod's namespace is asked about, never entered, and
/// nothing that it says is believed unless our own side says the same: a tenant may have made what
/// is in it. Nobody is told anything but an address that this ADD was given.
///
/// Nothing throws, nothing waits. A crash leaves nothing behind.
#include <functional>
#include <string>
#include <vector>

#include "allocator/address.hpp"
#include "shim/cni/announce/wire.hpp"

namespace shim::announce {

/// What an ADD has given to whom.
struct Subject {
  std::string netns_path;
  std::string ifname;
  std::string bridge;  ///< the name that the main plugin's configuration gives
  std::vector<allocator::Address> addresses;
  /// The ADD was a repeated one: a link that is up then is a running pod's, and says itself where
  /// it is.
  bool is_repeated = false;
};

/// Announces the addresses; returns nullptr, or why nothing was announced. `is_still_given` is
/// asked once, as late as can be: the attachment may have been deleted meanwhile.
const char* announce(Wire& wire, const Subject& subject,
                     const std::function<bool()>& is_still_given);

}  // namespace shim::announce
