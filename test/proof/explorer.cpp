#include "test/proof/explorer.hpp"

#include <algorithm>
#include <numeric>

namespace proof {
namespace {

/// The only failure that a healthy disk gives reason to.
constexpr const char* kExhausted = "no IP addresses available";

}  // namespace

struct Explorer::Watch {
  const Operation& operation;
  std::string history;
  std::size_t length;
  const Machine& machine;  ///< that the operation works on
  bool looks_at_kills;
  std::size_t cut = 0;
  std::vector<Found> found = {};
  std::vector<Killed> killed = {};
  std::unordered_set<std::uint64_t> seen = {};
};

std::uint64_t Counts::all() const {
  return std::accumulate(enumerated.begin(), enumerated.end(), std::uint64_t{0});
}

void Explorer::explore(const Start& start, const std::vector<Model>& models) {
  models_ = models;
  // Where numbers come again at once, equal trees may meet another fate.
  seen_.clear();
  Scene scene{Machine(models), {}};
  scene.machine.reuses_numbers =
      std::find(models.begin(), models.end(), Model::xfs) != models.end();
  start.prepare(scene);
  explore_from(scene, std::string("from \"") + start.name + "\"", 1);
}

/// Two sequences that end in equal ones have the same future.
std::uint64_t Explorer::fingerprint_of(const Scene& scene) {
  const Machine& machine = scene.machine;
  std::uint64_t hash = mixed(scene.oracle.fingerprint(), "scene");
  hash = mixed(mixed(hash, machine.disk.fingerprint()), machine.run.fingerprint());
  for (const auto& one : machine.namespaces) hash = mixed(hash, one.first);
  for (const auto& durable : machine.durable) hash = mixed(hash, durable.fingerprint());
  return mixed(hash, machine.boot_id);
}

void Explorer::explore_from(const Scene& scene, const std::string& history, std::size_t length) {
  for (const auto& operation : operations()) {
    Scene next = scene;
    const std::string longer = history + (length == 1 ? ": " : ", ") + operation.name;
    ++counts_.sequences;
    if (!run(next, operation, longer, length) || length >= limits_.operations) continue;
    if (is_new(mixed(fingerprint_of(next), length))) {
      explore_from(next, longer, length + 1);
    } else {
      ++counts_.merged;
    }
  }
}

bool Explorer::is_new(std::uint64_t fingerprint) { return seen_.insert(fingerprint).second; }

/// One cut behind each step. A flush makes states impossible, and none possible.
void Explorer::watch(Watch& watch, MemoryDisk::Step step) {
  ++watch.cut;
  if (watch.looks_at_kills && step != MemoryDisk::Step::sync)
    watch.killed.push_back({watch.cut, watch.machine});
  if (step != MemoryDisk::Step::change) return;
  for (const auto& durable : watch.machine.durable) {
    Durable::Budget budget{limits_.weak.at(watch.length - 1), mixed(watch.cut, watch.history)};
    durable.visit_new(budget, [&](const Tree& tree) {
      ++counts_.enumerated.at(static_cast<std::size_t>(durable.model()));
      if (watch.seen.insert(tree.fingerprint()).second)
        watch.found.push_back({durable.model(), watch.cut, tree});
    });
    if (budget.was_sampled) ++counts_.sampled;
  }
}

bool Explorer::run(Scene& scene, const Operation& operation, const std::string& history,
                   std::size_t length) {
  Watch all{
      operation, history, length, scene.machine,
      std::find(models_.begin(), models_.end(), Model::strict) != models_.end() && !is_recovering_};
  const Outcome outcome = operation.run(scene, [&](MemoryDisk::Step step) { watch(all, step); });
  const Oracle oracle = while_running(scene, operation, outcome);
  const std::string holder = living_holder(scene, outcome.container, outcome.told.addresses);
  if (!holder.empty())
    violation(history, Model::strict, all.cut,
              "I1: " + outcome.container + " gets an address that " + holder + " has");
  if (!outcome.failure.empty() && outcome.failure.find(kExhausted) == std::string::npos)
    violation(history, Model::strict, all.cut, "it fails: " + outcome.failure);
  for (const auto& container : outcome.ended) {
    if (scene.machine.namespaces.count(namespace_path(container)) != 0)
      violation(history, Model::strict, all.cut, "I1: " + container + " lives and was ended");
  }
  judge_cuts(all, scene, oracle);
  judge_kills(all, oracle);
  if (outcome.is_acknowledged) {
    acknowledge(scene, outcome);
    judge_answered(all, scene);
  }
  return holder.empty();
}

/// A binding that moves is two names, and which one a disk without any order has is unknown until
/// the ADD is answered: that may cost its pod the address, and nobody else anything.
Oracle Explorer::without_moves(const Oracle& oracle) {
  Oracle rest = oracle;
  for (const auto& pod : oracle.moving) rest.kept.erase(pod);
  // A file that comes back is nobody's until it is flushed.
  for (const auto& container : oracle.lost) {
    const auto lost = oracle.present.find(container);
    if (lost != oracle.present.end()) rest.kept.erase(lost->second.pod);
  }
  return rest;
}

void Explorer::judge_cuts(const Watch& watch, const Scene& scene, const Oracle& oracle) {
  const Oracle lenient = without_moves(oracle);
  for (const auto& found : watch.found) {
    const Oracle& expected = found.model == Model::weak ? lenient : oracle;
    const std::uint64_t fingerprint = mixed(found.tree.fingerprint(), expected.fingerprint());
    if (!is_new(fingerprint)) continue;
    ++counts_.distinct;
    const Depth depth = depth_of(watch.length, fingerprint);
    if (depth != Depth::disk) ++counts_.booted;
    if (const auto trouble = trouble_after_cut(scene.machine, found.tree, expected, depth))
      violation(watch.history, found.model, found.cut, *trouble);
    if (is_recovery_cut(watch, found)) cut_recovery(scene.machine, found, expected, watch.history);
  }
}

Depth Explorer::depth_of(std::size_t length, std::uint64_t fingerprint) const {
  if (length < limits_.operations || fingerprint % limits_.whole_one_in == 0) return Depth::whole;
  return fingerprint % limits_.booted_one_in == 0 ? Depth::pods : Depth::disk;
}

bool Explorer::is_recovery_cut(const Watch& watch, const Found& found) const {
  if (watch.length > limits_.recovered || is_recovering_) return false;
  return found.model != Model::weak ||
         found.tree.fingerprint() % limits_.weak_recovered_one_in == 0;
}

void Explorer::judge_kills(const Watch& watch, const Oracle& oracle) {
  for (const auto& killed : watch.killed) {
    ++counts_.enumerated.at(static_cast<std::size_t>(Model::killed));
    std::uint64_t fingerprint = mixed(oracle.fingerprint(), watch.operation.name);
    fingerprint = mixed(fingerprint, killed.machine.disk.fingerprint());
    fingerprint = mixed(fingerprint, killed.machine.run.fingerprint());
    for (const auto& one : killed.machine.namespaces) fingerprint = mixed(fingerprint, one.first);
    if (!is_new(fingerprint)) continue;
    ++counts_.distinct;
    ++counts_.booted;
    Scene left{killed.machine, oracle};
    left.machine.is_read_only = false;
    Scene repeated = left;
    repeated.machine.durable.clear();
    if (const auto trouble = trouble_after_kill(repeated, watch.operation))
      violation(watch.history, Model::killed, killed.cut, *trouble);
    if (watch.length <= limits_.recovered) go_on_from(left, watch, killed.cut);
  }
}

/// Behind the answer everything that may still be on its way is looked at again, as more must be
/// true of it now.
void Explorer::judge_answered(Watch& watch, const Scene& scene) {
  ++watch.cut;
  watch.found.clear();
  watch.seen.clear();
  for (const auto& durable : scene.machine.durable) {
    Durable::Budget budget{limits_.weak.at(watch.length - 1), mixed(watch.cut, watch.history)};
    durable.visit_all(budget, [&](const Tree& tree) {
      ++counts_.enumerated.at(static_cast<std::size_t>(durable.model()));
      if (watch.seen.insert(tree.fingerprint()).second)
        watch.found.push_back({durable.model(), watch.cut, tree});
    });
    if (budget.was_sampled) ++counts_.sampled;
  }
  judge_cuts(watch, scene, scene.oracle);
}

/// The first command of the next boot is cut as well.
void Explorer::cut_recovery(const Machine& before, const Found& found, const Oracle& oracle,
                            const std::string& history) {
  ++counts_.recoveries;
  is_recovering_ = true;
  Scene scene{before.booted_from(found.tree, models_), oracle};
  for (const auto& container : oracle.lost) scene.oracle.forget(container);
  const std::string pod = oracle.kept.empty() ? "z" : oracle.kept.begin()->first;
  const Operation operation{
      "the first ADD", {"cn"}, {pod}, true, [&](Scene& node, const MemoryDisk::Observer& observer) {
        const auto answer = Node(node.machine, nullptr, observer).add("cn", pod);
        Outcome outcome;
        outcome.is_acknowledged = answer.is_acknowledged;
        outcome.evicted_pods = answer.evicted_pods;
        outcome.container = answer.is_acknowledged ? "cn" : "";
        outcome.told = {pod, answer.addresses};
        return outcome;
      }};
  const std::string cut = std::string(name_of(found.model)) + ", cut " + std::to_string(found.cut);
  run(scene, operation, history + " (" + cut + "), the first ADD", 3);
  is_recovering_ = false;
}

/// The runtime repeats a command that died, or goes on with others: then the power is cut.
void Explorer::go_on_from(const Scene& killed, const Watch& watch, std::size_t cut) {
  ++counts_.continued;
  const std::string history = watch.history + " (killed at " + std::to_string(cut) + "), ";
  for (const auto& operation : operations()) {
    const std::string name = operation.name;
    const bool is_next = name == watch.operation.name || name == "ADD b" || name == "DEL a";
    if (!is_next) continue;
    Scene next = killed;
    run(next, operation, history + name, 2);
  }
}

void Explorer::violation(const std::string& history, Model model, std::size_t cut,
                         const std::string& what) {
  report_(history + "; " + name_of(model) + ", cut " + std::to_string(cut) + ": " + what);
}

}  // namespace proof
