"""A node of a cluster whose pods get their addresses from whereabouts, through the product, under Debian's plugins.

Use it inside world.enter(). The cluster is a stand-in for the API server that listens on the node's loopback; its
objects outlive the node. Beside the binary there is what whereabouts' own installer puts on a node: a kubeconfig and
a flat configuration file that names it.
"""
import ipaddress
import json
import os

import peers
import plugin
from fake_kubernetes import ApiServer
from real_node import DELEGATES, GATEWAY, SUBNET, Pod, RealNode

POOLS, RESERVATIONS = "ippools", "overlappingrangeipreservations"
FIRST = "10.78.0.10"


class ClusterNode(RealNode):
    """A RealNode with whereabouts; for a with block. api: of a cluster that is there already.

    keys: those of whereabouts on top of the ordinary ones; None: not there. flat: the content of its flat file.
    """

    def __init__(self, folder, main="bridge", api=None, keys=None, network=None, **ours):
        super().__init__(folder, main, "whereabouts", self._keys_of, network, peers.binary("whereabouts"), **ours)
        self.api = api or ApiServer()
        self.kubeconfig = f"{folder}/whereabouts.kubeconfig"
        self.flat = {"kubernetes": {"kubeconfig": self.kubeconfig}}
        self.keys = keys or {}

    def __enter__(self):
        super().__enter__()
        self.enter(self.api.serving(self.netns, self.kubeconfig))
        self.configure(self.flat)
        return self

    def configure(self, flat):
        """Write whereabouts' flat configuration file."""
        with open(f"{self.folder}/whereabouts.conf", "w") as file:
            json.dump(flat, file)

    def itself(self, command, pod, **more):
        """Run whereabouts without the product; returns its Outcome."""
        env, conf = self.request(command, pod, stock=True, **more)
        return plugin.run(self.binary, env, conf, wrapper=("nsenter", f"--net={self.netns}"))

    def up(self, number, name=None, **more):
        """A new pod that is up; it ends with the node."""
        pod = self.enter(Pod(self, number, name))
        self.must("ADD", pod, **more)
        return pod

    def held(self):
        """What the cluster says: {address: container ID}. Errors: when its two kinds of objects do not agree."""
        found = {}
        for pool in self.api.stored(POOLS).values():
            first = ipaddress.ip_network(pool["spec"]["range"]).network_address
            for offset, allocation in pool["spec"]["allocations"].items():
                found[str(first + int(offset))] = allocation["id"]
        reserved = set(self.api.stored(RESERVATIONS))
        assert reserved == set(found), f"reservations {sorted(reserved)}, allocations {found}"
        return found

    def check_held(self, pods):
        """The cluster has exactly these pods' addresses, those of their links."""
        expected = {address: pod.container_id for pod in pods for address in pod.addresses()}
        assert len(expected) == len(pods), f"addresses on the links: {expected}"
        assert self.held() == expected, f"the cluster has {self.held()}, the links {expected}"

    def unfinished(self):
        """The product's journal entries; none before its first ADD of a boot."""
        return self.journal() if os.path.isdir(DELEGATES) else []

    def _keys_of(self, _pod):
        keys = {"range": SUBNET, "range_start": FIRST, "gateway": GATEWAY,
                "configuration_path": f"{self.folder}/whereabouts.conf", **self.keys}
        return {key: value for key, value in keys.items() if value is not None}
