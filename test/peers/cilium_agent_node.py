"""A node under the real Cilium: its agent and cilium-cni of one version, and the product as ipam.type, set up as
`delegated-ipam generate cilium` says and the chart makes of it.

Use it where the kernel's settings are kept off (cilium_agent.keep_off). Outside there is a network that knows nothing
of pods, and the cluster's etcd, which no reboot of the node touches.
"""
import contextlib
import json
import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import charts
import cilium_agent
import nsmount
import reach
import tool
import yaml
from cilium_node import NETNS, CiliumNode
from etcd import Etcd
from node import empty_run, new_boot
from uplink import NEAR, Uplink

FOUR, SIX = "10.9.0.0/24", "fd00:9::/64"
NEAR4, NEAR6 = "192.0.2.2", "2001:db8:1::2"
FAR4, FAR6 = "192.0.2.1", "2001:db8:1::1"
# No address for documentation or private use: those are not masqueraded.
WORLD4, WORLD6 = "192.31.196.1", "2620:4f:8000::1"
PORT = 4000


def values_of(*subnets):
    """The Helm values for a node with these ranges, as an object."""
    ranges = [word for subnet in subnets for word in ("--subnet", subnet, "--pod-cidr", subnet)]
    return yaml.safe_load(tool.must("generate", "cilium", "--format", "helm", *ranges))


def settings_of(values):
    """What the chart makes of Helm values for the agent."""
    return charts.config_maps(charts.template("cilium", values))["cilium-config"]


class AgentNode(CiliumNode):
    """One node; in a with block its agent is up. subnets: its ranges, at most one of a family. settings: of the agent,
    beside those that are generated."""

    def __init__(self, folder, *subnets, **settings):
        self.generated = settings_of(values_of(*subnets))
        agent = cilium_agent.Agent(folder, f"{NETNS}/node", {**self.generated, **settings})
        super().__init__(folder, cilium_agent.PEER, [[{"subnet": one}] for one in subnets], "0.3.1", agent)
        self.subnets = subnets
        self.outside = f"{folder}/outside"
        self.pods = {}  # pod: its sandbox and its addresses
        self._uplink = Uplink(self.outside, (f"{FAR4}/24", f"{FAR6}/64"))
        self._conf = None

    def __enter__(self):
        os.makedirs(self.node.home)
        nsmount.make(self.outside)
        for words in (f"address add {WORLD4}/32 dev lo", f"address add {WORLD6}/128 dev lo nodad", "link set lo up"):
            nsmount.inside(self.outside, "ip", *words.split())
        try:
            self.agent.etcd = self._ending.enter_context(Etcd(self.node.home, self.outside, WORLD4))
            return super().__enter__()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.agent.kill()
        self._power_off()
        self._ending.close()
        nsmount.remove(self.outside)
        empty_run()  # an agent would read what this one has left there

    def conf(self, **ipam):
        """The generated configuration, with the folders of this node and a log to count calls by."""
        if not self._conf:
            ranges = [word for subnet in self.subnets for word in ("--subnet", subnet)]
            conflist = json.loads(tool.must("generate", "cilium", *ranges, "--data-dir", self.node.data_dir,
                                            "--state-dir", self.node.state_dir))
            plugin, = conflist.pop("plugins")
            plugin["ipam"]["logFile"] = f"{self.node.home}/log"
            self._conf = {**conflist, **plugin}
        return {**self._conf, "ipam": {**self._conf["ipam"], **ipam}}

    @property
    def world(self):
        """The addresses outside that its pods should reach."""
        return [WORLD6 if ":" in subnet else WORLD4 for subnet in self.subnets]

    @property
    def own(self):
        """The node's own addresses of the pods' families."""
        return [NEAR6 if ":" in subnet else NEAR4 for subnet in self.subnets]

    def start_pods(self, pods):
        """Their next sandboxes come up, a few at a time; returns {pod: its addresses}."""
        with ThreadPoolExecutor(4) as pool:
            made = dict(zip(pods, pool.map(self.up, pods)))
        self.pods.update(made)
        return {pod: got for pod, (_, got) in made.items()}

    def reaches_all(self):
        """Returns how many ways there are: every pod reaches every other one and the node, the node every pod. Errors:
        AssertionError that names those that there are not."""
        of_pods = {pod: got for pod, (_, got) in self.pods.items()}
        places = {pod: made.netns for pod, (made, _) in self.pods.items()}
        wanted = [(netns, address, f"{pod} -> {other}") for pod, netns in places.items()
                  for other, got in {**of_pods, "the node": self.own}.items() if other != pod for address in got]
        wanted += [(self.netns, address, f"the node -> {pod}") for pod, got in of_pods.items() for address in got]
        with ThreadPoolExecutor(16) as pool:
            lost = [name for name in pool.map(_lost, wanted) if name]
        assert not lost, f"{len(lost)} of {len(wanted)} ways are not there: {lost[:20]}"
        return len(wanted)

    def seen_as(self, pod, address):
        """Which address somebody outside sees when a pod talks to him; None when he does not hear it."""
        listener = reach.inside(self.outside, _listen, address)
        with contextlib.closing(listener):
            if not reach.reaches(self.pods[pod][0].netns, address, PORT, patience=3):
                return None
            heard, (who, *_) = listener.accept()
            heard.close()
            return who

    def reboot(self, agent_is_up=True):
        """The power was gone: another boot id, no namespaces, an empty /run, nothing pinned; etcd was elsewhere."""
        self.agent.kill()
        self._power_off()
        new_boot()
        self._make_namespace()
        if agent_is_up:
            self.agent.start()

    def counted(self, command):
        """How often the product has been called with this command."""
        return sum(verb == command for verb, _ in self.called())

    def _make_namespace(self):
        super()._make_namespace()
        cilium_agent.boot()
        nsmount.inside(self.netns, "ip", "link", "set", "lo", "up")
        self._uplink.connect(self.netns)
        for words in (f"address add {NEAR4}/24 dev {NEAR}", f"address add {NEAR6}/64 dev {NEAR} nodad",
                      f"route add default via {FAR4}", f"-6 route add default via {FAR6}"):
            self.ip(*words.split())

    def _power_off(self):
        self._uplink.disconnect()
        self._remove_namespaces()
        cilium_agent.power_off()


def _lost(way):
    netns, address, name = way
    try:
        reach.seconds_until_reached(netns, address)
    except AssertionError:
        return f"{name} ({address})"
    return None


def _listen(address):
    return socket.create_server((address, PORT), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
