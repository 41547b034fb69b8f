#pragma once
/// Stamps of files whose file system takes no extended attribute: the record stamp.<address> stands
/// in for it.
///
/// Format: "1~<inode>.<time of birth>~<stamp>". It counts for this very file only: one that the Go
/// plugin made later under the same name, even for the same container, has another birth.
#include <optional>
#include <string>
#include <string_view>

#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

std::string encode_stamp_record(const FileIdentity& file, std::string_view stamp);
/// The stamp that the record holds of `file`; nullopt when it is another one's.
std::optional<std::string> stamp_in_record(std::string_view record, const FileIdentity& file);

}  // namespace allocator::store
