# shellcheck shell=bash disable=SC2154  # the variables are those of run.sh, which sources this file
# What the cluster and its nodes say of themselves, and what is asserted of it. The node's own word, from its container
# runtime, counts: it is there without the API too.

PATIENCE=${KIND_PATIENCE:-100} # percent of the usual times to wait

# patience SECONDS: what kubectl may wait in the place of so many seconds. Not 0, which is for ever to it.
patience() { echo "$(($1 * PATIENCE / 100 + 1))s"; }

die() { # die WHY: the step has failed
  echo "$*"
  exit 1
}

kube() { "$KUBECTL" --kubeconfig "$WORK/kubeconfig" "$@"; }

on() { # on NODE COMMAND...
  "$DOCKER" exec "$@" </dev/null
}

# shellcheck disable=SC2016  # expanded on the node
put() { # put FILE NODE PATH: a copy of the file on the node, in place at once
  "$DOCKER" exec -i "$2" sh -c 'mkdir -p "${0%/*}" && cat >"$0.new" && mv "$0.new" "$0"' "$3" <"$1"
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; its last words are the reason when it never does.
wait_for() {
  local deadline=$((SECONDS + $1 * PATIENCE / 100)) what=$2
  shift 2
  until "$@" >"$WORK/waiting" 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || die "not in time: $what: $(tail -n 5 "$WORK/waiting")"
    sleep 1
  done
}

rolled_out() { # rolled_out NAMESPACE KIND/NAME...
  local namespace=$1 one
  shift
  for one in "$@"; do kube --namespace "$namespace" rollout status "$one" --timeout="$(patience 300)"; done
}

# pods_on NODE: "namespace/pod address[,address] sandbox" of each pod that runs there with a network of its own, sorted.
pods_on() {
  local sandboxes
  sandboxes=$(on "$1" crictl ps --output json | jq -r '[.containers[].podSandboxId] | unique[]') || return
  [ -n "$sandboxes" ] || return 0
  # shellcheck disable=SC2086  # one argument a sandbox
  on "$1" crictl inspectp --output json $sandboxes | jq -rs '
    flatten[].status | select((.network.ip // "") != "" and .state == "SANDBOX_READY") |
    ([.network.ip, (.network.additionalIps // [])[].ip] | join(",")) as $addresses |
    "\(.metadata.namespace)/\(.metadata.name) \($addresses) \(.id)"' | sort
}

pods_everywhere() { # pods_everywhere FILE: pods_on every node, the node in front; noted for the end
  local node
  for node in "${NODES[@]}"; do
    pods_on "$node" | sed "s|^|$node |" || return
  done >"$1"
  awk '{ print $1, $3 }' "$1" >>"$WORK/ever"
}

# Fails with the names of addresses that pods on two nodes had at any time, or two pods have now.
check_distinct() { # check_distinct FILE
  local twice
  twice=$(cut -d ' ' -f 3 "$1" | tr ',' '\n' | sort | uniq -d)
  [ -z "$twice" ] || die "two pods have the address: $twice: $(grep -F "$twice" "$1")"
  twice=$(awk '{ n = split($2, all, ","); for (i = 1; i <= n; i++) print all[i], $1 }' "$WORK/ever" | sort -u |
    cut -d ' ' -f 1 | uniq -d)
  [ -z "$twice" ] || die "on two nodes: $twice"
}

# check_range NODE: every pod of the node has an address of the node's pod CIDRs.
check_range() {
  awk -v node="$1" '$1 == node { print $2, $3 }' "$WORK/pods" >"$WORK/in-range"
  jq -r --arg node "$1" '.items[] | select(.metadata.name == $node).spec.podCIDRs[]' "$WORK/nodes.json" |
    python3 -c 'import ipaddress, sys
ranges = [ipaddress.ip_network(line.strip()) for line in sys.stdin]
for line in open(sys.argv[1]):
    pod, addresses = line.split()
    for one in addresses.split(","):
        if not any(ipaddress.ip_address(one) in part for part in ranges):
            sys.exit(f"{pod} has {one}, outside of {ranges}")' "$WORK/in-range"
  echo "$1: $(wc -l <"$WORK/in-range") pods in its own range"
}

# kept WHAT BEFORE AFTER: every pod of the file BEFORE has its address in AFTER; columns: node, pod, addresses, sandbox.
kept() {
  local changed total
  changed=$(awk 'FILENAME == ARGV[1] { now[$2] = $3; next }
    now[$2] != $3 { print $2 ": " $3 " -> " (now[$2] == "" ? "not running" : now[$2]) }' "$3" "$2")
  total=$(wc -l <"$2")
  echo "$1: kept $((total - $(printf '%s' "$changed" | grep -c . || true))) of $total"
  [ -z "$changed" ] || die "changed: $changed"
  check_distinct "$3"
}

same_sandboxes() { # same_sandboxes WHAT BEFORE AFTER: no pod of BEFORE was restarted
  local restarted
  restarted=$(awk 'FILENAME == ARGV[1] { now[$2] = $4; next } now[$2] != $4 { print $2 }' "$3" "$2")
  [ -z "$restarted" ] || die "$1: restarted: $restarted"
}

# is_back NODE FILE: every pod of the node that the file names runs there again.
is_back() {
  local missing
  pods_on "$1" >"$WORK/back" || return
  missing=$(awk -v node="$1" 'FILENAME == ARGV[1] { runs[$1] = 1; next }
    $1 == node && !($2 in runs) { print $2 }' "$WORK/back" "$2")
  [ -z "$missing" ] || { echo "not running on $1: $missing" && return 1; }
}

# slices: "namespace/service pod address" of every endpoint of every EndpointSlice, sorted.
slices() {
  kube get endpointslices --all-namespaces --output json | jq -r '
    .items[] | "\(.metadata.namespace)/\(.metadata.labels["kubernetes.io/service-name"])" as $service |
    .endpoints[]? | select(.targetRef.kind == "Pod") | "\($service) \(.targetRef.name) \(.addresses[])"' | sort
}

slices_agree() { # with the file slices
  slices >"$WORK/slices.now" && diff "$WORK/slices" "$WORK/slices.now"
}

check_slices() { # check_slices WHEN: as they were at the beginning, or have to be since
  slices_agree || die "$1: EndpointSlices have changed (< then, > now)"
  echo "$1: $(wc -l <"$WORK/slices") endpoints in EndpointSlices as they have to be"
}

# The API knows the pods of the file as they are.
api_agrees() { # api_agrees FILE
  kube get pods --all-namespaces --output json | jq -r '
    .items[] | select(any(.status.conditions[]?; .type == "Ready" and .status == "True")) |
    "\(.metadata.namespace)/\(.metadata.name) \([.status.podIPs[]?.ip] | join(","))"' | sort >"$WORK/api"
  awk 'FILENAME == ARGV[1] { known[$1] = $2; next }
    known[$2] != $3 { print "in the API " $2 " has " (known[$2] ? known[$2] : "nothing") ", not " $3; wrong = 1 }
    END { exit wrong }' "$WORK/api" "$1"
}

# in_agent NODE COMMAND...: of busybox, in the node's agent pod.
in_agent() {
  local node=$1 container
  shift
  container=$(on "$node" crictl ps --quiet --name '^agent$' | head -n 1)
  on "$node" crictl exec "$container" /bin/busybox "$@"
}

# ask NODE ADDRESS COUNT [PORT]: who answers requests of the node's agent pod: names of pods, and "nobody"; sorted, each
# once.
ask() {
  local script address=$2
  case $address in *:*:*) address="[$address]" ;; esac
  address+=${4:+:$4}
  # shellcheck disable=SC2016  # expanded in the pod
  script='for i in $(/bin/busybox seq "$1"); do
    /bin/busybox timeout 10 /bin/busybox wget -q -O - "http://$0/cgi-bin/name" || { echo nobody && break; }
  done'
  in_agent "$1" sh -c "$script" "$address" "$3" | sort -u
}

# kube-proxy chooses an endpoint by chance: so many requests miss one of 30 once in 10^6, and are sent once more then.
REQUESTS=500

# check_service NODE SERVICE ADDRESSES PODS-FILE: at each address all of these pods answer, and nobody else, REQUESTS
# times in a row. Not at once: kube-proxy, when it hears that pods are ready again, stops dropping what is sent to a
# Service a moment before it sends it to them, and who asks in between waits for two minutes.
check_service() {
  local address
  for address in ${3//,/ }; do
    wait_for 90 "$1: $2 at $address: exactly its pods answer (< expected, > answered)" \
      answered_by "$1" "$2" "$address" "$4"
    echo "$1: $2 at $address: all of its $(wc -l <"$4") pods answer"
  done
}

answered_by() { # answered_by NODE SERVICE ADDRESS PODS-FILE
  ask "$1" "$3" "$REQUESTS" >"$WORK/answers" && diff "$4" "$WORK/answers"
}

pod_name() { # pod_name FILE: of the shop's pod whose line of pods is the file
  awk '{ sub(/^shop\//, "", $2); print $2 }' "$1"
}

web_pods() { # web_pods [NODE]: names of the StatefulSet's pods (on this node), sorted
  awk -v node="${1:-}" '(node == "" || $1 == node) && $2 ~ /^shop\/web-/ { sub(/^shop\//, "", $2); print $2 }' \
    "$WORK/pods" | sort
}

# wait_for_web COUNT [NODE]: until so many pods of the StatefulSet run (on this node); at no look at all nodes until
# then have two pods one address.
wait_for_web() {
  wait_for 180 "$1 pods of the StatefulSet run ${2:+on $2}" web_runs "$@"
  check_distinct "$WORK/pods"
}

web_runs() { # web_runs COUNT [NODE]: or an address is shared, which the caller tells
  pods_everywhere "$WORK/pods" || return
  (check_distinct "$WORK/pods") || return 0
  [ "$(web_pods "${2:-}" | wc -l)" -eq "$1" ] || { web_pods "${2:-}" | wc -l && return 1; }
}

cluster_ips() { # cluster_ips NAMESPACE SERVICE: address[,address]
  awk -v service="$1/$2" '$1 == service { print $2 }' "$WORK/services"
}

dns_answers() { # dns_answers NODE: its agent pod gets the addresses of a Service
  local server address
  server=$(cluster_ips kube-system kube-dns)
  in_agent "$1" nslookup web.shop.svc.cluster.local "$server" >"$WORK/dns" 2>&1 || true
  for address in $(cluster_ips shop web | tr ',' ' '); do
    grep -qwF "$address" "$WORK/dns" || { cat "$WORK/dns" && return 1; }
  done
}

# The Services of a node: DNS, and web-here, whose endpoints are this node's pods. Pods run before kube-proxy has
# written its rules and CoreDNS has read its lists; the one is done when the other answers.
check_own_services() { # check_own_services NODE
  wait_for 60 "$1: DNS answers" dns_answers "$1"
  web_pods "$1" >"$WORK/expected"
  check_service "$1" web-here "$(cluster_ips shop web-here)" "$WORK/expected"
}

check_services() { # on both workers, all of them
  local node
  for node in "$WORKER" "$OTHER"; do
    check_own_services "$node"
    web_pods >"$WORK/expected"
    check_service "$node" web "$(cluster_ips shop web)" "$WORK/expected"
  done
}

# On no node an address file is left in the network's folder, nor anything else but host-local's own files.
# shellcheck disable=SC2016  # expanded on the node
stores_are_empty() {
  local node left
  for node in "${NODES[@]}"; do
    left=$(on "$node" sh -c 'ls -A "$0" 2>/dev/null' "/var/lib/cni/networks/$(network_name)" |
      grep -vxE 'lock|last_reserved_ip\..*' || true)
    [ -z "$left" ] || { echo "left on $node: $left" && return 1; }
  done
}
