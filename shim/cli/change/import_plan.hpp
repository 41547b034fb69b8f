#pragma once
/// Which binding becomes of what `import` has read, on this node: in which network, and whether it
/// may be made at all. Pure but for what the changes do.
#include "shim/cli/change/changes.hpp"
#include "shim/cli/change/import_source.hpp"

namespace shim::change {

/// How the addresses are taken.
struct ImportManner {
  std::string network;  ///< the one that was named; empty: each goes where it belongs
  allocator::Force force = allocator::Force::no;
};

/// The changes, network after network; in each those that were given up first come first, so that
/// they go first when there is no room. What belongs nowhere comes last. `networks` must outlive
/// the changes.
Changes plan_import(const inspect::Networks& networks, const ImportSource& source,
                    const ImportManner& manner);

}  // namespace shim::change
