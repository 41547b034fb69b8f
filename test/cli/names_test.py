#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Names that others give and that become parts of paths: one that would lead out of its folder is refused at every
place, and no system call is ever made with it.

usage: names_test.py [WORD ...]
"""
import json
import os
import re
import shutil
import tempfile

import plugin
import sandbox
import tap
import tool
import trace
from plugin import BINARY, require

MARK = "led-astray"  # in each bad name, so that it is seen in whatever call
BAD = [f"../{MARK}", f"a/../../{MARK}", f"/{MARK}", f"{MARK}/..", f"{MARK}/x"]
RANGES = {"ranges": [[{"subnet": "10.9.0.0/28"}]]}
NETNS = "/var/run/netns/none"


class Place:
    """Folders for one call, and a file outside of them that a bad name might lead to; for a with block."""

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="names.", dir="/var/tmp")
        self.inside = os.path.join(self.home, "a/b")
        for path in ("a/b/bin", "a/b/map", "a/b/nodes", "a/b/net.d", MARK):
            os.makedirs(os.path.join(self.home, path))
        self.write("a/b/map/good", "10.1.0.0/24\n")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home)

    def write(self, path, document):
        with open(os.path.join(self.home, path), "w") as file:
            file.write(document if isinstance(document, str) else json.dumps(document))
        return os.path.join(self.home, path)

    def path(self, name):
        return os.path.join(self.inside, name)


def run(arguments, stdin="", **env):
    """Run the tool or the plugin under strace; returns the outcome and the calls."""
    return trace.run(BINARY, {"PATH": os.environ["PATH"], **env}, stdin, follow=False, arguments=arguments)


# The answer may name what was refused.
TELLING = ("write", "writev", "sendto", "execve", "read")


def assert_unused(place, calls, name):
    """validate corrects a network's name and looks at what it would be then, inside dataDir."""
    paths = [path for call in calls if call.name not in TELLING
             for path in re.findall(f'"([^"]*{MARK}[^"]*)"', call.args)]
    strays = [path for path in paths if not path.startswith(place.path("data/")) or ".." in path.split("/")]
    assert not strays, f"{name}: {strays}"


def nodes_json(name):
    return json.dumps({"kind": "List", "items": [
        {"kind": "Node", "metadata": {"name": name}, "spec": {"podCIDR": "10.1.0.0/24"}}]})


def ranges(place):
    return ["install", place.path("bin"), "--nodes-from", place.path("map"), "--nodes-dir", place.path("nodes")]


def by_list(place, name):
    """A list whose drop-in plugins libcni would look for in the folder of its network."""
    place.write("a/b/net.d/x.conflist", {"cniVersion": "1.1.0", "name": name, "loadOnlyInlinedPlugins": False})
    shutil.copy(BINARY, place.path("bin/delegated-ipam"))
    return ["uninstall", place.path("bin"), "--conf-dir", place.path("net.d"), "--cni-cache", place.path("map")]


def conflist(place, name="net", main="bridge", **ipam):
    document = {"cniVersion": "1.0.0", "name": name, "plugins": [
        {"type": main, "ipam": {"type": "delegated-ipam", "dataDir": place.path("data"), **RANGES, **ipam}}]}
    return ["validate", "--node", "--bin-dir", place.path("bin"), place.write("a/b/x.conflist", document)]


def uncorrected(place, name):
    """A key twice is for people to decide: the file stays as it is."""
    arguments = conflist(place, name)
    with open(arguments[-1]) as file:
        text = file.read()
    with open(arguments[-1], "w") as file:
        file.write(text.replace('"type": "delegated-ipam"', '"type": "delegated-ipam", "type": "delegated-ipam"'))
    return arguments


def look(place, name="net", **ipam):
    """A command that looks at what the node's configuration names."""
    path = conflist(place, name, **ipam)[-1]
    return ["status", "--conf", path, "--data-dir", place.path("data"), "--state-dir", place.path("state")]


