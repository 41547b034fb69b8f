"""A cluster in small: nodes in worlds of their own, each with its container runtime, joined by a LAN with routes to
each other's pods, as Flannel's host-gw lays them. What an API server would know is here: Nodes, pods, EndpointSlices.

Use it inside world.enter().
"""
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import Pipe

import nsmount
import world
from edge_node import LAN, Spec

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "edge_node.py")


@dataclass
class Place:
    """What the cluster's administrator gave a node: subnets of its pods, addresses of its own; IPv4 first."""

    subnets: list
    addresses: list


# As in most clusters, the first one has no pods of users.
PLACES = {
    "control": Place(["10.244.0.0/24", "fd00:244::/64"], ["192.0.2.10", "fd00:99::10"]),
    "edge-1": Place(["10.244.1.0/24", "fd00:244:0:1::/64"], ["192.0.2.11", "fd00:99::11"]),
    "edge-2": Place(["10.244.2.0/24", "fd00:244:0:2::/64"], ["192.0.2.12", "fd00:99::12"]),
}
NODES = ("edge-1", "edge-2")
PREFIXES = ("24", "64")


class Remote:
    """A node in its world: each method of edge_node.EdgeNode by its name. Errors: RuntimeError with the node's own."""

    def __init__(self, folder, spec):
        self._name = spec.name
        self._pipe, theirs = Pipe()
        self._process = world.spawn(folder, SCRIPT, str(theirs.fileno()), pass_fds=[theirs.fileno()])
        theirs.close()
        self._pipe.send(spec)

    def __getattr__(self, method):
        def call(*arguments):
            self._pipe.send((method, arguments))
            try:
                is_fine, value = self._pipe.recv()
            except EOFError:
                raise RuntimeError(f"{self._name}: ended in {method}()") from None
            if not is_fine:
                raise RuntimeError(f"{self._name}: {method}(): {value}")
            return value
        return call

    def end(self):
        """Its power goes for ever."""
        world.end(self._process)
        self._pipe.close()


class Cluster:
    """Nodes that are made by make(), and are gone after a with block. families: 1 for IPv4, 2 for both."""

    def __init__(self, folder, families):
        self.folder = folder
        self.families = families
        self.nodes = {}
        os.makedirs(folder)
        self._lan = nsmount.make(f"{folder}/{LAN}")
        nsmount.inside(self._lan, "ip", "link", "add", LAN, "type", "bridge")
        nsmount.inside(self._lan, "ip", "link", "set", LAN, "up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self.nodes.values():
            node.end()
        nsmount.remove(self._lan)
        shutil.rmtree(self.folder)

    def make(self, conflists, plugins, zone, with_flanneld=False):
        """Add the nodes, not booted. conflists: {node: conflist}; plugins, zone: as in Spec."""
        for name in NODES:
            place = PLACES[name]
            spec = Spec(
                name, os.environ.get("SEED", "1"), self._lan, f"02:00:00:00:00:{NODES.index(name) + 1:02x}",
                [f"{address}/{prefix}" for address, prefix in zip(self._of(place.addresses), PREFIXES)],
                self._routes(name), conflists[name], plugins, zone,
                _subnet_env(self._of(place.subnets)) if with_flanneld else "", ["ip", "ip6"][:self.families])
            self.nodes[name] = Remote(f"{self.folder}/{name}", spec)

    def on_all(self, method, *arguments):
        """Call a method of every node, at once; {node: result}. An argument that is a dictionary by node is split."""
        def call(name):
            own = [one[name] if isinstance(one, dict) and one.keys() == self.nodes.keys() else one for one in arguments]
            return getattr(self.nodes[name], method)(*own)
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            return dict(zip(self.nodes, pool.map(call, self.nodes)))

    def nodes_json(self):
        """What `kubectl get nodes -o json` prints."""
        items = [_node(name, self._of(place.subnets), self._of(place.addresses)) for name, place in PLACES.items()]
        return json.dumps({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})

    def _of(self, values):
        return values[:self.families]

    def _routes(self, name):
        return {subnet: via for other in NODES if other != name
                for subnet, via in zip(self._of(PLACES[other].subnets), PLACES[other].addresses)}


def _node(name, subnets, addresses):
    """A Node object, with the parts that matter to somebody who reads its subnets, and some that do not."""
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "spec": {"podCIDR": subnets[0], "podCIDRs": subnets},
        "status": {
            "addresses": [*({"address": address, "type": "InternalIP"} for address in addresses),
                          {"address": name, "type": "Hostname"}],
            "conditions": [{"status": "True", "type": "Ready"}],
        },
    }


def _subnet_env(subnets):
    """What flanneld writes on a node with this lease, as text."""
    lines = ["FLANNEL_MTU=1500", "FLANNEL_IPMASQ=false"]
    for subnet in subnets:
        family, network = ("IPV6_", "fd00:244::/48") if ":" in subnet else ("", "10.244.0.0/16")
        first = subnet.replace("::/", "::1/") if family else subnet.replace(".0/", ".1/")
        lines += [f"FLANNEL_{family}NETWORK={network}", f"FLANNEL_{family}SUBNET={first}"]
    return "\n".join(lines) + "\n"
