/// What PosixFileSystem knows of namespaces and of the file systems that tell of them.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "allocator/store/disk/posix_file_system.hpp"

namespace allocator::store {
namespace {

constexpr std::uint32_t kProcMagic = 0x9fa0;
constexpr std::uint32_t kNsfsMagic = 0x6e736673;
/// PROC_USER_INIT_INO of the kernel.
constexpr std::uint64_t kInitialUserNamespace = 0xEFFFFFFD;

/// struct nsfs_file_handle of linux/nsfs.h (6.18), which Debian 12 has not got.
struct NamespaceHandle {
  std::uint64_t id;
  std::uint32_t kind;
  std::uint32_t inode;
};
constexpr int kNamespaceHandleType = 0xf1;      // FILEID_NSFS
constexpr int kNamespaceRoot = -10003;          // FD_NSFS_ROOT
constexpr std::uint32_t kNetwork = 0x40000000;  // CLONE_NEWNET

/// struct file_handle with room for those of other file systems.
struct Handle {
  std::uint32_t size;
  int type;
  std::array<unsigned char, MAX_HANDLE_SZ> bytes;
};

file_handle* as_argument(Handle& handle) {
  // The C type ends in an array without bounds: this is how its users make room.
  return reinterpret_cast<file_handle*>(&handle);  // NOLINT(*-reinterpret-cast)
}

std::optional<std::uint32_t> magic_of(const std::string& path) {
  struct statfs file_system {};
  if (::statfs(path.c_str(), &file_system) != 0) return std::nullopt;
  return static_cast<std::uint32_t>(file_system.f_type);
}

bool is_gone(int error) { return error == ENOENT || error == ENOTDIR || error == ESRCH; }

bool is_root_of_the_machine() {
  struct stat status {};
  if (::stat("/proc/self/ns/user", &status) != 0) return false;
  if (status.st_ino != kInitialUserNamespace) return false;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> capabilities{};
  if (::syscall(SYS_capget, &header, capabilities.data()) != 0) return false;
  return (capabilities[0].effective & (1U << CAP_SYS_ADMIN)) != 0;
}

}  // namespace

bool PosixFileSystem::is_on_proc(const std::string& path) { return magic_of(path) == kProcMagic; }

std::optional<FileSystemIdentity> PosixFileSystem::file_system_of(const std::string& path) {
  struct stat status {};
  struct statfs file_system {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  if (::statfs(path.c_str(), &file_system) != 0) return std::nullopt;
  std::uint64_t id = 0;
  static_assert(sizeof(file_system.f_fsid) == sizeof(id));
  std::memcpy(&id, &file_system.f_fsid, sizeof(id));
  return FileSystemIdentity{status.st_dev, id};
}

/// Its device is that of all namespaces: the kernel has one nsfs.
std::uint64_t PosixFileSystem::pid_namespace() {
  if (pid_namespace_) return *pid_namespace_;
  struct stat status {};
  if (::stat("/proc/self/ns/pid", &status) != 0) return 0;
  nsfs_device_ = status.st_dev;
  pid_namespace_ = status.st_ino;
  return status.st_ino;
}

std::optional<NamespaceIdentity> PosixFileSystem::network_namespace(const std::string& path) {
  if (path.empty()) return std::nullopt;
  if (has_handles_) {
    Handle handle{sizeof(handle.bytes), 0, {}};
    int mount = 0;
    const int answer =
        ::name_to_handle_at(AT_FDCWD, path.c_str(), as_argument(handle), &mount, AT_SYMLINK_FOLLOW);
    if (answer == 0 && handle.type == kNamespaceHandleType) {
      NamespaceHandle found{};
      std::memcpy(&found, handle.bytes.data(), sizeof(found));
      return NamespaceIdentity{found.inode, found.id};
    }
    if (answer != 0 && is_gone(errno)) return std::nullopt;
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (is_gone(errno)) return std::nullopt;  // ESRCH: a process that ended meanwhile
    throw std::system_error(errno, std::generic_category(), "stat " + path);
  }
  const bool is_namespace =
      nsfs_device_ ? status.st_dev == *nsfs_device_ : magic_of(path) == kNsfsMagic;
  if (!is_namespace) return std::nullopt;
  has_handles_ = false;
  return NamespaceIdentity{status.st_ino, 0};
}

Life PosixFileSystem::life_of(const NamespaceIdentity& network_namespace) {
  if (network_namespace.id == 0) return Life::unknown;
  const NamespaceHandle wanted{network_namespace.id, kNetwork,
                               static_cast<std::uint32_t>(network_namespace.inode)};
  Handle handle{sizeof(wanted), kNamespaceHandleType, {}};
  std::memcpy(handle.bytes.data(), &wanted, sizeof(wanted));
  const Fd found(::open_by_handle_at(kNamespaceRoot, as_argument(handle), O_RDONLY | O_CLOEXEC));
  if (found.is_open()) return Life::alive;
  if (errno != ESTALE) return Life::unknown;
  // The kernel says the same of what it does not show.
  const bool sees_all = pid_namespace() == kInitialPidNamespace && is_root_of_the_machine();
  return sees_all ? Life::gone : Life::unknown;
}

}  // namespace allocator::store
