#pragma once
/// Processes that take turns: each is a thread, one of them runs, and which one goes on is decided
/// before each of its calls. The same plan gives the same run.
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "allocator/store/disk/file_system.hpp"

namespace proof {

namespace store = allocator::store;

/// Who begins, and at which calls (counted over all processes) another one goes on. Between those
/// whoever runs goes on until it ends or waits for a lock.
struct Plan {
  struct Switch {
    std::size_t at;
    unsigned to;
  };
  unsigned first = 0;
  std::vector<Switch> switches = {};
};

class Turns {
 public:
  explicit Turns(Plan plan) : plan_(std::move(plan)) {}

  /// Runs all to their ends. False: they waited for each other, and were ended.
  bool run(const std::vector<std::function<void()>>& processes);
  /// Before a call of the process that runs: perhaps another goes on first.
  void pass(unsigned me);
  void lock(unsigned me, std::uint64_t inode);
  void unlock(unsigned me, std::uint64_t inode);

  /// So many calls were made.
  [[nodiscard]] std::size_t calls() const { return calls_; }
  /// Nobody holds a lock.
  [[nodiscard]] bool are_locks_free() const { return holders_.empty(); }

 private:
  struct Process {
    std::condition_variable turn;
    bool has_ended = false;
    std::uint64_t awaited = 0;  ///< the lock that it waits for
  };
  /// What a process that waits for ever is ended by.
  struct Stuck {};

  using Guard = std::unique_lock<std::mutex>;
  [[nodiscard]] bool can_run(unsigned one) const;
  void hand_over(unsigned to);
  void hand_to_anybody(unsigned me);
  void wait(Guard& guard, unsigned me);

  Plan plan_;
  std::mutex mutex_;
  std::vector<Process> processes_;
  std::map<std::uint64_t, unsigned> holders_;  ///< by inode
  unsigned runs_ = 0;
  std::size_t calls_ = 0;
  std::size_t next_switch_ = 0;
  bool is_stuck_ = false;
};

/// The file system as one of the processes has it: a turn before each call, and locks.
class TurnDisk final : public store::FileSystem {
 public:
  TurnDisk(store::FileSystem& below, Turns& turns, unsigned me)
      : below_(below), turns_(turns), me_(me) {}

