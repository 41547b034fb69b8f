#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The newest libcni, by its cnitool, over the newest bridge and the product: ADD, CHECK, DEL, GC and STATUS.

usage: libcni_test.py [WORD ...]   (default: every case; else those whose sentence begins with one of the words)
"""
import sys

import world

FOLDER = world.enter()

import libcni_verbs
import peers
from libcni_node import LibcniNode
from node import fake_boots
from plugin import BINARY, require
from tap import Suite


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
