"""A node whose runtime is cnitool: the newest libcni with its result cache, and real plugins under a conflist.

Use it inside world.enter(), after fake_boots(). The node has a network namespace of its own, and so has every sandbox.
Each sandbox that gets an address is reached there, by the node and by a sandbox that was there before.
"""
import hashlib
import ipaddress
import itertools
import json
import os
import re
import shutil
import subprocess

import nsmount
import peers
import plugin
import reach
import result_cache
from cilium_node import NETNS, POD, Sandbox
from node import Node, new_boot
from race import Running

VERBS = {"ADD": "add", "CHECK": "check", "DEL": "del", "GC": "gc", "STATUS": "status"}

_numbers = itertools.count(1)


class LibcniNode:
    """One node; for a with block.

    programs: real plugins to install, by name. version: of the conflist. main: keys of the plugin that calls the
    product. ipam: keys of the product beside `delegate`.
    """

    network = "net"
    programs = ("bridge",)

    def __init__(self, folder, ranges=None, version="1.1.0", main=None, **ipam):
        folder = f"{folder}/{next(_numbers)}"
        self.node = Node(folder, ranges, name=self.network, logFile=f"{folder}/log", **ipam)
        self.version = version
        self.main = main or {}
        self.path = f"{folder}/bin"
        self.confs = f"{folder}/net.d"
        self.netns = f"{NETNS}/node"
        self.sandboxes = []
        self._reached = {}  # what was measured

    def __enter__(self):
        shutil.rmtree(result_cache.FOLDER, ignore_errors=True)
        for folder in (self.path, self.confs):
            os.makedirs(folder)
        os.symlink(plugin.BINARY, f"{self.path}/delegated-ipam")
        for program in self.programs:
            os.symlink(peers.binary(program), f"{self.path}/{program}")
        self._make_namespace()
        self.configure()
        return self

    def __exit__(self, *error):
        self._remove_namespaces()
        if self._reached:
            print(f"# reached by {reach.worst(self._reached)}", flush=True)

    def plugin(self):
        """The plugin of the conflist, with its keys."""
        ipam = without_nones(self.node.conf()["ipam"])
        return without_nones({"type": "bridge", "bridge": "cni0", "isGateway": True, "ipam": ipam, **self.main})

    def configure(self, **changes):
        """Write the conflist. changes: keys of its plugin that are otherwise from now on; None: not there."""
        self.main.update(changes)
        with open(f"{self.confs}/10-{self.network}.conflist", "w") as file:
            json.dump({"cniVersion": self.version, "name": self.network, "plugins": [self.plugin()]}, file)

    def configure_ipam(self, **changes):
        """Write the conflist. changes: keys of the product's that are otherwise from now on; None: not there."""
        self.node.ipam.update(changes)
        self.configure()

    def install(self, name, script):
        """Put a plugin of the test's into the folder where libcni looks for plugins; returns its path."""
        path = f"{self.path}/{name}"
        with open(path, "w") as file:
            file.write(script)
        os.chmod(path, 0o755)
        return path

    def sandbox(self, pod=POD):
        """A new sandbox of a pod, without network yet. cnitool makes the container ID of the path."""
        path = f"{NETNS}/cni-{next(_numbers)}"
        container_id = f"cnitool-{hashlib.sha512(path.encode()).hexdigest()[:20]}"
        made = Sandbox(container_id, pod, "uid-1", nsmount.make(path))
        self.sandboxes.append(made)
        return made

    def lose(self, sandbox):
        """The sandbox's network namespace goes away, without any DEL."""
        nsmount.end(sandbox.netns)
        self.sandboxes.remove(sandbox)

    def request(self, verb, sandbox=None, capabilities=None):
        """Environment, and the command as a list. capabilities: the runtime's arguments for them."""
        env = {"PATH": os.environ["PATH"], "CNI_PATH": self.path, "NETCONFPATH": self.confs}
        if sandbox:
            env["CNI_ARGS"] = sandbox.args
        if capabilities:
            env["CAP_ARGS"] = json.dumps(capabilities)
        netns = sandbox.netns if sandbox else "/nowhere"
        tool = peers.binary("cnitool")
        return env, ["nsenter", f"--net={self.netns}", tool, VERBS[verb], self.network, netns]

    def call(self, verb, sandbox=None, **more):
        """Run cnitool once; returns its Outcome. Its errors are on stderr."""
        env, command = self.request(verb, sandbox, **more)
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        return plugin.Outcome(done.returncode, done.stdout, done.stderr)

    def start(self, verb, sandbox):
        """Begin a call, and do not wait; returns race.Running. Its pid is cnitool's."""
        env, command = self.request(verb, sandbox)
        return Running(command[-1], env, {}, wrapper=command[:-1])

    def must(self, verb, sandbox=None, **more):
        """A call that must succeed; returns its Outcome."""
        done = self.call(verb, sandbox, **more)
        assert done.exit == 0, f"{verb} {sandbox}: exit {done.exit}: {done.stdout} {done.stderr}"
        return done

    def refused(self, verb, sandbox=None, **more):
        """A call that must fail; returns what cnitool says."""
        done = self.call(verb, sandbox, **more)
        assert done.exit != 0 and done.stderr, f"{verb}: exit {done.exit}: {done.stdout} {done.stderr}"
        return done.stderr.strip().splitlines()[-1]

    def add(self, sandbox, **more):
        """ADD that must succeed; returns its addresses, IPv4 first, at which the sandbox has been reached."""
        done = self.must("ADD", sandbox, **more)
        sandbox.result = done.json
        self._check_reached(sandbox, done.addresses)
        return sorted(done.addresses, key=lambda address: ":" in address)

    def up(self, pod=POD, **more):
        """A new sandbox of a pod that is up; returns it and its addresses."""
        made = self.sandbox(pod)
        return made, self.add(made, **more)

    def called(self):
        """The commands that reached the product, in order, with the container IDs."""
        return re.findall(r"\] ([A-Z]+) ([\w.-]*)", self.log())

    def log(self):
        """What the product wrote into its log; nothing when it was never run."""
        if not os.path.exists(f"{self.node.home}/log"):
            return ""
        with open(f"{self.node.home}/log") as file:
            return file.read()

    def cached(self):
        """The container IDs that libcni has results of."""
        names = os.listdir(result_cache.FOLDER) if os.path.isdir(result_cache.FOLDER) else []
        return {name[len(self.network) + 1:].rpartition("-")[0] for name in names}

    def forget(self, sandbox):
        """libcni's cache loses the sandbox's entry, as in a power cut."""
        os.unlink(result_cache.path(self.network, sandbox.container_id))

    def check_free(self, expected, pod=POD):
        """Nobody has an address, and these are held for the pod: its next sandbox gets them, and is deleted."""
        self.node.assert_in_use({})
        made, got = self.up(pod)
        assert got == expected, f"{pod} had {expected}, and got {got}"
        self.must("DEL", made)

    def reboot(self):
        """The power was gone: no namespaces, another boot id, an empty /run."""
        self._remove_namespaces()
        new_boot()
        self._make_namespace()

    def _check_reached(self, sandbox, addresses):
        """So every address has been talked to, by the node and by a sandbox beside it: whoever gets it later is known
        to them under another MAC address. Where the product is the main plugin nobody makes a link."""
        links = sandbox.links()
        for address in addresses if links else ():
            places = {"node": self.netns}
            others = (one for one in self.sandboxes if one is not sandbox)
            neighbour = next((one for one in others if is_beside(address, one.links())), None)
            if neighbour:
                places["neighbour"] = neighbour.netns
            for (place, _), seconds in reach.measure(places, [address]).items():
                self._reached[place, f"{address} of {sandbox.container_id}"] = seconds

    def _make_namespace(self):
        os.makedirs(NETNS, exist_ok=True)
        nsmount.make(self.netns)

    def _remove_namespaces(self):
        for sandbox in self.sandboxes:
            nsmount.remove(sandbox.netns)
        self.sandboxes = []
        nsmount.remove(self.netns)


def is_beside(address, links):
    """True if one of the links has an address in the same network."""
    networks = [ipaddress.ip_interface(text).network for texts in links.values() for text in texts]
    return any(ipaddress.ip_address(address) in network for network in networks)


def without_nones(keys):
    """The keys of an object that have a value."""
    return {key: value for key, value in keys.items() if value is not None}
