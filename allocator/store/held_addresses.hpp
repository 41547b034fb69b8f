#pragma once
/// The held addresses of a network, within one command, and the list of them in the index: made
/// when an eviction has asked for it, and kept from there on, so that the next one reads no record
/// but that of its choice.
#include <optional>
#include <vector>

#include "allocator/choose.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/state/run_folder.hpp"

namespace allocator::store {

class HeldAddresses {
 public:
  /// All must outlive the object. Without records nothing is held.
  HeldAddresses(NetworkDir& network, std::optional<RecordFolder>& records,
                std::optional<RunFolder>& run)
      : network_(network), records_(records), run_(run) {}

  /// The network folder has been looked at: what is known of the held addresses begins anew.
  void look();
  /// What is known ends, also what the index says.
  void forget();

  /// Every address that is bound and not in use, from the index where that tells.
  [[nodiscard]] std::vector<HeldAddress> all();
  /// What all() said is not so. True when it came from the index: the next time all records are
  /// read.
  bool distrust();

  /// To be called before anything is changed that makes these addresses held, or not held any more:
  /// whoever is killed then leaves no list that is wrong.
  void touch(const std::vector<Address>& addresses);
  /// So many releases have come that what is held too much should go, see trim().
  void want_trim() { is_trim_due_ = true; }
  /// The last step under the lock of a command that may have changed what is held: the index's list
  /// follows, and what is held too much goes. Whatever fails here costs the next eviction some
  /// reading.
  void settle() noexcept;

 private:
  [[nodiscard]] std::vector<HeldAddress> read() const;
  void keep_list();
  [[nodiscard]] bool put(AttachmentIndex& index, const Address& address);

  NetworkDir& network_;
  std::optional<RecordFolder>& records_;
  std::optional<RunFolder>& run_;
  bool has_looked_ = false;
  bool is_trim_due_ = false;
  std::optional<std::vector<HeldAddress>> found_;  ///< before this command's changes
  std::vector<Address> touched_;                   ///< what may be held since, or not any more
};

}  // namespace allocator::store
