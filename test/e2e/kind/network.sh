# shellcheck shell=bash disable=SC2154  # the variables are those of run.sh, which sources this file
# The pod network of each kind, once by the stock host-local and once by delegated-ipam, with every pod running on.

POD_SUBNETS=(10.244.0.0/16)
if [ "$FAMILIES" = dual ]; then POD_SUBNETS+=(fd00:10:244::/56); fi
NODES_DIR=/etc/delegated-ipam/nodes

# The rest of look_for_requirements(): what the kind of network needs.
look_for_network_requirements() {
  local image
  BRIDGE=${CNI_PLUGINS:-/usr/lib/cni}/bridge
  if needs_bridge; then
    [ -x "$BRIDGE" ] || skip "$BRIDGE is missing" "apt-get install containernetworking-plugins, or set CNI_PLUGINS"
  fi
  case $CNI in
    flannel)
      FLANNELD_BIN=${FLANNELD_BIN:-$(command -v flanneld)}
      [ -n "$FLANNELD_BIN" ] || skip "flanneld is missing" \
        "run test/e2e/kind/node_image/build.py flanneld (its udp backend needs CGO_ENABLED=1), and set FLANNELD_BIN"
      if [ -z "${FLANNEL_CNI_BIN:-}" ]; then
        FLANNEL_CNI_BIN=$(PYTHONPATH="$ROOT/test/lib" python3 -c 'import peers; print(peers.binary("flannel") or "")')
      fi
      [ -n "$FLANNEL_CNI_BIN" ] ||
        skip "Flannel's CNI plugin is missing" "run test/peers/build.py flannel, or set FLANNEL_CNI_BIN"
      ;;
    cilium)
      command -v "$HELM" >/dev/null || skip "helm is missing" "install it, or set HELM_BIN"
      [ -e "${CILIUM_CHART:-}" ] || skip "Cilium's chart is missing" "helm pull cilium/cilium, and set CILIUM_CHART"
      [ -n "${CILIUM_IMAGES:-}" ] ||
        skip "Cilium's images are not named" "docker pull those of the chart, and set CILIUM_IMAGES to them"
      for image in $CILIUM_IMAGES; do
        "$DOCKER" image inspect "$image" >/dev/null 2>&1 || skip "docker has no image $image" "docker pull it"
      done
      ;;
  esac
}

# needs_bridge: whether pods hang on the bridge plugin, which node images have not got.
needs_bridge() { [ "$CNI" = bridge ] || [ "$CNI" = flannel ]; }

network_name() {
  case $CNI in
    flannel) echo cbr0 ;;
    cilium) echo cilium ;;
    bridge | ptp) echo pods ;;
  esac
}

# generate_network: conflists in $WORK/conflists: NODE.host-local and NODE.delegated-ipam, from the nodes' pod CIDRs.
generate_network() {
  local folder=$WORK/conflists generated=$WORK/generated node
  mkdir -p "$folder" "$generated"
  case $CNI in
    flannel) # which adds the node's subnet itself
      "$TOOL" generate flannel --cni-version 0.3.1 --out "$WORK/flannel.conflist"
      for node in "${NODES[@]}"; do cp "$WORK/flannel.conflist" "$folder/$node.delegated-ipam"; done
      ;;
    cilium | ptp) # one conflist a node
      "$TOOL" generate "$CNI" --nodes "$WORK/nodes.json" --out "$generated"
      for node in "${NODES[@]}"; do cp "$generated/$node.conflist" "$folder/$node.delegated-ipam"; done
      ;;
    bridge) # one conflist for all, and each node's ranges by the installer
      "$TOOL" generate bridge --nodes "$WORK/nodes.json" --nodes-dir "$NODES_DIR" --out "$generated"
      for node in "${NODES[@]}"; do cp "$generated/$(network_name).conflist" "$folder/$node.delegated-ipam"; done
      ;;
  esac
  for node in "${NODES[@]}"; do
    jq --slurpfile nodes "$WORK/nodes.json" --arg node "$node" '
      ($nodes[0].items[] | select(.metadata.name == $node).spec.podCIDRs) as $subnets |
      if .plugins[0].type == "flannel" then del(.plugins[0].ipam) else
        .plugins[0].ipam = { type: "host-local", ranges: [$subnets[] | [{ subnet: . }]] } end |
      if .plugins[0] | .isDefaultGateway or .type == "flannel" then . else # a bridge lays the default route itself
        .plugins[0].ipam.routes = [$subnets[] | { dst: (if contains(":") then "::/0" else "0.0.0.0/0" end) }] end' \
      "$folder/$node.delegated-ipam" >"$folder/$node.host-local"
  done
}

# prepare_node NODE: the plugins that the network needs besides ours.
prepare_node() {
  if needs_bridge; then
    "$DOCKER" cp "$BRIDGE" "$1:/opt/cni/bin/bridge"
    load_br_netfilter "$1"
  fi
  if [ "$CNI" = flannel ]; then
    "$DOCKER" cp "$FLANNEL_CNI_BIN" "$1:/opt/cni/bin/flannel"
  fi
}

