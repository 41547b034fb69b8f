#include "allocator/store/disk/posix_file_system.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <span>

#include "allocator/store/disk/posix_call.hpp"
#include "allocator/store/disk/posix_entry_reader.hpp"

namespace allocator::store {
namespace {

std::string path_of(const Directory& directory, const std::string& name) {
  return directory.path + "/" + name;
}

FileKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::regular;
  if (S_ISDIR(mode)) return FileKind::directory;
  if (S_ISLNK(mode)) return FileKind::symbolic_link;
  return FileKind::other;
}

/// Folders of few entries are read into the stack: each page of a large buffer there is touched
/// when the function is entered (-fstack-clash-protection), and that costs more than a system call.
constexpr std::size_t kFirstListing = 4096;
constexpr std::size_t kNextListing = 32768;

/// More than the content of any attachment's file or counter.
constexpr std::size_t kSmallFile = 512;

constexpr std::int64_t kNanoseconds = 1'000'000'000;

bool is_private(uid_t owner, mode_t mode) {
  return (owner == 0 || owner == ::getauxval(AT_EUID)) && (mode & (S_IWGRP | S_IWOTH)) == 0;
}

FileIdentity identity_of(const struct stat& status) {
  return {status.st_dev,
          status.st_ino,
          kind_of(status.st_mode),
          static_cast<std::uint64_t>(status.st_size),
          status.st_ctim.tv_sec * kNanoseconds + status.st_ctim.tv_nsec,
          status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec,
          status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec,
          is_private(status.st_uid, status.st_mode)};
}

FileIdentity identity_of(const struct statx& status) {
  const auto& born = (status.stx_mask & STATX_BTIME) != 0 ? status.stx_btime : status.stx_mtime;
  return {makedev(status.stx_dev_major, status.stx_dev_minor),
          status.stx_ino,
          kind_of(status.stx_mode),
          status.stx_size,
          status.stx_ctime.tv_sec * kNanoseconds + status.stx_ctime.tv_nsec,
          born.tv_sec * kNanoseconds + born.tv_nsec,
          status.stx_mtime.tv_sec * kNanoseconds + status.stx_mtime.tv_nsec,
          is_private(status.stx_uid, status.stx_mode)};
}

/// statx(2), or fstatat(2) where a container's filter refuses the newer call. nullopt: errno.
std::optional<FileIdentity> look_at(int directory, const char* name, int flags) {
  struct statx status {};
  if (::statx(directory, name, flags, STATX_BASIC_STATS | STATX_BTIME, &status) == 0)
    return identity_of(status);
  if (errno != EPERM && errno != ENOSYS) return std::nullopt;
  struct stat older {};
  if (::fstatat(directory, name, &older, flags) == 0) return identity_of(older);
  return std::nullopt;
}

/// Whether a read of fewer bytes than asked for means the end (regular files) or not (pipes,
/// /proc).
enum class ShortRead : std::uint8_t { is_end, goes_on };

std::string read_some(int fd, std::size_t limit, const std::string& path, ShortRead short_read) {
  std::string bytes(limit, '\0');
  std::size_t length = 0;
  while (length < limit) {
    const auto got = retried([&] { return ::read(fd, bytes.data() + length, limit - length); });
    if (got == -1) fail("read", path);
    const bool is_short = static_cast<std::size_t>(got) < limit - length;
    length += static_cast<std::size_t>(got);
    if (got == 0 || (is_short && short_read == ShortRead::is_end)) break;
  }
  bytes.resize(length);
  return bytes;
}

int open_in_place(const Directory& directory, const std::string& name, int flags, unsigned mode) {
  return retried([&] {
    return ::openat(directory.fd.number(), name.c_str(),
                    flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
  });
}

/// What is overwritten in place must be a regular file of one name. Returns its size.
off_t refuse_other_files(const Fd& fd, const std::string& path) {
  struct stat status {};
  if (::fstat(fd.number(), &status) != 0) fail("stat", path);
  if (!S_ISREG(status.st_mode)) fail_unfit("write", path, kNoRegularFile, EINVAL);
  if (status.st_nlink > 1) fail_unfit("write", path, "a file with a second name", EMLINK);
  return status.st_size;
}

/// `old_size`: of the file so far.
void write_over(const Fd& fd, off_t old_size, std::string_view bytes, const std::string& path) {
  const auto written =
      retried([&] { return ::pwrite(fd.number(), bytes.data(), bytes.size(), 0); });
  if (written != static_cast<ssize_t>(bytes.size()))
    fail("write", path, written == -1 ? errno : EIO);
  const auto size = static_cast<off_t>(bytes.size());
  if (old_size > size && retried([&] { return ::ftruncate(fd.number(), size); }) != 0)
    fail("truncate", path);
}

}  // namespace

Fd PosixFileSystem::own(int number) {
  if (number < 0 || left_open_ == 0) return Fd(number);
  --left_open_;
  return Fd(number, Fd::Closing::by_exit);
}

std::optional<Directory> PosixFileSystem::open_directory(const std::string& path) {
  const int fd = retried([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd >= 0) return Directory{own(fd), path};
  if (errno == ENOENT) return std::nullopt;
  fail("open", path);
}

Outcome PosixFileSystem::make_directory(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) == 0) return Outcome::done;
  if (errno == EEXIST) return Outcome::exists;
  if (errno == ENOENT) return Outcome::missing;
  fail("mkdir", path);
}

