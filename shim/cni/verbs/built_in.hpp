#pragma once
/// The verbs with the in-process allocator: configuration in, one call of the store, answer out.
#include "shim/cni/verbs/command.hpp"

namespace shim {

/// Each verb throws what its layers throw (error.hpp turns it into a CNI error); what it leaves on
/// disk then is said at LeaseStore.
void run_add(const Command& command);
void run_del(const Command& command);
void run_check(const Command& command);
void run_gc(const Command& command);
void run_status(const Command& command);

}  // namespace shim
