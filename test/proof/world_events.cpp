/// What happens around the store.
#include <algorithm>

#include "test/proof/node.hpp"
#include "test/proof/world.hpp"

namespace proof {
namespace {

/// A deep copy of what `from` has at `path`, under new inodes; 0 when there is nothing.
Id copied(const Tree& from, Id id, Machine& machine) {
  if (id == 0) return 0;
  Inode inode = from.at(id);
  std::map<std::string, Id> entries;
  for (const auto& [name, below] : inode.entries) entries[name] = copied(from, below, machine);
  inode.entries = std::move(entries);
  inode.number = machine.next_number++;
  const Id copy = machine.next_id++;
  machine.disk.put(copy, std::move(inode));
  return copy;
}

}  // namespace

void World::happen(const Event& event) {
  switch (event.kind) {
    case Kind::die:
      if (Sandbox* sandbox = oldest(event.who); sandbox != nullptr && lives(*sandbox)) {
        tell(*sandbox);
        end_namespace(*sandbox);
      }
      break;
    case Kind::unmount:
      if (const Sandbox* sandbox = oldest(event.who); sandbox != nullptr && lives(*sandbox)) {
        if (machine_.namespaces.erase(sandbox->netns_path) != 0) {
          machine_.inhabited.push_back(sandbox->network_namespace);
          tell(*sandbox);
        }
      }
      break;
    case Kind::exit:
      happening_.is_nothing = false;
      for (const auto& one : machine_.inhabited) free_namespaces_.push_back(one.inode);
      machine_.inhabited.clear();
      break;
    case Kind::reboot:
    case Kind::reboot_with_run: {
      happening_.is_nothing = false;
      Machine next = machine_;
      next.reboot_in_order();
      if (event.kind == Kind::reboot_with_run) next.run = machine_.run;
      boot(std::move(next));
      if (event.kind == Kind::reboot_with_run) put_tombstones_off();
      break;
    }
    case Kind::power_cut:
      cut_power(some_state(event.draw));
      break;
    case Kind::remove_run:
      happening_.is_nothing = false;
      machine_.run = Tree();
      have_cache_asked();
      // What nobody has flushed was only told there.
      for (auto& sandbox : sandboxes_) sandbox.is_damaged |= sandbox.addresses.empty();
      break;
    case Kind::cache_fresh:
      view_ = View::fresh;
      break;
    case Kind::cache_stale:
      view_ = View::stale;
      cache_then_ = cached_;
      break;
    case Kind::cache_gone:
      view_ = View::gone;
      break;
    case Kind::read_only:
    case Kind::writable:
      machine_.is_read_only = event.kind == Kind::read_only;
      break;
    case Kind::go_del:
      go_del(event.who);
      break;
    default:
      happen_to_files(event);
      happen_to_records(event);
      break;
  }
}

/// A command looks at the runtime's cache for who lost his file: what it finds without a stamp is
/// the Go plugin's, and newer than what is bound, unless the cache tells better.
void World::have_cache_asked() {
  if (has_lost_stamps_ && view_ != View::fresh) kept_.clear();
}

/// Somebody changes the network folder, or all of the disk.
void World::happen_to_files(const Event& event) {
  if (machine_.is_read_only && event.kind != Kind::copy_disk && event.kind != Kind::restore_disk)
    return;
  const std::string address = address_file(event.who);
  switch (event.kind) {
    case Kind::copy_disk:
      happening_.is_nothing = false;
      backup_ = machine_.disk;
      cached_at_backup_ = cached_;
      break;
    case Kind::restore_disk:
      if (!backup_) break;
      happening_.is_nothing = false;
      boot(machine_.booted_from(*backup_, {setting_.model}));
      repair();
      sandboxes_.clear();
      ended_.clear();
      notes_.clear();
      deleted_last_.reset();
      cached_ = cached_at_backup_;
      pins_.clear();
      kept_.clear();
      break;
    case Kind::remove_file:
      if (address.empty()) break;
      tell_name(address);
      damage(address);
      machine_.forget_file(kNetworkDir, address);
      have_cache_asked();
      break;
    case Kind::empty_file:
      if (address.empty()) break;
      tell_name(address);
      damage(address);
      machine_.disk.own(machine_.disk.lookup(std::string(kNetworkDir) + "/" + address)).bytes = "";
      machine_.settle();
      break;
    case Kind::strip_stamps:
      happening_.is_nothing = false;
      for (const auto& file : files_of(machine_.disk)) {
        const Id id = machine_.disk.lookup(std::string(kNetworkDir) + "/" + file.first);
        Inode& inode = machine_.disk.own(id);
        inode.attribute.reset();
        inode.number = machine_.next_number++;
      }
      for (auto& sandbox : sandboxes_) sandbox.is_stamped = false;
      machine_.settle();
      kept_.clear();
      has_lost_stamps_ = true;
      break;
    case Kind::remove_network:
      happening_.is_nothing = false;
      for (const auto& file : files_of(machine_.disk)) damage(file.first);
      machine_.forget_file("/var/lib/cni/networks", "net");
      kept_.clear();
      break;
    case Kind::write_note: {
      const std::string free = "10.0.0." + std::to_string(2 + event.who % 5);
      const Id folder = machine_.disk.lookup(kNetworkDir);
      if (folder == 0 || !is_readable(free)) break;
      MemoryDisk disk(machine_);
      const auto file = disk.create_named(*disk.open_directory(kNetworkDir), free);
      if (!file) break;
      tell_name(free);
      disk.write_all(*file, "reserved by hand\n", free);
      machine_.settle();
      damage(free);
      notes_.insert(free);
      break;
    }
    default:
      break;
  }
}

void World::happen_to_records(const Event& event) {
  if (machine_.is_read_only) return;
  const std::vector<std::string> names = records();
  switch (event.kind) {
    case Kind::remove_state:
      happening_.is_nothing = false;
      remove_state();
      lose_recorded_stamps();
      is_state_removed_ = true;
      kept_.clear();
      break;
    case Kind::restore_state:
      happening_.is_nothing = !backup_;
      put_back_state();
      lose_recorded_stamps();
      is_state_foreign_ = true;
      kept_.clear();
      break;
    case Kind::remove_record:
    case Kind::spoil_record:
      if (!names.empty()) happen_to_record(event, names.at(event.who % names.size()));
      break;
    default:
      break;
  }
}

void World::happen_to_record(const Event& event, const std::string& name) {
  if (event.kind == Kind::remove_record) {
    machine_.forget_file(kRecordDir, name);
  } else {
    const std::string path = std::string(kRecordDir) + "/" + name;
    Inode& inode = machine_.disk.own(machine_.disk.lookup(path));
    if (inode.kind == store::FileKind::directory) return;
    inode.bytes = kSpoilt.at(event.draw % kSpoilt.size());
    happening_.text = inode.bytes;
    machine_.settle();
  }
  tell_name(name);
  if (name == "pins") pins_.clear();
  lose_recorded_stamps();
  unrecorded_.insert(name);
  kept_.clear();
}

/// What is mounted stays.
void World::remove_state() {
  pins_.clear();
  if (!setting_.is_root_immutable) return machine_.forget_file("/var/lib", "delegated-ipam");
  const auto below = machine_.disk.at(machine_.disk.lookup(kStateDir)).entries;
  for (const auto& entry : below) machine_.forget_file(kStateDir, entry.first);
}

void World::put_back_state() {
  if (!backup_) return;
  const Id old = backup_->lookup(kStateDir);
  remove_state();
  if (old == 0) return;
  const Id copy = copied(*backup_, old, machine_);
  machine_.disk.own(machine_.disk.lookup("/var/lib")).entries["delegated-ipam"] = copy;
  machine_.settle();
}

void World::go_add(const Event& event) {
  // Of what the disk does not give it knows nothing.
  if (machine_.is_read_only || !machine_.damaged.empty()) return;
  Sandbox& sandbox = new_sandbox(event.who);
  sandbox.is_go = true;
  has_lost_stamps_ = true;
  make_namespace(sandbox);
  tell(sandbox);
  happening_.is_new_namespace = true;
  const auto answer =
      Node(machine_, nullptr).go_add(sandbox.container, setting_.is_narrow ? 5 : 13);
  happening_.addresses = answer.addresses;
  happening_.failure = answer.failure;
  if (!answer.is_acknowledged) return;
  damage(answer.addresses.front());
  kept_.erase(event.who);  // its newest address is this one
  // Who had lost his file has lost his address.
  for (auto& other : sandboxes_) {
    if (share_one(other.addresses, answer.addresses)) other.addresses.clear();
  }
  sandbox.addresses = answer.addresses;
  cached_[sandbox.container] = {sandbox, ++next_written_};
}

void World::go_del(unsigned pod) {
  const Sandbox* sandbox = oldest(pod);
  if (sandbox == nullptr || machine_.is_read_only || !machine_.damaged.empty()) return;
  tell(*sandbox);
  Node(machine_, nullptr).go_release(sandbox->container);
  kept_.erase(pod);
  have_cache_asked();
  forget(sandbox->container);
}

}  // namespace proof
