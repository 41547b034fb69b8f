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
  /// What the records said of each pod that is to get its addresses again, and the first cut at
  /// which they said something else.
  std::map<std::string, std::vector<std::vector<std::string>>> kept = {};
  std::map<std::string, std::uint64_t> records = {};
  std::map<std::string, std::size_t> changed_at = {};

  void begin(const Oracle& oracle) {
    kept = oracle.kept;
    for (const auto& [pod, choices] : kept)
      records[pod] = records_of(machine.disk, pod, choices.front());
  }
  void note_records() {
    for (const auto& [pod, choices] : kept) {
      if (changed_at.count(pod) == 0 &&
          records_of(machine.disk, pod, choices.front()) != records.at(pod))
        changed_at[pod] = cut;
    }
  }
};

std::uint64_t Counts::all() const {
  return std::accumulate(enumerated.begin(), enumerated.end(), std::uint64_t{0});
}

void Explorer::explore(const Start& start, const std::vector<Model>& models) {
  models_ = models;
  // Where numbers come again at once, equal trees may meet another fate.
  seen_.clear();
  judged_.clear();
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

/// Depth first, a state may be met by a long sequence before a short one, which asks for more.
Explorer::Due Explorer::due(std::uint64_t fingerprint, Depth depth, bool goes_on) {
  Judged& judged = judged_[fingerprint];
  const Due left{!judged.is_looked_at, !judged.is_looked_at || depth > judged.depth,
                 goes_on && !judged.is_gone_on_from};
  judged.is_looked_at = true;
  judged.depth = std::max(judged.depth, depth);
  judged.is_gone_on_from = judged.is_gone_on_from || goes_on;
  return left;
}

/// One cut behind each step. A flush makes states impossible, and none possible.
void Explorer::watch(Watch& watch, MemoryDisk::Step step) {
  ++watch.cut;
  if (watch.looks_at_kills && step != MemoryDisk::Step::sync)
    watch.killed.push_back({watch.cut, watch.machine});
  if (step != MemoryDisk::Step::change) return;
  watch.note_records();
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
  all.begin(scene.oracle);
  const std::uint64_t numbers_met = scene.machine.numbers_met_again;
  const Outcome outcome = operation.run(scene, [&](MemoryDisk::Step step) { watch(all, step); });
  counts_.numbers_met_again += scene.machine.numbers_met_again - numbers_met;
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

/// As long as its records are untouched, a pod that loses its addresses has lost nothing.
Oracle Explorer::at_cut(const Oracle& oracle, const Watch& watch, std::size_t cut) {
  Oracle early = oracle;
  for (const auto& [pod, changed] : watch.changed_at) {
    if (cut >= changed || !early.kept.insert(*watch.kept.find(pod)).second) continue;
    // The file of who follows may be there without its stamp: see without_moves().
    early.moving.insert(pod);
  }
  return early;
}

void Explorer::judge_cuts(const Watch& watch, const Scene& scene, const Oracle& oracle) {
  const Oracle lenient = without_moves(oracle);
  std::size_t last_change = 0;  // of the records of those who lose their addresses
  for (const auto& [pod, changed] : watch.changed_at) {
    if (oracle.kept.count(pod) == 0) last_change = std::max(last_change, changed);
  }
  for (const auto& found : watch.found) {
    Oracle early;
    const bool is_early = found.cut < last_change;
    if (is_early) early = at_cut(oracle, watch, found.cut);
    if (is_early && found.model == Model::weak) early = without_moves(early);
    const Oracle& late = found.model == Model::weak ? lenient : oracle;
    const Oracle& expected = is_early ? early : late;
    std::uint64_t fingerprint = mixed(found.tree.fingerprint(), expected.fingerprint());
    // The recoveries of each first operation are looked at, though another one left the same.
    if (watch.length == 1) fingerprint = mixed(fingerprint, watch.operation.name);
    const Depth depth = depth_of(watch.length, fingerprint);
    const Due todo = due(fingerprint, depth, is_recovery_cut(watch, found));
    if (todo.is_first) ++counts_.distinct;
    if (todo.looks && depth != Depth::disk) ++counts_.booted;
    const auto trouble =
        todo.looks ? trouble_after_cut(scene.machine, found.tree, expected, depth) : std::nullopt;
    if (trouble) violation(watch.history, found.model, found.cut, *trouble);
    if (todo.goes_on) cut_recovery(scene.machine, found, expected, watch);
  }
}

Depth Explorer::depth_of(std::size_t length, std::uint64_t fingerprint) const {
  if (fingerprint % limits_.whole_one_in.at(length - 1) == 0) return Depth::whole;
  return fingerprint % limits_.booted_one_in.at(length - 1) == 0 ? Depth::pods : Depth::disk;
}

bool Explorer::is_recovery_cut(const Watch& watch, const Found& found) const {
  if (watch.length > limits_.recovered || is_recovering_) return false;
  return found.model != Model::weak ||
         found.tree.fingerprint() % limits_.weak_recovered_one_in == 0;
}

void Explorer::judge_kills(const Watch& watch, const Oracle& late) {
  for (const auto& killed : watch.killed) {
    ++counts_.enumerated.at(static_cast<std::size_t>(Model::killed));
    const Oracle oracle = at_cut(late, watch, killed.cut);
    std::uint64_t fingerprint = mixed(oracle.fingerprint(), watch.operation.name);
    fingerprint = mixed(fingerprint, killed.machine.disk.fingerprint());
    fingerprint = mixed(fingerprint, killed.machine.run.fingerprint());
    for (const auto& one : killed.machine.namespaces) fingerprint = mixed(fingerprint, one.first);
    const Depth depth = depth_of(watch.length, fingerprint);
    const Due todo = due(fingerprint, depth, watch.length <= limits_.recovered);
    if (todo.is_first) ++counts_.distinct;
    if (!todo.looks && !todo.goes_on) continue;
    Scene left{killed.machine, oracle};
    left.machine.is_read_only = false;
    Scene repeated = left;
    repeated.machine.durable.clear();
    if (todo.looks) ++counts_.booted;
    const auto trouble =
        todo.looks ? trouble_after_kill(repeated, watch.operation, depth) : std::nullopt;
    if (trouble) violation(watch.history, Model::killed, killed.cut, *trouble);
    if (todo.goes_on) go_on_from(left, watch, killed.cut);
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
                            const Watch& watch) {
  ++counts_.recoveries;
  if (watch.length == 1) ++counts_.recoveries_of[watch.operation.name];
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
  run(scene, operation, watch.history + " (" + cut + "), the first ADD", 3);
  is_recovering_ = false;
}

/// The runtime repeats a command that died, or goes on with others: then the power is cut.
void Explorer::go_on_from(const Scene& killed, const Watch& watch, std::size_t cut) {
  ++counts_.continued;
  if (watch.length == 1) ++counts_.continued_of[watch.operation.name];
  const std::string history = watch.history + " (killed at " + std::to_string(cut) + "), ";
  for (const auto& operation : operations()) {
    const std::string name = operation.name;
    const bool is_next = name == watch.operation.name || name == "ADD b" || name == "DEL a";
    if (!is_next) continue;
    Scene next = killed;
    next.oracle.interrupted = killed.oracle.lost;
    for (const auto& container : killed.oracle.lost)
      next.oracle.moving.insert(killed.oracle.pods.at(container));
    run(next, operation, history + name, 2);
  }
}

void Explorer::violation(const std::string& history, Model model, std::size_t cut,
                         const std::string& what) {
  report_(history + "; " + name_of(model) + ", cut " + std::to_string(cut) + ": " + what);
}

}  // namespace proof
