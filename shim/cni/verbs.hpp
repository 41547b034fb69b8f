#pragma once
/// The verbs with the in-process allocator: configuration in, one call of the store, answer out.
#include <functional>
#include <string>
#include <string_view>

#include "allocator/store/lease_store.hpp"
#include "shim/cni/arguments.hpp"
#include "shim/cni/environment.hpp"
#include "shim/cni/json_text.hpp"
#include "shim/cni/log.hpp"
#include "shim/cni/net_conf.hpp"

namespace shim {

/// One command, with everything it works on.
struct Command {
  const Environment& environment;
  const Json& document;
  allocator::store::FileSystem& fs;
  const std::function<void(std::string_view)>& write_stdout;
};

/// Each verb throws what its layers throw (error.hpp turns it into a CNI error); what it leaves on
/// disk then is said at LeaseStore.
void run_add(const Command& command);
void run_del(const Command& command);
void run_check(const Command& command);
void run_gc(const Command& command);
void run_status(const Command& command);

}  // namespace shim
