#include "allocator/store/delegates/delegate_bindings.hpp"

#include <algorithm>
#include <exception>
#include <system_error>

#include "allocator/store/alive/death.hpp"
#include "allocator/store/disk/folders.hpp"
#include "allocator/store/disk/network_lock.hpp"
#include "allocator/store/state/call_start.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/stamp.hpp"

namespace allocator::store {
namespace {

template <typename List>
void append_once(List& list, const typename List::value_type& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

}  // namespace

std::string delegate_label(const std::string& plugin, const std::string& network) {
  return "delegate:" + plugin + "/" + network;
}

const std::string& DelegateBindings::boot_id() {
  if (!boot_id_) boot_id_ = read_boot_id(fs_, options_.boot_id_path);
  return *boot_id_;
}

/// The built-in allocator marks the same /run: stamps of one are judged by the other.
Viewpoint DelegateBindings::viewpoint() {
  const auto folder = is_host_local() ? fs_.open_directory(options_.network_dir) : std::nullopt;
  if (!folder) return look_around(fs_, boot_id(), options_.boot_id_path, run_);
  RunFolder own(fs_, options_.run_dir, fs_.identify(folder->fd));
  return look_around(fs_, boot_id(), options_.boot_id_path, own);
}

Wishes DelegateBindings::wishes(const DelegatedOwner& owner) {
  Wishes wishes;
  const bool may_hold = owner.is_bound() && is_host_local() && options_.retention == Retention::on;
  auto records =
      may_hold ? RecordFolder::open(fs_, options_.state_dir, options_.network_dir) : std::nullopt;
  if (!records) return wishes;
  auto folder = fs_.open_directory(options_.network_dir);
  DeathJudge judge(fs_, viewpoint(), owner.netns_path);
  std::optional<NetworkDir> network;
  std::optional<NetworkLock> lock;
  if (folder) {
    network.emplace(fs_, std::move(*folder));
    lock.emplace(fs_, network->folder(), options_.lock_patience);
    network->keep_stamps_in(&*records);
  }
  const auto refused = network ? refused_now(network->folder()) : std::vector<Address>();
  for (const auto& [address, binding] : bindings_of(*records, *owner.pod)) {
    if (owner.require_same_uid && binding.uid != owner.uid) continue;
    if (contains(refused, address)) continue;
    const auto file = network ? network->read(address.to_string()) : std::nullopt;
    if (file && is_torn(*file, binding)) network->remove(address.to_string());
    if (file && !is_torn(*file, binding)) {
      const Attachment holder = parse_owner(file->bytes);
      const auto stamp = network->stamp_of(address.to_string());
      // Its DEL ends all that its container ID was used for.
      if (!judge.is_dead(holder, stamp) || has_live_files(*network, judge, holder)) continue;
      append_once(wishes.dead, holder);
      if (stamp && is_of_same_run(*stamp, stamp_of(owner)))
        wishes.taken_over.push_back({address, holder});
    }
    wishes.addresses.push_back(address);
  }
  return wishes;
}

std::optional<Address> DelegateBindings::kept_for_others(const DelegatedOwner& owner,
                                                         const std::vector<Address>& addresses) {
  const bool may_be_kept = owner.pod && !addresses.empty() && is_host_local();
  auto records = may_be_kept ? RecordFolder::open(fs_, options_.state_dir, options_.network_dir)
                             : std::nullopt;
  if (!records) return std::nullopt;
  const auto is_others = [&](const Address& address) {
    try {
      const auto binding = records->binding(address);
      return binding && binding->pod.pod_namespace != owner.pod->pod_namespace;
    } catch (const ClosedRecord&) {
      return true;
    }
  };
  const auto found = std::find_if(addresses.begin(), addresses.end(), is_others);
  return found == addresses.end() ? std::nullopt : std::optional(*found);
}

/// host-local does not flush: after a power cut its file may be there without what it said.
bool DelegateBindings::is_torn(const FileContent& file, const Binding& binding) {
  const bool says_nothing = file.bytes.find_first_not_of('\0') == std::string::npos;
  return says_nothing && binding.boot8 != boot8_of(boot_id());
}

void DelegateBindings::renew(const DelegatedOwner& owner, const std::vector<Address>& addresses) {
  if (!is_host_local()) return;
  try {
    auto folder = fs_.open_directory(options_.network_dir);
    if (!folder) return;
    NetworkDir network(fs_, std::move(*folder));
    const NetworkLock lock(fs_, network.folder(), options_.lock_patience);
    auto records = RecordFolder::open(fs_, options_.state_dir, options_.network_dir);
    if (records) network.keep_stamps_in(&*records);
    stamp(network, owner, still_held(network, owner, addresses));
  } catch (const std::exception& error) {
    notes_.push_back("the namespace of " + owner.attachment.container_id +
                     " is not recorded: " + error.what());
  }
}

bool DelegateBindings::still_holds(const Attachment& attachment,
                                   const std::vector<Address>& addresses) {
  if (!is_host_local()) return true;
  auto folder = fs_.open_directory(options_.network_dir);
  if (!folder) return false;
  NetworkDir network(fs_, std::move(*folder));
  return still_held(network, {{}, attachment, {}}, addresses).size() == addresses.size();
}

void DelegateBindings::record(const DelegatedOwner& owner, const std::vector<Address>& addresses,
                              const RememberedRanges& ranges) {
  try {
    write(owner, addresses, ranges);
  } catch (const std::exception& error) {
    notes_.push_back("not recorded, so the address of " +
                     (owner.pod ? owner.pod->display() : owner.attachment.container_id) +
                     " may not be kept: " + error.what());
  }
}

void DelegateBindings::write(const DelegatedOwner& owner, const std::vector<Address>& addresses,
                             const RememberedRanges& ranges) {
  std::vector<std::string> changed;
  const bool retains = options_.retention == Retention::on && owner.pod;
  const bool has_records = retains || !ranges.cidrs.empty();
  std::optional<RecordFolder> records;
  if (has_records)
    records = RecordFolder::create(fs_, options_.state_dir, options_.network_dir, changed);
  if (!records && !is_host_local()) return;
  {
    auto folder = fs_.open_directory(is_host_local() ? options_.network_dir : records->path());
    if (!folder) return;
    NetworkDir network(fs_, std::move(*folder));
    const NetworkLock lock(fs_, network.folder(), options_.lock_patience);
    const auto held = still_held(network, owner, addresses);
    if (records) network.keep_stamps_in(&*records);
    if (is_host_local()) stamp(network, owner, held);
    if (!records) return;
    if (!is_host_local()) records->append_boot(boot8_of(boot_id()));
    if (!ranges.cidrs.empty()) records->put_last_ranges(ranges);
    const bool was_deleted = held.size() != addresses.size();
    if (retains && !was_deleted && !owner.is_retained) forget(*records, *owner.pod);
    if (retains && !was_deleted && owner.is_retained) {
      const Binding binding{*owner.pod, owner.uid, 0, 0, boot8_of(boot_id())};
      const auto ended = bind_answer(*records, binding, addresses, notes_);
      if (is_host_local() && !ended.empty()) note_evicted(network.folder(), ended);
    }
  }
  flush(*records, changed);
}

/// The folder's own, in which the built-in allocator counts and notes, too.
RunFolder DelegateBindings::run_of(const Directory& folder) {
  RunFolder own(fs_, options_.run_dir, fs_.identify(folder.fd));
  own.set_boot(boot_id());
  return own;
}

void DelegateBindings::note_evicted(const Directory& folder, const Bindings& ended) {
  RunFolder own = run_of(folder);
  for (const auto& [address, binding] : ended) own.put_evicted(address, binding);
}

/// Between the plugin's answer and the lock a DEL may have come, and somebody else have got the
/// addresses. Other stores than host-local's cannot be looked into: there the tombstone tells.
std::vector<Address> DelegateBindings::still_held(NetworkDir& network, const DelegatedOwner& owner,
                                                  const std::vector<Address>& addresses) {
  std::vector<Address> held;
  if (!is_host_local()) {
    const auto deleted = run_.tombstone(owner.attachment);
    const bool is_over = deleted && !began_after(fs_, owner.attachment.container_id, *deleted);
    return is_over ? held : addresses;
  }
  for (const auto& address : addresses) {
    const auto file = network.read(address.to_string());
    const bool is_own = file && match_owner({address.to_string(), address, file->bytes},
                                            owner.attachment) != OwnerMatch::none;
    if (is_own) held.push_back(address);
  }
  return held;
}

/// The files tell in the next boot that they are of this one.
void DelegateBindings::stamp(NetworkDir& network, const DelegatedOwner& owner,
                             const std::vector<Address>& addresses) {
  const Stamp stamp = stamp_of(owner);
  for (const auto& address : addresses) {
    auto file = network.open(address.to_string());
    if (!file) continue;
    network.renew_stamp(*file, address, encode(stamp));
  }
}

void DelegateBindings::flush(RecordFolder& records, const std::vector<std::string>& changed) {
  if (options_.durability == Durability::none) return;
  if (!records.changes().empty()) records.sync();
  const std::string boot = boot_id();
  const bool is_flushed = run_.is_flushed(boot);
  std::vector<std::string> above;
  if (!is_flushed) append_parents(records.path(), above);
  sync_folders(fs_, changed, above);
  if (!is_flushed) run_.mark_flushed(boot);
}

std::vector<Address> DelegateBindings::about_to_be_freed(const DelegatedOwner& owner) {
  std::vector<Address> addresses;
  try {
    auto folder = is_host_local() ? fs_.open_directory(options_.network_dir) : std::nullopt;
    if (folder) {
      NetworkDir network(fs_, std::move(*folder));
      const NetworkLock lock(fs_, network.folder(), options_.lock_patience);
      network.scan();
      return network.claimed_by(owner.attachment);
    }
    auto records = RecordFolder::open(fs_, options_.state_dir, options_.network_dir);
    if (!records || !owner.pod) return addresses;
    const std::string boot8 = boot8_of(boot_id());
    for (const auto& [address, binding] : bindings_of(*records, *owner.pod)) {
      if (binding.sequence == 0 && binding.boot8 != boot8) addresses.push_back(address);
    }
  } catch (const std::exception& error) {
    notes_.push_back("which addresses are freed cannot be told: " + std::string(error.what()));
  }
  return addresses;
}

/// Between the plugin's DEL and ours of the binding somebody else may have got the address.
std::vector<Address> DelegateBindings::not_taken_again(RecordFolder& records,
                                                       const Directory& folder,
                                                       const DelegatedOwner& owner,
                                                       const std::vector<Address>& freed) {
  std::vector<Address> rest;
  const std::string boot8 = boot8_of(boot_id());
  for (const auto& address : freed) {
    const auto binding = records.binding(address);
    const bool is_others = binding && owner.pod && binding->pod != *owner.pod &&
                           binding->sequence == 0 && binding->boot8 == boot8;
    const bool is_in_use =
        is_host_local() ? fs_.identify(folder, address.to_string()).has_value() : is_others;
    if (!is_in_use) rest.push_back(address);
  }
  return rest;
}

void DelegateBindings::release(const DelegatedOwner& owner, const std::vector<Address>& freed) {
  if (freed.empty() || options_.retention == Retention::off) return;
  try {
    std::vector<std::string> changed;
    auto records = RecordFolder::open(fs_, options_.state_dir, options_.network_dir);
    if (!records && !owner.is_bound()) return;
    if (!records)
      records = RecordFolder::create(fs_, options_.state_dir, options_.network_dir, changed);
    {
      auto folder = fs_.open_directory(is_host_local() ? options_.network_dir : records->path());
      if (!folder) return;
      const NetworkLock lock(fs_, *folder, options_.lock_patience);
      const auto still_free = not_taken_again(*records, *folder, owner, freed);
      RunFolder own = run_of(*folder);
      if (hold(*records, is_host_local() ? own : run_, still_free, owner)) trim(*records);
    }
    // What a power cut takes is the order in which held addresses grow old, unless it is adoption.
    if (!changed.empty()) flush(*records, changed);
  } catch (const std::exception& error) {
    notes_.push_back("the freed addresses are not recorded: " + std::string(error.what()));
  }
}

}  // namespace allocator::store
