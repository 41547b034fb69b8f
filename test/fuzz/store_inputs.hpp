#pragma once
/// What the targets share that run the store's commands.
#include "allocator/error.hpp"
#include "allocator/store/disk/errors.hpp"
#include "test/fuzz/target.hpp"

namespace fuzz {

/// The command's answer; nullopt when it ends with an error of the store's. On a disk in order, a
/// bare std::system_error is none: one damaged entry costs that entry.
template <class Command>
auto accepted_by_store(Command command) {
  return accepted<allocator::Error, allocator::store::TryAgain, allocator::store::Unsupported,
                  allocator::store::ClosedRecord, allocator::store::UnfitFile>(command);
}

}  // namespace fuzz
