#pragma once
/// After an acknowledged ADD: whether node and neighbours have to be told where its addresses are
/// now, and telling them. It never fails an ADD.
#include <functional>
#include <vector>

#include "allocator/address.hpp"
#include "allocator/choose.hpp"
#include "shim/cni/protocol/log.hpp"
#include "shim/cni/result/result.hpp"
#include "shim/cni/verbs/command.hpp"

namespace shim {

/// The addresses of an ADD that others may know by an old neighbour entry.
struct Announceable {
  std::vector<allocator::Address> addresses;
  bool is_repeated = false;  ///< the attachment had one of them before this ADD
};

/// What to announce of the picks: those that somebody had in this boot, and that are no gateway.
Announceable announceable(const std::vector<allocator::Pick>& picks);

/// The same of another plugin's answer: every address but gateways.
Announceable announceable(const Result& result);

/// Announces the addresses where the main plugin is one that makes the pods' links ports of a
/// bridge of the kernel's; elsewhere, and where there is nothing to announce, no system call is
/// made. `is_still_given`: see announce::announce(); what it throws means no. What came of it is
/// logged at debug.
void announce_after_add(const Command& command, Log& log, const Announceable& what,
                        const std::function<bool()>& is_still_given) noexcept;

}  // namespace shim
