#pragma once
/// What must be true of whatever a crash leaves, and of what the next commands make of it.
///
///     I1  no address is two living attachments'
///     I2  every acknowledged ADD is there, complete and with its stamp, and its pod gets its
///         addresses again
///     I3  what an acknowledged DEL, GC or takeover has ended stays away
///     I4  after the boot scan and the DELs no file is left, and every address can be used again
///     I5  recovery can be cut and begun anew: its states are looked at as all others
///     I6  every file is of an attachment that a command was about, at an address that it was told,
///         or holds nothing at all
#include <optional>
#include <string>

#include "test/proof/operations.hpp"

namespace proof {

/// What is known while `operation` has not answered: the oracle without what it may change.
/// `outcome`: what it would have said.
Oracle while_running(const Scene& scene, const Operation& operation, const Outcome& outcome);

/// How much is looked at: what lies on the disk; also the pods that come back, and a newcomer; also
/// that everything can be deleted then and the range be filled again (I4).
enum class Depth : std::uint8_t { disk, pods, whole };

/// I2, I3 and I6 of what lies there. `needs_all`: also what only the Go plugin has acknowledged;
/// what a process wrote is there, so that a file is blank only where nobody has written into it yet.
std::optional<std::string> trouble_on_disk(const Tree& disk, const Oracle& oracle, bool needs_all);

/// Looks at a disk that a power cut has left, and boots it. What is wrong; nullopt when nothing is.
std::optional<std::string> trouble_after_cut(const Machine& before, const Tree& left,
                                             const Oracle& oracle, Depth depth);

/// The same after `operation` was killed: the boot goes on, and so do the sandboxes. Nothing more
/// comes of it than a repetition and newcomers; but for Depth::disk all sandboxes die as well, and
/// their pods come again, or all are deleted and the range is filled again.
std::optional<std::string> trouble_after_kill(const Scene& killed, const Operation& operation,
                                              Depth depth);

/// All sandboxes die without a DEL, and their pods come again in the same boot.
std::optional<std::string> trouble_with_returning(Scene scene);

/// The living attachment that has one of the addresses; "" when there is none.
std::string living_holder(const Scene& scene, const std::string& container,
                          const std::vector<std::string>& addresses);

}  // namespace proof
