#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Long work tells on a terminal that it goes on, and leaves nothing of that there; a file gets none of it."""
import contextlib
import os
import pty
import shutil
import subprocess

import race
import sandbox
import tap
import tool
from looked_at import BOOTS, Looked
from node import fake_boots, new_boot
from plugin import BINARY, require

HOME = "/var/lib/cni/d"
ERASE = "\r\x1b[K"
# More than a second for the five flushes of one release: no work is long by itself here.
SLOW = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:delay_enter=400000")


def on_terminal(*command, **env):
    """What a command writes to a terminal on standard error, its exit code and standard output."""
    ours, its = pty.openpty()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=its, text=True,
                          env={"PATH": os.environ["PATH"], "TERM": "xterm", "NODE_NAME": "edge-7", **env}) as process:
        os.close(its)
        told = b""
        with open(ours, "rb", buffering=0) as terminal, contextlib.suppress(OSError):  # EIO: nobody has it open any more
            while piece := terminal.read(4096):
                told += piece
        return told.decode(), process.wait(), process.stdout.read()


@contextlib.contextmanager
def busy_node():
    """Three pods that ran, of which one is back after a boot."""
    with Looked(HOME, [[{"subnet": "10.9.0.0/24"}]], name="pods") as node:
        new_boot(BOOTS[0])
        for number in range(3):
            node.add(f"c{number}", f"shop/web-{number}", uid=f"uid-{number}")
        new_boot(BOOTS[1])
        node.add("d0", "shop/web-0", uid="uid-0")
        yield node


def looking():
    """A look at a network whose lock is not free for 2 s: longer than a second."""
    with busy_node() as node:
        with race.lock_held(node):
            told, code, table = on_terminal(BINARY, "list", *node.look())
        assert told.startswith(f"{ERASE}looking at network pods: 1{ERASE}"), repr(told)
        left = told.rpartition(ERASE)[2]
        assert "without its lock" in left and "looking at" not in left and code == tool.FOUND, repr(told)
        assert "web-0" in table and "\x1b" not in table, table


def changing():
    """Two changes whose flushes take more than a second each."""
    with busy_node() as node:
        missing = tool.call("report", *node.look(), "-o", "json", env={"NODE_NAME": "edge-7"})
        report = node.write("report.json", missing.stdout)
        command = [*SLOW, BINARY, "release", *node.look(), "--from-report", report, "--apply"]
        told, code, table = on_terminal(*command)
        assert told == f"{ERASE}release: 2 of 2{ERASE}" and code == tool.FINE, (code, repr(told))
        assert table.count("free") == 2, table


def silent():
    """No line of it in a file, on a terminal that knows no sequences, nor of work that is short."""
    with busy_node() as node:
        command = [BINARY, "list", *node.look()]
        with race.lock_held(node):
            piped = tool.call(*command[1:])
            dumb, *_ = on_terminal(*command, TERM="dumb")
        for told in (piped.stderr, dumb):
            assert "without its lock" in told and "looking at" not in told and "\x1b" not in told, repr(told)
        told, code, _ = on_terminal(*command)
        assert not told and code == tool.FINE, repr(told)


TESTS = [
    ("a look that takes long says so, and then is gone from the terminal", looking),
    ("changes that take long tell how many are done", changing),
    ("nothing of it in files, on dumb terminals, of short work", silent),
]


def need_strace():
    if not shutil.which("strace"):
        tap.skip("needs strace: apt-get install strace")


if __name__ == "__main__":
    tap.main("progress", TESTS, lambda: require(BINARY), need_strace, sandbox.enter, fake_boots)
