#!/usr/bin/python3 -B
"""Runs a test program whose outcome depends on nothing but itself, unless it has passed before.

usage: passed_before.py PROGRAM [ARGUMENT...]

For the proofs: linked statically, they compute in memory from fixed seeds, and ask neither the machine nor a clock for
anything that decides. What the same program, byte for byte, printed when it passed is printed again, with a line that
says so (its times are of that run). Only what passed is remembered, in the user's cache; PROOF_ANEW=1 runs it all the
same.
"""
import hashlib
import os
import subprocess
import sys
import tempfile

from remembered import Cache

CACHE = Cache("proof")
NOTE = "# not run again: the same program has passed before, when it printed this (PROOF_ANEW=1 runs it)\n"


def key(command):
    """What the outcome depends on, in short."""
    with open(command[0], "rb") as file:
        return hashlib.sha256(b"\0".join([file.read(), *map(os.fsencode, command[1:])])).hexdigest()


def remembered(path):
    """What it printed when it passed; None when it has not."""
    if os.environ.get("PROOF_ANEW") or not os.path.exists(path):
        return None
    with open(path) as file:
        return file.read()


def run(command, path):
    """Run it, show what it prints as it comes, and remember that if it passes; returns its exit code."""
    with tempfile.NamedTemporaryFile("w", dir=CACHE.folder, delete=False) as kept:
        try:
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                for line in process.stdout:
                    sys.stdout.write(line)
                    sys.stdout.flush()
                    kept.write(line)
            kept.flush()
            if process.returncode == 0:
                os.rename(kept.name, path)
            return process.returncode
        finally:
            if os.path.exists(kept.name):
                os.unlink(kept.name)


def main():
    command = sys.argv[1:]
    path = CACHE.path(key(command))
    text = remembered(path)
    if text is None:
        return run(command, path)
    sys.stdout.write(text + NOTE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
