# shellcheck shell=bash disable=SC2154  # the variables are those of run.sh, which sources this file
# Nodes that live without the API for a while: their clients read through a caching proxy, and their way to the API can
# be cut. Both hold over restarts of the node.

PROXY=169.254.2.1:10261 # where YurtHub listens
PROXY_URL=http://$PROXY
START=/etc/delegated-ipam-test # what a node does when it starts

api_address() {
  jq -r --arg node "$CONTROL" '.items[] | select(.metadata.name == $node).status.addresses[] |
    select(.type == "InternalIP").address' "$WORK/nodes.json" | head -n 1
}

# read_through_proxy: on every node a proxy; kubelet of the workers and kube-proxy go to it from now on.
read_through_proxy() {
  local node
  kube config view --raw --minify --output json >"$WORK/admin.json"
  jq -r '.clusters[0].cluster["certificate-authority-data"]' "$WORK/admin.json" | base64 -d >"$WORK/ca.crt"
  jq -r '.users[0].user["client-certificate-data"]' "$WORK/admin.json" | base64 -d >"$WORK/admin.crt"
  (umask 077 && jq -r '.users[0].user["client-key-data"]' "$WORK/admin.json" | base64 -d >"$WORK/admin.key")
  for node in "${NODES[@]}"; do
    prepare_start "$node"
    start_proxy "$node"
  done
  for node in "$WORKER" "$OTHER"; do read_by_proxy "$node"; done
  kube --namespace kube-system get configmap kube-proxy --output json |
    jq --arg url "$PROXY_URL" '.data["kubeconfig.conf"] |= sub("server: [^\n]*"; "server: " + $url)' \
      >"$WORK/kube-proxy.json"
  kube replace --filename "$WORK/kube-proxy.json"
  kube --namespace kube-system rollout restart daemonset/kube-proxy
}

# read_by_proxy NODE: its kubelet goes to the proxy. Cut off, a kubelet asks for a certificate by its bootstrap
# kubeconfig, as clients have none of a plain http server; kubeadm has removed that file, and it would not start.
# OpenYurt drops it too.
read_by_proxy() {
  cat >"$WORK/kubelet.conf" <<'UNIT'
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--kubeconfig=/etc/kubernetes/kubelet.conf"
UNIT
  on "$1" sed -i "s|server: .*|server: $PROXY_URL|" /etc/kubernetes/kubelet.conf
  put "$WORK/kubelet.conf" "$1" /etc/systemd/system/kubelet.service.d/99-delegated-ipam-test.conf
  on "$1" systemctl daemon-reload
  on "$1" systemctl restart kubelet
}

# prepare_start NODE: what it does at each start before kubelet: the proxy's address, routes to the other nodes' pods
# (Flannel lays its own), and the cut, while there is one.
prepare_start() {
  {
    echo '#!/bin/bash'
    echo "ip address replace ${PROXY%:*}/32 dev lo"
    if [ "$CNI" != flannel ]; then
      jq -r --arg node "$1" '.items[] | select(.metadata.name != $node) |
        (.status.addresses | map(select(.type == "InternalIP").address)) as $own | .spec.podCIDRs | to_entries[] |
        "ip route replace \(.value) via \($own[.key])"' "$WORK/nodes.json"
    fi
    echo "if [ -e $START/cut.nft ]; then nft -f $START/cut.nft; fi"
  } >"$WORK/start"
  cat >"$WORK/start.service" <<UNIT
[Unit]
Before=containerd.service kubelet.service
[Service]
Type=oneshot
ExecStart=/bin/bash $START/start
[Install]
WantedBy=multi-user.target
UNIT
  put "$WORK/start" "$1" "$START/start"
  put "$WORK/start.service" "$1" /etc/systemd/system/delegated-ipam-test.service
  on "$1" systemctl enable --now delegated-ipam-test.service
}

# start_proxy NODE: in the node's network namespace, with what it knew before; the one of an earlier start ends.
start_proxy() {
  local pid file=$WORK/proxy-$1.pid
  if [ -e "$file" ]; then end_proxy "$file"; fi
  pid=$("$DOCKER" inspect --format '{{.State.Pid}}' "$1")
  nsenter --net="/proc/$pid/ns/net" python3 "$HERE/read_proxy.py" --listen "$PROXY" \
    --upstream "https://$(api_address):6443" --cache "$WORK/cache-$1" \
    --ca "$WORK/ca.crt" --cert "$WORK/admin.crt" --key "$WORK/admin.key" >"$WORK/proxy-$1.log" 2>&1 </dev/null &
  echo $! >"$file"
  wait_for 30 "the proxy of $1 answers" proxy_answers "$1"
}

# end_proxy FILE: the proxy whose process id is in the file ends. It may be nobody's child any more, so wait is no help.
end_proxy() {
  local pid attempt
  pid=$(cat "$1")
  kill "$pid" 2>/dev/null || return 0
  for attempt in {1..100}; do
    kill -0 "$pid" 2>/dev/null || return 0
    [ "$attempt" -lt 100 ] || echo "the proxy $pid does not end"
    sleep 0.1
  done
}

proxy_answers() { # proxy_answers NODE: with what it reads of the API, or once read
  on "$1" curl --silent --fail --output /dev/null --max-time 10 "$PROXY_URL/api/v1/nodes/$1" || {
    cat "$WORK/proxy-$1.log"
    return 1
  }
}

# cut_off NODE: nothing gets from it, or from its pods, to the API; at its next starts neither.
cut_off() {
  cat >"$WORK/cut.nft" <<RULES
table inet delegated_ipam_test
delete table inet delegated_ipam_test
table inet delegated_ipam_test {
  chain output {
    type filter hook output priority filter
    ip daddr $(api_address) tcp dport 6443 drop
  }
  chain forward {
    type filter hook forward priority filter
    ip daddr $(api_address) tcp dport 6443 drop
  }
}
RULES
  put "$WORK/cut.nft" "$1" "$START/cut.nft"
  on "$1" nft -f "$START/cut.nft"
  ! reaches_api "$1" || die "$1 still reaches the API"
}

mend() { # mend NODE
  on "$1" rm "$START/cut.nft"
  on "$1" nft delete table inet delegated_ipam_test
  wait_for 30 "$1 reaches the API" reaches_api "$1"
}

reaches_api() { # reaches_api NODE
  on "$1" curl --silent --insecure --output /dev/null --max-time 3 "https://$(api_address):6443/readyz"
}
