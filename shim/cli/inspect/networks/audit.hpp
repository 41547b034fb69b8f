#pragma once
/// What people have changed with the tool: a line for each address, written before it is changed,
/// so that nothing changes that was not announced.
///
///     <stateDir>/<network folder's path, escaped>/audit
///         {"time": "2026-12-01T03:12:45Z", "boot": "b0070001", "command": "release", ...}
///
/// At most 64 KiB, the newest lines last: the oldest go. The time is for people, and decides
/// nothing.
#include <string>
#include <vector>

#include "shim/cli/inspect/networks/network.hpp"
#include "shim/cli/inspect/output/table.hpp"

namespace shim::inspect {

/// The columns of the table of lines, in their order.
enum AuditField : std::size_t {
  kAuditTime,
  kAuditBoot,
  kAuditCommand,
  kAuditNetwork,
  kAuditAddress,
  kAuditNamespace,
  kAuditPod,
  kAuditInterface,
  kAuditContainer,
  kAuditWas,
  kAuditBecomes,
  kAuditWhy,
  kAuditFields
};

/// The columns of a change, in the table of lines and in that of the command that makes it: from
/// kAuditNetwork on.
std::vector<Column> change_columns();

/// A table of lines without rows.
Table make_audit_table();

/// The lines of a network, oldest first; none where there is no file. What is no line of ours is
/// left out.
std::vector<Row> read_audit(allocator::store::FileSystem& fs, const Network& network);

/// Adds a line for each change that a command makes, durably. The network's lock is taken.
/// Errors: throws std::system_error, TryAgain (the lock).
/// After a crash: the file of before or the new one; perhaps a random name beside it.
void append_audit(allocator::store::FileSystem& fs, const Network& network,
                  const std::string& command, const std::vector<Row>& changes);

}  // namespace shim::inspect
