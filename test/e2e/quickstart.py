#!/usr/bin/python3
"""The demonstration that examples/quickstart.sh shows: one edge node loses its uplink and its power, once with stock
host-local and once with delegated-ipam; then, in the same boot, its pods are deleted and made again. Exit code 0 when
delegated-ipam kept the address of every pod, where node and neighbour reached it soon.
"""
import os
import random
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import world  # noqa: E402

FOLDER = world.enter()

import reach  # noqa: E402
from machine import CNI_PLUGINS, NETNS, Machine, Pod  # noqa: E402
from plugin import BINARY, HOST_LOCAL  # noqa: E402

NAMES = [f"web-{number}" for number in range(10)] + [f"mqtt-{number}" for number in range(6)] + \
        [f"db-{number}" for number in range(4)]
NEWCOMERS = [f"new-{number}" for number in range(6)]
NEIGHBOUR = NEWCOMERS[0]  # comes before all others, and talks to each
RANGES = [[{"subnet": "10.244.1.0/24"}]]
PLANS = {
    "host-local": ({"type": "host-local", "ranges": RANGES}, HOST_LOCAL),
    "delegated-ipam": ({"type": "delegated-ipam", "delegate": {"type": "host-local", "ranges": RANGES}}, BINARY),
}
PATIENCE = 60  # seconds to wait for a pod
COLUMN = "reached: after so long node and a neighbour pod reached it, the longest of both returns"
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
PAINT = {"KEPT": "\033[32m", "CHANGED": "\033[31m", "bold": "\033[1m"}
TOOL = "delegated-ipam" if BINARY.startswith("/usr/lib/cni/") else "build/release/delegated-ipam"  # a package's, or built
NEXT = f"""
What stays on this machine: the packages{"" if TOOL == "delegated-ipam" else " and build/release/"}. What comes next, for a cluster of yours, step by step:

  Flannel   examples/flannel/README.md   pods run on; the heart of it is what this prints:
            {TOOL} generate flannel --format configmap
  Cilium    examples/cilium/README.md    a new cluster, as this mode of Cilium's gives every pod another address
  others    examples/README.md
"""


@dataclass
class Life:
    """What one pod went through. slowest: seconds until node and neighbour reached it, the longest time of all."""

    before: str
    after: list = field(default_factory=list)  # its address after the reboot, and when it was made again
    slowest: float = 0.0

    @property
    def verdict(self):
        return "KEPT" if all(address == self.before for address in self.after) else "CHANGED"

    @property
    def is_well(self):
        return self.verdict == "KEPT" and self.slowest <= reach.LIMIT


def paint(text, key):
    return f"{PAINT[key]}{text}\033[0m" if COLOUR else text


def say(text):
    print(text, flush=True)


