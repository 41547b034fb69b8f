#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib:${0%/*}/../node" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Flannel's real plugin over the newest bridge and the product, run by the newest libcni.

The plugin is the last one of the reference plugins: what came later (several networks in subnet.env, the DEL that is
asked for only once, CNI 1.0.0) is tested with a stand-in, elsewhere.

usage: flannel_test.py [WORD ...]   (default: every case; else those whose sentences have one of the words)
"""

import world

FOLDER = world.enter()

import flannel_config
import flannel_failures
import flannel_life
import peers
import tap
from flannel_node import FlannelNode, Place
from node import fake_boots
from plugin import BINARY, require


def tell(suite):
    suite.run_all((sentence, test, Place(FOLDER)) for sentence, test in
                  [*flannel_life.CASES, *flannel_config.CASES, *flannel_failures.CASES])
    peers.summary("flannel", suite.count - suite.skipped, suite.failed)


if __name__ == "__main__":
    tap.story(f"Flannel {peers.version('flannel')}", tell,
              lambda: require(BINARY), lambda: peers.require("cnitool", *FlannelNode.programs), fake_boots)
