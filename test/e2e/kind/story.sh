# shellcheck shell=bash disable=SC2154  # the variables are those of run.sh, which sources this file
# The steps of run.sh, in order. What they know of each other lies in $WORK: pods (as they were before something
# happened: node, namespace/pod, addresses, sandbox), slices (EndpointSlices as they have to be), services
# (namespace/name, addresses), ever (all addresses).

make_cluster() {
  local options=() subnet
  for subnet in "${POD_SUBNETS[@]}"; do options+=(--pod-subnet "$subnet"); done
  "$TOOL" generate kind --name "$NAME" --workers 2 --cni "$CNI" "${options[@]}" --image "$KIND_NODE_IMAGE" \
    >"$WORK/cluster.yaml"
  : >"$WORK/cluster"
  "$KIND" create cluster --name "$NAME" --config "$WORK/cluster.yaml" --kubeconfig "$WORK/kubeconfig"
  build_images
  wait_for 120 "every node has pod CIDRs" have_pod_cidrs
  read_through_proxy
  prepare_network
}

have_pod_cidrs() {
  kube get nodes --output json >"$WORK/nodes.json"
  jq -e --argjson count "${#NODES[@]}" --argjson families "${#POD_SUBNETS[@]}" '
    (.items | length) == $count and all(.items[]; (.spec.podCIDRs | length) == $families)' "$WORK/nodes.json"
}

start_on_host_local() {
  use_network host-local
  kube wait --for=condition=Ready nodes --all --timeout="$(patience 300)"
  rolled_out kube-system daemonset/kube-proxy
  adapt_coredns
  start_pods
  take_as_given
  kube get services --all-namespaces --output json |
    jq -r '.items[] | "\(.metadata.namespace)/\(.metadata.name) \(.spec.clusterIPs | join(","))"' >"$WORK/services"
  check_services
}

# take_as_given: the pods and EndpointSlices of now are those of before.
take_as_given() {
  pods_everywhere "$WORK/pods"
  check_distinct "$WORK/pods"
  wait_for 120 "the API knows" api_agrees "$WORK/pods"
  wait_for 60 "EndpointSlices have the pods' addresses" take_slices
}

take_slices() { # the file slices, when they agree with the file pods
  slices >"$WORK/slices"
  awk 'FILENAME == ARGV[1] { has[$2] = "," $3 ","; next }
    { pod = $1; sub(/\/.*/, "/" $2, pod) }
    !index(has[pod], "," $3 ",") { print pod " has " has[pod] ", not " $3; wrong = 1 }
    END { exit wrong }' "$WORK/pods" "$WORK/slices"
}

# The control: what all of this is for. By the same restart and the same count, host-local does not keep its pods'
# addresses.
lose_by_host_local() {
  pods_of_worker
  restart_worker
  wait_for 300 "every pod is back" is_back "$WORKER" "$WORK/worker"
  pods_everywhere "$WORK/pods.after"
  (kept "host-local, online restart" "$WORK/worker" "$WORK/pods.after" >"$WORK/control") || true
  head -n 1 "$WORK/control"
  grep -q '^changed: ' "$WORK/control" || die "host-local has kept all of them: this run shows nothing"
  take_as_given
}

restart_worker() {
  "$DOCKER" restart "$WORKER"
  start_proxy "$WORKER"
}

# adapt_coredns: one a worker, which reads through the proxy and serves its own node, as on an edge.
adapt_coredns() {
  kube --namespace kube-system get configmap coredns --output json |
    jq --arg endpoint "endpoint $PROXY_URL" '
      .data.Corefile |= sub("kubernetes (?<zones>[^{]*)\\{"; "kubernetes \(.zones){\n " + $endpoint)' \
      >"$WORK/coredns.json"
  kube replace --filename "$WORK/coredns.json"
  kube --namespace kube-system patch deployment coredns --patch-file "$HERE/coredns.yaml"
  kube --namespace kube-system patch service kube-dns --patch '{"spec": {"internalTrafficPolicy": "Local"}}'
  kube --namespace kube-system rollout restart deployment/coredns
}

start_pods() {
  kube apply --filename "$HERE/pods.yaml"
  kube --namespace kube-system scale deployment/coredns --replicas=2
  rolled_out shop statefulset/web deployment/api daemonset/agent
  rolled_out kube-system deployment/coredns
}

