#!/usr/bin/python3
"""The demonstration that examples/quickstart.sh shows: one edge node loses its uplink and its power, once with stock
host-local and once with delegated-ipam. Exit code 0 when delegated-ipam kept the address of every pod.
"""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import world  # noqa: E402

FOLDER = world.enter()

from machine import CNI_PLUGINS, Machine, Pod  # noqa: E402
from plugin import BINARY, HOST_LOCAL  # noqa: E402

NAMES = [f"web-{number}" for number in range(10)] + [f"mqtt-{number}" for number in range(6)] + \
        [f"db-{number}" for number in range(4)]
NEWCOMERS = [f"new-{number}" for number in range(6)]
RANGES = [[{"subnet": "10.244.1.0/24"}]]
PLANS = {
    "host-local": ({"type": "host-local", "ranges": RANGES}, HOST_LOCAL),
    "delegated-ipam": ({"type": "delegated-ipam", "delegate": {"type": "host-local", "ranges": RANGES}}, BINARY),
}
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
PAINT = {"KEPT": "\033[32m", "CHANGED": "\033[31m", "bold": "\033[1m"}
NEXT = """
What stays on this machine: the packages and build/release/. What comes next, for a cluster of yours, step by step:

  Flannel   examples/flannel/README.md   pods run on; the heart of it is what this prints:
            build/release/delegated-ipam generate flannel --format configmap
  Cilium    examples/cilium/README.md    a new cluster, as this mode of Cilium's gives every pod another address
  others    examples/README.md
"""


def paint(text, key):
    return f"{PAINT[key]}{text}\033[0m" if COLOUR else text


def say(text):
    print(text, flush=True)


def live_through(plan, order):
    """Live through it with one IPAM plugin: {pod: (address before, address after)}; pods return in this order."""
    ipam, binary = PLANS[plan]
    conflist = {"cniVersion": "1.0.0", "name": "podnet", "plugins": [
        {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipam": ipam}]}
    plugins = {name: f"{CNI_PLUGINS}/{name}" for name in ("bridge", "loopback")}
    node = Machine(f"{FOLDER}/{plan}", conflist, {**plugins, ipam["type"]: binary})
    started = time.monotonic()
    node.boot()
    pods = {name: Pod(name) for name in NAMES + NEWCOMERS}
    node.run_all([pods[name] for name in NAMES])
    before = {name: pods[name].addresses[0] for name in NAMES}
    say(f"  {plan}: {len(NAMES)} pods run; the uplink is cut, then the power")
    node.cut_off()
    node.reboot()
    if not node.is_cut_off() or node.ready():
        raise RuntimeError("the node still has its uplink or its pods: that was no reboot off the network")
    node.for_all(lambda name: bring_back(node, pods[name]), order)
    after = {name: pods[name].addresses[0] for name in NAMES}
    node.remove()
    say(f"  {plan}: {len(NAMES)} pods are back, {len(NEWCOMERS)} new ones came between them "
        f"({time.monotonic() - started:.0f} s)")
    return {name: (before[name], after[name]) for name in NAMES}


def bring_back(node, pod):
    """What the kubelet does with a pod after a boot: stop the dead sandbox if there is one, then make a new one."""
    if pod.sandboxes:
        node.stop(pod.sandbox)
    node.run(pod)


def verdict(change):
    return "KEPT" if change[0] == change[1] else "CHANGED"


def table(results):
    """The pods of both lives side by side, with totals."""
    width = 36
    lines = ["", f"{'':10}" + "".join(paint(f"{plan:{width}}", "bold") for plan in results),
             f"{'pod':10}" + f"{'before':13}{'after':23}" * len(results)]
    for name in NAMES:
        cells = []
        for changes in results.values():
            word = verdict(changes[name])
            cells.append(f"{changes[name][0]:13}{changes[name][1]:13}{paint(f'{word:10}', word)}")
        lines.append(f"{name:10}" + "".join(cells))
    totals = "".join(f"{f'{kept(changes)} of {len(NAMES)} kept':{width}}" for changes in results.values())
    return "\n".join(line.rstrip() for line in [*lines, paint(f"{'total':10}{totals}", "bold")])


def kept(changes):
    """How many pods have the address they had."""
    return sum(verdict(change) == "KEPT" for change in changes.values())


def main():
    order = random.sample(NAMES + NEWCOMERS, len(NAMES + NEWCOMERS))
    results = {plan: live_through(plan, order) for plan in PLANS}
    say(table(results))
    say(NEXT)
    summary = ", ".join(f"{plan} kept {kept(changes)}" for plan, changes in results.items())
    say(f"addresses kept over the reboot, of {len(NAMES)}: {summary}")
    sys.exit(0 if kept(results["delegated-ipam"]) == len(NAMES) else 1)


main()
