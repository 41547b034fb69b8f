// `gc`: what nobody gives back, dropped: attachments that are proven dead, and what is kept for
// pods that no longer exist. Valid until proven leaked, seen twice, looked at again under the lock.
#include <algorithm>
#include <exception>
#include <map>
#include <system_error>
#include <tuple>

#include "allocator/store/disk/posix_file_system.hpp"
#include "allocator/store/state/call_start.hpp"
#include "shim/cli/change/gc/existing_pods.hpp"
#include "shim/cli/change/gc/seen.hpp"
#include "shim/cli/change/plans.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/inspect/networks/state_file.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using namespace inspect;
using namespace change;
using allocator::PodKey;
using allocator::store::FileSystem;
using allocator::store::LeaseStore;
using validate::joined;

struct GcOptions : ChangeOptions {
  std::vector<std::string> lists;
  unsigned grace_minutes = 60;
};

constexpr const char* kSeenName = "gc";
constexpr std::uint64_t kSecond = 1'000'000'000;  // nanoseconds

/// What may be dropped, under a name that another one of its kind never has.
struct Candidate {
  std::string name;
  Change change;
};

using Candidates = std::vector<Candidate>;

void say_line(const std::string& text) { write_stderr(printable_line(text) + "\n"); }

/// Each attachment of which every file proves that it is dead.
Candidates dead_attachments(const Network& network) {
  std::map<std::pair<std::string, std::string>, Members> attachments;
  for (const auto& [address, one] : network.survey.addresses) {
    if (one.is_in_use && one.attachment)
      attachments[{one.attachment->container_id, one.attachment->ifname}].push_back(&one);
  }
  Candidates candidates;
  for (const auto& [key, files] : attachments) {
    if (!std::all_of(files.begin(), files.end(), [](const auto* one) { return one->is_dead; }))
      continue;
    candidates.push_back(
        {joined({"attachment ", key.first, " ", key.second}),
         plan_freeing(network, files, LeaseStore::Proof::needed, "may be alive by now")});
  }
  return candidates;
}

/// The binding as its pod left it: another one when the pod has been back.
std::string binding_name(const Members& addresses) {
  const auto& newest = *std::max_element(
      addresses.begin(), addresses.end(), [](const auto* left, const auto* right) {
        return left->binding->sequence < right->binding->sequence;
      });
  const auto& binding = *newest->binding;
  return joined({"binding ", binding.pod.display(), " ", binding.pod.ifname, " ",
                 std::to_string(binding.sequence), ".", std::to_string(binding.kept), ".",
                 binding.boot8});
}

/// What is kept for each interface of a pod that nobody names any more.
Candidates unused_bindings(const Network& network, const ExistingPods& pods) {
  std::map<std::tuple<std::string, std::string, std::string>, Members> bound;
  for (const auto& [address, one] : network.survey.addresses) {
    if (!one.binding) continue;
    const PodKey& pod = one.binding->pod;
    if (!pods.has(pod)) bound[{pod.pod_namespace, pod.pod_name, pod.ifname}].push_back(&one);
  }
  Candidates candidates;
  for (const auto& [pod, addresses] : bound)
    candidates.push_back({binding_name(addresses), plan_end_of_binding(network, addresses)});
  return candidates;
}

/// One network: what is to be dropped, and what is to be remembered of it.
struct Collection {
  const Network* network;
  Seen before;
  Seen seen = {};
  Changes changes = {};
};

std::string verdict_of(const Wait& wait) {
  switch (wait.kind) {
    case Wait::Kind::seen_now:
      return "noted now";
    case Wait::Kind::waits:
      return joined({"waits: ", std::to_string(wait.minutes),
                     wait.minutes == 1 ? " more minute" : " more minutes"});
    case Wait::Kind::over:
      return "freed";
  }
  return "";
}

void note_candidate(Collection& collection, const std::string& candidate, const Wait& wait,
                    const Grace& grace) {
  collection.seen[candidate] =
      wait.kind == Wait::Kind::seen_now ? grace.now : collection.before.at(candidate);
}

void add_candidates(Collection& collection, Candidates&& candidates, std::string_view reason,
                    const Grace& grace) {
  for (auto& [name, change] : candidates) {
    const Wait wait = wait_of(collection.before, name, grace);
    note_candidate(collection, name, wait, grace);
    change.is_noted = wait.kind != Wait::Kind::over;
    for (auto& step : change.steps) {
      step.why = joined({reason, ", ", verdict_of(wait)});
      if (change.is_noted) step.becomes = step.was;
    }
    collection.changes.push_back(std::move(change));
  }
}

/// A run that has no list of pods says nothing of bindings: what others saw of them stays.
void keep_notes(Collection& collection, const Candidates& candidates) {
  for (const auto& one : candidates) {
    const auto known = collection.before.find(one.name);
    if (known != collection.before.end()) collection.seen.insert(*known);
  }
}

