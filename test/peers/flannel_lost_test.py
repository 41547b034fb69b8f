#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib:${0%/*}/../node" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Flannel's real plugin over a sandbox that is gone and whose one and only DEL failed, in one boot. Its death is proven
only where the initial PID namespace is seen: so not in a world, as flannel_test.py.

usage: flannel_lost_test.py
"""
import tempfile

import sandbox

sandbox.enter()

import peers
import tap
from flannel_failures import failing_del_netns
from flannel_node import FlannelNode, Place
from node import fake_boots
from plugin import BINARY, require


def tell(suite):
    with tempfile.TemporaryDirectory(dir="/var/lib/cni") as folder:
        suite.run("a DEL that failed and is never repeated: the address comes back once the namespace is gone",
                  failing_del_netns, Place(folder))


if __name__ == "__main__":
    tap.story(f"Flannel {peers.version('flannel')}", tell,
              lambda: require(BINARY), lambda: peers.require("cnitool", *FlannelNode.programs),
              sandbox.need_initial_pid_namespace, fake_boots)
