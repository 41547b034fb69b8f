"""Pods on a node that moves between the stock host-local and delegated-ipam, on a real runtime or on bare CNI calls.

Use it inside world.enter().
"""
import os
import uuid

from kubelet import Kubelet, Pod
from machine import CNI_PLUGINS, Machine
from node import Node, is_own_file
from plugin import BINARY, HOST_LOCAL
from runtime import Runtime

STOCK, OURS = "host-local", "delegated-ipam"
BINARIES = {STOCK: HOST_LOCAL, OURS: BINARY}
NETWORK = "podnet"
IPV4 = ["10.77.0.0/24"]
DUAL = ["10.77.0.0/24", "fd00:77::/64"]
# When a pod's old sandbox is deleted after a reboot. Afterwards all are deleted once more: that must do no harm.
EACH, ALL_FIRST, NEVER = "each before its pod returns", "all before the first pod returns", "after its pod is back"


def ipam(plan, subnets, **folders):
    """The `ipam` object; folders: dataDir, and stateDir for our plugin, where they are not the usual ones."""
    ranges = [[{"subnet": subnet}] for subnet in subnets]
    if plan == STOCK:
        folders.pop("stateDir", None)
        return {"type": STOCK, "ranges": ranges, **folders}
    return {"type": OURS, "delegate": {"type": "host-local", "ranges": ranges}, **folders}


class RealNode(Machine):
    """containerd and bridge. Only the address plugin in use is installed: no call can go to the other one."""

    network_dir = f"/var/lib/cni/networks/{NETWORK}"
    state_dir = "/var/lib/delegated-ipam"

    def __init__(self, folder, subnets):
        self._subnets = subnets
        plugins = {name: f"{CNI_PLUGINS}/{name}" for name in ("bridge", "loopback")}
        super().__init__(folder, self._conflist(STOCK), {**plugins, STOCK: HOST_LOCAL})

    def use(self, plan):
        """From now on the network's addresses come from this plugin; no pod is touched."""
        other = OURS if plan == STOCK else STOCK
        self.configure(self._conflist(plan), {plan: BINARIES[plan]}, [other])

    def _conflist(self, plan):
        bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipam": ipam(plan, self._subnets)}
        return {"cniVersion": "1.0.0", "name": NETWORK, "plugins": [bridge]}


class BareNode(Runtime):
    """Bare CNI calls, with a result cache (names_netns: as in Runtime).

    has_subnet_file: delegated-ipam has no ranges in its configuration, but reads them from a file.
    """

    def __init__(self, folder, subnets, names_netns=False, has_subnet_file=False):
        self._subnets = subnets
        self._subnet_file = f"{folder}/subnets" if has_subnet_file else None
        place = Node(folder, [], NETWORK)
        self.network_dir, self.state_dir = place.network_dir, place.state_dir
        self._folders = {"dataDir": place.data_dir, "stateDir": place.state_dir}
        super().__init__(place, BINARIES[STOCK], ipam(STOCK, subnets, **self._folders), names_netns)

    def use(self, plan):
        """From now on the network's addresses come from this plugin."""
        self.binary, self.ipam = BINARIES[plan], ipam(plan, self._subnets, **self._folders)
        if plan == OURS and self._subnet_file:
            with open(self._subnet_file, "w") as file:
                file.write("".join(f"{subnet}\n" for subnet in self._subnets))
            del self.ipam["delegate"]["ranges"]
            self.ipam["rangesFrom"] = {"subnetFile": self._subnet_file}


class Move(Kubelet):
    """Pods that host-local has made on the node, which is removed at the end of a with block."""

    def __init__(self, node, chance, count=10):
        pods = [Pod(f"web-{number}", chance.choice(("default", "shop"))) for number in range(count)]
        super().__init__(node, chance, pods)

    def __enter__(self):
        try:
            self.node.boot()
            self.node.for_all(self.node.run, self.pods)
            self.check_owners()
        except BaseException:
            self.node.remove()
            raise
        return self

    def __exit__(self, *_):
        self.node.remove()

    def move_over(self):
        """From host-local to delegated-ipam, with every pod running on."""
        self.node.use(OURS)

    def newcomer(self):
        """A pod that was never here before comes and stays."""
        pod = Pod(f"new-{uuid.uuid4().hex}")
        self.node.run(pod)
        self.pods = [*self.pods, pod]
        return pod

    def come_back(self, stopped):
        """After a reboot every pod returns, newcomers between them; everybody has the address of before, alone."""
        expected = self.current_addresses()
        old = [pod.sandbox for pod in self.pods]
        returning = self.in_another_order()
        if stopped == ALL_FIRST:
            self.node.for_all(self.node.stop, old)
        if stopped == EACH:
            self.node.stop(returning[0].sandbox)  # nobody is up before the first DEL
        else:
            self.newcomer()
        self.start_interleaved(returning, stop_first=lambda pod: stopped == EACH)
        self.check_kept(expected)
        self.check_reached("after a reboot")
        self.node.for_all(self.node.stop, self.chance.sample(old, len(old)))
        self.check_kept(expected)
        self.check_owners()

    def move_back(self, besides=()):
        """Back to host-local with every pod running on, then every pod goes: by host-local's own DELs.

        Afterwards the network folder holds host-local's own files and those named in `besides`.
        """
        self.node.use(STOCK)
        self.check_owners()
        self.check_reached("moved back")
        self.newcomer()
        self.check_owners()
        sandboxes = [sandbox for pod in self.pods for sandbox in pod.sandboxes]
        self.node.for_all(self.node.stop, sandboxes)
        self.node.for_all(self.node.forget, sandboxes)
        left = {name for name in os.listdir(self.node.network_dir) if not is_own_file(name)}
        assert left == set(besides), f"left in the network folder: {sorted(left)}"
