# shellcheck shell=bash disable=SC2154  # the variables are those of run.sh, which sources this file
# The node that came later is lost with all that it had, and made again under its name: the cluster gives it another
# range. The ranges that the installer finds are the old ones until the new one is known, which is after it has joined.

node_comes_again() {
  local lost
  pods_everywhere "$WORK/pods"
  lost=$(web_pods "$NEW")
  lose_node
  wait_for 30 "the API has forgotten $NEW" have_pod_cidrs
  wait_for_web 33
  check_range "$WORKER"
  check_range "$OTHER"
  make_node
  give_network
  kube wait --for=condition=Ready "node/$NEW" --timeout="$(patience 300)"
  # Nobody moves to a node by himself: those that it had come to it again when they are made again.
  # shellcheck disable=SC2086  # one argument a pod
  kube --namespace shop delete pod $lost
  pods_of_new "the node that was made again"
}

# lose_node: first its power, its disk and all, then its name and its pods in the API.
lose_node() {
  "$DOCKER" rm --force --volumes "$NEW"
  rm "$WORK/added"
  # shellcheck disable=SC2034  # used by those who go through all nodes, in the other files
  NODES=("$CONTROL" "$WORKER" "$OTHER")
  end_proxy "$WORK/proxy-$NEW.pid"
  rm -rf "$WORK/proxy-$NEW.pid" "$WORK/cache-$NEW"
  kube delete node "$NEW"
  kube delete pods --all-namespaces --field-selector "spec.nodeName=$NEW" --force --grace-period=0
}
