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
What stays on this machine: the packages and build/release/. What to type next, on every node:

  install -m 755 build/release/delegated-ipam /opt/cni/bin/

Flannel: kubectl -n kube-flannel edit configmap kube-flannel-cfg
  and put "ipam" beside (not into) the "delegate" of the flannel plugin in cni-conf.json; Flannel adds the ranges:

  { "type": "flannel",
    "delegate": { "hairpinMode": true, "isDefaultGateway": true },
    "ipam": { "type": "delegated-ipam", "delegate": { "type": "host-local" } } }

  then: kubectl -n kube-flannel rollout restart daemonset kube-flannel-ds

Cilium: write /etc/cni/net.d/05-cilium.conflist with the node's own subnet (no two nodes may share one):

  { "cniVersion": "0.3.1", "name": "cilium", "plugins": [
    { "type": "cilium-cni", "ipam": { "type": "delegated-ipam",
      "delegate": { "type": "host-local", "ranges": [[{ "subnet": "10.244.1.0/24" }]] } } } ] }

  then: helm upgrade cilium cilium/cilium -n kube-system --reuse-values \\
    --set ipam.mode=delegated-plugin --set cni.customConf=true --set routingMode=native \\
    --set ipv4NativeRoutingCIDR=10.244.0.0/16 --set endpointRoutes.enabled=true \\
    --set endpointHealthChecking.enabled=false --set 'extraArgs[0]=--local-router-ipv4=169.254.23.0'
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
