#pragma once
/// The real file system behind the seam, with a hook before and after each call: for failing calls,
/// for crashes, and for whatever others do between two calls. Paths can be redirected, features
/// taken away, and fsync is only recorded: what survives a power cut is another test's business.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <functional>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "allocator/store/disk/posix_file_system.hpp"

namespace test {

namespace store = allocator::store;

/// One call through the seam: the method and what it is about.
struct Call {
  std::string method;
  std::string subject;
};

class HookedFileSystem final : public store::FileSystem {
 public:
  std::function<void(const Call&)> before = [](const Call&) {};
  std::function<void(const Call&)> after = [](const Call&) {};
  /// O_TMPFILE, extended attributes
  bool has_unnamed_files = true;
  bool has_attributes = true;
  /// As on xfs, where the next file gets the number of the one that was removed: every regular file
  /// says that it has the same one.
  bool inodes_come_again = false;
  bool has_birth_times = true;
  /// What is said to be wrong with the file system of any folder.
  std::optional<store::UnfitDisk> unfit;
  /// How exactly the file system keeps times.
  std::int64_t time_step_ns = 1;
  /// The clock is set, by so many nanoseconds from what it really is: what changes from now on says
  /// another time than it has.
  void set_clock(std::int64_t offset_ns) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (clock_steps_.size() == 8) clock_steps_.erase(clock_steps_.begin());  // else slow
    clock_steps_.emplace_back(now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec, offset_ns);
  }
  /// False: as if a container's boot_id lay over it.
  bool has_kernels_boot_id = true;
  /// True: as the kernel of this machine has them; false: as before Linux 6.18.
  bool has_namespace_ids = false;
  std::uint64_t shown_pid_namespace = store::kInitialPidNamespace;
  /// Path prefix -> what stands for it.
  std::vector<std::pair<std::string, std::string>> redirections;

  std::vector<std::string> synced;  ///< the paths that the caller names, in order
  int syncs_under_lock = 0;
  int repeated_failed_syncs = 0;  ///< an inode fsynced again after its fsync had failed
  int locks_held = 0;

  /// A new command: what failed before is another process' story.
  void start_command() {
    failed_syncs_.clear();
    synced.clear();
    repeated_failed_syncs = 0;
    syncs_under_lock = 0;
    locks_held = 0;
  }

