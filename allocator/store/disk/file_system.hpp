#pragma once
/// The seam to the file system: one method for each system call that the on-disk protocol needs.
///
/// What the protocol expects to happen (missing, exists, not supported) comes back as a value;
/// everything else throws std::system_error with the errno, the call and the path. Thread-safety:
/// none; one command is one thread. The only implementation is PosixFileSystem; tests wrap it to
/// fail each call in turn.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "allocator/store/disk/entry_reader.hpp"
#include "allocator/store/disk/errors.hpp"

namespace allocator::store {

/// An open file descriptor, close-on-exec.
class Fd {
 public:
  /// Who closes it: the destructor, or the end of the process.
  enum class Closing : std::uint8_t { by_destructor, by_exit };

  Fd() = default;
  explicit Fd(int number, Closing closing = Closing::by_destructor)
      : number_(number), closing_(closing) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)), closing_(other.closing_) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }

 private:
  int number_ = -1;
  Closing closing_ = Closing::by_destructor;
};

/// The bytes of a file in memory, shared with all who map it; unmapped by the destructor. What is
/// written is in the file at once, and stays there when this process is killed.
class Mapping {
 public:
  /// `bytes`: what mmap(2) returned for `size` bytes.
  Mapping(void* bytes, std::size_t size) : bytes_(bytes), size_(size) {}
  Mapping(Mapping&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)), size_(other.size_) {}
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  [[nodiscard]] void* bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  void* bytes_;
  std::size_t size_;
};

/// A directory that is open, with the path for messages.
struct Directory {
  Fd fd;
  std::string path;
  mutable bool was_listed = false;  ///< reading it anew needs a rewind
};

enum class FileKind : std::uint8_t { regular, directory, symbolic_link, other };

/// What stat(2) tells.
struct FileIdentity {
  std::uint64_t device;
  std::uint64_t inode;
  FileKind kind;
  std::uint64_t size;  ///< in bytes
  std::int64_t
      changed_ns;  ///< time of the last status change. Says that something has changed, not when
  /// Time of birth; where the file system keeps none, of the last change of the content. With the
  /// inode it tells a file from a later one that was given its number; which came first it does
  /// not tell.
  std::int64_t born_ns;
  std::int64_t modified_ns;  ///< time of the last change of the content, or what somebody set
  /// It belongs to this user or to root, and nobody else may write to it.
  bool is_private = true;

  [[nodiscard]] bool same_file(const FileIdentity& other) const {
    return device == other.device && inode == other.inode;
  }
};

/// One line of a directory, valid while it is visited.
struct DirectoryEntry {
  std::string_view name;
  bool is_regular;  ///< false also where the file system does not tell
};

/// A regular file as read: its inode, at most `limit` bytes, and an open descriptor is not kept.
struct FileContent {
  FileIdentity identity;
  std::string bytes;
};

/// A small file that is read and written by one command.
struct OpenText {
  Fd fd;
  std::string bytes;
};

/// A file system that this store cannot work on.
struct UnfitDisk {
  enum class Why : std::uint8_t {
    remote,   ///< NFS, SMB, Ceph and their like: neither locks nor links can be trusted
    no_links  ///< vfat and exFAT: neither hard nor symbolic links
  };
  std::string name;  ///< as mount(8) spells it
  Why why;
};

/// What tells one namespace from another.
struct NamespaceIdentity {
  std::uint64_t inode = 0;  ///< given to another namespace soon after this one is gone
  std::uint64_t id = 0;     ///< never given again in a boot; 0: the kernel has none (before 6.18)

  /// False only when they are different ones for sure.
  [[nodiscard]] bool may_be(const NamespaceIdentity& other) const {
    return inode == other.inode && (id == other.id || id == 0 || other.id == 0);
  }
  friend bool operator==(const NamespaceIdentity& left, std::uint64_t number) {
    return left.inode == number;
  }
};

/// Whether a namespace is there, as far as the kernel tells.
enum class Life : std::uint8_t { alive, gone, unknown };

/// The inode of the initial PID namespace, from which every process is seen.
/// Source: PROC_PID_INIT_INO of the kernel, the same since Linux 3.8.
inline constexpr std::uint64_t kInitialPidNamespace = 0xEFFFFFFC;

/// Which mounted file system a folder lies on. A tmpfs has a random id of its own since Linux 5.13;
/// its device number goes to the next file system when it is gone.
struct FileSystemIdentity {
  std::uint64_t device = 0;
  std::uint64_t id = 0;  ///< 0: it has none

  /// True only when they are different ones for sure.
  [[nodiscard]] bool is_another(const FileSystemIdentity& other) const {
    return device != other.device || (id != 0 && other.id != 0 && id != other.id);
  }
  friend bool operator==(const FileSystemIdentity&, const FileSystemIdentity&) = default;
};

