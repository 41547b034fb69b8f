#!/usr/bin/python3
"""The failure modes of an edge node, each under its number: power, disks, clocks, moves, floods, odd calls."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import modes_calls  # noqa: E402
import modes_node  # noqa: E402
import modes_store  # noqa: E402
import sandbox  # noqa: E402
from node import fake_boots  # noqa: E402
from plugin import BINARY  # noqa: E402
from tap import Suite  # noqa: E402


def number_of(mode):
    """28 for ("F28: ...", test)."""
    return int(mode[0].split(":")[0][1:])


def main():
    sandbox.enter()
    fake_boots()
    suite = Suite("failure modes")
    assert os.access(BINARY, os.X_OK), f"no plugin at {BINARY}"
    modes = sorted(modes_store.MODES + modes_node.MODES + modes_calls.MODES, key=number_of)
    assert {number_of(mode) for mode in modes} == set(range(1, 29)), "a failure mode has no test"
    for sentence, test in modes:
        suite.run(sentence, test)
    suite.finish()


if __name__ == "__main__":
    main()
