#include "allocator/store/add_transaction.hpp"

#include <algorithm>
#include <system_error>

namespace allocator::store {
namespace {

constexpr int kPublishAttempts = 16;
constexpr std::size_t kBoundPerFamily = 4;
constexpr std::size_t kOwnersInMessage = 3;

/// choose()'s view of the two folders.
class StoreSnapshot final : public Snapshot {
 public:
  StoreSnapshot(NetworkDir& network, std::optional<RecordFolder>& records)
      : network_(network), records_(records) {}

  std::optional<std::string> holder(const Address& address) override {
    return network_.holder(address);
  }
  std::optional<Binding> binding(const Address& address) override {
    return records_ ? records_->binding(address) : std::nullopt;
  }
  std::vector<HeldAddress> held() override {
    std::vector<HeldAddress> held;
    if (!records_) return held;
    for (auto& [address, binding] : records_->bindings()) {
      if (!network_.holder(address)) held.push_back({address, std::move(binding)});
    }
    return held;
  }
  std::optional<Address> cursor(std::size_t set) override { return network_.cursor(set); }

 private:
  NetworkDir& network_;
  std::optional<RecordFolder>& records_;
};

bool has(const std::vector<Address>& addresses, const Address& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

/// Keeps the first `kBoundPerFamily` addresses of each family.
std::vector<Address> newest_of_each_family(const std::vector<Address>& addresses) {
  std::vector<Address> kept;
  for (const auto& address : addresses) {
    const auto same = std::count_if(kept.begin(), kept.end(), [&](const Address& other) {
      return other.family() == address.family();
    });
    if (static_cast<std::size_t>(same) < kBoundPerFamily) kept.push_back(address);
  }
  return kept;
}

}  // namespace

void AddTransaction::run() {
  for (int attempt = 0; attempt < kPublishAttempts; ++attempt) {
    network_.scan();
    find_present();
    choose_addresses();
    try {
      // Somebody who ignores the lock may take an address between our look and our link: choose
      // again.
      if (!publish()) continue;
      write_records();
    } catch (...) {
      take_back();
      throw;
    }
    write_cursors();
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
  refuse_if_own_is_unreadable();
  bound_.clear();
  if (!records_ || !request_.pod) return;
  hint_ = records_->hint(*request_.pod);
  if (!hint_) return;
  for (const auto& address : hint_->addresses) {
    auto binding = records_->binding(address);
    if (binding && binding->pod == *request_.pod) bound_.emplace_back(address, std::move(*binding));
  }
}

/// The stamp is elsewhere on the disk than the content: it may tell that an unreadable file is this
/// attachment's, which then must not get a second address. Another container of the pod may.
void AddTransaction::refuse_if_own_is_unreadable() {
  for (const auto& file : network_.files()) {
    if (file.readable || !file.address) continue;
    const auto stamp = network_.stamp_of(file.name);
    if (!stamp || stamp->container_hash != stamp_.container_hash) continue;
    throw TryAgain("reserve an address for " + request_.attachment.container_id + ": " +
                   network_.path() + "/" + file.name +
                   " is its own, but cannot be read; repair the disk or remove the file");
  }
}

Wish AddTransaction::make_wish() {
  Wish wish;
  wish.pod = request_.pod;
  wish.requested = request_.requested;
  if (request_.on_duplicate == OnDuplicate::error) {
    wish.present = network_.claimed_by(request_.attachment);
    wish.refuse_duplicate_of = request_.attachment.container_id;
  } else {
    for (const auto& file : present_) wish.present.push_back(*file.address);
  }
  for (const auto& [address, binding] : bound_) {
    const bool other_object = request_.require_same_uid && binding.uid != request_.uid;
    if (!other_object) wish.bound.push_back(address);
  }
  for (const auto& file : network_.files()) {
    const bool same =
        file.address && parse_owner(file.owner).container_id == request_.attachment.container_id;
    if (same) wish.same_sandbox.push_back(*file.address);
  }
  return wish;
}

void AddTransaction::choose_addresses() {
  StoreSnapshot snapshot(network_, records_);
  Choice choice = choose(request_.sets, request_.reservations, make_wish(), snapshot);
  picks_ = std::move(choice.picks);
  if (!choice.failure) return;
  // host-local moves the cursors of the sets before the one that failed; both must walk alike.
  write_cursors();
  if (choice.failure->kind == Kind::exhausted) describe_exhaustion(*choice.failure, snapshot);
  throw Error(*choice.failure);
}

void AddTransaction::describe_exhaustion(Error& error, Snapshot& snapshot) const {
  if (!records_) return;
  const RangeSet& set = request_.sets[picks_.size()];
  std::vector<std::pair<std::int64_t, std::string>> owners;
  for (const auto& file : network_.files()) {
    if (!file.address || !set.contains(*file.address)) continue;
    const auto identity = network_.identify(*file.address);
    const auto binding = records_->binding(*file.address);
    const std::string owner =
        binding ? binding->pod.display() : network_.holder(*file.address).value_or("");
    owners.emplace_back(identity ? identity->changed_ns : 0,
                        file.address->to_string() + " " + owner);
  }
  const auto held = snapshot.held();
  const auto held_count = std::count_if(
      held.begin(), held.end(), [&](const HeldAddress& one) { return set.contains(one.address); });
  std::sort(owners.begin(), owners.end());
  error.details = "in-use " + std::to_string(owners.size()) + ", held " +
                  std::to_string(held_count) + ", reserved " +
                  std::to_string(count_reserved(set, request_.reservations)) + "; oldest in-use:";
  for (std::size_t i = 0; i < std::min(kOwnersInMessage, owners.size()); ++i) {
    error.details += (i == 0 ? " " : ", ") + owners[i].second;
  }
}

bool AddTransaction::publish() {
  linked_.clear();
  answered_.clear();
  files_.clear();
  identities_.clear();
  renew_stamps();
  for (const auto& pick : picks_) {
    if (pick.reason == Reason::present) continue;
    const OpenFile file = file_to_link();
    if (network_.publish(*file.fd, pick.address) == Outcome::exists) {
      take_back();
      return false;
    }
    linked_.emplace_back(pick.address, file.identity);
    answered_.emplace_back(pick.address, file.identity);
  }
  if (new_file_) {
    network_.discard_private_name(*new_file_);
    files_.push_back(std::move(new_file_->fd));
    new_file_.reset();
  }
  return true;
}

/// The names of one attachment share one inode: a repeated ADD links missing addresses to the file
/// that is there.
AddTransaction::OpenFile AddTransaction::file_to_link() {
  if (new_file_) return {&new_file_->fd, *new_identity_};
  const bool joins =
      request_.on_duplicate == OnDuplicate::same_addresses && !files_.empty() &&
      match_owner(present_.front(), request_.attachment) == OwnerMatch::container_and_ifname;
  if (joins) return {&files_.front(), identities_.front()};
  new_file_ = network_.create(request_.attachment);
  network_.set_stamp(new_file_->fd, encode(stamp_));
  // Asked for before the first link: once a name is there, nothing may fail before it is
  // remembered.
  new_identity_ = network_.file_identity(new_file_->fd);
  return {&new_file_->fd, *new_identity_};
}

/// The attachment may live in another boot or network namespace than at its first ADD (podman
/// restarts a container under the same ID).
void AddTransaction::renew_stamps() {
  if (request_.on_duplicate == OnDuplicate::error) return;
  for (const auto& present : present_) {
    auto file = network_.open(present.name);
    if (!file) continue;
    const FileIdentity identity = network_.file_identity(*file);
    answered_.emplace_back(*present.address, identity);
    const bool seen =
        std::any_of(identities_.begin(), identities_.end(),
                    [&](const FileIdentity& other) { return other.same_file(identity); });
    if (seen) continue;
    network_.set_stamp(*file, encode(stamp_));
    identities_.push_back(identity);
    files_.push_back(std::move(*file));
  }
}

void AddTransaction::write_records() {
  if (!records_) return;
  if (!request_.pod) {
    for (const auto& pick : picks_) {
      if (pick.evicted) records_->remove(pick.address);
    }
    forget_evicted();
    return;
  }
  PodHint hint;
  for (const auto& pick : picks_) hint.addresses.push_back(pick.address);
  for (const auto& address : still_bound(hint.addresses)) hint.addresses.push_back(address);
  hint.addresses = newest_of_each_family(hint.addresses);
  const std::string boot8 = stamp_.boot_id.substr(0, 8);
  const bool new_boot = hint_ && (bound_.empty() || bound_.front().second.boot8 != boot8);
  if (new_boot) hint.previous_boot = hint_->addresses;
  if (hint_ && !new_boot) hint.previous_boot = hint_->previous_boot;
  // The hint first: one without bindings is ignored, a binding without a hint would be held for
  // nobody. So addresses that the pod loses stay in it until their bindings are gone.
  PodHint meanwhile = hint;
  for (const auto& [address, binding] : bound_) {
    if (!has(hint.addresses, address)) meanwhile.addresses.push_back(address);
  }
  records_->put(*request_.pod, meanwhile);
  for (const auto& pick : picks_) records_->put(pick.address, binding_for(pick));
  for (const auto& [address, binding] : bound_) {
    if (!has(hint.addresses, address)) records_->remove(address);
  }
  records_->put(*request_.pod, hint);
  forget_evicted();
}

/// A pod that lost its last address leaves nothing behind: names that never come back must not pile
/// up.
void AddTransaction::forget_evicted() {
  for (const auto& pick : picks_) {
    if (pick.evicted) records_->forget_evicted(pick.evicted->pod);
  }
}

Binding AddTransaction::binding_for(const Pick& pick) const {
  Binding binding{*request_.pod, request_.uid, 0, 0, stamp_.boot_id.substr(0, 8)};
  const auto before = std::find_if(bound_.begin(), bound_.end(),
                                   [&](const auto& bound) { return bound.first == pick.address; });
  if (before == bound_.end()) return binding;
  binding.kept = before->second.kept + (pick.reason == Reason::present ? 0 : 1);
  return binding;
}

/// Bound addresses that stay beside the chosen ones: those in no set of today, and the dormant
/// ones. An address that lost its place to a newer one of the same set is no longer the pod's.
std::vector<Address> AddTransaction::still_bound(const std::vector<Address>& chosen) const {
  std::vector<Address> addresses;
  for (const auto& [address, binding] : bound_) {
    if (has(chosen, address)) continue;
    const std::size_t set = set_of(request_.sets, address);
    const bool counts_today =
        set < request_.sets.size() &&
        may_use(request_.sets[set], request_.reservations, request_.pod, address);
    if (!counts_today) addresses.push_back(address);
  }
  return addresses;
}

void AddTransaction::write_cursors() {
  for (const auto& pick : picks_) {
    const bool moves = pick.reason == Reason::round_robin || pick.reason == Reason::requested;
    if (moves) network_.write_cursor(pick.set, pick.address);
  }
}

void AddTransaction::take_back() noexcept {
  try {
    for (const auto& [address, identity] : linked_) network_.remove(address.to_string());
    linked_.clear();
    if (new_file_) network_.discard_private_name(*new_file_);
    new_file_.reset();
    if (records_) records_->undo();
  } catch (const std::exception&) {
    // What is left is a complete file that the runtime's DEL removes by its content.
    new_file_.reset();
  }
}

}  // namespace allocator::store
