#include "test/proof/world.hpp"

#include <algorithm>

#include "test/proof/node.hpp"
#include "test/unit/support/values.hpp"

namespace proof {
namespace {

using allocator::Attachment;
using Addresses = std::vector<std::string>;
using Trouble = std::optional<std::string>;

std::string pod_name(unsigned pod) { return "p" + std::to_string(pod); }

std::optional<allocator::PodKey> pod_key(unsigned pod) {
  if (pod == kNameless) return std::nullopt;
  return test::pod(pod_name(pod));
}

constexpr const char* kNetwork = "net";
/// The wide range's addresses are 10.0.0.2 to .14, the narrow one's .2 to .6.
constexpr const char* kPin = "10.0.0.5";

allocator::RangeSets sets_of(const Setting& setting, unsigned pod) {
  const char* subnet = setting.is_narrow ? "10.0.0.0/29" : "10.0.0.0/28";
  if (pod == kDual) return test::sets_of({subnet, "2001:db8::/124"});
  return test::sets_of({subnet});
}

store::StoreOptions options_of(const Setting& setting) {
  store::StoreOptions options;
  options.boot_scan_patience = std::chrono::minutes(setting.is_slow ? -1 : 10);
  options.network_dir = kNetworkDir;
  options.state_dir = kStateDir;
  return options;
}

}  // namespace

/// The runtime's result cache, as far as it can be read.
class World::Cache final : public store::AttachmentSource {
 public:
  explicit Cache(const World& world) : world_(world) {}

  std::vector<store::CachedAttachment> attachments(const std::string& network) override {
    std::vector<store::CachedAttachment> all;
    if (network != kNetwork) return all;
    for (const auto& [container, cached] : world_.entries()) {
      store::CachedAttachment one;
      one.attachment = {container, kInterface};
      one.pod = pod_key(cached.sandbox.pod);
      one.netns_path = cached.sandbox.netns_path;
      for (const auto& address : cached.sandbox.addresses)
        one.addresses.push_back(test::ip(address));
      one.entry = container;
      one.written_ns = cached.written_ns;
      all.push_back(std::move(one));
    }
    return all;
  }
  bool still_has(const store::CachedAttachment& cached) override {
    return world_.entries().count(cached.entry) != 0;
  }

