#!/usr/bin/python3
"""The real cilium-cni over sandboxes that are gone without a DEL, in one boot. Their deaths are proven only where the
initial PID namespace is seen: so not in a world, as cilium_test.py.

usage: cilium_lost_test.py [WORD ...]
"""
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../node"))

import sandbox  # noqa: E402

sandbox.enter()

import peers  # noqa: E402
from cilium_failures import lost_sandbox  # noqa: E402
from cilium_life import ingress_under_pressure  # noqa: E402
from cilium_node import Place  # noqa: E402
from node import fake_boots  # noqa: E402
from plugin import BINARY, require  # noqa: E402
from tap import Suite  # noqa: E402

CASES = [
    ("cilium", "the agent refuses its address, and the pod comes up with another one", lost_sandbox),
    ("cilium-1.15", "the agent refuses its address, and the pod comes up with another one", lost_sandbox),
    ("cilium", "the address of an agent's ingress is never taken from it", ingress_under_pressure),
]


def main():
    require(BINARY)
    for peer in ("cilium", "cilium-1.15"):
        peers.require("cilium-cni", peer=peer)
    sandbox.need_initial_pid_namespace()
    fake_boots()
    suite = Suite("")
    with tempfile.TemporaryDirectory(dir="/var/lib/cni") as folder:
        for peer, sentence, test in CASES:
            suite.name = f"cilium-cni {peers.version('cilium-cni', peer)}, a sandbox that is gone without its DEL"
            if any(word in sentence for word in sys.argv[1:] or [""]):
                suite.run(sentence, test, Place(folder, peer))
    suite.finish()


main()
