#pragma once
/// A network that a command has opened: its folder, its records, its run folder, and what has
/// to be done before the command's own business.
///
///     Session   without the lock: boot_id, run folder
///     lock      takes the network's lock; once a boot the runtime's cache before it
///     prepare   under the lock: pending releases, boot scan
///     flush     after the lock: fsyncs
///
/// How long the lock is held is the command's: see lease_store.cpp.
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "allocator/range_set.hpp"
#include "allocator/reservations.hpp"
#include "allocator/store/bindings.hpp"
#include "allocator/store/boot_scan.hpp"
#include "allocator/store/disk/failure_list.hpp"
#include "allocator/store/disk/network_lock.hpp"
#include "allocator/store/held_addresses.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/state/run_folder.hpp"
#include "allocator/store/state/set_aside.hpp"
#include "allocator/store/state/stamp.hpp"
#include "allocator/store/state/viewpoint.hpp"
#include "allocator/store/store_options.hpp"

namespace allocator::store {

class Session {
 public:
  /// What a store has for its commands. All must outlive the session.
  struct Parts {
    FileSystem& fs;
    const StoreOptions& options;
    AttachmentSource* source;         ///< the runtime's cache; may be null
    std::vector<std::string>& notes;  ///< what an operator wants to know
  };

  /// `changed`: folders to flush, as something was made in them.
  /// Errors: throws std::system_error.
  Session(const Parts& parts, Directory folder, std::vector<std::string> changed);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// What the command that takes the lock is about to do.
  enum class Purpose : std::uint8_t { reserve, release };
  /// Takes the lock, and knows from then on how far this boot has come. What takes long and is
  /// needed once a boot (the runtime's cache) is read before.
  /// Errors: as NetworkLock; throws Unsupported when something is to be reserved and a folder lies
  /// on a file system that cannot be worked on.
  [[nodiscard]] NetworkLock lock(Purpose purpose);
  /// What comes first under the lock: releases that had to wait, then the boot scan. `sets`: where
  /// live attachments without a file get theirs back; none when the ranges are not known.
  void prepare(const RangeSets& sets);

  /// What is known of the network folder, and of what is held, begins anew: see NetworkDir::look().
  void look_at_network();
  [[nodiscard]] HeldAddresses& held() { return held_; }

  /// Looks at the runtime's cache once more: address files were found missing in the middle of a
  /// boot. Once in a command. The records' changes count anew.
  void look_for_lost(const RangeSets& sets);
  /// True for a binding whose address file vanished in this boot: its pod may still run.
  [[nodiscard]] bool is_lost(const Address& address, const Binding& binding);

  /// True for an address without a file that was in use in this boot and that nobody has released:
  /// by its binding, or by note_unbound().
  [[nodiscard]] bool may_be_lost(const Address& address);
  /// An attachment got the address, and no binding tells of it.
  void note_unbound(const Address& address);
  /// The address is about to lose its binding; who has it may live on.
  void note_given_up(const Address& address, const Binding& binding);
  /// The addresses are in no use any more.
  void forget_unbound(const std::vector<Address>& freed);

  /// Opens the records, making them. Nothing happens without retention.
  void require_records();
  /// The same as far as the disk allows: a release must not fail for it.
  void try_records();

  /// What becomes of freed addresses: held by the bindings that name them, see hold(), else marked
  /// as used in this boot.
  void end_use(const std::vector<Address>& freed, const Owner& owner);

  /// True when a pending release could not be done.
  [[nodiscard]] bool has_pending() const { return has_pending_; }
  [[nodiscard]] NetworkDir& network() { return network_; }
  [[nodiscard]] std::optional<RecordFolder>& records() { return records_; }
  /// False when there are records that could not be opened.
  [[nodiscard]] bool knows_records() const { return knows_records_; }
  [[nodiscard]] RunFolder& run() { return *run_; }
  /// What is set aside. The lock is held; prepare() has run.
  [[nodiscard]] SetAsides& set_asides();
  /// Keeps what `rangesFrom` gave as the last good copy, also without retention. A disk that has no
  /// room for it is told in the notes.
  void remember_ranges(const RememberedRanges& ranges);
  /// What an administrator keeps back: what is configured, and what is pinned by hand. A list of
  /// pins that cannot be read is told in the notes, and pins nothing. `configured` must outlive the
  /// session.
  [[nodiscard]] const Reservations& reservations(const Reservations& configured);
  /// Empty when it cannot be read.
  [[nodiscard]] const std::string& boot_id() const { return boot_id_; }
  /// Asked for when something is stamped or judged: a DEL does neither.
  [[nodiscard]] const Viewpoint& viewpoint();

