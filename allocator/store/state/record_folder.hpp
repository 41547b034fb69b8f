#pragma once
/// The bindings of one network: what brings a pod back to its address. Never inside the network
/// folder.
///
///     <stateDir>/<network folder's path, escaped>/
///         netdir        -> "1~<network folder's path>"
///         boots         -> "1~<boot8>,<boot8>..."         oldest first
///         node-ranges   -> "1~<node>~<source>~<CIDR>,<CIDR>..."   what rangesFrom gave last; for a
///                          long list "*<hash>.<count>", and its parts as
///                          node-ranges.<hash>.<number>
///         ranges        -> "1~<CIDR>,<CIDR>..."           the same of an earlier version
///         pins          -> "1~<ns>/<pod>=<address>,..."   pinned by hand; a long list as above
///         ip.10.244.1.7 -> "1~<ns>~<pod>~<ifname>~<uid>~<sequence>~<kept>~<boot8>"     the binding
///         pod.<key>     -> "1~<addresses>~<addresses at the previous boot>"            a hint
///         stamp.10.244.1.7 -> see stamp_record.hpp; only where the file system takes no stamp
///
/// Each record is a symbolic link that points nowhere: its target is the data, so it is there whole
/// or not at all, and up to 59 bytes of it cost no block. Changing one is one rename. All methods
/// want the network's lock held.
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/address_set.hpp"
#include "allocator/binding.hpp"
#include "allocator/reservations.hpp"
#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/disk/folders.hpp"
#include "allocator/store/index/odd_time.hpp"

namespace allocator::store {

/// What `rangesFrom` gave last, on which node and where it was written: a state folder may come
/// from another machine (a disk image, a renamed node).
struct RememberedRanges {
  std::string node;
  std::string source;
  std::vector<std::string> cidrs;
  /// True for what an earlier version remembered, which names neither.
  bool is_anonymous = false;
};

/// What a record was before this command changed it; the changes undone in reverse order restore
/// the folder.
struct RecordChange {
  std::string name;
  std::optional<std::string> before;
  std::optional<std::string> after;
};

class RecordFolder {
 public:
  /// Opens the folder of a network, making it first; `changed` as in ensure_folder().
  static RecordFolder create(FileSystem& fs, const std::string& state_dir,
                             const std::string& netdir, std::vector<std::string>& changed);
  /// The same where there is none yet.
  static RecordFolder make(FileSystem& fs, const std::string& state_dir, const std::string& netdir,
                           std::vector<std::string>& changed);
  /// Opens the folder of a network; nullopt when it has none.
  static std::optional<RecordFolder> open(FileSystem& fs, const std::string& state_dir,
                                          const std::string& netdir);

  /// Whoever made the folder may have died before its record `netdir`. Only the search by a
  /// network's name needs it.
  void complete(const std::string& netdir);

  /// Errors: throws ClosedRecord.
  [[nodiscard]] std::optional<Binding> binding(const Address& address);
  [[nodiscard]] std::optional<PodHint> hint(const PodKey& pod);
  /// What is on the disk about an address, for binding() below, and about many pods, for hint();
  /// `pods`: must outlive the reader.
  /// Errors: throws std::system_error for want of descriptors or memory.
  [[nodiscard]] EntryText look_up_binding(const Address& address);
  [[nodiscard]] std::unique_ptr<EntryReader> begin_reading_hints(const std::vector<PodKey>& pods);
  /// The same as those above, of what has been read.
  [[nodiscard]] std::optional<Binding> binding(const Address& address, const EntryText& text);
  [[nodiscard]] std::optional<PodHint> hint(const PodKey& pod, const EntryText& text);
  /// True when there is a record of that address, whatever it says.
  [[nodiscard]] bool has_binding(const Address& address);
  /// The same, with none for what is closed.
  [[nodiscard]] std::optional<Binding> readable_binding(const Address& address);
  [[nodiscard]] std::optional<PodHint> readable_hint(const PodKey& pod);
  /// Why nobody can tell whether the address is bound; nullopt when it can be told.
  [[nodiscard]] std::optional<std::string> why_closed(const Address& address);
  using Bindings = std::vector<std::pair<Address, Binding>>;
  /// Every binding there is and can be read, in no order.
  [[nodiscard]] Bindings bindings() { return survey().bindings; }
  /// All records about addresses.
  struct Survey {
    Bindings bindings;
    std::vector<std::string> closed;  ///< why each of the other bindings cannot be read
    std::vector<Address> stamped;     ///< those with a record stamp.<address>
  };
  [[nodiscard]] Survey survey();

  void put(const Address& address, const Binding& binding);
  void put(const PodKey& pod, const PodHint& hint);
  /// The same in the place of one that the disk does not give. No undo() takes it back.
  void replace_damaged(const PodKey& pod, const PodHint& hint);
  void replace_damaged(const Address& address, const Binding& binding);
  /// Takes away what lies under a name, whatever it is; nor does an undo() take that back.
  void remove_damaged(const std::string& name);
  /// Writes the record `netdir` in the place of a wrong one, likewise.
  void name_owner(const std::string& netdir);
  void remove(const Address& address);
  /// Ends a binding of `pod` that its address was given away from: without another one, its hint
  /// goes too.
  void forget_evicted(const PodKey& pod);

