"""Programs of Debian packages that are not installed for a test, as they would start a server: this machine's, or
fetched once by apt-get into a cache and unpacked there.
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
        _fetch(package, name, cached)
    return found or cached


def main(path):
    """For a script that does no more than to fetch its program, by calling path()."""
    try:
        path()
    except Skip as reason:
        print(f"# {reason}", file=sys.stderr)


def _fetch(package, name, target):
    """By a rename: it is there whole or not at all."""
    folder = os.path.dirname(target)
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        script = f'apt-get -q download {package} && dpkg-deb --extract {package}_*.deb unpacked'
        done = subprocess.run(["sh", "-c", script], cwd=scratch, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            words = " ".join(done.stderr.split())[-200:]
            raise Skip(f"{name} cannot be fetched (network, or apt-get install {package}): {words}")
        os.rename(os.path.join(scratch, f"unpacked/usr/bin/{name}"), target)