  /// Leaves the release to the next command that can change the folder. False when that could not
  /// be told.
  bool postpone_release(const Attachment& attachment);

  /// To be called before the first file of an attachment is removed: a command that is killed
  /// before its flush leaves word for the one that finds nothing. False when no word could be left:
  /// the command must flush, also when it fails.
  bool will_remove(const Attachment& attachment);
  /// True when files of the attachment were removed and nobody knows that to be on the disk: who
  /// answers that it has none must flush_removal() first.
  [[nodiscard]] bool is_unflushed(const Attachment& attachment);

  /// Flushes new files, the network folder and the records.
  /// Errors: throws std::system_error; must not be called again then.
  void flush(const std::vector<Fd>& files);
  /// Flushes the folders above that were changed; all of them in the first ADD of a boot, as
  /// whoever made them may have died before flushing.
  void flush_parents();
  /// Flushes what a release changed, as far as it goes; `above`: folders that others may have
  /// changed.
  void flush_release(FailureList& failures, const std::vector<std::string>& above = {});
  /// Flushes what another command removed, and may have changed in the records for it.
  void flush_removal(FailureList& failures);
  /// The runtime's cache, newest entries first; read at most once. To be asked without the lock.
  [[nodiscard]] const std::vector<CachedAttachment>& cached();
  /// The stamp of an attachment as the runtime's cache tells it, which is read where it was not;
  /// nullopt when it does not tell who has the address.
  [[nodiscard]] std::optional<Stamp> cached_stamp(const Attachment& attachment,
                                                  const Address& address);
  /// True when the runtime's cache, which is read where it was not, tells that the attachment was
  /// given the address.
  [[nodiscard]] bool is_cached(const Attachment& attachment, const Address& address) {
    return cached_entry(attachment, address) != nullptr;
  }

 private:
  [[nodiscard]] const CachedAttachment* cached_entry(const Attachment& attachment,
                                                     const Address& address);
  void open_run();
  [[nodiscard]] std::string generation_of(const FileIdentity& lock) const;
  void begin(const NetworkLock& lock);
  [[nodiscard]] std::optional<NetworkLock> lock_of_known_boot(Purpose purpose);
  [[nodiscard]] bool is_first() const;
  [[nodiscard]] bool is_scan_due() const;
  [[nodiscard]] bool is_restore_due() const;
  void refuse_unfit_disk();
  void open_existing_records();
  [[nodiscard]] std::vector<Pin> readable_pins();
  [[nodiscard]] bool has_no_pins();
  void replay_pending();
  [[nodiscard]] bool replay(const Attachment& attachment);
  void run_boot_scan(const RangeSets& sets, bool restores);
  void flush_what_is_unknown();
  void forget_removals();

  Parts parts_;
  NetworkDir network_;
  std::vector<std::string> changed_;
  std::string boot_id_;
  std::optional<Viewpoint> viewpoint_;
  std::string generation_;  ///< see RunFolder; empty until there is a lock file
  std::optional<RunFolder> run_;
  std::optional<FileIdentity> run_of_;  ///< the network folder that `run_` is about
  std::optional<SetAsides> set_asides_;
  std::optional<RecordFolder> records_;
  bool knows_pins_ = false;
  std::optional<Reservations> with_pins_;  ///< where something is pinned by hand
  HeldAddresses held_{network_, records_, run_};
  std::optional<RecordFolder> ranges_folder_;  ///< where the ranges are kept without retention
  bool knows_records_ = true;
  bool has_pending_ = false;
  bool is_fit_ = false;  ///< no folder lies on a file system that is refused
  bool looked_for_lost_ = false;
  bool was_first_ = false;  ///< nothing was known of this boot, or /run has been emptied
  std::vector<Attachment> removed_;
  std::optional<std::vector<CachedAttachment>> cached_;  ///< none: not read yet
};

/// What is said of a folder on such a file system. `key`: where it is configured.
std::string unfit_text(const std::string& path, const UnfitDisk& disk, const std::string& key);

}  // namespace allocator::store
