#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Odd things in place of every file and folder that a command looks at: links, pipes, devices, sockets, folders, a file
of 1 TiB, another user's file. No command waits, needs memory for it, writes behind it, or gives a running pod's address
to another; and who must mend it is told where, and what to do.

The files are those that strace sees: one that is in neither list of table.py fails the suite. What is refused, with
which code and words, is in in_place.golden.txt; all else is acknowledged.

usage: in_place_test.py [--update] [WORD ...]
"""
import os
import re

import sandbox
import tap
import tool
from golden import Golden
from live_netns import Namespace
from odd import KINDS, Outside, in_place_of
from places import FIRST_OF_BOOT, HOME, BuiltIn, Delegated, general, traced
from plugin import BINARY, require
from syslog_socket import private_dev
from table import FOLLOWED, LEFT, LOG, OTHERS_WORDS, OURS, SPARED

HERE = os.path.dirname(os.path.abspath(__file__))
ROOM = 48 << 20  # of address space, where something without an end lies
ENDLESS = ("a device", "a file of 1 TiB")
NODES = {"built-in": BuiltIn, "delegated": Delegated}
TOOL = ("list", "show", "status", "report")
ADDS = {"ADD": "c-new", "ADD of a running pod": "c-live", "ADD of a pod that comes back": "c-held-2",
        f"ADD{FIRST_OF_BOOT}": "c-first"}
ENDS = {"DEL": "c-gone", "GC": "c-stale"}
CODES = (7, 11, 999)  # see design: ours, try again, host-local's
REMEDIES = ("take it away", "remove", "repair", "try again", "name a file", "no file can be made in", "is a directory",
            "not a directory", "too many levels", "no such file")
seen = {}  # node -> general place -> command -> the place that it names


def look(netns):
    """Once."""
    if seen:
        return
    for name, make in NODES.items():
        with make(netns) as node:
            for command in node.commands():
                places, outcome = traced(node, command)
                assert outcome.exit == 0 or command == "status", f"{command}: {outcome}"
                for place in sorted(places):
                    seen.setdefault(name, {}).setdefault(general(place), {}).setdefault(command, place)


def complete(netns):
    look(netns)
    for name in NODES:
        unknown = sorted(place for place in seen[name] if place not in OURS[name] and not is_left(place))
        assert not unknown, f"{name}: in neither list of table.py: {unknown}"
        gone = sorted(set(OURS[name]) - set(seen[name]))
        assert not gone, f"{name}: no command names {gone} any more"


def is_left(place):
    return any(re.fullmatch(pattern, place) for pattern in LEFT)


def aside(path):
    """A name on the same disk where nobody looks."""
    return "/run/aside" if path.startswith("/run/") else "/var/lib/cni/aside"


class Case:
    """One kind of thing in one general place; commands one after the other."""

    def __init__(self, node, place, kind, outside):
        self.node, self.place, self.kind, self.outside = node, place, kind, outside
        self.wrong = []
        self.refused = []  # (what is said, command)

    def run(self, command, place):
        path = self.node.path_of(place)
        wrapper = ("prlimit", f"--as={ROOM}") if self.kind in ENDLESS else ()
        self.node.prepare(command)
        with in_place_of(path, self.kind, self.outside, aside(path)):
            done = self.node.commands()[command](wrapper=wrapper)
        if command in TOOL:
            self.judge_tool(command, done, path)
        elif done.exit != 0:
            self.judge(command, done, path)
        else:
            self.believe(command, done)
        self.node.homes.pop(ENDS.get(command), None)
        ended = self.node.ended()
        if ended:
            self.wrong.append(f"{command} ended {ended}")

    def believe(self, command, done):
        """An acknowledged answer. Where the network's folder was another one, who runs is all that can be known."""
        homes = self.node.homes
        is_elsewhere = self.place in ("@data", "@network")
        known = {"c-live": self.node.live} if is_elsewhere else homes
        own = ADDS.get(command)
        taken = {one: address for one, address in known.items() if one != own and address in done.addresses}
        if taken:
            self.wrong.append(f"{command} gave {taken}")
        if own and not is_elsewhere:
            homes.setdefault(own, done.addresses[0])

    def judge(self, command, done, path):
        code, text = done.json["code"], done.json["msg"]
        others = OTHERS_WORDS.get(self.place)
        if not others or not re.search(others, text):
            if code != 50 if command == "STATUS" else code not in CODES:
                self.wrong.append(f"{command}: code {code}: {text}")
            self.judge_words(command, text, path)
        self.refused.append((f"code {code}: {self.general(text)}", command))

    def judge_tool(self, command, done, path):
        if done.exit in (tool.FINE, tool.FOUND):
            return
        self.judge_words(command, done.stderr, path)
        self.refused.append((self.general(done.stderr.strip()), command))

    def judge_words(self, command, text, path):
        if path not in text and os.path.dirname(path) not in text:
            self.wrong.append(f"{command} does not name {path}: {text}")
        if not any(words in text.lower() for words in REMEDIES):
            self.wrong.append(f"{command} has no remedy: {text}")

    def general(self, text):
        for folder, name in [*self.node.names, (self.outside.home, "@outside")]:
            text = text.replace(folder, name)
        return general(text)


def summary(refusals):
    """What is said, and below it by whom: a line a kind."""
    lines = {}
    for text, kind, command in refusals:
        lines.setdefault(text, {}).setdefault(kind, []).append(command)
    return "".join(f"{text}\n" + "".join(f"    {kind}: {'; '.join(commands)}\n" for kind, commands in by_kind.items())
                   for text, by_kind in lines.items())


def every_kind(golden, name, place, netns):
    look(netns)
    refusals, wrong = [], []
    for kind in KINDS:
        if (place, kind) in SPARED:
            continue
        with NODES[name](netns) as node:
            outside = Outside(f"{node.home}.outside")
            case = Case(node, place, kind, outside)
            for command in node.commands():
                if command in seen[name][place]:
                    case.run(command, seen[name][place][command])
            changed = outside.damaged() if place in FOLLOWED else outside.changed()
            if place in LOG and kind.startswith("a link"):
                changed = []
        refusals += [(text, kind, command) for text, command in case.refused]
        wrong += [f"{kind}: {one}" for one in case.wrong] + ([f"{kind}: changed outside: {changed}"] if changed else [])
    golden.check(f"{name} {place}", summary(refusals))
    assert not wrong, "\n".join(wrong)


def tests(golden, netns):
    yield "every file and folder that a command names is in a list", complete, netns
    for name in NODES:
        for place in OURS[name]:
            yield f"{name}: odd things in place of {place}", every_kind, golden, name, place, netns


def tell(suite):
    golden = Golden(os.path.join(HERE, "in_place.golden.txt"))
    golden.begin()
    os.makedirs(HOME)
    with golden, Namespace("security") as namespace:
        suite.run_all(tests(golden, namespace.path))


if __name__ == "__main__":
    tap.story("in place", tell, lambda: require(BINARY), sandbox.enter, private_dev)