  std::optional<store::Directory> open_directory(const std::string& path) override {
    return turn().open_directory(path);
  }
  store::Outcome make_directory(const std::string& path, unsigned mode) override {
    return turn().make_directory(path, mode);
  }
  void visit(const store::Directory& directory,
             const std::function<void(const store::DirectoryEntry&)>& visit) override {
    // What is read at once is visited afterwards: others come in between.
    std::vector<std::pair<std::string, bool>> entries;
    turn().visit(directory, [&](const store::DirectoryEntry& entry) {
      entries.emplace_back(entry.name, entry.is_regular);
    });
    for (const auto& [name, is_regular] : entries) visit({name, is_regular});
  }
  std::optional<store::FileIdentity> identify(const store::Directory& directory,
                                              const std::string& name) override {
    return turn().identify(directory, name);
  }
  store::FileIdentity identify(const store::Fd& fd) override { return turn().identify(fd); }
  std::optional<store::FileContent> read_file(const store::Directory& directory,
                                              const std::string& name, std::size_t limit) override {
    return turn().read_file(directory, name, limit);
  }
  std::optional<std::string> read_regular_entry(const store::Directory& directory,
                                                const std::string& name,
                                                std::size_t limit) override {
    return turn().read_regular_entry(directory, name, limit);
  }
  std::string read_path(const std::string& path, std::size_t limit) override {
    return below_.read_path(path, limit);  // the kernel's own: nobody changes it
  }
  std::string read_regular(const std::string& path, std::size_t limit) override {
    return turn().read_regular(path, limit);
  }
  NewFile create_file(const store::Directory& directory, const std::string& fallback_name,
                      unsigned mode) override {
    return turn().create_file(directory, fallback_name, mode);
  }
  void write_all(const store::Fd& fd, std::string_view bytes, const std::string& path) override {
    turn().write_all(fd, bytes, path);
  }
  std::optional<store::Fd> open_file(const store::Directory& directory,
                                     const std::string& name) override {
    return turn().open_file(directory, name);
  }
  store::Supported set_attribute(const store::Fd& fd, const std::string& name,
                                 std::string_view value, const std::string& path) override {
    return turn().set_attribute(fd, name, value, path);
  }
  std::optional<std::string> get_attribute(const store::Fd& fd, const std::string& name) override {
    return turn().get_attribute(fd, name);
  }
  store::Outcome link_file(const store::Fd& fd, const store::Directory& directory,
                           const std::string& name) override {
    return turn().link_file(fd, directory, name);
  }
  store::Outcome unlink(const store::Directory& directory, const std::string& name) override {
    return turn().unlink(directory, name);
  }
  std::optional<std::string> read_link(const store::Directory& directory,
                                       const std::string& name) override {
    return turn().read_link(directory, name);
  }
  store::Outcome make_link(const std::string& target, const store::Directory& directory,
                           const std::string& name) override {
    return turn().make_link(target, directory, name);
  }
  void rename(const store::Directory& directory, const std::string& from,
              const std::string& to) override {
    turn().rename(directory, from, to);
  }
  void write_in_place(const store::Directory& directory, const std::string& name,
                      std::string_view bytes, unsigned mode) override {
    turn().write_in_place(directory, name, bytes, mode);
  }
  std::optional<store::OpenText> open_text(const store::Directory& directory,
                                           const std::string& name, std::size_t limit) override {
    return turn().open_text(directory, name, limit);
  }
  void overwrite(store::OpenText& text, std::string_view bytes, const std::string& path) override {
    turn().overwrite(text, bytes, path);
  }
  void set_modified(const store::Fd& fd, std::int64_t modified_ns,
                    const std::string& path) override {
    turn().set_modified(fd, modified_ns, path);
  }
  std::optional<store::Mapping> map_file(const store::Directory& directory, const std::string& name,
                                         std::size_t limit) override {
    return turn().map_file(directory, name, limit);
  }
  store::Mapping map_new_file(const store::Directory& directory, const std::string& name,
                              std::size_t size, unsigned mode) override {
    return turn().map_new_file(directory, name, size, mode);
  }
  std::optional<bool> is_writable(const std::string& path) override {
    return turn().is_writable(path);
  }
  void sync(const store::Fd& fd, const std::string& path) override { turn().sync(fd, path); }
  std::optional<store::Fd> open_lock(const store::Directory& directory, const std::string& name,
                                     std::optional<unsigned> mode) override {
    return turn().open_lock(directory, name, mode);
  }
  store::LockResult lock(const store::Fd& fd, std::chrono::milliseconds) override {
    turns_.lock(me_, below_.identify(fd).inode);
    return store::LockResult::locked;
  }
  void unlock(const store::Fd& fd) override { turns_.unlock(me_, below_.identify(fd).inode); }
  void close_lock(store::Fd fd) override { unlock(fd); }
  std::optional<store::UnfitDisk> unfit_disk(const store::Fd& fd) override {
    return below_.unfit_disk(fd);
  }
  bool is_on_proc(const std::string& path) override { return below_.is_on_proc(path); }
  std::optional<store::FileSystemIdentity> file_system_of(const std::string& path) override {
    return below_.file_system_of(path);
  }
  std::uint64_t pid_namespace() override { return below_.pid_namespace(); }
  std::optional<store::NamespaceIdentity> network_namespace(const std::string& path) override {
    return turn().network_namespace(path);
  }
  store::Life life_of(const store::NamespaceIdentity& network_namespace) override {
    return turn().life_of(network_namespace);
  }
  void leave_open(unsigned count) override { below_.leave_open(count); }

 private:
  store::FileSystem& turn() {
    turns_.pass(me_);
    return below_;
  }

  store::FileSystem& below_;
  Turns& turns_;
  unsigned me_;
};

}  // namespace proof