def live_through(plan, order):
    """Live through it with one IPAM plugin: {pod: Life}, and what the operator's tool says of the reboot; pods return
    from it in this order.
    """
    ipam, binary = PLANS[plan]
    conflist = {"cniVersion": "1.0.0", "name": "podnet", "plugins": [
        {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipam": ipam}]}
    plugins = {name: f"{CNI_PLUGINS}/{name}" for name in ("bridge", "loopback")}
    node = Machine(f"{FOLDER}/{plan}", conflist, {**plugins, ipam["type"]: binary})
    started = time.monotonic()
    node.boot()
    pods = {name: Pod(name) for name in NAMES + NEWCOMERS}
    node.run_all([pods[name] for name in NAMES])
    lives = {name: Life(pods[name].addresses[0]) for name in NAMES}
    say(f"  {plan}: {len(NAMES)} pods run; the uplink is cut, then the power")
    node.cut_off()
    node.reboot()
    if not node.is_cut_off() or node.ready():
        raise RuntimeError("the node still has its uplink or its pods: that was no reboot off the network")
    neighbour = pods[NEIGHBOUR]
    node.run(neighbour)
    node.for_all(lambda name: bring_back(node, pods[name], neighbour, lives.get(name)), order)
    say(f"  {plan}: {len(NAMES)} pods are back, {len(NEWCOMERS)} new ones came between them; "
        f"now the {len(NAMES)} are deleted and made again")
    report = subprocess.run([BINARY, "report", "--conf", f"{node.folder}/net.d", "--no-headers", "--outcome", "changed"],
                            capture_output=True, text=True, check=False).stdout
    status = subprocess.run([BINARY, "status", "--map", "--conf", f"{node.folder}/net.d"], capture_output=True, text=True,
                            check=False).stdout
    node.for_all(lambda name: make_again(node, pods[name], neighbour, lives[name]), NAMES)
    node.remove()
    say(f"  {plan}: {len(NAMES)} pods are back again ({time.monotonic() - started:.0f} s)")
    return lives, report, status.partition("\n\n")[0] + status[status.rfind("\n\n"):]


def bring_back(node, pod, neighbour, life):
    """What the kubelet does with a pod after a boot: stop the dead sandbox if there is one, then make a new one."""
    if pod.sandboxes:
        node.stop(pod.sandbox)
    node.run(pod)
    if life:
        look(pod, neighbour, life)


def make_again(node, pod, neighbour, life):
    """What it does with a pod of a StatefulSet that is deleted: node and neighbour have talked to the old one."""
    node.stop(pod.sandbox)
    node.forget(pod.sandbox)
    pod.uid = str(uuid.uuid4())
    node.run(pod)
    look(pod, neighbour, life)


def look(pod, neighbour, life):
    """Note the pod's address, and how long it takes until node and neighbour reach it there."""
    measured = reach.measure({"node": NETNS, "neighbour": neighbour.sandbox.netns}, pod.addresses, limit=PATIENCE)
    life.after.append(pod.addresses[0])
    life.slowest = max(life.slowest, *measured.values())


def table(results):
    """The pods of both lives side by side, with totals."""
    width = 44
    lines = ["", f"{'':10}" + "".join(paint(f"{plan:{width}}", "bold") for plan in results),
             f"{'pod':10}" + f"{'before':13}{'after':23}{'reached':8}" * len(results)]
    for name in NAMES:
        cells = []
        for lives in results.values():
            life = lives[name]
            word = paint(f"{life.verdict:10}", life.verdict)
            cells.append(f"{life.before:13}{life.after[-1]:13}{word}{f'{life.slowest:.2f} s':8}")
        lines.append(f"{name:10}" + "".join(cells))
    totals = "".join(f"{total(lives):{width}}" for lives in results.values())
    return "\n".join(line.rstrip() for line in [*lines, paint(f"{'total':10}{totals}", "bold"), "", COLUMN])


def total(lives):
    slowest = max(life.slowest for life in lives.values())
    return f"{f'{kept(lives)} of {len(NAMES)} kept':36}{f'{slowest:.2f} s':8}"


def kept(lives):
    """How many pods have the address they had."""
    return sum(life.verdict == "KEPT" for life in lives.values())


def main():
    names = [name for name in NAMES + NEWCOMERS if name != NEIGHBOUR]
    order = random.sample(names, len(names))
    told = {plan: live_through(plan, order) for plan in PLANS}
    results = {plan: lives for plan, (lives, *_) in told.items()}
    _, report, picture = told["delegated-ipam"]
    say(table(results))
    say(f"after the reboot, `delegated-ipam report` said: {report.strip()}")
    say(f"and `delegated-ipam status --map`:\n{picture.rstrip()}")
    say(NEXT)
    summary = ", ".join(f"{plan} kept {kept(lives)}" for plan, lives in results.items())
    say(f"addresses kept over the reboot, of {len(NAMES)}: {summary}")
    is_reported = report == f"{len(NAMES)} KEPT, {len(NEWCOMERS)} NEW, 0 MISSING, 0 UNREACHABLE, 0 EVICTED, 0 CHANGED\n"
    sys.exit(0 if all(life.is_well for life in results["delegated-ipam"].values()) and is_reported else 1)


main()
