#include "shim/cli/file_output.hpp"

#include "allocator/store/folders.hpp"
#include "shim/cli/command.hpp"

namespace shim {

using allocator::store::Directory;
using allocator::store::FileSystem;

Directory open_folder(FileSystem& fs, const std::string& path, const std::string& what,
                      const std::string& remedy) {
  auto folder = fs.open_directory(path);
  if (!folder) throw UsageError(what + ": " + path + " is missing; " + remedy);
  return std::move(*folder);
}

void write_file(FileSystem& fs, const Directory& folder, const std::string& name,
                std::string_view bytes, unsigned mode, Flush flush) {
  const std::string path = folder.path + "/" + name;
  const std::string temporary = "." + name + ".new";
  if (flush == Flush::no) {
    fs.write_in_place(folder, temporary, bytes, mode);
  } else {
    const auto file = fs.create_file(folder, temporary, mode);
    fs.write_all(file.fd, bytes, path);
    fs.sync(file.fd, path);
    if (file.unnamed) {
      fs.unlink(folder, temporary);
      fs.link_file(file.fd, folder, temporary);
    }
  }
  fs.rename(folder, temporary, name);
  if (flush == Flush::yes) fs.sync(folder.fd, folder.path);
}

void write_path(FileSystem& fs, const std::string& path, std::string_view bytes,
                const std::string& option) {
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (name.empty()) throw UsageError(option + ": " + path + " is a folder; name a file in it");
  write_file(fs, open_folder(fs, parent, option, "make it first"), name, bytes, 0644, Flush::no);
}

}  // namespace shim