  /// The record stamp.<address>; none when it is closed.
  [[nodiscard]] std::optional<std::string> stamp_record(const Address& address);
  void put_stamp_record(const Address& address, const std::string& record);
  void remove_stamp_record(const Address& address);

  /// The boots in which this network was used, oldest first, as the first eight digits of their
  /// boot_id; none when the record is closed.
  [[nodiscard]] std::vector<std::string> boots();
  /// Adds a boot as the newest; only the last few are kept. False when it is the newest already.
  bool append_boot(const std::string& boot8);
  /// What `rangesFrom` gave last; nullopt when it never did.
  [[nodiscard]] std::optional<RememberedRanges> last_ranges();
  void put_last_ranges(const RememberedRanges& ranges);
  /// What is pinned by hand; an entry that makes no sense is left out.
  /// Errors: throws ClosedRecord, also for a list of which a part is missing.
  [[nodiscard]] std::vector<Pin> pins();
  void put_pins(const std::vector<Pin>& pins);

  /// From here on changes are counted for undo(): those before belong to somebody else's business.
  void begin() {
    // Of a new folder everything stays known: nobody else writes meanwhile.
    for (const auto& change : changes_) read_.insert_or_assign(change.name, change.after);
    bound_.reset();
    changes_.clear();
  }
  /// What this object changed so far.
  [[nodiscard]] const std::vector<RecordChange>& changes() const { return changes_; }
  /// Takes back this object's changes as far as nobody changed the records since. An evicted
  /// binding comes back only while its pod has not been bound anew.
  void undo();
  void sync() { fs_->sync(folder_.fd, folder_.path); }
  /// The folder itself.
  [[nodiscard]] FileIdentity identity() { return fs_->identify(folder_.fd); }
  /// Marks the folder as it is now, see odd_time.hpp.
  [[nodiscard]] std::optional<FileIdentity> mark() { return mark_with_odd_time(*fs_, folder_); }
  [[nodiscard]] const std::string& path() const { return folder_.path; }

 private:
  RecordFolder(FileSystem& fs, Directory folder) : fs_(&fs), folder_(std::move(folder)) {}

  [[nodiscard]] std::optional<std::string> read(const std::string& name);
  [[nodiscard]] std::optional<std::string> read_from_disk(const std::string& name);
  [[nodiscard]] bool is_listed(const std::string& name);
  void list_bound();
  [[nodiscard]] std::string make_temporary(const std::string& target);
  [[nodiscard]] bool wrote(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> read_list(const std::string& name);
  [[nodiscard]] std::vector<std::string> read_parts(const std::string& name,
                                                    const std::string& list);
  bool put_long_list(const std::string& name, const std::string& place,
                     const std::vector<std::string>& list);
  [[nodiscard]] std::string put_parts(const std::string& name, const std::vector<std::string>& list,
                                      const std::string& before);
  void remove_parts(const std::string& name, const std::string& list);
  void put_list(const std::string& name, const std::vector<std::string>& list);
  void remove_record(const std::string& name);
  void write(const std::string& name, const std::optional<std::string>& target);
  void rewrite(const std::string& name, const std::optional<std::string>& target);
  void change(const std::string& name, const std::string& target);
  [[nodiscard]] bool was_stamped(const RecordChange& change);
  [[nodiscard]] bool may_restore(const RecordChange& change);

  FileSystem* fs_;  // a pointer, so that a folder can be moved
  Directory folder_;
  std::vector<RecordChange> changes_;
  /// This object made the folder: there is nothing in it to read.
  bool is_new_ = false;
  /// What was read under the lock: nobody else writes meanwhile.
  std::map<std::string, std::optional<std::string>> read_;
  /// The names in the folder when the first record could not be read.
  std::optional<std::set<std::string>> listed_;
  /// For has_binding(): how often it looked, and what is there once that was often.
  std::size_t looks_ = 0;
  std::optional<AddressSet> bound_;
};

/// The folder of a network inside the state folder: its path with "/" as "_", "_" and other bytes
/// escaped; hashed when over 200 bytes. Injective.
std::string record_folder_name(const std::string& netdir);

/// The address whose binding has this name; nullopt for records of other kinds.
std::optional<Address> bound_address(std::string_view name);

/// The name of a pod's hint: "pod.<key>", or "pod~<SHA-256>" for a key over 200 bytes ("~" is in no
/// escaped key).
std::string hint_name(const PodKey& pod);

/// The paths of all network folders with records under the state folder, sorted.
/// Errors: throws std::system_error when the state folder cannot be listed.
std::vector<std::string> known_network_dirs(FileSystem& fs, const std::string& state_dir);

/// Those whose last component is `network`.
std::vector<std::string> known_network_dirs(FileSystem& fs, const std::string& state_dir,
                                            const std::string& network);

}  // namespace allocator::store
