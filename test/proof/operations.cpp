#include "test/proof/operations.hpp"

#include <algorithm>

namespace proof {
namespace {

using Observer = MemoryDisk::Observer;

Outcome outcome_of(const std::string& container, const std::string& pod, const AddAnswer& answer,
                   bool is_durable = true) {
  Outcome outcome;
  outcome.is_acknowledged = answer.is_acknowledged;
  outcome.evicted_pods = answer.evicted_pods;
  outcome.failure = answer.failure;
  if (!answer.is_acknowledged) return outcome;
  outcome.container = container;
  outcome.told = {pod, answer.addresses, is_durable};
  return outcome;
}

Outcome released(const std::string& container, const std::string& failure) {
  Outcome outcome;
  outcome.failure = failure;
  outcome.is_acknowledged = failure.empty();
  if (failure.empty()) outcome.ended = {container};
  return outcome;
}

Operation add(const char* name, const std::string& container, const std::string& pod,
              Ranges ranges = Ranges::one) {
  return {name, {container}, {pod}, true, [=](Scene& scene, const Observer& observer) {
            Node node(scene.machine, &scene.oracle, observer);
            return outcome_of(container, pod, node.add(container, pod, ranges));
          }};
}

/// The pod is not to be bound (any more): its binding ends, and who it was given to lives on.
Operation add_unretained(const char* name, const std::string& container, const std::string& pod) {
  return {name, {container}, {pod}, true, [=](Scene& scene, const Observer& observer) {
            Node node(scene.machine, &scene.oracle, observer);
            auto outcome = outcome_of(container, pod, node.add(container, pod, Ranges::one, false));
            outcome.told.is_retained = false;
            outcome.evicted_pods.push_back(pod);
            return outcome;
          }};
}

Operation release(const char* name, const std::string& container, const std::string& pod) {
  return {name, {container}, {}, false, [=](Scene& scene, const Observer& observer) {
            Node node(scene.machine, &scene.oracle, observer);
            return released(container, node.release(container, pod));
          }};
}

/// The sandboxes of the pod are gone without a DEL, and a new one is there.
Outcome take_over(Scene& scene, const Observer& observer) {
  for (const char* old : {"ca", "ca2", "cu"}) scene.machine.namespaces.erase(namespace_path(old));
  Node node(scene.machine, &scene.oracle, observer);
  return outcome_of("ca3", "a", node.add("ca3", "a"));
}

/// The runtime's list has nobody: who lives must stay all the same, as it may be an old list.
Outcome collect(Scene& scene, const Observer& observer) {
  scene.machine.namespaces.erase(namespace_path("ca"));
  Outcome outcome;
  outcome.ended = Node(scene.machine, &scene.oracle, observer).collect({});
  outcome.is_acknowledged = true;
  return outcome;
}

/// Somebody has removed the network's folder and the state: who lives must not lose his address to
/// a newcomer. That anybody gets his again is not promised, as nothing tells of it any more.
Outcome collect_after_wipe(Scene& scene, const Observer& observer) {
  scene.machine.forget_file("/var/lib/cni/networks", "net");
  scene.machine.forget_file("/var/lib", "delegated-ipam");
  std::vector<std::string> valid;
  for (const auto& one : scene.oracle.present) {
    scene.oracle.lost.insert(one.first);
    // Whatever command meets it restores it: that it flushes it too is promised to nobody.
    scene.oracle.interrupted.insert(one.first);
    valid.push_back(one.first);
  }
  scene.oracle.kept.clear();
  scene.oracle.blank.clear();
  Outcome outcome;
  outcome.ended = Node(scene.machine, &scene.oracle, observer).collect(valid);
  outcome.is_acknowledged = true;
  return outcome;
}

/// An orderly reboot, whose first command is a DEL that finds nothing.
Outcome boot(Scene& scene, const Observer& observer, bool has_cache) {
  scene.machine.reboot_in_order();
  const auto lost = scene.oracle.lost;
  for (const auto& container : lost) scene.oracle.forget(container);
  scene.oracle.unflushed.clear();
  Node node(scene.machine, has_cache ? &scene.oracle : nullptr, observer);
  Outcome outcome = released("cx", node.release("cx", "x"));
  outcome.ended.clear();
  return outcome;
}

/// A DEL on a disk that takes no changes, and a command after it that takes them again.
Outcome replay_pending(Scene& scene, const Observer& observer) {
  scene.machine.is_read_only = true;
  const std::string failure = Node(scene.machine, &scene.oracle, observer).release("cb", "b");
  scene.machine.is_read_only = false;
  if (!failure.empty()) return released("cb", failure);
  return released("cb", Node(scene.machine, &scene.oracle, observer).release("cx", "x"));
}

/// Somebody has removed the files of the pod's attachment; the next newcomer must not get them.
Outcome restore_lost(Scene& scene, const Observer& observer) {
  const auto found = scene.oracle.present.find("ca");
  if (found != scene.oracle.present.end()) {
    for (const auto& address : found->second.addresses)
      scene.machine.forget_file(kNetworkDir, address);
    scene.oracle.lost.insert("ca");
  }
  Node node(scene.machine, &scene.oracle, observer);
  return outcome_of("cf", "f", node.add("cf", "f"));
}

Outcome go_add(Scene& scene, const Observer& observer) {
  if (scene.oracle.present.count("cg") != 0 || scene.oracle.unknown.count("cg") != 0) return {};
  Node node(scene.machine, &scene.oracle, observer);
  const auto outcome = outcome_of("cg", "g", node.go_add("cg"), false);
  // It looks at files only: who has lost his has lost his address to it.
  const auto lost = scene.oracle.lost;
  for (const auto& container : lost) {
    const auto present = scene.oracle.present.find(container);
    if (present == scene.oracle.present.end() || !outcome.is_acknowledged) continue;
    const auto& addresses = present->second.addresses;
    const bool is_its = std::find(addresses.begin(), addresses.end(),
                                  outcome.told.addresses.front()) != addresses.end();
    if (is_its) scene.oracle.forget(container);
  }
  return outcome;
}

/// It flushes nothing: its end is known to nobody after a power cut.
Outcome go_release(Scene& scene, const Observer& observer) {
  Node(scene.machine, &scene.oracle, observer).go_release("ca");
  scene.machine.namespaces.erase(namespace_path("ca"));
  scene.oracle.forget("ca");
  scene.oracle.unflushed.insert("ca");
  Outcome outcome;
  outcome.is_acknowledged = true;
  return outcome;
}

void make_folders(Scene& scene) {
  MemoryDisk disk(scene.machine);
  std::vector<std::string> changed;
  static_cast<void>(store::ensure_folder(disk, "/var/lib", 0755, changed));
}

void make_network(Scene& scene) {
  MemoryDisk disk(scene.machine);
  std::vector<std::string> changed;
  const auto folder = store::ensure_folder(disk, kNetworkDir, 0755, changed);
  static_cast<void>(disk.open_lock(folder, "lock", 0750));
}

/// With all addresses: an ADD restores what is in its ranges only.
bool has_all(const Tree& disk, const std::string& container, const Told& told) {
  const Files files = files_of(disk);
  return std::all_of(told.addresses.begin(), told.addresses.end(), [&](const auto& address) {
    const auto file = files.find(address);
    return file != files.end() && file->second == content_of(container);
  });
}

bool is_durable(const Machine& machine, const std::string& container, const Told& told) {
  return std::all_of(machine.durable.begin(), machine.durable.end(),
                     [&](const Durable& one) { return has_all(one.tree(), container, told); });
}

void add_at_start(Scene& scene, const std::string& container, const std::string& pod) {
  Node node(scene.machine, nullptr);
  acknowledge(scene, outcome_of(container, pod, node.add(container, pod)));
}

}  // namespace

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all = {
      add("ADD a", "ca", "a"),
      add("ADD b", "cb", "b"),
      release("DEL a", "ca", "a"),
      add("ADD a again", "ca2", "a"),
      add_unretained("ADD a, not retained", "cu", "a"),
      {"takeover", {"ca", "ca2", "cu", "ca3"}, {"a"}, true, take_over},
      add("dual-stack ADD", "cd", "d", Ranges::both),
      add("pinned ADD", "cp", "p"),
      add("eviction", "ce", "e", Ranges::first_address_only),
      {"GC", {"ca"}, {}, true, collect},
      {"boot scan",
       {},
       {},
       false,
       [](Scene& scene, const Observer& observer) { return boot(scene, observer, false); }},
      {"replay of a pending release", {"cb"}, {}, false, replay_pending},
      {"adoption",
       {},
       {},
       false,
       [](Scene& scene, const Observer& observer) { return boot(scene, observer, true); }},
      {"restore of a lost file", {"cf"}, {"f"}, true, restore_lost},
      {"wipe, then GC", {}, {}, true, collect_after_wipe},
      {"Go ADD", {"cg"}, {"g"}, false, go_add},
      {"Go DEL a", {"ca"}, {}, false, go_release},
  };
  return all;
}