# prepare_network: what the network needs besides its conflist, once.
prepare_network() {
  local node subnet options=() values=()
  for node in "${NODES[@]}"; do prepare_node "$node"; done
  generate_network
  if [ "$CNI" = cilium ]; then
    for subnet in "${POD_SUBNETS[@]}"; do options+=(--pod-cidr "$subnet"); done
    # A subnet says that each node has a conflist of its own; which one it is does not matter here.
    for subnet in $(jq -r '.items[0].spec.podCIDRs[]' "$WORK/nodes.json"); do options+=(--subnet "$subnet"); done
    "$TOOL" generate cilium --format helm "${options[@]}" --out "$WORK/values.yaml"
    if [ -n "${CILIUM_VALUES:-}" ]; then values=(--values "$CILIUM_VALUES"); fi
    "$HELM" --kubeconfig "$WORK/kubeconfig" install cilium "$CILIUM_CHART" --namespace kube-system \
      --values "$WORK/values.yaml" "${values[@]}" --set operator.replicas=1 --set "k8s.apiServerURLs=$PROXY_URL" \
      --set image.useDigest=false,operator.image.useDigest=false,envoy.image.useDigest=false
  fi
}

# load_br_netfilter NODE: with this module kube-proxy's rules see what pods of one bridge send each other. Without it no
# Service answers from a pod of the same node, and flanneld does not start. Nodes see the host's modules.
load_br_netfilter() {
  on "$1" test -e /proc/sys/net/bridge/bridge-nf-call-iptables || on "$1" modprobe br_netfilter ||
    die "$1 has no br_netfilter: run modprobe br_netfilter on this machine"
}

# use_network WHICH: host-local or delegated-ipam, on every node; no pod is touched. Waits until the runtimes know it.
use_network() {
  local node
  case $CNI in
    flannel) use_flannel "$1" ;;
    *) for node in "${NODES[@]}"; do put_conflist "$1" "$node" "$(conflist_name)"; done ;;
  esac
  for node in "${NODES[@]}"; do
    wait_for 60 "$node uses the conflist with $1" uses_network "$node" "$1"
  done
}

conflist_name() {
  if [ "$CNI" = cilium ]; then echo 05-cilium.conflist; else echo 10-delegated-ipam.conflist; fi
}

put_conflist() { # put_conflist WHICH NODE NAME
  put "$WORK/conflists/$2.$1" "$2" "/etc/cni/net.d/$3"
}

# kube-flannel writes the conflist at each start from its ConfigMap.
use_flannel() {
  if [ "$1" = host-local ]; then
    jq -n '$ARGS.positional as [$four, $six] | { Network: $four, Backend: { Type: "host-gw" } } +
      if $six then { EnableIPv6: true, IPv6Network: $six } else {} end' \
      --args "${POD_SUBNETS[@]}" >"$WORK/net-conf.json"
    kube create namespace kube-flannel --dry-run=client --output yaml | kube apply --filename -
    kube --namespace kube-flannel create configmap kube-flannel-cfg --dry-run=client --output yaml \
      --from-file=cni-conf.json="$WORK/conflists/$CONTROL.host-local" \
      --from-file=net-conf.json="$WORK/net-conf.json" | kube apply --filename -
  else
    "$TOOL" generate flannel --cni-version 0.3.1 --format configmap --out "$WORK/flannel-patch.yaml"
    kube --namespace kube-flannel patch configmap kube-flannel-cfg --type merge --patch-file "$WORK/flannel-patch.yaml"
  fi
  kube apply --filename "$HERE/flannel.yaml"
  kube --namespace kube-flannel rollout restart daemonset/kube-flannel-ds
  rolled_out kube-flannel daemonset/kube-flannel-ds
}

uses_network() { # uses_network NODE WHICH
  on "$1" crictl info | jq -e --arg which "$2" --arg name "$(network_name)" '
    [.cniconfig.Networks[].Config.Source | fromjson | select(.name == $name) | .plugins[0] |
     .ipam.type // "host-local"] == [$which]'
}

# apply_installer: with the nodes' ranges, where the conflist wants them. It installs anew where a range has changed.
apply_installer() {
  local options=() file
  if [ "$CNI" = bridge ]; then
    for file in "$WORK"/generated/delegated-ipam-nodes*.yaml; do kube apply --filename "$file"; done
    options=(--nodes "$WORK/nodes.json" --nodes-dir "$NODES_DIR")
  fi
  "$TOOL" generate installer --image "$INSTALLER_IMAGE" "${options[@]}" >"$WORK/installer.yaml"
  kube apply --filename "$WORK/installer.yaml"
}

# install_product: the binary on every node.
install_product() {
  local node
  apply_installer
  kube rollout status --filename "$WORK/installer.yaml" --timeout="$(patience 300)"
  for node in "${NODES[@]}"; do
    on "$node" test -x /opt/cni/bin/delegated-ipam || die "the installer has not installed on $node"
  done
}
