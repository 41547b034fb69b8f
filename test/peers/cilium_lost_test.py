#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib:${0%/*}/../node" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The real cilium-cni over sandboxes that are gone without a DEL, in one boot. Their deaths are proven only where the
initial PID namespace is seen: so not in a world, as cilium_test.py.

usage: cilium_lost_test.py [WORD ...]
"""
import tempfile

import sandbox

sandbox.enter()

import peers
import tap
from cilium_failures import lost_sandbox
from cilium_life import ingress_under_pressure
from cilium_node import Place
from node import fake_boots
from plugin import BINARY, require

CASES = [
    ("cilium", "the agent refuses its address, and the pod comes up with another one", lost_sandbox),
    ("cilium-1.15", "the agent refuses its address, and the pod comes up with another one", lost_sandbox),
    ("cilium", "the address of an agent's ingress is never taken from it", ingress_under_pressure),
]


def built():
    for peer in ("cilium", "cilium-1.15"):
        peers.require("cilium-cni", peer=peer)


def tell(suite):
    with tempfile.TemporaryDirectory(dir="/var/lib/cni") as folder:
        for peer, sentence, test in CASES:
            suite.name = f"cilium-cni {peers.version('cilium-cni', peer)}, a sandbox that is gone without its DEL"
            suite.run_all([(sentence, test, Place(folder, peer))])


if __name__ == "__main__":
    tap.story("cilium-cni", tell, lambda: require(BINARY), built, sandbox.need_initial_pid_namespace, fake_boots)
