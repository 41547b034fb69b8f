# shellcheck shell=bash disable=SC2154  # the variables are those of run.sh, which sources this file
# A node that comes to the cluster later: kind has no command for it, so it is made as kind makes one, and joins by
# kubeadm.

NEW=$NAME-worker3 # from then on one of NODES

node_comes() {
  make_node
  give_network
  kube wait --for=condition=Ready "node/$NEW" --timeout="$(patience 300)"
  # The others have 15 each, and none may have two more than another.
  kube --namespace shop scale statefulset/web --replicas=33
  pods_of_new "the node that came later"
}

# pods_of_new WHAT: three of the StatefulSet come to the new node, and all that it has keep their addresses over its
# power cut.
pods_of_new() {
  wait_for_web 3 "$NEW"
  rolled_out shop statefulset/web daemonset/agent
  pods_everywhere "$WORK/pods"
  check_distinct "$WORK/pods"
  check_range "$NEW"
  slices >"$WORK/slices"
  power_cut "$1" "$NEW"
}

# make_node: with these labels it is one that `kind delete cluster` finds.
make_node() {
  local join image options=() addresses
  if [ "$FAMILIES" = dual ]; then
    options=(--sysctl net.ipv6.conf.all.disable_ipv6=0 --sysctl net.ipv6.conf.all.forwarding=1)
  fi
  "$DOCKER" run --detach --tty --name "$NEW" --hostname "$NEW" --net kind --label "io.x-k8s.kind.cluster=$NAME" \
    --label io.x-k8s.kind.role=worker --init=false --cgroupns=private --privileged --security-opt seccomp=unconfined \
    --security-opt apparmor=unconfined --tmpfs /tmp --tmpfs /run --volume /var --volume /lib/modules:/lib/modules:ro \
    "${options[@]}" "$KIND_NODE_IMAGE"
  : >"$WORK/added"
  NODES+=("$NEW")
  wait_for 60 "$NEW has a container runtime" on "$NEW" crictl info
  while read -r image; do
    "$KIND" load docker-image "$image" --name "$NAME" --nodes "$NEW" </dev/null
  done <"$WORK/loaded"
  if [ "$FAMILIES" = dual ]; then # by itself a kubelet takes one
    addresses=$("$DOCKER" inspect "$NEW" |
      jq -r '.[].NetworkSettings.Networks.kind | "\(.IPAddress),\(.GlobalIPv6Address)"')
    on "$NEW" sed -i "/^KUBELET_EXTRA_ARGS=/s|\$| --node-ip=$addresses|" /etc/default/kubelet
  fi
  join=$(on "$CONTROL" kubeadm token create --print-join-command --kubeconfig /etc/kubernetes/admin.conf)
  # shellcheck disable=SC2086  # a command line
  on "$NEW" $join --ignore-preflight-errors=all
  wait_for 120 "$NEW has pod CIDRs" have_pod_cidrs
}

# give_network: what the other nodes were given when the cluster was made, and by the upgrade.
give_network() {
  local node
  for node in "${NODES[@]}"; do prepare_start "$node"; done
  start_proxy "$NEW"
  read_by_proxy "$NEW"
  prepare_node "$NEW"
  generate_network
  if [ "$CNI" = bridge ]; then apply_installer; fi
  wait_for 180 "the installer has installed on $NEW" on "$NEW" test -x /opt/cni/bin/delegated-ipam
  kube rollout status --filename "$WORK/installer.yaml" --timeout="$(patience 300)"
  if [ "$CNI" != flannel ]; then # which writes it itself
    put_conflist delegated-ipam "$NEW" "$(conflist_name)"
  fi
  wait_for 120 "$NEW uses the conflist" uses_network "$NEW" delegated-ipam
}
