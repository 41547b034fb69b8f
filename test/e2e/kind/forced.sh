# shellcheck shell=bash disable=SC2154  # the variables are those of run.sh, which sources this file
# A pod of the StatefulSet that is deleted by force while its node cannot hear of it: for a while there are two of its
# name. In $WORK: forced (the old one, as a line of pods), slices.before (EndpointSlices until then).

# The worker is cut off, and stays so. A newcomer comes to it afterwards, by a file, as nothing else can.
force_delete() {
  local others
  pods_everywhere "$WORK/pods"
  others=$(web_pods "$OTHER" | wc -l)
  grep "^$WORKER " "$WORK/pods" >"$WORK/before"
  grep -m 1 ' shop/web-' "$WORK/before" >"$WORK/forced"
  close_to_pods "$WORKER"
  kube --namespace shop delete pod "$(forced_pod)" --force --grace-period=0
  put_newcomer 3
  wait_for_web "$((others + 1))" "$OTHER"
  wait_for 120 "the newcomer runs" newcomers_run 3
  pods_everywhere "$WORK/pods"
  old_ones_live
  check_range "$WORKER"
  check_range "$OTHER"
  check_moved_slices
  check_services_apart
}

forced_pod() { pod_name "$WORK/forced"; }

# old_ones_live: on the worker nothing has changed for those that were there, and nobody else has an address of theirs.
old_ones_live() {
  grep "^$WORKER " "$WORK/pods" >"$WORK/own"
  kept "cut off, $(forced_pod) deleted by force and a newcomer" "$WORK/before" "$WORK/own"
  same_sandboxes "cut off" "$WORK/before" "$WORK/own"
  check_distinct "$WORK/pods"
}

# check_moved_slices: they name the addresses that the pod has on the other worker, and not those that its old sandbox
# has.
check_moved_slices() {
  grep "^$OTHER shop/$(forced_pod) " "$WORK/pods" >"$WORK/moved"
  wait_for 120 "the API knows" api_agrees "$WORK/moved"
  mv "$WORK/slices" "$WORK/slices.before"
  awk -v pod="$(forced_pod)" -v addresses="$(cut -d ' ' -f 3 "$WORK/moved")" '
    BEGIN { count = split(addresses, all, ","); for (i = 1; i <= count; i++) of[all[i] ~ /:/] = all[i] }
    $2 == pod { $3 = of[$3 ~ /:/] } { print }' "$WORK/slices.before" | sort >"$WORK/slices"
  wait_for 60 "EndpointSlices name the new address alone (< expected, > told)" slices_agree
  check_slices "deleted by force"
}

# check_services_apart: on the node that is cut off those of its own pods, the old one among them; on the other one,
# where nodes that are not ready serve nothing, those of its own and no others.
check_services_apart() {
  ! reaches_api "$WORKER" || die "$WORKER was not off the network"
  check_own_services "$WORKER"
  check_own_services "$OTHER"
  web_pods "$OTHER" >"$WORK/expected"
  check_service "$OTHER" web "$(cluster_ips shop web)" "$WORK/expected"
}

# old_one_goes: the worker, connected again, has heard that its pod is somebody else's.
old_one_goes() {
  wait_for 120 "the old sandbox of $(forced_pod) is gone" has_gone
  check_distinct "$WORK/pods"
}

has_gone() {
  pods_everywhere "$WORK/pods" || return
  ! grep "^$WORKER shop/$(forced_pod) " "$WORK/pods"
}

# The worker has one less than the other, which may not get two more: it gets the pod, which was there before.
force_back() {
  pods_everywhere "$WORK/pods"
  kube --namespace shop delete pod "$(forced_pod)"
  wait_for_web "$(($(web_pods "$WORKER" | wc -l) + 1))" "$WORKER"
  kept "made again on its node" "$WORK/forced" "$WORK/pods"
  wait_for 120 "the API knows" api_agrees "$WORK/pods"
  mv "$WORK/slices.before" "$WORK/slices"
  wait_for 60 "EndpointSlices name the old address again (< expected, > told)" slices_agree
  check_slices "made again on its node"
  check_services
}

# close_to_pods NODE: the scheduler gives it no pod any more, nor counts it where pods are to be spread.
close_to_pods() {
  kube cordon "$1"
  wait_for 60 "$1 is closed to pods" is_closed "$1"
}

open_to_pods() { # open_to_pods NODE: when it is ready
  kube uncordon "$1"
  wait_for 60 "$1 is open to pods" is_open "$1"
}

is_closed() { # is_closed NODE
  taints "$1" | grep -x 'node.kubernetes.io/unschedulable'
}

is_open() { # is_open NODE
  taints "$1" >"$WORK/taints" && cat "$WORK/taints" && [ ! -s "$WORK/taints" ]
}

taints() { # taints NODE: their keys
  kube get nodes --output json | jq -r --arg node "$1" '.items[] | select(.metadata.name == $node).spec.taints[]?.key'
}
