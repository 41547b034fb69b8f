# shellcheck shell=bash disable=SC2154  # the variables are those of run.sh, which sources this file
# A pod that others have spoken to, deleted and made again: it has its address, and another link-layer address. Who had
# the former one in mind must not send to it. The pod has no probe and asks nobody, so nothing of its own tells them.

# The pod: the first of the StatefulSet on the worker. Who knows it: the agent pods of both workers, and the worker.
# In $WORK: known (the pod's line of pods, as it was), slices.
meet_again() {
  local node
  close_to_pods "$OTHER"
  pods_everywhere "$WORK/pods"
  grep -m 1 "^$WORKER shop/web-" "$WORK/pods" >"$WORK/known"
  for node in "$WORKER" "$OTHER"; do is_reached_from "$node"; done
  check_remembered
  kube --namespace shop delete pod "$(known_pod)"
  wait_for 180 "$(known_pod) runs again" runs_again
  wait_for 60 "its server answers the pod itself" serves_itself
  kept "deleted and made again" "$WORK/known" "$WORK/pods"
  check_remembered
  for node in "$WORKER" "$OTHER"; do is_reached_from "$node"; done
  open_to_pods "$OTHER"
  wait_for 120 "the API knows" api_agrees "$WORK/pods"
  check_slices "deleted and made again"
}

known_pod() { pod_name "$WORK/known"; }

known_addresses() {
  cut -d ' ' -f 3 "$WORK/known" | tr ',' '\n'
}

runs_again() { # in a sandbox that is not the known one
  pods_everywhere "$WORK/pods" || return
  awk -v known="$(cut -d ' ' -f 4 "$WORK/known")" -v pod="shop/$(known_pod)" '
    $2 == pod && $4 != known { found = 1 } END { exit !found }' "$WORK/pods"
}

in_known_pod() { # in_known_pod COMMAND...: in its container of now
  local sandbox
  sandbox=$(awk -v pod="shop/$(known_pod)" '$2 == pod { print $4 }' "$WORK/pods")
  on "$WORKER" crictl exec "$(on "$WORKER" crictl ps --quiet --pod "$sandbox")" /bin/busybox "$@"
}

serves_itself() {
  in_known_pod wget -q -O - http://127.0.0.1:8080/cgi-bin/name
}

# is_reached_from NODE: at each of its addresses the pod answers the first request of the node's agent pod.
is_reached_from() {
  local address answered
  for address in $(known_addresses); do
    answered=$(ask "$1" "$address" 1 8080)
    [ "$answered" = "$(known_pod)" ] || die "$1: at $address, of $(known_pod), $answered answers"
  done
  echo "$1: $(known_pod) answers the first request"
}

# check_remembered: whoever has a link-layer address of the pod has the one that it has now. On a bridge the agent pod
# of its node has one, or the run would show nothing.
check_remembered() {
  local own wrong
  own=$(in_known_pod cat /sys/class/net/eth0/address)
  [ -n "$own" ] || die "$(known_pod) has no link-layer address"
  remembered >"$WORK/remembered"
  wrong=$(grep -vwF "lladdr $own" "$WORK/remembered" || true)
  [ -z "$wrong" ] || die "$(known_pod) has $own, and is sent to as: $wrong"
  case $CNI in
    bridge | flannel)
      grep -q '^agent ' "$WORK/remembered" || die "the agent pod knows no link-layer address of $(known_pod)"
      ;;
  esac
  echo "$(known_pod) is $own to $(wc -l <"$WORK/remembered") who know it"
}

remembered() { # "WHO ADDRESS dev DEVICE lladdr ...", a line each who has one
  {
    in_agent "$WORKER" ip neigh | sed 's/^/agent /'
    on "$WORKER" ip neigh | sed 's/^/node /'
  } | awk -v addresses="$(known_addresses)" '
    BEGIN { split(addresses, all, "\n"); for (i in all) of[all[i]] = 1 }
    $2 in of && / lladdr /'
}
