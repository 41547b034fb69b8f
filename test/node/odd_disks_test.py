#!/usr/bin/python3
"""File systems that lack something: an fsync of folders, links, attributes, constant inode numbers (S2, S12, S17)."""
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import odd_disks_damage  # noqa: E402
import odd_disks_kinds  # noqa: E402
import odd_disks_layers  # noqa: E402
import odd_disks_roots  # noqa: E402
import sandbox  # noqa: E402
from node import fake_boots  # noqa: E402
from plugin import BINARY  # noqa: E402
from tap import Suite  # noqa: E402

PARTS = (odd_disks_roots, odd_disks_kinds, odd_disks_damage, odd_disks_layers)


def main():
    sandbox.enter()
    fake_boots()
    suite = Suite("odd disks")
    assert os.access(BINARY, os.X_OK), f"no plugin at {BINARY}"
    with tempfile.TemporaryDirectory(prefix="odd.") as folder:
        for part in PARTS:
            for sentence, test, *arguments in part.TESTS:
                suite.run(sentence, test, folder, *arguments)
    suite.finish()


if __name__ == "__main__":
    main()
