#!/bin/bash
# A real cluster of kind, one control plane and two workers, from the files that `delegated-ipam generate` makes: pods
# lose their addresses when a worker restarts under the stock host-local, and keep them when it is replaced under them,
# when a worker restarts online and offline, when two and all nodes lose their power at once, on a node that comes later
# and is made again, and when host-local comes back. A pod that is deleted by force while its node is cut off shares its
# address with nobody; one that is deleted and made again is reached by those who knew it. Prints TAP; leaves nothing
# behind.
#
# Usage: test/e2e/kind/run.sh [bridge|ptp|flannel|cilium [dual]]      (default: bridge; dual: IPv6 beside IPv4)
# Needs root, docker with a node image, kind, kubectl, jq, python3 and nsenter; says so, and is skipped, otherwise.
#   KIND_NODE_IMAGE          node image that docker has already (default: one of kindest/node), or node_image/ makes
#   KIND_BIN DOCKER_BIN KUBECTL_BIN HELM_BIN   other programs than those in PATH; kind itself calls the docker in PATH
#   KIND_PATIENCE            percent of the usual times to wait, for a slow machine (default: 100)
#   KIND_LOGS                folder for the nodes' logs, by `kind export logs`, when a step fails
#   DELEGATED_IPAM           the product (default: build/release/delegated-ipam)
#   CNI_PLUGINS              folder with the bridge plugin (default: /usr/lib/cni); node images have none
#   FLANNELD_BIN FLANNEL_CNI_BIN   flannel: the static flanneld; Flannel's CNI plugin (default: the peer of the tests)
#   CILIUM_CHART CILIUM_IMAGES     cilium: Helm chart (folder or archive); the images it names, which docker has already
#   CILIUM_VALUES                  cilium: a file of values beside the generated one, for images of one's own
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../../.." && pwd)
CNI=${1:-bridge} FAMILIES=${2:-ipv4}
DOCKER=${DOCKER_BIN:-docker} KIND=${KIND_BIN:-kind} KUBECTL=${KUBECTL_BIN:-kubectl} HELM=${HELM_BIN:-helm}
TOOL=${DELEGATED_IPAM:-$ROOT/build/release/delegated-ipam}
NAME=${KIND_CLUSTER_NAME:-delegated-ipam-e2e}
CONTROL=$NAME-control-plane WORKER=$NAME-worker OTHER=$NAME-worker2
NODES=("$CONTROL" "$WORKER" "$OTHER")
WORK=$(mktemp -d)
COUNT=0
mkfifo "$WORK/output"

# shellcheck source-path=SCRIPTDIR
{
  . "$HERE/checks.sh"
  . "$HERE/images.sh"
  . "$HERE/network.sh"
  . "$HERE/offline.sh"
  . "$HERE/story.sh"
  . "$HERE/together.sh"
  . "$HERE/addition.sh"
  . "$HERE/forced.sh"
  . "$HERE/rejoin.sh"
  . "$HERE/known.sh"
}

clean_up() {
  local file job
  for job in $(jobs -p); do # a step, which is a process group, and who prints what it says
    kill -- "-$job" 2>/dev/null || kill "$job"
    wait "$job"
  done
  for file in "$WORK"/proxy-*.pid; do
    if [ -e "$file" ]; then end_proxy "$file"; fi
  done
  if [ -e "$WORK/cluster" ]; then
    "$KIND" delete cluster --name "$NAME" --kubeconfig "$WORK/kubeconfig" >"$WORK/deletion" 2>&1 || cat "$WORK/deletion"
  fi
  if [ -e "$WORK/built" ]; then
    xargs "$DOCKER" image rm <"$WORK/built" >"$WORK/deletion" 2>&1 || cat "$WORK/deletion"
  fi
  rm -rf "$WORK"
}

skip() { # skip REASON REMEDY
  echo "1..0 # SKIP $1; $2"
  exit 0
}

