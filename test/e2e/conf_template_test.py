#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""containerd writes the conflist itself, from the template that `generate containerd-template` makes and the node's
pod CIDRs; the plugin is put in place by `install`. Pods keep their addresses over a reboot, and are reached there.

usage: conf_template_test.py
SEED=<number> repeats the order of an earlier run. Needs root and the packages of the e2e list.
"""
import json
import os
import random

import world

FOLDER = world.enter()

import tap
import tool
from kubelet import Kubelet, Pod
from machine import CNI_PLUGINS, Machine

SEED = os.environ.get("SEED", str(random.randrange(10**6)))
CIDRS = ["10.77.3.0/24", "fd00:77:3::/64"]


def node_of_template(main):
    """A node without a conflist, and with nothing of ours but what the tool puts there."""
    template = f"{FOLDER}/{main}.template"
    tool.must("generate", "containerd-template", "--main", main, "--exclude", "10.77.3.2-10.77.3.9", "--out", template)
    plugins = {name: f"{CNI_PLUGINS}/{name}" for name in (main, "loopback", "portmap")}
    node = Machine(f"{FOLDER}/{main}", {"name": "pods"}, plugins, conf_template=template)
    tool.must("install", f"{node.folder}/bin")
    return node


def template_serves_pods(main):
    node = node_of_template(main)
    try:
        node.boot()
        assert os.listdir(f"{node.folder}/net.d") == [] and not node.network_ready()[0]
        node.set_pod_cidrs(CIDRS)
        world.wait_until(lambda: node.network_ready()[0], 60, "containerd does not take the conflist that it wrote")
        written, = os.listdir(f"{node.folder}/net.d")
        with open(f"{node.folder}/net.d/{written}") as file:
            ipam = json.load(file)["plugins"][0]["ipam"]
        assert ipam["delegate"]["ranges"] == [[{"subnet": cidr}] for cidr in CIDRS], ipam
        kubelet = Kubelet(node, random.Random(SEED), [Pod(f"web-{i}") for i in range(6)])
        node.run_all(kubelet.pods)
        expected = kubelet.current_addresses()
        kubelet.make_again(kubelet.pods[:2])
        assert all(one.startswith(("10.77.3.1", "fd00:77:3::")) for both in expected.values() for one in both), expected
        node.reboot()
        kubelet.start_interleaved(kubelet.in_another_order(), lambda pod: True)
        kubelet.check_kept(expected)
        kubelet.check_reached(f"{main}, after a reboot")
        kubelet.check_owners()
        print(f"# containerd's template with {main}: {len(expected)} of {len(expected)} pods kept")
    finally:
        node.remove()


def tell(suite):
    for main_plugin in ("bridge", "ptp"):
        suite.run(f"{main_plugin}: containerd fills in the node's pod CIDRs, and its pods keep their addresses",
                  template_serves_pods, main_plugin)


if __name__ == "__main__":
    tap.story("conf template", tell, lambda: print(f"# seed {SEED}"))
