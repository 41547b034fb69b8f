#include "test/proof/node.hpp"

#include <algorithm>
#include <chrono>
#include <exception>

#include "test/unit/support/values.hpp"

namespace proof {
namespace {

constexpr const char* kNetwork = "net";

allocator::RangeSets sets_of(Ranges ranges) {
  static const allocator::RangeSets one = test::sets_of({kRange});
  static const allocator::RangeSets both = test::sets_of({kRange, kOtherRange});
  static const allocator::RangeSets first = {
      test::range_set({{kRange, "10.0.0.2", "10.0.0.2", "10.0.0.1"}})};
  switch (ranges) {
    case Ranges::one:
      return one;
    case Ranges::both:
      return both;
    case Ranges::first_address_only:
      return first;
  }
  return one;
}

store::StoreOptions options() {
  store::StoreOptions options;
  options.network_dir = kNetworkDir;
  options.state_dir = kStateDir;
  // Nobody holds a lock, but where a test says so: then for ever.
  options.lock_patience = std::chrono::milliseconds(0);
  return options;
}

/// The runtime's result cache: it names every attachment that was acknowledged.
class Cache final : public store::AttachmentSource {
 public:
  explicit Cache(const Oracle* oracle) : oracle_(oracle) {}

  std::vector<store::CachedAttachment> attachments(const std::string& network) override {
    std::vector<store::CachedAttachment> all;
    if (oracle_ == nullptr || network != kNetwork) return all;
    for (const auto& [container, told] : oracle_->present) {
      store::CachedAttachment one;
      one.attachment = {container, kInterface};
      one.pod = test::pod(told.pod);
      one.netns_path = namespace_path(container);
      for (const auto& address : told.addresses) one.addresses.push_back(test::ip(address));
      one.entry = container;
      all.push_back(std::move(one));
    }
    return all;
  }
  bool still_has(const store::CachedAttachment&) override { return true; }

 private:
  const Oracle* oracle_;
};

AddAnswer answer_of(const store::Lease& lease) {
  AddAnswer answer;
  answer.is_acknowledged = true;
  for (const auto& pick : lease.picks) {
    answer.addresses.push_back(pick.address.to_string());
    if (pick.evicted) answer.evicted_pods.push_back(pick.evicted->pod.pod_name);
  }
  return answer;
}

}  // namespace

std::string namespace_path(const std::string& container) { return "/var/run/netns/" + container; }

std::string content_of(const std::string& container) { return container + "\r\n" + kInterface; }

Files files_of(const Tree& disk) {
  Files files;
  const Id folder = disk.lookup(kNetworkDir);
  if (folder == 0) return files;
  for (const auto& [name, id] : disk.at(folder).entries) {
    if (name != "lock" && !name.starts_with("last_reserved_ip.")) files[name] = disk.at(id).bytes;
  }
  return files;
}

bool has_file(const Files& files, const std::string& container) {
  const std::string content = content_of(container);
  return std::any_of(files.begin(), files.end(),
                     [&](const auto& file) { return file.second == content; });
}

std::uint64_t records_of(const Tree& disk, const std::string& pod,
                         const std::vector<std::string>& addresses) {
  std::uint64_t hash = 0;
  const Id folder = disk.lookup(kRecordDir);
  if (folder == 0) return hash;
  for (const auto& [name, id] : disk.at(folder).entries) {
    const bool is_hint =
        name.starts_with("pod.") && name.find("_" + pod + "@") != std::string::npos;
    const bool is_binding = name.starts_with("ip.") && std::find(addresses.begin(), addresses.end(),
                                                                 name.substr(3)) != addresses.end();
    if (is_hint || is_binding) hash = mixed(mixed(hash, name), disk.at(id).bytes);
  }
  return hash;
}

template <typename Command>
auto Node::run(Command command) {
  MemoryDisk disk(machine_, observer_);
  Cache cache(cache_);
  const auto seam = observer_.seam ? observer_.seam(disk) : nullptr;
  try {
    store::LeaseStore leases(seam ? *seam : disk, options(), &cache);
    return command(leases);
  } catch (...) {
    if (observer_.failed) observer_.failed(std::current_exception());
    throw;
  }
}

AddAnswer Node::add(const std::string& container, const std::string& pod, Ranges ranges,
                    bool is_retained) {
  machine_.make_namespace(namespace_path(container));
  store::AddRequest request;
  request.attachment = {container, kInterface};
  request.netns_path = namespace_path(container);
  request.owner.pod = test::pod(pod);
  request.owner.is_retained = is_retained;
  request.sets = sets_of(ranges);
  request.reservations.pins.push_back(test::pin("p", kPinnedAddress));
  try {
    return run([&](store::LeaseStore& leases) { return answer_of(leases.add(request)); });
  } catch (const std::exception& error) {
    AddAnswer answer;
    answer.failure = error.what();
    return answer;
  }
}

std::string Node::release(const std::string& container, const std::string& pod) {
  store::ReleaseRequest request;
  request.attachment = {container, kInterface};
  request.owner.pod = test::pod(pod);
  request.sets = sets_of(Ranges::one);
  try {
    run([&](store::LeaseStore& leases) { static_cast<void>(leases.release(request)); });
  } catch (const std::exception& error) {
    return error.what();
  }
  machine_.namespaces.erase(namespace_path(container));
  return {};
}

std::vector<std::string> Node::collect(const std::vector<std::string>& valid) {
  std::vector<allocator::Attachment> attachments;
  for (const auto& container : valid) attachments.push_back({container, kInterface});
  std::vector<std::string> collected;
  run([&](store::LeaseStore& leases) {
    for (const auto& one : leases.collect(attachments))
      collected.push_back(one.attachment.container_id);
  });
  return collected;
}

/// host-local's order: a name, then its content, then the cursor; no fsync anywhere.
AddAnswer Node::go_add(const std::string& container, std::size_t places) {
  machine_.make_namespace(namespace_path(container));
  MemoryDisk disk(machine_, observer_);
  std::vector<std::string> changed;
  const auto folder = store::ensure_folder(disk, kNetworkDir, 0755, changed);
  static_cast<void>(disk.open_lock(folder, "lock", 0750));
  AddAnswer answer;
  for (std::size_t last = 2; last < 2 + places; ++last) {
    const std::string address = "10.0.0." + std::to_string(last);
    const auto file = disk.create_named(folder, address);
    if (!file) continue;
    disk.write_all(*file, content_of(container), address);
    disk.truncate_and_write(folder, "last_reserved_ip.0", address);
    answer.is_acknowledged = true;
    answer.addresses = {address};
    return answer;
  }
  answer.failure = "no IP addresses available";
  return answer;
}

void Node::go_release(const std::string& container) {
  MemoryDisk disk(machine_, observer_);
  const auto folder = disk.open_directory(kNetworkDir);
  if (!folder) return;
  for (const auto& name : disk.list(*folder)) {
    const auto content = disk.read_file(*folder, name, 4096);
    if (content && content->bytes == content_of(container)) disk.unlink(*folder, name);
  }
}

}  // namespace proof
