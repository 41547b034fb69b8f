#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Kept means reachable on a bridge that keeps VLANs apart, under Debian's bridge and Debian's kernel.

Runs itself in a guest of its own, as kernels without VLANs are common. A case fails when reaching takes over 5 seconds.
"""
import os
import sys

import guest
import peers
import reach
import reach_cases
import tap
from bridge_node import STOCK, BridgeNode
from plugin import BINARY, require

PROGRAMS = [*(f"/usr/bin/{name}" for name in ("nsenter", "unshare", "mount", "umount", "ip")), "/usr/sbin/bridge",
            f"{STOCK}/bridge"]
MODULES = ["net/llc/llc", "net/802/stp", "net/802/garp", "net/802/mrp", "net/bridge/bridge", "net/8021q/8021q",
           "drivers/net/veth"]
VLAN = {"bridge": "cni0", "vlan": 5}
CASES = [
    ("IPv4, a VLAN", (4,), VLAN, {}),
    ("dual stack, a VLAN with a gateway", (4, 6), {**VLAN, "isGateway": True}, {}),
    ("dual stack, no VLAN, Debian's kernel", (4, 6), reach_cases.GATEWAY, {}),
]
# Older ones leave every port in the bridge's own VLAN, beside the pod's.
NEWEST = peers.binary("bridge")
APART = {**VLAN, "preserveDefaultVlan": False}
NEWEST_CASES = [
    ("IPv4, a VLAN and no other, the newest bridge", (4,), APART, {"plugins": os.path.dirname(NEWEST or "")}),
    ("dual stack, a VLAN and no other, with a gateway, the newest bridge", (4, 6), {**APART, "isGateway": True},
     {"plugins": os.path.dirname(NEWEST or "")}),
]


def by_the_bridge():
    """The node's own device of the VLAN is above the bridge, which is a member."""
    own = ["link add cni0 type bridge vlan_filtering 1", "link set cni0 up",
           "link add link cni0 name pods type vlan id 5", "link set pods up", "address add 10.79.0.1/24 dev pods",
           "address add fd00:79::1/64 dev pods nodad"]
    with BridgeNode("/tmp/by-the-bridge", (4, 6), keys=VLAN, links=own) as node:
        node.run("bridge", "vlan", "add", "dev", "cni0", "vid", "5", "self")
        measured, _ = node.restart_pod()
        print(f"# {reach.tell(measured)}", flush=True)


def another_vlan_hears_nothing():
    """Neither a pod in another VLAN nor the bridge's own one learns the pod's address."""
    with BridgeNode("/tmp/another", keys=VLAN) as node:
        node.sandbox("other")
        done = node.call("ADD", "other", "other", conf={**node.conf(), "vlan": 6})
        assert done.exit == 0, done.stdout
        stranger = node.pod_netns("other")
        node.add("old", "web-0")
        address, = node.delete("old", "web-0") or node.add("again", "web-0")
        # An entry is changed by what is heard, as the neighbours' is above.
        node.run("ip", "neighbour", "replace", address, "lladdr", "02:00:00:00:00:99", "nud", "reachable", "dev", "eth0",
                 netns=stranger)
        node.delete("again", "web-0")
        assert node.add("new", "web-0") == [address]
        entry, = [one for one in node.show("neighbour", "show", "dev", "eth0", netns=stranger) if one["dst"] == address]
        assert entry["lladdr"] == "02:00:00:00:00:99", entry
        assert "announced on cni0" in node.log(), node.log()


def outside():
    """Run this suite in a guest; returns its exit code."""
    missing = [path for path in PROGRAMS if not os.path.exists(path)]
    if missing:
        tap.skip(f"needs {' '.join(missing)}: apt-get install containernetworking-plugins iproute2 util-linux")
    peers.require("bridge")
    library = os.path.dirname(guest.__file__)
    variables = f"DELEGATED_IPAM={BINARY} DELEGATED_IPAM_PEERS={peers.CACHE} PYTHONPATH={library}"
    try:
        return guest.run(f"{variables} {sys.executable} {os.path.abspath(__file__)} --inside", [*PROGRAMS, NEWEST],
                         MODULES)
    except guest.CannotRun as reason:
        return tap.skip(reason)


def tell(suite):
    """Inside the guest."""
    reach_cases.run(suite, [*CASES, *NEWEST_CASES])
    suite.run("a pod made again is reached, a VLAN whose device is above the bridge", by_the_bridge)
    suite.run("another VLAN hears nothing of it", another_vlan_hears_nothing)


if __name__ == "__main__":
    if "--inside" not in sys.argv:
        sys.exit(outside())
    tap.story("vlan", tell, lambda: require(BINARY))
