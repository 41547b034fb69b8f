/// What half of the histories have: identities that are not what they seem, and disks that give or
/// take less than others.
#include <algorithm>
#include <cerrno>
#include <system_error>

#include "allocator/fields.hpp"
#include "test/proof/node.hpp"
#include "test/proof/world.hpp"

namespace proof {
namespace {

constexpr std::uint64_t kDay = 86'400'000'000'000;  // nanoseconds

}  // namespace

World::Trouble World::happen_oddly(const Event& event) {
  switch (event.kind) {
    case Kind::hung_add:
      return add_that_hangs(event);
    case Kind::start_again:
      return start_again(event);
    case Kind::known_id_add:
      return add_under_known_id(event);
    case Kind::on_node:
    case Kind::in_container:
    case Kind::under_other_boot:
    case Kind::without_proc:
      if (setting_.is_node_container) break;
      around_.from =
          static_cast<Standpoint>(static_cast<int>(event.kind) - static_cast<int>(Kind::on_node));
      was_elsewhere_ |= around_.from != Standpoint::node;
      break;
    case Kind::unended_del:
      return delete_without_end(event.who);
    case Kind::move_path:
      move_path(event.who);
      break;
    case Kind::restart_node:
      restart_node(event);
      break;
    case Kind::clock_back:
      next_written_ -= 1'000'000;
      break;
    case Kind::damage_file:
      damage_file(address_file(event.who));
      break;
    case Kind::damage_record:
      damage_record(event.who);
      break;
    case Kind::repair:
      repair();
      break;
    default:
      return happen_by_hand(event);
  }
  return std::nullopt;
}

/// The runtime has given up on the ADD. Where the disk gives the number of a removed file to the
/// next one at once, even while a process has it open, nothing but the content tells them apart.
World::Trouble World::add_that_hangs(const Event& event) {
  make_namespace(new_sandbox(event.who));
  const Sandbox hanging = sandboxes_.back();
  Trouble trouble;
  meanwhile_ = [&] {
    const bool is_released = release({Kind::del, event.who}, hanging);
    forget(hanging.container);
    trouble = std::exchange(failure_, std::nullopt);
    if (is_released && !trouble) trouble = add({Kind::add, event.who}, false);
    throw std::system_error(EIO, std::generic_category(), "fsync");
  };
  std::string why;
  try {
    static_cast<void>(run_add({Kind::add, event.who}, request_for(hanging)));
  } catch (const std::exception& error) {
    why = error.what();
  }
  const bool was_flushed = !meanwhile_;
  meanwhile_ = {};
  if (was_flushed) return trouble;
  forget(hanging.container);
  return refused(hanging, why);
}

World::Trouble World::start_again(const Event& event) {
  if (!deleted_last_ || deleted_last_->is_go) return std::nullopt;
  sandboxes_.push_back(*deleted_last_);
  deleted_last_.reset();
  Sandbox& sandbox = sandboxes_.back();
  ended_.erase(sandbox.container);
  // What is left of its first life has it given back what it had then: a cache that tells of it; a
  // file that no DEL could remove.
  const bool is_told_of_before = entries().count(sandbox.container) != 0;
  if (is_told_of_before || has_file(files_of(machine_.disk), sandbox.container))
    kept_.erase(sandbox.pod);
  return add_for(sandbox, {Kind::add, event.who});
}

/// A script or a broken runtime has one ID for everything. Who lives under it is not to be shared
/// with.
World::Trouble World::add_under_known_id(const Event& event) {
  const Sandbox* known = newest(event.who);
  if (known == nullptr || !lives(*known) || known->addresses.empty() || known->is_damaged ||
      !known->is_stamped || machine_.namespaces.count(known->netns_path) == 0)
    return std::nullopt;
  const Sandbox living = *known;
  Sandbox other = living;
  other.netns_path += "-other";
  make_namespace(other);
  Trouble trouble;
  try {
    if (run_add({Kind::add, event.who}, request_for(other)))
      trouble = "P1: " + living.container + " lives, and its ADD is answered in another namespace";
  } catch (const std::exception& error) {
    happening_.failure = error.what();
  }
  end_namespace(other);
  return trouble;
}

void World::move_path(unsigned pod) {
  const Sandbox* sandbox = oldest(pod);
  if (sandbox == nullptr || !lives(*sandbox)) return;
  auto moved = machine_.namespaces.extract(sandbox->netns_path);
  if (moved.empty()) return;
  moved.key() += "-moved";
  machine_.namespaces.insert(std::move(moved));
}

/// All its processes end, and its /run; it gets another PID namespace, whose number may be the same.
void World::restart_node(const Event& event) {
  if (!setting_.is_node_container) return;
  happening_.is_nothing = false;
  if (event.who % 2 == 0) ++around_.node_pid_namespace;
  const std::uint64_t next_namespace = machine_.next_namespace;
  Machine next = machine_;
  next.run = Tree();
  boot(std::move(next));
  machine_.next_namespace = next_namespace;  // the kernel goes on
}

void World::damage_file(const std::string& address) {
  if (address.empty()) return;
  const Id folder = machine_.disk.lookup(kNetworkDir);
  machine_.damaged.insert(machine_.disk.at(folder).entries.at(address));
  damage(address);
}

void World::damage_record(unsigned which) {
  const auto names = records();
  if (names.empty()) return;
  const std::string& name = names.at(which % names.size());
  const Id folder = machine_.disk.lookup(kRecordDir);
  machine_.damaged.insert(machine_.disk.at(folder).entries.at(name));
  for (auto& sandbox : sandboxes_) {
    const auto is_its = [&](const auto& address) { return name == "stamp." + address; };
    if (std::any_of(sandbox.addresses.begin(), sandbox.addresses.end(), is_its))
      sandbox.is_stamped = false;
  }
  if (name == "pins") pins_.clear();
  unrecorded_.insert(name);
  has_damaged_records_ = true;
  kept_.clear();
}

void World::repair() {
  machine_.damaged.clear();
  has_damaged_records_ = false;
}

void World::change_tombstones(const std::function<void(Tree&, Id)>& change) {
  const Id runtime = machine_.run.lookup("/delegated-ipam");
  if (runtime == 0) return;
  for (const auto& network : machine_.run.at(runtime).entries) {
    const Id tombs = machine_.run.lookup("/delegated-ipam/" + network.first + "/tombs");
    if (tombs != 0) change(machine_.run, tombs);
  }
}

/// The clock of a boot begins anew: where /run is kept, what it tells of lies in the future.
void World::put_tombstones_off() {
  change_tombstones([](Tree& run, Id tombs) {
    for (const auto& tomb : run.at(tombs).entries) {
      std::string& text = run.own(tomb.second).bytes;
      const std::size_t end = std::min(text.find('~'), text.size());
      const auto when = allocator::parse_number(text.substr(0, end));
      if (when) text = std::to_string(*when + kDay) + text.substr(end);
    }
  });
}

/// The runtime asks again and again, longer than a tombstone is kept; until then the namespace is
/// there, and the cache tells of it.
World::Trouble World::delete_without_end(unsigned pod) {
  Sandbox* sandbox = oldest(pod);
  if (sandbox == nullptr || !lives(*sandbox)) return std::nullopt;
  const Sandbox ending = *sandbox;
  sandbox->addresses.clear();
  static_cast<void>(release({Kind::del, pod}, ending));
  change_tombstones([](Tree& run, Id tombs) { run.own(tombs).entries.clear(); });
  return std::exchange(failure_, std::nullopt);
}

}  // namespace proof
