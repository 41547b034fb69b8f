#!/usr/bin/env python3
"""Builds the programs that the tests run against, and fetches the modules whose files they read, each peer once, into
the cache that lib/peers.py describes.

Usage: build.py [PEER...]   (default: every folder beside this file). Needs Go 1.24 or newer and, for what is not in
Go's own cache, the network. Prints one line a peer. A peer that cannot be built is reported with the reason, and the
others go on; exit code 1 then. What go.sum does not vouch for is not built.
"""
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import peers

OLDEST_GO = (1, 24)
PLACES = ("go", "/usr/local/go/bin/go")
SECONDS = 3600  # the largest, Cilium's agent, takes 10 minutes of a processor


class CannotBuild(Exception):
    """Why a peer is not built, for people."""


def main():
    os.makedirs(peers.CACHE, exist_ok=True)
    with open(os.path.join(peers.CACHE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once would compile everything twice
        built = [report(name) for name in sys.argv[1:] or peers.names()]
    sys.exit(0 if all(built) else 1)


def report(name):
    """Build one peer and print its line; returns False when it is not there."""
    peer = None
    try:
        peer = peers.Peer(name)
        print(f"{name}: {', '.join(f'{part.name} {part.version}' for part in peer.parts)}: {ensure(peer)}", flush=True)
        return True
    except (CannotBuild, OSError, ValueError) as reason:
        print(f"{name}: not built: {reason}", flush=True)
        if peer:
            with open(peer.failure, "w") as file:
                file.write(str(reason))
        return False


def ensure(peer):
    """Build a peer unless it is in the cache; returns how that went. Errors: CannotBuild."""
    if peer.is_built:
        return "in the cache"
    started, busy = time.monotonic(), processor_time()
    build(peer, find_go())
    if os.path.exists(peer.failure):
        os.unlink(peer.failure)
    return f"built in {time.monotonic() - started:.0f} s, {processor_time() - busy:.0f} s of a processor"


def processor_time():
    """The seconds that the commands which have ended used so far."""
    times = os.times()
    return times.children_user + times.children_system


def find_go():
    """The go command to build with. Errors: CannotBuild when there is none, or only an older one."""
    found = []
    for go in PLACES:
        path = shutil.which(go)
        if not path:
            continue
        text = subprocess.run([path, "version"], capture_output=True, text=True).stdout
        number = re.search(r"go(\d+)\.(\d+)", text)
        if number and tuple(map(int, number.groups())) >= OLDEST_GO:
            return path
        found.append(text.strip())
    raise CannotBuild(f"needs Go 1.24 or newer in PATH or /usr/local/go/bin; found {', '.join(found) or 'none'}")


def build(peer, go):
    """Build every program of a peer and fetch its modules; they come into the cache together, or not at all.

    Errors: CannotBuild.
    """
    scratch = tempfile.mkdtemp(prefix=f"{peer.name}.", dir=peers.CACHE)
    try:
        for tool in peer.tools:
            compile_tool(go, peer.folder, tool.package, os.path.join(scratch, peers.file_name(tool)))
        for module in peer.modules:
            os.symlink(fetch(go, peer.folder, module.name), os.path.join(scratch, peers.file_name(module)))
        shutil.rmtree(peer.built, ignore_errors=True)
        os.chmod(scratch, 0o755)
        os.rename(scratch, peer.built)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def compile_tool(go, folder, package, output):
    """Compile one program, static and without paths of this machine. Errors: CannotBuild with the compiler's words."""
    run_go(go, folder, package, "build", "-p", "2", "-trimpath", "-ldflags=-s -w", "-o", output, package)


def fetch(go, folder, module):
    """Fetch the files of a module into Go's own cache; returns their folder there. Errors: CannotBuild."""
    return json.loads(run_go(go, folder, module, "mod", "download", "-json", module))["Dir"]


def run_go(go, folder, what, *arguments):
    """Run the go command in the folder of a peer; returns its output. Errors: CannotBuild with its words."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    try:
        done = subprocess.run(["nice", "-n", "19", go, *arguments], cwd=folder, env=environment, capture_output=True,
                              text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise CannotBuild(f"{what}: not there within {SECONDS} s") from None
    if done.returncode != 0:
        raise CannotBuild(f"{what}: {' '.join((done.stdout + done.stderr).split())[-600:]}")
    return done.stdout


if __name__ == "__main__":
    main()
