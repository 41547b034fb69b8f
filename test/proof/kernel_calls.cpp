/// The names by which PosixFileSystem calls the kernel. The linker puts these in the place of the C
/// library's (--wrap, see test/CMakeLists.txt): nothing that a test does reaches the machine.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>

#include "test/proof/kernel.hpp"

namespace {

using proof::Kernel;
namespace store = allocator::store;

constexpr std::int64_t kNanoseconds = 1'000'000'000;

/// Set for descriptors that a Kernel has given.
Kernel* kernel_of(int number) { return Kernel::is_own(number) ? Kernel::current() : nullptr; }

mode_t mode_of(store::FileKind kind) {
  switch (kind) {
    case store::FileKind::regular:
      return S_IFREG | 0600;
    case store::FileKind::directory:
      return S_IFDIR | 0755;
    case store::FileKind::symbolic_link:
      return S_IFLNK | 0777;
    case store::FileKind::other:
      return S_IFIFO | 0600;
  }
  return 0;
}

int told(int answer, const store::FileIdentity& found, struct stat& status) {
  if (answer != 0) return answer;
  status = {};
  status.st_dev = found.device;
  status.st_ino = found.inode;
  status.st_mode = mode_of(found.kind);
  status.st_nlink = 1;
  status.st_size = static_cast<off_t>(found.size);
  status.st_ctim = {found.changed_ns / kNanoseconds, found.changed_ns % kNanoseconds};
  status.st_mtim = {found.modified_ns / kNanoseconds, found.modified_ns % kNanoseconds};
  return 0;
}

statx_timestamp timestamp(std::int64_t nanoseconds) {
  statx_timestamp time{};
  time.tv_sec = nanoseconds / kNanoseconds;
  time.tv_nsec = static_cast<std::uint32_t>(nanoseconds % kNanoseconds);
  return time;
}

int told(int answer, const store::FileIdentity& found, struct statx& status) {
  if (answer != 0) return answer;
  status = {};
  status.stx_mask = STATX_BASIC_STATS | STATX_BTIME;
  status.stx_dev_major = major(found.device);
  status.stx_dev_minor = minor(found.device);
  status.stx_ino = found.inode;
  status.stx_mode = static_cast<std::uint16_t>(mode_of(found.kind));
  status.stx_nlink = 1;
  status.stx_size = found.size;
  status.stx_ctime = timestamp(found.changed_ns);
  status.stx_mtime = timestamp(found.modified_ns);
  status.stx_btime = timestamp(found.born_ns);
  return 0;
}

/// For whom there is no Kernel.
int refused() {
  errno = ENOSYS;
  return -1;
}

/// `folder` and `name` as the *at calls are given them.
int look_at(Kernel& kernel, int folder, const char* name, int flags, store::FileIdentity& found) {
  if ((flags & AT_EMPTY_PATH) != 0 && *name == '\0') return kernel.look_at_open(folder, found);
  return kernel.look_at(folder, name, found);
}

}  // namespace

