#pragma once
/// The real file system. Every descriptor is close-on-exec, every interrupted call is repeated.
#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

class PosixFileSystem final : public FileSystem {
 public:
  std::optional<Directory> open_directory(const std::string& path) override;
  Outcome make_directory(const std::string& path, unsigned mode) override;
  void visit(const Directory& directory,
             const std::function<void(const DirectoryEntry&)>& visit) override;
  std::optional<FileIdentity> identify(const Directory& directory,
                                       const std::string& name) override;
  FileIdentity identify(const Fd& fd) override;
  std::optional<FileContent> read_file(const Directory& directory, const std::string& name,
                                       std::size_t limit) override;
  std::optional<std::string> read_regular_entry(const Directory& directory, const std::string& name,
                                                std::size_t limit) override;
  std::optional<OpenEntry> open_regular_entry(const Directory& directory, const std::string& name,
                                              std::size_t limit) override;
  std::string read_path(const std::string& path, std::size_t limit) override;
  std::string read_regular(const std::string& path, std::size_t limit) override;
  NewFile create_file(const Directory& directory, const std::string& fallback_name,
                      unsigned mode) override;
  void write_all(const Fd& fd, std::string_view bytes, const std::string& path_for_errors) override;
  std::optional<Fd> open_file(const Directory& directory, const std::string& name) override;
  Supported set_attribute(const Fd& fd, const std::string& name, std::string_view value,
                          const std::string& path_for_errors) override;
  std::optional<std::string> get_attribute(const Fd& fd, const std::string& name) override;
  Outcome link_file(const Fd& fd, const Directory& directory, const std::string& name) override;
  Outcome unlink(const Directory& directory, const std::string& name) override;
  std::optional<std::string> read_link(const Directory& directory,
                                       const std::string& name) override;
  std::unique_ptr<EntryReader> begin_reading(std::size_t count, EntryReader::Read read) override;
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
  std::optional<bool> is_writable(const std::string& path) override;
  void sync(const Fd& fd, const std::string& path_for_errors) override;
  std::optional<Fd> open_lock(const Directory& directory, const std::string& name,
                              std::optional<unsigned> mode) override;
  LockResult lock(const Fd& fd, std::chrono::milliseconds patience) override;
  void unlock(const Fd& fd) override;
  void close_lock(Fd fd) override;
  std::optional<UnfitDisk> unfit_disk(const Fd& fd) override;
  bool is_on_proc(const std::string& path) override;
  std::optional<FileSystemIdentity> file_system_of(const std::string& path) override;
  std::uint64_t pid_namespace() override;
  std::optional<NamespaceIdentity> network_namespace(const std::string& path) override;
  Life life_of(const NamespaceIdentity& network_namespace) override;
  void leave_open(unsigned count) override { left_open_ = count; }

 private:
  [[nodiscard]] Fd own(int number);

  unsigned left_open_ = 0;
  std::optional<std::uint64_t> nsfs_device_;    ///< learned by pid_namespace()
  std::optional<std::uint64_t> pid_namespace_;  ///< our own: no process ever gets another one
  bool has_handles_ = true;                     ///< of namespaces, until the kernel says otherwise
};

}  // namespace allocator::store
