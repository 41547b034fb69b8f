#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""export: what pods are bound to, in a file; of whole, damaged and foreign folders, of a copy, on a disk that takes no
changes; it writes nothing but --out.

usage: export_test.py [--update] [WORD ...]

--update writes export.golden.txt from what the tool says now: read the difference before you keep it.
"""
import hashlib
import json
import os
import shutil

import sandbox
import tap
import tool
from golden import Golden
from looked_at import BOOTS, Looked, changes_in, snapshot, traced
from node import fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = "/var/lib/cni/export"
NAMED = {"NODE_NAME": "edge-1"}
KEEPS = {"exclude": ["10.9.0.12-10.9.0.13"], "pins": {"shop/pinned": ["10.9.0.9"]}}


def export(node, *arguments):
    """The document, which must be whole."""
    document = json.loads(tool.must("export", *node.look(), *arguments, env=NAMED))
    told = document.pop("checksum")
    canonical = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    assert told == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest(), told
    return document


def forms(golden):
    with Looked(HOME, name="pods", **KEEPS) as node:
        new_boot(BOOTS[0])
        node.calls(golden, "export")("nothing yet", env=NAMED)
        node.tell_two_boots()
        node.calls(golden, "export")("two boots", env=NAMED)
        node.calls(golden, "export")("no such network", "--network", "lan", env=NAMED)
        assert export(node)["networks"][0]["bindings"], "its checksum is that of the text that others reckon with"
    golden.call("export: no network at all", "export", "--conf", "/etc/hostname", "--data-dir", "/none", "--state-dir", "/none")


def damaged(golden):
    """What cannot be read is told, and the rest is exported."""
    with Looked(HOME, name="pods", **KEEPS) as node:
        node.tell_two_boots()
        whole = {one["address"] for one in export(node)["networks"][0]["bindings"]}
        node.damage()
        done = node.calls(golden, "export")("damaged", env=NAMED)
        assert done.exit == tool.FOUND
        kept = {one["address"] for one in json.loads(done.stdout)["networks"][0]["bindings"]}
        assert kept == whole, whole ^ kept


def go_plugin_only():
    """Where host-local alone ever wrote, pods are known from the runtime's cache; nothing of ours appears."""
    require(HOST_LOCAL)
    with Looked(HOME, [[{"subnet": "10.9.0.0/28"}]], name="stock", binary=HOST_LOCAL) as node:
        node.configure({**node.conf(), "ipam": {"type": "host-local", "ranges": node.ipam["ranges"],
                                                "dataDir": node.data_dir}})
        for number in range(2):
            node.cache(f"g{number}", f"shop/web-{number}", node.add(f"g{number}", f"shop/web-{number}"))
        node.add("g9", None)
        before = snapshot(HOME, "/run")
        network, = export(node)["networks"]
        assert [(one["address"], one["pod"], one["state"], one["uid"]) for one in network["bindings"]] == [
            ("10.9.0.2", "web-0", "in-use", "uid-of-web-0"), ("10.9.0.3", "web-1", "in-use", "uid-of-web-1")], network
        assert snapshot(HOME, "/run") == before
    shutil.rmtree("/var/lib/cni/results")


def never_writes():
    with Looked(HOME, name="pods", **KEEPS) as node:
        for step in (lambda: None, node.tell_two_boots, node.damage, lambda: shutil.rmtree("/run/delegated-ipam")):
            step()
            before = snapshot(HOME, "/run")
            outcome, calls = traced(BINARY, "export", *node.look())
            assert outcome.exit in (tool.FINE, tool.FOUND), outcome
            assert not changes_in(calls), changes_in(calls)
            assert snapshot(HOME, "/run") == before


def read_only():
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        expected = tool.must("export", *node.look())
        script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 9; shift; exec "$@"'
        wrapper = ("unshare", "--mount", "sh", "-c", script, "sh", HOME)
        assert tool.must("export", *node.look(), wrapper=wrapper) == expected
        assert "Read-only" in tool.refused("export", *node.look(), "--out", f"{HOME}/out.json", wrapper=wrapper)


def to_a_file():
    """By rename, flushed with its folder; what is no file, or nowhere, is refused."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        out = node.write("kept/export.json", "before")
        outcome, calls = traced(BINARY, "export", *node.look(), "--out", out)
        assert (outcome.exit, outcome.stdout) == (tool.FINE, ""), outcome
        names = [call.name for call in calls]
        assert names.count("fsync") == 2 and names.index("fsync") < max(
            place for place, name in enumerate(names) if name.startswith("rename")), names
        with open(out) as file:
            assert file.read() == tool.must("export", *node.look())
        assert os.listdir(f"{HOME}/kept") == ["export.json"]
        for wrong in (f"{HOME}/kept", "/nowhere/export.json", f"{HOME}/kept/"):
            assert "--out" in tool.refused("export", *node.look(), "--out", wrong)


def copy():
    """The folders of another node: its name, its boot; nothing of who looks."""
    with Looked("/var/lib/cni/node", name="pods", **KEEPS) as node:
        node.tell_two_boots()
        expected = export(node)
        root = f"{HOME}-copy"
        shutil.copytree(node.home, f"{root}{node.home}", symlinks=True)
        new_boot(BOOTS[5])
        try:
            assert export(node, "--root", root) == {**expected, "node": None}
            os.mkdir(f"{root}/etc")
            with open(f"{root}/etc/hostname", "w") as file:
                file.write("edge-7\n")
            assert export(node, "--root", root) == {**expected, "node": "edge-7"}
        finally:
            shutil.rmtree(root)


def networks():
    """Each in its place by name, those of other plugins and without a configuration, too."""
    with Looked(HOME, [[{"subnet": "10.9.0.0/29"}]], name="pods") as node, Looked(f"{HOME}-lan", [[{"subnet": "fd00:8::/64"}]],
                                                                                 name="lan") as lan:
        node.add("c0", "shop/web-0")
        lan.add("c0", "shop/web-0", ifname="net1")
        shutil.copy(f"{lan.conf_dir}/10-pods.conflist", f"{node.conf_dir}/20-lan.conflist")
        shutil.copytree(node.network_dir, f"{node.data_dir}/bare")
        document = json.loads(tool.call("export", "--conf", node.conf_dir, env=NAMED).stdout)
        found = {network["name"]: [(one["address"], one["interface"]) for one in network["bindings"]]
                 for network in document["networks"]}
        assert found == {"bare": [], "lan": [("fd00:8::2", "net1")], "pods": [("10.9.0.2", "eth0")]}, found


def tests(golden):
    golden.begin()
    return [
        ("a document for people and for import", forms, golden),
        ("damaged entries are told, the rest is exported", damaged, golden),
        ("a folder that only the Go plugin wrote", go_plugin_only),
        ("nothing is written", never_writes),
        ("a disk that takes no changes", read_only),
        ("into a file, durably", to_a_file),
        ("a copy of another node's folders", copy),
        ("several networks", networks),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/export.golden.txt") as kept:
        tap.main("export", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots)
