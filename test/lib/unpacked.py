"""Programs of Debian packages that are not installed for a test: they would start a server, or bring more along than is
needed. This machine's, or fetched once by apt-get into a cache and unpacked there.
"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

from remembered import CACHES
from tap import Skip


def program(name, package):
    """Where a program lies; package: the one whose usr/bin has it. Errors: Skip when it is nowhere and cannot be
    fetched."""
    found = shutil.which(name)
    cached = os.path.join(CACHES, name, name)
    if not found and not os.path.exists(cached):
        _fetch([package], f"usr/bin/{name}", cached)
    return found or cached


def folder(name, package, path):
    """A folder of a package, as it is in there; name: its own in the cache. Errors as above."""
    cached = os.path.join(CACHES, name, "root")
    if not os.path.exists(cached):
        _fetch([package], path, cached)
    return cached


def command(name, *packages):
    """What runs a program that comes with libraries of its own: the words before its arguments. packages: those that
    have them. Errors as above."""
    found = shutil.which(name)
    if found:
        return [found]
    root = os.path.join(CACHES, name, "root")
    if not os.path.exists(root):
        _fetch(packages, "", root)
    program, = (path for path in (f"{root}/usr/bin/{name}", f"{root}/usr/sbin/{name}") if os.path.exists(path))
    libraries = {os.path.dirname(path) for path in glob.glob(f"{root}/usr/lib/**/*.so*", recursive=True)}
    words = ["env", f"LD_LIBRARY_PATH={':'.join(sorted(libraries))}", program]
    done = subprocess.run([*words, "--version"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip(f"{name} does not run: {done.stderr.strip()[-200:]}")
    return words


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
