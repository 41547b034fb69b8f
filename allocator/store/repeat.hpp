#pragma once
/// ADDs that a main plugin may take back: its DEL is told from a runtime's by the ADD above it.
///
/// A main plugin that asks for the address before it makes the link (ptp, cilium-cni) may fail at
/// the link of the first ADD, and then calls DEL for what a repeated ADD was given. That must not
/// end what the first ADD gave. One that refuses an address that was taken over from another
/// attachment will refuse it again: see set_aside.hpp.
#include <string>
#include <vector>

#include "allocator/choose.hpp"
#include "allocator/store/state/run_folder.hpp"
#include "allocator/store/state/set_aside.hpp"

namespace allocator::store {

/// Remembers that this repeated ADD was answered. Nothing happens without a main plugin above.
void remember_repeat(FileSystem& fs, RunFolder& run, const Attachment& attachment);
/// The same for an ADD that is one, or took addresses over; nothing happens for an ordinary one.
void remember_answer(FileSystem& fs, RunFolder& run, const Attachment& attachment,
                     const std::vector<Pick>& picks, const std::vector<TakenOver>& taken);

/// What a DEL takes back.
struct TakenBack {
  /// A repeated ADD's answer, which is told in the notes: nothing ends.
  bool is_repeat = false;
  /// What the ADD had taken over, where its main plugin takes it back.
  std::vector<TakenOver> taken_over;
};

/// Looks what this DEL takes back; any other DEL ends the memory.
TakenBack look_for_take_back(FileSystem& fs, RunFolder& run, const Attachment& attachment,
                             std::vector<std::string>& notes);

}  // namespace allocator::store
