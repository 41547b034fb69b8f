#!/usr/bin/python3
"""Flannel's real plugin over a sandbox that is gone and whose one and only DEL failed, in one boot. Its death is proven
only where the initial PID namespace is seen: so not in a world, as flannel_test.py.

usage: flannel_lost_test.py
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
from flannel_failures import failing_del_netns  # noqa: E402
from flannel_node import FlannelNode, Place  # noqa: E402
from node import fake_boots  # noqa: E402
from plugin import BINARY, require  # noqa: E402
from tap import Suite  # noqa: E402


def main():
    require(BINARY)
    peers.require("cnitool", *FlannelNode.programs)
    sandbox.need_initial_pid_namespace()
    fake_boots()
    suite = Suite(f"Flannel {peers.version('flannel')}")
    with tempfile.TemporaryDirectory(dir="/var/lib/cni") as folder:
        suite.run("a DEL that failed and is never repeated: the address comes back once the namespace is gone",
                  failing_del_netns, Place(folder))
    suite.finish()


main()