  std::optional<store::Directory> open_directory(const std::string& path) override {
    return hooked({"open_directory", path}, [&] { return real_.open_directory(redirected(path)); });
  }
  store::Outcome make_directory(const std::string& path, unsigned mode) override {
    return hooked({"make_directory", path},
                  [&] { return real_.make_directory(redirected(path), mode); });
  }
  void visit(const store::Directory& directory,
             const std::function<void(const store::DirectoryEntry&)>& visit) override {
    hooked({"list", directory.path}, [&] { real_.visit(directory, visit); });
  }
  std::optional<store::FileIdentity> identify(const store::Directory& directory,
                                              const std::string& name) override {
    return hooked({"identify", name}, [&] {
      auto identity = real_.identify(directory, name);
      if (identity) *identity = as_numbered(*identity);
      return identity;
    });
  }
  store::FileIdentity identify(const store::Fd& fd) override {
    return hooked({"identify", "descriptor"}, [&] { return as_numbered(real_.identify(fd)); });
  }
  std::optional<store::FileContent> read_file(const store::Directory& directory,
                                              const std::string& name, std::size_t limit) override {
    return hooked({"read_file", name}, [&] {
      auto content = real_.read_file(directory, name, limit);
      if (content) content->identity = as_numbered(content->identity);
      return content;
    });
  }
  std::optional<std::string> read_regular_entry(const store::Directory& directory,
                                                const std::string& name,
                                                std::size_t limit) override {
    return hooked({"read_file", name},
                  [&] { return real_.read_regular_entry(directory, name, limit); });
  }
  std::string read_path(const std::string& path, std::size_t limit) override {
    return hooked({"read_path", path}, [&] { return real_.read_path(redirected(path), limit); });
  }
  std::string read_regular(const std::string& path, std::size_t limit) override {
    return hooked({"read_regular", path},
                  [&] { return real_.read_regular(redirected(path), limit); });
  }
  NewFile create_file(const store::Directory& directory, const std::string& fallback_name,
                      unsigned mode) override {
    return hooked({"create_file", directory.path}, [&] {
      return has_unnamed_files ? real_.create_file(directory, fallback_name, mode)
                               : create_named(directory, fallback_name, mode);
    });
  }
  void write_all(const store::Fd& fd, std::string_view bytes, const std::string& path) override {
    hooked({"write_all", path}, [&] { real_.write_all(fd, bytes, path); });
  }
  std::optional<store::Fd> open_file(const store::Directory& directory,
                                     const std::string& name) override {
    return hooked({"open_file", name}, [&] { return real_.open_file(directory, name); });
  }
  store::Supported set_attribute(const store::Fd& fd, const std::string& name,
                                 std::string_view value,
                                 const std::string& path_for_errors) override {
    return hooked({"set_attribute", name}, [&] {
      return has_attributes ? real_.set_attribute(fd, name, value, path_for_errors)
                            : store::Supported::no;
    });
  }
  std::optional<std::string> get_attribute(const store::Fd& fd, const std::string& name) override {
    return hooked({"get_attribute", name},
                  [&] { return has_attributes ? real_.get_attribute(fd, name) : std::nullopt; });
  }
  store::Outcome link_file(const store::Fd& fd, const store::Directory& directory,
                           const std::string& name) override {
    return hooked({"link_file", name}, [&] { return real_.link_file(fd, directory, name); });
  }
  store::Outcome unlink(const store::Directory& directory, const std::string& name) override {
    return hooked({"unlink", name}, [&] { return real_.unlink(directory, name); });
  }
  std::optional<std::string> read_link(const store::Directory& directory,
                                       const std::string& name) override {
    return hooked({"read_link", name}, [&] { return real_.read_link(directory, name); });
  }
  store::Outcome make_link(const std::string& target, const store::Directory& directory,
                           const std::string& name) override {
    return hooked({"make_link", name}, [&] { return real_.make_link(target, directory, name); });
  }
  void rename(const store::Directory& directory, const std::string& from,
              const std::string& to) override {
    hooked({"rename", to}, [&] { real_.rename(directory, from, to); });
  }
  void write_in_place(const store::Directory& directory, const std::string& name,
                      std::string_view bytes, unsigned mode) override {
    hooked({"write_in_place", name}, [&] { real_.write_in_place(directory, name, bytes, mode); });
  }
  std::optional<store::OpenText> open_text(const store::Directory& directory,
                                           const std::string& name, std::size_t limit) override {
    return hooked({"open_text", name}, [&] { return real_.open_text(directory, name, limit); });
  }
  void overwrite(store::OpenText& text, std::string_view bytes, const std::string& path) override {
    hooked({"overwrite", path}, [&] { real_.overwrite(text, bytes, path); });
  }
  void set_modified(const store::Fd& fd, std::int64_t modified_ns,
                    const std::string& path) override {
    hooked({"set_modified", path}, [&] { real_.set_modified(fd, modified_ns, path); });
  }
  std::optional<store::Mapping> map_file(const store::Directory& directory, const std::string& name,
                                         std::size_t limit) override {
    return hooked({"map_file", name}, [&] { return real_.map_file(directory, name, limit); });
  }
  store::Mapping map_new_file(const store::Directory& directory, const std::string& name,
                              std::size_t size, unsigned mode) override {
    return hooked({"map_new_file", name},
                  [&] { return real_.map_new_file(directory, name, size, mode); });
  }
  std::optional<bool> is_writable(const std::string& path) override {
    return hooked({"is_writable", path}, [&] { return real_.is_writable(redirected(path)); });
  }
  void sync(const store::Fd& fd, const std::string& path) override {
    const auto identity = real_.identify(fd);
    const std::pair inode(identity.device, identity.inode);
    repeated_failed_syncs += static_cast<int>(failed_syncs_.count(inode));
    if (locks_held > 0) ++syncs_under_lock;
    try {
      hooked({"sync", path}, [&] { synced.push_back(path); });
    } catch (const std::system_error&) {
      failed_syncs_.insert(inode);
      throw;
    }
  }
  std::optional<store::Fd> open_lock(const store::Directory& directory, const std::string& name,
                                     std::optional<unsigned> mode) override {
    return hooked({"open_lock", name}, [&] { return real_.open_lock(directory, name, mode); });
  }
  store::LockResult lock(const store::Fd& fd, std::chrono::milliseconds patience) override {
    if (is_folder(fd)) return hooked({"lock_folder", ""}, [&] { return real_.lock(fd, patience); });
    const auto result = hooked({"lock", "lock"}, [&] { return real_.lock(fd, patience); });
    if (result == store::LockResult::locked) ++locks_held;
    return result;
  }
  void unlock(const store::Fd& fd) override {
    hooked({"unlock_folder", ""}, [&] { real_.unlock(fd); });
  }
  void close_lock(store::Fd fd) override {
    --locks_held;
    hooked({"unlock", "lock"}, [&] { real_.close_lock(std::move(fd)); });
  }
  std::uint64_t pid_namespace() override {
    return hooked({"pid_namespace", ""}, [&] { return shown_pid_namespace; });
  }
  std::optional<store::UnfitDisk> unfit_disk(const store::Fd& fd) override {
    return hooked({"unfit_disk", ""}, [&] { return unfit ? unfit : real_.unfit_disk(fd); });
  }
  bool is_on_proc(const std::string& path) override {
    return hooked({"is_on_proc", path}, [&] { return has_kernels_boot_id; });
  }
  std::optional<store::FileSystemIdentity> file_system_of(const std::string& path) override {
    return hooked({"file_system_of", path}, [&] { return real_.file_system_of(path); });
  }
  std::optional<store::NamespaceIdentity> network_namespace(const std::string& path) override {
    return hooked({"network_namespace", path}, [&] {
      auto found = real_.network_namespace(redirected(path));
      if (found && !has_namespace_ids) found->id = 0;
      return found;
    });
  }
  store::Life life_of(const store::NamespaceIdentity& netns) override {
    return hooked({"life_of", std::to_string(netns.inode)},
                  [&] { return has_namespace_ids ? real_.life_of(netns) : store::Life::unknown; });
  }
  /// A test is many commands.
  void leave_open(unsigned) override {}

