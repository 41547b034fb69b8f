#pragma once
/// ADDs that a main plugin may take back: its DEL is told from a runtime's by the ADD above it.
///
/// What was answered twice must not go either because the first answer could not be told: an ADD
/// that takes its own back looks here whether anybody was answered since.
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

/// Remembers that this repeated ADD was answered. Returns what was noted of it.
std::string remember_repeat(FileSystem& fs, RunFolder& run, const Attachment& attachment);
/// The same for an ADD that is one, or took addresses over; of an ordinary one nothing is noted,
/// and nothing of before stays.
std::string remember_answer(FileSystem& fs, RunFolder& run, const Attachment& attachment,
                            const std::vector<Pick>& picks, const std::vector<TakenOver>& taken);
/// True when another ADD of the attachment was answered after the one of which `noted` was noted.
bool was_answered_since(RunFolder& run, const Attachment& attachment, const std::string& noted);

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
