#pragma once
/// Mends the records of a network by hand: what was found wrong with them is looked at again under
/// the network's lock, and only what is still so is mended.
///
/// Address files stay as they are, so nobody loses an address that he uses. An address whose
/// record goes is asked about in the runtime's cache before it is given to anybody, see
/// Session::note_unbound().
#include <string>
#include <vector>

#include "allocator/store/repair/flaws.hpp"
#include "allocator/store/store_options.hpp"

namespace allocator::store {

/// Mends these flaws, durably. Returns for each why it was not; empty: it is mended, or it is not
/// there any more. `source`: the runtime's cache; may be null.
/// Errors: throws TryAgain (the lock), std::system_error; what is mended stays so.
/// After a crash: each flaw is mended, or as it was; the same call does the rest.
std::vector<std::string> repair(FileSystem& fs, const StoreOptions& options,
                                AttachmentSource* source, const std::vector<Flaw>& flaws);

}  // namespace allocator::store
