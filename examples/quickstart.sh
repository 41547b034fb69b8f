#!/bin/bash
# Shows on one bare Debian 12 machine, as root, what delegated-ipam is for: installs what it needs, builds the plugin
# (or, where the package delegated-ipam is installed, takes that one), and reboots a (contained) edge node with 20 pods
# twice, with stock host-local and with delegated-ipam.
# The node lives in namespaces of its own: nothing of this machine's network, containers or CNI state is touched.
set -euo pipefail
exec </dev/null
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { echo "[$1/3] $2"; }

if [ "$(id -u)" -ne 0 ]; then
  echo "quickstart: needs root, for namespaces and packages: sudo $0" >&2
  exit 1
fi

step 1 "packages"
. test/lib/packages.sh
packaged=/usr/lib/cni/delegated-ipam
if [ -x $packaged ] && dpkg-query -W -f='${db:Status-Status}' delegated-ipam 2>/dev/null | grep -qx installed; then
  install_packages e2e
  step 2 "$packaged, of the package"
  export DELEGATED_IPAM=$packaged
  step 3 "an edge node under containerd and bridge, its uplink cut and rebooted"
  exec /usr/bin/python3 test/e2e/quickstart.py
fi
install_packages build e2e

step 2 "build/release/delegated-ipam"
log=build/quickstart.log
mkdir -p build
if ! { cmake --preset release && cmake --build --preset release; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "quickstart: the build failed, all of it is in $log" >&2
  exit 1
fi

step 3 "an edge node under containerd and bridge, its uplink cut and rebooted"
exec /usr/bin/python3 test/e2e/quickstart.py
