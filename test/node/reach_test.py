#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Kept means reachable, under Debian's bridge: node and neighbours reach a pod that is made again under its address.

Prints what was measured; a case fails when it takes over 5 seconds, as without an announcement it takes 8 to 54.
"""
import os

import reach_cases
import sandbox
import tap
from bridge_node import STOCK
from plugin import BINARY, require

# Debian's macvlan says nothing over IPv6, with any IPAM plugin.
OTHERS = [
    ("IPv4, ptp", (4,), {}, {"main": "ptp"}),
    ("IPv4, macvlan, which announces by itself", (4,), {"master": "eth0"},
     {"main": "macvlan", "links": reach_cases.UPLINK}),
    ("dual stack, host-local that is run", (4, 6), reach_cases.GATEWAY, {"inProcess": False}),
]


def stock_bridge():
    if not os.path.exists(f"{STOCK}/bridge"):
        tap.skip(f"needs {STOCK}/bridge: apt-get install containernetworking-plugins")


if __name__ == "__main__":
    tap.story("reach", lambda suite: reach_cases.run(suite, [*reach_cases.BRIDGES, *OTHERS]), sandbox.enter,
              lambda: require(BINARY), stock_bridge)
