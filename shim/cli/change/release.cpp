// `release`: what a pod is bound to, or who has an address, given up by hand.
#include <algorithm>
#include <set>

#include "allocator/store/disk/posix_file_system.hpp"
#include "shim/cli/change/plans.hpp"
#include "shim/cli/change/reported.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/inspect/boot_report.hpp"
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
  std::string report;
  bool force = false;
};

constexpr const char* kMayBeAlive = "may be alive: look at it; --force frees it all the same";

/// All addresses of the attachment that has this one.
Change plan_attachment(const Network& network, const SurveyedAddress& named, bool force) {
  Members addresses;
  for (const auto& [address, one] : network.survey.addresses) {
    if (one.is_in_use && one.attachment == named.attachment) addresses.push_back(&one);
  }
  return plan_freeing(network, addresses,
                      force ? LeaseStore::Proof::waived : LeaseStore::Proof::needed, kMayBeAlive);
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
  Members addresses;
  for (const auto& [address, one] : network.survey.addresses) {
    if (one.binding && one.binding->pod == pod) addresses.push_back(&one);
  }
  return plan_end_of_binding(network, addresses);
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

/// What one interface of a pod is bound to, and all addresses of the attachments that are its own.
Members all_of_pod(const Network& network, const PodKey& pod) {
  std::vector<Attachment> own;
  for (const auto& [address, one] : network.survey.addresses) {
    if (one.is_in_use && one.attachment && network.owner_of(one).key() == pod)
      own.push_back(*one.attachment);
  }
  Members members;
  for (const auto& [address, one] : network.survey.addresses) {
    const bool is_beside = one.is_in_use && one.attachment &&
                           std::find(own.begin(), own.end(), one.attachment) != own.end();
    if (is_beside || (one.binding && one.binding->pod == pod)) members.push_back(&one);
  }
  return members;
}

/// True for pods that the last boot has not brought back: what a report says of them now.
bool is_not_back(const BootReport& report, const PodKey& pod) {
  return std::any_of(report.pods.begin(), report.pods.end(), [&](const PodReport& one) {
    return one.pod == pod && (one.fate == Fate::missing || one.fate == Fate::evicted);
  });
}

/// What a report told to be missing, as it is now.
Changes plan_missing(const Networks& networks, const std::vector<MissingPod>& missing) {
  std::map<const Network*, BootReport> reports;
  for (const auto& network : networks) reports[&network] = report_of(network, networks, {});
  Changes changes;
  for (const auto& [network, pod] : missing) {
    const Members members = all_of_pod(*network, pod);
    if (members.empty()) continue;
    Change& change =
        changes.emplace_back(plan_giving_up(*network, pod, members, "may be alive: kept"));
    if (!is_not_back(reports.at(network), pod)) refuse(change, "the pod has come back: kept");
    if (!network->chooses()) refuse(change, "given out by " + network->delegate + ": ask that one");
  }
  return changes;
}

void refuse_beside_report(const ReleaseOptions& options) {
  if (!options.subject.empty())
    refuse_option("--from-report", options.report,
                  "says which pods; leave " + options.subject + " out");
  if (!options.pod_namespace.empty())
    refuse_option("-n", options.pod_namespace,
                  "does not go with --from-report; make the report with report -n");
  if (options.force) throw UsageError("--force: does not go with --from-report; name the address");
}

/// Exit code 1: somebody has come back.
ExitCode release_missing(const ReleaseOptions& options, const Look& look) {
  refuse_beside_report(options);
  allocator::store::PosixFileSystem fs;
  Node node(fs, options.node, ReadCache::always);
  auto changes = plan_missing(node.networks(), read_missing(node, options.report));
  const bool is_done = carry_out(fs, changes, {"release", look, options.apply});
  if (changes.empty()) write_stderr("nothing is kept here for pods that it tells to be MISSING\n");
  return is_done ? ExitCode::fine : ExitCode::found_something;
}

ExitCode release(const ReleaseOptions& options) {
  const Look look = read_change_look(options);
  if (!options.report.empty()) return release_missing(options, look);
  if (options.subject.empty())
    throw UsageError("POD|IP: is missing; name a pod or an address, or a report by --from-report");
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
  command.optional_argument("POD|IP", options.subject, "web-0, shop/web-0 or 10.244.1.7");
  command.text("--from-report", options.report,
               "in its place all pods that this file, the output of report -o json (-: stdin), "
               "tells to be MISSING, and that are not back meanwhile");
  command.text("-n,--namespace", options.pod_namespace, "the pod's namespace");
  command.flag("--force", options.force,
               "free an address of which nothing proves that its container is dead: a live pod "
               "would share it with the next one");
  add_change_options(command, options);
  command.example("delegated-ipam release shop/web-0");
  command.example("delegated-ipam release 10.244.1.7 --apply");
  command.example("delegated-ipam report -o json | delegated-ipam release --from-report -");
  command.runs([] { return release(options); });
}

}  // namespace shim
