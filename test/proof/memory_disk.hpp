#pragma once
/// The seam to the file system over a Machine in memory: one object is one process.
///
/// Not here, as it is about other things than the disk: waiting for locks (TurnDisk has it),
/// /proc (nobody's start is told, so no ADD is a late one), mapped files (the index in /run; below
/// 16 reservations the store makes none).
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "test/proof/machine.hpp"

namespace proof {

class MemoryDisk : public store::FileSystem {
 public:
  /// What has just happened: a cut may come behind each of these.
  enum class Step : std::uint8_t { change, sync, change_of_run };
  /// Who looks at a process, and may stand between it and the disk.
  struct Observer {
    Observer() {}  // not "= default": the class around it is not complete here
    template <std::invocable<Step> Seen>
    requires(!std::same_as<Seen, Observer>) Observer(Seen seen_steps)
        : seen(std::move(seen_steps)) {}  // NOLINT(*-explicit-*): a lambda is one

    std::function<void(Step)> seen;
    /// What a command of the store is given instead of the disk; none: the disk.
    std::function<std::shared_ptr<store::FileSystem>(MemoryDisk&)> seam;
    /// False: other processes have files open meanwhile, also without a name.
    bool is_alone = true;
    /// A command of the store threw.
    std::function<void(const std::exception_ptr&)> failed;

    void operator()(Step step) const {
      if (seen) seen(step);
    }
  };

  explicit MemoryDisk(Machine& machine, Observer observer = {})
      : machine_(machine), observer_(std::move(observer)) {}
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;
  /// The process ends, and so do files without a name.
  ~MemoryDisk() override;

  std::optional<store::Directory> open_directory(const std::string& path) override;
  store::Outcome make_directory(const std::string& path, unsigned mode) override;
  void visit(const store::Directory& directory,
             const std::function<void(const store::DirectoryEntry&)>& visit) override;
  std::optional<store::FileIdentity> identify(const store::Directory& directory,
                                              const std::string& name) override;
  store::FileIdentity identify(const store::Fd& fd) override;
  std::optional<store::FileContent> read_file(const store::Directory& directory,
                                              const std::string& name, std::size_t limit) override;
  std::optional<std::string> read_regular_entry(const store::Directory& directory,
                                                const std::string& name,
                                                std::size_t limit) override;
  std::string read_path(const std::string& path, std::size_t limit) override;
  std::string read_regular(const std::string& path, std::size_t limit) override;
  NewFile create_file(const store::Directory& directory, const std::string& fallback_name,
                      unsigned mode) override;
  void write_all(const store::Fd& fd, std::string_view bytes, const std::string& path) override;
  std::optional<store::Fd> open_file(const store::Directory& directory,
                                     const std::string& name) override;
  store::Supported set_attribute(const store::Fd& fd, const std::string& name,
                                 std::string_view value, const std::string& path) override;
  std::optional<std::string> get_attribute(const store::Fd& fd, const std::string& name) override;
  store::Outcome link_file(const store::Fd& fd, const store::Directory& directory,
                           const std::string& name) override;
  store::Outcome unlink(const store::Directory& directory, const std::string& name) override;
  std::optional<std::string> read_link(const store::Directory& directory,
                                       const std::string& name) override;
  store::Outcome make_link(const std::string& target, const store::Directory& directory,
                           const std::string& name) override;
  void rename(const store::Directory& directory, const std::string& from,
              const std::string& to) override;
  void write_in_place(const store::Directory& directory, const std::string& name,
                      std::string_view bytes, unsigned mode) override;
  std::optional<store::OpenText> open_text(const store::Directory& directory,
                                           const std::string& name, std::size_t limit) override;
  void overwrite(store::OpenText& text, std::string_view bytes, const std::string& path) override;
  void set_modified(const store::Fd& fd, std::int64_t modified_ns,
                    const std::string& path) override;
  std::optional<store::Mapping> map_file(const store::Directory& directory, const std::string& name,
                                         std::size_t limit) override;
  store::Mapping map_new_file(const store::Directory& directory, const std::string& name,
                              std::size_t size, unsigned mode) override;
  std::optional<bool> is_writable(const std::string& path) override;
  void sync(const store::Fd& fd, const std::string& path) override;
  std::optional<store::Fd> open_lock(const store::Directory& directory, const std::string& name,
                                     std::optional<unsigned> mode) override;
  store::LockResult lock(const store::Fd&, std::chrono::milliseconds) override {
    return store::LockResult::locked;
  }
  void unlock(const store::Fd&) override {}
  void close_lock(store::Fd) override {}
  std::optional<store::UnfitDisk> unfit_disk(const store::Fd&) override { return std::nullopt; }
  bool is_on_proc(const std::string&) override { return true; }
  std::optional<store::FileSystemIdentity> file_system_of(const std::string&) override {
    return store::FileSystemIdentity{3, 3};
  }
  std::uint64_t pid_namespace() override { return store::kInitialPidNamespace; }
  std::optional<store::NamespaceIdentity> network_namespace(const std::string& path) override;
  store::Life life_of(const store::NamespaceIdentity& network_namespace) override;
  void leave_open(unsigned) override {}

  /// What read(2) finds behind a descriptor, and what pwrite(2) and ftruncate(2) make of it.
  [[nodiscard]] const std::string& bytes_of(const store::Fd& fd) { return at(id_of(fd)).bytes; }
  void put_bytes(const store::Fd& fd, std::string_view bytes) { put_bytes(id_of(fd), bytes); }

  /// What other programs do: open(O_CREAT|O_EXCL). nullopt when the name is there.
  std::optional<store::Fd> create_named(const store::Directory& directory, const std::string& name);
  /// The same without O_EXCL, and with O_TRUNC.
  void truncate_and_write(const store::Directory& directory, const std::string& name,
                          const std::string& bytes);

 private:
  /// A name in a folder that is there.
  struct Place {
    Id folder = 0;
    std::string name;
    Id inode = 0;  ///< 0: nothing of that name
  };

  [[nodiscard]] Tree& tree_of(Id id);
  [[nodiscard]] const Inode& at(Id id);
  [[nodiscard]] Id id_of(const store::Fd& fd) const;
  [[nodiscard]] store::Fd open(Id id);
  [[nodiscard]] Id lookup(const std::string& path);
  [[nodiscard]] Place place_of(const store::Directory& directory, const std::string& name);
  [[nodiscard]] Id regular_at(const store::Directory& directory, const std::string& name);
  [[nodiscard]] store::FileIdentity identity_of(Id id);
  [[nodiscard]] Id make_inode(Id beside, store::FileKind kind, const std::string& target);
  void change(const Change& change);
  void put_entry(const Place& place, Id target);
  void put_bytes(Id id, std::string_view bytes);
  void free_if_gone(Id id);
  void note_address_file(const Change& change);
  void refuse_read_only(Id id) const;

  Machine& machine_;
  Observer observer_;
  std::vector<Id> opened_;
  std::set<Id> held_;  ///< by a descriptor
};

}  // namespace proof
