#include "allocator/store/lease_store.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "allocator/store/add_transaction.hpp"

namespace allocator::store {
namespace {

constexpr unsigned kNetworkFolderMode = 0755;  // what the Go plugin makes
constexpr std::size_t kBootIdLength = 36;      // a UUID; the line break after it is not read
constexpr std::string_view kIngressPrefix = "cilium-ingress-";

}  // namespace

std::string LeaseStore::boot_id() { return fs_.read_path(options_.boot_id_path, kBootIdLength); }

std::optional<RecordFolder> LeaseStore::existing_records() {
  if (options_.retention == Retention::off) return std::nullopt;
  return RecordFolder::open(fs_, options_.state_dir, options_.network_dir);
}

/// A file where the folder should be holds no attachment either.
std::optional<Directory> LeaseStore::open_existing() {
  try {
    return fs_.open_directory(options_.network_dir);
  } catch (const std::system_error& error) {
    if (error.code().value() == ENOTDIR) return std::nullopt;
    throw;
  }
}

Lease LeaseStore::add(const AddRequest& request) {
  std::vector<std::string> changed;
  NetworkDir network(fs_, ensure_folder(fs_, options_.network_dir, kNetworkFolderMode, changed));
  std::optional<RecordFolder> records;
  std::optional<RuntimeFolder> runtime;
  const std::string boot = boot_id();
  AddTransaction transaction(
      network, records, request,
      {boot, container_hash(request.attachment.container_id),
       fs_.network_namespace(request.netns_path).value_or(0), request.netns_path});
  {
    const NetworkLock lock(fs_, network.folder(), options_.lock_patience);
    if (options_.retention == Retention::on && request.pod) {
      records = RecordFolder::create(fs_, options_.state_dir, options_.network_dir, changed);
    } else {
      records = existing_records();
    }
    // Until they are flushed, what was flushed in this boot does not count.
    if (!changed.empty()) runtime_of(network, runtime).unmark_boot();
    transaction.run();
  }
  Lease lease{transaction.picks(), transaction.linked(), std::nullopt};
  try {
    sync_all(network, records, transaction.take_files());
    if (options_.durability == Durability::full) {
      sync_parents(network, runtime_of(network, runtime), boot, std::move(changed));
    }
    for (const auto& [address, identity] : transaction.answered()) {
      const auto now = network.identify(address);
      if (now && now->same_file(identity)) continue;
      throw TryAgain("reserve " + address.to_string() + " for " + request.attachment.container_id +
                     " " + request.attachment.ifname +
                     ": the attachment was deleted meanwhile; try again");
    }
  } catch (...) {
    lease.records = std::move(records);
    undo_or_say_so(lease, std::current_exception());
  }
  lease.records = std::move(records);
  return lease;
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
  for (const auto& [address, identity] : lease.linked) {
    const auto now = network.identify(address);
    if (now && now->same_file(identity)) network.remove(address.to_string());
  }
  if (lease.records) lease.records->undo();
}

void LeaseStore::sync_all(NetworkDir& network, std::optional<RecordFolder>& records,
                          const std::vector<Fd>& files) {
  if (options_.durability == Durability::none) return;
  for (const auto& file : files) fs_.sync(file, network.path());
  network.sync();
  if (records) records->sync();
}

/// The folders above ours: those that this call changed, and all of them in the first ADD of a
/// boot, as whoever made them may have died before flushing.
void LeaseStore::sync_parents(NetworkDir& network, RuntimeFolder& runtime, const std::string& boot,
                              std::vector<std::string> changed) {
  const bool marked = runtime.is_marked(boot);
  if (!marked) {
    append_parents(network.path(), changed);
    if (options_.retention == Retention::on) {
      append_parents(options_.state_dir + "/" + record_folder_name(options_.network_dir), changed);
    }
  }
  sync_folders(fs_, std::move(changed));
  if (!marked) runtime.mark_boot(boot);
}

/// Opened when it is first needed.
RuntimeFolder& LeaseStore::runtime_of(NetworkDir& network, std::optional<RuntimeFolder>& runtime) {
  if (!runtime) runtime.emplace(fs_, options_.runtime_dir, fs_.identify(network.folder().fd));
  return *runtime;
}

std::vector<Address> LeaseStore::release(const Attachment& attachment, std::size_t passes,
                                         const std::optional<PodKey>& pod) {
  std::vector<Address> freed;
  auto folder = open_existing();
  if (!folder) return freed;
  NetworkDir network(fs_, std::move(*folder));
  std::optional<RecordFolder> records;
  FailureList failures;
  bool found = false;
  {
    const NetworkLock lock(fs_, network.folder(), options_.lock_patience);
    records = existing_records();
    for (std::size_t pass = 0; pass < std::max<std::size_t>(passes, 1) && !failures.any(); ++pass) {
      network.scan();
      const auto files = network.find(attachment);
      if (files.empty()) break;
      found = true;
      for (const auto& file : files) {
        failures.attempt([&] {
          network.remove(file.name);
          if (file.address) freed.push_back(*file.address);
        });
      }
    }
    if (!found) refuse_if_unreadable(network, records, pod);
    stamp_bindings(network, records, freed);
  }
  if (found) finish_release(network, records, failures);
  failures.raise();
  return freed;
}

/// A file that cannot be read may be the one to free. Its record tells whose it is; answering
/// success would leave the address in use for ever.
void LeaseStore::refuse_if_unreadable(NetworkDir& network, std::optional<RecordFolder>& records,
                                      const std::optional<PodKey>& pod) {
  if (!records || !pod) return;
  for (const auto& file : network.files()) {
    if (file.readable || !file.address) continue;
    const auto binding = records->binding(*file.address);
    if (!binding || binding->pod != *pod) continue;
    throw TryAgain("release " + file.address->to_string() + " of " + pod->display() + ": " +
                   network.path() + "/" + file.name +
                   " cannot be read; repair the disk or remove the file");
  }
}

/// In use becomes held: the stamp says since when, in numbers that only grow. A binding that cannot
/// be stamped (full disk) stays as it is: that costs its place in the queue, nothing else, and the
/// release has happened.
void LeaseStore::stamp_bindings(NetworkDir& network, std::optional<RecordFolder>& records,
                                const std::vector<Address>& freed) {
  if (!records || freed.empty()) return;
  RuntimeFolder runtime(fs_, options_.runtime_dir, fs_.identify(network.folder().fd));
  const auto highest = [&] {
    std::uint64_t number = 0;
    for (const auto& [address, binding] : records->bindings())
      number = std::max(number, binding.sequence);
    return number;
  };
  std::optional<std::uint64_t> sequence;
  for (const auto& address : freed) {
    try {
      auto binding = records->binding(address);
      if (!binding) continue;
      if (!sequence) sequence = runtime.next_sequence(highest);
      binding->sequence = *sequence;
      records->put(address, *binding);
    } catch (const std::system_error&) {
      continue;
    } catch (const NewerFormat&) {
      continue;
    }
  }
}

void LeaseStore::finish_release(NetworkDir& network, std::optional<RecordFolder>& records,
                                FailureList& failures) {
  if (options_.durability == Durability::none) return;
  failures.attempt([&] { network.sync(); });
  if (records && !records->changes().empty()) failures.attempt([&] { records->sync(); });
}

std::vector<AttachmentFile> LeaseStore::held_by(const Attachment& attachment) {
  auto folder = open_existing();
  if (!folder) return {};
  NetworkDir network(fs_, std::move(*folder));
  const NetworkLock lock(fs_, network.folder(), options_.lock_patience);
  network.scan();
  return network.find(attachment);
}

std::optional<std::string> LeaseStore::obstacle() const {
  std::vector<std::string> needed = {options_.network_dir};
  if (options_.retention == Retention::on) needed.push_back(options_.state_dir);
  for (const auto& folder : needed) {
    std::string existing = folder;
    std::optional<bool> writable = fs_.is_writable(existing);
    while (!writable && existing != parent_of(existing)) {
      existing = parent_of(existing);
      writable = fs_.is_writable(existing);
    }
    if (!writable.value_or(false))
      return "no file can be made in " + existing + ", which " + folder + " needs";
  }
  return std::nullopt;
}

std::vector<HeldFile> LeaseStore::collect(const std::vector<Attachment>& valid) {
  std::vector<HeldFile> collected;
  auto folder = open_existing();
  if (!folder) return collected;
  NetworkDir network(fs_, std::move(*folder));
  std::optional<RecordFolder> records;
  std::vector<Address> freed;
  FailureList failures;
  {
    const NetworkLock lock(fs_, network.folder(), options_.lock_patience);
    network.scan();
    for (const auto& file : network.files()) {
      const bool is_valid =
          std::any_of(valid.begin(), valid.end(), [&](const Attachment& attachment) {
            return match_owner(file, attachment) != OwnerMatch::none;
          });
      if (!file.address || file.owner.empty() || is_valid || is_protected(network, file)) continue;
      failures.attempt([&] {
        network.remove(file.name);
        freed.push_back(*file.address);
        collected.push_back({parse_owner(file.owner), *file.address});
      });
    }
    records = existing_records();
    stamp_bindings(network, records, freed);
  }
  if (!freed.empty()) finish_release(network, records, failures);
  failures.raise();
  return collected;
}

/// A runtime's list may be older than the attachment: a network namespace that is still there says
/// that it lives.
bool LeaseStore::is_protected(NetworkDir& network, const AttachmentFile& file) {
  const Attachment owner = parse_owner(file.owner);
  if (owner.container_id.starts_with(kIngressPrefix)) return true;
  const auto stamp = network.stamp_of(file.name);
  if (!stamp || stamp->container_hash != container_hash(owner.container_id) ||
      stamp->netns_inode == 0)
    return false;
  return fs_.network_namespace(stamp->netns_path) == stamp->netns_inode;
}

}  // namespace allocator::store
