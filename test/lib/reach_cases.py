"""Kept means reachable, as cases: a pod that is made again is reached at once, whatever its bridge is like."""
import tempfile
from concurrent.futures import ThreadPoolExecutor

import reach
from bridge_node import BridgeNode

AT_ONCE = 4
UPLINK = ("link add eth0 type veth peer name far", "link set eth0 up", "link set far up")
GATEWAY = {"bridge": "cni0", "isGateway": True}

# Sentence, families, keys of the bridge plugin, more for BridgeNode.
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
    ("dual stack, isDefaultGateway", (4, 6), {**GATEWAY, "isDefaultGateway": True}, {}),
]


def restart(folder, families, keys, more):
    """One case; what was measured."""
    with BridgeNode(folder, families, keys=keys, **more) as node:
        measured, _ = node.restart_pod(node_reaches=node.is_gateway)
        failed = node.run("ip", "address", "show", "dadfailed", netns=node.pod_netns("new"))
        assert not failed, f"duplicate address detection: {failed}"
        return measured


def run(suite, cases):
    """Run cases, some at once, and print what each measured."""
    with tempfile.TemporaryDirectory(prefix="reach.") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [(sentence, pool.submit(restart, f"{folder}/b{number}", families, keys, more))
                   for number, (sentence, families, keys, more) in enumerate(cases)]
        for sentence, future in futures:
            suite.run(f"a pod made again is reached, {sentence}", _tell, future)


def _tell(future):
    print(f"# {reach.tell(future.result())}", flush=True)
