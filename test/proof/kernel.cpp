#include "test/proof/kernel.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace proof {
namespace {

/// A process that makes more calls goes round in circles.
constexpr std::size_t kMostCalls = 5'000;

constexpr const char* kOwnPidNamespace = "/proc/self/ns/pid";
constexpr const char* kOwnUserNamespace = "/proc/self/ns/user";
constexpr const char* kNamespaces = "/var/run/netns";
constexpr std::uint64_t kInitialUserNamespace = 0xEFFFFFFD;
constexpr std::uint64_t kNamespaceDevice = 4;
constexpr std::uint64_t kNamespacesDevice = 3;
constexpr std::uint32_t kProcMagic = 0x9fa0;
constexpr std::uint32_t kNamespaceMagic = 0x6e736673;
constexpr std::uint32_t kExt4Magic = 0xef53;

/// As in allocator/store/disk/posix_namespaces.cpp.
struct NamespaceHandle {
  std::uint64_t id;
  std::uint32_t kind;
  std::uint32_t inode;
};
constexpr int kNamespaceHandleType = 0xf1;

/// C functions have no other way to know whom they are to ask.
Kernel*& running() {
  static Kernel* kernel = nullptr;
  return kernel;
}

store::FileIdentity kernels_own(std::uint64_t device, std::uint64_t inode, store::FileKind kind) {
  return {device, inode, kind, 0, 1, 1, 1};
}

}  // namespace

Kernel::Kernel(MemoryDisk& disk, Disturbance& disturbance)
    : disk_(disk), disturbance_(disturbance) {
  running() = this;
}

Kernel::~Kernel() {
  running() = nullptr;
  for (const auto& one : files_) disturbance_.blame("it leaves open " + one.second.opened.path);
}

Kernel* Kernel::current() { return running(); }

Trouble Kernel::meet(Call kind, const std::string& subject) {
  if (++calls_ < kMostCalls) return disturbance_.meet(kind, subject);
  disturbance_.blame("it never ends");
  return {EIO, Short::no};
}

Kernel::File& Kernel::file(int number) {
  const auto found = files_.find(number);
  if (found == files_.end()) refuse(EBADF);
  return found->second;
}

std::string Kernel::path_of(int folder, const std::string& name) {
  const auto found = files_.find(folder);
  if (name.starts_with('/') || found == files_.end()) return name;
  return name.empty() ? found->second.opened.path : found->second.opened.path + "/" + name;
}

int Kernel::add(store::Directory opened) {
  files_.emplace(next_, File{std::move(opened)});
  return next_++;
}

int Kernel::open_at(int folder, const std::string& name, int flags) {
  const std::string path = path_of(folder, name);
  return static_cast<int>(call(Call::open, path, [&](Short) {
    if ((flags & O_TMPFILE) == O_TMPFILE) return open_unnamed(folder);
    if ((flags & O_DIRECTORY) != 0) return open_folder(path);
    return folder == AT_FDCWD ? open_kernels(path) : open_named(folder, name, flags);
  }));
}

int Kernel::open_unnamed(int folder) {
  auto& opened = file(folder).opened;
  auto made = disk_.create_file(opened, {}, 0);
  return add({std::move(made.fd), opened.path + "/(unnamed)"});
}

int Kernel::open_folder(const std::string& path) {
  auto folder = disk_.open_directory(path);
  if (!folder) refuse(ENOENT);
  return add(*std::move(folder));
}

/// A file in /proc.
int Kernel::open_kernels(const std::string& path) {
  const int number = add({store::Fd(), path});
  try {
    file(number).text = disk_.read_path(path, std::size_t{1} << 20);
  } catch (const std::system_error&) {
    files_.erase(number);
    throw;
  }
  return number;
}

int Kernel::open_named(int folder, const std::string& name, int flags) {
  auto& opened = file(folder).opened;
  const auto there = disk_.identify(opened, name);
  const bool makes = (flags & O_CREAT) != 0;
  const bool writes = (flags & (O_WRONLY | O_RDWR)) != 0;
  if (!there && !makes) refuse(ENOENT);
  if (there && makes && (flags & O_EXCL) != 0) refuse(EEXIST);
  if (there && there->kind == store::FileKind::symbolic_link) refuse(ELOOP);
  if (there && there->kind == store::FileKind::directory && writes) refuse(EISDIR);
  auto fd = there ? disk_.open_file(opened, name) : disk_.open_lock(opened, name, 0600);
  if (!fd) refuse(ENOENT);
  return add({*std::move(fd), path_of(folder, name)});
}

int Kernel::close(int number) {
  const auto found = files_.find(number);
  if (found == files_.end()) return static_cast<int>(failed(EBADF));
  const File closed = std::move(found->second);
  // Whatever is answered it is closed.
  files_.erase(found);
  return static_cast<int>(call(Call::close, closed.opened.path, [](Short) { return 0; }));
}