# The tool: where the name stands -> the call.
TOOL = {
    "install --node": lambda place, name: run([*ranges(place), "--node", name]),
    "install, NODE_NAME": lambda place, name: run(ranges(place), NODE_NAME=name),
    "install --as": lambda place, name: run(["install", place.path("bin"), "--as", name]),
    "uninstall --as": lambda place, name: run(["uninstall", place.path("bin"), "--as", name]),
    "generate installer --as": lambda _, name: run(["generate", "installer", "--as", name]),
    "generate bridge --name":
        lambda _, name: run(["generate", "bridge", "--subnet", "10.1.0.0/24", "--name", name]),
    "generate --nodes --nodes-dir --name":
        lambda place, name: run(["generate", "bridge", "--nodes", "-", "--nodes-dir", "/etc/x", "--name", name, "--out",
                                 place.path("nodes")], nodes_json("good")),
    "generate --nodes, a node":
        lambda place, name: run(["generate", "bridge", "--nodes", "-", "--out", place.path("nodes")], nodes_json(name)),
    "generate --delegate":
        lambda place, name: run(["generate", "bridge", "--delegate", name, "--delegate-config",
                                 place.write("a/b/conf", "{}")]),
    "generate kind --name":
        lambda _, name: run(["generate", "kind", "--cni", "ptp", "--conf-dir", "/x", "--name", name]),
    "validate --node, a network": lambda place, name: run(conflist(place, name)),
    "validate --node, a network that is not corrected": lambda place, name: run(uncorrected(place, name)),
    "validate --node, a main plugin": lambda place, name: run(conflist(place, main=name)),
    "validate --node, a delegate": lambda place, name: run(conflist(place, delegate={"type": name})),
    "validate --node, a node of rangesFrom":
        lambda place, name: run(conflist(place, rangesFrom={"nodesDir": place.path("map"), "node": name})),
}
TOOL.update({
    "status, a network": lambda place, name: run(look(place, name)),
    "status, a delegate": lambda place, name: run(look(place, delegate={"type": name})),
    "status, a node of rangesFrom":
        lambda place, name: run(look(place, rangesFrom={"nodesDir": place.path("map"), "node": name})),
})
# What is not refused but left aside: another list's network.
SILENT = {"uninstall, the network of a list": lambda place, name: run(by_list(place, name))}


def call(place, command="ADD", container="c-1", ifname="eth0", name="net", env=None, **ipam):
    conf = {"cniVersion": "1.1.0", "name": name, "type": "bridge", "cni.dev/valid-attachments": [],
            "ipam": {"type": "delegated-ipam", "dataDir": place.path("data"), "stateDir": place.path("state"), **ipam}}
    if command == "CHECK":
        conf["prevResult"] = {"cniVersion": "1.1.0", "ips": [{"address": "10.9.0.2/28"}]}
    variables = plugin.environment(command, container, ifname, NETNS, None, place.path("bin"))
    return trace.run(BINARY, {**variables, **(env or {})}, conf, follow=False)


def each_verb(*verbs, **field):
    """The same name in the same field of several verbs."""
    key, = field
    return {f"{verb}, {field[key]}": lambda place, name, verb=verb: call(place, verb, **{key: name}, **RANGES)
            for verb in verbs}


ALL_VERBS = ("ADD", "DEL", "CHECK", "GC", "STATUS")
PLUGIN = {
    **each_verb("ADD", "DEL", "CHECK", container="the container ID"),
    **each_verb("ADD", "DEL", "CHECK", ifname="the interface"),
    **each_verb(*(verb for verb in ALL_VERBS if verb != "STATUS"), name="the network"),
    "ADD, the delegate": lambda place, name: call(place, delegate={"type": name}, **RANGES),
    "ADD, rangesFrom.node":
        lambda place, name: call(place, rangesFrom={"nodesDir": place.path("map"), "node": name}),
    "ADD, rangesFrom by NODE_NAME":
        lambda place, name: call(place, rangesFrom={"nodesDir": place.path("map")}, env={"NODE_NAME": name}),
    "ADD, rangesFrom.yurthubNode": lambda place, name: call(place, rangesFrom={"yurthubNode": name}),
}


def refused(action):
    for name in BAD:
        with Place() as place:
            done, calls, _ = action(place, name)
            assert done.exit != 0, f"{name}: {done}"
            assert_unused(place, calls, name)


def left_aside(action):
    for name in BAD:
        with Place() as place:
            done, calls, _ = action(place, name)
            assert done.exit == tool.FINE, f"{name}: {done}"
            assert_unused(place, calls, name)


def release_of_a_bad_delegate():
    """A DEL does not mind what the configuration says wrong, and looks for no such plugin."""
    for name in BAD:
        with Place() as place:
            _, calls, _ = call(place, "DEL", delegate={"type": name}, **RANGES)
            assert_unused(place, calls, name)


TESTS = [
    *((f"{where}: refused", refused, action) for where, action in {**TOOL, **PLUGIN}.items()),
    *((f"{where}: left aside", left_aside, action) for where, action in SILENT.items()),
    ("DEL, the delegate: not looked for", release_of_a_bad_delegate),
]


if __name__ == "__main__":
    tap.main("names", TESTS, lambda: require(BINARY), sandbox.enter)
