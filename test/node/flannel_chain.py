"""A real chain of CNI plugins: a parent as Flannel's plugin is, Debian's bridge plugin, and the address plugin.

Use it inside world.enter(): orphans end with the world at the latest.
"""
import contextlib
import glob
import json
import os
import subprocess
import sys
import time

import nsmount
from live_netns import Namespace
from node import Node, args_of
from plugin import BINARY, HOST_LOCAL, environment
from race import PATIENCE, wait_until

BRIDGE = "/usr/lib/cni/bridge"
NODE_NETNS = "/run/netns/node"
SINGLE = [[{"subnet": "10.9.0.0/24"}]]
DUAL = [*SINGLE, [{"subnet": "fd00:9::/64"}]]
POD = "default/web-0"
TICK = 1 / os.sysconf("SC_CLK_TCK")

# What Flannel's plugin does: an ADD notes its netconf by container ID, the first DEL takes the note and asks with it,
# any other DEL is a success that nobody below hears of. The main plugin runs as a child, with the same environment.
# With a third argument an ADD's main plugin reads its netconf there: who writes it says when that plugin goes on.
FLANNEL = """
import os, subprocess, sys
note = os.path.join(sys.argv[2], os.environ["CNI_CONTAINERID"])
slow = sys.argv[3:]
if os.environ["CNI_COMMAND"] == "ADD":
    conf = sys.stdin.read()
    with open(note, "w") as file:
        file.write(conf)
    if slow:
        sys.exit(subprocess.run([sys.argv[1]], stdin=open(slow[0])).returncode)
elif os.path.exists(note):
    with open(note) as file:
        conf = file.read()
    os.unlink(note)
else:
    sys.exit(0)
sys.exit(subprocess.run([sys.argv[1]], input=conf, text=True).returncode)
"""
# Address plugins whose ADD waits: before it begins (in the same process), or after its answer.
GATE_BEFORE = """#!/bin/sh
[ "$CNI_COMMAND" = ADD ] && read -r line <"{gate}"
exec "{binary}"
"""
GATE_AFTER = """#!/bin/sh
"{binary}"
status=$?
[ "$CNI_COMMAND" = ADD ] && read -r line <"{gate}"
exit $status
"""


