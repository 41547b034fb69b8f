#pragma once
/// What the reading commands find wrong with a node, in one scheme of ids with `validate`: an id is
/// stable, says the mistake and has the remedy.
#include <string>
#include <string_view>
#include <vector>

#include "shim/cli/inspect/output/table.hpp"
#include "shim/cli/validate/document/rules.hpp"

namespace shim::inspect {

using validate::Severity;

/// Whether pods lose their addresses over a reboot while it is so.
enum class Reboot : std::uint8_t {
  safe,
  unsafe,
  by_pod  ///< where a pod has the address, not-bound or will-move names it
};

struct Rule {
  std::string_view id;
  Severity severity;
  Reboot reboot;
  std::string_view fix;
};

struct Finding {
  const Rule* rule;
  std::string network;  ///< empty: the node's
  std::string place;    ///< a path or an address
  std::string message;
};

using Findings = std::vector<Finding>;

void found(Findings& findings, const Rule& rule, std::string_view network, std::string_view place,
           std::string_view message);

namespace rules {

using enum Severity;
using enum Reboot;

// The configuration.
inline constexpr Rule kConfUnreadable{"conf-unreadable", error, unsafe,
                                      "correct the file: no runtime can read it either"};
inline constexpr Rule kConfRefused{
    "conf-refused", error, unsafe,
    "correct the file: every ADD fails; delegated-ipam validate FILE says more"};
inline constexpr Rule kRangesMissing{
    "ranges-missing", error, unsafe,
    "have the source of the ranges made: flanneld writes its file when it has a lease"};
inline constexpr Rule kRangesUnknown{
    "ranges-unknown", warning, unsafe,
    "name the file with --conf; without one, only what is on the disk can be shown"};
inline constexpr Rule kRangesInMemory{
    "ranges-in-memory", warning, unsafe,
    "have flanneld write it on a disk: delegated-ipam generate flannel --subnet-file PATH"};

// The network folder.
inline constexpr Rule kFolder{"store-folder", error, unsafe, "look at the disk: dmesg, then fsck"};
inline constexpr Rule kFileUnreadable{
    "store-file-unreadable", error, by_pod,
    "repair the disk; or, when no pod has the address, remove the file"};
inline constexpr Rule kFileOdd{"store-file-odd", error, by_pod,
                               "take it away when no pod has the address"};
inline constexpr Rule kFileEmpty{"store-file-empty", warning, safe,
                                 "nothing: the first ADD or DEL after the next reboot removes it"};
inline constexpr Rule kFileNote{
    "store-file-note", warning, by_pod,
    "nothing, if somebody reserves the address by hand (ipam.exclude does it better); else remove "
    "the file"};
inline constexpr Rule kFileLost{
    "store-file-lost", warning, safe,
    "nothing: its address goes to nobody else while the runtime's cache tells of the pod; a new "
    "sandbox of the pod gets it again"};
inline constexpr Rule kForeignFile{
    "store-file-foreign", warning, safe,
    "move it out of the folder: every command of host-local reads it"};
inline constexpr Rule kNested{
    "store-nested", warning, safe,
    "drain the node, then remove the folder: its addresses are never freed before"};
inline constexpr Rule kLock{"store-lock", warning, safe,
                            "look again: what was read may be from the middle of a change"};
inline constexpr Rule kPending{"release-pending", warning, unsafe,
                               "make the disk writable: the next ADD or DEL does it then"};

// The records.
inline constexpr Rule kRecordClosed{
    "record-unreadable", error, unsafe,
    "repair the disk or remove the record; of a newer version: install that one again"};
inline constexpr Rule kRecordMalformed{
    "record-malformed", warning, by_pod,
    "delegated-ipam check store --repair writes it anew, or removes it: it binds nobody, and keeps "
    "its address from others"};

// What only `check` looks for, of the store ...
inline constexpr Rule kHintMissing{"hint-missing", warning, unsafe,
                                   "delegated-ipam check store --repair writes the record anew"};
inline constexpr Rule kHintUnreadable{"hint-unreadable", warning, safe,
                                      "nothing: the pod's next ADD writes it anew, and "
                                      "delegated-ipam check store --repair removes what "
                                      "binds nobody; of a newer version: install that one again"};
inline constexpr Rule kHintIdle{
    "hint-idle", warning, safe,
    "nothing: it binds nobody; delegated-ipam check store --repair removes it"};
inline constexpr Rule kBoundTooOften{
    "bound-too-often", warning, safe,
    "delegated-ipam check store --repair ends those that were released first"};
inline constexpr Rule kStampIdle{
    "stamp-idle", warning, safe,
    "nothing: heals itself at the first ADD or DEL after the next reboot"};
inline constexpr Rule kLeftOver{"record-left-over", warning, safe,
                                "nothing: it never counts, and mostly the next ADD takes it away; "
                                "delegated-ipam check store --repair removes it"};
inline constexpr Rule kListUnreadable{
    "list-unreadable", warning, safe,
    "remove the record, unless a newer version made it: it is written anew"};
inline constexpr Rule kRecordStrange{
    "record-strange", warning, safe,
    "move it away, unless a newer version of delegated-ipam made it"};
inline constexpr Rule kFolderName{
    "record-folder", warning, safe,
    "delegated-ipam check store --repair writes it; where no network has the folder, remove that"};
inline constexpr Rule kStateForeign{"state-foreign", warning, safe,
                                    "move it out of the state folder"};
inline constexpr Rule kCursor{"store-cursor", warning, safe,
                              "nothing: heals itself at the next ADD of a new pod"};
inline constexpr Rule kWritable{"store-writable", warning, safe,
                                "take the right to write from others: chmod go-w, chown root"};

// ... and of the node.
inline constexpr Rule kForwarding{"ip-forward", warning, safe,
                                  "sysctl -w net.ipv4.ip_forward=1, for IPv6 "
                                  "net.ipv6.conf.all.forwarding=1, and into /etc/sysctl.d"};
inline constexpr Rule kTwoPlugins{
    "two-plugins", warning, unsafe,
    "write delegated-ipam into both, or take one of the configurations away"};
inline constexpr Rule kOthersState{
    "state-of-another-node", warning, unsafe,
    "let one pod start while the source of the ranges is there; give the node its old name again, "
    "if it was renamed"};
inline constexpr Rule kOtherBinary{"binary-differs", warning, safe,
                                   "delegated-ipam install DIR puts this one there"};
inline constexpr Rule kSkipsDel{"runtime-skips-del", warning, safe,
                                "containerd 1.7.31, 2.0.8, 2.1.7, 2.2.2, or a later one"};
inline constexpr Rule kCacheAgent{
    "yurthub-cilium-agent", warning, unsafe,
    "add cilium-agent to cache_agents in the ConfigMap yurt-hub-cfg (separated by commas)"};

// What becomes of pods.
inline constexpr Rule kNothingKept{"nothing-kept", warning, unsafe,
                                   "set ipam.type to delegated-ipam, and leave ipam.retain out"};
inline constexpr Rule kNotBound{
    "not-bound", warning, unsafe,
    "nothing, for callers without a pod (podman); of pods: delegated-ipam import --from host-local "
    "(or check --repair) binds those that the runtime's cache tells of; have the others made anew"};
inline constexpr Rule kWillMove{
    "will-move", warning, unsafe,
    "delegated-ipam show ADDRESS says what the pod's next ADD gets; take the range, the exclude or "
    "the pin back, or remove the file that names no attachment"};
inline constexpr Rule kDelegateKeeps{
    "delegate-keeps", warning, unsafe,
    "ask the plugin's makers whether it gives a pod its address again; host-local does"};
inline constexpr Rule kReadOnly{"disk-read-only", error, unsafe,
                                "mount it writable: mount -o remount,rw"};
inline constexpr Rule kInMemory{"state-in-memory", error, unsafe,
                                "set ipam.stateDir to a folder on a disk, and let one pod start"};
inline constexpr Rule kNotRemembered{"ranges-not-remembered", warning, unsafe,
                                     "let one pod start while the source of the ranges is there"};
inline constexpr Rule kPoolLow{
    "pool-low", warning, safe,
    "give the node a larger range, or look for what holds addresses: delegated-ipam list"};

// What the cloud believes of pods, as YurtHub has cached it.
inline constexpr Rule kCloudPod{
    "cloud-other-address", warning, safe,
    "bring the link back: kubelet tells the cloud then. Without it: delegated-ipam pin POD ADDRESS "
    "--apply where the address is free, then have the pod's sandbox made anew (crictl stopp)"};
inline constexpr Rule kCloudSlice{
    "cloud-stale-endpoint", warning, safe,
    "bring the link back: the cloud writes the slice anew then; until then as for "
    "cloud-other-address"};
inline constexpr Rule kCloudUnreadable{
    "cloud-cache-unreadable", warning, safe,
    "nothing, if the object is gone; else let YurtHub write the file again"};
inline constexpr Rule kCloudStranger{
    "cloud-of-another-node", warning, safe,
    "set NODE_NAME to the node's name in the cluster, or remove a cache that was copied here"};

// What a configuration to come changes for who is there.
inline constexpr Rule kSubnetLeft{
    "subnet-left", warning, safe,
    "let those pods start anew soon, or keep the old subnet as a range until they are gone"};
inline constexpr Rule kGatewayChanges{
    "gateway-changes", warning, safe,
    "let those pods start anew soon, or keep the gateway: ipam.ranges has it"};
inline constexpr Rule kGatewayInUse{"gateway-in-use", error, safe,
                                    "name another gateway, or let who has the address end first"};
inline constexpr Rule kFolderChanges{
    "folder-changes", error, safe,
    "leave dataDir and stateDir as they are, or drain the node before"};

}  // namespace rules

/// "error ID PLACE: message" and below it "fix: remedy", for people; empty for none.
std::string print_findings(const Findings& findings, const Look& look);

/// [{severity, rule, network, place, message, fix}]
Json findings_json(const Findings& findings);

/// The rows and the findings as a document of this kind, see make_document().
std::string print_items(std::string_view kind, const Table& table, const Findings& findings,
                        Format format);

}  // namespace shim::inspect
