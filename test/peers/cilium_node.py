"""A node under Cilium: the real cilium-cni, a stand-in for its agent, and the product as ipam.type.

Use it inside world.enter(). The node has a network namespace of its own, and so has every sandbox.
"""
import contextlib
import itertools
import json
import os
import re
import subprocess
import uuid
from dataclasses import dataclass

import nsmount
import peers
import plugin
from fake_cilium import FOLDER as AGENT_FOLDER
from fake_cilium import Agent
from kubelet import Pod
from node import Node, new_boot
from race import Running
from tap import Skip

SINGLE = [[{"subnet": "10.9.0.0/24"}]]
DUAL = [*SINGLE, [{"subnet": "fd00:9::/64"}]]
NETNS = "/run/netns"
POD = "default/web-0"
QUEUE = f"{AGENT_FOLDER}/deleteQueue"

_numbers = itertools.count(1)


@dataclass
class Sandbox:
    """One sandbox of a pod ("namespace/name"). `result`: what its last ADD answered, None before."""

    container_id: str
    pod: str
    uid: str
    netns: str
    result: object = None

    @property
    def args(self):
        return plugin.pod_args(*self.pod.split("/"), self.uid, self.container_id)

    def links(self):
        """What links_of() says of the sandbox."""
        return links_of(self.netns)


class CiliumNode:
    """One node and its network; for a with block. peer: whose cilium-cni (a folder of test/peers). version: of the
    configuration. ipam: the keys beside `delegate`. agent: the stand-in; the node starts and stops it.
    """

    def __init__(self, folder, peer, ranges=None, version="1.0.0", agent=None, **ipam):
        self.node = Node(folder, ranges or SINGLE, name="cilium", logFile=f"{folder}/log", **ipam)
        self.binary = peers.binary("cilium-cni", peer)
        self.version = version
        self.agent = agent or Agent()
        self.path = f"{folder}/bin"
        self.netns = f"{NETNS}/node"
        self.sandboxes = []
        self._ending = contextlib.ExitStack()

    def __enter__(self):
        os.makedirs(self.path, exist_ok=True)
        os.symlink(plugin.BINARY, f"{self.path}/delegated-ipam")
        self._make_namespace()
        self._ending.enter_context(self.agent)
        return self

    def __exit__(self, *error):
        self._remove_namespaces()
        self._ending.__exit__(*error)

    def sandbox(self, pod=POD, uid="uid-1"):
        """A new sandbox of a pod, without network yet."""
        container_id = f"c{next(_numbers)}-{uuid.uuid4().hex[:8]}"
        made = Sandbox(container_id, pod, uid, nsmount.make(f"{NETNS}/cni-{container_id}"))
        self.sandboxes.append(made)
        return made

    def lose(self, sandbox):
        """The sandbox's network namespace goes away, without any DEL."""
        nsmount.end(sandbox.netns)
        self.sandboxes.remove(sandbox)

    def conf(self, **ipam):
        """What the runtime gives cilium-cni on stdin."""
        return {**self.node.conf(**ipam), "type": "cilium-cni", "cniVersion": self.version}

    def request(self, command, sandbox, conf=None, env=None):
        """Environment and stdin of one call. conf: another configuration. env: further variables."""
        conf = dict(conf or self.conf())
        if sandbox.result and command in ("DEL", "CHECK") and conf["cniVersion"] not in ("0.3.0", "0.3.1"):
            conf["prevResult"] = sandbox.result
        names = (None, None, None, None)
        if command not in ("STATUS", "GC"):
            names = (sandbox.container_id, "eth0", sandbox.netns, sandbox.args)
        variables = plugin.environment(command, *names, path=self.path)
        return {**variables, "CILIUM_SOCK": self.agent.socket, **(env or {})}, conf

    def call(self, command, sandbox=None, **more):
        """Run cilium-cni once; more as in request()."""
        return plugin.run(self.binary, *self.request(command, sandbox or _NOBODY, **more), wrapper=self._wrapper())

    def start(self, command, sandbox):
        """Begin a call, and do not wait; returns race.Running."""
        return Running(self.binary, *self.request(command, sandbox), wrapper=self._wrapper())

    def add(self, sandbox, **more):
        """ADD that must succeed; returns its addresses, IPv4 first."""
        done = self.must("ADD", sandbox, **more)
        sandbox.result = done.json
        return sorted(done.addresses, key=lambda address: ":" in address)

    def up(self, pod=POD, **more):
        """A new sandbox of a pod that is up; returns it and its addresses."""
        made = self.sandbox(pod)
        return made, self.add(made, **more)

    def must(self, command, sandbox=None, **more):
        """A call that must succeed; returns its Outcome."""
        done = self.call(command, sandbox, **more)
        assert done.exit == 0, f"{command} {sandbox}: exit {done.exit}: {done.stdout} {done.stderr}"
        return done

    def refused(self, command, sandbox=None, **more):
        """A call that must fail; returns the error that cilium-cni printed."""
        done = self.call(command, sandbox, **more)
        assert done.exit != 0 and "code" in done.json, f"{command}: exit {done.exit}: {done.stdout} {done.stderr}"
        return done.json

    def called(self):
        """The commands that reached the product, in order, with the container IDs."""
        return re.findall(r"\] ([A-Z]+) ([\w.-]*)/", self.log())

    def newest(self, program):
        """A program of the newest CNI plugins. Errors: Skip when it is not built."""
        path = peers.binary(program)
        if not path:
            raise Skip(f"needs {program}: run {peers.BUILD}")
        return path

    def log(self):
        """What the product wrote into its log."""
        with open(f"{self.node.home}/log") as file:
            return file.read()

    def check_free(self, expected, pod=POD):
        """Nobody has an address, and these are held for the pod: its next sandbox gets them, and is deleted."""
        self.node.assert_in_use({})
        made, got = self.up(pod)
        assert got == expected, f"{pod} had {expected}, and got {got}"
        self.must("DEL", made)

    def reboot(self, agent_is_up=True):
        """The power was gone: no namespaces, another boot id, an empty /run, an agent that knows no endpoints."""
        self.agent.kill()
        self._remove_namespaces()
        self.agent.endpoints.clear()
        new_boot()
        self._make_namespace()
        if agent_is_up:
            self.agent.start()

    def links(self):
        """What links_of() says of the node."""
        return links_of(self.netns)

    def rules(self):
        """The node's IPv4 routing rules, as ip(8) shows them."""
        return shown(self.netns, "rule")

    def routes(self, table):
        """The IPv4 routes of one of the node's tables."""
        return shown(self.netns, "route", "table", str(table))

    def ip(self, *words):
        """Run ip(8) in the node's namespace."""
        nsmount.run(*self._wrapper(), "ip", *words)

    def _wrapper(self):
        return "nsenter", f"--net={self.netns}"

    def _make_namespace(self):
        os.makedirs(NETNS, exist_ok=True)
        nsmount.make(self.netns)

    def _remove_namespaces(self):
        for sandbox in self.sandboxes:
            nsmount.remove(sandbox.netns)
        self.sandboxes = []
        nsmount.remove(self.netns)


