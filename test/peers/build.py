#!/usr/bin/env python3
"""Builds the programs that the tests run against, and fetches the modules whose files they read, each peer once, into
the cache that lib/peers.py describes.

Usage: build.py [PEER...]   (default: every folder beside this file). Needs Go 1.24 or newer, which it fetches where
there is none, and for what is not in Go's own cache the network. Prints one line a peer. A peer that cannot be built is
reported with the reason, and the others go on; exit code 1 then. What go.sum does not vouch for is not built.
"""
import fcntl
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import peers
from go_programs import CannotBuild, compile_tool, fetch, find_go


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


if __name__ == "__main__":
    main()
