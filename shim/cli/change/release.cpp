// `release`: what a pod is bound to, or who has an address, given up by hand.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "allocator/store/disk/posix_file_system.hpp"
#include "allocator/store/lease_store.hpp"
#include "shim/cli/commands.hpp"
#include "shim/cli/inspect/networks/audit.hpp"
#include "shim/cli/inspect/networks/states.hpp"
#include "shim/cli/inspect/output/look_options.hpp"
#include "shim/cli/inspect/subject.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cni/protocol/printable.hpp"
#include "shim/cni/result/libcni_cache.hpp"
#include "shim/cni/verbs/store_inputs.hpp"

namespace shim {
namespace {

using namespace inspect;
using allocator::Address;
using allocator::Attachment;
using allocator::PodKey;
using allocator::store::LeaseStore;
using allocator::store::PosixFileSystem;
using allocator::store::SurveyedAddress;

struct ReleaseOptions {
  NodeOptions node;
  LookOptions look;
  std::string subject;
  std::string pod_namespace;
  bool force = false;
  bool apply = false;
};

constexpr const char* kMayBeAlive = "may be alive: look at it; --force frees it all the same";

/// One address, and what becomes of it.
struct Step {
  Address address;
  Owner owner;
  std::string container;
  State was;
  State becomes;
  std::string why;
};

/// Addresses that go together: of one attachment, or of one pod.
struct Group {
  const Network* network;
  std::optional<Attachment> attachment = {};  ///< to free
  std::optional<PodKey> pod = {};             ///< to forget
  allocator::store::Owner owner = {};         ///< whose the attachment was, if nothing binds it
  bool is_refused = false;
  std::vector<Step> steps = {};

  [[nodiscard]] bool is_change() const { return !is_refused && (attachment || pod); }
};

/// Nothing of the group is changed.
void refuse(Group& group, const std::string& why) {
  group.is_refused = true;
  for (auto& step : group.steps) {
    step.becomes = step.was;
    step.why = why;
  }
}

Step make_step(const Network& network, const SurveyedAddress& one) {
  const State was = state_of(network, one.address);
  return {one.address,
          network.owner_of(one),
          one.attachment ? one.attachment->container_id : "",
          was,
          was,
          {}};
}

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
Group plan_attachment(const Network& network, const SurveyedAddress& named, bool force) {
  Group group{&network, named.attachment};
  bool is_dead = true;
  for (const auto& [address, one] : network.survey.addresses) {
    if (!one.is_in_use || one.attachment != named.attachment) continue;
    Step step = make_step(network, one);
    step.becomes = unused_state_of(network, address, will_be_bound(network, one, step.owner));
    step.why = one.is_dead ? "proven dead" : "by --force";
    if (!one.has_record) group.owner = adopter(network, step.owner);
    is_dead = is_dead && one.is_dead;
    group.steps.push_back(std::move(step));
  }
  if (!is_dead && !force) refuse(group, kMayBeAlive);
  return group;
}

/// Where the address is nobody's: nullopt.
std::optional<Group> plan_address(const Network& network, const Address& address, bool force) {
  const auto& sets = network.conf.allocation.sets;
  const SurveyedAddress* one = network.survey.find(address);
  if (one == nullptr && set_of(sets, address) == sets.size()) return std::nullopt;
  if (one != nullptr && one->attachment) return plan_attachment(network, *one, force);
  Group group{&network};
  group.steps.push_back(make_step(network, one == nullptr ? SurveyedAddress(address) : *one));
  if (one != nullptr && one->is_in_use) {
    refuse(group, "its file names no attachment: remove it by hand when no pod has the address");
  } else {
    group.steps.front().why = "no attachment has it";
  }
  return group;
}

/// What the pod is bound to, each of its interfaces by itself.
std::vector<Group> plan_pod(const Network& network, const Subject& subject) {
  std::vector<Group> groups;
  for (const auto& [address, one] : network.survey.addresses) {
    if (!one.binding) continue;
    const PodKey& pod = one.binding->pod;
    if (!subject.is_pod(pod.pod_namespace, pod.pod_name)) continue;
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& known) { return known.pod == pod; });
    if (group == groups.end()) group = groups.insert(group, Group{&network, {}, pod});
    Step step = make_step(network, one);
    step.becomes = unused_state_of(network, address, false);
    step.why = "its binding ends";
    group->is_refused = group->is_refused || one.is_in_use;
    group->steps.push_back(std::move(step));
  }
  for (auto& group : groups) {
    if (group.is_refused) refuse(group, "in use: the pod would be bound anew; release its address");
  }
  return groups;
}

std::vector<Group> make_plan(const Networks& networks, const Subject& subject, bool force) {
  std::vector<Group> groups;
  for (const auto& network : networks) {
    std::vector<Group> found;
    if (!subject.address) {
      found = plan_pod(network, subject);
    } else if (auto group = plan_address(network, *subject.address, force)) {
      found.push_back(std::move(*group));
    }
    for (auto& group : found) {
      if (!network.chooses()) refuse(group, "given out by " + network.delegate + ": ask that one");
      groups.push_back(std::move(group));
    }
  }
  return groups;
}

