#pragma once
/// Since when an ADD is under way: the start of the outermost process that still belongs to the
/// call.
///
/// A runtime that gives up on an ADD kills its plugin, not the plugin's children: an orphaned
/// bridge goes on and calls us after the DEL. Its own start is what tells its ADD from a later one.
#include <cstdint>
#include <optional>
#include <string>

#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

/// Nanoseconds of CLOCK_BOOTTIME now.
std::uint64_t boottime_now();

/// When the first process of the PID namespace that /proc shows was started, in nanoseconds of
/// CLOCK_BOOTTIME; 0 when it cannot be told. No two PID namespaces of one number have the same.
std::uint64_t start_of_first_process(FileSystem& fs);

/// When the topmost ancestor of this process whose environment has CNI_COMMAND=ADD and this
/// container ID was started, in nanoseconds of CLOCK_BOOTTIME, rounded down to the kernel's clock
/// tick (10 ms). At least this process itself counts. nullopt without /proc, or with one that does
/// not show this process.
/// Source: proc(5), /proc/[pid]/stat field 22.
std::optional<std::uint64_t> start_of_call(FileSystem& fs, const std::string& container_id);

/// Which ADD of the container this process works for, as "<PID>:<start>" of the topmost ancestor
/// that belongs to it; nullopt when no ancestor does. An ADD and the DEL that its main plugin takes
/// it back with have the same.
std::optional<std::string> add_above(FileSystem& fs, const std::string& container_id);

/// True when this ADD began after `moment`. Within one clock tick it is taken for a later one: no
/// runtime gives up on a call that fast. So is one whose start /proc does not tell: a pod that must
/// come up counts for more than an orphan that may leave an address behind.
bool began_after(FileSystem& fs, const std::string& container_id, std::uint64_t moment);

/// True when this ADD is an orphan's that began more than `limit` nanoseconds ago. Looks at the
/// parent first: an orphaned plugin that calls us is it.
bool is_abandoned(FileSystem& fs, const std::string& container_id, std::uint64_t limit);

}  // namespace allocator::store
