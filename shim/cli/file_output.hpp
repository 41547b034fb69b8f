#pragma once
/// Files that the tool writes for people and for nodes: never seen half-written.
#include <string>
#include <string_view>

#include "allocator/store/file_system.hpp"

namespace shim {

/// Whether a file must have survived a power cut when the command says that it is there.
enum class Flush : std::uint8_t { yes, no };

/// Opens a folder that is to be written to.
/// Errors: throws UsageError "<what>: <path> is missing; <remedy>".
allocator::store::Directory open_folder(allocator::store::FileSystem& fs, const std::string& path,
                                        const std::string& what, const std::string& remedy);

/// Puts `bytes` under `name`, whatever was there: another file, its content, rename(2). The file is
/// not open for writing when it appears: it can be executed at once.
/// Errors: throws std::system_error; the old file is still there.
/// After a crash: the old file or the new one; perhaps ".<name>.new" beside it, which the next call
/// takes away.
void write_file(allocator::store::FileSystem& fs, const allocator::store::Directory& folder,
                const std::string& name, std::string_view bytes, unsigned mode, Flush flush);

/// The same by path. Errors: throws UsageError when its folder is missing.
void write_path(allocator::store::FileSystem& fs, const std::string& path, std::string_view bytes,
                const std::string& option);

}  // namespace shim
