#include "allocator/store/survey/reading_file_system.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "allocator/store/disk/posix_call.hpp"

namespace allocator::store {
namespace {

[[noreturn]] void refuse(const std::string& path) {
  throw std::system_error(EROFS, std::generic_category(), path + ": only read here");
}

/// Files of /proc tell no size, and a copy of one has one.
std::string read_until_end(const Fd& fd, std::size_t limit, const std::string& path) {
  std::string bytes;
  while (bytes.size() < limit) {
    const std::size_t before = bytes.size();
    bytes.resize(std::min(limit, before + 65536));
    const auto got =
        retried([&] { return ::read(fd.number(), bytes.data() + before, bytes.size() - before); });
    if (got == -1) fail("read", path);
    bytes.resize(before + static_cast<std::size_t>(got));
    if (got == 0) break;
  }
  return bytes;
}

}  // namespace

ReadingFileSystem::ReadingFileSystem(FileSystem& under, std::string root)
    : under_(under), root_path_(std::move(root)) {
  if (root_path_.empty()) return;
  root_ = Fd(retried([&] { return ::open(root_path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }));
  if (!root_.is_open()) fail("open", root_path_);
  if (!open_below("/", O_PATH | O_DIRECTORY).is_open()) fail("open", root_path_);
}

/// A link in the copy that names "/mnt/data" means the copy's: the kernel looks it up so.
Fd ReadingFileSystem::open_below(const std::string& path, unsigned long long flags) const {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  Fd fd(static_cast<int>(retried(
      [&] { return ::syscall(SYS_openat2, root_.number(), path.c_str(), &how, sizeof how); })));
  if (!fd.is_open() && errno != ENOENT) fail("open", root_path_ + path);
  return fd;
}

std::optional<Directory> ReadingFileSystem::open_directory(const std::string& path) {
  if (!has_root()) return under_.open_directory(path);
  Fd fd = open_below(path, O_RDONLY | O_DIRECTORY);
  if (!fd.is_open()) return std::nullopt;
  return Directory{std::move(fd), path};
}

std::string ReadingFileSystem::read_path(const std::string& path, std::size_t limit) {
  return has_root() ? read_regular(path, limit) : under_.read_path(path, limit);
}

std::string ReadingFileSystem::read_regular(const std::string& path, std::size_t limit) {
  if (!has_root()) return under_.read_regular(path, limit);
  const Fd fd = open_below(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd.is_open()) fail("open", root_path_ + path);
  if (under_.identify(fd).kind != FileKind::regular)
    fail_unfit("read", root_path_ + path, kNoRegularFile, EINVAL);
  return read_until_end(fd, limit, root_path_ + path);
}

/// Some names have a folder in them, which may be a link in a copy that somebody else has made.
std::optional<std::string> ReadingFileSystem::read_link(const Directory& directory,
                                                        const std::string& name) {
  const auto slash = name.rfind('/');
  if (!has_root() || slash == std::string::npos) return under_.read_link(directory, name);
  const auto inner = open_directory(directory.path + "/" + name.substr(0, slash));
  return inner ? under_.read_link(*inner, name.substr(slash + 1)) : std::nullopt;
}

std::optional<bool> ReadingFileSystem::is_writable(const std::string& path) {
  if (!has_root()) return under_.is_writable(path);
  const auto folder = open_directory(path);
  if (!folder) return std::nullopt;
  return ::faccessat(folder->fd.number(), ".", W_OK | X_OK, 0) == 0;
}

std::optional<FileSystemIdentity> ReadingFileSystem::file_system_of(const std::string& path) {
  return has_root() ? std::nullopt : under_.file_system_of(path);
}

std::optional<NamespaceIdentity> ReadingFileSystem::network_namespace(const std::string& path) {
  return has_root() ? std::nullopt : under_.network_namespace(path);
}

Life ReadingFileSystem::life_of(const NamespaceIdentity& network_namespace) {
  return has_root() ? Life::unknown : under_.life_of(network_namespace);
}

Outcome ReadingFileSystem::make_directory(const std::string& path, unsigned /*mode*/) {
  refuse(path);
}

FileSystem::NewFile ReadingFileSystem::create_file(const Directory& directory,
                                                   const std::string& /*fallback_name*/,
                                                   unsigned /*mode*/) {
  refuse(directory.path);
}

void ReadingFileSystem::write_all(const Fd& /*fd*/, std::string_view /*bytes*/,
                                  const std::string& path_for_errors) {
  refuse(path_for_errors);
}

Supported ReadingFileSystem::set_attribute(const Fd& /*fd*/, const std::string& /*name*/,
                                           std::string_view /*value*/,
                                           const std::string& path_for_errors) {
  refuse(path_for_errors);
}

Outcome ReadingFileSystem::link_file(const Fd& /*fd*/, const Directory& directory,
                                     const std::string& /*name*/) {
  refuse(directory.path);
}

Outcome ReadingFileSystem::unlink(const Directory& directory, const std::string& /*name*/) {
  refuse(directory.path);
}

Outcome ReadingFileSystem::make_link(const std::string& /*target*/, const Directory& directory,
                                     const std::string& /*name*/) {
  refuse(directory.path);
}

void ReadingFileSystem::rename(const Directory& directory, const std::string& /*from*/,
                               const std::string& /*to*/) {
  refuse(directory.path);
}

void ReadingFileSystem::write_in_place(const Directory& directory, const std::string& /*name*/,
                                       std::string_view /*bytes*/, unsigned /*mode*/) {
  refuse(directory.path);
}

void ReadingFileSystem::set_modified(const Fd& /*fd*/, std::int64_t /*modified_ns*/,
                                     const std::string& path_for_errors) {
  refuse(path_for_errors);
}

std::optional<Mapping> ReadingFileSystem::map_file(const Directory& directory,
                                                   const std::string& /*name*/,
                                                   std::size_t /*limit*/) {
  refuse(directory.path);
}

Mapping ReadingFileSystem::map_new_file(const Directory& directory, const std::string& /*name*/,
                                        std::size_t /*size*/, unsigned /*mode*/) {
  refuse(directory.path);
}

void ReadingFileSystem::sync(const Fd& /*fd*/, const std::string& path_for_errors) {
  refuse(path_for_errors);
}

std::optional<OpenText> ReadingFileSystem::open_text(const Directory& directory,
                                                     const std::string& /*name*/,
                                                     std::size_t /*limit*/) {
  refuse(directory.path);
}

void ReadingFileSystem::overwrite(OpenText& /*text*/, std::string_view /*bytes*/,
                                  const std::string& path_for_errors) {
  refuse(path_for_errors);
}

std::optional<Fd> ReadingFileSystem::open_lock(const Directory& directory,
                                               const std::string& /*name*/,
                                               std::optional<unsigned> /*mode*/) {
  refuse(directory.path);
}

}  // namespace allocator::store