void PosixFileSystem::visit(const Directory& directory,
                            const std::function<void(const DirectoryEntry&)>& visit) {
  // getdents64(2) on the descriptor that we have: readdir(3) would open and ask about another one.
  const int fd = directory.fd.number();
  if (directory.was_listed && ::lseek(fd, 0, SEEK_SET) == -1) fail("read", directory.path);
  directory.was_listed = true;
  alignas(dirent64) std::array<char, kFirstListing> few;
  std::unique_ptr<char[]> many;
  std::span<char> buffer = few;
  while (true) {
    const auto got = retried([&] { return ::getdents64(fd, buffer.data(), buffer.size()); });
    if (got == -1) fail("read", directory.path);
    if (got == 0) return;
    const auto length = static_cast<std::size_t>(got);
    for (std::size_t offset = 0; offset < length;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + offset);
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") visit({name, entry->d_type == DT_REG});
      offset += entry->d_reclen;
    }
    if (!many && length + sizeof(dirent64) > buffer.size()) {
      many = std::make_unique_for_overwrite<char[]>(kNextListing);
      buffer = {many.get(), kNextListing};
    }
  }
}

std::optional<FileIdentity> PosixFileSystem::identify(const Directory& directory,
                                                      const std::string& name) {
  auto identity = look_at(directory.fd.number(), name.c_str(), AT_SYMLINK_NOFOLLOW);
  if (!identity && errno != ENOENT) fail("stat", path_of(directory, name));
  return identity;
}

FileIdentity PosixFileSystem::identify(const Fd& fd) {
  const auto identity = look_at(fd.number(), "", AT_EMPTY_PATH);
  if (!identity) fail("stat", "descriptor " + std::to_string(fd.number()));
  return *identity;
}

std::optional<FileContent> PosixFileSystem::read_file(const Directory& directory,
                                                      const std::string& name, std::size_t limit) {
  const auto fd = open_file(directory, name);
  if (!fd) return std::nullopt;
  const FileIdentity identity = identify(*fd);
  if (identity.kind != FileKind::regular) return std::nullopt;
  const std::string path = path_of(directory, name);
  // Sizes have 64 bits on every processor.
  const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(limit, identity.size + 1));
  FileContent content{identity, read_some(fd->number(), room, path, ShortRead::is_end)};
  // Not what it holds: a file that seems to be empty may be removed as one that a power cut left.
  if (content.bytes.size() < std::min<std::uint64_t>(limit, identity.size)) fail("read", path, EIO);
  return content;
}

