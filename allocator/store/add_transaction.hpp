#pragma once
/// One ADD under the lock: find, choose, publish, record. Used by LeaseStore::add only.
#include "allocator/store/lease_store.hpp"
#include "allocator/store/stamp.hpp"

namespace allocator::store {

class AddTransaction {
 public:
  /// `records` may be empty: then nothing is retained.
  AddTransaction(NetworkDir& network, std::optional<RecordFolder>& records,
                 const AddRequest& request, Stamp stamp)
      : network_(network), records_(records), request_(request), stamp_(std::move(stamp)) {}

  /// Runs the whole step; the lock is held.
  /// Errors: throws Error, std::system_error, NewerFormat; then everything but the cursors has been
  /// taken back.
  void run();

  [[nodiscard]] const std::vector<Pick>& picks() const { return picks_; }
  [[nodiscard]] const std::vector<std::pair<Address, FileIdentity>>& linked() const {
    return linked_;
  }
  /// Every name that the attachment has now, with its inode.
  [[nodiscard]] const std::vector<std::pair<Address, FileIdentity>>& answered() const {
    return answered_;
  }
  /// The files that hold the answer's addresses, open, to be fsynced.
  std::vector<Fd> take_files() { return std::move(files_); }

 private:
  void find_present();
  void refuse_if_own_is_unreadable();
  [[nodiscard]] Wish make_wish();
  void choose_addresses();
  void describe_exhaustion(Error& error, Snapshot& snapshot) const;
  bool publish();
  /// An open file and its inode.
  struct OpenFile {
    const Fd* fd;
    FileIdentity identity;
  };

  [[nodiscard]] OpenFile file_to_link();
  void renew_stamps();
  void write_records();
  void forget_evicted();
  [[nodiscard]] Binding binding_for(const Pick& pick) const;
  [[nodiscard]] std::vector<Address> still_bound(const std::vector<Address>& chosen) const;
  void write_cursors();
  void take_back() noexcept;

  NetworkDir& network_;
  std::optional<RecordFolder>& records_;
  const AddRequest& request_;
  Stamp stamp_;

  std::vector<AttachmentFile> present_;
  std::vector<std::pair<Address, Binding>> bound_;  // the pod's verified bindings, newest first
  std::optional<PodHint> hint_;
  std::vector<Pick> picks_;
  std::vector<std::pair<Address, FileIdentity>> linked_;
  std::vector<std::pair<Address, FileIdentity>> answered_;
  std::vector<Fd> files_;
  std::vector<FileIdentity> identities_;  // of files_
  std::optional<FileSystem::NewFile> new_file_;
  std::optional<FileIdentity> new_identity_;
};

}  // namespace allocator::store
