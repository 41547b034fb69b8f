#pragma once
/// host-local's verbs over the network folder and the records: the order of calls, the fsyncs, the
/// undo.
///
///     ADD  lock; find; choose; file without a name: content, stamp; link each name; records;
///     cursor; unlock;
///          fsync file, network folder, record folder; look again at our own names; answer
///     DEL  lock; find; unlink each name; stamp the bindings (in use becomes held); unlock; fsync
///     both folders
///
/// Content and stamp come before the name, so a killed process never leaves a name with less than
/// its owner. The fsyncs come after the lock is freed, so that others do not wait for the disk, and
/// before every answer, whoever wrote what the answer tells. Up to the fsyncs everything an ADD
/// made is taken back when it fails.
#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "allocator/choose.hpp"
#include "allocator/store/failure_list.hpp"
#include "allocator/store/file_system.hpp"
#include "allocator/store/folders.hpp"
#include "allocator/store/network_dir.hpp"
#include "allocator/store/network_lock.hpp"
#include "allocator/store/record_folder.hpp"
#include "allocator/store/runtime_folder.hpp"

namespace allocator::store {

enum class Retention : std::uint8_t { on, off };

struct StoreOptions {
  std::string network_dir;  ///< absolute path of host-local's folder for the network
  std::string state_dir;
  std::string runtime_dir = "/run/delegated-ipam";
  std::string boot_id_path = "/proc/sys/kernel/random/boot_id";
  Retention retention = Retention::on;
  Durability durability = Durability::full;
  std::chrono::milliseconds lock_patience{10'000};
};

/// What a second ADD of one attachment gets.
enum class OnDuplicate : std::uint8_t { same_addresses, error };

struct AddRequest {
  Attachment attachment;
  std::string netns_path;
  std::optional<PodKey> pod;
  std::string uid;
  /// Another UID under the pod's name does not inherit its address.
  bool require_same_uid = false;
  RangeSets sets;
  Reservations reservations;
  std::vector<Address> requested;
  OnDuplicate on_duplicate = OnDuplicate::same_addresses;
};

/// An answered ADD: the addresses, and what undo() needs to take it back.
struct Lease {
  std::vector<Pick> picks;  ///< the ranges belong to the request
  /// The names that this call made, with their inode.
  std::vector<std::pair<Address, FileIdentity>> linked;
  std::optional<RecordFolder> records;
};

/// An attachment in the network folder.
struct HeldFile {
  Attachment attachment;
  Address address;
};

class LeaseStore {
 public:
  LeaseStore(FileSystem& fs, StoreOptions options) : fs_(fs), options_(std::move(options)) {}

  /// Gives the attachment one address from each set, durably.
  /// Errors: throws Error (no address), TryAgain (lock, concurrent DEL), NewerFormat,
  /// std::system_error; then nothing of this call is left but the cursors. After a crash: complete
  /// files that nobody has been told of; DEL frees them, a repeated ADD returns them.
  Lease add(const AddRequest& request);

  /// Takes an answered ADD back that could not be told to the caller: names with our inode, and our
  /// records. What the attachment had before stays. Errors: throws TryAgain, std::system_error;
  /// then the attachment stays until its DEL.
  void undo(Lease& lease);

  /// Frees all addresses of the attachment and turns their bindings into held ones. `passes`: how
  /// often host-local would look (once for each of its range sets). `pod`: whose attachment it is,
  /// if the caller says so. Returns the freed addresses; none for an unknown attachment, which is
  /// success. Errors: throws TryAgain, std::system_error; what is freed stays freed.
  std::vector<Address> release(const Attachment& attachment, std::size_t passes,
                               const std::optional<PodKey>& pod = std::nullopt);

  /// What the attachment holds: all its files, foreign names included.
  [[nodiscard]] std::vector<AttachmentFile> held_by(const Attachment& attachment);

  /// Why no ADD can work here at all (a folder cannot be made or written); nullopt when nothing is
  /// in the way. Changes nothing.
  [[nodiscard]] std::optional<std::string> obstacle() const;

  /// Frees every attachment that is not in `valid`, unless its stamp names a network namespace that
  /// is still there, or it is one of Cilium's ingress attachments. Returns what was freed. Errors:
  /// as release(); all attachments are tried first.
  std::vector<HeldFile> collect(const std::vector<Attachment>& valid);

 private:
  [[nodiscard]] std::string boot_id();
  [[nodiscard]] std::optional<Directory> open_existing();
  [[noreturn]] void undo_or_say_so(Lease& lease, const std::exception_ptr& cause);
  void sync_all(NetworkDir& network, std::optional<RecordFolder>& records,
                const std::vector<Fd>& files);
  void sync_parents(NetworkDir& network, RuntimeFolder& runtime, const std::string& boot,
                    std::vector<std::string> changed);
  RuntimeFolder& runtime_of(NetworkDir& network, std::optional<RuntimeFolder>& runtime);
  void stamp_bindings(NetworkDir& network, std::optional<RecordFolder>& records,
                      const std::vector<Address>& freed);
  void finish_release(NetworkDir& network, std::optional<RecordFolder>& records,
                      FailureList& failures);
  void refuse_if_unreadable(NetworkDir& network, std::optional<RecordFolder>& records,
                            const std::optional<PodKey>& pod);
  [[nodiscard]] bool is_protected(NetworkDir& network, const AttachmentFile& file);
  [[nodiscard]] std::optional<RecordFolder> existing_records();

  FileSystem& fs_;
  StoreOptions options_;
};

}  // namespace allocator::store