class Chain:
    """One command on its way through Flannel, bridge and the address plugin; `pid` is Flannel's.

    slow: the FIFO from which bridge shall read its netconf, if any.
    """

    def __init__(self, node, command, container_id, netns, path, slow=()):
        flannel = [sys.executable, f"{node.home}/flannel", BRIDGE, f"{node.home}/notes", *slow]
        self._process = subprocess.Popen(
            ["nsenter", f"--net={NODE_NETNS}", *flannel],
            env=environment(command, container_id, netns=netns, args=args_of(POD, "u1"), path=path),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.pid = self._process.pid
        self.conf = conf = {**node.conf(), "bridge": "cni0", "isGateway": True}
        if node.binary == HOST_LOCAL:
            conf["ipam"]["type"] = "host-local"
        self._process.stdin.write(json.dumps(conf).encode())
        self._process.stdin.close()
        self._process.stdin = None

    def kill_parent(self):
        """SIGKILL to Flannel alone, as a runtime does whose patience is over."""
        self._process.kill()
        self._process.wait()

    def finish(self):
        """Wait until the last of the chain ends; returns what bridge, or Flannel, printed, as JSON."""
        out, _ = self._process.communicate(timeout=PATIENCE)
        return json.loads(out) if out.strip() else None

    @property
    def exit(self):
        return self._process.returncode


class Scene:
    """A node with one pod, that had an address before; for a with block. `address`: what is held for it."""

    def __init__(self, folder, ranges=DUAL, binary=BINARY):
        self.node = Node(folder, ranges, binary=binary)
        self.plugin = "host-local" if binary == HOST_LOCAL else "delegated-ipam"
        self._ending = contextlib.ExitStack()

    def __enter__(self):
        os.makedirs("/run/netns", exist_ok=True)
        os.makedirs(f"{self.node.home}/bin")
        os.makedirs(f"{self.node.home}/notes")
        with open(f"{self.node.home}/flannel", "w") as file:
            file.write(FLANNEL)
        os.symlink(self.node.binary, f"{self.node.home}/bin/{self.plugin}")
        self._ending.callback(nsmount.remove, nsmount.make(NODE_NETNS))
        self.netns = self._ending.enter_context(Namespace("cni-c1")).path
        self.address = self.node.add("c0", POD)
        self.node.delete("c0", POD)
        return self

    def __exit__(self, *_):
        self._ending.close()

    def gated(self, script):
        """A plugin folder whose address plugin waits at a gate; returns it and the gate's path."""
        folder = f"{self.node.home}/gated"
        os.makedirs(folder)
        os.mkfifo(f"{folder}/gate")
        path = f"{folder}/{self.plugin}"
        with open(path, "w") as file:
            file.write(script.format(gate=f"{folder}/gate", binary=self.node.binary))
        os.chmod(path, 0o755)
        return folder, f"{folder}/gate"

    def start(self, container_id="c1", folder=None, slow=()):
        """Begin the ADD of a sandbox."""
        return Chain(self.node, "ADD", container_id, self.netns, folder or f"{self.node.home}/bin", slow)

    def start_slow_bridge(self):
        """Begin an ADD whose bridge waits for its netconf; returns the chain, bridge's id, and what lets it go on."""
        fifo = f"{self.node.home}/netconf"
        os.mkfifo(fifo)
        chain = self.start(slow=[fifo])
        gate = Gate(fifo)
        bridge = wait_until(lambda: child_named("bridge", chain.pid), "bridge does not start")
        return chain, bridge, lambda: gate.let_through(json.dumps(chain.conf))

    def delete(self, container_id="c1"):
        """The runtime's DEL, through the whole chain, which must succeed."""
        chain = Chain(self.node, "DEL", container_id, self.netns, f"{self.node.home}/bin")
        printed = chain.finish()
        assert chain.exit == 0 and printed is None, f"DEL: exit {chain.exit}: {printed}"

    def check_nothing_left(self):
        """Nobody has an address; the pod's next ADD gets its own, under a new sandbox and under the same."""
        self.node.assert_in_use({})
        held = {address: binding.owner for address, binding in self.node.bindings().items()}
        assert held == {address: POD for address in self.address}, f"bindings {held}"
        assert self.node.add("stranger", "default/stranger") != self.address
        for container_id in ("c2", "c1"):
            assert self.node.add(container_id, POD) == self.address, container_id
            self.node.delete(container_id, POD)


class Gate:
    """The writing end of a FIFO: made as soon as somebody reads there."""

    def __init__(self, path):
        self._path = path
        self._descriptor = wait_until(self._open, f"nobody reads {path}")

    def _open(self):
        try:
            return os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None

    def let_through(self, text="go\n"):
        """Give the reader what it waits for."""
        os.write(self._descriptor, text.encode())
        os.close(self._descriptor)


def child_of(pid):
    """The id of the only child of a process."""
    (child,) = children_of(pid)
    return child


def child_named(name, pid):
    """The id of the child that runs the program of this name; None as long as there is none."""
    return next((child for child in children_of(pid) if comm_of(child) == name), None)


def children_of(pid):
    """The children of each of its threads: a Go program starts them from any."""
    children = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path) as file:
            children += map(int, file.read().split())
    return children


def comm_of(pid):
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


def stat_of(pid):
    """The fields of /proc/PID/stat from the state on; dummies for a process that is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return ["gone"] + [""] * 30


def let_clock_pass(pid):
    """Wait until the clock by which starts are told has gone past this process's start."""
    started = int(stat_of(pid)[19]) * TICK
    wait_until(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) > started + 2 * TICK, "the clock stands still")
