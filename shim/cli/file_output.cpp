#include "shim/cli/file_output.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "allocator/store/disk/folders.hpp"
#include "shim/cli/command.hpp"
#include "shim/cni/protocol/environment.hpp"
#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

using allocator::store::Directory;
using allocator::store::Fd;
using allocator::store::FileKind;
using allocator::store::FileSystem;
using allocator::store::LockResult;
using allocator::store::Outcome;

constexpr std::string_view kPrefix = ".delegated-ipam.";
constexpr std::string_view kSuffix = ".new";
constexpr std::size_t kDigits = 16;
constexpr int kTries = 16;

std::string random_name() {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number)
    throw std::system_error(errno, std::generic_category(), "getrandom");
  std::array<char, kDigits + 1> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(number));
  return std::string(kPrefix) + digits.data() + std::string(kSuffix);
}

bool is_random_name(std::string_view name) {
  if (name.size() != kPrefix.size() + kDigits + kSuffix.size()) return false;
  return name.starts_with(kPrefix) && name.ends_with(kSuffix) &&
         name.substr(kPrefix.size(), kDigits).find_first_not_of("0123456789abcdef") == name.npos;
}

/// Who writes a file holds its lock until the file is complete.
void remove_unless_held(FileSystem& fs, const Directory& folder, const std::string& name) {
  const auto found = fs.identify(folder, name);
  if (!found || found->kind != FileKind::regular) return;
  const auto file = fs.open_file(folder, name);
  const bool is_left = file && fs.lock(*file, std::chrono::milliseconds(0)) == LockResult::locked;
  if (is_left) fs.unlink(folder, name);
}

/// What cannot be removed is somebody else's, and no reason to fail.
void remove_left_overs(FileSystem& fs, const Directory& folder) noexcept {
  try {
    for (const auto& name : fs.list(folder)) {
      if (is_random_name(name)) remove_unless_held(fs, folder, name);
    }
  } catch (const std::exception&) {
    return;
  }
}

/// Moves `from` to `name`; false when somebody has taken `from` away: another command, in the
/// moment between the end of the writing and this.
bool move(FileSystem& fs, const Directory& folder, const std::string& from,
          const std::string& name) {
  try {
    fs.rename(folder, from, name);
    return true;
  } catch (const std::system_error& error) {
    if (error.code().value() == ENOENT) return false;
    fs.unlink(folder, from);
    throw;
  }
}

/// A second name for an open file.
std::string make_name(FileSystem& fs, const Directory& folder, const Fd& file) {
  std::string temporary = random_name();
  while (fs.link_file(file, folder, temporary) == Outcome::exists) temporary = random_name();
  return temporary;
}

/// The name of a complete new file, which is closed.
std::string make_file(FileSystem& fs, const Directory& folder, const std::string& path,
                      std::string_view bytes, unsigned mode, Flush flush) {
  const std::string temporary = random_name();
  const auto file = fs.create_file(folder, temporary, mode);
  // Nobody else can have it: its name is an instant old, or still to come.
  static_cast<void>(fs.lock(file.fd, std::chrono::milliseconds(0)));
  try {
    fs.write_all(file.fd, bytes, path);
    if (flush == Flush::yes) fs.sync(file.fd, path);
    return file.unnamed ? make_name(fs, folder, file.fd) : temporary;
  } catch (...) {
    if (!file.unnamed) fs.unlink(folder, temporary);
    throw;
  }
}

/// Who calls has looked at the name, and told whose it is; a place that forgot it ends here.
void refuse_leaving(const Directory& folder, const std::string& name) {
  if (!is_file_name(name))
    throw UsageError("write to " + folder.path + ": " + go_quoted(name) + " is no file's name");
}

/// Gives `name` to what `make` makes and tells the name of.
template <typename Make>
void put(FileSystem& fs, const Directory& folder, const std::string& name, const Make& make) {
  for (int tries = 0; tries < kTries; ++tries) {
    if (move(fs, folder, make(), name)) return;
  }
  throw std::system_error(ENOENT, std::generic_category(), "write " + folder.path + "/" + name);
}

}  // namespace

Directory open_folder(FileSystem& fs, const std::string& path, const std::string& what,
                      const std::string& remedy) {
  auto folder = fs.open_directory(path);
  if (!folder) throw UsageError(what + ": " + path + " is missing; " + remedy);
  remove_left_overs(fs, *folder);
  return std::move(*folder);
}

void write_file(FileSystem& fs, const Directory& folder, const std::string& name,
                std::string_view bytes, unsigned mode, Flush flush) {
  refuse_leaving(folder, name);
  const std::string path = folder.path + "/" + name;
  put(fs, folder, name, [&] { return make_file(fs, folder, path, bytes, mode, flush); });
  if (flush == Flush::yes) fs.sync(folder.fd, folder.path);
}

void name_file(FileSystem& fs, const Directory& folder, const Fd& file, const std::string& name) {
  refuse_leaving(folder, name);
  put(fs, folder, name, [&] { return make_name(fs, folder, file); });
  fs.sync(folder.fd, folder.path);
}

void write_path(FileSystem& fs, const std::string& path, std::string_view bytes,
                const std::string& option, Flush flush) {
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (name.empty()) throw UsageError(option + ": " + path + " is a folder; name a file in it");
  const auto folder = open_folder(fs, parent, option, "make it first");
  const auto there = fs.identify(folder, name);
  const bool is_file =
      !there || there->kind == FileKind::regular || there->kind == FileKind::symbolic_link;
  if (!is_file) throw UsageError(option + ": " + path + " is no regular file; name another one");
  write_file(fs, folder, name, bytes, 0644, flush);
}

}  // namespace shim
