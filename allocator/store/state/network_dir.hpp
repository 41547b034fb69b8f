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
#include "allocator/address_set.hpp"
#include "allocator/binding.hpp"
#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/disk/folders.hpp"
#include "allocator/store/index/attachment_index.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/state/stamp.hpp"

namespace allocator::store {

class RunFolder;

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
  /// The attribute with its stamp, where it was read with it, see begin_reading_with_stamps().
  std::optional<std::string> stamp_text = {};
};

/// The address that a file name reserves: only Go's own spelling does.
std::optional<Address> address_of_name(std::string_view name);

/// The name of a folder in the network folder at `path` in which addresses are in use, too.
std::string nested_name(const std::string& path);

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

/// What is known of it within a command comes from the index in the run folder, where that tells of
/// the folder as it is, and else from reading every file; the answers are the same.
class NetworkDir {
 public:
  NetworkDir(FileSystem& fs, Directory folder) : fs_(fs), folder_(std::move(folder)) {}

  [[nodiscard]] Directory& folder() { return folder_; }
  [[nodiscard]] const std::string& path() const { return folder_.path; }

  /// Looks things up in the index of the run folder from here on, and keeps it. `run`: must outlive
  /// this. `boot_id`: empty for none.
  void use_index(RunFolder* run, const std::string& boot_id);
  /// What is known of the folder ends: it begins when the lock is taken, and anew when this object
  /// has changed the folder.
  /// Errors: as scan().
  void look();
  /// Reads the folder anew.
  /// Errors: throws std::system_error when the folder cannot be listed, or a file not be opened for
  /// want of descriptors or memory: taking it for somebody else's would leak an address. Whatever
  /// else is wrong with a file is that file's own trouble: its address is in use.
  void scan();
  /// Has the index tell of the folder as this object has left it. To be called right behind the
  /// last change: what others do without the lock in between is not noticed. Whatever fails here
  /// costs the next command a scan.
  void seal() noexcept;
  /// The index that is looked things up in, or that seal() has made; nullptr for none. The list of
  /// held addresses in it is the caller's.
  [[nodiscard]] AttachmentIndex* index() { return index_ ? &*index_ : nullptr; }
  /// seal() makes room in the index for so many held addresses. To be called before anything is
  /// changed. Errors: as scan().
  void want_held(std::size_t count);
  /// For who looks at all files and their stamps: each file is opened once, and read while he does
  /// something else, until he asks for files(). What goes wrong is told there.
  /// Errors: throws std::system_error for want of descriptors or memory.
  void begin_reading_with_stamps();
  /// All files but the lock and the cursors, by name. Reads them all.
  [[nodiscard]] const std::vector<AttachmentFile>& files();
  /// The files of an attachment with its ifname; if there are none, those with its ID alone (the Go
  /// plugin's two passes). By name.
  [[nodiscard]] std::vector<AttachmentFile> find(const Attachment& attachment);
  /// The files with this container ID, whatever the ifname, by name.
  [[nodiscard]] std::vector<AttachmentFile> find_container(const std::string& container_id);
  /// host-local's duplicate check: every file of the attachment, in either form, whose name is an
  /// address in any spelling, by name.
  [[nodiscard]] std::vector<Address> claimed_by(const Attachment& attachment);
  /// Errors: throws TryAgain when a file cannot be read and its stamp, elsewhere on the disk, says
  /// that it is the attachment's. `what`: what cannot be done then.
  void refuse_unreadable_of(const Attachment& attachment, const std::string& what);
  /// True when a file cannot be read and nothing says that it is another attachment's.
  [[nodiscard]] bool may_have_unreadable(const Attachment& attachment);
  /// Errors: throws TryAgain when the nested folder is there and cannot be read: which addresses
  /// are in use in it is not known. `what`: what cannot be done then.
  void refuse_unreadable_nested(const std::string& what) const;
  /// The file that reserves an address; nullptr when none does, or only one in the nested folder.
  /// Valid until the next look() or scan().
  /// Errors: throws std::system_error for want of descriptors or memory only.
  [[nodiscard]] const AttachmentFile* file_of(const Address& address);
  /// True when something reserves the address.
  [[nodiscard]] bool is_in_use(const Address& address);
  /// The same on the disk as this object has left it.
  /// Errors: as file_of().
  [[nodiscard]] bool is_in_use_now(const Address& address);
  /// The files whose content the disk refuses to give.
  [[nodiscard]] std::vector<AttachmentFile> unreadable() const;
  /// The owner of an address as "<container ID> <ifname>" ("an unknown owner" for a file that does
  /// not tell); nullopt when nothing reserves the address.
  [[nodiscard]] std::optional<std::string> holder(const Address& address);

