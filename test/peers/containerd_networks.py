"""The networks and the runtimes that containerd_test.py puts together: conflists, plugins, what a node needs beside.

A network is a class of which one object belongs to one node: conflist, binaries and environment for machine.Machine,
power_off() before the node loses its power, boot() after the runtime is up again, check_empty() when no pod is left.
"""
import os
import subprocess
from dataclasses import dataclass, field

import fake_cilium
import peers
import plugin
from machine import CNI_PLUGINS
from tap import Skip

NETWORK = "podnet"
SUBNET = "10.77.0.0/24"
GATEWAY = "10.77.0.1"
SUBNET_FILE = "/run/flannel/subnet.env"
SUBNET_ENV = "FLANNEL_NETWORK=10.77.0.0/16\nFLANNEL_SUBNET=10.77.0.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
FLANNEL_STAND_IN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "containerd_flannel.py")
RUNTIME_PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr")


def _is_built(program):
    """True when a peer has this program, and it is in the cache."""
    try:
        return peers.binary(program) is not None
    except LookupError:
        return False


def built(program):
    """The path of a peer's program. Errors: Skip when it is not there."""
    if not _is_built(program):
        raise Skip(f"{program} is not built: run {peers.BUILD}")
    return peers.binary(program)


@dataclass
class Runtime:
    """A containerd with the CNI plugins of its time. programs: as for Machine. cni: the newest CNI that they speak."""

    version: str
    cni: str
    programs: dict = field(default_factory=dict)

    @property
    def is_newest(self):
        return bool(self.programs)

    def main_plugin(self, name):
        """The path of one of the reference plugins."""
        return built(name) if self.is_newest else f"{CNI_PLUGINS}/{name}"


def debian():
    """The containerd in PATH, and Debian's plugins."""
    told = subprocess.run(["containerd", "--version"], check=True, capture_output=True, text=True).stdout
    return Runtime(told.split()[2], "1.0.0")


def newest():
    """The containerd of test/peers, and the plugins there. Errors: Skip when one is not built."""
    programs = {name: built(name) for name in RUNTIME_PROGRAMS}
    return Runtime(peers.version("containerd").removeprefix("v"), "1.1.0", programs)


RUNTIMES = {"debian": debian, "newest": newest}


class Network:
    """What all networks have in common. product: the binary for ipam.type, perhaps a wrapper."""

    answers_pings = True
    dels = 2  # how many DELs of a pod that is stopped and then removed reach the address plugin
    environment = {}

    def __init__(self, runtime, product=plugin.BINARY):
        self.runtime = runtime
        loopback = f"{CNI_PLUGINS}/loopback"
        self.binaries = {"loopback": loopback, "delegated-ipam": product, **self.plugins()}

    def conflist(self):
        delegate = {"type": "host-local", "ranges": [[{"subnet": SUBNET}]]}
        entry = {**self.entry(), "ipam": {"type": "delegated-ipam", "delegate": delegate}}
        return {"cniVersion": self.runtime.cni, "name": NETWORK, "plugins": [entry]}

    def boot(self):
        """Start what the node needs beside its runtime."""

    def power_off(self):
        """What lies outside of the node notices that it is gone."""

    def check_empty(self):
        """AssertionError when something of a pod that is gone is left."""


class Bridge(Network):
    name = "bridge"

    def plugins(self):
        return {"bridge": self.runtime.main_plugin("bridge")}

    def entry(self):
        return {"type": "bridge", "bridge": "cni0", "isGateway": True}


class Flannel(Network):
    """Flannel's plugin over bridge: the real one where it is built, else a stand-in. Its daemon writes subnet.env,
    which is gone at a boot until the daemon runs again."""

    dels = 1  # its second DEL ends there

    def __init__(self, *args):
        self.name = "flannel" if _is_built("flannel") else "a stand-in for flannel"
        super().__init__(*args)

    def plugins(self):
        flannel = built("flannel") if self.name == "flannel" else FLANNEL_STAND_IN
        return {"flannel": flannel, "bridge": self.runtime.main_plugin("bridge")}

    def entry(self):
        return {"type": "flannel", "delegate": {"hairpinMode": True, "isDefaultGateway": True}}

    def conflist(self):
        """Flannel itself names the ranges. Versions: its stock conflist's, and the newest that the plugin knows."""
        version = "0.4.0" if self.runtime.is_newest else "0.3.1"
        entry = {**self.entry(), "ipam": {"type": "delegated-ipam", "delegate": {"type": "host-local"}}}
        return {"cniVersion": version, "name": NETWORK, "plugins": [entry]}

    def boot(self):
        os.makedirs(os.path.dirname(SUBNET_FILE))
        with open(SUBNET_FILE, "w") as file:
            file.write(SUBNET_ENV)


class Cilium(Network):
    """The real cilium-cni; its agent is a stand-in that has no data path, so nobody answers a ping."""

    name = "cilium-cni"
    answers_pings = False

    def __init__(self, *args):
        super().__init__(*args)
        self.agent = fake_cilium.Agent()
        self.environment = {"CILIUM_SOCK": self.agent.socket}

    def plugins(self):
        return {"cilium-cni": built("cilium-cni")}

    def entry(self):
        return {"type": "cilium-cni"}

    def boot(self):
        self.agent.start()

    def power_off(self):
        self.agent.kill()
        self.agent.endpoints.clear()

    def check_empty(self):
        self.agent.check()
        assert self.agent.endpoints == {}, f"endpoints left: {sorted(self.agent.endpoints)}"


NETWORKS = {"bridge": Bridge, "flannel": Flannel, "cilium": Cilium}
