#pragma once
/// Every exception of the store. Whatever else a call throws is std::system_error, with the errno
/// of the system call and the path.
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace allocator::store {

/// The state cannot be changed now; later it may be: CNI code 11.
struct TryAgain : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The lock was not free in time.
struct LockTimeout : TryAgain {
  using TryAgain::TryAgain;
};

/// The disk takes no changes.
struct ReadOnlyDisk : TryAgain {
  using TryAgain::TryAgain;
};

/// The folder is of a kind that this store cannot work on.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The attachment's DEL came after this ADD had been started.
struct DeletedMeanwhile : TryAgain {
  using TryAgain::TryAgain;
};

/// A record is there, and what it says cannot be known: it must not be guessed at, nor overwritten.
/// It costs its own address or pod only.
struct ClosedRecord : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A record was written by a newer version of this program.
struct NewerFormat : ClosedRecord {
  using ClosedRecord::ClosedRecord;
};

/// The disk does not give a record.
struct DamagedRecord : ClosedRecord {
  using ClosedRecord::ClosedRecord;
};

/// A link could not be made because the file system has none of the kind: what() says so, with the
/// remedy.
struct NoLinks : std::system_error {
  using std::system_error::system_error;
};

/// Under a name of this store lies what it has not made: a pipe, a device, a socket, a link, or a
/// file that has a second name elsewhere. what() names the path and the remedy.
class UnfitFile : public std::system_error {
 public:
  UnfitFile(int error, const std::string& doing, const std::string& found)
      : std::system_error(error, std::generic_category()),
        text_(doing + ": " + found + "; look at it and take it away") {}
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

/// True for what this process has run out of (descriptors, memory): it passes, and must not be
/// taken for the trouble of the entry that was looked at.
inline bool is_own_want(const std::system_error& error) {
  const int number = error.code().value();
  return number == EMFILE || number == ENFILE || number == ENOMEM;
}

}  // namespace allocator::store
