#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Names of pods become names of records: all in one folder, each its own. (Names that lead out of a folder, of networks,
containers, plugins and nodes: cli/names_test.py.) A NUL in a path of the configuration does not make it another one.

usage: paths_test.py [WORD ...]
"""
import itertools
import os

import odd
import plugin
import sandbox
import tap
import tool
from looked_at import snapshot
from node import Node, fake_boots, new_boot
from plugin import BINARY, require

HOME = "/var/lib/cni/paths"
SMALL = [[{"subnet": "10.9.0.0/24"}]]
STRANGE = ["..", ".", "../../../../tmp/x", "/etc/passwd", "a/b", "ip.10.9.0.9", "pod.shop_web", "netdir", ".new", "boots",
           "~", "1~2", "%2F", "%", "a_b", "a@b", "@", "-rf", "*", "$(id)", "a b", "a\tb", "a\nb", "ä", "\x7f", "\x1b[2J",
           "x" * 253, "x" * 252 + "y", "/" * 253]
WATCHED = ("/run", "/var/lib/cni", "/var/lib/delegated-ipam")
numbers = itertools.count()


def new_node(**ipam):
    node = Node(f"{HOME}/{next(numbers)}", SMALL, **ipam)
    os.makedirs(node.home)
    return node


def pairs():
    """Namespace and name; those of the second line differ only in where one ends and the other begins."""
    yield from (("shop", name) for name in STRANGE)
    yield from ((name, "web") for name in STRANGE)
    for joined in ("_", "/", "@", "%2F", "~"):
        yield from ((f"a{joined}b", "c"), ("a", f"b{joined}c"))


def args_of(pair):
    return f"IgnoreUnknown=1;K8S_POD_NAMESPACE={pair[0]};K8S_POD_NAME={pair[1]}"


def pod_names():
    """Each keeps its own address over a reboot, and its records lie in the one folder."""
    node = new_node()
    homes = {}
    for number, pair in enumerate(dict.fromkeys(pairs())):
        homes[pair], = node.add(f"c-{number}", args=args_of(pair))
    assert len(set(homes.values())) == len(homes)
    new_boot()
    for number, pair in enumerate(reversed(homes)):
        again, = node.add(f"d-{number}", args=args_of(pair))
        assert again == homes[pair], f"{pair}: {again} instead of {homes[pair]}"
        node.delete(f"d-{number}", args=args_of(pair))
    folder, = os.listdir(node.state_dir)
    below = list(os.scandir(os.path.join(node.state_dir, folder)))
    assert all(entry.is_symlink() and len(entry.name) <= 255 for entry in below), below
    assert len(below) >= 2 * len(homes)
    assert sorted(os.listdir(node.home)) == ["networks", "state"], os.listdir(node.home)
    shown = tool.call("list", "--data-dir", node.data_dir, "--state-dir", node.state_dir)
    assert shown.exit in (tool.FINE, tool.FOUND) and "../../tmp/x" in shown.stdout, shown
    assert not {"\x1b", "\x7f", "\t"} & set(shown.stdout), shown


def long_arguments():
    """What is no name of a pod is not looked at; the same key twice is the last one, as in Go."""
    node = new_node()
    done = node.call("ADD", "c-1", args="IgnoreUnknown=1;X=" + "y" * 100_000)
    assert done.exit == 0 and not node.bindings(), done
    twice = "IgnoreUnknown=1;K8S_POD_NAMESPACE=evil;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=evil;K8S_POD_NAME=web-0"
    address, = node.add("c-2", args=twice)
    assert node.bindings()[address].owner == "shop/web-0", node.bindings()


def too_long():
    """More than a record can hold: refused by its name, and nothing is left."""
    for pair in (("shop", "x" * 10_240), ("x" * 10_240, "web")):
        node = new_node()
        done = node.call("ADD", "c-1", args=args_of(pair))
        assert done.code == 999 and f"{node.state_dir}/" in done.json["msg"], done
        records = [os.path.basename(path) for path in node.records()]
        assert node.attachments() == {} and not [name for name in records if name.startswith(("ip.", "pod"))], records


def cut(key, words, make):
    """The path as its head would be is there, so that who cuts it at the NUL finds something. make: of node and path."""
    for command in ("ADD", "STATUS"):
        node = new_node()
        head = make(node)
        before = snapshot(*WATCHED)
        done = ask(node, command, key, f"{head}\0/tail")
        assert done.exit == 1 and any(word in done.json["msg"] for word in words), done
        after = snapshot(*WATCHED)
        changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        assert not changed, f"{command}: {changed}"


def ask(node, command, key, text):
    env, conf = node.request(command, "c-1", "shop/web-0")
    conf["cniVersion"] = "1.1.0"
    where, *rest = key.split("/")
    if rest:
        conf["ipam"].pop("ranges")
        conf["ipam"][where] = {rest[0]: text, **({"node": "n"} if rest[0] == "nodesDir" else {})}
    else:
        conf["ipam"][where] = text
    return plugin.run(BINARY, env, conf)


def a_folder(node):
    os.makedirs(f"{node.home}/head")
    return f"{node.home}/head"


def a_file(node):
    with open(f"{node.home}/head", "w") as file:
        file.write("nameserver 10.96.0.10\n# 10.9.0.0/24\n")
    return f"{node.home}/head"


def a_source(node):
    with open(f"{node.home}/head", "w") as file:
        file.write("10.9.0.0/24\n")
    return f"{node.home}/head"


CUT = [("dataDir", a_folder), ("stateDir", a_folder), ("resolvConf", a_file), ("rangesFrom/subnetFile", a_source),
       ("rangesFrom/nodesDir", a_folder), ("logFile", a_folder)]


def tests():
    yield "names of pods that look like paths, records and options are names", odd.in_folder, HOME, pod_names
    yield "long and repeated arguments", odd.in_folder, HOME, long_arguments
    yield "names of pods that no record can hold", odd.in_folder, HOME, too_long
    for key, make in CUT:
        yield f"{key} with a NUL is refused, and nothing is made at its head", odd.in_folder, HOME, cut, key, (key.split("/")[-1], "NUL"), make



if __name__ == "__main__":
    tap.main("paths", tests, lambda: require(BINARY), sandbox.enter, fake_boots)
