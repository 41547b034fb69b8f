#pragma once
/// Reading many entries on two processors, for the POSIX sources only.
///
/// A child of this process has the same open folders. It reads from the first moment; from
/// finish() on its parent does too, and each takes the next few that nobody has taken. What the
/// child has found comes back through a file in memory. A thread would do, too; but with threads in
/// the executable every start of it costs one more system call, also those for a pod.
#include <memory>

#include "allocator/store/disk/entry_reader.hpp"

namespace allocator::store {

/// Whatever a child could not do is done by finish(): where there is no other processor, no room
/// for a process or in memory, where it was killed, or it is not worth one.
/// After a crash: a child whose parent has ended is killed.
std::unique_ptr<EntryReader> begin_reading_entries(std::size_t count, EntryReader::Read read);

}  // namespace allocator::store