 private:
  /// A run folder, whose mark is changed: no network's lock.
  bool is_folder(const store::Fd& fd) {
    return real_.identify(fd).kind == store::FileKind::directory;
  }
  template <typename Action>
  auto hooked(const Call& call, Action action) -> decltype(action()) {
    before(call);
    if constexpr (std::is_void_v<decltype(action())>) {
      action();
      after(call);
    } else {
      auto result = action();
      after(call);
      return result;
    }
  }

  [[nodiscard]] store::FileIdentity as_numbered(store::FileIdentity identity) const {
    if (!has_birth_times) identity.born_ns = identity.modified_ns;
    identity.modified_ns = by_the_clock(identity.modified_ns);
    identity.changed_ns = by_the_clock(identity.changed_ns);
    identity.modified_ns -= identity.modified_ns % time_step_ns;
    identity.changed_ns -= identity.changed_ns % time_step_ns;
    if (inodes_come_again && identity.kind == store::FileKind::regular) identity.inode = 7;
    return identity;
  }

  [[nodiscard]] std::int64_t by_the_clock(std::int64_t real_ns) const {
    const auto later = std::find_if(clock_steps_.begin(), clock_steps_.end(),
                                    [&](const auto& step) { return step.first > real_ns; });
    return later == clock_steps_.begin() ? real_ns : real_ns + std::prev(later)->second;
  }

  [[nodiscard]] std::string redirected(const std::string& path) const {
    for (const auto& [from, to] : redirections) {
      if (path == from || path.starts_with(from + "/")) return to + path.substr(from.size());
    }
    return path;
  }

  NewFile create_named(const store::Directory& directory, const std::string& name, unsigned mode) {
    static_cast<void>(real_.unlink(directory, name));
    const int fd = ::openat(directory.fd.number(), name.c_str(),
                            O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, static_cast<mode_t>(mode));
    if (fd == -1) throw std::system_error(errno, std::generic_category(), "create " + name);
    return {store::Fd(fd), false};
  }

  store::PosixFileSystem real_;
  std::vector<std::pair<std::int64_t, std::int64_t>> clock_steps_;  ///< since when, by how much
  std::set<std::pair<std::uint64_t, std::uint64_t>> failed_syncs_;
};

}  // namespace test