# switch WHAT WHICH: another network under all pods, then a new pod on each node: by it the product learns of every
# address that is in use, before a restart of the node lets Flannel's notes lead the old sandboxes' DELs to host-local.
switch() {
  pods_everywhere "$WORK/pods"
  use_network "$2"
  pods_everywhere "$WORK/pods.after"
  kept "$1" "$WORK/pods" "$WORK/pods.after"
  same_sandboxes "$1" "$WORK/pods" "$WORK/pods.after"
  sed "s/NAME/after-${1%% *}/" "$HERE/newcomer.yaml" | kube apply --filename -
  rolled_out shop "daemonset/after-${1%% *}"
  pods_everywhere "$WORK/pods.after"
  kept "$1 and a new pod on each node" "$WORK/pods" "$WORK/pods.after"
}

upgrade() {
  install_product
  switch "upgrade with pods running" delegated-ipam
  check_slices "upgraded"
}

# pods_of_worker: those that are to come back: the file "worker".
pods_of_worker() {
  pods_everywhere "$WORK/pods"
  grep "^$WORKER " "$WORK/pods" >"$WORK/worker"
}

# came_back WHAT: every pod of the worker runs there again, on the addresses of before.
came_back() {
  wait_for 300 "every pod is back" is_back "$WORKER" "$WORK/worker"
  pods_everywhere "$WORK/pods.after"
  kept "$1" "$WORK/worker" "$WORK/pods.after"
}

online_restart() {
  pods_of_worker
  restart_worker
  came_back "online restart"
  wait_for 120 "the API knows" api_agrees "$WORK/worker"
  check_slices "restarted"
  check_services
}

# The power is gone while the worker has no way to the API; two pods are there first when it comes back.
offline_restart() {
  pods_of_worker
  on "$WORKER" mkdir -p /etc/kubernetes/manifests
  cut_off "$WORKER"
  "$DOCKER" kill "$WORKER"
  put_newcomer 1
  put_newcomer 2
  "$DOCKER" start "$WORKER"
  start_proxy "$WORKER"
  came_back "offline restart"
  wait_for 120 "the newcomers run" newcomers_run 2
  pods_everywhere "$WORK/pods.after"
  check_distinct "$WORK/pods.after"
  ! reaches_api "$WORKER" || die "$WORKER was not off the network"
  check_own_services "$WORKER"
  check_slices "off the network"
}

put_newcomer() { # put_newcomer NUMBER: a pod for the worker that needs no API
  sed "s/NAME/static-$1/; s|IMAGE|$PODS_IMAGE|" "$HERE/static.yaml" >"$WORK/static-$1.yaml"
  "$DOCKER" cp "$WORK/static-$1.yaml" "$WORKER:/etc/kubernetes/manifests/static-$1.yaml"
}

newcomers_run() { # newcomers_run COUNT
  pods_on "$WORKER" >"$WORK/back"
  [ "$(grep -c "^kube-system/static-[0-9]-$WORKER " "$WORK/back")" -eq "$1" ]
}

reconnect() {
  mend "$WORKER"
  kube wait --for=condition=Ready "node/$WORKER" --timeout="$(patience 120)"
  open_to_pods "$WORKER"
  old_one_goes
  wait_for 120 "the API knows" api_agrees "$WORK/pods"
  check_slices "connected again"
  check_services
}

# remove_pods: everything that has an address goes, and every store is empty then.
remove_pods() {
  on "$WORKER" rm -f /etc/kubernetes/manifests/static-{1,2,3}.yaml
  kube --namespace shop scale statefulset/web deployment/api --replicas=0
  kube --namespace shop delete daemonset --all
  kube --namespace kube-system scale deployment/coredns --replicas=0
  kube --namespace local-path-storage scale deployment/local-path-provisioner --replicas=0
  wait_for 180 "the stores are empty" stores_are_empty
}

scale_to_zero() {
  pods_everywhere "$WORK/pods"
  check_distinct "$WORK/pods"
  remove_pods
  echo "every store is empty; $(awk '{ print $2 }' "$WORK/ever" | sort -u | wc -l) addresses ever, none on two nodes"
}

back_to_host_local() {
  start_pods
  switch "rollback with pods running" host-local
  remove_pods
}
