#pragma once
/// What the tool itself remembers of a network: small files beside its records.
///
///     <stateDir>/<network folder's path, escaped>/NAME
///
/// They are nobody's promise: who finds one missing or damaged goes on without it.
#include <cstddef>
#include <functional>
#include <string>

#include "shim/cli/inspect/networks/network.hpp"

namespace shim::inspect {

/// The folder of a network's records.
std::string records_path(const Network& network);

/// The text of such a file, at most `limit` bytes of it; empty where there is none.
/// Errors: throws std::system_error.
std::string read_state_file(allocator::store::FileSystem& fs, const Network& network,
                            const std::string& name, std::size_t limit);

/// Puts a text in the place of what read_state_file() gives, durably. The network's lock is taken.
/// Errors: throws std::system_error, TryAgain (the lock).
/// After a crash: the file of before or the new one; perhaps a random name beside it.
void change_state_file(allocator::store::FileSystem& fs, const Network& network,
                       const std::string& name, std::size_t limit,
                       const std::function<std::string(const std::string& before)>& change);

}  // namespace shim::inspect
