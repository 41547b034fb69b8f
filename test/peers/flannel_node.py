"""A node under Flannel: its real plugin as the runtime's libcni runs it, the newest bridge below, and the product.

Use it inside world.enter(), after fake_boots(). What flanneld does is done here: it writes subnet.env.
The plugin is the last one that the reference plugins had: single and dual stack, CNI up to 0.4.0.
"""
import json
import os

from cilium_node import links_of, shown
from libcni_node import LibcniNode

SUBNET_FILE = "/run/flannel/subnet.env"
FIRST, OTHER = "10.244.1.1/24", "10.244.7.1/24"
FIRST6, OTHER6 = "fd00:244:0:1::1/64", "fd00:244:0:7::1/64"
NETWORK, NETWORK6 = "10.244.0.0/16", "fd00:244::/48"


class FlannelNode(LibcniNode):
    """One node; for a with block. subnets: flanneld's lease at the start, one or two of different families."""

    network = "cbr0"
    programs = ("bridge", "host-local", "flannel")

    def __init__(self, folder, subnets=(FIRST,), version="0.3.1", **ipam):
        super().__init__(folder, None, version=version, **ipam)
        self.subnets = subnets
        self.notes = f"{self.node.home}/flannel"
        self.main = {"type": "flannel", "dataDir": self.notes,
                     "delegate": {"hairpinMode": True, "isDefaultGateway": True}}

    def __enter__(self):
        made = super().__enter__()
        self.lease(*self.subnets)
        return made

    def lease(self, *subnets, networks=NETWORK):
        """flanneld writes subnet.env, with the node's first address in each subnet, as it does. networks: of IPv4."""
        lines = ["FLANNEL_MTU=1450", "FLANNEL_IPMASQ=true"]
        for subnet in subnets:
            family, network = ("IPV6_", NETWORK6) if ":" in subnet else ("", networks)
            lines += [f"FLANNEL_{family}NETWORK={network}", f"FLANNEL_{family}SUBNET={subnet}"]
        os.makedirs(os.path.dirname(SUBNET_FILE), exist_ok=True)
        with open(f"{SUBNET_FILE}.new", "w") as file:
            file.write("\n".join(lines) + "\n")
        os.rename(f"{SUBNET_FILE}.new", SUBNET_FILE)

    def reboot(self, *subnets):
        """The power was gone; subnets: what flanneld gets afterwards, none as long as it does not start."""
        super().reboot()
        if subnets:
            self.lease(*subnets)

    def noted(self):
        """Flannel's notes: {container ID: the netconf of its main plugin}."""
        found = {}
        for name in os.listdir(self.notes) if os.path.isdir(self.notes) else []:
            with open(f"{self.notes}/{name}") as file:
                found[name] = json.load(file)
        return found

    def drop_note(self, sandbox):
        """What newer Flannels do when the main plugin's DEL fails: the note is gone all the same."""
        os.unlink(f"{self.notes}/{sandbox.container_id}")

    def bridge_addresses(self):
        """The addresses of cni0, with prefix lengths."""
        return links_of(self.netns).get("cni0", set())

    def default_gateway(self, sandbox):
        """Where the sandbox's IPv4 default route leads."""
        (route,) = [route for route in shown(sandbox.netns, "route") if route["dst"] == "default"]
        return route["gateway"]


class Place:
    """Where the cases make their nodes: call it as FlannelNode, but for the folder."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *subnets, **more):
        return FlannelNode(self.folder, subnets or (FIRST,), **more)
