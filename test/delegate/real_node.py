"""A node with Debian's main plugins and IPAM plugins, and the product between them.

    node's namespace    eth0: macvlan's parent; for bridge a port of the bridge br-pods
    server's namespace  lan: the far end of eth0, 10.78.0.1; a DHCP server can run there

Use it inside world.enter(). Several can be there at the same time, in folders of different names.
"""
import contextlib
import json
import os
import subprocess
import urllib.parse

import nsmount
import plugin
from live_netns import Namespace
from race import Running, wait_until

STOCK = "/usr/lib/cni"
SUBNET, GATEWAY = "10.78.0.0/24", "10.78.0.1"
DELEGATES = "/run/delegated-ipam/delegates"
MAIN_KEYS = {"bridge": {"bridge": "br-pods"}, "macvlan": {"master": "eth0"}, "ptp": {}}

# Stands in for a delegate; its ADD stops itself before it begins, or after the lease is taken and before it answers.
GATES = {
    "before": """#!/bin/sh
{stop}
exec "{binary}"
""",
    "after": """#!/bin/sh
answer=$("{binary}")
status=$?
{stop}
printf '%s' "$answer"
exit $status
""",
}
STOP = """[ "$CNI_COMMAND" = ADD ] && {{ echo $$ $PPID >"{pids}"; kill -STOP $$; }}"""


class Pod:
    """A pod's sandbox on a node: a network namespace for a with block. `number` tells the pods of a node apart."""

    def __init__(self, scene, number, name=None):
        self.number = number
        self.container_id = f"{scene.name}-c{number}"
        self.name = name or f"web-{number}"
        self._namespace = Namespace(self.container_id)
        self.netns = self._namespace.path

    def __enter__(self):
        self._namespace.__enter__()
        return self

    def __exit__(self, *more):
        self._namespace.__exit__(*more)

    @property
    def args(self):
        return plugin.pod_args("default", self.name, f"uid-{self.name}", self.container_id)

    def addresses(self):
        """The IPv4 addresses on the pod's link; none when there is no link."""
        done = subprocess.run(["nsenter", f"--net={self.netns}", "ip", "-json", "-4", "address", "show", "dev", "eth0"],
                              capture_output=True, text=True)
        shown = json.loads(done.stdout) if done.returncode == 0 else []
        return [address["local"] for link in shown for address in link.get("addr_info", [])]

    def reaches(self, address):
        """True if a ping is answered."""
        ping = ["nsenter", f"--net={self.netns}", "busybox", "ping", "-c", "1", "-W", "2", address]
        return any(subprocess.run(ping, capture_output=True).returncode == 0 for _ in range(3))


