#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib:${0%/*}/../node" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The real cilium-cni, its newest release and an older one, over the product, with a stand-in for Cilium's agent.

usage: cilium_test.py [WORD ...]   (default: every case; else those whose sentences have one of the words)
"""
import world

FOLDER = world.enter()

import cilium_calls
import cilium_config
import cilium_failures
import cilium_life
import peers
import tap
from cilium_node import Place
from node import fake_boots
from plugin import BINARY, require

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
    suite.run_all([(sentence, test, place) for sentence, test in cases_of(peer)])
    return suite.count - suite.skipped - before, suite.failed - failed


def built():
    for peer in (NEWEST, OLDER):
        peers.require("cilium-cni", peer=peer)


def tell(suite):
    counts = {peer: run(peer, suite) for peer in (NEWEST, OLDER)}
    for peer, (cases, failed) in counts.items():
        peers.summary("cilium-cni", cases, failed, peer)


if __name__ == "__main__":
    tap.story("cilium-cni", tell, lambda: require(BINARY), built, fake_boots)
