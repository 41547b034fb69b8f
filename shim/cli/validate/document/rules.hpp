#pragma once
/// The rules of `validate`: one for each mistake that it knows, with the remedy. A rule's id is
/// stable: scripts may match it.
#include <cstdint>
#include <string_view>

namespace shim::validate {

enum class Severity : std::uint8_t { warning, error };

struct Rule {
  std::string_view id;
  Severity severity;
  std::string_view fix;  ///< what to do; a finding may have a better one
};

namespace rules {

using enum Severity;

// The file, and the network in it.
inline constexpr Rule kSyntax{"syntax", error, "correct the text there"};
inline constexpr Rule kUnknown{
    "unknown-document", error,
    "give a CNI conf or conflist, a manifest with one inside, Helm values of Flannel, Cilium or "
    "YurtHub, or a kind cluster file"};
inline constexpr Rule kTextExpected{"text-expected", error,
                                    "write \"|\" behind the key, so that what follows is text"};
inline constexpr Rule kDuplicateKey{
    "duplicate-key", error,
    "leave one of them: the readers of this file take the last one without a word"};
inline constexpr Rule kNotLookedAt{"not-looked-at", warning,
                                   "validate what is made of it, or what stands in it, by itself"};
inline constexpr Rule kDottedKey{"dotted-key", error, "write an object for each dot"};
inline constexpr Rule kNotUsed{
    "not-used", warning,
    "write \"ipam\": {\"type\": \"delegated-ipam\", ...} into the main plugin; nothing is to be "
    "done where the executable is installed as host-local"};
inline constexpr Rule kSingleConf{
    "single-conf", warning, "wrap it into a list and save that under a name ending in .conflist"};
inline constexpr Rule kConfInConflist{"conf-in-conflist", error,
                                      "wrap it: {\"cniVersion\", \"name\", \"plugins\": [...]}"};
inline constexpr Rule kListInConf{"list-in-conf", error, "rename the file to end in .conflist"};
inline constexpr Rule kNameMissing{"name-missing", error,
                                   "give the network a name; it becomes the folder's name"};
inline constexpr Rule kNameBad{"name-bad", error,
                               "use letters, digits, \"_\", \".\", \"-\", a letter or digit first"};
inline constexpr Rule kVersionMissing{"cni-version-missing", warning,
                                      "write \"cniVersion\": \"1.0.0\" (Cilium: \"0.3.1\")"};
inline constexpr Rule kVersionUnknown{
    "cni-version-unknown", error, "write one of 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0"};
inline constexpr Rule kVersionOld{"cni-version-old", warning, "write \"cniVersion\": \"0.3.1\""};
inline constexpr Rule kPlugins{"plugins", error,
                               "\"plugins\" is a list of objects, each with a \"type\""};
inline constexpr Rule kDropInsMissing{
    "drop-ins-missing", warning,
    "put the plugins' files there, give them to validate too, or write \"plugins\""};
inline constexpr Rule kDropInUnread{
    "drop-in-unread", warning,
    "take loadOnlyInlinedPlugins out of the list, or write the plugin into the list"};
inline constexpr Rule kMainIsIpam{
    "ipam-as-main-plugin", error,
    "write the main plugin's type (bridge, ptp, cilium-cni, flannel) there, and "
    "\"ipam\": {\"type\": \"delegated-ipam\", ...} into it"};
inline constexpr Rule kIpamOutside{"ipam-outside-plugin", error,
                                   "move \"ipam\" into the main plugin's object"};

// The ipam object.
inline constexpr Rule kDelegateOutside{"delegate-outside-ipam", error,
                                       "move \"delegate\" into \"ipam\""};
inline constexpr Rule kTypeTypo{"ipam-type-typo", error,
                                "write \"type\": \"delegated-ipam\" in \"ipam\""};
inline constexpr Rule kKeyTypo{"key-typo", error, "correct the key"};
inline constexpr Rule kNotRead{"key-not-read", warning, "remove it, or write it where it is read"};
inline constexpr Rule kMisplaced{"key-misplaced", error, "move it to where it is read"};
inline constexpr Rule kRangeEdge{"range-edge", warning, "leave it out of the range"};
inline constexpr Rule kRangeBroadcast{"range-broadcast", error, "end with the address before it"};
inline constexpr Rule kGateway{"gateway-outside", warning, "write one of the subnet's addresses"};
inline constexpr Rule kOwnKeyInside{"own-key-in-delegate", error,
                                    "move it out of \"delegate\", into \"ipam\""};
inline constexpr Rule kDelegateSelf{"delegate-is-self", error,
                                    "write \"type\": \"host-local\", which is built in"};
inline constexpr Rule kSharedSubnet{
    "shared-subnet", error,
    "give each node its own ranges: --subnet with this node's, or \"rangesFrom\""};
inline constexpr Rule kNoRanges{"no-ranges", error, "write this node's ranges, or \"rangesFrom\""};
inline constexpr Rule kDeadSource{
    "ranges-beside-source", error,
    "remove one of them; for a node's part of a subnet that several share, write \"subnet\" and "
    "\"gateway\" beside \"rangesFrom\", and the part into the source"};
inline constexpr Rule kDataDirJoined{
    "data-dir-joined", error,
    "drain the node first, then write the folder above: the network's name is added to it"};
inline constexpr Rule kVolatile{"volatile-folder", error,
                                "write a folder that survives a reboot, such as "
                                "/var/lib/delegated-ipam, the default"};
inline constexpr Rule kStateInDataDir{
    "state-in-data-dir", warning,
    "leave stateDir out: folk remedies and uninstallers wipe what lies in dataDir"};
inline constexpr Rule kRequestsAny{
    "requests-any", warning,
    "leave \"requests\" out, or write \"own\": pods may ask for what is free and what is held for "
    "their namespace; \"any\" is for nodes whose pods are all one tenant's"};
inline constexpr Rule kRefused{"refused-by-plugin", error,
                               "correct the value; the README has the table of keys"};
inline constexpr Rule kPluginWarns{"plugin-warns", warning, "correct or remove it"};

// Flannel.
inline constexpr Rule kFlannelIpamInside{
    "flannel-ipam-in-delegate", error,
    "move \"ipam\" beside Flannel's \"delegate\", which is the main plugin's configuration"};
inline constexpr Rule kFlannelName{"flannel-name-in-delegate", error,
                                   "remove it: Flannel takes the network's name"};
inline constexpr Rule kFlannelDelegate{
    "flannel-delegate-is-ipam", error,
    "Flannel's \"delegate\" is the main plugin; write \"ipam\": {\"type\": \"delegated-ipam\", "
    "\"delegate\": {...}} beside it"};
inline constexpr Rule kFlannelRanges{
    "flannel-ranges", warning,
    "remove them; use \"exclude\" or \"pins\" for what is to be kept free"};
inline constexpr Rule kFlannelSubnet{
    "flannel-subnet", error, "remove it: Flannel writes this node's ranges; use \"exclude\""};
inline constexpr Rule kFlannelSubnetEnv{
    "flannel-subnet-env", warning,
    "run flanneld with --subnet-file=/var/lib/flannel/subnet.env, that folder mounted from the "
    "host, and write the same path as \"subnetFile\" beside Flannel's \"delegate\""};
inline constexpr Rule kFlannelSubnetFile{
    "flannel-subnet-file", error,
    "flanneld's --subnet-file and \"subnetFile\" in the conflist must be one path, in a folder "
    "that is mounted from the host"};
inline constexpr Rule kFlannelOwned{
    "flannel-owned-file", error,
    "change cni-conf.json in ConfigMap kube-flannel-cfg (Helm: flannel.cniConf; k3s: give the "
    "conflist under another name to --flannel-cni-conf)"};

// Cilium's conflist.
inline constexpr Rule kCiliumKey{"cilium-ipam-key", error,
                                 "remove it from \"ipam\"; a delegate's own key goes into "
                                 "\"delegate\", where Cilium does not look"};
inline constexpr Rule kCiliumChaining{
    "cilium-chaining", error, "remove it: a chained cilium-cni calls no IPAM plugin at DEL"};
inline constexpr Rule kCiliumName{"cilium-chaining-name", error,
                                  "name the network \"cilium\": this name switches chaining on"};
inline constexpr Rule kCiliumNotFirst{"cilium-not-first", error,
                                      "put cilium-cni first in \"plugins\""};
inline constexpr Rule kCiliumFamilies{
    "cilium-two-of-a-family", warning,
    "put the ranges of a family into one set: [[{...}, {...}]], not [[{...}], [{...}]]"};
inline constexpr Rule kCiliumNoIpam{
    "cilium-no-ipam", error,
    "write \"ipam\": {\"type\": \"delegated-ipam\", ...} into the cilium-cni plugin"};

// Cilium's agent: Helm values, ConfigMap cilium-config.
inline constexpr Rule kCiliumMode{"cilium-mode", error, "set ipam.mode to delegated-plugin"};
inline constexpr Rule kCiliumRouter{
    "cilium-local-router", error,
    "add --local-router-ipv4=169.254.23.0, for IPv6 --local-router-ipv6=fe80::, to extraArgs"};
inline constexpr Rule kCiliumHealth{"cilium-endpoint-health", error,
                                    "set endpointHealthChecking.enabled to false"};
inline constexpr Rule kCiliumRouting{"cilium-routing", error, "set routingMode to native"};
inline constexpr Rule kCiliumNative{
    "cilium-native-cidr", error,
    "set it to the cluster's pod CIDR, or ipMasqAgent.enabled and bpf.masquerade to true"};
inline constexpr Rule kCiliumEnvoy{
    "cilium-envoy", error, "switch it off: it needs an address that the agent hands out itself"};
inline constexpr Rule kCiliumIpsec{"cilium-ipsec", error,
                                   "switch it off, or set encryption.type to wireguard"};
inline constexpr Rule kCiliumMasquerade{
    "cilium-masquerade", error,
    "set bpf.masquerade to true (the agent's enable-bpf-masquerade), or name the node's uplinks in "
    "egressMasqueradeInterfaces (egress-masquerade-interfaces), such as eth+"};
inline constexpr Rule kCiliumUplink{
    "cilium-uplink-routes", error,
    "set ipam.installUplinkRoutesForDelegatedIPAM to false; these routes are for a delegate that "
    "answers the uplink's interface, with masquerading off"};
inline constexpr Rule kCiliumOwnConf{
    "cilium-own-conflist", error,
    "set cni.customConf to true and put 05-cilium.conflist on the nodes, or set cni.configMap"};
inline constexpr Rule kCiliumMapKey{"cilium-config-map-key", error,
                                    "set cni.configMapKey to the key that holds the conflist"};

// YurtHub, kind.
inline constexpr Rule kYurthub{"yurthub-cilium-agent", error,
                               "add cilium-agent to the list (separated by commas)"};
inline constexpr Rule kKindDefaultCni{"kind-default-cni", error,
                                      "set networking.disableDefaultCNI to true"};
inline constexpr Rule kKindBinary{
    "kind-binary", warning,
    "add readOnly: true; where delegated-ipam install is to work, mount no file there"};
inline constexpr Rule kKindPodSubnet{"kind-pod-subnet", error,
                                     "set networking.podSubnet to what holds all nodes' ranges"};
inline constexpr Rule kKindShared{
    "kind-shared-conflist", error,
    "one conflist for each node, or one with \"rangesFrom\": delegated-ipam generate --nodes"};

// Several files together, and this machine.
inline constexpr Rule kSharedStore{"shared-store", warning,
                                   "give one of the networks another name, or another dataDir"};
inline constexpr Rule kOverlap{"overlapping-nodes", error,
                               "give each node ranges that no other node has"};
inline constexpr Rule kNodeBinary{"node-binary", error,
                                  "install it there, or name the runtime's folder in --bin-dir"};
inline constexpr Rule kNodeFolder{"node-folder", error,
                                  "use a folder on a local disk that survives a reboot"};
inline constexpr Rule kNodeNested{
    "node-nested", error, "drain the node first; with its pods gone, remove the inner folder"};
inline constexpr Rule kNodeSibling{
    "node-sibling", warning,
    "if the network was renamed, its running pods and new ones get the same addresses: give it the "
    "old name again, or drain the node; networks that nothing connects may share ranges"};

/// Every one of them.
inline constexpr const Rule* kAll[] = {
    &kSyntax,           &kUnknown,           &kTextExpected,   &kDuplicateKey,
    &kNotLookedAt,      &kDottedKey,         &kNotUsed,        &kSingleConf,
    &kConfInConflist,   &kListInConf,        &kNameMissing,    &kNameBad,
    &kVersionMissing,   &kVersionUnknown,    &kVersionOld,     &kPlugins,
    &kDropInsMissing,   &kDropInUnread,      &kMainIsIpam,     &kIpamOutside,
    &kDelegateOutside,  &kTypeTypo,          &kKeyTypo,        &kNotRead,
    &kMisplaced,        &kRangeEdge,         &kRangeBroadcast, &kGateway,
    &kOwnKeyInside,     &kDelegateSelf,      &kSharedSubnet,   &kNoRanges,
    &kDeadSource,       &kDataDirJoined,     &kVolatile,       &kStateInDataDir,
    &kRequestsAny,      &kRefused,           &kPluginWarns,    &kFlannelIpamInside,
    &kFlannelName,      &kFlannelDelegate,   &kFlannelRanges,  &kFlannelSubnet,
    &kFlannelSubnetEnv, &kFlannelSubnetFile, &kFlannelOwned,   &kCiliumKey,
    &kCiliumChaining,   &kCiliumName,        &kCiliumNotFirst, &kCiliumFamilies,
    &kCiliumNoIpam,     &kCiliumMode,        &kCiliumRouter,   &kCiliumHealth,
    &kCiliumRouting,    &kCiliumNative,      &kCiliumEnvoy,    &kCiliumIpsec,
    &kCiliumMasquerade, &kCiliumUplink,      &kCiliumOwnConf,  &kCiliumMapKey,
    &kYurthub,          &kKindDefaultCni,    &kKindBinary,     &kKindPodSubnet,
    &kKindShared,       &kSharedStore,       &kOverlap,        &kNodeBinary,
    &kNodeFolder,       &kNodeNested,        &kNodeSibling};

}  // namespace rules
}  // namespace shim::validate
