#include "test/proof/faulted.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "allocator/store/disk/posix_file_system.hpp"
#include "test/proof/fault_codes.hpp"
#include "test/proof/kernel.hpp"
#include "test/proof/neighbours.hpp"

namespace proof {
namespace {

using Found = std::optional<std::string>;

/// Of so many states of the model weak all are looked at, of more a sample.
constexpr std::size_t kMostWeak = 16;

constexpr const char* kTakingBackFailed = "taking the address back failed too";

/// What a process of the store runs on.
struct Process {
  Process(MemoryDisk& disk, Disturbance& disturbance) : kernel(disk, disturbance) {}
  Kernel kernel;
  store::PosixFileSystem files;
};

MemoryDisk::Observer over_kernel(Disturbance& disturbance, std::exception_ptr& failure) {
  MemoryDisk::Observer observer;
  observer.seam = [&](MemoryDisk& disk) {
    auto process = std::make_shared<Process>(disk, disturbance);
    return std::shared_ptr<store::FileSystem>(process, &process->files);
  };
  observer.failed = [&](const std::exception_ptr& thrown) { failure = thrown; };
  return observer;
}

std::uint64_t fingerprint_of(const Scene& scene) {
  const Machine& machine = scene.machine;
  std::uint64_t hash = mixed(scene.oracle.fingerprint(), machine.disk.fingerprint());
  hash = mixed(hash, machine.run.fingerprint());
  for (const auto& one : machine.namespaces) hash = mixed(hash, one.first);
  for (const auto& durable : machine.durable) hash = mixed(hash, durable.fingerprint());
  return mixed(hash, machine.boot_id);
}

/// A release waits in /run for a command that can do it.
bool has_pending(const Machine& machine) {
  for (const Id id : machine.run.reachable()) {
    const auto& entries = machine.run.at(id).entries;
    const auto pending = entries.find("pending");
    if (pending != entries.end() && !machine.run.at(pending->second).entries.empty()) return true;
  }
  return false;
}

}  // namespace

Attempt attempt(const Scene& before, const Operation& operation, const Fault& fault) {
  Attempt made{before, {}, {}, Disturbance(fault)};
  const auto observer = over_kernel(made.disturbance, made.failure);
  try {
    made.outcome = operation.run(made.scene, observer);
  } catch (const std::exception& error) {
    made.outcome = {};
    made.outcome.failure = error.what();
  }
  made.scene.machine.is_read_only = false;
  return made;
}

Found FaultJudge::trouble(const Operation& operation, const Attempt& clean, Attempt faulted) {
  const Fault fault = faulted.disturbance.fault();
  const bool is_lie = is_answer(faulted.disturbance.disturbed().call, fault.trouble);
  const bool is_acknowledged = faulted.outcome.is_acknowledged;
  if (!faulted.disturbance.blamed().empty()) return "F1: " + faulted.disturbance.blamed();
  if (auto trouble = trouble_with_failure(clean, faulted)) return trouble;
  // What it has ended, or would have.
  Outcome expected = faulted.outcome;
  if (!is_acknowledged && fault.reach != Fault::Reach::once) expected = clean.outcome;
  Scene& scene = faulted.scene;
  const std::string holder =
      living_holder(scene, faulted.outcome.container, faulted.outcome.told.addresses);
  if (!holder.empty()) return "F3: I1: it gets an address that " + holder + " has";
  for (const auto& ended : faulted.outcome.ended) {
    if (scene.machine.namespaces.count(namespace_path(ended)) != 0)
      return "F3: I1: " + ended + " lives and was ended";
  }
  if (is_acknowledged) {
    const auto before = scene.oracle.present.find(faulted.outcome.container);
    // Who cannot even be asked whose the attachment's own file is gives it another address.
    const bool is_moved = before != scene.oracle.present.end() &&
                          before->second.addresses != faulted.outcome.told.addresses &&
                          (is_lie || fault.reach != Fault::Reach::once);
    acknowledge(scene, faulted.outcome);
    if (is_moved) scene.oracle.doubled.insert(faulted.outcome.container);
  } else {
    scene.oracle = while_running(scene, operation, expected);
  }
  if (is_lie) {
    scene.oracle.kept.clear();
    for (const auto& ended : faulted.outcome.ended) scene.oracle.forget(ended);
  }
  if (is_acknowledged && has_pending(scene.machine)) {
    const std::string failure = Node(scene.machine, &scene.oracle).release("cx", "x");
    if (!failure.empty()) return "F7: a DEL behind a pending release fails: " + failure;
  }
  if (auto trouble = trouble_with_state(scene, operation, is_acknowledged, is_lie)) return trouble;
  if (is_lie) return std::nullopt;
  if (auto trouble = trouble_at_once(operation, faulted, clean.outcome)) return trouble;
  return trouble_with_neighbours(faulted);
}

/// Equal states have the same future.
Found FaultJudge::trouble_with_state(const Scene& scene, const Operation& operation,
                                     bool is_acknowledged, bool is_lie) {
  const std::uint64_t kind = (is_acknowledged ? 1U : 0U) + (is_lie ? 2U : 0U);
  const std::uint64_t state = mixed(mixed(fingerprint_of(scene), operation.name), kind);
  const auto [known, is_first] = states_.try_emplace(state);
  if (!is_first) return known->second;
  ++counts_.states;
  Found found;
  if (auto trouble = trouble_on_disk(scene.machine.disk, scene.oracle, true)) {
    found = "F3: " + *trouble;
  } else if (auto after_cut =
                 is_acknowledged && !is_lie ? trouble_after_any_cut(scene) : std::nullopt) {
    found = "F4: " + *after_cut;
  } else if (auto repeated = trouble_when_repeated(scene, operation, is_lie)) {
    found = "F7: " + *repeated;
  } else if (auto later = trouble_after_kill(scene, operation, Depth::whole)) {
    found = "F7: " + *later;
  }
  states_[state] = found;
  return found;
}

Found FaultJudge::trouble_with_failure(const Attempt& clean, const Attempt& faulted) {
  if (faulted.outcome.failure.empty()) {
    ++counts_.answered;
    return std::nullopt;
  }
  if (!faulted.failure) return "F2: it fails without a failure: " + faulted.outcome.failure;
  const ErrorTold told = told_of(faulted.failure);
  ++counts_.failed[told.code];
  if (!told.trouble.empty()) return "F2: " + told.trouble;
  const auto& disturbance = faulted.disturbance;
  // host-local's text and code, also where an address is in use only as its file cannot be read.
  const bool is_exhausted = faulted.outcome.failure.find(kExhausted) != std::string::npos;
  const bool is_same = faulted.outcome.failure == clean.outcome.failure;
  if (is_same || is_exhausted ||
      is_answer(disturbance.disturbed().call, disturbance.fault().trouble))
    return std::nullopt;
  const auto wanted = codes_of(disturbance.disturbed().call, disturbance.fault().trouble);
  if (std::find(wanted.begin(), wanted.end(), told.code) == wanted.end())
    return "F2: code " + std::to_string(told.code) + ": " + told.text;
  if (!names_path(told.text)) return "F2: no path in: " + told.text;
  return std::nullopt;
}

/// A cut right now, by each model.
Found FaultJudge::trouble_after_any_cut(const Scene& scene) {
  Found found;
  const std::uint64_t oracle = scene.oracle.fingerprint();
  for (const auto& durable : scene.machine.durable) {
    // A file that is restored may be there by half: see explorer.cpp.
    if (durable.model() == Model::weak && !scene.oracle.lost.empty()) continue;
    Durable::Budget budget{kMostWeak, oracle};
    durable.visit_all(budget, [&](const Tree& tree) {
      if (found) return;
      const auto [known, is_first] =
          states_.try_emplace(mixed(mixed(tree.fingerprint(), oracle), "cut"));
      if (is_first) {
        ++counts_.cuts;
        known->second = trouble_after_cut(scene.machine, tree, scene.oracle, Depth::pods);
      }
      if (known->second) found = std::string(name_of(durable.model())) + ": " + *known->second;
    });
  }
  return found;
}

/// The runtime repeats it, with no fault: then the power is cut.
/// After a lie not: who was told that a folder is not there has not flushed it.
Found FaultJudge::trouble_when_repeated(const Scene& scene, const Operation& operation,
                                        bool is_lie) {
  Scene again = scene;
  const Outcome outcome = operation.run(again, {});
  if (fails_for_good(outcome.failure)) return "repeated, it fails: " + outcome.failure;
  if (!outcome.is_acknowledged || is_lie) return std::nullopt;
  acknowledge(again, outcome);
  if (auto trouble = trouble_after_any_cut(again)) return "repeated, then cut, " + *trouble;
  return std::nullopt;
}

/// F5.
Found FaultJudge::trouble_at_once(const Operation& operation, const Attempt& faulted,
                                  const Outcome& expected) {
  const bool is_failed_add = !faulted.outcome.is_acknowledged && !expected.container.empty() &&
                             faulted.disturbance.fault().reach == Fault::Reach::once;
  if (!is_failed_add || operation.containers.empty()) return std::nullopt;
  const std::string& container = expected.container;
  if (faulted.scene.oracle.present.count(container) != 0) return std::nullopt;
  const bool is_left = has_file(files_of(faulted.scene.machine.disk), container);
  const bool is_told = faulted.outcome.failure.find(kTakingBackFailed) != std::string::npos;
  if (is_left && !is_told)
    return "F5: the file of " + container + " is left: " + faulted.outcome.failure;
  const auto [known, is_first] =
      states_.try_emplace(mixed(fingerprint_of(faulted.scene), "returning"));
  if (is_first) known->second = trouble_with_returning(faulted.scene);
  return known->second ? "F5: " + *known->second : known->second;
}

/// F6.
Found FaultJudge::trouble_with_neighbours(const Attempt& faulted) {
  const std::string& path = faulted.disturbance.disturbed().subject;
  const Trouble& trouble = faulted.disturbance.fault().trouble;
  if (!is_entry(faulted.scene.machine, path) || !is_damage(trouble)) return std::nullopt;
  const std::uint64_t state =
      mixed(mixed(fingerprint_of(faulted.scene), path), static_cast<std::uint64_t>(trouble.error));
  const auto [known, is_first] = states_.try_emplace(mixed(state, "neighbours"));
  if (!is_first) return known->second;
  ++counts_.neighbours;
  Disturbance lasting(path, trouble);
  std::exception_ptr failure;
  const auto observer = over_kernel(lasting, failure);
  auto found = trouble_with_newcomer(faulted.scene, observer);
  for (const auto& [container, told] : faulted.scene.oracle.present) {
    const Oracle& oracle = faulted.scene.oracle;
    const bool is_whole = oracle.lost.count(container) + oracle.doubled.count(container) == 0;
    if (!found && is_whole && !is_about(path, container, told))
      found = trouble_with_present(faulted.scene, container, observer);
  }
  if (!found && !lasting.blamed().empty()) found = lasting.blamed();
  if (found) known->second = "F6: " + *found;
  return known->second;
}

}  // namespace proof
