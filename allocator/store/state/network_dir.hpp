#pragma once
/// host-local's directory of one network, byte for byte: the only truth about who holds an address
/// now.
///
///     <dataDir>/<network>/
///         lock                 flock(2), shared with the Go plugin (network_lock.hpp)
///         10.244.1.7           "<container ID>\r\n<ifname>", 0600, no newline at the end;
///                              the name alone reserves. One inode for all addresses of an
///                              attachment
///         <network>/           what is left where the network's name was once joined to
///                              dataDir twice: the addresses in it are in use
///         last_reserved_ip.0   the address that range set 0 handed out last; a hint
///
/// Nothing else of ours may lie here: the Go plugin walks it, reads every file and deletes what
/// matches. All methods but the opening ones want the network's lock held.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "allocator/address.hpp"
#include "allocator/binding.hpp"
#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/disk/folders.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/state/stamp.hpp"

namespace allocator::store {

/// A file in the network folder that says whose it is.
struct AttachmentFile {
  std::string name;
  /// The address that the name reserves; nullopt for a foreign file.
  std::optional<Address> address;
  /// The content without white space around it; empty for what is no regular file or cannot be
  /// read.
  std::string owner;
  /// False when the disk refused to give the content: whose it is cannot be told.
  bool readable = true;
  /// True when the content has white space around it: host-local never writes that.
  bool is_padded = false;
};

/// How a file's content names an attachment.
enum class OwnerMatch : std::uint8_t {
  none,
  container_and_ifname,  ///< "<container ID>\r\n<ifname>"
  container_only,        ///< what host-local 0.7 and older wrote
};

OwnerMatch match_owner(const AttachmentFile& file, const Attachment& attachment);

/// True when the content is an attachment's, byte for byte as host-local writes it. Anything else
/// (a note of somebody who reserves the address by hand) is in use for ever: it is never stamped,
/// never proven dead and never collected.
bool names_attachment(const AttachmentFile& file);

/// The content of an attachment's file.
std::string owner_text(const Attachment& attachment);

/// The container ID and ifname that a content names; the ifname is empty in the old format.
Attachment parse_owner(std::string_view owner);

/// True while every one of these addresses is the attachment's in the network folder at `path`.
/// Takes no lock: what is true now may not be in a moment.
/// Errors: throws std::system_error.
bool still_has(FileSystem& fs, const std::string& path, const Attachment& attachment,
               const std::vector<Address>& addresses);

class NetworkDir {
 public:
  NetworkDir(FileSystem& fs, Directory folder) : fs_(fs), folder_(std::move(folder)) {}

  [[nodiscard]] Directory& folder() { return folder_; }
  [[nodiscard]] const std::string& path() const { return folder_.path; }

  /// Reads the folder anew: what is known of it ends when the lock is taken.
  /// Errors: throws std::system_error when the folder cannot be listed, or a file not be opened for
  /// want of descriptors or memory: taking it for somebody else's would leak an address. Whatever
  /// else is wrong with a file is that file's own trouble: its address is in use.
  void scan();
  /// The same, unless this object has scanned the folder and changed nothing since.
  void scan_if_changed() {
    if (!scanned_) scan();
  }
  /// All files but the lock and the cursors, by name.
  [[nodiscard]] const std::vector<AttachmentFile>& files() const { return files_; }
  /// The files of an attachment with its ifname; if there are none, those with its ID alone (the Go
  /// plugin's two passes).
  [[nodiscard]] std::vector<AttachmentFile> find(const Attachment& attachment) const;
  /// host-local's duplicate check: every file of the attachment, in either form, whose name is an
  /// address in any spelling, by name.
  [[nodiscard]] std::vector<Address> claimed_by(const Attachment& attachment) const;
  /// Errors: throws TryAgain when a file cannot be read and its stamp, elsewhere on the disk, says
  /// that it is the attachment's. `what`: what cannot be done then.
  void refuse_unreadable_of(const Attachment& attachment, const std::string& what);
  /// Errors: throws TryAgain when the nested folder is there and cannot be read: which addresses
  /// are in use in it is not known. `what`: what cannot be done then.
  void refuse_unreadable_nested(const std::string& what) const;
  /// The file that reserves an address; nullptr when none does, or only one in the nested folder.
  [[nodiscard]] const AttachmentFile* file_of(const Address& address) const;
  /// The owner of an address as "<container ID> <ifname>" ("an unknown owner" for a file that does
  /// not tell); nullopt when nothing reserves the address.
  [[nodiscard]] std::optional<std::string> holder(const Address& address) const;

