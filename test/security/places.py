"""Every path that a command looks at, opens or makes, as strace tells them, and how the commands are called for it.

Use it inside sandbox.enter().
"""
import itertools
import os
import re

import odd
import plugin
import result_cache
import tool
import trace
from ledger import DelegatedNode
from looked_at import Looked
from node import NO_NETNS
from plugin import BINARY

HOME = "/var/lib/cni/security"
RUNS = "/run/delegated-ipam"
SECONDS = 30  # a call that still runs then hangs
FILLERS = [f"10.9.0.{last}" for last in range(20, 36)]  # from 16 reservations on there is an index
PODS = {"c-live": "shop/live", "c-gone": "shop/gone", "c-stale": "shop/stale"}
FIRST_OF_BOOT = ", the first of a boot"

# System calls that name files; how many strings of each are paths, and whether what is made of them comes last.
FIRST = ("access", "chmod", "chown", "creat", "execve", "faccessat", "faccessat2", "fchmodat", "fchownat", "getxattr",
         "lgetxattr", "lstat", "mkdir", "mkdirat", "mknod", "mknodat", "name_to_handle_at", "newfstatat", "open",
         "openat", "openat2", "readlink", "readlinkat", "rmdir", "setxattr", "stat", "statfs", "statx", "truncate",
         "unlink", "unlinkat", "utimensat")
