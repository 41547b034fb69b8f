#pragma once
/// Reading many entries on two processors, for the POSIX sources only.
///
/// The second half is read by a child of this process, which has the same open folders and hands
/// what it has found back through a file in memory. A thread would do, too; but with threads in the
/// executable every start of it costs one more system call, also those for a pod.
#include <functional>
#include <vector>

#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

/// What `read` gives for each of the numbers from 0 to `count` - 1, in order. `read` must only
/// read. Whatever the child could not do is done here: where there is no other processor, no room
/// for a process, or where it was killed.
/// Errors: as `read`.
/// After a crash: a child whose parent has ended is killed.
std::vector<EntryText> read_in_halves(std::size_t count,
                                      const std::function<EntryText(std::size_t)>& read);

}  // namespace allocator::store
