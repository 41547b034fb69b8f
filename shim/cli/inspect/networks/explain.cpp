#include "shim/cli/inspect/networks/explain.hpp"

#include <algorithm>
#include <iterator>

#include "shim/cli/inspect/networks/finding.hpp"
#include "shim/cli/standard_output.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {
namespace {

struct Explanation {
  const Rule* rule;
  std::string_view text;
};

constexpr Explanation kExplanations[] = {
    {&rules::kConfUnreadable,
     "A configuration is no JSON, or cannot be read. What runs goes on; no pod starts or ends."},
    {&rules::kConfRefused,
     "The plugin refuses the configuration, so every ADD fails. Pods that run keep their "
     "addresses, "
     "and their DEL works."},
    {&rules::kRangesMissing,
     "The ranges come from a file that is not there, and none are remembered: no pod gets an "
     "address until it is."},
    {&rules::kRangesUnknown,
     "Addresses are in use of a network that no configuration names. Nothing is wrong with them; "
     "what is free, and who would move, cannot be told."},
    {&rules::kRangesInMemory,
     "Flannel's file lies in memory. It is gone after a reboot, and without the API server nobody "
     "writes it again."},
    {&rules::kFolder, "A folder of the store cannot be read: the disk or its rights are broken."},
    {&rules::kFileUnreadable,
     "The disk does not give an address' file. Whose it is is unknown, so nobody else gets it."},
    {&rules::kFileOdd,
     "A folder, link or pipe has an address' name. It reserves the address for ever."},
    {&rules::kFileEmpty,
     "A power cut leaves such files of host-local's. Whose the address is, the file does not tell: "
     "in this boot nobody else gets it, after the next one the pod that is bound to it does, or "
     "anybody."},
    {&rules::kFileNote,
     "Somebody has written something into an address' file that names no container. No DEL ever "
     "frees it."},
    {&rules::kFileLost,
     "Somebody removed the file that reserves the address of a pod which runs. Before the address "
     "is given to another pod the runtime's cache is asked, and the file is made again."},
    {&rules::kForeignFile,
     "A file that is neither host-local's nor ours lies among the addresses. It costs time, and "
     "host-local removes it when its content is a container's."},
    {&rules::kNested,
     "dataDir used to end in the network's name, so there are two folders. Addresses in the inner "
     "one count as in use, and nobody frees them."},
    {&rules::kLock, "Somebody held the lock for too long: what is told may be half of a change."},
    {&rules::kPending,
     "A DEL came while the disk took no changes. It is remembered in memory only, so after a "
     "reboot the address is dead, not freed."},
    {&rules::kRecordClosed,
     "A record is damaged, or of a newer version. Its address is given to nobody, its pod may get "
     "another one. check --repair mends what is damaged, as far as it is safe."},
    {&rules::kRecordMalformed,
     "A binding makes no sense, as after a torn copy. It keeps its address from all others but "
     "those who ask for it. check --repair mends it."},
    {&rules::kHintMissing,
     "A pod is bound to an address, but its own record is lost or leads elsewhere: its next ADD "
     "finds another one. To write the record anew takes nothing from anybody."},
    {&rules::kHintUnreadable,
     "What leads a pod to its addresses cannot be read. Its bindings are found by a look at all of "
     "them; what makes no sense, and binds nobody, is only in the way."},
    {&rules::kHintIdle,
     "A command was killed, or the pod's addresses were given away: its record leads to none that "
     "is its own. Nobody is bound by it."},
    {&rules::kBoundTooOften,
     "A pod is bound to more than four addresses of a family, where its record has room for four. "
     "The others are kept for nobody."},
    {&rules::kStampIdle,
     "Somebody removed an address' file, and its stamp stayed. It counts for no other file."},
    {&rules::kLeftOver,
     "A command was killed while it wrote a record. It never counted, and the next one takes it "
     "away."},
    {&rules::kListUnreadable,
     "The list of boots, or of the ranges that rangesFrom gave last, cannot be read. report knows "
     "less, or the ranges are not remembered; no address depends on it."},
    {&rules::kRecordStrange,
     "Nobody reads a record of this name here. It may be a newer version's: it is never removed by "
     "this one."},
    {&rules::kFolderName,
     "A folder of records does not tell which network it is of. Only a DEL without dataDir, and "
     "commands that look for networks without a configuration, need that."},
    {&rules::kStateForeign, "Something that is no folder of records lies in the state folder."},
    {&rules::kCursor,
     "Where the search for a free address goes on is no address, or outside of today's ranges. "
     "Then it begins at the first one: nothing is lost."},
    {&rules::kWritable,
     "Others than root may change who has which address, and so give a live pod's to another."},
    {&rules::kNothingKept,
     "The network is host-local's, or retention is off: every pod gets another address after a "
     "reboot."},
    {&rules::kNotBound,
     "A container without a pod's name has the address, or host-local started the pod. Nothing "
     "brings it back to it."},
    {&rules::kWillMove,
     "The pod is bound to an address that its next ADD does not give it, as the ranges, excludes "
     "and pins are today. While it runs it keeps it."},
    {&rules::kDelegateKeeps,
     "Another plugin hands out. The same address is asked for again; whether it is given is not "
     "known."},
    {&rules::kReadOnly, "The disk takes no changes: no pod can start, and a DEL has to wait."},
    {&rules::kInMemory, "The bindings lie in memory. They are gone after a reboot."},
    {&rules::kNotRemembered,
     "No ADD has kept what rangesFrom gives. When its source is gone after a reboot, no pod gets "
     "an address."},
    {&rules::kPoolLow,
     "Under a tenth of a family is left. Held addresses are given away first, then those of the "
     "dead; only then an ADD fails."},
    {&rules::kForwarding,
     "The kernel does not forward packets between interfaces: pods reach nobody beyond this node."},
    {&rules::kTwoPlugins,
     "host-local and delegated-ipam hand out from one folder. No address is given twice, but "
     "pods that host-local starts are not kept."},
    {&rules::kOthersState,
     "The state folder was made on another node: a disk image, or a renamed one. Its ranges are "
     "not "
     "used here, its bindings are hints."},
    {&rules::kOtherBinary,
     "The plugin that runtimes run is another build than the tool that you have started. What the "
     "tool foretells may not be what the plugin does."},
    {&rules::kSkipsDel,
     "This version of the container runtime sends no DEL for a sandbox of which it has noted no "
     "result, as after a power cut in the middle of an ADD. What that ADD was given stays in use "
     "in this boot, for nobody; from the next boot on it is given to others, or gc --apply frees "
     "it."},
    {&rules::kCacheAgent,
     "YurtHub keeps nothing for cilium-agent: after a reboot without the cloud the agent does not "
     "start, and no pod gets an address."},
    {&rules::kCloudPod,
     "YurtHub's cache has another address of the pod than it has here: the cloud was never told, "
     "as without the link nothing can be told. Services and DNS go on sending to the address that "
     "it knows."},
    {&rules::kCloudSlice,
     "An EndpointSlice in YurtHub's cache, which kube-proxy and CoreDNS of this node go by, has an "
     "address of a pod of this node that the pod has not. What is sent there reaches nobody, or "
     "another pod."},
    {&rules::kCloudUnreadable,
     "A file of YurtHub's cache cannot be read, or is torn: what the cloud knows of that pod or "
     "Service is not compared."},
    {&rules::kCloudStranger,
     "YurtHub's cache has pods of other nodes only, as after a copied disk, or where the node is "
     "called otherwise in the cluster. None of them is compared."},
    {&rules::kSubnetLeft,
     "Pods run on addresses that the new ranges' subnets do not have: main plugins route by the "
     "subnet of the next pod."},
    {&rules::kGatewayChanges,
     "Pods that run keep the gateway that they were told; new ones get another one."},
    {&rules::kGatewayInUse,
     "The new gateway is a pod's address: the main plugin sets it up beside the pod."},
    {&rules::kFolderChanges,
     "What is in use, or kept, is known in another folder only. With another dataDir two live pods "
     "could get one address."},
};

std::string all_ids() {
  std::string ids;
  for (const auto& one : kExplanations) ids.append(ids.empty() ? "" : ", ").append(one.rule->id);
  return ids;
}

std::string rule_text(std::string_view id, Severity severity, std::string_view text,
                      std::string_view reboot, std::string_view fix) {
  return validate::joined({id, severity == Severity::error ? " (error)" : " (warning)", "\n", text,
                           "\nreboot: ", reboot, "\nfix: ", fix, "\n"});
}

/// What `check` borrows: the finding itself says the most. Empty for none of its ids.
std::string text_of_validate(const std::string& id) {
  for (const auto* rule : validate::rules::kAll) {
    if (rule->id == id)
      return rule_text(rule->id, rule->severity,
                       "A rule of validate: the finding has the place in the configuration, and "
                       "what is wrong there.",
                       "as the finding says", rule->fix);
  }
  return {};
}

}  // namespace

void add_explain_option(CommandSpec& command, std::string& id) {
  command.text("--explain", id, "what the finding of this id means; looks at nothing");
}

ExitCode tell_explanation(const std::string& id) {
  const auto* const known =
      std::find_if(std::begin(kExplanations), std::end(kExplanations),
                   [&](const Explanation& one) { return one.rule->id == id; });
  if (known == std::end(kExplanations)) {
    const std::string text = text_of_validate(id);
    if (text.empty())
      refuse_option("--explain", id, "is none of " + all_ids() + ", and no rule of validate");
    write_stdout(text);
    return ExitCode::fine;
  }
  const Rule& rule = *known->rule;
  const auto reboot = rule.reboot == Reboot::safe     ? "safe with it"
                      : rule.reboot == Reboot::unsafe ? "not safe with it"
                                                      : "safe, unless not-bound or will-move names "
                                                        "its address: that pod gets another one";
  write_stdout(rule_text(rule.id, rule.severity, known->text, reboot, rule.fix));
  return ExitCode::fine;
}

}  // namespace shim::inspect
