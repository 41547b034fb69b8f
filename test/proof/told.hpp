#pragma once
/// Histories told for somebody who lets them come to the real plugin (test/proof/played_test.py).
#include <string>

#include "test/proof/history.hpp"

namespace proof {

/// The history as it can be played: a command is not cut off, as nobody finds the same place in a
/// process, and a power cut is a reboot; numbers come again as Linux and ext4 let them,
/// and the disk is quick.
History playable(History history);

/// One line of JSON: `text`, which --replay reads, `narrow`, and `events`. Each has its `event`, what
/// it came to (Happening), and what is so behind it: `files`, `records`, `cached`, `read_only`.
/// A promise that is broken is `broken`, and the last that is told.
std::string told(const History& history);

}  // namespace proof
