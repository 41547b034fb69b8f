/// What comes to a command while it runs, and what a bystander knows of sandboxes.
#include <algorithm>

#include "test/proof/node.hpp"
#include "test/proof/world.hpp"

namespace proof {

bool World::run(const Event& event, const std::function<void(MemoryDisk&)>& command) {
  for (auto& sandbox : sandboxes_) {
    const bool is_untold = is_state_foreign_ || (is_state_removed_ && !is_kept_for(event.who));
    if (sandbox.is_damaged && (is_untold || !is_told_of(sandbox))) sandbox.is_forgotten = true;
  }
  if (event.fate == Fate::whole) {
    MemoryDisk disk(machine_);
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
    MemoryDisk disk(machine_, observer);
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
  // What has no stamp is the Go plugin's, and newer than what is bound.
  if (has_lost_stamps_ && view_ != View::fresh) kept_.clear();
  machine_ = std::move(next);
  machine_.namespaces.clear();
  machine_.inhabited.clear();
  ++boot_;
  // Numbers of namespaces begin anew.
  machine_.next_namespace = 1;
  free_namespaces_.clear();
}

World::Sandbox& World::new_sandbox(unsigned pod) {
  const std::string container = "c" + std::to_string(pod) + "-" + std::to_string(next_container_++);
  sandboxes_.push_back({container, pod, {}, namespace_path(container)});
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
  machine_.namespaces.erase(sandbox.netns_path);
  std::erase_if(machine_.inhabited,
                [&](const auto& one) { return one.id == sandbox.network_namespace.id; });
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
          return file != files.end() && file->second == content_of(sandbox.container);
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

/// Of a sandbox whose file was taken away: the runtime tells of it, and a record does. None tells of
/// what the Go plugin made.
bool World::is_told_of(const Sandbox& sandbox) const {
  if (sandbox.is_go || machine_.namespaces.count(sandbox.netns_path) == 0) return false;
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
  const Files files = files_of(machine_.disk);
  return std::all_of(kept.begin(), kept.end(), [&](const std::string& address) {
    const auto file = files.find(address);
    if (file == files.end() || file->second == content_of(sandbox.container)) return true;
    return std::any_of(sandboxes_.begin(), sandboxes_.end(), [&](const Sandbox& other) {
      return file->second == content_of(other.container) && !other.is_go && !lives(other);
    });
  });
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
  for (const auto& container : ended_) {
    if (has_file(files, container)) return "P2: a file of " + container + " is there again";
  }
  return std::nullopt;
}

}  // namespace proof
