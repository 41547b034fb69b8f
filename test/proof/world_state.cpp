/// What comes to a command while it runs, and what a bystander knows of sandboxes.
#include <algorithm>

#include "test/proof/node.hpp"
#include "test/proof/world.hpp"

namespace proof {
namespace {

/// 0 when there is none.
Id record_at(const Tree& disk, const std::string& name) {
  return disk.lookup(std::string(kRecordDir) + "/" + name);
}

bool is_newer(const Tree& disk, Id record) {
  return record != 0 && disk.at(record).bytes.starts_with("9~");
}

}  // namespace

bool World::run(const Event& event, const std::function<void(MemoryDisk&)>& command) {
  for (auto& sandbox : sandboxes_) {
    const bool is_untold = is_state_foreign_ || (is_state_removed_ && !is_kept_for(event.who));
    if (sandbox.is_damaged && (is_untold || !is_told_of(sandbox))) sandbox.is_forgotten = true;
    // A file that is given back has the stamp of whoever does it.
    if (sandbox.is_damaged && sandbox.from != around_.from) sandbox.from.reset();
  }
  if (event.fate == Fate::whole) {
    const SeenDisk* seen = nullptr;
    SeenDisk disk(machine_, around_, [&](MemoryDisk::Step step) {
      const bool may_others_go_on = step == MemoryDisk::Step::sync && !seen->holds_lock();
      if (may_others_go_on && meanwhile_) std::exchange(meanwhile_, {})();
    });
    seen = &disk;
    command(disk);
    return true;
  }
  std::optional<Machine> left;
  unsigned step = 0;
  std::map<unsigned, std::uint64_t> records;
  for (const auto& [pod, addresses] : kept_)
    records[pod] = records_of(machine_.disk, "p" + std::to_string(pod), addresses);
  const auto observer = [&](MemoryDisk::Step) {
    if (step++ == event.step) left = machine_;
  };
  try {
    SeenDisk disk(machine_, around_, observer);
    command(disk);
  } catch (const std::exception&) {
    if (!left) throw;
  }
  if (!left) return true;
  machine_ = std::move(*left);
  machine_.prune();
  const Tree tree = event.fate == Fate::killed ? machine_.disk : some_state(event.draw);
  std::erase_if(kept_, [&](const auto& one) {
    const std::string name = "p" + std::to_string(one.first);
    return records_of(machine_.disk, name, one.second) != records.at(one.first) ||
           records_of(tree, name, one.second) != records.at(one.first);
  });
  // Who was evicted by it is.
  const Files files = files_of(tree);
  const std::string newcomer = "c" + std::to_string(event.who) + "-";
  std::erase_if(kept_, [&](const auto& one) {
    return std::any_of(one.second.begin(), one.second.end(), [&](const std::string& address) {
      const auto file = files.find(address);
      return one.first != event.who && file != files.end() && file->second.starts_with(newcomer);
    });
  });
  // The sandbox may have got an address that nobody was told, and its repeated ADD gets that.
  if (event.kind != Kind::del) kept_.erase(event.who);
  // Of two names a disk without any order may keep either.
  if (event.fate == Fate::power_cut && setting_.model == Model::weak) kept_.clear();
  if (event.fate == Fate::power_cut) cut_power(tree);
  return false;
}

Tree World::some_state(unsigned draw) const {
  struct Enough {};
  std::vector<Tree> states;
  Durable::Budget budget{16, mixed(draw, "states")};
  try {
    machine_.durable.front().visit_all(budget, [&](const Tree& tree) {
      states.push_back(tree);
      if (states.size() > draw) throw Enough();
    });
  } catch (const Enough&) {
    return states.back();
  }
  return states.at(draw % states.size());
}

void World::cut_power(const Tree& left) {
  cut_trouble_ = trouble_on_disk(left, true);
  boot(machine_.booted_from(left, {setting_.model}));
}

void World::boot(Machine next) {
  unrecorded_.clear();
  is_state_removed_ = is_state_foreign_ = false;
  have_cache_asked();
  machine_ = std::move(next);
  machine_.namespaces.clear();
  machine_.inhabited.clear();
  ++boot_;
  ++around_.node_starts;
  // Numbers of namespaces begin anew.
  machine_.next_namespace = 1;
  free_namespaces_.clear();
}

World::Sandbox& World::new_sandbox(unsigned pod) {
  const std::string container = "c" + std::to_string(pod) + "-" + std::to_string(next_container_++);
  sandboxes_.push_back({container, pod, {}, namespace_path(container)});
  sandboxes_.back().from = around_.from;
  return sandboxes_.back();
}

void World::make_namespace(Sandbox& sandbox) {
  store::NamespaceIdentity identity{4'026'532'000 + machine_.next_namespace,
                                    machine_.next_namespace};
  ++machine_.next_namespace;
  if (setting_.reuses_namespaces && !free_namespaces_.empty()) {
    identity.inode = free_namespaces_.back();
    free_namespaces_.pop_back();
  }
  machine_.namespaces[sandbox.netns_path] = identity;
  sandbox.network_namespace = identity;
  sandbox.boot = boot_;
}

void World::end_namespace(const Sandbox& sandbox) {
  if (!lives(sandbox)) return;
  const auto is_it = [&](const store::NamespaceIdentity& one) {
    return one.id == sandbox.network_namespace.id;
  };
  std::erase_if(machine_.namespaces, [&](const auto& one) { return is_it(one.second); });
  std::erase_if(machine_.inhabited, is_it);
  free_namespaces_.push_back(sandbox.network_namespace.inode);
}

void World::tell(const Sandbox& sandbox) {
  happening_.is_nothing = false;
  happening_.container = sandbox.container;
  happening_.pod = sandbox.pod;
}

void World::tell_name(const std::string& name) {
  happening_.is_nothing = false;
  happening_.name = name;
}

std::vector<std::string> World::records() const {
  std::vector<std::string> names;
  const Id folder = machine_.disk.lookup(kRecordDir);
  if (folder == 0) return names;
  for (const auto& entry : machine_.disk.at(folder).entries) names.push_back(entry.first);
  return names;
}

std::vector<std::string> World::cached() const {
  std::vector<std::string> containers;
  for (const auto& entry : entries()) containers.push_back(entry.first);
  return containers;
}

World::Sandbox* World::oldest(unsigned pod) {
  const auto found = std::find_if(sandboxes_.begin(), sandboxes_.end(),
                                  [&](const Sandbox& one) { return one.pod == pod; });
  return found == sandboxes_.end() ? nullptr : &*found;
}

World::Sandbox* World::newest(unsigned pod) {
  const auto found = std::find_if(sandboxes_.rbegin(), sandboxes_.rend(),
                                  [&](const Sandbox& one) { return one.pod == pod && !one.is_go; });
  return found == sandboxes_.rend() ? nullptr : &*found;
}

bool World::lives(const Sandbox& sandbox) const {
  return sandbox.boot == boot_ && machine_.is_alive(sandbox.network_namespace);
}

/// By what can be known here and now, whatever is true. Stamps of a container's, and what is looked
/// at from one, prove less; so do numbers that come again, and in a node that is a container nothing
/// proves the end of a sandbox but the node's own.
bool World::is_proven_dead(const Sandbox& sandbox) const {
  if (lives(sandbox)) return false;
  if (around_.from != Standpoint::node || sandbox.from != Standpoint::node) return false;
  if (setting_.attributes != Attributes::kept && !sandbox.is_stamped) return false;
  if (sandbox.boot != boot_) return true;
  return !setting_.is_node_container && !(setting_.is_old_kernel && setting_.reuses_namespaces);
}

/// GC knows who lives by his path; else by his stamp, from the kernel, or from a process that it
/// sees.
bool World::is_seen_by_gc(const Sandbox& sandbox) const {
  if (machine_.namespaces.count(sandbox.netns_path) != 0) return true;
  if (!sandbox.is_stamped) return false;
  if (!setting_.is_old_kernel) return true;
  return around_.from == Standpoint::node &&
         std::any_of(machine_.inhabited.begin(), machine_.inhabited.end(),
                     [&](const auto& one) { return one.id == sandbox.network_namespace.id; });
}

/// Not where no file takes a stamp, and the record that would cannot be read.
bool World::can_be_stamped(const std::vector<std::string>& addresses) const {
  if (setting_.attributes == Attributes::kept) return true;
  return std::none_of(addresses.begin(), addresses.end(), [&](const std::string& address) {
    const Id record = record_at(machine_.disk, "stamp." + address);
    return is_newer(machine_.disk, record) || machine_.damaged.count(record) != 0;
  });
}

/// Not where a record is of a newer version: it must not be overwritten.
bool World::can_be_bound(unsigned pod, const std::vector<std::string>& addresses) const {
  const auto is_closed = [&](const std::string& name) {
    return is_newer(machine_.disk, record_at(machine_.disk, name));
  };
  return !is_closed("pod.default_p" + std::to_string(pod) + "@eth0") &&
         std::none_of(addresses.begin(), addresses.end(),
                      [&](const std::string& address) { return is_closed("ip." + address); });
}

/// Where no file takes a stamp they are in the records.
void World::lose_recorded_stamps() {
  if (setting_.attributes == Attributes::kept) return;
  for (auto& sandbox : sandboxes_) sandbox.is_stamped = false;
  has_lost_stamps_ = true;
}

bool World::has_unreadable_file(const std::string& container) const {
  if (machine_.damaged.empty()) return false;
  const Files files = files_of(machine_.disk);
  return std::any_of(files.begin(), files.end(), [&](const auto& file) {
    return file.second == content_of(container) && !is_readable(file.first);
  });
}

/// A file of a container of the pod, or at an address that is bound to it.
bool World::has_unreadable(unsigned pod) const {
  if (machine_.damaged.empty()) return false;
  const Files files = files_of(machine_.disk);
  return std::any_of(files.begin(), files.end(), [&](const auto& file) {
    if (is_readable(file.first)) return false;
    if (file.second.starts_with("c" + std::to_string(pod) + "-")) return true;
    const Id record = record_at(machine_.disk, "ip." + file.first);
    const std::string name = "~p" + std::to_string(pod) + "~";
    return record != 0 && machine_.disk.at(record).bytes.find(name) != std::string::npos;
  });
}

bool World::is_readable(const std::string& address) const {
  const Id folder = machine_.disk.lookup(kNetworkDir);
  if (folder == 0) return true;
  const auto& entries = machine_.disk.at(folder).entries;
  const auto file = entries.find(address);
  return file == entries.end() || machine_.damaged.count(file->second) == 0;
}

void World::forget(const std::string& container) {
  const auto found = std::find_if(sandboxes_.begin(), sandboxes_.end(),
                                  [&](const Sandbox& one) { return one.container == container; });
  if (found == sandboxes_.end()) return;
  end_namespace(*found);
  cached_.erase(container);
  sandboxes_.erase(found);
}

/// What can be read of the runtime's cache now.
const std::map<std::string, World::Cached>& World::entries() const {
  static const std::map<std::string, Cached> none;
  if (view_ == View::gone) return none;
  return view_ == View::fresh ? cached_ : cache_then_;
}

/// What the runtime's cache told of is there again, and stays.
void World::note_restored() {
  const Files files = files_of(machine_.durable.front().tree());
  for (auto& sandbox : sandboxes_) {
    if (!sandbox.is_damaged || sandbox.addresses.empty()) continue;
    sandbox.is_damaged =
        !std::all_of(sandbox.addresses.begin(), sandbox.addresses.end(), [&](const auto& address) {
          const auto file = files.find(address);
          return file != files.end() && file->second == content_of(sandbox.container) &&
                 is_readable(address);
        });
    sandbox.is_forgotten &= sandbox.is_damaged;
  }
}

std::string World::address_file(unsigned which) const {
  const Files files = files_of(machine_.disk);
  if (files.empty()) return {};
  return std::next(files.begin(), which % static_cast<unsigned>(files.size()))->first;
}

/// Whose address it is has a file less, and whoever is to get it is not sure to.
void World::damage(const std::string& address) {
  notes_.erase(address);
  for (auto& sandbox : sandboxes_) sandbox.is_damaged |= share_one(sandbox.addresses, {address});
  std::erase_if(kept_, [&](const auto& one) { return share_one(one.second, {address}); });
}

/// By a sandbox whose DEL has come, while the runtime still tells of it: where its file is missing it
/// is given it back.
bool World::is_claimed_by_ended(const std::vector<std::string>& addresses) const {
  return std::any_of(sandboxes_.begin(), sandboxes_.end(), [&](const Sandbox& sandbox) {
    if (!sandbox.addresses.empty() || !lives(sandbox)) return false;
    const auto entry = entries().find(sandbox.container);
    return entry != entries().end() && share_one(entry->second.sandbox.addresses, addresses);
  });
}

/// Of a sandbox whose file was taken away: the runtime tells of it, and a record does. None tells of
/// what the Go plugin made.
bool World::is_told_of(const Sandbox& sandbox) const {
  if (sandbox.is_go || machine_.namespaces.count(sandbox.netns_path) == 0) return false;
  if (sandbox.from != around_.from) return false;  // another boot's, as far as can be told
  // A record that was lost is written anew from wherever the next command is run.
  if (was_elsewhere_ && (is_state_removed_ || is_state_foreign_ || !unrecorded_.empty()))
    return false;
  const bool is_recorded =
      std::none_of(sandbox.addresses.begin(), sandbox.addresses.end(),
                   [&](const auto& one) { return unrecorded_.count("ip." + one) != 0; });
  const auto entry = entries().find(sandbox.container);
  return is_recorded && entry != entries().end() &&
         entry->second.sandbox.addresses == sandbox.addresses;
}

/// Looked at behind the ADD: nobody who lives, or of whom nobody can tell, has one of them.
bool World::must_be_kept(const Sandbox& sandbox, const std::vector<std::string>& kept) const {
  if (setting_.is_slow) return false;  // nothing is learned of who ran before
  // Which of a pod's sandboxes without a stamp is the newest is told by the clock alone.
  if (has_lost_stamps_ && next_written_ < 0) return false;
  const Files files = files_of(machine_.disk);
  return std::all_of(kept.begin(), kept.end(), [&](const std::string& address) {
    const auto file = files.find(address);
    if (file == files.end() || file->second == content_of(sandbox.container)) return true;
    return std::any_of(sandboxes_.begin(), sandboxes_.end(), [&](const Sandbox& other) {
      return file->second == content_of(other.container) && !other.is_go && is_proven_dead(other);
    });
  });
}

/// Whose file was taken away, and who is told of by a binding and by the runtime, is given it back
/// before anybody else who claims it.
World::Trouble World::trouble_with_claims(const Files& files) const {
  for (const auto& sandbox : sandboxes_) {
    if (!sandbox.is_damaged || sandbox.is_forgotten || !is_kept_for(sandbox.pod)) continue;
    if (!lives(sandbox) || !is_told_of(sandbox)) continue;
    for (const auto& other : sandboxes_) {
      if (other.container == sandbox.container || other.is_go) continue;
      for (const auto& address : sandbox.addresses) {
        const auto file = files.find(address);
        if (file != files.end() && file->second == content_of(other.container))
          return "P1: " + other.container + " has the file of " + address + ", which " +
                 sandbox.container + " was told";
      }
    }
  }
  return std::nullopt;
}

/// Each address that somebody has, and is known to have, is in a file of his; what was ended is in
/// none. `was_cut`: the Go plugin flushes nothing.
World::Trouble World::trouble_on_disk(const Tree& disk, bool was_cut) const {
  const Files files = files_of(disk);
  for (const auto& sandbox : sandboxes_) {
    if (!lives(sandbox) || sandbox.is_damaged || (was_cut && sandbox.is_go)) continue;
    for (const auto& address : sandbox.addresses) {
      const auto file = files.find(address);
      if (file == files.end() || file->second != content_of(sandbox.container))
        return "P2: " + sandbox.container + " lives and has no file " + address;
    }
  }
  if (auto trouble = trouble_with_claims(files)) return trouble;
  for (const auto& container : ended_) {
    if (has_file(files, container)) return "P2: a file of " + container + " is there again";
  }
  return std::nullopt;
}

}  // namespace proof
