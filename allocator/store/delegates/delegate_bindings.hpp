#pragma once
/// The bindings of pods whose addresses an IPAM plugin of its own hands out.
///
/// For host-local they are those of the built-in allocator, in the same folder of records: one can
/// take over from the other. Its address files get our stamp, so that a dead attachment can be told
/// from a live one. For every other plugin they lie under "delegate:<plugin>/<network>" in the
/// state folder and tell the operator who has what. Nothing here is needed to answer an ADD: what
/// cannot be recorded is told in the notes.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocator/binding.hpp"
#include "allocator/store/bindings.hpp"
#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/state/run_folder.hpp"
#include "allocator/store/state/set_aside.hpp"
#include "allocator/store/state/viewpoint.hpp"
#include "allocator/store/store_options.hpp"

namespace allocator::store {

class DeathJudge;

/// What is asked of host-local for a pod that comes back.
struct Wishes {
  std::vector<Address> addresses;
  /// Attachments on them that are proven dead: they must be deleted first.
  std::vector<Attachment> dead;
  /// Those of the addresses that they had in this boot.
  std::vector<TakenOver> taken_over;
};

/// What host-local's folder has of an attachment.
enum class Presence : std::uint8_t { none, live, dead };

/// Who gets addresses: the attachment, and whose it is.
struct DelegatedOwner : Owner {
  Attachment attachment;
  std::string netns_path;
};

class DelegateBindings {
 public:
  /// `options.network_dir`: host-local's folder, else delegate_label(). All must outlive the
  /// object.
  DelegateBindings(FileSystem& fs, const StoreOptions& options, RunFolder& run,
                   std::vector<std::string>& notes)
      : fs_(fs), options_(options), run_(run), notes_(notes) {
    run_.set_boot(boot_id());
  }

  /// The pod's bound addresses that no live attachment holds and that are not left aside, newest
  /// first. Address files on them that a power cut emptied are removed. Nothing for any plugin but
  /// host-local.
  /// Errors: throws LockTimeout, std::system_error, ClosedRecord.
  [[nodiscard]] Wishes wishes(const DelegatedOwner& owner);

  /// The first of the addresses that is kept for a pod of another namespace than the owner's, or
  /// whose binding cannot be read; nullopt for a caller without a pod, and for any plugin but
  /// host-local.
  /// Errors: throws std::system_error.
  [[nodiscard]] std::optional<Address> kept_for_others(const DelegatedOwner& owner,
                                                       const std::vector<Address>& addresses);

  /// Whether host-local's folder has an address of the attachment: `dead` when all that it has are
  /// proven dead's, `live` otherwise; who made a file without a stamp may be alive. Reads the whole
  /// folder. `none` for other plugins.
  /// Errors: throws LockTimeout, std::system_error.
  [[nodiscard]] Presence presence(const DelegatedOwner& owner);

  /// For plugins whose store cannot be looked into: true when /run tells of every ADD of this boot
  /// that came through us. The first one says in the state folder that the boot is seen; false when
  /// that is there and the mark in /run is not, as somebody has emptied /run; or when it cannot be
  /// told.
  [[nodiscard]] bool knows_whole_boot() noexcept;

  /// What this call's answer is recorded with.
  [[nodiscard]] Stamp stamp_of(const DelegatedOwner& owner);
  /// True when an answer was given to another network namespace than this call's, and both are
  /// there: one container ID is used for several containers.
  [[nodiscard]] bool is_given_elsewhere(const DelegatedOwner& owner, const Stamp& given_to);
  /// Stamps host-local's files for this call: the container has another namespace than before.
  void renew(const DelegatedOwner& owner, const std::vector<Address>& addresses);

  /// True when every one of the addresses is the attachment's in host-local's folder; true for
  /// other plugins, whose store cannot be looked into.
  [[nodiscard]] bool still_holds(const Attachment& attachment,
                                 const std::vector<Address>& addresses);

  /// Binds the pod to the addresses and stamps host-local's files, durably. Addresses that the
  /// attachment has no more, as its DEL came meanwhile, are left to whom they are bound. `ranges`:
  /// what rangesFrom gave.
  void record(const DelegatedOwner& owner, const std::vector<Address>& addresses,
              const RememberedRanges& ranges);

  /// The addresses that a DEL of the attachment is going to free, as far as host-local's folder or
  /// the pod's bindings of an earlier boot tell.
  [[nodiscard]] std::vector<Address> about_to_be_freed(const DelegatedOwner& owner);
  /// A DEL of `ended` is done: sets aside what its main plugin took back, for host-local; see
  /// set_aside.hpp.
  void set_aside(const std::vector<TakenOver>& taken, const Attachment& ended);
  /// Turns the bindings of freed addresses into held ones.
  void release(const DelegatedOwner& owner, const std::vector<Address>& freed);

 private:
  [[nodiscard]] bool is_host_local() const { return options_.network_dir.starts_with('/'); }
  void write(const DelegatedOwner& owner, const std::vector<Address>& addresses,
             const RememberedRanges& ranges);
  [[nodiscard]] static bool has_live_files(NetworkDir& network, DeathJudge& judge,
                                           const Attachment& attachment);
  [[nodiscard]] std::vector<Address> refused_now(const Directory& folder);
  void stamp(NetworkDir& network, const DelegatedOwner& owner,
             const std::vector<Address>& addresses);
  [[nodiscard]] RunFolder run_of(const Directory& folder);
  void note_evicted(const Directory& folder, const Bindings& ended);
  [[nodiscard]] std::vector<Address> still_held(NetworkDir& network, const DelegatedOwner& owner,
                                                const std::vector<Address>& addresses);
  void flush(RecordFolder& records, const std::vector<std::string>& changed);
  [[nodiscard]] std::vector<Address> not_taken_again(RecordFolder& records, const Directory& folder,
                                                     const DelegatedOwner& owner,
                                                     const std::vector<Address>& freed);
  [[nodiscard]] bool is_torn(const FileContent& file, const Binding& binding);
  [[nodiscard]] const std::string& boot_id();
  [[nodiscard]] Viewpoint viewpoint();

  FileSystem& fs_;
  const StoreOptions& options_;
  RunFolder& run_;
  std::vector<std::string>& notes_;
  std::optional<std::string> boot_id_;
};

/// Stands for the network folder of a plugin that is not host-local.
std::string delegate_label(const std::string& plugin, const std::string& network);

}  // namespace allocator::store
