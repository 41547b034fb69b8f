// `pin`: an address that only one pod gets, without a change of the configuration.
#include <algorithm>
#include <map>
#include <tuple>

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
using allocator::Pin;
using allocator::store::LeaseStore;
using allocator::store::SurveyedAddress;

struct PinOptions : ChangeOptions {
  std::vector<std::string> words;
  std::string pod_namespace;
  bool remove = false;
  bool force = false;
};

/// What is to be pinned, or to be pinned no longer.
struct PinSubject {
  Subject pod;
  std::vector<Address> addresses;  ///< none: those that it has, or all that are pinned
};

/// What becomes of pins in one network: all of them, or none.
struct PinPlan {
  Change change;
  std::vector<Pin> pins = {};
};

PinSubject read_words(const PinOptions& options) {
  PinSubject subject{read_subject(options.words.front(), options.pod_namespace), {}};
  if (subject.pod.address)
    refuse_option("POD", options.words.front(), "is an address; write the pod first");
  for (std::size_t at = 1; at < options.words.size(); ++at) {
    const auto address = Address::parse(options.words[at]);
    if (!address) refuse_option("IP", options.words[at], "is no address; write 10.244.1.7");
    subject.addresses.push_back(*address);
  }
  return subject;
}

/// Of a pod that is named without its namespace, the one in which such a pod is known.
void find_namespace(const Networks& networks, Subject& pod) {
  std::set<std::string> namespaces;
  const auto look_at = [&](const std::string& name_space, const std::string& name) {
    if (pod.is_pod(name_space, name)) namespaces.insert(name_space);
  };
  for (const auto& network : networks) {
    for (const auto& [address, one] : network.survey.addresses)
      if (one.binding) look_at(one.binding->pod.pod_namespace, one.binding->pod.pod_name);
    for (const auto& pin : network.survey.pins) look_at(pin.pod_namespace, pin.pod_name);
  }
  refuse_ambiguous(namespaces, pod);
  if (!pod.pod_namespace.empty()) return;
  if (namespaces.empty())
    refuse_option("POD", pod.pod_name, "is no pod that is known here; write NAMESPACE/POD");
  pod.pod_namespace = *namespaces.begin();
}

/// Where pins by hand do not count: why.
std::string why_unread(const Network& network) {
  if (network.reads_pins()) return {};
  if (!network.delegate.empty()) return "given out by " + network.delegate + ": ask that one";
  return network.is_host_locals() ? "given out by host-local: set ipam.type to delegated-ipam first"
                                  : "nothing is kept here: leave ipam.retain out first";
}

std::string user_of(const Network& network, const SurveyedAddress& one) {
  const Owner owner = network.owner_of(one);
  if (owner.is_known()) return owner.key().display();
  return one.attachment ? "container " + one.attachment->container_id : "somebody";
}

/// A pod with two pins in one range set gets the first of them.
const Pin* pin_beside(const Network& network, const Pin& pin) {
  const auto& sets = network.conf.allocation.sets;
  for (const auto& other : network.conf.allocation.reservations.pins) {
    if (other.pod_namespace == pin.pod_namespace && other.pod_name == pin.pod_name &&
        set_of(sets, other.address) == set_of(sets, pin.address))
      return &other;
  }
  return nullptr;
}

/// Why the address is not pinned to the pod; empty when nothing is in the way.
std::string obstacle_to(const Network& network, const Pin& pin, bool force) {
  const SurveyedAddress* one = network.survey.find(pin.address);
  if (const auto reserved = reservation_of(network, pin.address)) return reserved->reserved_text();
  if (force) return {};
  if (const Pin* other = pin_beside(network, pin))
    return "pinned to " + other->address.to_string() +
           " already: take that pin away, or --force for a second interface";
  const std::string pod = pin.pod_namespace + "/" + pin.pod_name;
  if (one == nullptr || !one->is_in_use || one->is_dead || user_of(network, *one) == pod) return {};
  return "in use by " + user_of(network, *one) +
         ": until that one ends the pod could not start; --force pins it all the same";
}

Step pin_step(const Network& network, const Pin& pin) {
  const SurveyedAddress* one = network.survey.find(pin.address);
  Step step = make_step(network, one == nullptr ? SurveyedAddress(pin.address) : *one);
  const std::string holder = step.owner.is_known() ? step.owner.key().display() : "";
  const bool is_others = !holder.empty() && holder != pin.pod_namespace + "/" + pin.pod_name;
  step.why = "pinned";
  if (is_others)
    step.why += (step.was == State::held ? "; kept for " : "; in use by ") + holder + " so far";
  step.owner = {pin.pod_namespace, pin.pod_name, {}, {}, {}};
  return step;
}

void plan_pin(PinPlan& plan, const Pin& pin, bool force) {
  const Network& network = *plan.change.network;
  Step step = pin_step(network, pin);
  const auto& pins = network.conf.allocation.reservations.pins;
  if (std::find(pins.begin(), pins.end(), pin) != pins.end()) {
    step.why = "pinned already";
    plan.change.steps.push_back(std::move(step));
    return;
  }
  std::string why = why_unread(network);
  if (why.empty()) why = obstacle_to(network, pin, force);
  if (!why.empty()) {
    refuse(step, why);
    plan.change.is_refused = true;
  } else if (step.was == State::free || step.was == State::held) {
    step.becomes = State::reserved;
  }
  plan.change.steps.push_back(std::move(step));
  plan.pins.push_back(pin);
}

