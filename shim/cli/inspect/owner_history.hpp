#pragma once
/// Who had an address, or which addresses a pod had, boot by boot: what the disk still tells of it.
///
/// Nothing is written down for this. Told is what records keep for other reasons: the boot of a
/// binding's last ADD; in a pod's own record what it had when that boot began; in the boot's run
/// folder whose bindings ended in it; in the audit file what was done by hand. All else is not
/// recorded, and said to be so.
#include "shim/cli/inspect/networks/network.hpp"
#include "shim/cli/inspect/output/table.hpp"
#include "shim/cli/inspect/subject.hpp"

namespace shim::inspect {

/// A table of owners without rows. NETWORK is to be seen where there are several.
Table make_owner_table(const Networks& networks);

/// Adds what is known in a network, the present boot first; nothing where the subject is not known
/// there. The pods' own records are read.
/// Errors: throws std::system_error.
void add_owners(Table& table, allocator::store::FileSystem& fs, const Network& network,
                const Subject& subject);

}  // namespace shim::inspect