// The linker's names. NOLINTBEGIN(bugprone-reserved-identifier,cert-*,readability-*)
extern "C" {

int __wrap_open(const char* path, int flags, ...) {
  if (Kernel* kernel = Kernel::current()) return kernel->open_at(AT_FDCWD, path, flags);
  return refused();
}

int __wrap_openat(int folder, const char* name, int flags, ...) {
  if (Kernel* kernel = kernel_of(folder)) return kernel->open_at(folder, name, flags);
  return refused();
}

int __wrap_close(int number) {
  if (Kernel* kernel = kernel_of(number)) return kernel->close(number);
  return refused();
}

int __wrap_mkdir(const char* path, mode_t) {
  if (Kernel* kernel = Kernel::current()) return kernel->make_directory(path);
  return refused();
}

ssize_t __wrap_getdents64(int number, void* buffer, size_t size) {
  if (Kernel* kernel = kernel_of(number))
    return kernel->list(number, static_cast<char*>(buffer), size);
  return refused();
}

off_t __wrap_lseek(int number, off_t, int) {
  if (Kernel* kernel = kernel_of(number)) return kernel->seek_to_start(number);
  return refused();
}

int __wrap_stat(const char* path, struct stat* status) {
  Kernel* kernel = Kernel::current();
  if (kernel == nullptr) return refused();
  store::FileIdentity found{};
  return told(kernel->look_at(AT_FDCWD, path, found), found, *status);
}

int __wrap_fstat(int number, struct stat* status) {
  Kernel* kernel = kernel_of(number);
  if (kernel == nullptr) return refused();
  store::FileIdentity found{};
  return told(kernel->look_at_open(number, found), found, *status);
}

int __wrap_fstatat(int folder, const char* name, struct stat* status, int flags) {
  Kernel* kernel = kernel_of(folder);
  if (kernel == nullptr) return refused();
  store::FileIdentity found{};
  return told(look_at(*kernel, folder, name, flags, found), found, *status);
}

int __wrap_statx(int folder, const char* name, int flags, unsigned, struct statx* status) {
  Kernel* kernel = kernel_of(folder);
  if (kernel == nullptr) return refused();
  store::FileIdentity found{};
  return told(look_at(*kernel, folder, name, flags, found), found, *status);
}

ssize_t __wrap_read(int number, void* buffer, size_t size) {
  if (Kernel* kernel = kernel_of(number))
    return kernel->read(number, static_cast<char*>(buffer), size);
  return refused();
}

ssize_t __wrap_write(int number, const void* bytes, size_t size) {
  if (Kernel* kernel = kernel_of(number))
    return kernel->write(number, {static_cast<const char*>(bytes), size});
  return refused();
}

ssize_t __wrap_pwrite(int number, const void* bytes, size_t size, off_t) {
  if (Kernel* kernel = kernel_of(number))
    return kernel->write_at_start(number, {static_cast<const char*>(bytes), size});
  return refused();
}

int __wrap_ftruncate(int number, off_t size) {
  if (Kernel* kernel = kernel_of(number))
    return kernel->truncate(number, static_cast<std::size_t>(size));
  return refused();
}

int __wrap_fsetxattr(int number, const char* name, const void* value, size_t size, int) {
  if (Kernel* kernel = kernel_of(number))
    return kernel->set_attribute(number, name, {static_cast<const char*>(value), size});
  return refused();
}

ssize_t __wrap_fgetxattr(int number, const char* name, void* value, size_t size) {
  if (Kernel* kernel = kernel_of(number))
    return kernel->get_attribute(number, name, static_cast<char*>(value), size);
  return refused();
}

int __wrap_linkat(int from, const char* path, int folder, const char* name, int) {
  constexpr std::string_view links = "/proc/self/fd/";
  const std::string_view by_path(path);
  const int number =
      by_path.starts_with(links) ? std::stoi(std::string(by_path.substr(links.size()))) : from;
  if (Kernel* kernel = kernel_of(number)) return kernel->link(number, folder, name);
  return refused();
}

int __wrap_unlinkat(int folder, const char* name, int) {
  if (Kernel* kernel = kernel_of(folder)) return kernel->unlink(folder, name);
  return refused();
}

ssize_t __wrap_readlinkat(int folder, const char* name, char* buffer, size_t size) {
  if (Kernel* kernel = kernel_of(folder)) return kernel->read_link(folder, name, buffer, size);
  return refused();
}

int __wrap_symlinkat(const char* target, int folder, const char* name) {
  if (Kernel* kernel = kernel_of(folder)) return kernel->make_link(target, folder, name);
  return refused();
}

int __wrap_renameat(int folder, const char* from, int, const char* to) {
  if (Kernel* kernel = kernel_of(folder)) return kernel->rename(folder, from, to);
  return refused();
}

int __wrap_fsync(int number) {
  if (Kernel* kernel = kernel_of(number)) return kernel->sync(number);
  return refused();
}

int __wrap_flock(int number, int operation) {
  if (Kernel* kernel = kernel_of(number)) return kernel->lock(number, operation);
  return refused();
}

int __wrap_statfs(const char* path, struct statfs* status) {
  *status = {};
  if (Kernel* kernel = Kernel::current()) return kernel->file_system_at(path, *status);
  return refused();
}

int __wrap_fstatfs(int number, struct statfs* status) {
  *status = {};
  if (Kernel* kernel = kernel_of(number)) return kernel->file_system_of(number, *status);
  return refused();
}

int __wrap_name_to_handle_at(int, const char* path, struct file_handle* handle, int*, int) {
  if (Kernel* kernel = Kernel::current()) return kernel->name_to_handle(path, *handle);
  return refused();
}

int __wrap_open_by_handle_at(int, struct file_handle* handle, int) {
  if (Kernel* kernel = Kernel::current()) return kernel->open_by_handle(*handle);
  return refused();
}

/// capget(2): whoever runs the test, the store is root.
long __wrap_syscall(long number, ...) {
  std::va_list arguments;
  va_start(arguments, number);
  static_cast<void>(va_arg(arguments, void*));
  auto* const capabilities = va_arg(arguments, __user_cap_data_struct*);
  va_end(arguments);
  if (number != SYS_capget) return -1;
  capabilities[0].effective = 1U << CAP_SYS_ADMIN;
  return 0;
}

}  // extern "C"
// NOLINTEND