const std::vector<Start>& starts() {
  static const std::vector<Start> all = {
      {"no folder", [](Scene&) {}},
      {"empty", make_network},
      {"one entry", [](Scene& scene) { add_at_start(scene, "ca", "a"); }},
      {"full range",
       [](Scene& scene) {
         for (const char* pod : {"a", "b", "x1", "x2"})
           add_at_start(scene, std::string("c") + pod, pod);
       }},
      {"stale boot",
       [](Scene& scene) {
         add_at_start(scene, "ca", "a");
         add_at_start(scene, "cb", "b");
         scene.machine.reboot_in_order();
       }},
      {"zero-length file",
       [](Scene& scene) {
         make_network(scene);
         MemoryDisk disk(scene.machine);
         static_cast<void>(disk.create_named(*disk.open_directory(kNetworkDir), "10.0.0.2"));
         scene.oracle.blank.insert("10.0.0.2");
       }},
  };
  static const std::vector<Start> with_folders = [] {
    std::vector<Start> wrapped;
    for (const auto& start : all) {
      wrapped.push_back({start.name, [&start](Scene& scene) {
                           make_folders(scene);
                           // A DEL may be about who was never added.
                           for (const auto& operation : operations()) {
                             for (const auto& container : operation.containers)
                               if (!operation.pods.empty())
                                 scene.oracle.pods[container] = operation.pods.front();
                           }
                           start.prepare(scene);
                           for (auto& one : scene.machine.durable) one.settle();
                         }});
    }
    return wrapped;
  }();
  return with_folders;
}

void acknowledge(Scene& scene, const Outcome& outcome) {
  if (!outcome.is_acknowledged) return;
  for (const auto& container : outcome.ended) scene.oracle.end(container);
  for (const auto& pod : outcome.evicted_pods) scene.oracle.kept.erase(pod);
  if (!outcome.container.empty()) scene.oracle.tell(outcome.container, outcome.told);
  // Who is dead may be ended by others; the disk tells whether he was.
  const Files files = files_of(scene.machine.disk);
  std::vector<std::string> gone;
  for (const auto& [container, told] : scene.oracle.present) {
    const bool is_alive = scene.machine.namespaces.count(namespace_path(container)) != 0;
    const bool is_there = has_file(files, container);
    const bool is_restored = scene.oracle.lost.count(container) != 0 &&
                             has_all(scene.machine.disk, container, told) &&
                             (scene.oracle.interrupted.count(container) == 0 ||
                              is_durable(scene.machine, container, told));
    if (is_restored) scene.oracle.lost.erase(container);
    if (is_restored) scene.oracle.interrupted.erase(container);
    if (!is_there && !is_alive) gone.push_back(container);
  }
  for (const auto& container : gone) scene.oracle.end(container);
}

}  // namespace proof