  /// The address counts as in use until this command ends: it is somebody's whose file could not be
  /// restored.
  void hold_back(const Address& address) { held_back_.insert(address); }
  /// True when this command holds an address back.
  [[nodiscard]] bool holds_back() const { return !held_back_.empty(); }

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
  /// The same of one of files().
  [[nodiscard]] std::optional<Stamp> stamp_of(const AttachmentFile& file);
  [[nodiscard]] std::optional<Stamp> recorded_stamp(const std::string& name);
  [[nodiscard]] FileIdentity file_identity(const Fd& file) { return fs_.identify(file); }
  /// `file`: what create() made for the attachment, or one of its files.
  Outcome publish(const Fd& file, const Attachment& attachment, const Address& address);
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
  [[nodiscard]] std::optional<FileIdentity> times() noexcept;
  [[nodiscard]] bool has_changed() noexcept;
  void forget();
  void read_all();
  void list_all();
  void read_listed();
  [[nodiscard]] bool has_run() const;
  [[nodiscard]] bool open_index();
  void list_names();
  enum class Kind : std::uint8_t { regular, unknown };
  [[nodiscard]] std::optional<std::string> read_owner(const std::string& name, Kind kind);
  [[nodiscard]] AttachmentFile read_entry(const std::string& name, Kind kind);
  void add_file(AttachmentFile file);
  [[nodiscard]] OpenText* open_cursor(const std::string& name);
  [[nodiscard]] std::optional<std::vector<AttachmentFile>> find_by_index(
      const std::string& container_id);
  void distrust_index();
  void will_change();
  [[nodiscard]] bool deserves_index() const;
  void make_index();
  [[nodiscard]] bool prepare_index();
  [[nodiscard]] bool is_worth_it(std::size_t files) const;
  void note_removed(const std::string& name);
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
  std::map<std::string, std::optional<OpenText>> open_cursors_;  ///< none: not to be written over
  std::set<Address> nested_;
  std::set<Address> held_back_;
  std::string nested_trouble_;  ///< why the nested folder cannot be read; "" when it can
  RecordFolder* records_ = nullptr;
  bool is_current_ = false;  ///< this object changed nothing since it looked
  bool has_files_ = false;   ///< `files_` and its like are what the last scan found

  // Where nothing was scanned: what single looks found, and all names once there were many looks.
  std::map<Address, std::optional<AttachmentFile>> looked_at_;
  std::size_t looks_ = 0;
  std::optional<AddressSet> names_;

  RunFolder* run_ = nullptr;
  std::string boot_id_;
  std::optional<AttachmentIndex> index_;
  std::optional<FileIdentity> here_;  ///< the folder when what is known of it was true
  bool is_changing_ = false;          ///< this object changed the folder since `here_`
  std::size_t wanted_held_ = 0;
  bool is_sealable_ = true;  ///< nobody else did, as far as one can see
  /// What this object changed since the scan.
  std::vector<AttachmentIndex::Entry> added_;
  std::set<std::string> removed_;

  /// The names of what `files_` will be, and whether each is known to be a regular file.
  std::vector<std::pair<std::string, bool>> listed_;
  std::unique_ptr<EntryReader> reader_;  ///< of what is listed; ends before all that it uses
};

}  // namespace allocator::store