int Kernel::make_directory(const std::string& path) {
  return static_cast<int>(call(Call::mkdir, path, [&](Short) {
    const store::Outcome outcome = disk_.make_directory(path, 0);
    if (outcome != store::Outcome::done)
      refuse(outcome == store::Outcome::exists ? EEXIST : ENOENT);
    return 0;
  }));
}

long Kernel::list(int number, char* buffer, std::size_t size) {
  return call(Call::getdents, path_of(number, {}), [&](Short by) {
    File& folder = file(number);
    if (folder.offset == 0) {
      folder.entries = {{".", false}, {"..", false}};
      disk_.visit(folder.opened, [&](const store::DirectoryEntry& entry) {
        folder.entries.emplace_back(entry.name, entry.is_regular);
      });
    }
    const std::size_t end = folder.offset + shortened(folder.entries.size() - folder.offset, by);
    std::size_t used = 0;
    for (; folder.offset < end; ++folder.offset) {
      const auto& [name, is_regular] = folder.entries[folder.offset];
      dirent64 entry{};
      const std::size_t length = (offsetof(dirent64, d_name) + name.size() + 8) / 8 * 8;
      if (used + length > size) break;
      entry.d_reclen = static_cast<unsigned short>(length);
      entry.d_type = is_regular ? DT_REG : DT_UNKNOWN;
      name.copy(entry.d_name, sizeof(entry.d_name) - 1);
      std::memcpy(buffer + used, &entry, length);
      used += length;
    }
    return used;
  });
}

long Kernel::seek_to_start(int number) {
  return call(Call::lseek, path_of(number, {}), [&](Short) {
    file(number).offset = 0;
    return 0;
  });
}

store::FileIdentity Kernel::identity_at(int folder, const std::string& name) {
  using store::FileKind;
  if (folder != AT_FDCWD) {
    const auto found = disk_.identify(file(folder).opened, name);
    if (!found) refuse(ENOENT);
    return *found;
  }
  if (name == kOwnPidNamespace)
    return kernels_own(kNamespaceDevice, store::kInitialPidNamespace, FileKind::regular);
  if (name == kOwnUserNamespace)
    return kernels_own(kNamespaceDevice, kInitialUserNamespace, FileKind::regular);
  if (name == kNamespaces) return kernels_own(kNamespacesDevice, 1, FileKind::directory);
  if (const auto there = disk_.network_namespace(name))
    return kernels_own(kNamespaceDevice, there->inode, FileKind::regular);
  const auto opened = disk_.open_directory(name);
  if (!opened) refuse(ENOENT);
  return disk_.identify(opened->fd);
}

int Kernel::look_at(int folder, const std::string& name, store::FileIdentity& found) {
  return static_cast<int>(call(Call::stat, path_of(folder, name), [&](Short) {
    found = identity_at(folder, name);
    return 0;
  }));
}

int Kernel::look_at_open(int number, store::FileIdentity& found) {
  return static_cast<int>(call(Call::stat, path_of(number, {}), [&](Short) {
    found = disk_.identify(file(number).opened.fd);
    return 0;
  }));
}

int Kernel::file_system_at(const std::string& path, struct statfs& status) {
  return static_cast<int>(call(Call::statfs, path, [&](Short) {
    const bool is_namespace = disk_.network_namespace(path).has_value();
    const std::uint32_t magic = path.starts_with("/proc/") ? kProcMagic : kExt4Magic;
    status.f_type = is_namespace ? kNamespaceMagic : magic;
    return 0;
  }));
}

int Kernel::file_system_of(int number, struct statfs& status) {
  return static_cast<int>(call(Call::statfs, path_of(number, {}), [&](Short) {
    status.f_type = kExt4Magic;
    return 0;
  }));
}

int Kernel::name_to_handle(const std::string& path, struct file_handle& handle) {
  return static_cast<int>(call(Call::name_to_handle, path, [&](Short) {
    const auto there = disk_.network_namespace(path);
    if (!there) refuse(ENOENT);
    const NamespaceHandle found{there->id, 0, static_cast<std::uint32_t>(there->inode)};
    if (handle.handle_bytes < sizeof(found)) refuse(EOVERFLOW);
    handle.handle_bytes = sizeof(found);
    handle.handle_type = kNamespaceHandleType;
    std::memcpy(handle.f_handle, &found, sizeof(found));
    return 0;
  }));
}

int Kernel::open_by_handle(const struct file_handle& handle) {
  NamespaceHandle wanted{};
  std::memcpy(&wanted, handle.f_handle, sizeof(wanted));
  const std::string subject = "the namespace " + std::to_string(wanted.id);
  return static_cast<int>(call(Call::open_by_handle, subject, [&](Short) {
    if (disk_.life_of({wanted.inode, wanted.id}) != store::Life::alive) refuse(ESTALE);
    return add({store::Fd(), subject});
  }));
}

}  // namespace proof
