"""A Go for machines that have none, or one too old for the peers: Debian's fetches the newer as a module. Run as a
script, this does no more than to fetch it.

A Go of 1.21 or later does so by itself (https://go.dev/doc/toolchain); Debian 12's, 1.19, knows modules and the
database of their checksums, which is enough. That one is unpacked into the cache and not installed. The module lacks
what modules cannot have: files that are programs, and a go.mod inside; both are mended, as the newer Go does for itself.
"""
import glob
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile

import unpacked
from remembered import CACHES
from tap import Skip

VERSION = "go1.26.8"
MODULE = "golang.org/toolchain"
SUMS = {  # of the module, by machine: cmd/go's "h1:"
    "x86_64": ("linux-amd64", "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM="),
    "aarch64": ("linux-arm64", "h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc="),
}
DEBIANS = ("golang-1.19-go", "usr/lib/go-1.19")
SECONDS = 900  # 70 MB
CACHED = os.path.join(CACHES, "go", VERSION)


def path():
    """Where its go command lies; fetched once. Errors: Skip when it cannot be had."""
    command = os.path.join(CACHED, "bin/go")
    if not os.path.exists(command):
        _fetch(*_wanted(platform.machine()))
    return command


def _wanted(machine):
    """The module's version for a machine, and its checksum."""
    if machine not in SUMS:
        raise Skip(f"no Go toolchain is known for {machine}: install Go 1.24 or newer")
    system, checksum = SUMS[machine]
    return f"v0.0.1-{VERSION}.{system}", checksum


def _fetch(version, checksum):
    """By a rename: it is there whole or not at all."""
    root = unpacked.folder("debian-go", *DEBIANS)
    os.makedirs(os.path.dirname(CACHED), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(CACHED)) as scratch:
        found = _download(root, version, scratch)
        if found.get("Sum") != checksum:
            raise Skip(f"{MODULE}@{version} is not what it was: {found.get('Sum')} instead of {checksum}")
        _mend(found["Dir"])
        shutil.rmtree(CACHED, ignore_errors=True)
        os.rename(found["Dir"], CACHED)


def _download(root, version, folder):
    """What the go command below root says of the module, which it has fetched into the folder."""
    environment = {**os.environ, "GOROOT": root, "GOMODCACHE": f"{folder}/modules", "GOFLAGS": "-modcacherw",
                   "GO111MODULE": "on", "GOWORK": "off"}
    try:
        done = subprocess.run([f"{root}/bin/go", "mod", "download", "-json", f"{MODULE}@{version}"], cwd=folder,
                              env=environment, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Skip(f"{MODULE}@{version}: not there within {SECONDS} s") from None
    if done.returncode != 0:
        raise Skip(f"{MODULE}@{version} cannot be fetched: {' '.join((done.stdout + done.stderr).split())[-300:]}")
    return json.loads(done.stdout)


def _mend(root):
    for program in [*glob.glob(f"{root}/bin/*"), *glob.glob(f"{root}/pkg/tool/*/*")]:
        os.chmod(program, 0o755)
    for module in ("src", "src/cmd"):
        os.rename(f"{root}/{module}/_go.mod", f"{root}/{module}/go.mod")


if __name__ == "__main__":
    try:
        print(path())
    except Skip as reason:
        sys.exit(f"# {reason}")
