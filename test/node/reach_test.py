#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Kept means reachable, under Debian's bridge: node and neighbours reach a pod that is made again under its address.

Prints what was measured; a case fails when it takes over 5 seconds, as without an announcement it takes 8 to 54.
"""
import os
import sys

import reach_cases
import sandbox
from bridge_node import STOCK
from plugin import BINARY, require
from tap import Suite

# Debian's macvlan says nothing over IPv6, with any IPAM plugin.
OTHERS = [
    ("IPv4, ptp", (4,), {}, {"main": "ptp"}),
    ("IPv4, macvlan, which announces by itself", (4,), {"master": "eth0"},
     {"main": "macvlan", "links": reach_cases.UPLINK}),
    ("dual stack, host-local that is run", (4, 6), reach_cases.GATEWAY, {"inProcess": False}),
]


def main():
    sandbox.enter()
    require(BINARY)
    if not os.path.exists(f"{STOCK}/bridge"):
        print(f"1..0 # SKIP needs {STOCK}/bridge: apt-get install containernetworking-plugins")
        sys.exit(0)
    suite = Suite("reach")
    reach_cases.run(suite, [*reach_cases.BRIDGES, *OTHERS])
    suite.finish()


if __name__ == "__main__":
    main()