std::optional<std::string> PosixFileSystem::read_regular_entry(const Directory& directory,
                                                               const std::string& name,
                                                               std::size_t limit) {
  auto entry = open_regular_entry(directory, name, limit);
  if (!entry) return std::nullopt;
  return std::move(entry->bytes);
}

std::optional<FileSystem::OpenEntry> PosixFileSystem::open_regular_entry(const Directory& directory,
                                                                         const std::string& name,
                                                                         std::size_t limit) {
  auto fd = open_file(directory, name);
  if (!fd) return std::nullopt;
  const std::string path = path_of(directory, name);
  std::string bytes = read_some(fd->number(), std::min(limit, kSmallFile), path, ShortRead::is_end);
  if (bytes.size() == kSmallFile && limit > kSmallFile)
    bytes += read_some(fd->number(), limit - kSmallFile, path, ShortRead::is_end);
  return OpenEntry{std::move(bytes), std::move(*fd)};
}

std::unique_ptr<EntryReader> PosixFileSystem::begin_reading(std::size_t count,
                                                            EntryReader::Read read) {
  return begin_reading_entries(count, std::move(read));
}

std::string PosixFileSystem::read_path(const std::string& path, std::size_t limit) {
  const Fd fd =
      own(retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  if (!fd.is_open()) fail("open", path);
  return read_some(fd.number(), limit, path, ShortRead::goes_on);
}

std::string PosixFileSystem::read_regular(const std::string& path, std::size_t limit) {
  const Fd fd(
      retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); }));
  if (!fd.is_open() && errno == ENXIO) fail_unfit("open", path, "a socket, no regular file", ENXIO);
  if (!fd.is_open()) fail("open", path);
  const FileIdentity identity = identify(fd);
  if (identity.kind == FileKind::other) fail_unfit("read", path, kNoRegularFile, EINVAL);
  // Some file systems tell no size.
  const bool has_size = identity.size != 0;
  const std::uint64_t enough = std::uint64_t{limit} + 1;
  const auto room =
      static_cast<std::size_t>(has_size ? std::min(enough, identity.size + 1) : enough);
  std::string bytes =
      read_some(fd.number(), room, path, has_size ? ShortRead::is_end : ShortRead::goes_on);
  // A part of it could mean something else: "10.244.1.0/2" of "10.244.1.0/24".
  if (bytes.size() > limit)
    fail_unfit("read", path, "a file of more than " + std::to_string(limit) + " bytes", EFBIG);
  return bytes;
}

