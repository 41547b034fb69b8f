# shellcheck shell=bash disable=SC2154  # the variables are those of run.sh, which sources this file
# Nodes that lose their power at the same moment, and what the tool on each says of it.

TOOL_THERE=/opt/cni/bin/delegated-ipam
NOTED=/etc/delegated-ipam-test/before.json

# by_address NODE...: in the order of their addresses. docker gives a node the lowest that is free when it starts.
by_address() {
  jq -r '.items[] | select(.metadata.name | IN($ARGS.positional[])) |
    "\(first(.status.addresses[] | select(.type == "InternalIP")).address) \(.metadata.name)"' "$WORK/nodes.json" \
    --args "$@" | sort -V | cut -d ' ' -f 2
}

# power_cut WHAT NODE...: all of these at once; the others, and who has asked their pods, live on.
power_cut() {
  local what=$1 node
  shift
  pods_everywhere "$WORK/pods"
  for node; do on "$node" "$TOOL_THERE" export --out "$NOTED"; done
  "$DOCKER" kill "$@"
  for node in $(by_address "$@"); do "$DOCKER" start "$node"; done
  for node; do start_proxy "$node"; done
  for node; do wait_for 300 "every pod of $node is back" is_back "$node" "$WORK/pods"; done
  pods_everywhere "$WORK/pods.after"
  kept "$what" "$WORK/pods" "$WORK/pods.after"
  for node; do tool_agrees "$node" "$WORK/pods"; done
  wait_for 120 "the API knows" api_agrees "$WORK/pods"
  check_slices "$what"
  check_services
}

# tool_agrees NODE PODS-FILE: compared with what it exported before, each of the node's pods kept its address, and none
# of anybody's has changed. A restart of a node container is no boot of the kernel: without the export it tells of none.
tool_agrees() {
  local wrong
  on "$1" "$TOOL_THERE" report --against "$NOTED" --output json >"$WORK/report" || [ -s "$WORK/report" ]
  wrong=$(jq -r '.items[] | select(.outcome | IN("KEPT", "NEW", "MISSING") | not) |
    "\(.namespace)/\(.pod) \(.outcome)"' "$WORK/report")
  [ -z "$wrong" ] || die "delegated-ipam report on $1: $wrong"
  jq -r '.items[] | select(.outcome == "KEPT") | "\(.namespace)/\(.pod)"' "$WORK/report" | sort -u >"$WORK/told"
  awk -v node="$1" '$1 == node { print $2 }' "$2" | sort -u >"$WORK/expected"
  diff "$WORK/expected" "$WORK/told" || die "$1: report does not tell exactly these pods to be KEPT (< run, > told)"
  echo "$1: delegated-ipam report: $(wc -l <"$WORK/told") kept"
}

two_at_once() {
  power_cut "two workers at once" "$WORKER" "$OTHER"
}

all_at_once() {
  power_cut "all nodes at once" "${NODES[@]}"
}