  /// The cursor of a range set; nullopt when there is none or it makes no sense.
  [[nodiscard]] std::optional<Address> cursor(std::size_t set);
  /// A hint: failures are ignored, as they only change which free address comes next.
  void write_cursor(std::size_t set, const Address& address);

  /// A new file without a name, or with a private one, that belongs to nobody yet.
  FileSystem::NewFile create(const Attachment& attachment);
  /// Removes the private name of create() where the file system needed one.
  void discard_private_name();
  /// Where stamps are kept that the file system does not take; nullptr: nowhere. Must outlive their
  /// use.
  void keep_stamps_in(RecordFolder* records) { records_ = records; }
  /// Whether the file system took the stamp. What it did not, record_stamp() keeps for each
  /// address.
  [[nodiscard]] Supported set_stamp(const Fd& file, const std::string& stamp);
  /// Nothing happens without records, or room for one more: then nothing is ever proven about the
  /// owner.
  /// Errors: throws std::system_error when an older stamp of the file would stay.
  void record_stamp(const Address& address, const FileIdentity& file, const std::string& stamp);
  /// What became of a file that may have the stamp already.
  enum class Renewal : std::uint8_t { had_it, was_set, is_recorded };
  /// Errors: throws std::system_error when an older stamp would stay: it tells of an earlier life.
  Renewal renew_stamp(const Fd& file, const Address& address, const std::string& stamp);
  /// The stamp of a file, from its record where it has no attribute; nullopt when it has none, or
  /// none that makes sense.
  [[nodiscard]] std::optional<Stamp> stamp_of(const std::string& name);
  [[nodiscard]] std::optional<Stamp> recorded_stamp(const std::string& name);
  [[nodiscard]] FileIdentity file_identity(const Fd& file) { return fs_.identify(file); }
  Outcome publish(const Fd& file, const Address& address);
  Outcome remove(const std::string& name);
  /// The inode that reserves `address` now.
  [[nodiscard]] std::optional<FileIdentity> identify(const Address& address);
  /// True when the file that reserves `address` now has this inode and this content: a freed number
  /// goes to the next file at once on some file systems (xfs).
  [[nodiscard]] bool is_file(const Address& address, const FileIdentity& identity,
                             const std::string& content);
  [[nodiscard]] std::optional<FileContent> read(const std::string& name);
  [[nodiscard]] std::optional<Fd> open(const std::string& name) {
    return fs_.open_file(folder_, name);
  }
  void sync() { fs_.sync(folder_.fd, folder_.path); }

 private:
  void scan_nested(const std::string& name);
  void list_nested(const std::string& name);
  [[nodiscard]] std::optional<std::string> text_in_record(const std::string& name, const Fd& file);
  [[nodiscard]] std::optional<std::string> text_in_record(const Address& address,
                                                          const FileIdentity& file);

  FileSystem& fs_;
  Directory folder_;
  std::vector<AttachmentFile> files_;
  std::map<Address, std::size_t> by_address_;
  std::vector<std::string> cursors_;
  std::set<Address> nested_;
  std::string nested_trouble_;  ///< why the nested folder cannot be read; "" when it can
  RecordFolder* records_ = nullptr;
  bool scanned_ = false;
};

}  // namespace allocator::store
