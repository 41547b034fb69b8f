"""Programs of Debian packages that are not installed for a test: they would start a server, or bring more along than is
needed. This machine's, or fetched once by apt-get into a cache and unpacked there.
"""
import os
import shutil
import subprocess
import sys
import tempfile

from tap import Skip

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "delegated-ipam")


def program(name, package):
    """Where a program lies; package: the one whose usr/bin has it. Errors: Skip when it is nowhere and cannot be
    fetched."""
    found = shutil.which(name)
    cached = os.path.join(CACHE, name, name)
    if not found and not os.path.exists(cached):
        _fetch([package], f"usr/bin/{name}", cached)
    return found or cached


def tree(name, *packages):
    """The folder that has all files of some packages. Errors as above."""
    cached = os.path.join(CACHE, name, "root")
    if not os.path.exists(cached):
        _fetch(packages, "", cached)
    return cached


def require(*paths):
    """End the suite as skipped, with the reason, unless each of these functions finds its program."""
    for path in paths:
        try:
            path()
        except Skip as reason:
            print(f"1..0 # SKIP {reason}", flush=True)
            sys.exit(0)


def main(path):
    """For a script that does no more than to fetch its program, by calling path()."""
    try:
        path()
    except Skip as reason:
        print(f"# {reason}", file=sys.stderr)


def _fetch(packages, wanted, target):
    """Of all that is in the packages what is wanted. By a rename: it is there whole or not at all."""
    folder = os.path.dirname(target)
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        script = 'apt-get -q download "$@" && for one in *.deb; do dpkg-deb --extract "$one" unpacked; done'
        done = subprocess.run(["sh", "-ec", script, "-", *packages], cwd=scratch, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            words = " ".join(done.stderr.split())[-200:]
            name = " ".join(packages)
            raise Skip(f"{os.path.basename(folder)} cannot be fetched (network, or apt-get install {name}): {words}")
        os.rename(os.path.join(scratch, "unpacked", wanted), target)
