#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""How work grows with what others write, counted in instructions (callgrind), not in time: ten times as many keys cost
at most fifteen times as much.

usage: growth_test.py [WORD ...]
"""
import json
import os

import plugin
import sandbox
import tap
import tool
import yaml
from counting import LONGEST, MOST, assert_grows_slowly, counted, counting, instructions, valgrind
from node import Node, fake_boots

HOME = "/var/lib/cni/growth"
RANGES = [[{"subnet": "10.9.0.0/24"}]]
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
SIZES = (100, 1_000, 10_000)
_count = 0


def folder():
    global _count
    _count += 1
    os.makedirs(f"{HOME}/{_count}")
    return f"{HOME}/{_count}"


def keys(count):
    """So many keys that begin alike, as annotations do."""
    return {f"example.org/annotation-{number:06}": str(number) for number in range(count)}


def call(node, command, conf):
    """The instructions of one command."""
    env, document = node.request(command, "c1", "shop/web-0")
    return instructions(node, env, {**document, **conf})


def plugin_call(command, conf):
    def cost(count):
        node = Node(folder(), RANGES)
        if command != "ADD":
            node.add("c1", "shop/web-0")
        return call(node, command, conf(keys(count)))
    assert_grows_slowly(cost, SIZES)


def validate(spell, suffix, conf):
    def cost(count):
        home = folder()
        with open(f"{home}/a.{suffix}", "w") as file:
            file.write(spell(conf, count))
        done = tool.call("validate", f"{home}/a.{suffix}", wrapper=counting(f"{home}/log"), timeout=LONGEST)
        assert done.exit in (tool.FINE, tool.FOUND), done
        return counted(f"{home}/log")
    assert_grows_slowly(cost, SIZES)


def conflist(more):
    ipam = {"type": "delegated-ipam", "delegate": {"type": "host-local", "ranges": RANGES}}
    return {"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "bridge", "ipam": ipam, "args": more}]}


def within_ipam(members):
    """Beside keys of ours, where each is looked at."""
    document = conflist({})
    document["plugins"][0]["ipam"].update(members)
    return document


def as_json(conf, count):
    return json.dumps(conf(keys(count)), indent=1)


def as_yaml(conf, count):
    return yaml.dump(conf(keys(count)), Dumper=yaml.CSafeDumper)


def twice(conf, count):
    """Every key is there twice."""
    members = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in [*keys(count).items()] * 2)
    return json.dumps(conf("@")).replace('"@"', "{" + members + "}")


def twice_in_yaml(conf, count):
    lines = "".join(f"    {key}: '{value}'\n" for key, value in [*keys(count).items()] * 2)
    place = "  args: '@'\n"
    text = yaml.dump(conf("@"), sort_keys=False)
    assert place in text, text
    return text.replace(place, f"  args:\n{lines}")


def merged_in_yaml(conf, count):
    lines = "".join(f"  {key}: '{value}'\n" for key, value in keys(count).items())
    place = "  args: '@'\n"
    text = yaml.dump(conf("@"), sort_keys=False)
    assert place in text, text
    return f"x: &all\n{lines}" + text.replace(place, "  args:\n    <<: *all\n")


def in_capitals(conf, count):
    """Every other key is the one before it in other letters."""
    small = keys(count // 2)
    return json.dumps(conf({**small, **{key.upper(): value for key, value in small.items()}}))


def annotated(members):
    return {"runtimeConfig": {ANNOTATIONS: members}}


TESTS = [
    ("ADD with annotations", plugin_call, "ADD", annotated),
    ("DEL with annotations", plugin_call, "DEL", annotated),
    ("DEL with keys of the main plugin", plugin_call, "DEL", lambda members: members),
    ("CHECK with annotations", plugin_call, "CHECK", annotated),
    ("validate of a conflist", validate, as_json, "conflist", conflist),
    ("validate of a conflist, keys beside the plugins", validate, as_json, "conflist",
     lambda members: {**conflist({}), **members}),
    ("validate of a conflist in YAML", validate, as_yaml, "yaml", conflist),
    ("validate of a ConfigMap", validate, as_yaml, "yaml", lambda members: {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": members},
        "data": {"cni-conf.json": json.dumps(conflist({}))}}),
    ("validate of keys that are there twice", validate, twice, "conflist", conflist),
    ("validate of keys that are there twice in YAML", validate, twice_in_yaml, "yaml", conflist),
    ("validate of merged keys in YAML", validate, merged_in_yaml, "yaml", conflist),
    ("validate of keys in two spellings", validate, in_capitals, "conflist", conflist),
    ("validate of keys in two spellings where ours are", validate, in_capitals, "conflist", within_ipam),
    ("validate of keys where ours are", validate, as_json, "conflist", within_ipam),
]


def tests():
    for sentence, *rest in TESTS:
        yield f"ten times the keys, at most {MOST} times the work: {sentence}", *rest


if __name__ == "__main__":
    tap.main("growth", tests, sandbox.enter, fake_boots, lambda: plugin.require(plugin.BINARY), valgrind,
             lambda: os.makedirs(HOME))
