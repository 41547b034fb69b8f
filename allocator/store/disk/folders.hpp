#pragma once
/// Making folders, and remembering what must be flushed so that they survive a power cut.
#include <string>
#include <vector>

#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

/// The mode of folders that only we use, in the state folder and in /run.
inline constexpr unsigned kOwnFolderMode = 0700;

/// Opens the folder at `path`, making it and its missing parents. The parent of each folder that
/// was made is appended to `changed`: it must be fsynced before anything inside may be relied upon,
/// but not under a lock.
/// Errors: throws std::system_error ("mkdir <path>" with the errno, as the Go plugin says it).
/// After a crash: any prefix of the path may exist; harmless.
Directory ensure_folder(FileSystem& fs, const std::string& path, unsigned mode,
                        std::vector<std::string>& changed);

/// The same without looking first whether it is there.
Directory make_folder(FileSystem& fs, const std::string& path, unsigned mode,
                      std::vector<std::string>& changed);

/// The path without its last component; "/" for the root.
std::string parent_of(const std::string& path);

/// Appends the two folders above `path`: whoever made it may have died before flushing them.
void append_parents(const std::string& path, std::vector<std::string>& folders);

/// fsyncs each of the folders once; a missing one is left out. `changed`: something was made in
/// them by this command. `above`: somebody else may have made something in them, but nothing in one
/// that is read-only or whose file system knows no fsync of folders (an immutable root of squashfs
/// or erofs): that one is passed over.
/// Errors: throws std::system_error.
void sync_folders(FileSystem& fs, const std::vector<std::string>& changed,
                  const std::vector<std::string>& above = {});

}  // namespace allocator::store
