#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""File systems that lack something: an fsync of folders, links, attributes, constant inode numbers (S2, S12, S17)."""
import tempfile

import odd_disks_damage
import odd_disks_kinds
import odd_disks_layers
import odd_disks_roots
import sandbox
import tap
from node import fake_boots
from plugin import BINARY, require

PARTS = (odd_disks_roots, odd_disks_kinds, odd_disks_damage, odd_disks_layers)


def tests():
    with tempfile.TemporaryDirectory(prefix="odd.") as folder:
        for part in PARTS:
            for sentence, test, *arguments in part.TESTS:
                yield sentence, test, folder, *arguments


if __name__ == "__main__":
    tap.main("odd disks", tests, sandbox.enter, fake_boots, lambda: require(BINARY))