enum class Outcome : std::uint8_t { done, exists, missing };
enum class Supported : std::uint8_t { yes, no };
enum class LockResult : std::uint8_t { locked, timed_out };

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// open(O_DIRECTORY); a final symbolic link is followed. nullopt when the path or a parent is
  /// missing.
  [[nodiscard]] virtual std::optional<Directory> open_directory(const std::string& path) = 0;
  /// mkdir(2): done, exists, or missing when the parent is.
  virtual Outcome make_directory(const std::string& path, unsigned mode) = 0;
  /// Calls `visit` with each entry of the directory but "." and "..", in no order.
  virtual void visit(const Directory& directory,
                     const std::function<void(const DirectoryEntry&)>& visit) = 0;
  /// All names at once.
  [[nodiscard]] std::vector<std::string> list(const Directory& directory);

  /// lstat of a name; nullopt when it is missing.
  [[nodiscard]] virtual std::optional<FileIdentity> identify(const Directory& directory,
                                                             const std::string& name) = 0;
  [[nodiscard]] virtual FileIdentity identify(const Fd& fd) = 0;
  /// Reads a regular file (O_NOFOLLOW, O_NONBLOCK: neither a link nor a FIFO can trap us), at most
  /// `limit` bytes. nullopt when it is missing or no regular file.
  [[nodiscard]] virtual std::optional<FileContent> read_file(const Directory& directory,
                                                             const std::string& name,
                                                             std::size_t limit) = 0;
  /// The bytes of what the directory has told to be a regular file: not asked again. nullopt when
  /// it is missing.
  [[nodiscard]] virtual std::optional<std::string> read_regular_entry(const Directory& directory,
                                                                      const std::string& name,
                                                                      std::size_t limit) = 0;
  /// The same of a file that is left open, for its attributes.
  struct OpenEntry {
    std::string bytes;
    Fd fd;
  };
  [[nodiscard]] virtual std::optional<OpenEntry> open_regular_entry(const Directory& directory,
                                                                    const std::string& name,
                                                                    std::size_t limit);
  /// open_regular_entry() and get_attribute().
  /// Errors: throws std::system_error for want of descriptors or memory; all other trouble is told.
  [[nodiscard]] EntryText look_up_regular(const Directory& directory, const std::string& name,
                                          std::size_t limit, const std::string& attribute);
  /// Reads a file of the kernel's by path (boot_id, /proc). Throws also when it is missing.
  [[nodiscard]] virtual std::string read_path(const std::string& path, std::size_t limit) = 0;
  /// Reads a file that people or other programs made (resolv.conf, subnet.env, a conflist) by path,
  /// following links. Throws also when it is missing; UnfitFile when it is no regular file, or
  /// larger: part of a configuration is another one.
  [[nodiscard]] virtual std::string read_regular(const std::string& path, std::size_t limit) = 0;

  /// O_TMPFILE where the file system has it, else a file with the name `fallback_name` that the
  /// caller unlinks. The bool tells: true = unnamed.
  struct NewFile {
    Fd fd;
    bool unnamed;
  };
  [[nodiscard]] virtual NewFile create_file(const Directory& directory,
                                            const std::string& fallback_name, unsigned mode) = 0;
  virtual void write_all(const Fd& fd, std::string_view bytes,
                         const std::string& path_for_errors) = 0;
  /// A regular file for reading and for setting attributes; nullopt when missing or no regular
  /// file.
  [[nodiscard]] virtual std::optional<Fd> open_file(const Directory& directory,
                                                    const std::string& name) = 0;
  virtual Supported set_attribute(const Fd& fd, const std::string& name, std::string_view value,
                                  const std::string& path_for_errors) = 0;
  /// nullopt when the file has none or the file system knows none.
  [[nodiscard]] virtual std::optional<std::string> get_attribute(const Fd& fd,
                                                                 const std::string& name) = 0;
  /// linkat(2) of an open file to a name: done or exists. Throws NoLinks where there are no hard
  /// links.
  virtual Outcome link_file(const Fd& fd, const Directory& directory, const std::string& name) = 0;
  /// done or missing.
  virtual Outcome unlink(const Directory& directory, const std::string& name) = 0;

  /// nullopt when the name is missing or no symbolic link.
  [[nodiscard]] virtual std::optional<std::string> read_link(const Directory& directory,
                                                             const std::string& name) = 0;
  /// The same. Errors: as look_up_regular().
  [[nodiscard]] EntryText look_up_link(const Directory& directory, const std::string& name);
  /// Begins to read the entries with the numbers from 0 to `count` - 1. What `read` uses must
  /// outlive the reader.
  [[nodiscard]] virtual std::unique_ptr<EntryReader> begin_reading(std::size_t count,
                                                                   EntryReader::Read read);
  /// done or exists. Throws NoLinks where there are no symbolic links.
  virtual Outcome make_link(const std::string& target, const Directory& directory,
                            const std::string& name) = 0;
  virtual void rename(const Directory& directory, const std::string& from,
                      const std::string& to) = 0;

  /// Overwrites a small file in place (open without O_TRUNC, pwrite, ftruncate where it was
  /// longer): truncating first costs a flush on ext4. Throws UnfitFile, with nothing written, for
  /// what is no regular file, and for one with a second name: who could make that would have us
  /// overwrite another file of this disk.
  virtual void write_in_place(const Directory& directory, const std::string& name,
                              std::string_view bytes, unsigned mode) = 0;
  /// What write_in_place() wrote, kept open to be overwritten. nullopt when it is missing. Throws
  /// as that one does.
  [[nodiscard]] virtual std::optional<OpenText> open_text(const Directory& directory,
                                                          const std::string& name,
                                                          std::size_t limit) = 0;
  virtual void overwrite(OpenText& text, std::string_view bytes,
                         const std::string& path_for_errors) = 0;
  /// Sets the time of the last change of the content. futimens(3).
  virtual void set_modified(const Fd& fd, std::int64_t modified_ns,
                            const std::string& path_for_errors) = 0;
  /// mmap(2) of a whole file, to be read and written. nullopt when it is missing, empty, larger
  /// than `limit`, or not a regular file without holes, of one name, that belongs to this user, who
  /// alone may write to it.
  [[nodiscard]] virtual std::optional<Mapping> map_file(const Directory& directory,
                                                        const std::string& name,
                                                        std::size_t limit) = 0;
  /// The same of a new file of zeros, in the place of any of that name. All of it is allocated:
  /// where a disk is full this throws, and no later write to the memory fails.
  [[nodiscard]] virtual Mapping map_new_file(const Directory& directory, const std::string& name,
                                             std::size_t size, unsigned mode) = 0;
  /// Whether files could be made in the folder `path`; nullopt when it is missing.
  [[nodiscard]] virtual std::optional<bool> is_writable(const std::string& path) = 0;
  /// fsync(2). Never repeat it after a failure: the kernel may have dropped the pages and then
  /// reports success.
  virtual void sync(const Fd& fd, const std::string& path_for_errors) = 0;

  /// open(O_RDONLY|O_CREAT), as the Go plugin opens its lock, but neither waiting for a pipe's
  /// other end nor following a link: the caller looks what it is, and throws UnfitFile. This one
  /// does too, for what cannot be opened so. `mode`: none for one that must be there; nullopt then
  /// when it is missing.
  [[nodiscard]] virtual std::optional<Fd> open_lock(const Directory& directory,
                                                    const std::string& name,
                                                    std::optional<unsigned> mode) = 0;
  /// flock(LOCK_EX), waiting in the kernel's queue (first come, first served) for at most
  /// `patience`.
  [[nodiscard]] virtual LockResult lock(const Fd& fd, std::chrono::milliseconds patience) = 0;
  virtual void unlock(const Fd& fd) = 0;
  /// Closes a file that is locked, which frees the lock: nobody shares a descriptor of ours.
  virtual void close_lock(Fd fd) = 0;

  /// What keeps this store from the file system of an open file or folder; nullopt when nothing
  /// does, or it cannot be told.
  [[nodiscard]] virtual std::optional<UnfitDisk> unfit_disk(const Fd& fd) = 0;
  /// True when the file is the kernel's own: on a procfs, with nothing laid over it.
  [[nodiscard]] virtual bool is_on_proc(const std::string& path) = 0;
  /// nullopt when the folder is missing or cannot be asked about.
  [[nodiscard]] virtual std::optional<FileSystemIdentity> file_system_of(
      const std::string& path) = 0;
  /// The inode of this process' own PID namespace; 0 without /proc, or with one of a namespace that
  /// this process is not in.
  [[nodiscard]] virtual std::uint64_t pid_namespace() = 0;
  /// The network namespace at `path`; nullopt when there is none (nsfs: see namespaces(7)). Throws
  /// when it cannot be told: a process that we may not look at.
  [[nodiscard]] virtual std::optional<NamespaceIdentity> network_namespace(
      const std::string& path) = 0;
  /// Asks the kernel for a network namespace of this boot, wherever it may still be used. Gone is
  /// said only to who would be shown it: root of the whole machine, in the initial PID namespace.
  [[nodiscard]] virtual Life life_of(const NamespaceIdentity& network_namespace) = 0;

  /// For a process that does one short command and runs no other program: so many descriptors of
  /// what is opened from here on (folders, new files, cursors, files of the kernel's; never one of
  /// a lock that others wait for) are left to be closed by its end.
  virtual void leave_open(unsigned count) = 0;
};

}  // namespace allocator::store
