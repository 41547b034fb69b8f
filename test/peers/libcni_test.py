#!/usr/bin/python3
"""The newest libcni, by its cnitool, over the newest bridge and the product: ADD, CHECK, DEL, GC and STATUS.

usage: libcni_test.py [WORD ...]   (default: every case; else those whose sentence begins with one of the words)
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import world  # noqa: E402

FOLDER = world.enter()

import libcni_verbs  # noqa: E402
import peers  # noqa: E402
from libcni_node import LibcniNode  # noqa: E402
from node import fake_boots  # noqa: E402
from plugin import BINARY, require  # noqa: E402
from tap import Suite  # noqa: E402


class PluginNode(LibcniNode):
    """With the newest reference plugins."""

    programs = ("bridge", "host-local")


def main():
    require(BINARY)
    peers.require("cnitool", *PluginNode.programs)
    fake_boots()
    suite = Suite(f"libcni {peers.version('cnitool')}")
    for sentence, test in libcni_verbs.CASES:
        if sentence.startswith(tuple(sys.argv[1:]) or ("",)):
            suite.run(sentence, test, lambda *args, **more: PluginNode(FOLDER, *args, **more))
    peers.summary("cnitool", suite.count - suite.skipped, suite.failed)
    suite.finish()


main()
