#pragma once
/// The kernel of one process in memory: the system calls that PosixFileSystem makes, over a
/// MemoryDisk, each of which a Disturbance may let fail. While one is there it answers in the place
/// of the real one (see kernel_calls.cpp).
///
/// As the errors are the kernel's, it is the store's own code that turns them into values and
/// exceptions, repeats what was interrupted, and goes other ways where a call is not there.
#include <sys/types.h>
#include <sys/vfs.h>

#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "test/proof/disturbance.hpp"
#include "test/proof/memory_disk.hpp"

struct file_handle;

namespace proof {

class Kernel {
 public:
  Kernel(MemoryDisk& disk, Disturbance& disturbance);
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  /// The process ends. It is blamed for descriptors that it has not closed.
  ~Kernel();

  /// nullptr: the real one.
  static Kernel* current();
  [[nodiscard]] static bool is_own(int number) { return number >= kFirstDescriptor; }

  // Each answers as the call of its name does: -1 with errno set.
  int open_at(int folder, const std::string& name, int flags);
  int close(int number);
  int make_directory(const std::string& path);
  long list(int number, char* buffer, std::size_t size);
  long seek_to_start(int number);
  int look_at(int folder, const std::string& name, store::FileIdentity& found);
  int look_at_open(int number, store::FileIdentity& found);
  ssize_t read(int number, char* buffer, std::size_t size);
  ssize_t write(int number, std::string_view bytes);
  ssize_t write_at_start(int number, std::string_view bytes);
  int truncate(int number, std::size_t size);
  int set_attribute(int number, const std::string& name, std::string_view value);
  ssize_t get_attribute(int number, const std::string& name, char* buffer, std::size_t size);
  int link(int number, int folder, const std::string& name);
  int unlink(int folder, const std::string& name);
  ssize_t read_link(int folder, const std::string& name, char* buffer, std::size_t size);
  int make_link(const std::string& target, int folder, const std::string& name);
  int rename(int folder, const std::string& from, const std::string& to);
  int sync(int number);
  int lock(int number, int operation);
  int file_system_at(const std::string& path, struct statfs& status);
  int file_system_of(int number, struct statfs& status);
  int name_to_handle(const std::string& path, struct file_handle& handle);
  int open_by_handle(const struct file_handle& handle);

 private:
  static constexpr int kFirstDescriptor = 2'000'000;

  struct File {
    store::Directory opened;  ///< a file as well: its descriptor and its path
    std::size_t offset = 0;   ///< in bytes, of a folder in entries
    /// Of the kernel's own files: what they say. Of a listed folder: its entries.
    std::optional<std::string> text = {};
    std::vector<std::pair<std::string, bool>> entries = {};
  };

  /// `answer` is given how much less it is to do, and throws std::system_error for what the disk
  /// itself refuses.
  template <typename Do>
  long call(Call kind, const std::string& subject, Do answer) {
    const Trouble trouble = meet(kind, subject);
    if (trouble.error != 0) return failed(trouble.error);
    try {
      return static_cast<long>(answer(trouble.by));
    } catch (const std::system_error& error) {
      return failed(error.code().value());
    }
  }
  [[nodiscard]] Trouble meet(Call kind, const std::string& subject);
  static long failed(int error) {
    errno = error;
    return -1;
  }
  /// Within an answer.
  [[noreturn]] static void refuse(int error) {
    throw std::system_error(error, std::generic_category());
  }
  [[nodiscard]] File& file(int number);
  [[nodiscard]] std::string path_of(int folder, const std::string& name);
  [[nodiscard]] store::FileIdentity identity_at(int folder, const std::string& name);
  int add(store::Directory opened);
  int open_unnamed(int folder);
  int open_folder(const std::string& path);
  int open_kernels(const std::string& path);
  int open_named(int folder, const std::string& name, int flags);

  MemoryDisk& disk_;
  Disturbance& disturbance_;
  std::map<int, File> files_;
  int next_ = kFirstDescriptor;
  std::set<std::string> unsynced_;  ///< whose fsync has failed
  std::size_t calls_ = 0;
};

}  // namespace proof