FileSystem::NewFile PosixFileSystem::create_file(const Directory& directory,
                                                 const std::string& fallback_name, unsigned mode) {
  const int unnamed = retried(
      [&] { return ::openat(directory.fd.number(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode); });
  if (unnamed >= 0) return {own(unnamed), true};
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
    fail("create a file in", directory.path);
  // A name that an earlier crash left behind is ours: we hold the lock.
  unlink(directory, fallback_name);
  const int named = retried([&] {
    return ::openat(directory.fd.number(), fallback_name.c_str(),
                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  });
  if (named == -1) fail("create", path_of(directory, fallback_name));
  return {Fd(named), false};
}

void PosixFileSystem::write_all(const Fd& fd, std::string_view bytes,
                                const std::string& path_for_errors) {
  while (!bytes.empty()) {
    const auto written = retried([&] { return ::write(fd.number(), bytes.data(), bytes.size()); });
    if (written == -1) fail("write", path_for_errors);
    if (written == 0) fail("write", path_for_errors, EIO);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::optional<Fd> PosixFileSystem::open_file(const Directory& directory, const std::string& name) {
  const int fd = retried([&] {
    return ::openat(directory.fd.number(), name.c_str(),
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  });
  if (fd >= 0) return Fd(fd);
  // ELOOP: a symbolic link; ENXIO: a socket. Neither is a file that this store or host-local made.
  if (errno == ENOENT || errno == ELOOP || errno == ENXIO) return std::nullopt;
  fail("open", path_of(directory, name));
}

Supported PosixFileSystem::set_attribute(const Fd& fd, const std::string& name,
                                         std::string_view value,
                                         const std::string& path_for_errors) {
  if (::fsetxattr(fd.number(), name.c_str(), value.data(), value.size(), 0) == 0)
    return Supported::yes;
  if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM) return Supported::no;
  fail(("set attribute " + name + " of a file in").c_str(), path_for_errors);
}

std::optional<std::string> PosixFileSystem::get_attribute(const Fd& fd, const std::string& name) {
  std::array<char, 4096> value;
  const auto length = ::fgetxattr(fd.number(), name.c_str(), value.data(), value.size());
  if (length >= 0) return std::string(value.data(), static_cast<std::size_t>(length));
  // EPERM, EACCES: one that we may not look at tells us nothing.
  if (errno == ENODATA || errno == EOPNOTSUPP || errno == ENOSYS || errno == ERANGE ||
      errno == EPERM || errno == EACCES)
    return std::nullopt;
  fail("get attribute", name);
}

Outcome PosixFileSystem::unlink(const Directory& directory, const std::string& name) {
  if (::unlinkat(directory.fd.number(), name.c_str(), 0) == 0) return Outcome::done;
  if (errno == ENOENT) return Outcome::missing;
  fail("unlink", path_of(directory, name));
}

std::optional<std::string> PosixFileSystem::read_link(const Directory& directory,
                                                      const std::string& name) {
  std::array<char, 4096> target;
  const auto length =
      ::readlinkat(directory.fd.number(), name.c_str(), target.data(), target.size());
  if (length >= 0) return std::string(target.data(), static_cast<std::size_t>(length));
  if (errno == ENOENT) return std::nullopt;
  if (errno != EINVAL) fail("read link", path_of(directory, name));
  // Any other thing gives way to a link that is made in its place; a folder does not.
  const auto found = look_at(directory.fd.number(), name.c_str(), AT_SYMLINK_NOFOLLOW);
  if (found && found->kind == FileKind::directory)
    fail("read link", path_of(directory, name), EISDIR);
  return std::nullopt;
}

void PosixFileSystem::rename(const Directory& directory, const std::string& from,
                             const std::string& to) {
  if (::renameat(directory.fd.number(), from.c_str(), directory.fd.number(), to.c_str()) == 0)
    return;
  fail("rename", path_of(directory, from) + " to " + to);
}

void PosixFileSystem::write_in_place(const Directory& directory, const std::string& name,
                                     std::string_view bytes, unsigned mode) {
  const std::string path = path_of(directory, name);
  const Fd fd = own(open_in_place(directory, name, O_WRONLY | O_CREAT, mode));
  if (!fd.is_open()) fail_open(path);
  const auto size = refuse_other_files(fd, path);
  write_over(fd, size, bytes, path);
}

std::optional<OpenText> PosixFileSystem::open_text(const Directory& directory,
                                                   const std::string& name, std::size_t limit) {
  const std::string path = path_of(directory, name);
  Fd fd = own(open_in_place(directory, name, O_RDWR, 0));
  if (!fd.is_open() && errno == ENOENT) return std::nullopt;
  if (!fd.is_open()) fail_open(path);
  const auto size = static_cast<std::size_t>(refuse_other_files(fd, path));
  std::string bytes = read_some(fd.number(), std::min(limit, size + 1), path, ShortRead::is_end);
  return OpenText{std::move(fd), std::move(bytes)};
}

void PosixFileSystem::overwrite(OpenText& text, std::string_view bytes,
                                const std::string& path_for_errors) {
  write_over(text.fd, static_cast<off_t>(text.bytes.size()), bytes, path_for_errors);
  text.bytes = bytes;
}

std::optional<bool> PosixFileSystem::is_writable(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return S_ISDIR(status.st_mode) && ::access(path.c_str(), W_OK | X_OK) == 0;
}

void PosixFileSystem::sync(const Fd& fd, const std::string& path_for_errors) {
  // EINTR is not repeated either: what it left is as unknown as after EIO.
  if (::fsync(fd.number()) != 0) fail("fsync", path_for_errors);
}

}  // namespace allocator::store
