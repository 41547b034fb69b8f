// `release`: what a pod is bound to, or who has an address, given up by hand.
#include <algorithm>
#include <set>

#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/change/changes.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/inspect/subject.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim {
namespace {

using namespace inspect;
using namespace change;
using allocator::Address;
using allocator::Attachment;
using allocator::PodKey;
using allocator::store::LeaseStore;
using allocator::store::SurveyedAddress;

struct ReleaseOptions : ChangeOptions {
  std::string subject;
  std::string pod_namespace;
  bool force = false;
};

constexpr const char* kMayBeAlive = "may be alive: look at it; --force frees it all the same";

/// Whether the store will have a binding of the address once its attachment is gone: see hold().
bool will_be_bound(const Network& network, const SurveyedAddress& one, const Owner& owner) {
  if (one.has_record) return true;
  if (!network.conf.placement.retain.enabled) return false;
  if (!owner.is_known() || network.is_host_locals() || network.is_excluded(owner)) return false;
  const auto& all = network.survey.addresses;
  return std::none_of(all.begin(), all.end(), [&](const auto& entry) {
    const SurveyedAddress& other = entry.second;
    return other.binding && other.binding->pod == owner.key() &&
           other.address.family() == one.address.family() && other.attachment != one.attachment;
  });
}

/// Whose an attachment was, where no record tells: its addresses are held for that pod.
allocator::store::Owner adopter(const Network& network, const Owner& owner) {
  if (!owner.is_known() || network.is_host_locals() || network.is_excluded(owner)) return {};
  return {owner.key(), owner.uid};
}

/// All addresses of the attachment that has this one.
Change plan_attachment(const Network& network, const SurveyedAddress& named, bool force) {
  Change change{&network};
  allocator::store::Owner owner;
  bool is_dead = true;
  for (const auto& [address, one] : network.survey.addresses) {
    if (!one.is_in_use || one.attachment != named.attachment) continue;
    Step step = make_step(network, one);
    step.becomes = unused_state_of(network, address, will_be_bound(network, one, step.owner));
    step.why = one.is_dead ? "proven dead" : "by --force";
    if (!one.has_record) owner = adopter(network, step.owner);
    is_dead = is_dead && one.is_dead;
    change.steps.push_back(std::move(step));
  }
  if (!is_dead && !force) refuse(change, kMayBeAlive);
  const auto proof = force ? LeaseStore::Proof::waived : LeaseStore::Proof::needed;
  change.make = [attachment = *named.attachment, owner,
                 proof](LeaseStore& store) -> std::optional<std::string> {
    if (store.release_by_hand(attachment, owner, proof).may_be_alive) return kMayBeAlive;
    return std::nullopt;
  };
  return change;
}

/// Where the address is nobody's: nullopt.
std::optional<Change> plan_address(const Network& network, const Address& address, bool force) {
  const auto& sets = network.conf.allocation.sets;
  const SurveyedAddress* one = network.survey.find(address);
  if (one == nullptr && set_of(sets, address) == sets.size()) return std::nullopt;
  if (one != nullptr && one->attachment) return plan_attachment(network, *one, force);
  Change change{&network};
  change.steps.push_back(make_step(network, one == nullptr ? SurveyedAddress(address) : *one));
  if (one != nullptr && one->is_in_use) {
    refuse(change, "its file names no attachment: remove it by hand when no pod has the address");
  } else {
    change.steps.front().why = "no attachment has it";
  }
  return change;
}

/// What one interface of a pod is bound to.
Change plan_binding(const Network& network, const PodKey& pod) {
  Change change{&network};
  bool is_in_use = false;
  for (const auto& [address, one] : network.survey.addresses) {
    if (!one.binding || one.binding->pod != pod) continue;
    Step step = make_step(network, one);
    step.becomes = unused_state_of(network, address, false);
    step.why = "its binding ends";
    is_in_use = is_in_use || one.is_in_use;
    change.steps.push_back(std::move(step));
  }
  if (is_in_use) refuse(change, "in use: the pod would be bound anew; release its address");
  change.make = [pod](LeaseStore& store) -> std::optional<std::string> {
    if (!store.forget_pod(pod).in_use.empty()) return "in use by now";
    return std::nullopt;
  };
  return change;
}

/// The interfaces of such pods in a network, in the order of their addresses.
std::vector<PodKey> bound_pods(const Network& network, const Subject& subject) {
  std::vector<PodKey> pods;
  for (const auto& [address, one] : network.survey.addresses) {
    if (!one.binding) continue;
    const PodKey& pod = one.binding->pod;
    const bool is_new = std::find(pods.begin(), pods.end(), pod) == pods.end();
    if (is_new && subject.is_pod(pod.pod_namespace, pod.pod_name)) pods.push_back(pod);
  }
  return pods;
}

Changes make_plan(const Networks& networks, const Subject& subject, bool force) {
  Changes changes;
  std::set<std::string> namespaces;
  for (const auto& network : networks) {
    Changes found;
    if (!subject.address) {
      for (const auto& pod : bound_pods(network, subject)) {
        namespaces.insert(pod.pod_namespace);
        found.push_back(plan_binding(network, pod));
      }
    } else if (auto change = plan_address(network, *subject.address, force)) {
      found.push_back(std::move(*change));
    }
    for (auto& change : found) {
      if (!network.chooses()) refuse(change, "given out by " + network.delegate + ": ask that one");
      changes.push_back(std::move(change));
    }
  }
  refuse_ambiguous(namespaces, subject);
  return changes;
}

ExitCode release(const ReleaseOptions& options) {
  const Look look = read_change_look(options);
  const Subject subject = read_subject(options.subject, options.pod_namespace);
  if (options.force && !subject.address)
    throw UsageError("--force: a pod in use stays bound; name the address");
  allocator::store::PosixFileSystem fs;
  const Node node(fs, options.node, ReadCache::always);
  auto changes = make_plan(node.networks(), subject, options.force);
  const bool is_done = carry_out(fs, changes, {"release", look, options.apply});
  if (changes.empty())
    write_stderr(
        printable_line((subject.address ? "nothing is known of " : "nothing is kept for ") +
                       options.subject + " here") +
        "\n");
  return !is_done || (changes.empty() && subject.address) ? ExitCode::found_something
                                                          : ExitCode::fine;
}

}  // namespace

void add_release(CommandSpec& root) {
  static ReleaseOptions options;
  CommandSpec command = root.command(
      "release",
      "give up what is kept for a pod, or free the address of a container that is proven dead; a "
      "dry run without --apply");
  command.argument("POD|IP", options.subject, "web-0, shop/web-0 or 10.244.1.7");
  command.text("-n,--namespace", options.pod_namespace, "the pod's namespace");
  command.flag("--force", options.force,
               "free an address of which nothing proves that its container is dead: a live pod "
               "would share it with the next one");
  add_change_options(command, options);
  command.example("delegated-ipam release shop/web-0");
  command.example("delegated-ipam release 10.244.1.7 --apply");
  command.runs([] { return release(options); });
}

}  // namespace shim