# Ends the run as skipped when something is not there that cannot be made here.
look_for_requirements() {
  local program
  [ "$(id -u)" -eq 0 ] || skip "needs root" "the read proxy enters the nodes' network namespaces: run it with sudo"
  for program in "$DOCKER" "$KIND" "$KUBECTL" jq python3 nsenter busybox; do
    command -v "$program" >/dev/null || skip "$program is missing" "install it, or name it (see the head of $0)"
  done
  "$DOCKER" info >/dev/null 2>&1 || skip "docker's daemon does not answer" "start it, or set DOCKER_HOST"
  if [ -z "${KIND_NODE_IMAGE:-}" ]; then
    KIND_NODE_IMAGE=$("$DOCKER" image ls --format '{{.Repository}}:{{.Tag}}' kindest/node |
      grep -v '<none>$' | head -n 1) # pulled by digest alone, an image has no tag
  fi
  [ -n "$KIND_NODE_IMAGE" ] ||
    skip "docker has no node image" \
      "docker pull kindest/node:VERSION, or run test/run.sh clusters, which makes one and has a docker of its own"
  "$DOCKER" image inspect "$KIND_NODE_IMAGE" >/dev/null 2>&1 ||
    skip "docker has no image $KIND_NODE_IMAGE" "docker pull it, or set KIND_NODE_IMAGE to one that is there"
  look_for_network_requirements
}

# step SENTENCE FUNCTION ARGUMENT...: one test. What it prints becomes comments; the first failure ends the run.
step() {
  local sentence=$1 status printer work
  shift
  COUNT=$((COUNT + 1))
  sed 's/^/# /' <"$WORK/output" &
  printer=$!
  # In the background, so that a signal is heard at once, and a process group of its own, so that all of it ends then.
  set -m
  (
    set -euo pipefail
    if [ -e "$WORK/added" ]; then NODES+=("$NEW"); fi
    "$@"
  ) </dev/null >"$WORK/output" 2>&1 &
  work=$!
  set +m
  wait "$work"
  status=$?
  wait "$printer"
  if [ "$status" -ne 0 ]; then
    if [ -n "${KIND_LOGS:-}" ]; then "$KIND" export logs "$KIND_LOGS" --name "$NAME" 2>&1 | sed 's/^/# /'; fi
    echo "not ok $COUNT - kind, $STORY: $sentence"
    echo "1..$COUNT"
    exit 1
  fi
  echo "ok $COUNT - kind, $STORY: $sentence"
}

main() {
  case $CNI-$FAMILIES in
    bridge-ipv4 | ptp-ipv4 | flannel-ipv4 | cilium-ipv4) STORY=$CNI ;;
    bridge-dual | ptp-dual | flannel-dual | cilium-dual) STORY="$CNI, dual stack" ;;
    *) echo "usage: $0 [bridge|ptp|flannel|cilium [dual]]" >&2 && exit 2 ;;
  esac
  [ -x "$TOOL" ] || { echo "$TOOL: no such program; build it, or name another in DELEGATED_IPAM" >&2 && exit 2; }
  look_for_requirements
  step "a cluster comes up from the generated file" make_cluster
  step "pods come up by the stock host-local, and their Services answer" start_on_host_local
  step "the control: over an online restart of a worker host-local does not keep their addresses" lose_by_host_local
  step "(d) upgrade with pods running: every pod keeps its address" upgrade
  step "(a) online restart of a worker: every pod is back on its address" online_restart
  step "(b) offline restart: every pod is back on its address, Services and DNS answer there" offline_restart
  step "(g) a pod there is deleted by force: it runs on the other worker, the old one keeps its address" force_delete
  step "(b) connected again: the old one is gone, EndpointSlices are right without having changed" reconnect
  step "(g) deleted once more: the pod is back on its node, on its address" force_back
  step "(h) a pod is deleted and made again: who knew it reaches it by the first request" meet_again
  step "(e) two workers lose their power at once: every pod is back on its address" two_at_once
  step "(e) all nodes do, the control plane too" all_at_once
  step "(f) a node comes to the cluster: its pods have addresses of its own range, and keep them" node_comes
  step "(f) it is lost and made again under its name: so do they" node_comes_again
  step "(c) scale to 0: every store is empty, no address was ever on two nodes" scale_to_zero
  step "(d) back to host-local with pods running; its DELs empty the stores" back_to_host_local
  echo "1..$COUNT"
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
main