 private:
  const World& world_;
};

World::World(const Setting& setting) : setting_(setting), machine_({setting.model}) {
  machine_.reuses_numbers = setting.reuses_numbers;
  around_.attributes = setting.attributes;
  around_.is_old_kernel = setting.is_old_kernel;
  around_.is_node_container = setting.is_node_container;
  MemoryDisk disk(machine_);
  std::vector<std::string> changed;
  static_cast<void>(store::ensure_folder(disk, "/var/lib", 0755, changed));
  if (setting.is_root_immutable) {
    // The mount points.
    static_cast<void>(store::ensure_folder(disk, "/var/lib/cni/networks", 0755, changed));
    static_cast<void>(store::ensure_folder(disk, kStateDir, 0755, changed));
  }
  around_.is_root_immutable = setting.is_root_immutable;
  machine_.disk.own(kRoot).born_ns = 1;  // by which a node container is known again
  machine_.settle();
}

Trouble World::apply(const Event& event) {
  Trouble trouble;
  happening_ = Happening();
  switch (event.kind) {
    case Kind::add:
    case Kind::repeat_add:
      trouble = add(event, event.kind == Kind::repeat_add);
      break;
    case Kind::del:
      trouble = del(event);
      break;
    case Kind::del_again:
      trouble = del_again();
      break;
    case Kind::collect:
      trouble = collect(event);
      break;
    case Kind::go_add:
      go_add(event);
      break;
    default:
      if (is_odd(event.kind)) {
        trouble = happen_oddly(event);
      } else {
        happen(event);
      }
      break;
  }
  if (trouble) return trouble;
  if (cut_trouble_) return std::exchange(cut_trouble_, std::nullopt);
  note_restored();
  return trouble_on_disk(machine_.disk, false);
}

Trouble World::add(const Event& event, bool is_repeated) {
  Sandbox* known = is_repeated ? newest(event.who) : nullptr;
  if (is_repeated && known == nullptr) return std::nullopt;
  return add_for(known == nullptr ? new_sandbox(event.who) : *known, event);
}

/// `sandbox`: one of ours.
Trouble World::add_for(Sandbox& sandbox, const Event& event) {
  const bool is_new = !lives(sandbox);
  if (is_new) {
    make_namespace(sandbox);
    sandbox.addresses.clear();  // a container that is started anew under its ID
    sandbox.is_mistold = entries().count(sandbox.container) != 0;
  } else if (machine_.namespaces.count(sandbox.netns_path) == 0) {
    return std::nullopt;
  }
  tell(sandbox);
  happening_.is_new_namespace = is_new;
  sandbox.had_file = has_file(files_of(machine_.disk), sandbox.container);
  sandbox.has_unknown_life |= is_new && sandbox.had_file && sandbox.from != Standpoint::node;
  if (sandbox.from != around_.from) sandbox.from.reset();
  try {
    const auto lease = run_add(event, request_for(sandbox));
    return lease ? answered(sandbox, *lease) : std::nullopt;
  } catch (const std::exception& error) {
    return refused(sandbox, error.what());
  }
}

store::AddRequest World::request_for(const Sandbox& sandbox) const {
  store::AddRequest request;
  request.attachment = {sandbox.container, kInterface};
  request.netns_path = sandbox.netns_path;
  request.owner.pod = pod_key(sandbox.pod);
  request.owner.is_retained = sandbox.pod != kUnbound;
  request.sets = sets_of(setting_, sandbox.pod);
  request.reservations.pins.push_back(test::pin(pod_name(kPinned), kPin));
  return request;
}

/// A command of the store, beside what can be read of the runtime's cache: see run().
bool World::run_store(const Event& event, const std::function<void(store::LeaseStore&)>& command) {
  Cache cache(*this);
  return run(event, [&](MemoryDisk& disk) {
    store::LeaseStore leases(disk, options_of(setting_), &cache);
    command(leases);
  });
}

/// nullopt when it was cut.
std::optional<store::Lease> World::run_add(const Event& event, const store::AddRequest& request) {
  std::optional<store::Lease> lease;
  const bool is_answered =
      run_store(event, [&](store::LeaseStore& leases) { lease = leases.add(request); });
  return is_answered ? std::move(lease) : std::nullopt;
}

/// The caller has the answer: from here on the addresses are the sandbox's.
Trouble World::answered(Sandbox& sandbox, const store::Lease& lease) {
  ++counts_.acknowledged;
  Addresses told;
  for (const auto& pick : lease.picks) told.push_back(pick.address.to_string());
  happening_.addresses = told;
  if (auto trouble = shared_with(sandbox, told)) return trouble;
  if (auto trouble = trouble_with_pins(sandbox, told)) return trouble;
  // A restored file is found again; where another one was given meanwhile, it is told again.
  const bool is_unsure = sandbox.is_damaged || (sandbox.is_mistold && !is_kept_for(sandbox.pod));
  const bool is_same = sandbox.addresses.empty() || is_unsure || sandbox.addresses == told;
  if (!is_same)
    return "P2: the repeated ADD of " + sandbox.container + " gets " + told.front() +
           " instead of " + sandbox.addresses.front();
  // It was told two addresses, and the cache may know the first one only.
  sandbox.is_mistold |= !sandbox.addresses.empty() && sandbox.addresses != told;
  const auto kept = kept_.find(sandbox.pod);
  if (kept != kept_.end() && must_be_kept(sandbox, kept->second)) {
    if (kept->second != told)
      return "P4: " + pod_name(sandbox.pod) + " had " + kept->second.front() + " and gets " +
             told.front();
    ++counts_.kept;
  }
  for (auto& other : sandboxes_) {
    if (other.container == sandbox.container || !share_one(other.addresses, told)) continue;
    if (!lives(other)) ++counts_.took_over;
    other.addresses.clear();
  }
  std::erase_if(kept_, [&](const auto& one) { return share_one(one.second, told); });
  // Its pin goes before what it has.
  const bool can_be_kept = can_be_bound(sandbox.pod, told) && was_pinned_.count(sandbox.pod) == 0 &&
                           !is_pinned_to_another(sandbox.pod, told) && !is_claimed_by_ended(told);
  kept_.erase(sandbox.pod);
  if (is_kept_for(sandbox.pod) && !has_damaged_records_ && can_be_kept) kept_[sandbox.pod] = told;
  sandbox.addresses = told;
  sandbox.is_damaged = sandbox.is_forgotten = false;
  sandbox.is_stamped = can_be_stamped(told);
  sandbox.from = around_.from;
  cached_[sandbox.container] = {sandbox, ++next_written_};
  return std::nullopt;
}

/// Whoever lives and was told one of them; nobody may get it.
Trouble World::shared_with(const Sandbox& sandbox, const Addresses& told) const {
  for (const auto& address : told) {
    if (notes_.count(address) != 0)
      return "P1: " + sandbox.container + " gets " + address + ", which is reserved by hand";
  }
  for (const auto& other : sandboxes_) {
    if (other.container == sandbox.container || !lives(other)) continue;
    if (!share_one(other.addresses, told) || other.is_forgotten) continue;
    return "P1: " + sandbox.container + " gets " + told.front() + ", which " + other.container +
           " has";
  }
  return std::nullopt;
}

Trouble World::refused(const Sandbox& sandbox, const std::string& why) {
  ++counts_.refused;
  happening_.failure = why;
  if (machine_.is_read_only) return std::nullopt;
  // It gets its pin or nothing, and is told why not.
  const bool is_pinned = sandbox.pod == kPinned || was_pinned_.count(sandbox.pod) != 0;
  if (is_pinned && why.find(" is pinned to ") != std::string::npos) return std::nullopt;
  // Nobody else asks for an address of which something is damaged, or of a newer version.
  const bool is_closed = why.find("written by a newer version") != std::string::npos ||
                         why.find("repair the disk") != std::string::npos ||
                         why.find("its release is still pending") != std::string::npos;
  if (is_closed && (is_pinned || has_unreadable(sandbox.pod))) return std::nullopt;
  // Who does not know the kernel's boot cannot know that a namespace with the same numbers is of
  // another one: it may be alive, and the container's.
  const bool knows_boot = around_.from == Standpoint::node && sandbox.from == Standpoint::node &&
                          !sandbox.has_unknown_life;
  if (!knows_boot && why.find("duplicate allocation") != std::string::npos) return std::nullopt;
  if (why.find("no IP addresses available") == std::string::npos)
    return "P3: the ADD of " + sandbox.container + " fails: " + why;
  return std::nullopt;
}

Trouble World::del(const Event& event) {
  Sandbox* sandbox = oldest(event.who);
  if (sandbox == nullptr) return std::nullopt;
  const Sandbox ending = *sandbox;
  // The runtime has ended its processes, and nobody is told its addresses any more.
  sandbox->addresses.clear();
  if (!release(event, ending)) return std::nullopt;
  if (!ending.is_damaged && !machine_.is_read_only && !has_unreadable_file(ending.container))
    ended_.insert(ending.container);
  forget(ending.container);
  deleted_last_ = ending;
  return std::exchange(failure_, std::nullopt);
}

Trouble World::del_again() {
  if (!deleted_last_) return std::nullopt;
  static_cast<void>(release({Kind::del, deleted_last_->pod}, *deleted_last_));
  return std::exchange(failure_, std::nullopt);
}

/// False when it was cut. A failure is in failure_.
bool World::release(const Event& event, const Sandbox& sandbox) {
  tell(sandbox);
  store::ReleaseRequest request;
  request.attachment = {sandbox.container, kInterface};
  request.owner.pod = pod_key(sandbox.pod);
  request.sets = sets_of(setting_, sandbox.pod);
  try {
    return run_store(
        event, [&](store::LeaseStore& leases) { static_cast<void>(leases.release(request)); });
  } catch (const std::exception& error) {
    happening_.failure = error.what();
    const bool is_own = has_unreadable(sandbox.pod);
    if (!machine_.is_read_only &&
        !(is_own && happening_.failure.find("repair the disk") != std::string::npos))
      failure_ = "P3: the DEL of " + sandbox.container + " fails: " + error.what();
    return true;
  }
}

/// False when it failed, for whatever reason.
bool World::act_by_hand(const Event& event, const std::function<void(store::LeaseStore&)>& act) {
  try {
    return run_store(event, act);
  } catch (const std::exception& error) {
    happening_.failure = error.what();
    return false;
  }
}

/// With what the runtime lists, whatever its view is.
Trouble World::collect(const Event& event) {
  std::vector<Attachment> valid;
  for (const auto& one : entries()) valid.push_back({one.first, kInterface});
  happening_.is_nothing = false;
  for (const auto& one : valid) happening_.valid.push_back(one.container_id);
  std::vector<store::FreedAddress> freed;
  try {
    const bool is_answered =
        run_store(event, [&](store::LeaseStore& leases) { freed = leases.collect(valid); });
    if (!is_answered) return std::nullopt;
  } catch (const std::exception& error) {
    happening_.failure = error.what();
    if (machine_.is_read_only) return std::nullopt;
    return std::string("P3: GC fails: ") + error.what();
  }
  for (const auto& one : freed) {
    for (auto& sandbox : sandboxes_) {
      const bool is_its = sandbox.container == one.attachment.container_id &&
                          share_one(sandbox.addresses, {one.address.to_string()});
      if (!is_its) continue;
      if (lives(sandbox) && is_seen_by_gc(sandbox))
        return "P1: GC ends " + sandbox.container + ", which lives";
      sandbox.addresses.clear();
    }
  }
  return std::nullopt;
}

}  // namespace proof