class Place:
    """Where the cases of one peer make their nodes: call it as CiliumNode, but for folder and peer."""

    def __init__(self, folder, peer):
        self.folder = folder
        self.peer = peer

    def __call__(self, ranges=None, **more):
        return CiliumNode(f"{self.folder}/{self.peer}-{next(_numbers)}", self.peer, ranges, **more)


_NOBODY = Sandbox("", "x/x", "", "")


def links_of(netns):
    """The addresses on each link but lo: {name: {address with prefix length}}; link-local ones are left out."""
    return {link["ifname"]: {f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"]
                             if one["scope"] != "link"}
            for link in shown(netns, "address") if link["ifname"] != "lo"}


def shown(netns, what, *words):
    """What `ip <what> show <words>` prints in a network namespace."""
    show = ["nsenter", f"--net={netns}", "ip", "-json", what, "show", *words]
    return json.loads(subprocess.run(show, check=True, capture_output=True).stdout)


def pods(count):
    """That many pods of a StatefulSet, "default/web-<n>"."""
    return [f"{pod.namespace}/{pod.name}" for pod in (Pod(f"web-{number}") for number in range(count))]


def queued():
    """The endpoints whose deletion waits for the agent, as cilium-cni wrote them down."""
    found = []
    for name in os.listdir(QUEUE) if os.path.isdir(QUEUE) else []:
        if name.endswith(".delete"):
            with open(f"{QUEUE}/{name}") as file:
                found.append(file.read())
    return found
