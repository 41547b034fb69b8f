#pragma once
/// A repeated ADD that was answered with what the attachment has, and its main plugin's taking it
/// back.
///
/// A main plugin that asks for the address before it makes the link (ptp, cilium-cni) may fail at
/// the link of the first ADD, and then calls DEL for what it was given. That must not end what the
/// first ADD gave: the DEL is told from a runtime's by the ADD above it.
#include <string>
#include <vector>

#include "allocator/store/runtime_folder.hpp"

namespace allocator::store {

/// Remembers that this repeated ADD was answered. Nothing happens without a main plugin above.
void remember_repeat(FileSystem& fs, RuntimeFolder& runtime, const Attachment& attachment);

/// True when this DEL is a repeated ADD's taking back, which is told in `notes`; any other DEL ends
/// the memory.
bool takes_back_repeat(FileSystem& fs, RuntimeFolder& runtime, const Attachment& attachment,
                       std::vector<std::string>& notes);

}  // namespace allocator::store
