#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Configurations that a pod's author made large: what has been added is released, in little memory, unless it is larger
than anything Kubernetes lets through; then the error has the remedy.

usage: large_stdin_test.py [WORD ...]
"""
import json
import os

import plugin
import sandbox
import tap
from ledger import DelegatedNode
from node import Node, fake_boots

HOME = "/var/lib/cni/large"
RANGES = [[{"subnet": "10.9.0.0/24"}]]
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
MIB = 1 << 20
LATE, EARLY = 16 * MIB, 4 * MIB
PADDING = b"@padding@"
# Address space for the text, which is copied as it grows, and for one string of it that is as large. A document built
# of many small values takes ten times the text and more.
ROOM = 104 * MIB
_count = 0


def new_node(kind=Node, **ipam):
    global _count
    _count += 1
    if kind is DelegatedNode:
        return DelegatedNode(f"{HOME}/{_count}", **ipam)
    os.makedirs(f"{HOME}/{_count}")
    return Node(f"{HOME}/{_count}", RANGES, **ipam)


def sized(conf, size, text):
    """The configuration as JSON of this many bytes: the padding is the text again and again, in valid JSON."""
    data = json.dumps({**conf, "cniVersion": "1.1.0"}).encode()
    assert data.count(b'"' + PADDING + b'"') == 1
    head, tail = data.split(b'"' + PADDING + b'"')
    room = size - len(head) - len(tail)
    return head + text(room) + tail


def one_string(room):
    """Of "<" as Go writes it."""
    return b'"' + b"\\u003c" * ((room - 2) // 6) + b"x" * ((room - 2) % 6) + b'"'


def many_members(room):
    start = b"{" + b",".join(b'"%07d":""' % n for n in range((room - 20) // 13))
    return start + b" " * (room - len(start) - 1) + b"}"


def many_lists(room):
    start = b"[" + b",".join(b"[]" for _ in range((room - 20) // 3))
    return start + b" " * (room - len(start) - 1) + b"]"


SHAPES = {"one string": one_string, "many members": many_members, "many lists": many_lists}
PLACES = {
    "an annotation": {"runtimeConfig": {ANNOTATIONS: {"x": PADDING.decode()}}},
    "all annotations": {"runtimeConfig": {ANNOTATIONS: PADDING.decode()}},
    "the arguments": {"args": {"cni": {"x": PADDING.decode()}}},
    "a previous result": {"prevResult": {"x": PADDING.decode()}},
    "a key of the main plugin's": {"x": PADDING.decode()},
}


def call(node, command, data, wrapper=()):
    """One call with these bytes."""
    env, _ = node.request(command, "c1", "shop/web-0")
    return plugin.run(node.binary, env, data, wrapper=wrapper)


def released(place, shape):
    """A DEL of 16 MiB frees the address, and needs little more than room for the text."""
    node = new_node()
    node.add("c1", "shop/web-0")
    data = sized({**node.conf(), **PLACES[place]}, LATE, SHAPES[shape])
    assert len(data) == LATE
    done = call(node, "DEL", data, ("prlimit", f"--as={ROOM}"))
    assert done.exit == 0 and node.addresses_of("c1") == [], done


def annotation_is_heard():
    """What is ours is found among what is not."""
    node = new_node()
    home = node.add("c1", "shop/web-0")
    conf = {**node.conf(), "runtimeConfig": {ANNOTATIONS: {"a": PADDING.decode(), "delegated-ipam.io/retain": "false"}}}
    done = call(node, "DEL", sized(conf, LATE, many_members))
    assert done.exit == 0 and home[0] not in node.bindings(), (done, node.bindings())


def checked():
    node = new_node()
    address, = node.add("c1", "shop/web-0")
    good = {"cniVersion": "1.1.0", "ips": [{"address": f"{address}/24"}], "x": PADDING.decode()}
    done = call(node, "CHECK", sized({**node.conf(), "prevResult": good}, LATE, many_members))
    assert done.exit == 0, done
    wrong = {**good, "ips": [{"address": "10.9.0.99/24"}]}
    done = call(node, "CHECK", sized({**node.conf(), "prevResult": wrong}, LATE, many_members))
    assert done.exit == 1 and "prevResult" in done.json["msg"], done


def collected():
    """The list of what is valid is read whole."""
    node = new_node()
    node.add("c1", "shop/web-0")
    kept = node.add("c2", "shop/web-1")
    valid = [{"containerID": "c2", "ifname": "eth0", "x": PADDING.decode()}]
    done = call(node, "GC", sized({**node.conf(), "cni.dev/valid-attachments": valid}, LATE, many_members))
    assert done.exit == 0 and list(node.attachments()) == kept, (done, node.attachments())


def added():
    """An ADD of 4 MiB, with a wish beside the rest."""
    node = new_node()
    conf = {**node.conf(), "args": {"cni": {"ips": ["10.9.0.77"], "x": PADDING.decode()}}}
    done = call(node, "ADD", sized(conf, EARLY, many_members))
    assert done.exit == 0 and done.addresses == ["10.9.0.77"], done


def refused(command, limit):
    """One byte more: the limit and the remedy."""
    node = new_node()
    conf = {**node.conf(), **PLACES["an annotation"]}
    done = call(node, command, sized(conf, limit + 1, one_string))
    assert done.exit == 1 and done.json["code"] == 6, done
    for words in (f"more than {limit // MIB} MiB", "annotations", "capabilities"):
        assert words in done.json["msg"], done


def delegated(shape):
    """A plugin of its own gets all that the runtime wrote."""
    node = new_node(DelegatedNode)
    assert node.call("ADD", "c1", "shop/web-0").exit == 0
    conf = {**node.conf(), "runtimeConfig": {ANNOTATIONS: {"x": PADDING.decode()}}}
    data = sized(conf, 3 * MIB, SHAPES[shape])
    env, _ = node.request("DEL", "c1", "shop/web-0")
    done = plugin.run(node.binary, env, data)
    assert done.exit == 0 and node.ledger.leases() == {}, done
    given = node.ledger.calls()[-1].conf
    assert given["runtimeConfig"] == json.loads(data)["runtimeConfig"]


def bad_in_the_skipped():
    """What is not read must be JSON all the same."""
    node = new_node()
    for text in ('[1,]', '"\\x"', '{"a" 1}', "[" * 70 + "]" * 70):
        data = json.dumps({**node.conf(), "x": PADDING.decode()}).replace(f'"{PADDING.decode()}"', text).encode()
        done = call(node, "DEL", data)
        assert done.exit == 1 and done.json["code"] == 6, (text, done)


TESTS = [
    *[(f"a DEL of 16 MiB in {place}, {shape}, frees the address in little memory", released, place, shape)
      for place in PLACES for shape in SHAPES],
    ("an annotation of ours is found in 16 MiB", annotation_is_heard),
    ("a CHECK of 16 MiB compares the result", checked),
    ("a GC of 16 MiB collects", collected),
    ("an ADD of 4 MiB gives what is asked for", added),
    *[(f"a {command} of more is refused with limit and remedy", refused, command, limit)
      for command, limit in (("ADD", EARLY), ("STATUS", EARLY), ("DEL", LATE), ("CHECK", LATE), ("GC", LATE))],
    *[(f"a delegate is given {shape} of 3 MiB", delegated, shape) for shape in SHAPES],
    ("what is not read must be JSON all the same", bad_in_the_skipped),
]


if __name__ == "__main__":
    tap.main("large input", TESTS,
             sandbox.enter, fake_boots, lambda: plugin.require(plugin.BINARY), lambda: os.makedirs(HOME))