class RealNode:
    """One node and one network: main plugin `main` over `delegate`; for a with block.

    folder: where all of it lies. delegate_of(pod): the delegate's keys. network: its name, if not the folder's.
    binary: the delegate's program, if not Debian's. plugins: the folder of the main plugin. ours: the keys beside
    `delegate`.
    """

    def __init__(self, folder, main, delegate, delegate_of=lambda pod: {}, network=None, binary=None, plugins=STOCK,
                 **ours):
        self.folder = folder
        self.name = os.path.basename(folder)
        self.network = network or self.name
        self.netns, self.server_netns = (f"/run/netns/{self.name}-{where}" for where in ("node", "server"))
        self.main = main
        self.delegate = delegate
        self.binary = binary or f"{STOCK}/{delegate}"
        self._main_binary = f"{plugins}/{main}"
        self._delegate_of = delegate_of
        self._ours = {"stateDir": f"{folder}/state", **ours}
        self.path = f"{folder}/bin:{STOCK}"
        self._ending = contextlib.ExitStack()

    def __enter__(self):
        os.makedirs(f"{self.folder}/bin")
        os.makedirs("/run/netns", exist_ok=True)
        os.symlink(plugin.BINARY, f"{self.folder}/bin/delegated-ipam")
        if os.path.dirname(self.binary) != STOCK:
            os.symlink(self.binary, f"{self.folder}/bin/{self.delegate}")
        for netns in (self.netns, self.server_netns):
            self._ending.callback(nsmount.remove, nsmount.make(netns))
        self._connect()
        return self

    def __exit__(self, *_):
        self._ending.close()

    def enter(self, context):
        """Have a context manager end with this node; returns what it gives."""
        return self._ending.enter_context(context)

    def conf(self, pod, version="1.0.0", previous=None, stock=False, more=()):
        """The netconf that the main plugin gets, with `more` keys. stock: the delegate instead of the product."""
        ipam = {"type": self.delegate, **self._delegate_of(pod)}
        if not stock:
            ipam = {"type": "delegated-ipam", **self._ours, "delegate": ipam}
        conf = {"cniVersion": version, "name": self.network, "type": self.main, **MAIN_KEYS[self.main], "ipam": ipam}
        return {**conf, **({"prevResult": previous} if previous else {}), **dict(more)}

    def set(self, **ours):
        """Other keys of the product's own from now on; None takes one away."""
        self._ours = {key: value for key, value in {**self._ours, **ours}.items() if value is not None}

    def request(self, command, pod, path=None, **more):
        """Environment and stdin of one call; more as in conf()."""
        env = plugin.environment(command, pod.container_id, netns=pod.netns, args=pod.args, path=path or self.path)
        return env, self.conf(pod, **more)

    def call(self, command, pod, direct=False, wrapper=(), **more):
        """Run the main plugin, or the product itself (direct); wrapper: a command to run it under."""
        env, conf = self.request(command, pod, **more)
        wrapper = (*wrapper, "nsenter", f"--net={self.netns}")
        return plugin.run(plugin.BINARY if direct else self._main_binary, env, conf, wrapper=wrapper)

    def must(self, command, pod, **more):
        """The same for a command that must succeed; returns its Outcome."""
        done = self.call(command, pod, **more)
        assert done.exit == 0, f"{command} {pod.container_id} {more}: exit {done.exit}: {done.stdout} {done.stderr}"
        return done

    def start(self, command, pod, direct=False, **more):
        """Begin a command, and do not wait; returns race.Running."""
        env, conf = self.request(command, pod, **more)
        binary = plugin.BINARY if direct else self._main_binary
        return Running(binary, env, conf, ("nsenter", f"--net={self.netns}"))

    def gate(self, where, name="gated"):
        """A CNI_PATH whose delegate stops in ADD, "before" or "after" it has the lease; and the file for its ids."""
        folder = f"{self.folder}/{name}"
        os.makedirs(folder)
        stop = STOP.format(pids=f"{folder}/pids")
        with open(f"{folder}/{self.delegate}", "w") as file:
            file.write(GATES[where].format(stop=stop, binary=self.binary))
        os.chmod(f"{folder}/{self.delegate}", 0o755)
        return f"{folder}:{self.path}", f"{folder}/pids"

    def plug(self, pod):
        """Give a pod a link without any plugin: what a main plugin has done when it asks for addresses."""
        self._in(self.netns, "ip", "link", "add", "link", "eth0", "name", "eth0", "netns", pod.container_id,
                 "type", "macvlan", "mode", "bridge")
        self._in(pod.netns, "ip", "link", "set", "eth0", "up")

    def places(self, neighbour):
        """From where pods can be reached, beside this one: {name: network namespace}."""
        places = {"neighbour": neighbour.netns}
        return {**places, "node": self.netns} if self.main == "ptp" else {**places, "LAN": self.server_netns}

    def journal(self):
        """The entries of the network's ADDs that are under way, or were killed. Errors: before the first ADD."""
        folders = {urllib.parse.unquote(name): name for name in os.listdir(DELEGATES)}
        return os.listdir(f"{DELEGATES}/{folders[f'{self.network}~{self.delegate}']}/journal")

    def _connect(self):
        self._in(self.netns, "ip", "link", "set", "lo", "up")
        self._in(self.netns, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "lan", "netns",
                 os.path.basename(self.server_netns))
        self._in(self.server_netns, "ip", "address", "add", f"{GATEWAY}/24", "dev", "lan")
        self._in(self.server_netns, "ip", "link", "set", "lan", "up")
        self._in(self.netns, "ip", "link", "set", "eth0", "up")
        if self.main == "bridge":
            self._in(self.netns, "ip", "link", "add", "br-pods", "type", "bridge")
            self._in(self.netns, "ip", "link", "set", "eth0", "master", "br-pods")
            self._in(self.netns, "ip", "link", "set", "br-pods", "up")

    @staticmethod
    def _in(netns, *command):
        nsmount.run("nsenter", f"--net={netns}", *command)


def stopped(pids):
    """Wait until the delegate at the gate has stopped itself; its id, and that of the process that runs it."""
    ids = wait_until(lambda: _read_ids(pids), "the delegate does not come to the gate")
    wait_until(lambda: state_of(ids[0]) == "T", "the delegate does not stop")
    return ids


def ended(pid):
    """Wait until a process is gone, or only waits to be collected."""
    wait_until(lambda: state_of(pid) in ("Z", "X", ""), f"process {pid} does not end")


def state_of(pid):
    """The letter of a process's state; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _read_ids(path):
    try:
        with open(path) as file:
            text = file.read()
    except FileNotFoundError:
        return None
    return [int(word) for word in text.split()] if text.endswith("\n") else None
