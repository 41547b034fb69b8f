"""A node whose pods hang on a bridge by a real main plugin, with the product below it: who reaches whom.

Use it inside sandbox.enter() or world.enter(). Several can be there at the same time, in folders of different names.
"""
import contextlib
import json
import os
import subprocess

import nsmount
import plugin
import reach

STOCK = "/usr/lib/cni"
SUBNETS = {4: "10.79.0.0/24", 6: "fd00:79::/64"}
OWN_SYS = 'mount -t sysfs sysfs /sys && exec "$0"'


class BridgeNode:
    """One node and one network, for a with block.

    folder: where all of it lies, a new one. families: of 4 and 6. plugins: the folder of the main plugin. main: its
    name. path: where that finds other plugins. links: commands of ip that make the node's own. keys: of the main plugin,
    beside ipam. ours: keys of ipam; None takes one away. own_sys: plugins see /sys of the node's namespace, as on a real
    node, and not the machine's.
    """

    def __init__(self, folder, families=(4,), plugins=STOCK, main="bridge", keys=(), own_sys=False, path=STOCK,
                 links=(), **ours):
        self.folder = folder
        self.families = families
        self.main = main
        self.keys = dict(keys)
        self.ours = ours
        self.own_sys = own_sys
        self._links = links
        self.binary = plugin.BINARY
        self.netns = self._path("node")
        self._program = f"{plugins}/{main}"
        self._path_of_plugins = f"{folder}/bin:{path}:{STOCK}"
        self._ending = contextlib.ExitStack()
        self._pods = {}

    def __enter__(self):
        os.makedirs(f"{self.folder}/bin")
        os.makedirs("/run/netns", exist_ok=True)
        os.symlink(self.binary, f"{self.folder}/bin/delegated-ipam")
        self._make(self.netns)
        for words in self._links:
            self.run("ip", *words.split())
        return self

    def __exit__(self, *_):
        self._ending.close()

    @property
    def is_gateway(self):
        """True if the node reaches its pods by itself."""
        keys = {**self.keys, **self.keys.get("delegate", {})}
        return bool(self.main == "ptp" or keys.get("isGateway") or keys.get("isDefaultGateway"))

    def conf(self, **ipam):
        """The netconf that the main plugin gets."""
        ranges = [[{"subnet": SUBNETS[family]}] for family in self.families]
        block = {"type": "delegated-ipam", "dataDir": f"{self.folder}/networks", "stateDir": f"{self.folder}/state",
                 "ranges": ranges, "logFile": f"{self.folder}/log", "logLevel": "debug", **self.ours, **ipam}
        block = {key: value for key, value in block.items() if value is not None}
        return {"cniVersion": "1.0.0", "name": "net", "type": self.main, **self.keys, "ipam": block}

    def sandbox(self, container_id):
        """A new network namespace for a container; returns its path."""
        self._pods[container_id] = self._make(self._path(container_id))
        return self._pods[container_id]

    def pod_netns(self, container_id):
        return self._pods[container_id]

    def call(self, command, container_id, name, wrapper=(), conf=None):
        """Run the main plugin for the pod default/NAME; returns plugin.Outcome."""
        env = plugin.environment(command, container_id, netns=self._pods[container_id],
                                 args=plugin.pod_args("default", name, f"uid-{name}", container_id) if name else None,
                                 path=self._path_of_plugins)
        env["PATH"] = os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")  # iptables
        inside = ["nsenter", f"--net={self.netns}"]
        if self.own_sys:
            inside += ["unshare", "--mount", "sh", "-c", OWN_SYS]
        return plugin.run(self._program, env, conf or self.conf(), wrapper=(*wrapper, *inside))

    def add(self, container_id, name, **more):
        """A new sandbox and an ADD that must succeed; returns its addresses."""
        if container_id not in self._pods:
            self.sandbox(container_id)
        done = self.call("ADD", container_id, name, **more)
        assert done.exit == 0, f"ADD {container_id}: exit {done.exit}: {done.stdout} {done.stderr}"
        return done.addresses

    def delete(self, container_id, name, **more):
        """A DEL that must succeed, and the end of the sandbox."""
        done = self.call("DEL", container_id, name, **more)
        assert done.exit == 0, f"DEL {container_id}: exit {done.exit}: {done.stdout} {done.stderr}"
        nsmount.remove(self._pods.pop(container_id))

    def run(self, *command, netns=None):
        """Run a command on the node, or in a pod's namespace; returns its stdout."""
        done = subprocess.run(["nsenter", f"--net={netns or self.netns}", *command], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def show(self, *what, netns=None):
        """What `ip` shows, as objects."""
        return json.loads(self.run("ip", "-json", *what, netns=netns) or "[]")

    def log(self):
        """The product's log so far."""
        path = f"{self.folder}/log"
        if not os.path.exists(path):
            return ""
        with open(path) as file:
            return file.read()

    def restart_pod(self, name="web-0", node_reaches=True):
        """A pod that node and neighbour talk to is deleted and made again; returns what reach.measure() says of the
        new one, and its addresses. The neighbour is left running."""
        self.add("neighbour", "neighbour")
        before = self.add("old", name)
        places = {"neighbour": self.pod_netns("neighbour")}
        if node_reaches:
            places["node"] = self.netns
        for netns in places.values():
            reach.talk(netns, *before)
        self.delete("old", name)
        after = self.add("new", name)
        assert after == before, f"{name} had {before}, and has {after}"
        return reach.measure(places, after), after

    def _path(self, name):
        return f"/run/netns/{os.path.basename(self.folder)}-{name}"

    def _make(self, path):
        nsmount.make(path)
        self._ending.callback(lambda: os.path.exists(path) and nsmount.remove(path))
        nsmount.inside(path, "ip", "link", "set", "lo", "up")
        return path
