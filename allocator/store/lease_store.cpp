#include "allocator/store/lease_store.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "allocator/store/add_transaction.hpp"
#include "allocator/store/alive/death.hpp"
#include "allocator/store/alive/late_add.hpp"
#include "allocator/store/repeat.hpp"
#include "allocator/store/state/call_start.hpp"
#include "allocator/store/state/sibling_networks.hpp"

namespace allocator::store {
namespace {

/// Looks again at our own names: a DEL may have come between the lock and the answer.
void verify(NetworkDir& network, const AddRequest& request,
            const std::vector<std::pair<Address, FileIdentity>>& answered) {
  for (const auto& [address, identity] : answered) {
    const auto now = network.identify(address);
    if (now && now->same_file(identity)) continue;
    throw TryAgain("reserve " + address.to_string() + " for " + request.attachment.container_id +
                   " " + request.attachment.ifname +
                   ": the attachment was deleted meanwhile; try again");
  }
}

}  // namespace

/// A file where the folder should be holds no attachment either.
std::optional<Directory> LeaseStore::open_existing() const {
  try {
    return fs_.open_directory(options_.network_dir);
  } catch (const std::system_error& error) {
    if (error.code().value() == ENOTDIR) return std::nullopt;
    throw;
  }
}

Session LeaseStore::open_session(Directory folder, std::vector<std::string> changed) {
  return {{fs_, options_, source_, notes_}, std::move(folder), std::move(changed)};
}

/// The runtime may have given up on this very call and deleted the attachment already: an ADD that
/// began before that DEL must not leave anything.
void LeaseStore::refuse_deleted(Session& session, const Attachment& attachment) {
  const std::string what =
      "reserve an address for " + attachment.container_id + " " + attachment.ifname;
  if (session.has_pending() && session.run().is_pending(attachment)) {
    throw TryAgain(what + ": its release is still pending, as the folder cannot be changed");
  }
  if (refuse_late_add(fs_, session.run(), attachment, what))
    session.run().remove_tombstone(attachment);
}

/// The network may be an old one under a new name. Only when its folder is made: nothing is looked
/// for in any other ADD.
void LeaseStore::tell_of_siblings(const AddRequest& request) {
  auto text = sibling_text(sibling_networks(fs_, options_.network_dir, request.sets));
  if (!text.empty()) notes_.push_back(std::move(text));
}

Lease LeaseStore::add(const AddRequest& request) {
  std::vector<std::string> changed;
  auto folder = ensure_folder(fs_, options_.network_dir, kNetworkFolderMode, changed);
  if (!changed.empty()) tell_of_siblings(request);
  Session session = open_session(std::move(folder), std::move(changed));
  std::vector<std::pair<Address, FileIdentity>> answered;
  Lease lease = reserve(session, request, answered);
  try {
    session.flush(lease.files);
    session.flush_parents();
    verify(session.network(), request, answered);
  } catch (...) {
    lease.records = std::move(session.records());
    undo_or_say_so(lease, std::current_exception());
  }
  lease.records = std::move(session.records());
  return lease;
}

/// Under the lock. `answered`: what the lease's addresses must still be when it is told.
Lease LeaseStore::reserve(Session& session, const AddRequest& request,
                          std::vector<std::pair<Address, FileIdentity>>& answered) {
  const NetworkLock lock = session.lock(Session::Purpose::reserve);
  if (request.owner.is_bound()) session.require_records();
  session.prepare(request.sets);
  session.remember_ranges(request.ranges_to_remember);
  refuse_deleted(session, request.attachment);
  DeathJudge judge(fs_, session.viewpoint(), request.netns_path);
  AddTransaction transaction(
      {session, judge, notes_}, request,
      stamp_of_call(fs_, session.viewpoint(), request.attachment.container_id, request.netns_path));
  transaction.run();
  auto noted = remember_answer(fs_, session.run(), request.attachment, transaction.picks(),
                               transaction.taken_over());
  answered = transaction.answered();
  return {transaction.picks(),      transaction.linked(), owner_text(request.attachment),
          transaction.take_files(), std::nullopt,         judge.process_scans(),
          std::move(noted)};
}

void LeaseStore::undo_or_say_so(Lease& lease, const std::exception_ptr& cause) {
  try {
    undo(lease);
  } catch (const std::exception& failure) {
    // The lock cannot be had again or the disk is gone. What is left is complete: the runtime's DEL
    // frees it.
    std::string why = "unknown failure";
    try {
      std::rethrow_exception(cause);
    } catch (const std::exception& first) {
      why = first.what();
    }
    throw TryAgain(why + "; taking the address back failed too: " + failure.what() +
                   "; its DEL will free it");
  }
  std::rethrow_exception(cause);
}

void LeaseStore::undo(Lease& lease) {
  auto folder = open_existing();
  if (!folder) return;
  NetworkDir network(fs_, std::move(*folder));
  const NetworkLock lock(fs_, network.folder(), options_.lock_patience);
  RunFolder run(fs_, options_.run_dir, fs_.identify(network.folder().fd));
  run.set_boot(read_boot_id(fs_, options_.boot_id_path));
  // A repeat that came meanwhile was told the same.
  if (was_answered_since(run, parse_owner(lease.owner), lease.noted)) return;
  // The DEL that follows finds nothing, and flushes.
  const bool flushes = !lease.linked.empty() && options_.durability == Durability::full &&
                       !run.put_unflushed(parse_owner(lease.owner));
  bool is_deleted = !lease.linked.empty();
  for (const auto& [address, identity] : lease.linked) {
    if (!network.is_file(address, identity, lease.owner)) continue;
    network.remove(address.to_string());
    run.remove_unbound(address);
    is_deleted = false;
  }
  // A DEL has settled what becomes of the records; they may be another ADD's by now.
  if (lease.records && !is_deleted) lease.records->undo();
  for (const auto& pick : lease.picks) {
    if (pick.evicted && !is_deleted) run.remove_evicted(pick.address, *pick.evicted);
  }
  if (flushes) network.sync();
}

/// Made where it is missing, as host-local does: the tombstone needs a folder to belong to.
std::optional<Directory> LeaseStore::open_for_release(const ReleaseRequest& request,
                                                      std::vector<std::string>& changed) {
  auto folder = open_existing();
  if (folder || !request.may_make_folder) return folder;
  try {
    return ensure_folder(fs_, options_.network_dir, kNetworkFolderMode, changed);
  } catch (const std::system_error&) {
    // Nothing can be reserved where no folder can be made.
    return std::nullopt;
  }
}

std::vector<Address> LeaseStore::release(const ReleaseRequest& request) {
  std::vector<std::string> changed;
  auto folder = open_for_release(request, changed);
  if (!folder) return {};
  Session session = open_session(std::move(*folder), std::move(changed));
  std::optional<TakenBack> taken_back;
  try {
    return release_now(session, request, taken_back);
  } catch (const LockTimeout&) {
    if (!postpone(session, request.attachment, taken_back)) throw;
  } catch (const ReadOnlyDisk&) {
    if (!postpone(session, request.attachment, taken_back)) throw;
  } catch (const std::system_error& error) {
    if (error.code().value() != EROFS || !postpone(session, request.attachment, taken_back)) throw;
  }
  if (taken_back->is_repeat) return {};
  notes_.push_back(
      "the release of " + request.attachment.container_id + " " + request.attachment.ifname +
      " is pending: the folder cannot be changed now; the next command that can does it");
  return {};
}

/// Flannel deletes once only: a failure would keep the address in use for ever.
bool LeaseStore::postpone(Session& session, const Attachment& attachment,
                          std::optional<TakenBack>& taken_back) {
  if (!taken_back) taken_back = look_for_take_back(fs_, session.run(), attachment, notes_);
  return taken_back->is_repeat || session.postpone_release(attachment);
}

std::vector<Address> LeaseStore::release_now(Session& session, const ReleaseRequest& request,
                                             std::optional<TakenBack>& taken_back) {
  std::vector<Address> freed;
  FailureList failures;
  bool found = false;
  bool unflushed = false;
  NetworkDir& network = session.network();
  {
    const NetworkLock lock = session.lock(Session::Purpose::release);
    taken_back = look_for_take_back(fs_, session.run(), request.attachment, notes_);
    if (taken_back->is_repeat) return {};
    session.prepare(request.sets);
    for (std::size_t pass = 0; pass < std::max<std::size_t>(request.passes, 1) && !failures.any();
         ++pass) {
      session.look_at_network();
      const auto files = network.find(request.attachment);
      if (files.empty()) break;
      if (!found) session.will_remove(request.attachment);
      found = true;
      for (const auto& file : files) {
        failures.attempt([&] {
          network.remove(file.name);
          if (file.address) freed.push_back(*file.address);
        });
      }
    }
    network.seal();
    if (!found) {
      refuse_if_unreadable(session, request.attachment, request.owner.pod);
      // Whoever removed it may have died before its flush.
      unflushed = session.is_unflushed(request.attachment);
    }
    if (!freed.empty() && request.owner.pod) session.try_records();
    session.end_use(freed, request.owner);
    session.held().settle();
    if (!failures.any()) session.run().put_tombstone(request.attachment, boottime_now());
    session.set_asides().end(request.attachment);
    session.set_asides().put(taken_back->taken_over, notes_);
  }
  if (found) session.flush_release(failures);
  if (unflushed) session.flush_removal(failures);
  failures.raise();
  return freed;
}

/// A file that cannot be read may be the one to free. Its stamp and its record tell whose it is;
/// answering success would leave the address in use for ever.
void LeaseStore::refuse_if_unreadable(Session& session, const Attachment& attachment,
                                      const std::optional<PodKey>& pod) {
  NetworkDir& network = session.network();
  network.refuse_unreadable_of(attachment, "release");
  if (!session.knows_records() && network.may_have_unreadable(attachment))
    throw TryAgain("release " + attachment.container_id + " " + attachment.ifname + ": a file in " +
                   network.path() + " and the records of " + options_.network_dir +
                   " cannot be read; repair the disk");
  if (!session.records() || !pod) return;
  for (const auto& file : network.unreadable()) {
    if (!file.address) continue;
    const auto binding = session.records()->readable_binding(*file.address);
    if (!binding || binding->pod != *pod) continue;
    throw TryAgain("release " + file.address->to_string() + " of " + pod->display() + ": " +
                   network.path() + "/" + file.name +
                   " cannot be read; repair the disk or remove the file");
  }
}

std::vector<AttachmentFile> LeaseStore::files_of(const Attachment& attachment) {
  auto folder = open_existing();
  if (!folder) return {};
  NetworkDir network(fs_, std::move(*folder));
  RunFolder run(fs_, options_.run_dir, fs_.identify(network.folder().fd));
  const NetworkLock lock(fs_, network.folder(), options_.lock_patience);
  if (run.is_pending(attachment)) return {};
  network.use_index(&run, read_boot_id(fs_, options_.boot_id_path));
  network.look();
  auto files = network.find(attachment);
  network.refuse_unreadable_of(attachment, "look at");
  return files;
}

std::optional<RememberedRanges> LeaseStore::last_ranges() {
  auto records = RecordFolder::open(fs_, options_.state_dir, options_.network_dir);
  auto last = records ? records->last_ranges() : std::nullopt;
  if (!last || !last->is_anonymous) return last;
  const auto boots = records->boots();
  const std::string boot8 = boot8_of(read_boot_id(fs_, options_.boot_id_path));
  last->is_anonymous = boot8.empty() || boots.empty() || boots.back() != boot8;
  return last;
}

std::optional<std::string> LeaseStore::obstacle() const {
  const auto network = open_existing();
  const auto disk = network ? fs_.unfit_disk(network->fd) : std::nullopt;
  if (disk) return unfit_text(options_.network_dir, *disk, "ipam.dataDir");
  std::vector<std::string> needed = {options_.network_dir};
  if (options_.retention == Retention::on) needed.push_back(options_.state_dir);
  for (const auto& folder : needed) {
    std::string existing = folder;
    std::optional<bool> writable = fs_.is_writable(existing);
    while (!writable && existing != parent_of(existing)) {
      existing = parent_of(existing);
      writable = fs_.is_writable(existing);
    }
    if (writable.value_or(false)) continue;
    return "no file can be made in " + existing +
           (existing == folder ? "" : ", which " + folder + " needs");
  }
  return std::nullopt;
}

}  // namespace allocator::store
