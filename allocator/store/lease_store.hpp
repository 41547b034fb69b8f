#pragma once
/// host-local's verbs over the network folder and the records: the order of calls, the fsyncs, the
/// undo.
///
///     ADD  lock; find; choose; file without a name: content, stamp; link each name; records;
///          cursor; unlock; fsync file, network folder, record folder; look again at our own
///          names; answer
///     DEL  lock; find; unlink each name; stamp the bindings (in use becomes held); unlock;
///          fsync both folders
///
/// Content and stamp come before the name, so a killed process never leaves a name with less than
/// its owner. The fsyncs come after the lock is freed, so that others do not wait for the disk, and
/// before every answer, whoever wrote what the answer tells. Up to the fsyncs everything an ADD
/// made is taken back when it fails.
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "allocator/choose.hpp"
#include "allocator/store/bindings.hpp"
#include "allocator/store/boot_scan.hpp"
#include "allocator/store/disk/failure_list.hpp"
#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/disk/folders.hpp"
#include "allocator/store/disk/network_lock.hpp"
#include "allocator/store/repeat.hpp"
#include "allocator/store/requests.hpp"
#include "allocator/store/session.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/store_options.hpp"

namespace allocator::store {

class DeathJudge;

inline constexpr unsigned kNetworkFolderMode = 0755;  ///< what the Go plugin makes

class LeaseStore {
 public:
  /// `source`: the runtime's result cache, if there is one to read; must outlive the store.
  LeaseStore(FileSystem& fs, StoreOptions options, AttachmentSource* source = nullptr)
      : fs_(fs), options_(std::move(options)), source_(source) {}

  /// What an operator wants to know of the calls so far: evictions, changed addresses, takeovers,
  /// healed files.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  /// Gives the attachment one address from each set, durably.
  /// Errors: throws Error (no address), TryAgain (lock, concurrent DEL), ClosedRecord,
  /// std::system_error; then nothing of this call is left but the cursors.
  /// After a crash: complete files that nobody has been told of; DEL frees them, a repeated ADD
  /// returns them.
  Lease add(const AddRequest& request);

  /// Takes an answered ADD back that could not be told to the caller: names with our inode and
  /// content, and our records. What the attachment had before stays, and so does everything once a
  /// DEL has come, or another ADD of the attachment was answered.
  /// Errors: throws TryAgain, std::system_error; then the attachment stays until its DEL.
  void undo(Lease& lease);

  /// Frees all addresses of the attachment and turns their bindings into held ones. Returns the
  /// freed addresses; none for an unknown attachment, which is success. Where the disk takes no
  /// changes or the lock cannot be had, the release is pending: the next command that can write
  /// does it first. What a main plugin takes back because its repeated ADD failed stays.
  /// Errors: throws TryAgain, std::system_error; what is freed stays freed.
  std::vector<Address> release(const ReleaseRequest& request);

  /// What the attachment holds: all its files, foreign names included.
  [[nodiscard]] std::vector<AttachmentFile> files_of(const Attachment& attachment);

  /// What an ADD was asked to remember last; nullopt when none was. What an earlier version
  /// remembered counts as this node's when the network was used in this very boot: a copied disk
  /// was not.
  [[nodiscard]] std::optional<RememberedRanges> last_ranges();

  /// Why no ADD can work here at all (a folder cannot be made or written); nullopt when nothing is
  /// in the way. Changes nothing.
  [[nodiscard]] std::optional<std::string> obstacle() const;

  /// Frees every attachment that is not in `valid`, unless its network namespace is still there (by
  /// its stamp; for what host-local made in this boot by the runtime's cache), nothing tells which
  /// one it had, or it is one of Cilium's ingress attachments. Returns what was freed.
  /// Errors: as release(); all attachments are tried first.
  std::vector<FreedAddress> collect(const std::vector<Attachment>& valid);

  /// Whether an attachment must be proven dead before it is freed by hand.
  enum class Proof : std::uint8_t { needed, waived };
  /// Frees exactly this attachment for an operator: as its DEL would, but never later. `owner`: for
  /// whom its addresses are held that nothing binds yet. Looks again under the lock: it stays when
  /// `proof` is needed and one of its files does not prove it.
  /// Errors: throws TryAgain, std::system_error; what is freed stays freed.
  /// After a crash: some of its addresses may be in use still; the same call frees them.
  HandRelease release_by_hand(const Attachment& attachment, const Owner& owner, Proof proof);

  /// Ends all bindings of a pod that nobody uses; none while one of its addresses is in use, or was
  /// in this boot and its file is gone: its DEL would bind it anew. `newest`: the highest number of
  /// a DEL that the caller knows of; with a higher one the pod has used its address since, and
  /// keeps all; but for those of `own`, which a release_by_hand() of the caller has given.
  /// Errors: throws TryAgain, ClosedRecord, std::system_error.
  /// After a crash: some of them may be there still; the same call ends them.
  Forgotten forget_pod(const PodKey& pod,
                       std::uint64_t newest = std::numeric_limits<std::uint64_t>::max(),
                       const std::vector<std::uint64_t>& own = {});

  /// Pins addresses to pods by hand: nobody else gets one from here on. Whoever has it or is bound
  /// to it is not looked at. Returns those on an address that is another pod's by hand, none of
  /// which is pinned then.
  /// Errors: throws TryAgain, ClosedRecord, std::system_error.
  /// After a crash: the list of before, or the new one; the same call makes it durable.
  std::vector<Pin> pin(const std::vector<Pin>& pins);
  /// Takes pins by hand away, as pin() puts them.
  void unpin(const std::vector<Pin>& pins);

  /// Binds pods to addresses, durably: to one that nobody uses as their DEL would leave it, each
  /// pod held shorter than those before it; to one that the pod uses as its ADD would. Never more
  /// are held than may be: nothing goes for it. Returns for each pod what became of each of its
  /// addresses. The lock is held for all of them: who has many pods calls several times. The store
  /// must be one with retention.
  /// Errors: throws TryAgain, Unsupported, std::system_error; what is written stays, perhaps not
  /// durably.
  /// After a crash: some may be bound; the same call binds the rest, and flushes all.
  std::vector<std::vector<Hold>> hold_by_hand(const std::vector<HandHold>& pods, Force force);

 private:
  [[nodiscard]] std::optional<Directory> open_existing() const;
  [[nodiscard]] Session open_session(Directory folder, std::vector<std::string> changed = {});
  void tell_of_siblings(const AddRequest& request);
  [[nodiscard]] Lease reserve(Session& session, const AddRequest& request,
                              std::vector<std::pair<Address, FileIdentity>>& answered);
  void refuse_deleted(Session& session, const Attachment& attachment);
  [[noreturn]] void undo_or_say_so(Lease& lease, const std::exception_ptr& cause);
  [[nodiscard]] std::vector<Address> release_now(Session& session, const ReleaseRequest& request,
                                                 std::optional<TakenBack>& taken_back);
  [[nodiscard]] bool postpone(Session& session, const Attachment& attachment,
                              std::optional<TakenBack>& taken_back);
  [[nodiscard]] std::optional<Directory> open_for_release(const ReleaseRequest& request,
                                                          std::vector<std::string>& changed);
  void change_pins(const std::function<void(std::vector<Pin>&)>& change);
  void refuse_if_unreadable(Session& session, const Attachment& attachment,
                            const std::optional<PodKey>& pod);
  [[nodiscard]] bool is_protected(Session& session, DeathJudge& judge, const AttachmentFile& file);

  FileSystem& fs_;
  StoreOptions options_;
  AttachmentSource* source_;
  std::vector<std::string> notes_;
};

}  // namespace allocator::store
