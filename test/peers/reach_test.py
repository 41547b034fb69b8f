#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Kept means reachable, under the newest bridge, and under Flannel's plugin over it and over Debian's.

Prints what was measured, as test/node/reach_test.py does.
"""
import os

import peers
import reach_cases
import sandbox
import tap
from bridge_node import STOCK, SUBNETS
from plugin import BINARY, require

SUBNET_FILE = "/run/flannel/subnet.env"
LINES = """FLANNEL_NETWORK=10.79.0.0/16
FLANNEL_SUBNET={0}
FLANNEL_IPV6_NETWORK=fd00:79::/48
FLANNEL_IPV6_SUBNET={1}
FLANNEL_MTU=1450
FLANNEL_IPMASQ=false
"""


def flannel_cases():
    """Flannel's conflist as kube-flannel ships it; what flanneld does is done here."""
    os.makedirs(os.path.dirname(SUBNET_FILE), exist_ok=True)
    with open(SUBNET_FILE, "w") as file:
        file.write(LINES.format(*(SUBNETS[family].replace("::/", "::1/").replace(".0/", ".1/") for family in (4, 6))))
    folder = os.path.dirname(peers.binary("flannel"))
    for below, path in (("the newest bridge", os.path.dirname(peers.binary("bridge"))), ("Debian's bridge", STOCK)):
        keys = {"cniVersion": "0.3.1", "subnetFile": SUBNET_FILE, "dataDir": f"/run/flannel-{len(path)}",
                "delegate": {"hairpinMode": True, "isDefaultGateway": True}}
        more = {"plugins": folder, "main": "flannel", "path": path, "ranges": None}
        yield f"dual stack under Flannel, {below}", (4, 6), keys, more


def tell(suite):
    newest = {"plugins": os.path.dirname(peers.binary("bridge"))}
    reach_cases.run(suite, [(*case, {**more, **newest}) for *case, more in reach_cases.BRIDGES])
    macvlan = {**newest, "main": "macvlan", "links": reach_cases.UPLINK}
    reach_cases.run(suite, [("dual stack, macvlan, which announces by itself", (4, 6), {"master": "eth0"}, macvlan)])
    suite.name = f"reach, Flannel {peers.version('flannel')}"
    reach_cases.run(suite, flannel_cases())
    peers.summary("bridge", suite.count, suite.failed)


if __name__ == "__main__":
    tap.story(f"reach, bridge {peers.version('bridge')}", tell,
              sandbox.enter, lambda: require(BINARY), lambda: peers.require("bridge", "macvlan", "flannel"))
