#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The failure modes of an edge node, each under its number: power, disks, clocks, moves, floods, odd calls."""
import modes_calls
import modes_node
import modes_store
import sandbox
import tap
from node import fake_boots
from plugin import BINARY, require


def number_of(mode):
    """28 for ("F28: ...", test)."""
    return int(mode[0].split(":")[0][1:])


def tests():
    modes = sorted(modes_store.MODES + modes_node.MODES + modes_calls.MODES, key=number_of)
    assert {number_of(mode) for mode in modes} == set(range(1, 29)), "a failure mode has no test"
    for sentence, test in modes:
        yield sentence, test


if __name__ == "__main__":
    tap.main("failure modes", tests, sandbox.enter, fake_boots, lambda: require(BINARY))
