#pragma once
/// What speaks against an imported binding, in words for people. Pure.
#include <string>

#include "allocator/hand_hold.hpp"
#include "shim/cli/inspect/networks/network.hpp"

namespace shim::change {

/// Why a binding is not made; empty: it is. `who`: the pod, or the pod's address, that is in the
/// way; may be empty.
std::string why_not(allocator::Hold hold, const std::string& who = {});

/// Why nothing can be kept in a network; empty: it can.
std::string why_nothing_is_kept(const inspect::Network& network);

/// True for names that no pod has: they are longer, and their record may not fit into a link.
bool is_no_pods(const allocator::PodKey& pod, const std::string& uid);

/// True for what no pod can have: the wildcard, loopback and multicast addresses, and the edges of
/// the subnets.
bool is_no_hosts(const inspect::Network& network, const allocator::Address& address);

/// Why the pod does not get the address today, though it is kept for it; empty: it does.
std::string why_dormant(const inspect::Network& network, const allocator::Address& address,
                        const allocator::PodKey& pod);

}  // namespace shim::change
