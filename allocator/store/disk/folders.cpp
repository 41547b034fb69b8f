#include "allocator/store/disk/folders.hpp"

#include <cerrno>
#include <map>
#include <system_error>

namespace allocator::store {
namespace {

/// nullopt also for paths that cannot be opened because a component is no folder or too long: mkdir
/// then says what is wrong.
std::optional<Directory> open_if_there(FileSystem& fs, const std::string& path) {
  try {
    return fs.open_directory(path);
  } catch (const std::system_error& error) {
    const int number = error.code().value();
    if (number == ENOTDIR || number == ENAMETOOLONG) return std::nullopt;
    throw;
  }
}

/// mkdir(2). Returns 0, or ENOENT or ENOTDIR when the parent is missing or no folder.
int make_one(FileSystem& fs, const std::string& path, unsigned mode,
             std::vector<std::string>& changed) {
  try {
    const Outcome outcome = fs.make_directory(path, mode);
    if (outcome == Outcome::done) changed.push_back(parent_of(path));
    return outcome == Outcome::missing ? ENOENT : 0;
  } catch (const std::system_error& error) {
    if (error.code().value() == ENOTDIR) return ENOTDIR;
    throw;
  }
}

/// mkdir -p
void make_path(FileSystem& fs, const std::string& path, unsigned mode,
               std::vector<std::string>& changed) {
  const std::string parent = parent_of(path);
  int error = make_one(fs, path, mode, changed);
  if (error != 0 && parent != path) {
    make_path(fs, parent, mode, changed);
    // Somebody else's file in the way is reported where it is, not where we wanted to go.
    if (error == ENOTDIR && !open_if_there(fs, parent))
      throw std::system_error(ENOTDIR, std::generic_category(), "mkdir " + parent);
    error = make_one(fs, path, mode, changed);
  }
  if (error != 0) throw std::system_error(error, std::generic_category(), "mkdir " + path);
}

enum class Flush : std::uint8_t { always, where_possible };

/// EINVAL is what the kernel says of a folder without an fsync of its own.
void sync_one(FileSystem& fs, const Directory& folder, Flush flush) {
  try {
    fs.sync(folder.fd, folder.path);
  } catch (const std::system_error& error) {
    const int number = error.code().value();
    if (flush == Flush::always || (number != EINVAL && number != EROFS)) throw;
  }
}

}  // namespace

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Directory ensure_folder(FileSystem& fs, const std::string& path, unsigned mode,
                        std::vector<std::string>& changed) {
  if (auto folder = open_if_there(fs, path)) return std::move(*folder);
  return make_folder(fs, path, mode, changed);
}

Directory make_folder(FileSystem& fs, const std::string& path, unsigned mode,
                      std::vector<std::string>& changed) {
  make_path(fs, path, mode, changed);
  auto folder = open_if_there(fs, path);
  if (!folder) throw std::system_error(ENOTDIR, std::generic_category(), "mkdir " + path);
  return std::move(*folder);
}

void append_parents(const std::string& path, std::vector<std::string>& folders) {
  folders.push_back(parent_of(path));
  folders.push_back(parent_of(folders.back()));
}

void sync_folders(FileSystem& fs, const std::vector<std::string>& changed,
                  const std::vector<std::string>& above) {
  std::map<std::string, Flush> folders;
  for (const auto& path : changed) folders.emplace(path, Flush::always);
  for (const auto& path : above) folders.emplace(path, Flush::where_possible);
  for (const auto& [path, flush] : folders) {
    if (const auto folder = fs.open_directory(path)) sync_one(fs, *folder, flush);
  }
}

}  // namespace allocator::store
