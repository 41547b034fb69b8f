#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The real cilium-cni, its newest release and an older one, over the product, with a stand-in for Cilium's agent.

usage: cilium_test.py [WORD ...]   (default: every case; else those whose sentence begins with one of the words)
"""
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../node"))

import world

FOLDER = world.enter()

import cilium_calls
import cilium_config
import cilium_failures
import cilium_life
import peers
from cilium_node import Place
from node import fake_boots
from plugin import BINARY, require
from tap import Suite

NEWEST, OLDER = "cilium", "cilium-1.15"
MODULES = (cilium_calls, cilium_config, cilium_failures, cilium_life)


def cases_of(peer):
    """The cases that a peer can be asked for: the older one knows neither STATUS nor version 1.1.0."""
    for module in MODULES:
        yield from module.OLD
        if peer == NEWEST:
            yield from module.NEW


def run(peer, suite):
    """Run the cases of one peer; returns how many ran, and how many failed."""
    before, failed = suite.count - suite.skipped, suite.failed
    suite.name = f"cilium-cni {peers.version('cilium-cni', peer)}"
    place = Place(FOLDER, peer)
    for sentence, test in cases_of(peer):
        if sentence.startswith(tuple(sys.argv[1:]) or ("",)):
            suite.run(sentence, test, place)
    return suite.count - suite.skipped - before, suite.failed - failed


def main():
    require(BINARY)
    for peer in (NEWEST, OLDER):
        peers.require("cilium-cni", peer=peer)
    fake_boots()
    suite = Suite("")
    counts = {peer: run(peer, suite) for peer in (NEWEST, OLDER)}
    for peer, (cases, failed) in counts.items():
        peers.summary("cilium-cni", cases, failed, peer)
    suite.finish()


main()
