#pragma once
/// ADDs that nobody waits for any more: their DEL has come, or they are too old.
#include <string>

#include "allocator/store/disk/network_lock.hpp"
#include "allocator/store/state/run_folder.hpp"

namespace allocator::store {

/// Errors: throws DeletedMeanwhile; TryAgain for an orphan's ADD of over 10 minutes. `what`: what
/// is not done then. Returns true when there is a tombstone of an earlier DEL.
bool refuse_late_add(FileSystem& fs, RunFolder& run, const Attachment& attachment,
                     const std::string& what);

}  // namespace allocator::store