Grace grace_of(const Network& network, std::uint64_t minutes) {
  const std::string boot8 = allocator::boot8_of(network.survey.boot_id);
  auto boots = network.survey.boots;
  boots.erase(std::remove(boots.begin(), boots.end(), boot8), boots.end());
  return {{boot8, allocator::store::boottime_now() / kSecond}, std::move(boots), minutes * 60};
}

/// Where the file cannot be read nothing was seen.
Seen read_seen(FileSystem& fs, const Network& network) {
  try {
    return parse_seen(read_state_file(fs, network, kSeenName, kSeenLimit));
  } catch (const std::system_error&) {
    return {};
  }
}

Collection collect_network(FileSystem& fs, const Network& network, const ExistingPods& pods,
                           const GcOptions& options) {
  Collection collection{&network, read_seen(fs, network)};
  const Grace grace = grace_of(network, options.grace_minutes);
  add_candidates(collection, dead_attachments(network), "proven dead", grace);
  if (!pods.troubles().empty()) return collection;
  auto bindings = unused_bindings(network, pods);
  if (pods.are_listed())
    add_candidates(collection, std::move(bindings), "its pod is gone", grace);
  else
    keep_notes(collection, bindings);
  return collection;
}

/// Why nothing can be dropped in a network; empty where it can.
std::string obstacle_in(const Network& network) {
  if (!network.chooses()) return "given out by " + network.delegate + ": ask that one";
  if (network.is_host_locals())
    return "only host-local ever wrote here: nothing can be noted, and nothing is freed";
  return {};
}

/// Durably, before anything is dropped; where it stays the same nothing is written.
/// Errors: as change_state_file(); then nothing is dropped in this network.
void note_down(FileSystem& fs, const Collection& collection) {
  const std::string text = print_seen(collection.seen);
  if (text == print_seen(collection.before)) return;
  change_state_file(fs, *collection.network, kSeenName, kSeenLimit,
                    [&](const std::string&) -> const std::string& { return text; });
}

/// Returns what it failed with.
std::exception_ptr note_or_refuse(FileSystem& fs, Collection& collection) {
  try {
    note_down(fs, collection);
    return nullptr;
  } catch (const std::exception& error) {
    for (auto& change : collection.changes) refuse(change, error.what());
    return std::current_exception();
  }
}

void tell_of_sources(const ExistingPods& pods) {
  for (const auto& trouble : pods.troubles()) say_line(trouble + "; every binding is kept");
  if (pods.troubles().empty() && !pods.are_listed())
    say_line(
        "nothing says which pods exist (kubelet's Pods API, YurtHub's cache, or a list by --pods): "
        "every binding is kept");
}

/// All networks: what becomes of each candidate, and what the first of those failed with that could
/// not be noted down.
struct Plan {
  Changes changes;
  std::exception_ptr failure;
};

Plan plan_all(FileSystem& fs, const Networks& networks, const ExistingPods& pods,
              const GcOptions& options) {
  Plan plan;
  for (const auto& network : networks) {
    if (const std::string obstacle = obstacle_in(network); !obstacle.empty()) {
      if (!network.survey.addresses.empty()) say_line(joined({network.name, ": ", obstacle}));
      continue;
    }
    Collection collection = collect_network(fs, network, pods, options);
    const auto failure = options.apply ? note_or_refuse(fs, collection) : nullptr;
    if (!plan.failure) plan.failure = failure;
    for (auto& change : collection.changes) plan.changes.push_back(std::move(change));
  }
  return plan;
}

bool any_waits(const Changes& changes) {
  return std::any_of(changes.begin(), changes.end(),
                     [](const Change& change) { return change.is_noted; });
}

ExitCode gc(const GcOptions& options) {
  const Look look = read_change_look(options);
  allocator::store::PosixFileSystem fs;
  Node node(fs, options.node, ReadCache::always);
  const ExistingPods pods(node, options.lists);
  if (node.networks().empty()) say_line("no network found in " + node.places());
  tell_of_sources(pods);
  Plan plan = plan_all(fs, node.networks(), pods, options);
  const bool is_done = carry_out(fs, plan.changes, {"gc", look, options.apply});
  if (plan.failure) std::rethrow_exception(plan.failure);
  if (plan.changes.empty()) say_line("nothing to drop here");
  const bool is_fine = is_done && !any_waits(plan.changes) && pods.troubles().empty();
  return is_fine ? ExitCode::fine : ExitCode::found_something;
}

}  // namespace

void add_gc(CommandSpec& root) {
  static GcOptions options;
  CommandSpec command =
      root.command("gc",
                   "free what nobody gives back: addresses of containers that are proven dead, and "
                   "those kept for pods that no longer exist; a dry run without --apply");
  command.list("--pods", options.lists,
               "which pods exist: the output of kubectl get pods -A -o json or crictl pods -o json "
               "(-: stdin); repeatable");
  command.number("--grace", options.grace_minutes,
                 "minutes of uptime between two looks that find the same in one boot");
  add_change_options(command, options);
  command.example("delegated-ipam gc");
  command.example("kubectl get pods -A -o json | delegated-ipam gc --pods - --apply");
  command.runs([] { return gc(options); });
}

}  // namespace shim
