#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Flannel's real plugin over the newest bridge and the product, run by the newest libcni.

The plugin is the last one of the reference plugins: what came later (several networks in subnet.env, the DEL that is
asked for only once, CNI 1.0.0) is tested with a stand-in, elsewhere.

usage: flannel_test.py [WORD ...]   (default: every case; else those whose sentence begins with one of the words)
"""
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../node"))

import world

FOLDER = world.enter()

import flannel_config
import flannel_failures
import flannel_life
import peers
from flannel_node import FlannelNode, Place
from node import fake_boots
from plugin import BINARY, require
from tap import Suite


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
