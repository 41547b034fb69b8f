#include "test/proof/seen_disk.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "allocator/store/disk/folders.hpp"
#include "allocator/store/state/call_start.hpp"

namespace proof {
namespace {

constexpr std::string_view kBootIdPath = "/proc/sys/kernel/random/boot_id";
constexpr std::string_view kProc = "/proc";
constexpr std::uint64_t kNodeContainers = 4'026'532'900;  // PID namespaces of a node's starts
constexpr std::uint64_t kContainer = 4'026'532'800;       // that of a caller in a container
/// Where namespaces have their paths, a tmpfs.
constexpr std::string_view kNamespaceFolder = "/var/run/netns";
constexpr store::FileSystemIdentity kNamespaceFolderIdentity{3, 3};
/// In which no pod is.
constexpr store::NamespaceIdentity kNodesNamespace{4'026'531'840, 1'000'000'000};
/// The process in the n-th namespace without a path: its main thread is in the node's namespace,
/// another one in the sandbox, as with Kata's VMM.
constexpr std::size_t kFirstProcess = 1'000;
constexpr std::size_t kFirstThread = 5'000;

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

bool is_in_proc(const std::string& path) {
  return path.starts_with(kProc) && (path.size() == kProc.size() || path[kProc.size()] == '/');
}

/// As /proc/PID/stat has it: the 22nd field is the start, in ticks.
std::string stat_of(const char* process, std::uint64_t ticks) {
  std::string text = std::string(process) + " (init) S";
  for (int field = 4; field < 22; ++field) text += " 0";
  return text + " " + std::to_string(ticks);
}

std::uint64_t ticks_now() {
  const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return store::boottime_now() / (1'000'000'000 / per_second);
}

}  // namespace

/// What is mounted below it can be changed, the folder itself cannot.
bool SeenDisk::is_closed(const std::string& path) const {
  return around_.is_root_immutable &&
         (path == "/" || path == "/var" || path == "/var/lib" || path == "/var/lib/cni");
}

store::LockResult SeenDisk::lock(const store::Fd& fd, std::chrono::milliseconds patience) {
  ++locks_;
  return MemoryDisk::lock(fd, patience);
}

void SeenDisk::unlock(const store::Fd&) { --locks_; }

void SeenDisk::close_lock(store::Fd) { --locks_; }

std::optional<store::Directory> SeenDisk::open_directory(const std::string& path) {
  if (path == kNamespaceFolder) return store::Directory{store::Fd(), path};
  if (!is_in_proc(path)) return MemoryDisk::open_directory(path);
  if (!has_proc() || (path != kProc && names_in_proc(path).empty())) return std::nullopt;
  return store::Directory{store::Fd(), path};  // no call but visit() is made on it
}

store::Outcome SeenDisk::make_directory(const std::string& path, unsigned mode) {
  const auto parent = store::parent_of(path);
  if (is_closed(parent) && !MemoryDisk::open_directory(path)) fail(EROFS, "mkdir " + path);
  return MemoryDisk::make_directory(path, mode);
}

void SeenDisk::visit(const store::Directory& directory,
                     const std::function<void(const store::DirectoryEntry&)>& visit) {
  if (directory.path == kNamespaceFolder) {
    const auto paths = machine_.namespaces;
    for (const auto& entry : paths) visit({entry.first.substr(kNamespaceFolder.size() + 1), false});
    return;
  }
  if (!is_in_proc(directory.path)) return MemoryDisk::visit(directory, visit);
  for (const auto& name : names_in_proc(directory.path)) visit({name, false});
}

/// A container sees its own processes only.
std::vector<std::string> SeenDisk::names_in_proc(const std::string& path) const {
  const bool sees_all = around_.from == Standpoint::node;
  if (path == "/proc/1/task") return {"1"};
  if (path == kProc) {
    std::vector<std::string> names = {"1"};
    for (std::size_t i = 0; sees_all && i < machine_.inhabited.size(); ++i)
      names.push_back(std::to_string(kFirstProcess + i));
    return names;
  }
  for (std::size_t i = 0; sees_all && i < machine_.inhabited.size(); ++i) {
    const std::string process = std::to_string(kFirstProcess + i);
    if (path == "/proc/" + process + "/task") return {process, std::to_string(kFirstThread + i)};
  }
  return {};
}

std::optional<store::NamespaceIdentity> SeenDisk::namespace_of_thread(
    const std::string& path) const {
  if (!has_proc()) return std::nullopt;
  for (std::size_t i = 0; i < machine_.inhabited.size(); ++i) {
    const std::string thread = "/task/" + std::to_string(kFirstThread + i) + "/ns/net";
    if (path.ends_with(thread)) return machine_.inhabited[i];
  }
  return kNodesNamespace;
}

std::string SeenDisk::read_path(const std::string& path, std::size_t limit) {
  if (!has_proc()) fail(ENOENT, "open " + path);
  if (path == "/proc/1/stat") return stat_of("1", 100 * around_.node_starts);
  if (path == "/proc/self/stat") return stat_of("77", ticks_now());
  std::string text = MemoryDisk::read_path(path, limit);
  if (path == kBootIdPath && around_.from == Standpoint::other_boot) text.front() = 'b';
  return text;
}

store::Supported SeenDisk::set_attribute(const store::Fd& fd, const std::string& name,
                                         std::string_view value, const std::string& path) {
  if (around_.attributes == Attributes::kept)
    return MemoryDisk::set_attribute(fd, name, value, path);
  if (around_.attributes == Attributes::no_room) fail(ENOSPC, "fsetxattr " + path);
  return store::Supported::no;
}

std::optional<std::string> SeenDisk::get_attribute(const store::Fd& fd, const std::string& name) {
  if (around_.attributes != Attributes::kept) return std::nullopt;
  return MemoryDisk::get_attribute(fd, name);
}

/// squashfs has no fsync for folders.
void SeenDisk::sync(const store::Fd& fd, const std::string& path) {
  if (is_closed(path)) fail(EINVAL, "fsync " + path);
  MemoryDisk::sync(fd, path);
}

bool SeenDisk::is_on_proc(const std::string& path) {
  if (!has_proc()) return false;
  return path != kBootIdPath || around_.from != Standpoint::other_boot;
}

/// A tmpfs of the node's own start.
std::optional<store::FileSystemIdentity> SeenDisk::file_system_of(const std::string&) {
  store::FileSystemIdentity identity = kNamespaceFolderIdentity;
  if (around_.is_node_container) identity.id += around_.node_starts;
  return identity;
}

std::uint64_t SeenDisk::pid_namespace() {
  if (!has_proc()) return 0;
  if (around_.from != Standpoint::node) return kContainer;
  if (around_.is_node_container) return kNodeContainers + around_.node_pid_namespace;
  return store::kInitialPidNamespace;
}

std::optional<store::NamespaceIdentity> SeenDisk::network_namespace(const std::string& path) {
  auto found = is_in_proc(path) ? namespace_of_thread(path) : MemoryDisk::network_namespace(path);
  if (found && around_.is_old_kernel) found->id = 0;
  return found;
}

/// That it is gone is said only to who would be shown it.
store::Life SeenDisk::life_of(const store::NamespaceIdentity& network_namespace) {
  if (around_.is_old_kernel) return store::Life::unknown;
  const store::Life life = MemoryDisk::life_of(network_namespace);
  const bool sees_all = pid_namespace() == store::kInitialPidNamespace;
  return life == store::Life::alive || sees_all ? life : store::Life::unknown;
}

}  // namespace proof
