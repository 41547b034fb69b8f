#!/usr/bin/python3
"""Flannel's real plugin over the newest bridge and the product, run by the newest libcni.

The plugin is the last one of the reference plugins: what came later (several networks in subnet.env, the DEL that is
asked for only once, CNI 1.0.0) is tested with a stand-in, elsewhere.

usage: flannel_test.py [WORD ...]   (default: every case; else those whose sentence begins with one of the words)
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../node"))

import world  # noqa: E402

FOLDER = world.enter()

import flannel_config  # noqa: E402
import flannel_failures  # noqa: E402
import flannel_life  # noqa: E402
import peers  # noqa: E402
from flannel_node import FlannelNode, Place  # noqa: E402
from node import fake_boots  # noqa: E402
from plugin import BINARY, require  # noqa: E402
from tap import Suite  # noqa: E402


def main():
    require(BINARY)
    peers.require("cnitool", *FlannelNode.programs)
    fake_boots()
    suite = Suite(f"Flannel {peers.version('flannel')}")
    for sentence, test in [*flannel_life.CASES, *flannel_config.CASES, *flannel_failures.CASES]:
        if sentence.startswith(tuple(sys.argv[1:]) or ("",)):
            suite.run(sentence, test, Place(FOLDER))
    peers.summary("flannel", suite.count - suite.skipped, suite.failed)
    suite.finish()


main()