void plan_unpin(PinPlan& plan, const Pin& pin) {
  const Network& network = *plan.change.network;
  Step step = pin_step(network, pin);
  const SurveyedAddress* one = network.survey.find(pin.address);
  const auto reserved = reservation_of(network, pin.address);
  if (step.was == State::reserved && reserved && reserved->pin != nullptr)
    step.becomes = one != nullptr && one->has_record ? State::held : State::free;
  step.why = "its pin ends";
  plan.change.steps.push_back(std::move(step));
  plan.pins.push_back(pin);
}

/// The network whose ranges have the address.
const Network& network_of(const Networks& networks, const Address& address) {
  const Network* found = nullptr;
  for (const auto& network : networks) {
    const auto& sets = network.conf.allocation.sets;
    if (set_of(sets, address) == sets.size()) continue;
    if (found != nullptr)
      refuse_option("IP", address.to_string(),
                    "is in the ranges of " + found->name + " and " + network.name +
                        "; name one with --network");
    found = &network;
  }
  if (found == nullptr) refuse_option("IP", address.to_string(), "is in no range of this node");
  return *found;
}

/// Of each family what each interface of the pod has, or had last.
std::vector<Address> addresses_of(const Network& network, const Subject& pod) {
  std::map<std::pair<std::string, allocator::Family>, const SurveyedAddress*> newest;
  for (const auto& [address, one] : network.survey.addresses) {
    if (!one.binding || !pod.is_pod(one.binding->pod.pod_namespace, one.binding->pod.pod_name))
      continue;
    auto& known = newest[{one.binding->pod.ifname, address.family()}];
    // 0, in use, is the newest
    if (known == nullptr || one.binding->sequence - 1 > known->binding->sequence - 1) known = &one;
  }
  std::vector<Address> addresses;
  addresses.reserve(newest.size());
  for (const auto& [place, one] : newest) addresses.push_back(one->address);
  return addresses;
}

PinPlan& plan_for(std::vector<PinPlan>& plans, const Network& network) {
  const auto known = std::find_if(plans.begin(), plans.end(), [&](const PinPlan& plan) {
    return plan.change.network == &network;
  });
  return known == plans.end() ? plans.emplace_back(PinPlan{{&network}}) : *known;
}

Pin pin_for(const Subject& pod, const Address& address) {
  return {pod.pod_namespace, pod.pod_name, address};
}

std::vector<PinPlan> plan_pins(const Networks& networks, const PinSubject& subject, bool force) {
  std::vector<PinPlan> plans;
  for (const auto& address : subject.addresses) {
    const Network& network = network_of(networks, address);
    plan_pin(plan_for(plans, network), pin_for(subject.pod, address), force);
  }
  if (!subject.addresses.empty()) return plans;
  for (const auto& network : networks) {
    for (const auto& address : addresses_of(network, subject.pod))
      plan_pin(plan_for(plans, network), pin_for(subject.pod, address), force);
  }
  return plans;
}

std::vector<PinPlan> plan_unpins(const Networks& networks, const PinSubject& subject) {
  std::vector<PinPlan> plans;
  for (const auto& network : networks) {
    for (const auto& pin : network.survey.pins) {
      const bool is_named = subject.addresses.empty() || contains(subject.addresses, pin.address);
      if (is_named && subject.pod.is_pod(pin.pod_namespace, pin.pod_name))
        plan_unpin(plan_for(plans, network), pin);
    }
  }
  return plans;
}

/// What is refused of one address is refused of all.
void refuse_all(Change& change) {
  for (auto& step : change.steps) {
    if (step.becomes != step.was) refuse(step, "not without the others");
  }
}

Change change_of(PinPlan plan, bool is_removal) {
  if (plan.change.is_refused) refuse_all(plan.change);
  if (plan.pins.empty()) return std::move(plan.change);
  plan.change.make = [pins = std::move(plan.pins),
                      is_removal](LeaseStore& store) -> std::optional<std::string> {
    if (is_removal) {
      store.unpin(pins);
    } else if (!store.pin(pins).empty()) {
      return "pinned to another pod by now";
    }
    return std::nullopt;
  };
  return std::move(plan.change);
}

ExitCode pin(const PinOptions& options) {
  const Look look = read_change_look(options);
  PinSubject subject = read_words(options);
  allocator::store::PosixFileSystem fs;
  const Node node(fs, options.node, ReadCache::always);
  find_namespace(node.networks(), subject.pod);
  auto plans = options.remove ? plan_unpins(node.networks(), subject)
                              : plan_pins(node.networks(), subject, options.force);
  Changes changes;
  for (auto& plan : plans) changes.push_back(change_of(std::move(plan), options.remove));
  const bool is_done = carry_out(fs, changes, {"pin", look, options.apply});
  if (changes.empty())
    write_stderr(printable_line((options.remove ? "nothing is pinned by hand for "
                                                : "no address is known of ") +
                                options.words.front() + " here") +
                 "\n");
  const bool is_lacking = changes.empty() && !options.remove;
  return is_done && !is_lacking ? ExitCode::fine : ExitCode::found_something;
}

}  // namespace

void add_pin(CommandSpec& root) {
  static PinOptions options;
  CommandSpec command =
      root.command("pin",
                   "keep an address for one pod, whoever else would get it; a dry run without "
                   "--apply");
  command.arguments("POD", options.words, "shop/web-0, and its addresses; none: those that it has");
  command.text("-n,--namespace", options.pod_namespace, "the pod's namespace");
  command.flag("--remove", options.remove, "end its pins, or those of the addresses");
  command.flag("--force", options.force, "also an address that somebody else uses now");
  add_change_options(command, options);
  command.example("delegated-ipam pin shop/web-0");
  command.example("delegated-ipam pin shop/web-0 10.244.1.7 --apply");
  command.runs([] { return pin(options); });
}

}  // namespace shim
