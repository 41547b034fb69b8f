"""promtool, Prometheus' own checker of metrics: this machine's, or the one of Debian's package.

The package is fetched once by apt-get into a cache and unpacked there, not installed: it would start a server. Run as a
script, this does no more.
"""
import os
import shutil
import subprocess
import sys
import tempfile

from tap import Skip

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "delegated-ipam/promtool")
PACKAGE = "prometheus"


def path():
    """Where the program lies. Errors: Skip when it is nowhere and cannot be fetched."""
    found = shutil.which("promtool")
    cached = os.path.join(CACHE, "promtool")
    if not found and not os.path.exists(cached):
        _fetch(cached)
    return found or cached


def _fetch(target):
    """By a rename: it is there whole or not at all."""
    os.makedirs(CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        script = f'apt-get -q download {PACKAGE} && dpkg-deb --extract {PACKAGE}_*.deb unpacked'
        done = subprocess.run(["sh", "-c", script], cwd=scratch, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            words = " ".join(done.stderr.split())[-200:]
            raise Skip(f"promtool cannot be fetched (network, or apt-get install {PACKAGE}): {words}")
        os.rename(os.path.join(scratch, "unpacked/usr/bin/promtool"), target)


if __name__ == "__main__":
    try:
        path()
    except Skip as reason:
        print(f"# {reason}", file=sys.stderr)
