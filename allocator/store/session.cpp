#include "allocator/store/session.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <tuple>

#include "allocator/store/alive/former_use.hpp"
#include "allocator/store/bindings.hpp"
#include "allocator/store/disk/errors.hpp"
#include "allocator/store/disk/failure_list.hpp"
#include "allocator/store/state/call_start.hpp"

namespace allocator::store {
namespace {

std::string last_component(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

}  // namespace

Session::Session(const Parts& parts, Directory folder, std::vector<std::string> changed)
    : parts_(parts),
      network_(parts.fs, std::move(folder)),
      changed_(std::move(changed)),
      boot_id_(read_boot_id(parts.fs, parts.options.boot_id_path)) {
  open_run();
}

void Session::open_run() {
  run_of_ = parts_.fs.identify(network_.folder().fd);
  run_.emplace(parts_.fs, parts_.options.run_dir, *run_of_);
  run_->set_boot(boot_id_);
  network_.use_index(&*run_, boot_id_);
}

const Viewpoint& Session::viewpoint() {
  if (!viewpoint_)
    viewpoint_ = look_around(parts_.fs, boot_id_, parts_.options.boot_id_path, *run_);
  return *viewpoint_;
}

std::string Session::generation_of(const FileIdentity& lock) const {
  // The number is that of what a boot scan does, and of what its mark tells.
  return boot_id_ + "~" + std::to_string(lock.inode) + "~" + std::to_string(lock.born_ns) + "~4";
}

NetworkLock Session::lock(Purpose purpose) {
  const auto since = std::chrono::steady_clock::now();
  if (auto lock = lock_of_known_boot(purpose)) return *std::move(lock);
  if (purpose == Purpose::reserve) refuse_unfit_disk();
  // Without the lock: the runtime's cache may be large, and others must not wait for it.
  if (parts_.options.retention == Retention::on) static_cast<void>(cached());
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - since);
  const auto left = std::max(parts_.options.lock_patience - waited, std::chrono::milliseconds(0));
  NetworkLock lock(parts_.fs, network_.folder(), left);
  begin(lock);
  return lock;
}

/// How far this boot has come is told under the lock only. nullopt: it has not begun.
std::optional<NetworkLock> Session::lock_of_known_boot(Purpose purpose) {
  const bool is_ever_known =
      parts_.options.retention == Retention::on || parts_.options.durability == Durability::full;
  if (run_->is_new() || !is_ever_known) return std::nullopt;
  try {
    auto lock =
        NetworkLock::of_existing(parts_.fs, network_.folder(), parts_.options.lock_patience);
    if (lock) begin(*lock);
    return lock && !is_first() ? std::move(lock) : std::nullopt;
  } catch (const std::exception&) {
    // On a network file system even the lock may fail: what is to be said is the reason.
    if (purpose == Purpose::reserve) refuse_unfit_disk();
    throw;
  }
}

void Session::begin(const NetworkLock& lock) {
  // It may have been replaced while we waited.
  if (lock.reopened_folder()) open_run();
  generation_ = generation_of(lock.file());
  run_->read_mark(generation_);
}

/// Without retention nothing is scanned, so nothing tells but the flush.
bool Session::is_first() const {
  return parts_.options.retention == Retention::off ? !run_->mark().is_flushed : is_restore_due();
}

bool Session::is_scan_due() const {
  return parts_.options.retention == Retention::on && run_->mark().scan == BootScanState::due;
}

bool Session::is_restore_due() const {
  return parts_.options.retention == Retention::on &&
         run_->mark().scan != BootScanState::live_restored;
}

const std::vector<CachedAttachment>& Session::cached() {
  if (cached_) return *cached_;
  cached_.emplace();
  if (parts_.source != nullptr) {
    cached_ = parts_.source->attachments(last_component(parts_.options.network_dir));
    std::stable_sort(cached_->begin(), cached_->end(), [](const auto& one, const auto& other) {
      return std::tie(other.written_ns, one.entry) < std::tie(one.written_ns, other.entry);
    });
  }
  return *cached_;
}

void Session::prepare(const RangeSets& sets) {
  if (!records_) open_existing_records();
  was_first_ = is_scan_due();
  replay_pending();
  const bool restores = is_restore_due() && !sets.empty();
  if (was_first_ || restores) run_boot_scan(sets, restores);
  // What was done so far is not this command's to take back.
  if (records_) records_->begin();
}

SetAsides& Session::set_asides() {
  if (!set_asides_) set_asides_.emplace(*run_, generation_);
  return *set_asides_;
}

void Session::refuse_unfit_disk() {
  if (const auto disk = parts_.fs.unfit_disk(network_.folder().fd))
    throw Unsupported(unfit_text(network_.path(), *disk, "ipam.dataDir"));
  const auto state = parts_.fs.open_directory(parts_.options.state_dir);
  const auto disk = state ? parts_.fs.unfit_disk(state->fd) : std::nullopt;
  if (disk) throw Unsupported(unfit_text(state->path, *disk, "ipam.stateDir"));
  is_fit_ = true;
}

void Session::remember_ranges(const RememberedRanges& ranges) {
  if (ranges.cidrs.empty()) return;
  try {
    require_records();
    if (!records_) {
      ranges_folder_ = RecordFolder::create(parts_.fs, parts_.options.state_dir,
                                            parts_.options.network_dir, changed_);
    }
    (records_ ? *records_ : *ranges_folder_).put_last_ranges(ranges);
  } catch (const std::system_error& error) {
    parts_.notes.push_back("the ranges are not remembered: " + std::string(error.what()));
  } catch (const ClosedRecord& error) {
    parts_.notes.push_back("the ranges are not remembered: " + std::string(error.what()));
  }
}

bool Session::has_no_pins() {
  try {
    return !records_ || records_->pins().empty();
  } catch (const ClosedRecord&) {
    return false;
  }
}

std::vector<Pin> Session::readable_pins() {
  if (run_->mark().is_unpinned) return {};
  try {
    return records_ ? records_->pins() : std::vector<Pin>();
  } catch (const ClosedRecord& error) {
    parts_.notes.push_back("what is pinned by hand is not known: " + std::string(error.what()));
    return {};
  }
}

const Reservations& Session::reservations(const Reservations& configured) {
  if (!knows_pins_) {
    const auto pins = readable_pins();
    if (!pins.empty()) with_pins_ = with_pins(configured, pins);
    knows_pins_ = true;
  }
  return with_pins_ ? *with_pins_ : configured;
}

bool Session::postpone_release(const Attachment& attachment) {
  try {
    // It may have been replaced while we waited in vain.
    if (!parts_.fs.identify(network_.folder().fd).same_file(*run_of_)) open_run();
    const auto lock = parts_.fs.identify(network_.folder(), kLockName);
    if (generation_.empty() && lock) run_->read_mark(generation_ = generation_of(*lock));
  } catch (const std::system_error&) {
    return false;
  }
  if (!run_->put_pending(attachment)) return false;
  run_->put_tombstone(attachment, boottime_now());
  return true;
}

void Session::open_existing_records() {
  if (parts_.options.retention == Retention::off) return;
  try {
    records_ = RecordFolder::open(parts_.fs, parts_.options.state_dir, parts_.options.network_dir);
    network_.keep_stamps_in(records_ ? &*records_ : nullptr);
  } catch (const std::system_error& error) {
    if (is_own_want(error)) throw;
    // A release must not fail for it, and who needs the records says so.
    knows_records_ = false;
    parts_.notes.push_back("no addresses are kept: " + std::string(error.what()));
  }
}

void Session::require_records() {
  if (records_ || parts_.options.retention == Retention::off) return;
  const std::string& netdir = parts_.options.network_dir;
  records_ = RecordFolder::open(parts_.fs, parts_.options.state_dir, netdir);
  if (!records_) {
    run_->forget_records();
    records_ = RecordFolder::make(parts_.fs, parts_.options.state_dir, netdir, changed_);
  } else if (!run_->mark().is_flushed) {
    records_->complete(netdir);
  }
  network_.keep_stamps_in(&*records_);
}

void Session::look_at_network() {
  network_.look();
  held_.look();
}

void Session::try_records() {
  try {
    require_records();
  } catch (const std::system_error& error) {
    parts_.notes.push_back("the pod's address may not be kept: " + std::string(error.what()));
  }
}

void Session::end_use(const std::vector<Address>& freed, const Owner& owner) {
  forget_unbound(freed);
  if (!freed.empty()) held_.touch(freed);
  if (records_ && hold(*records_, *run_, freed, owner)) held_.want_trim();
  remember_use(*run_, records_ ? &*records_ : nullptr, freed);
}

void Session::replay_pending() {
  const auto pending = run_->pending();
  if (pending.empty()) return;
  network_.look();
  bool any_done = false;
  for (const auto& attachment : pending) {
    if (replay(attachment)) {
      any_done = true;
    } else {
      has_pending_ = true;  // still not writable: another command will do it
    }
  }
  if (!any_done || parts_.options.durability == Durability::none) return;
  network_.sync();
  if (records_) records_->sync();
  forget_removals();
}

/// Removes exactly what the pending release names.
bool Session::replay(const Attachment& attachment) {
  std::vector<Address> freed;
  FailureList failures;
  const auto files = network_.find(attachment);
  if (files.empty() && network_.may_have_unreadable(attachment)) return false;
  if (!files.empty()) will_remove(attachment);
  for (const auto& file : files) {
    failures.attempt([&] {
      network_.remove(file.name);
      if (file.address) freed.push_back(*file.address);
    });
  }
  if (failures.any()) return false;
  end_use(freed, {});
  run_->remove_pending(attachment);
  parts_.notes.push_back("the pending release of " + attachment.container_id + " " +
                         attachment.ifname + " is done");
  return true;
}

void Session::run_boot_scan(const RangeSets& sets, bool restores) {
  flush_what_is_unknown();
  // It changes what is held.
  held_.forget();
  BootScan scan({parts_.fs, network_, *run_, parts_.source, boot_id_,
                 [this]() -> const Viewpoint& { return viewpoint(); }, parts_.options, parts_.notes,
                 is_scan_due()});
  bool complete = scan.look_at_files();
  // However long that took: who lives and has lost his file would meet a newcomer at his address.
  if (restores) restores = scan.restore_live(cached(), sets, records_ ? &*records_ : nullptr);
  if (complete && scan.has_work_for_records(cached())) try_records();
  if (complete && records_) complete = scan.learn_bindings(*records_, cached(), sets);
  if (scan.changed() && parts_.options.durability == Durability::full) network_.sync();
  if (!complete) return;
  // The marks of who had which address went with /run.
  if (is_scan_due() && scan.knew_boot()) run_->mark_all_used();
  scan.mark_unbound(records_ ? &*records_ : nullptr);
  // A DEL works on a file system that an ADD refuses: it must not take the ADD's first look away.
  if (!is_fit_ && parts_.fs.unfit_disk(network_.folder().fd)) return;
  const bool is_unpinned = knows_records_ && has_no_pins();
  run_->change_mark([&](BootMark& mark) {
    mark.scan = restores ? BootScanState::live_restored : BootScanState::files_scanned;
    mark.is_unpinned = is_unpinned;
  });
}

void Session::flush(const std::vector<Fd>& files) {
  if (parts_.options.durability == Durability::none) return;
  for (const auto& file : files) parts_.fs.sync(file, network_.path());
  network_.sync();
  if (records_) records_->sync();
  if (ranges_folder_ && !ranges_folder_->changes().empty()) ranges_folder_->sync();
  forget_removals();
}

void Session::flush_parents() {
  if (parts_.options.durability == Durability::none) return;
  const bool flushed = run_->mark().is_flushed;
  std::vector<std::string> above;
  if (!flushed) {
    append_parents(network_.path(), above);
    if (parts_.options.retention == Retention::on) {
      append_parents(
          parts_.options.state_dir + "/" + record_folder_name(parts_.options.network_dir), above);
    }
  }
  sync_folders(parts_.fs, changed_, above);
  changed_.clear();
  if (!flushed) run_->change_mark([](BootMark& mark) { mark.is_flushed = true; });
}

void Session::flush_release(FailureList& failures, const std::vector<std::string>& above) {
  if (parts_.options.durability == Durability::none) return;
  failures.attempt([&] { network_.sync(); });
  if (records_ && !records_->changes().empty()) failures.attempt([&] { records_->sync(); });
  failures.attempt([&] { sync_folders(parts_.fs, changed_, above); });
  changed_.clear();
  if (!failures.any()) forget_removals();
}

std::string unfit_text(const std::string& path, const UnfitDisk& disk, const std::string& key) {
  const std::string remedy = "; set " + key + " to a folder on a local disk";
  if (disk.why == UnfitDisk::Why::remote) {
    return path + " is on a network file system (" + disk.name +
           "), where neither locks nor links can be trusted" + remedy;
  }
  return path + " is on " + disk.name + ", which has neither hard nor symbolic links" + remedy +
         " with ext4, xfs, btrfs or f2fs";
}

}  // namespace allocator::store
