#pragma once
/// The disk in memory, with the kernel around it, as a process sees them that does not see all there
/// is: from within a container, without /proc, on an older kernel, over a disk that cannot do all.
#include <string>

#include "test/proof/memory_disk.hpp"

namespace proof {

/// From where commands look at boots and processes.
enum class Standpoint : std::uint8_t {
  node,
  container,   ///< in a PID namespace of its own; /run and the folders are the node's
  other_boot,  ///< the same, and another boot_id lies over the kernel's (systemd-nspawn, lxcfs)
  no_proc,     ///< nothing is mounted on /proc
};

/// What becomes of extended attributes.
enum class Attributes : std::uint8_t { kept, unknown, no_room };

struct Surroundings {
  Standpoint from = Standpoint::node;
  Attributes attributes = Attributes::kept;
  bool is_old_kernel = false;  ///< before Linux 6.18: namespaces have numbers that come again
  /// The root is a squashfs; the data lies below it, on what is mounted on our folders.
  bool is_root_immutable = false;
  /// The node itself is a container (kind, LXC): since its start it has its own PID namespace.
  bool is_node_container = false;
  std::uint64_t node_pid_namespace = 0;
  std::uint64_t node_starts = 1;
};

class SeenDisk final : public MemoryDisk {
 public:
  SeenDisk(Machine& machine, const Surroundings& around, Observer observer = {})
      : MemoryDisk(machine, std::move(observer)), machine_(machine), around_(around) {}

  /// The network's lock, or that of a folder in /run.
  [[nodiscard]] bool holds_lock() const { return locks_ != 0; }

  store::LockResult lock(const store::Fd& fd, std::chrono::milliseconds patience) override;
  void unlock(const store::Fd& fd) override;
  void close_lock(store::Fd fd) override;
  std::optional<store::Directory> open_directory(const std::string& path) override;
  store::Outcome make_directory(const std::string& path, unsigned mode) override;
  void visit(const store::Directory& directory,
             const std::function<void(const store::DirectoryEntry&)>& visit) override;
  std::string read_path(const std::string& path, std::size_t limit) override;
  store::Supported set_attribute(const store::Fd& fd, const std::string& name,
                                 std::string_view value, const std::string& path) override;
  std::optional<std::string> get_attribute(const store::Fd& fd, const std::string& name) override;
  void sync(const store::Fd& fd, const std::string& path) override;
  bool is_on_proc(const std::string& path) override;
  std::optional<store::FileSystemIdentity> file_system_of(const std::string& path) override;
  std::uint64_t pid_namespace() override;
  std::optional<store::NamespaceIdentity> network_namespace(const std::string& path) override;
  store::Life life_of(const store::NamespaceIdentity& network_namespace) override;

 private:
  [[nodiscard]] bool has_proc() const { return around_.from != Standpoint::no_proc; }
  [[nodiscard]] bool is_closed(const std::string& path) const;
  [[nodiscard]] std::vector<std::string> names_in_proc(const std::string& path) const;
  [[nodiscard]] std::optional<store::NamespaceIdentity> namespace_of_thread(
      const std::string& path) const;

  Machine& machine_;
  const Surroundings& around_;
  unsigned locks_ = 0;
};

}  // namespace proof
