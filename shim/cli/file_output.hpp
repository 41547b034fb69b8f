#pragma once
/// Files that the tool writes for people and for nodes: never seen half-written, and safe in a
/// folder that others can write to.
///
/// A file gets its content before it has a name, then a random one that nobody has, then its own by
/// rename(2). Who may write to the folder can thus neither foresee nor give the file that is
/// written. After a crash ".delegated-ipam.<random>.new" may lie beside it; the next command that
/// opens the folder takes away what no running command holds.
#include <string>
#include <string_view>

#include "allocator/store/disk/file_system.hpp"

namespace shim {

/// Whether a file must have survived a power cut when the command says that it is there.
enum class Flush : std::uint8_t { yes, no };

/// Opens a folder that is to be written to, and takes away what earlier commands left in it when
/// they were killed.
/// Errors: throws UsageError "<what>: <path> is missing; <remedy>".
allocator::store::Directory open_folder(allocator::store::FileSystem& fs, const std::string& path,
                                        const std::string& what, const std::string& remedy);

/// Puts `bytes` under `name`, whatever was there: a new file with this content, rename(2). The file
/// is not open for writing when it appears: it can be executed at once.
/// Errors: throws std::system_error; the old file is still there.
/// After a crash: the old file or the new one; perhaps a random name beside it.
void write_file(allocator::store::FileSystem& fs, const allocator::store::Directory& folder,
                const std::string& name, std::string_view bytes, unsigned mode, Flush flush);

/// The same by path.
/// Errors: throws UsageError when its folder is missing.
void write_path(allocator::store::FileSystem& fs, const std::string& path, std::string_view bytes,
                const std::string& option, Flush flush = Flush::no);

/// Gives an open file this name too, whatever was there. Errors and crashes: as write_file().
void name_file(allocator::store::FileSystem& fs, const allocator::store::Directory& folder,
               const allocator::store::Fd& file, const std::string& name);

}  // namespace shim