BOTH = ("link", "linkat", "rename", "renameat", "renameat2")
LAST = ("symlink", "symlinkat")
STRING = re.compile(r'(?:(?:AT_FDCWD|-?\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
SOCKET = re.compile(r'sun_path="([^"]+)"')

numbers = itertools.count()


def paths_of(calls):
    """The absolute paths that these calls name."""
    found = set()
    for call in calls:
        found.update(SOCKET.findall(call.args))
        strings = STRING.findall(call.args) if call.name in FIRST + BOTH + LAST else []
        if call.name in FIRST:
            strings = strings[:1]
        if call.name in LAST:
            strings = strings[1:2]
        # An empty name is the open descriptor itself.
        found.update(os.path.normpath(os.path.join(folder, name)) for folder, name in strings if name)
    return found


class Commands:
    """What is asked of a node, in order: name -> function that runs it under a wrapper and returns its Outcome."""

    def request(self, command, container_id, pod=None, **more):
        more["netns"] = self.netns if container_id == "c-live" else NO_NETNS
        return super().request(command, container_id, pod, **more)

    def ask(self, verb, container_id, pod, wrapper=()):
        env, conf = self.request(verb, container_id, pod)
        conf["cniVersion"] = "1.1.0"
        if verb == "GC":
            conf["cni.dev/valid-attachments"] = [
                {"containerID": one, "ifname": "eth0"} for one in ("c-live", "c-gone", "c-new", "c-held-2")]
        if verb == "CHECK":
            conf["prevResult"] = {"cniVersion": "1.1.0", "ips": [{"address": f"{self.live}/24"}]}
        return plugin.run(BINARY, env, conf, wrapper=wrapper, timeout=SECONDS)

    def plugin_commands(self):
        calls = {
            "ADD": ("ADD", "c-new", "shop/new"),
            "CHECK": ("CHECK", "c-live", "shop/live"),
            "ADD of a running pod": ("ADD", "c-live", "shop/live"),
            "ADD of a pod that comes back": ("ADD", "c-held-2", "shop/held"),
            "STATUS": ("STATUS", None, None),
            "DEL of an unknown container": ("DEL", "c-unknown", "shop/unknown"),
            "DEL": ("DEL", "c-gone", "shop/gone"),
            "GC": ("GC", None, None),
            f"ADD{FIRST_OF_BOOT}": ("ADD", "c-first", "shop/first"),
            f"DEL{FIRST_OF_BOOT}": ("DEL", "c-unknown", "shop/unknown"),
        }
        return {name: lambda wrapper=(), call=call: self.ask(*call, wrapper=wrapper) for name, call in calls.items()}

    def prepare(self, command):
        if command.endswith(FIRST_OF_BOOT):
            odd.remove(self.run_dir)

    def place_of(self, path):
        """The path with names for the node's own folders."""
        for folder, name in self.names:
            if path == folder or path.startswith((folder + "/", folder + "-")):
                return name + path[len(folder):]
        return path

    def path_of(self, place):
        """The other way round."""
        for folder, name in self.names:
            if place == name or place.startswith((name + "/", name + "-")):
                return folder + place[len(name):]
        return place


def general(place):
    """What a place has in common with those of other pods and addresses."""
    for pattern, name in ((r"[0-9a-f]{64}", "KEY"), (r"\d+(\.\d+){3}", "ADDRESS"), (r"pod\..*", "pod.POD"),
                          (r"(?<=^@runs/)\d+:\d+", "NUMBER"), (r"(?<=^@entry-).*", "ID"), (r"(?<=^/proc/)\d+", "PID")):
        place = re.sub(pattern, name, place)
    return place


class BuiltIn(Commands, Looked):
    """A node with an index, a pod that runs in a namespace, one that is awaited, and what else a command may read."""

    def __init__(self, netns):
        super().__init__(f"{HOME}/{next(numbers)}", [], name="net", timeoutSeconds=5)
        del self.ipam["ranges"]
        self.netns = netns
        self.ipam.update({
            "rangesFrom": {"subnetFile": f"{self.home}/subnet.env"}, "logFile": f"{self.home}/log/ipam.log",
            "logLevel": "debug", "delegate": {"type": "host-local", "resolvConf": f"{self.home}/resolv.conf"}})

    def __enter__(self):
        super().__enter__()
        self.write("subnet.env", "FLANNEL_SUBNET=10.9.0.1/24\n")
        self.write("resolv.conf", "nameserver 10.96.0.10\n")
        for number, address in enumerate(FILLERS):
            self.write(f"networks/net/{address}", f"c-filler-{number}\r\neth0")
        self.homes = {one: self.add(one, pod)[0] for one, pod in PODS.items()}
        self.held, = self.add("c-held", "shop/held")
        self.delete("c-held", "shop/held")
        self.live = self.homes["c-live"]
        self.homes.update({f"c-filler-{number}": address for number, address in enumerate(FILLERS)})
        self.cache("c-live", "shop/live", [self.live], self.netns)
        found = os.stat(self.network_dir)
        self.run_dir = f"{RUNS}/{found.st_dev}:{found.st_ino}"
        self.names = [(self.network_dir, "@network"), (self.data_dir, "@data"), (self.record_dir, "@records"),
                      (self.state_dir, "@state"), (self.run_dir, "@run"), (RUNS, "@runs"), (self.conf_dir, "@conf"),
                      (self.home, "@home"), (f"/var/lib/cni/results/{self.name}", "@entry")]
        return self

    def __exit__(self, *_):
        odd.remove(result_cache.path(self.name, "c-live"))
        super().__exit__()

    def ended(self):
        """Those whose files are gone or say something else."""
        there = self.attachments()
        return [one for one, address in self.homes.items() if there.get(address) != f"{one}\r\neth0".encode()]

    def commands(self):
        def of_tool(*words):
            return lambda wrapper=(): tool.call(*words, *self.look(), wrapper=wrapper, timeout=SECONDS)

        return {**self.plugin_commands(), "list": of_tool("list"), "show": of_tool("show", "shop/live"),
                "status": of_tool("status"), "report": of_tool("report")}


class Delegated(Commands, DelegatedNode):
    """The same where another program hands out the addresses."""

    def __init__(self, netns):
        super().__init__(f"{HOME}/{next(numbers)}", timeoutSeconds=20)
        self.netns = netns
        self.entry = result_cache.path(self.name, "c-live")  # a runtime's is there before an ADD is repeated

    def __enter__(self):
        self.homes = {one: self.add(one, pod)[0] for one, pod in PODS.items()}
        self.live = self.homes["c-live"]
        self.add("c-held", "shop/held")
        self.delete("c-held", "shop/held")
        self.run_dir = self.runtime_folder()
        self.names = [(self.run_dir, "@plugin"), (RUNS, "@runs"), (self.home, "@home"),
                      (f"/var/lib/cni/results/{self.name}", "@entry")]
        os.makedirs(result_cache.FOLDER, exist_ok=True)
        with open(self.entry, "w"):
            pass  # that it is there is all that is asked for
        self.names[:0] = [(f"{self.state_dir}/delegate%3Aledger_{self.name}", "@records"), (self.state_dir, "@state")]
        return self

    def __exit__(self, *_):
        odd.remove(self.entry)
        odd.remove(self.run_dir)
        self.remove()

    def ended(self):
        """Those whose lease is gone."""
        leases = self.ledger.leases()
        return [one for one, address in self.homes.items() if leases.get(address) != one]

    def commands(self):
        return self.plugin_commands()


def traced(node, name):
    """The places that this command names, and its Outcome."""
    log = f"{node.home}/strace"
    node.prepare(name)
    outcome = node.commands()[name](wrapper=("strace", "-qq", "-y", "-s", "512", "-o", log))
    with open(log, errors="replace") as file:
        calls = trace.parse(file.read())
    os.unlink(log)
    began = next(place for place, call in enumerate(calls) if call.name == "execve")
    return {node.place_of(path) for path in paths_of(calls[began + 1:])}, outcome
