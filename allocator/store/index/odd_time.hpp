#pragma once
/// Marks a folder with a time that no clock gives: who sees it again knows that nobody has changed
/// the folder since, see attachment_index.hpp.
#include <optional>
#include <string>

#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

/// Sets the folder's time of modification. Returns the folder as it is then; nullopt where the file
/// system does not keep such a time.
/// Errors: throws std::system_error.
std::optional<FileIdentity> mark_with_odd_time(FileSystem& fs, const Directory& folder);

}  // namespace allocator::store
