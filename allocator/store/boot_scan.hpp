#pragma once
/// What is done once in a boot for a network, under the lock, before anything else: mend what a
/// power cut left, learn whose addresses those without a binding are, and start the clock for leaks
/// that the Go plugin left.
///
/// Trouble with one file is that file's own: it is told in the notes and the scan goes on.
/// After a crash: each step stands on its own; the next command does all of it again.
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "allocator/range_set.hpp"
#include "allocator/store/state/attachment_source.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/state/run_folder.hpp"
#include "allocator/store/state/viewpoint.hpp"
#include "allocator/store/store_options.hpp"

namespace allocator::store {

/// The interface that pods have where nobody says its name.
inline constexpr const char* kPodInterface = "eth0";

/// What the name of a file of OpenYurt's patched host-local says: "<address>_<namespace>_<pod>", an
/// empty file beside the address' own.
struct Marker {
  Address address;
  PodKey pod;
};
/// Errors: nullopt for any other name.
std::optional<Marker> parse_marker(const std::string& name);

class BootScan {
 public:
  struct Parts {
    FileSystem& fs;
    NetworkDir& network;
    RunFolder& run;
    AttachmentSource* source;  ///< where `cached` came from; may be null
    const std::string& boot_id;
    std::function<const Viewpoint&()> viewpoint;  ///< what stamps tell of this call
    const StoreOptions& options;
    std::vector<std::string>& notes;  ///< what was found and done, for the log
    bool is_first = true;             ///< no scan of this boot has come to its end
  };

  explicit BootScan(const Parts& parts) : parts_(parts), network_(parts.network) {}

  /// Removes torn files and stamps those without a stamp.
  /// Returns false when the patience for it ran out: then it goes on at the next command.
  bool look_at_files();

  /// Gives live attachments whose file is missing their file back: the folder was wiped, or the
  /// pods came from another IPAM. Only inside `sets`. Of several that claim an address the one of
  /// the pod that it is bound to gets it; where that does not tell, nobody until all but one are
  /// gone, as the time of an entry proves nothing (clocks are set back). `records`: may be null.
  /// Returns false when one could not be restored: its addresses are held back then, and the next
  /// command is to try again.
  bool restore_live(const std::vector<CachedAttachment>& cached, const RangeSets& sets,
                    RecordFolder* records);

  /// True when there is anything to be learned about bindings.
  [[nodiscard]] bool has_work_for_records(const std::vector<CachedAttachment>& cached) const;

  /// Binds addresses that have no binding: to the pods that the cache names for their attachments,
  /// to those of OpenYurt's marker files; and for pods of attachments that are gone, file and all
  /// (a lost store), the addresses in `sets` that they had (all where the ranges are not known).
  /// Returns false when one could not be written, so that it should be tried again.
  bool learn_bindings(RecordFolder& records, const std::vector<CachedAttachment>& cached,
                      const RangeSets& sets);

  /// Notes in the run folder which addresses in use no binding tells of. `records`: may be
  /// null.
  void mark_unbound(RecordFolder* records);

  /// True when this boot was recorded before: somebody has emptied the run folder since.
  [[nodiscard]] bool knew_boot() const { return knew_boot_; }
  /// True when the folder was changed and needs an fsync.
  [[nodiscard]] bool changed() const { return changed_; }

 private:
  void remove_if_torn(const AttachmentFile& file);
  void stamp_if_unstamped(const AttachmentFile& file);
  bool is_of_now(const Stamp& stamp);
  bool is_made_since_boot(const AttachmentFile& file, const std::optional<Stamp>& stamp);
  bool may_be_of_now(const AttachmentFile& file);
  bool is_told_by_binding(RecordFolder* records, const AttachmentFile& file);
  void renew_earlier_stamp(const Fd& file, const Stamp& stamp, const std::string& container_id);
  /// The attachment that gets an address back.
  struct Claim {
    const CachedAttachment* cached;
    int strength;
    const CachedAttachment* rival = nullptr;  ///< another one for which as much speaks
  };
  void claim(const CachedAttachment& cached, const RangeSets& sets, RecordFolder* records,
             std::map<Address, Claim>& claims);
  bool adopt_attachment(RecordFolder& records, const CachedAttachment& cached);
  void publish(const CachedAttachment& cached, const Address& address);
  bool adopt_in_use(RecordFolder& records, const std::vector<CachedAttachment>& cached);
  void adopt_marker(RecordFolder& records, const std::string& name, bool wants_in_use);
  void adopt_lost(RecordFolder& records, const CachedAttachment& cached, const RangeSets& sets);
  void stamp_released(RecordFolder& records);
  [[nodiscard]] std::string boot8() const { return boot8_of(parts_.boot_id); }

  Parts parts_;
  NetworkDir& network_;
  std::set<std::string> seen_first_;  ///< files that nobody had stamped
  bool changed_ = false;
  bool knew_boot_ = false;
};

}  // namespace allocator::store
