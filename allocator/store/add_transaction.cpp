#include "allocator/store/add_transaction.hpp"

#include <algorithm>
#include <map>
#include <system_error>
#include <tuple>

#include "allocator/store/alive/former_use.hpp"

namespace allocator::store {
namespace {

constexpr int kPublishAttempts = 16;
constexpr std::size_t kOwnersInMessage = 3;

/// A hint; 0 for what cannot be looked at.
std::int64_t changed_ns(NetworkDir& network, const Address& address) {
  try {
    const auto identity = network.identify(address);
    return identity ? identity->changed_ns : 0;
  } catch (const std::system_error&) {
    return 0;
  }
}

bool has_two_of_a_set(const RangeSets& sets, const std::vector<Address>& addresses) {
  return std::any_of(sets.begin(), sets.end(), [&](const RangeSet& set) {
    const auto is_in = [&](const Address& address) { return set.contains(address); };
    return std::count_if(addresses.begin(), addresses.end(), is_in) > 1;
  });
}

}  // namespace

void AddTransaction::run() {
  for (int attempt = 0; attempt < kPublishAttempts; ++attempt) {
    context_.session.look_at_network();
    find_present();
    if (pod_records_.has_lost()) {
      context_.session.look_for_lost(request_.sets);
      find_present();
    }
    choose_addresses();
    try {
      // Somebody who ignores the lock may take an address between our look and our link: choose
      // again.
      if (!publish()) continue;
      pod_records_.write(picks_);
    } catch (...) {
      take_back();
      throw;
    }
    write_cursors();
    take_set_asides();
    context_.session.held().settle();
    pod_records_.note_changes(picks_);
    look_at_former_use();
    return;
  }
  throw TryAgain("reserve an address in " + network_.path() +
                 ": somebody keeps making files there without taking the lock; try again");
}

void AddTransaction::find_present() {
  present_.clear();
  for (auto& file : network_.find(request_.attachment)) {
    if (file.address) present_.push_back(std::move(file));
  }
  // It must not get a second address; another container of the pod may.
  network_.refuse_unreadable_of(request_.attachment, "reserve an address for");
  network_.refuse_unreadable_nested("reserve an address for " + request_.attachment.container_id +
                                    " " + request_.attachment.ifname);
  on_duplicate_ = has_anothers_sandbox() ? OnDuplicate::error : request_.on_duplicate;
  pod_records_.read();
}

/// One container ID may be used for everything (by scripts, by broken runtimes): while the sandbox
/// that has the addresses lives, another one must not get them. host-local refuses every repeat.
/// What the Go plugin made says nothing of a namespace; the runtime's cache does.
bool AddTransaction::has_anothers_sandbox() {
  return std::any_of(present_.begin(), present_.end(), [&](const AttachmentFile& file) {
    auto stamp = network_.stamp_of(file.name);
    const bool tells =
        stamp && stamp->container_hash == stamp_.container_hash && !stamp->netns_path.empty();
    if (!tells) stamp = context_.session.cached_stamp(request_.attachment, *file.address);
    return stamp && context_.judge.lives_elsewhere(*stamp);
  });
}

Wish AddTransaction::make_wish() {
  Wish wish;
  wish.pod = request_.owner.pod;
  wish.requested = request_.requested;
  wish.may_ask_for_others = request_.may_ask_for_others;
  if (on_duplicate_ == OnDuplicate::error) {
    wish.present = network_.claimed_by(request_.attachment);
    wish.refuse_duplicate_of = request_.attachment.container_id;
  } else {
    for (const auto& file : present_) wish.present.push_back(*file.address);
  }
  wish.bound = pod_records_.inherited();
  // Who is refused is told the first one, as by host-local.
  const bool is_told_again = on_duplicate_ == OnDuplicate::same_addresses;
  if (is_told_again && has_two_of_a_set(request_.sets, wish.present)) put_told_last_first(wish);
  // What the pod had before it was set aside goes before what it got meanwhile.
  std::stable_partition(wish.bound.begin(), wish.bound.end(), [&](const Address& address) {
    return context_.session.set_asides().is_due_back(address);
  });
  for (const auto& file : network_.find_container(request_.attachment.container_id)) {
    if (file.address) wish.same_sandbox.push_back(*file.address);
  }
  return wish;
}

/// An attachment may have more than one address of a set: a file of it that could not be read for a
/// while, or one that the runtime's cache of yesterday brought back. Told again is what it was told
/// last: what its pod is bound to (first what it was bound to first), else what the cache tells, else
/// what was changed last.
void AddTransaction::put_told_last_first(Wish& wish) {
  const auto rank = [&](const Address& address) {
    const auto bound = std::find(wish.bound.begin(), wish.bound.end(), address);
    return std::tuple(wish.bound.end() - bound,
                      context_.session.is_cached(request_.attachment, address),
                      changed_ns(network_, address));
  };
  std::stable_sort(wish.present.begin(), wish.present.end(),
                   [&](const Address& a, const Address& b) { return rank(a) > rank(b); });
}

void AddTransaction::choose_addresses() {
  StoreSnapshot snapshot(context_);
  Choice choice = choose_once(snapshot);
  if (rescue_lost(choice.picks)) choice = choose_once(snapshot);
  picks_ = std::move(choice.picks);
  if (!choice.failure) return;
  // host-local moves the cursors of the sets before the one that failed; both must walk alike.
  write_cursors();
  if (choice.failure->kind == Kind::exhausted) describe_exhaustion(*choice.failure, snapshot);
  throw Error(*choice.failure);
}

Choice AddTransaction::choose_once(StoreSnapshot& snapshot) {
  const auto& reservations = context_.session.reservations(request_.reservations);
  return choose(request_.sets, reservations, make_wish(), snapshot);
}

/// An address that was in use in this boot and whose file vanished may be a live pod's: before it
/// is given to anybody the runtime's cache is asked, which brings the files of the living back.
/// True when it was asked: then everything may look otherwise.
bool AddTransaction::rescue_lost(const std::vector<Pick>& picks) {
  std::vector<Address> lost;
  for (const auto& pick : picks) {
    const bool is_taken = pick.reason == Reason::present || pick.takes_over;
    if (!is_taken && context_.session.may_be_lost(pick.address)) lost.push_back(pick.address);
  }
  if (lost.empty()) return false;
  context_.session.look_for_lost(request_.sets);
  std::erase_if(lost, [&](const Address& address) { return network_.is_in_use(address); });
  context_.session.forget_unbound(lost);
  find_present();
  return true;
}

void AddTransaction::describe_exhaustion(Error& error, Snapshot& snapshot) const {
  const RangeSet& set = request_.sets[picks_.size()];
  std::vector<std::pair<std::int64_t, std::string>> owners;
  for (const auto& file : network_.files()) {
    if (!file.address || !set.contains(*file.address)) continue;
    const auto binding = records_ ? records_->readable_binding(*file.address) : std::nullopt;
    const std::string owner =
        binding ? binding->pod.display() : network_.holder(*file.address).value_or("");
    owners.emplace_back(changed_ns(network_, *file.address),
                        file.address->to_string() + " " + owner);
  }
  const auto held = snapshot.held();
  const auto held_count = std::count_if(
      held.begin(), held.end(), [&](const HeldAddress& one) { return set.contains(one.address); });
  std::sort(owners.begin(), owners.end());
  error.details =
      "in-use " + std::to_string(owners.size()) + ", held " + std::to_string(held_count) +
      ", reserved " +
      std::to_string(count_reserved(set, context_.session.reservations(request_.reservations))) +
      "; oldest in-use:";
  for (std::size_t i = 0; i < std::min(kOwnersInMessage, owners.size()); ++i) {
    error.details += (i == 0 ? " " : ", ") + owners[i].second;
  }
}

bool AddTransaction::publish() {
  linked_.clear();
  answered_.clear();
  files_.clear();
  taken_over_.clear();
  renew_stamps();
  end_dead_owners();
  for (const auto& pick : picks_) {
    if (pick.reason == Reason::present) continue;
    context_.session.held().touch({pick.address});
    const OwnFile& file = file_to_link();
    if (file.stamp == Supported::no) record_stamp(pick.address, file.identity);
    if (network_.publish(file.fd, request_.attachment, pick.address) == Outcome::exists) {
      take_back();
      return false;
    }
    linked_.emplace_back(pick.address, file.identity);
    answered_.emplace_back(pick.address, file.identity);
  }
  if (new_file_) {
    discard_private_name();
    files_.push_back(std::move(*new_file_));
    new_file_.reset();
  }
  network_.seal();
  return true;
}

/// Before anything is linked: two addresses may come from one owner.
void AddTransaction::end_dead_owners() {
  std::map<std::string, std::string> taken;  // owner -> its addresses
  for (const auto& pick : picks_) {
    const AttachmentFile* dead = pick.takes_over ? network_.file_of(pick.address) : nullptr;
    if (dead == nullptr) continue;
    std::string& addresses = taken[dead->owner];
    addresses += (addresses.empty() ? "" : ", ") + pick.address.to_string();
    note_taken_over(pick, *dead);
  }
  for (const auto& [owner, addresses] : taken) {
    context_.notes.push_back("took over " + addresses + " from the dead container " +
                             parse_owner(owner).container_id);
    end_dead_owner(owner);
  }
}

/// Pins and requests are somebody's will: they are not set aside.
void AddTransaction::note_taken_over(const Pick& pick, const AttachmentFile& dead) {
  const bool is_choice = pick.reason == Reason::held || pick.reason == Reason::reclaimed;
  const auto stamp = is_choice ? network_.stamp_of(dead.name) : std::nullopt;
  // After a reboot, or in a node container that was started again, nobody knows the old one.
  if (stamp && is_of_same_run(*stamp, stamp_))
    taken_over_.push_back({pick.address, parse_owner(dead.owner)});
}

/// What is given out again is aside no longer; taken back once more, it is set aside once more.
void AddTransaction::take_set_asides() {
  for (const auto& pick : picks_) {
    if (pick.reason == Reason::present) continue;
    for (auto& taken : context_.session.set_asides().take(pick.address))
      taken_over_.push_back(std::move(taken));
  }
}

/// The whole old attachment ends: its other addresses become held for the pod that they are bound
/// to. But what is not proven dead of it stays: one container ID may have been used for several
/// sandboxes. Unlink and link under the lock instead of a rename: two flushes in all, and a crash in
/// between leaves a free address.
void AddTransaction::end_dead_owner(const std::string& owner) {
  StoreSnapshot snapshot(context_);
  std::vector<std::string> names;
  std::vector<Address> freed;
  const Attachment dead = parse_owner(owner);
  for (const auto& file : network_.find_container(dead.container_id)) {
    if (file.owner != owner || !file.address) continue;
    const bool is_picked = std::any_of(picks_.begin(), picks_.end(), [&](const Pick& pick) {
      return pick.address == *file.address;
    });
    if (!is_picked && !snapshot.is_dead(*file.address)) continue;
    names.push_back(file.name);
    if (!is_picked) freed.push_back(*file.address);
  }
  context_.session.will_remove(dead);
  for (const auto& name : names) network_.remove(name);
  context_.session.end_use(freed, {});
}

/// The names of one attachment share one inode: a repeated ADD links missing addresses to the file
/// that is there.
const AddTransaction::OwnFile& AddTransaction::file_to_link() {
  if (new_file_) return *new_file_;
  const bool joins =
      on_duplicate_ == OnDuplicate::same_addresses && !files_.empty() &&
      match_owner(present_.front(), request_.attachment) == OwnerMatch::container_and_ifname;
  if (joins) return files_.front();
  auto made = network_.create(request_.attachment);
  new_file_ = OwnFile{std::move(made.fd), {}, Supported::yes, !made.unnamed};
  new_file_->stamp = network_.set_stamp(new_file_->fd, encode(stamp_));
  // Asked for before the first link: once a name is there, nothing may fail before it is
  // remembered.
  new_file_->identity = network_.file_identity(new_file_->fd);
  return *new_file_;
}

/// A file system without attributes: the records keep the stamp, before the name is there.
void AddTransaction::record_stamp(const Address& address, const FileIdentity& file) {
  context_.session.try_records();
  network_.record_stamp(address, file, encode(stamp_));
}

/// The attachment may live in another boot or network namespace than at its first ADD (podman
/// restarts a container under the same ID).
void AddTransaction::renew_stamps() {
  if (on_duplicate_ == OnDuplicate::error) return;
  for (const auto& present : present_) {
    auto file = network_.open(present.name);
    if (!file) continue;
    FileIdentity identity = network_.file_identity(*file);
    const auto seen = std::find_if(files_.begin(), files_.end(), [&](const OwnFile& other) {
      return other.identity.same_file(identity);
    });
    if (seen != files_.end()) {
      answered_.emplace_back(*present.address, identity);
      if (seen->stamp == Supported::no) record_stamp(*present.address, identity);
      continue;
    }
    const auto renewal = network_.renew_stamp(*file, *present.address, encode(stamp_));
    // A change may copy the file up from the lower layer of an overlay: it is another inode then,
    // and the attachment's other names stay with the old one.
    if (renewal == NetworkDir::Renewal::was_set) identity = network_.file_identity(*file);
    answered_.emplace_back(*present.address, identity);
    const bool is_recorded = renewal == NetworkDir::Renewal::is_recorded;
    // For a pod that is not bound nobody has made the folder yet.
    if (is_recorded && !records_) record_stamp(*present.address, identity);
    files_.push_back({std::move(*file), identity, is_recorded ? Supported::no : Supported::yes});
  }
}

void AddTransaction::look_at_former_use() {
  RunFolder& run = context_.session.run();
  for (auto& pick : picks_) pick.was_used = was_used(pick, context_.session.boot_id(), run);
  remember_use(run, records_ ? &*records_ : nullptr, {});
}

void AddTransaction::discard_private_name() {
  if (new_file_->has_private_name) network_.discard_private_name();
}

std::vector<Fd> AddTransaction::take_files() {
  std::vector<Fd> files;
  files.reserve(files_.size());
  for (auto& file : files_) files.push_back(std::move(file.fd));
  return files;
}

void AddTransaction::write_cursors() {
  for (const auto& pick : picks_) {
    const bool moves = pick.reason == Reason::round_robin || pick.reason == Reason::requested;
    if (moves) network_.write_cursor(pick.set, pick.address);
  }
}

void AddTransaction::take_back() noexcept {
  try {
    const bool is_told = linked_.empty() || context_.session.will_remove(request_.attachment);
    const std::string owner = owner_text(request_.attachment);
    for (const auto& [address, identity] : linked_) {
      if (network_.is_file(address, identity, owner)) network_.remove(address.to_string());
    }
    linked_.clear();
    if (!is_told) network_.sync();
    if (new_file_) discard_private_name();
    new_file_.reset();
    if (records_) records_->undo();
  } catch (const std::exception&) {
    // What is left is a complete file that the runtime's DEL removes by its content.
    new_file_.reset();
  }
}

}  // namespace allocator::store
