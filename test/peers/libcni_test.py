#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The newest libcni, by its cnitool, over the newest bridge and the product: ADD, CHECK, DEL, GC and STATUS.

usage: libcni_test.py [WORD ...]   (default: every case; else those whose sentences have one of the words)
"""

import world

FOLDER = world.enter()

import libcni_verbs
import peers
import tap
from libcni_node import LibcniNode
from node import fake_boots
from plugin import BINARY, require


class PluginNode(LibcniNode):
    """With the newest reference plugins."""

    programs = ("bridge", "host-local")


def tell(suite):
    suite.run_all([(sentence, test, lambda *args, **more: PluginNode(FOLDER, *args, **more))
                   for sentence, test in libcni_verbs.CASES])
    peers.summary("cnitool", suite.count - suite.skipped, suite.failed)


if __name__ == "__main__":
    tap.story(f"libcni {peers.version('cnitool')}", tell,
              lambda: require(BINARY), lambda: peers.require("cnitool", *PluginNode.programs), fake_boots)