/// A pod's name alone may be that of several.
void refuse_ambiguous(const std::vector<Group>& groups, const Subject& subject) {
  std::set<std::string> namespaces;
  for (const auto& group : groups) {
    if (group.pod) namespaces.insert(group.pod->pod_namespace);
  }
  if (namespaces.size() < 2) return;
  std::string names;
  for (const auto& name : namespaces) names += (names.empty() ? "" : ", ") + name;
  refuse_option("POD|IP", subject.pod_name, "is in " + names + "; write NAMESPACE/POD");
}

std::vector<Row> rows_of(const Group& group) {
  std::vector<Row> rows;
  for (const auto& step : group.steps)
    rows.push_back({group.network->name, step.address.to_string(), step.owner.pod_namespace,
                    step.owner.pod_name, step.owner.ifname, step.container,
                    std::string(name_of(step.was)), std::string(name_of(step.becomes)), step.why});
  return rows;
}

/// Where only host-local writes nothing of ours may appear: with records it would look like ours,
/// and so as if addresses were kept.
void announce(PosixFileSystem& fs, const Group& group) {
  if (!group.network->is_host_locals()) append_audit(fs, *group.network, "release", rows_of(group));
}

allocator::store::StoreOptions options_of(const Network& network) {
  auto options = store_options(network.conf.placement, network.network_dir);
  if (network.is_host_locals()) options.retention = allocator::store::Retention::off;
  return options;
}

/// Announces the change, then makes it. What has changed since it was looked at stays, which is
/// told as well.
void apply(PosixFileSystem& fs, Group& group, bool force) {
  const Network& network = *group.network;
  announce(fs, group);
  ResultCache cache(fs);
  LeaseStore store(fs, options_of(network), &cache);
  if (group.attachment) {
    const auto done =
        store.release_by_hand(*group.attachment, group.owner,
                              force ? LeaseStore::Proof::waived : LeaseStore::Proof::needed);
    if (done.may_be_alive) refuse(group, kMayBeAlive);
  } else if (!store.forget_pod(*group.pod).in_use.empty()) {
    refuse(group, "in use by now");
  }
  if (group.is_refused) announce(fs, group);
}

Table make_release_table(const std::vector<Group>& groups) {
  std::set<const Network*> networks;
  for (const auto& group : groups) networks.insert(group.network);
  Table table{change_columns(), {}};
  table.columns.front().shown = networks.size() > 1 ? Shown::always : Shown::on_demand;
  for (const auto& group : groups) {
    for (auto& row : rows_of(group)) table.rows.push_back(std::move(row));
  }
  return table;
}

void print(const Table& table, const Look& look, bool is_applied) {
  if (look.format == Format::table) {
    if (!table.rows.empty()) write_stdout(print_table(table, look));
    return;
  }
  Json document = make_document("release");
  put(document, "applied", is_applied);
  put(document, "items", items_of(table));
  write_stdout(print_document(document, look.format));
}

ExitCode release(const ReleaseOptions& options) {
  const Look look = read_look(options.look, Forms::documents);
  const Subject subject = read_subject(options.subject, options.pod_namespace);
  if (!options.node.root.empty())
    refuse_option("--root", options.node.root, "is a copy; what is to be changed is the node");
  if (options.force && !subject.address)
    throw UsageError("--force: a pod in use stays bound; name the address");
  PosixFileSystem fs;
  const Node node(fs, options.node, ReadCache::always);
  auto groups = make_plan(node.networks(), subject, options.force);
  refuse_ambiguous(groups, subject);
  const bool is_change = std::any_of(groups.begin(), groups.end(),
                                     [](const Group& group) { return group.is_change(); });
  for (auto& group : groups) {
    if (options.apply && group.is_change()) apply(fs, group, options.force);
  }
  print(make_release_table(groups), look, options.apply);
  if (is_change && !options.apply)
    write_stderr("this was a dry run: nothing is changed without --apply\n");
  if (groups.empty())
    write_stderr(
        printable_line((subject.address ? "nothing is known of " : "nothing is kept for ") +
                       options.subject + " here") +
        "\n");
  const bool is_refused = std::any_of(groups.begin(), groups.end(),
                                      [](const Group& group) { return group.is_refused; });
  return is_refused || (groups.empty() && subject.address) ? ExitCode::found_something
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
  command.flag("--apply", options.apply, "do it");
  add_look_options(command, Forms::documents, options.look);
  add_node_options(command, options.node);
  command.example("delegated-ipam release shop/web-0");
  command.example("delegated-ipam release 10.244.1.7 --apply");
  command.runs([] { return release(options); });
}

}  // namespace shim
