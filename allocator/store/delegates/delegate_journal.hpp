#pragma once
/// What is known in this boot of the attachments that an IPAM plugin of its own holds.
///
///     /run/delegated-ipam/delegates/<network>~<plugin>/
///         journal/<key>      "<container ID>\r\n<ifname>", then a line each: when a DEL was last
///                            tried, how often, and what it frees. An ADD is under way (its process
///                            holds a flock(2) on the file), or may have left a lease
///         attachments/<key>  "<container ID>\r\n<ifname>", on a line of its own the stamp of
///                            whom it was given to (see stamp.hpp), and the answer to an
///                            acknowledged ADD that has not been deleted
///         since           -> <boot_id>: all that happened in this boot is told here, see
///                            DelegateBindings::knows_whole_boot()
///         tombs/<key>        see RunFolder
///     /run/delegated-ipam/versions/<SHA-256 of a path>
///                         -> "<device>:<inode>:<time of change>~0.3.1,0.4.0": what that plugin
///                            said that it speaks
///
/// <key> is the SHA-256 of the attachment.
/// After a crash: a journal entry whose lock nobody holds. The plugin's own store stays the truth;
/// without these records an ADD that fails must not be followed by a DEL, so an ADD that cannot
/// write them does not begin.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocator/binding.hpp"
#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/state/run_folder.hpp"
#include "allocator/store/state/stamp.hpp"

namespace allocator::store {

/// What a journal entry says.
struct JournalEntry {
  Attachment attachment;
  std::uint64_t tried = 0;         ///< CLOCK_BOOTTIME in ns of the last DEL; 0: none yet
  unsigned tries = 0;              ///< how many there were
  std::vector<Address> addresses;  ///< as far as they are known

  friend bool operator==(const JournalEntry&, const JournalEntry&) = default;
};

/// An acknowledged ADD.
struct KnownAnswer {
  std::string answer;
  /// For which network namespace; nullopt where an older version of this program wrote it.
  std::optional<Stamp> given_to;
};

class DelegateJournal {
 public:
  /// `folder`: of one network and plugin, see delegate_folder().
  /// Errors: throws std::system_error when the folders cannot be made or opened.
  DelegateJournal(FileSystem& fs, const std::string& folder);

  /// An entry with its lock; the lock goes with the object, the entry with close().
  class Entry {
   public:
    /// True when a lease may be there: a killed ADD or a failed DEL left the entry, or begin() was
    /// called.
    [[nodiscard]] bool may_hold_lease() const { return content_.has_value(); }
    [[nodiscard]] const std::optional<JournalEntry>& content() const { return content_; }

   private:
    friend class DelegateJournal;
    Fd lock_;
    std::string name_;
    Attachment attachment_;
    std::optional<JournalEntry> content_;
  };

  /// Makes the attachment's entry, or takes the one that is there, and locks it.
  /// Errors: throws LockTimeout when another ADD of the attachment is under way for longer than
  /// `patience`; std::system_error.
  [[nodiscard]] Entry open(const Attachment& attachment, std::chrono::milliseconds patience);
  /// Takes an entry that may hold a lease, without waiting; nullopt when there is none, or an ADD
  /// is under way.
  [[nodiscard]] std::optional<Entry> open_left_over(const Attachment& attachment);
  /// Says that a lease may be there from now on.
  /// Errors: throws std::system_error.
  void begin(Entry& entry, const std::vector<Address>& addresses = {});
  /// No lease is left that nobody knows of: the entry goes.
  void close(Entry& entry);
  /// The same for a command that goes on with the attachment: the entry stays locked, and says
  /// nothing.
  /// Errors: throws std::system_error.
  void clear(Entry& entry);
  /// The entry stays, as a lease may still be there or come up: its DEL failed, or the plugin's
  /// daemon stores leases late. `tried`: see JournalEntry.
  void keep_tried(Entry& entry, std::uint64_t tried);
  /// What all entries say, those of ADDs under way too.
  [[nodiscard]] std::vector<JournalEntry> entries();

  /// What an acknowledged ADD answered; nullopt when there is none.
  [[nodiscard]] std::optional<KnownAnswer> known(const Attachment& attachment);
  void put_known(const Attachment& attachment, const KnownAnswer& known);
  void forget_known(const Attachment& attachment);
  /// For an ADD that begins without begin(): throws std::system_error where its answer could not be
  /// recorded.
  void require_room(const Attachment& attachment);
  /// The names of all that is known now, for drop_known().
  [[nodiscard]] std::vector<std::string> known_names();
  /// Forgets those of `names` that are not of `valid` attachments.
  void drop_known(const std::vector<std::string>& names, const std::vector<Attachment>& valid);

  [[nodiscard]] RunFolder& run() { return run_; }

 private:
  FileSystem& fs_;
  RunFolder run_;
  Directory journal_, attachments_;
};

/// Forgets what an ADD answered where the journal cannot be opened.
/// Errors: throws std::system_error; then a later ADD could be answered with an address that is
/// free.
void forget_answer(FileSystem& fs, const std::string& folder, const Attachment& attachment);

/// The folder of a network and plugin: both names escaped.
std::string delegate_folder(const std::string& run_dir, const std::string& network,
                            const std::string& plugin);

/// Which executable a plugin's versions were learned from.
struct ExecutableVersion {
  std::string path;
  std::uint64_t device, inode;
  std::int64_t modified_ns;
};

/// The CNI versions that the executable said that it speaks; empty when it was not asked in this
/// boot, or has been replaced since.
std::vector<std::string> known_versions(FileSystem& fs, const std::string& run_dir,
                                        const ExecutableVersion& executable) noexcept;
void remember_versions(FileSystem& fs, const std::string& run_dir,
                       const ExecutableVersion& executable,
                       const std::vector<std::string>& versions) noexcept;

}  // namespace allocator::store
