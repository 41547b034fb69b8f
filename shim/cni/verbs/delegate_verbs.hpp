#pragma once
/// The verbs with another IPAM plugin as the delegate: it is run, and what it may have left behind
/// is never forgotten.
///
///     ADD   journal entry; the plugin's ADD; answer and binding recorded; entry removed
///     DEL   tombstone; answer becomes an entry; the plugin's DEL; entry removed
///
/// After a crash: a journal entry; the attachment's DEL, its next ADD and GC run the plugin's DEL.
#include "shim/cni/verbs/command.hpp"

namespace shim {

/// Each verb throws what its layers throw; a delegate's failure with its own code and message.
void delegate_add(const Command& command);
void delegate_del(const Command& command);
void delegate_check(const Command& command);
void delegate_gc(const Command& command);
void delegate_status(const Command& command);

}  // namespace shim
