#pragma once
/// A file system that can only be read, of this machine or of a copy of another one's folders.
///
/// Whatever would change something throws EROFS, whoever calls: what looks at a node must leave no
/// trace on it, and must work where the disk takes none. Below a root folder every path, and every
/// symbolic link on its way, is looked up as if that folder were "/"; there is neither a process
/// nor a namespace of that machine's to be seen then.
#include <string>

#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

class ReadingFileSystem final : public FileSystem {
 public:
  /// `under`: what is read; must outlive the object. `root`: a folder; empty: the machine itself.
  /// Errors: throws std::system_error when the root cannot be opened; ENOSYS on a kernel that
  /// cannot keep a look-up inside a folder (before Linux 5.6).
  ReadingFileSystem(FileSystem& under, std::string root);

  /// True for a copy of another machine's folders.
  [[nodiscard]] bool has_root() const { return !root_path_.empty(); }

  std::optional<Directory> open_directory(const std::string& path) override;
  void visit(const Directory& directory,
             const std::function<void(const DirectoryEntry&)>& visit) override {
    under_.visit(directory, visit);
  }
  std::optional<FileIdentity> identify(const Directory& directory,
                                       const std::string& name) override {
    return under_.identify(directory, name);
  }
  FileIdentity identify(const Fd& fd) override { return under_.identify(fd); }
  std::optional<FileContent> read_file(const Directory& directory, const std::string& name,
                                       std::size_t limit) override {
    return under_.read_file(directory, name, limit);
  }
  std::optional<std::string> read_regular_entry(const Directory& directory, const std::string& name,
                                                std::size_t limit) override {
    return under_.read_regular_entry(directory, name, limit);
  }
  std::optional<OpenEntry> open_regular_entry(const Directory& directory, const std::string& name,
                                              std::size_t limit) override {
    return under_.open_regular_entry(directory, name, limit);
  }
  std::string read_path(const std::string& path, std::size_t limit) override;
  std::string read_regular(const std::string& path, std::size_t limit) override;
  std::optional<Fd> open_file(const Directory& directory, const std::string& name) override {
    return under_.open_file(directory, name);
  }
  std::optional<std::string> get_attribute(const Fd& fd, const std::string& name) override {
    return under_.get_attribute(fd, name);
  }
  std::optional<std::string> read_link(const Directory& directory,
                                       const std::string& name) override;
  std::unique_ptr<EntryReader> begin_reading(std::size_t count, EntryReader::Read read) override {
    return under_.begin_reading(count, std::move(read));
  }
  /// Whether the node's own commands could make files there.
  std::optional<bool> is_writable(const std::string& path) override;
  LockResult lock(const Fd& fd, std::chrono::milliseconds patience) override {
    return under_.lock(fd, patience);
  }
  void unlock(const Fd& fd) override { under_.unlock(fd); }
  void close_lock(Fd fd) override { under_.close_lock(std::move(fd)); }
  void leave_open(unsigned count) override { under_.leave_open(count); }
  std::optional<UnfitDisk> unfit_disk(const Fd& fd) override { return under_.unfit_disk(fd); }
  bool is_on_proc(const std::string& path) override {
    return !has_root() && under_.is_on_proc(path);
  }
  std::optional<FileSystemIdentity> file_system_of(const std::string& path) override;
  std::uint64_t pid_namespace() override { return has_root() ? 0 : under_.pid_namespace(); }
  std::optional<NamespaceIdentity> network_namespace(const std::string& path) override;
  Life life_of(const NamespaceIdentity& network_namespace) override;

  // What changes something.
  Outcome make_directory(const std::string& path, unsigned mode) override;
  NewFile create_file(const Directory& directory, const std::string& fallback_name,
                      unsigned mode) override;
  void write_all(const Fd& fd, std::string_view bytes, const std::string& path_for_errors) override;
  Supported set_attribute(const Fd& fd, const std::string& name, std::string_view value,
                          const std::string& path_for_errors) override;
  Outcome link_file(const Fd& fd, const Directory& directory, const std::string& name) override;
  Outcome unlink(const Directory& directory, const std::string& name) override;
  Outcome make_link(const std::string& target, const Directory& directory,
                    const std::string& name) override;
  void rename(const Directory& directory, const std::string& from, const std::string& to) override;
  void write_in_place(const Directory& directory, const std::string& name, std::string_view bytes,
                      unsigned mode) override;
  std::optional<OpenText> open_text(const Directory& directory, const std::string& name,
                                    std::size_t limit) override;
  void overwrite(OpenText& text, std::string_view bytes,
                 const std::string& path_for_errors) override;
  void set_modified(const Fd& fd, std::int64_t modified_ns,
                    const std::string& path_for_errors) override;
  std::optional<Mapping> map_file(const Directory& directory, const std::string& name,
                                  std::size_t limit) override;
  Mapping map_new_file(const Directory& directory, const std::string& name, std::size_t size,
                       unsigned mode) override;
  void sync(const Fd& fd, const std::string& path_for_errors) override;
  std::optional<Fd> open_lock(const Directory& directory, const std::string& name,
                              std::optional<unsigned> mode) override;

 private:
  /// open(2) below the root; not open when errno says ENOENT.
  [[nodiscard]] Fd open_below(const std::string& path, unsigned long long flags) const;

  FileSystem& under_;
  std::string root_path_;
  Fd root_;
};

}  // namespace allocator::store
