#!/usr/bin/python3
"""Kept means reachable: a pod that is made again under its address is reached by the node and by its neighbours at once.

Prints what was measured; a test fails when it takes over 5 seconds, as without an announcement it takes 8 to 54.
"""
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import reach  # noqa: E402
import sandbox  # noqa: E402
from bridge_node import STOCK, BridgeNode  # noqa: E402
from plugin import BINARY, require  # noqa: E402
from tap import Skip, Suite  # noqa: E402

GATEWAY = {"bridge": "cni0", "isGateway": True}
AT_ONCE = 4

# What a node's bridge may be like: sentence, families, keys of the bridge plugin, more for BridgeNode.
BRIDGES = [
    ("IPv4", (4,), GATEWAY, {}),
    ("IPv6", (6,), GATEWAY, {}),
    ("dual stack", (4, 6), GATEWAY, {}),
    ("IPv4, the node's own /sys", (4,), GATEWAY, {"own_sys": True}),
    ("no gateway, the plugin's default bridge", (4,), {}, {}),
    ("IPv6, no gateway", (6,), {"bridge": "cni0"}, {}),
    ("dual stack, hairpinMode", (4, 6), {**GATEWAY, "hairpinMode": True}, {}),
    ("dual stack, promiscMode", (4, 6), {**GATEWAY, "promiscMode": True}, {}),
    ("IPv4, ipMasq", (4,), {**GATEWAY, "ipMasq": True}, {}),
    ("dual stack, isDefaultGateway, forceAddress", (4, 6), {**GATEWAY, "isDefaultGateway": True, "forceAddress": True}, {}),
]


def restart(folder, families, keys, more):
    with BridgeNode(folder, families, keys=keys, **more) as node:
        measured, addresses = node.restart_pod(node_reaches=keys.get("isGateway", False))
        netns = node.pod_netns("new")
        failed = node.run("ip", "address", "show", "dadfailed", netns=netns)
        assert not failed, f"duplicate address detection: {failed}"
        assert all(seconds < reach.LIMIT for seconds in measured.values())
        return measured


def main():
    sandbox.enter()
    require(BINARY)
    suite = Suite("reach")
    if not os.path.exists(f"{STOCK}/bridge"):
        print(f"1..0 # SKIP needs {STOCK}/bridge: apt-get install containernetworking-plugins")
        sys.exit(0)
    with tempfile.TemporaryDirectory(prefix="reach.") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        measured = [(sentence, pool.submit(restart, f"{folder}/b{number}", families, keys, more))
                    for number, (sentence, families, keys, more) in enumerate(BRIDGES)]
        for sentence, future in measured:
            suite.run(f"a pod made again is reached, {sentence}", tell, future)
    suite.finish()


def tell(future):
    print(f"# {reach.tell(future.result())}", flush=True)


if __name__ == "__main__":
    main()
