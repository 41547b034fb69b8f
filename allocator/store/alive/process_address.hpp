#pragma once
/// Namespaces that are named by a process: "/proc/<PID>/ns/net", as cri-dockerd and older runtimes
/// do.
///
/// Process numbers come again, in the next boot nearly the same ones: that some process is there
/// says nothing about who it is. That its namespace has the address says all that counts.
#include <string>

#include "allocator/address.hpp"
#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

bool is_path_of_process(const std::string& netns_path);

/// True when an interface in the process' network namespace has the address; also when that cannot
/// be told, as then it may. False where the namespace is this process' own, the node's.
/// Source: proc(5), /proc/[pid]/net/fib_trie and if_inet6.
bool process_has_address(FileSystem& fs, const std::string& netns_path, const Address& address);

/// False when the path names a process that has not the address: it may be any other by now, and in
/// the next boot it is.
bool may_still_have_address(FileSystem& fs, const std::string& netns_path, const Address& address);

}  // namespace allocator::store
