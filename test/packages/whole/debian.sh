#!/bin/bash
# Inside a bare Debian, in mount and network namespaces of its own: the package is installed, upgraded while pods start
# and stop, refuses to go while somebody needs it, and goes. Prints what was shown; ends at the first thing that is wrong.
# In /: old.deb, new.deb (the same, as an older and a newer version), cnitool.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C NETCONFPATH=/etc/cni/net.d CNI_PATH=/opt/cni/bin:/usr/lib/cni
PODS='web-0 web-1 web-2'
wrong() { echo "WRONG: $*" && exit 1; }
pod() { # pod VERB NAME, as a runtime does it: libcni, its cache, a network namespace
  CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=$2" /cnitool "$1" pods "/run/netns/$2" 2>&1
}
address() { ip -n "$1" -4 -o addr show eth0 | awk '{ print $4 }'; }

ip link set lo up
dpkg -i /old.deb >/dev/null
mkdir -p /etc/systemd/system/timers.target.wants # as systemctl enables what is not enabled at the installation
ln -s /usr/lib/systemd/system/delegated-ipam-status.timer /etc/systemd/system/timers.target.wants/
/opt/cni/bin/delegated-ipam --version | grep -q 'CNI delegated-ipam plugin v' || wrong "no plugin in /opt/cni/bin"
delegated-ipam --version >/dev/null
[ -L /etc/systemd/system/multi-user.target.wants/delegated-ipam.service ] || wrong "the unit is not enabled"
[ -e /usr/share/man/man8/delegated-ipam.8.gz ] || [ -e /etc/dpkg/dpkg.cfg.d/excludes ] || wrong "no man page"
echo "installed $(dpkg-query -W -f '${Version}' delegated-ipam)"

mkdir -p /etc/cni/net.d
cat >/etc/cni/net.d/10-pods.conflist <<'END'
{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true,
  "ipam": {"type": "delegated-ipam", "delegate": {"type": "host-local", "ranges": [[{"subnet": "10.9.0.0/24"}]]}}}]}
END
for name in $PODS; do
  ip netns add "$name"
  pod add "$name" >/dev/null || wrong "pod $name does not start"
  ip netns exec "$name" sleep 1000 &
  echo "$!" >>/pids
done
before=$(for name in $PODS; do address "$name"; done)
echo "3 pods run: ${before//$'\n'/ }"

# Upgraded with these running, while others start and stop.
calls() {
  local count=0
  ip netns add short
  until [ -e /upgraded ] && [ $count -ge 20 ]; do
    pod add short >/calls.out || { cat /calls.out && return 1; }
    pod del short >/calls.out || { cat /calls.out && return 1; }
    count=$((count + 1))
  done
  echo "$count pods started and stopped meanwhile"
}
calls >/calls.log &
caller=$!
for _ in 1 2 3; do dpkg -i /new.deb >/dev/null && dpkg -i --force-downgrade /old.deb >/dev/null 2>&1; done
dpkg -i /new.deb >/dev/null
touch /upgraded
wait $caller || wrong "a call failed during the upgrade: $(cat /calls.log)"
cat /calls.log
while read -r pid; do kill -0 "$pid" || wrong "a pod ended"; done </pids
for name in $PODS; do pod check "$name" >/dev/null || wrong "CHECK of $name"; done
[ "$before" = "$(for name in $PODS; do address "$name"; done)" ] || wrong "addresses changed"
echo "upgraded to $(dpkg-query -W -f '${Version}' delegated-ipam), all pods run on"

if dpkg -r delegated-ipam >/removal 2>&1; then wrong "removed from under the pods"; fi
for name in $PODS; do grep -q "pod shop/$name needs delegated-ipam" /removal || wrong "$(cat /removal)"; done
[ "$(dpkg-query -W -f '${db:Status-Status}' delegated-ipam)" = installed ] || wrong "half removed"
for path in /opt/cni/bin /usr/lib/cni; do [ -x $path/delegated-ipam ] || wrong "the plugin is gone from $path"; done
echo "not removed from under the pods"

for name in $PODS; do pod del "$name" >/dev/null || wrong "DEL of $name"; done
if dpkg -r delegated-ipam >/removal 2>&1; then wrong "removed although a conflist names it"; fi
rm /etc/cni/net.d/10-pods.conflist
dpkg -r delegated-ipam >/removal 2>&1 || wrong "$(cat /removal)"
for path in /opt/cni/bin/delegated-ipam /usr/lib/cni/delegated-ipam /usr/bin/delegated-ipam; do
  if [ -e $path ]; then wrong "$path is still there"; fi
done
dpkg -P delegated-ipam >/dev/null 2>&1
if find /etc /lib/systemd /usr/lib/systemd /var/lib/systemd -name 'delegated-ipam*' | grep .; then wrong "left behind"; fi
[ -d /var/lib/delegated-ipam ] || wrong "the state is gone"
echo "removed; the pods' addresses stay on record"
while read -r pid; do kill "$pid"; done </pids
echo right
