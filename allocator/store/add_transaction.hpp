#pragma once
/// One ADD under the lock: find, choose, publish, record. Used by LeaseStore::add only.
#include "allocator/store/add_context.hpp"
#include "allocator/store/pod_records.hpp"
#include "allocator/store/requests.hpp"
#include "allocator/store/snapshot.hpp"
#include "allocator/store/state/stamp.hpp"

namespace allocator::store {

class AddTransaction {
 public:
  AddTransaction(const AddContext& context, const AddRequest& request, Stamp stamp)
      : context_(context),
        network_(context.session.network()),
        records_(context.session.records()),
        request_(request),
        stamp_(std::move(stamp)),
        pod_records_(context, request) {}

  /// Runs the whole step; the lock is held.
  /// Errors: throws Error, std::system_error, ClosedRecord; then everything but the cursors has
  /// been taken back.
  void run();

  [[nodiscard]] const std::vector<Pick>& picks() const { return picks_; }
  [[nodiscard]] const std::vector<std::pair<Address, FileIdentity>>& linked() const {
    return linked_;
  }
  /// Every name that the attachment has now, with its inode.
  [[nodiscard]] const std::vector<std::pair<Address, FileIdentity>>& answered() const {
    return answered_;
  }
  /// What was taken over from attachments of this boot whose DEL has not come.
  [[nodiscard]] const std::vector<TakenOver>& taken_over() const { return taken_over_; }
  /// The files that hold the answer's addresses, open, to be fsynced.
  std::vector<Fd> take_files();

 private:
  void find_present();
  [[nodiscard]] bool has_anothers_sandbox();
  [[nodiscard]] Wish make_wish();
  void put_told_last_first(Wish& wish);
  void choose_addresses();
  [[nodiscard]] Choice choose_once(StoreSnapshot& snapshot);
  [[nodiscard]] bool rescue_lost(const std::vector<Pick>& picks);
  void describe_exhaustion(Error& error, Snapshot& snapshot) const;
  bool publish();
  void end_dead_owners();
  void end_dead_owner(const std::string& owner);
  void note_taken_over(const Pick& pick, const AttachmentFile& dead);
  void take_set_asides();
  /// A file of the attachment, open: its inode, and whether that has the stamp.
  struct OwnFile {
    Fd fd;
    FileIdentity identity;
    Supported stamp;
    bool has_private_name = false;  ///< where the file system makes none without a name
  };

  [[nodiscard]] const OwnFile& file_to_link();
  void record_stamp(const Address& address, const FileIdentity& file);
  void renew_stamps();
  void look_at_former_use();
  void write_cursors();
  void discard_private_name();
  void take_back() noexcept;

  AddContext context_;
  NetworkDir& network_;
  std::optional<RecordFolder>& records_;
  const AddRequest& request_;
  Stamp stamp_;
  PodRecords pod_records_;

  std::vector<AttachmentFile> present_;
  OnDuplicate on_duplicate_ = OnDuplicate::same_addresses;
  std::vector<Pick> picks_;
  std::vector<std::pair<Address, FileIdentity>> linked_;
  std::vector<std::pair<Address, FileIdentity>> answered_;
  std::vector<TakenOver> taken_over_;
  std::vector<OwnFile> files_;
  std::optional<OwnFile> new_file_;  // until it has its names
};

}  // namespace allocator::store
