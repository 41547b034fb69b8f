#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""200 time-outs of plugins that hang with children of theirs: no process and no descriptor is left of them."""
import collections
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import tap
import world
from one_add import new_node, nobody_left, processes
from plugin import BINARY, require

TIMES = 200
DEAF = 10  # of them, with plugins that ignore SIGTERM: each costs a second
SECONDS = (0.05, 0.07, 0.1)
VERBS = ("ADD", "DEL", "CHECK", "GC")
AT_ONCE = 2
CHILDREN = 'echo "$$" >>"$home/hung"\nsleep 1000 &\n(sleep 1000; sleep 1000) &\n'
HANGS = {
    "waits": f"{CHILDREN}wait\n",
    "sleeps": f"{CHILDREN}exec sleep 1000\n",
    "fills the pipes": f"{CHILDREN}yes >&2 &\nwait\n",
    "has closed its pipes": f"{CHILDREN}exec </dev/null >/dev/null 2>&1\nsleep 1000\n",
}
DEAF_HANG = f"trap '' TERM\n{CHILDREN}sleep 1000\nsleep 1000\n"


def call(node, number):
    """The number-th time-out: which verb, and how long it may take; returns its Outcome."""
    verb = VERBS[number % len(VERBS)]
    more = {"version": "1.1.0", "timeoutSeconds": SECONDS[number % len(SECONDS)]}
    if verb == "GC":
        return node.call(verb, None, ifname=None, netns=None, top={"cni.dev/valid-attachments": []}, **more)
    return node.call(verb, f"c{number}", **more)


def node_that(hangs):
    node = new_node()
    for verb in VERBS:
        node.ledger.hook(verb, hangs)
    return node


def hung(nodes):
    """How many runs of the plugins have come to where they hang, that is, have started their children."""
    count = 0
    for node in nodes:
        path = f"{node.ledger.home}/hung"
        if os.path.exists(path):
            with open(path) as file:
                count += len(file.readlines())
    return count


def many_time_outs():
    nodes = [node_that(text) for text in HANGS.values()]
    deaf = node_that(DEAF_HANG)
    before = len(os.listdir("/proc/self/fd"))
    chosen = [nodes[number // len(VERBS) % len(nodes)] for number in range(TIMES - DEAF)] + [deaf] * DEAF
    with nobody_left(), ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(call, chosen, range(TIMES)))
    answers = collections.Counter((done.exit, done.json["code"]) for done in outcomes)
    assert answers == {(1, 11): TIMES}, answers
    assert len(os.listdir("/proc/self/fd")) == before
    assert all("no answer within" in done.json["msg"] for done in outcomes)
    started = hung([*nodes, deaf])
    assert started > TIMES // 2, f"only {started} runs had their children when they were killed"
    print(f"# {TIMES} time-outs, {started} runs hung with children, {len(processes())} processes afterwards",
          flush=True)


def leaves_its_group():
    """The program has joined its caller's process group; it is ended all the same."""
    node = new_node()
    node.ledger.install(f"#!{sys.executable}\nimport os, time\nos.setpgid(0, os.getppid())\ntime.sleep(1000)\n")
    with nobody_left():
        done = node.call("DEL", "c1", version="1.1.0", timeoutSeconds=3, wrapper=("setsid",))
    assert done.exit == 1 and done.json["code"] == 11 and "no answer within" in done.json["msg"], done


def tests():
    yield "200 time-outs leave no zombie, no orphan and no open pipe, and all are code 11", many_time_outs
    yield "a plugin that leaves its process group is ended at the deadline", leaves_its_group


if __name__ == "__main__":
    tap.main("timeouts", tests, lambda: require(BINARY), world.enter)
