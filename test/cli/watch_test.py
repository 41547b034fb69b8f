#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""`list --watch`: a line for each address that changes, as soon as it does, until somebody ends it or nobody reads."""
import contextlib
import os
import select
import signal
import subprocess

import sandbox
import tap
import tool
from looked_at import BOOTS, Looked
from node import fake_boots, new_boot
from plugin import BINARY, require

HOME = "/var/lib/cni/d"
PATIENCE = 40  # below the minute after which it looks anyway: what comes in time was told by the folders


class Watch:
    """A list --watch that runs, for a with block."""

    def __init__(self, node, *arguments):
        self.process = subprocess.Popen([BINARY, "list", "--watch", *node.look(), *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self._rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def line(self):
        """The next line, its words."""
        while b"\n" not in self._rest:
            assert select.select([self.process.stdout], [], [], PATIENCE)[0], f"nothing is told; so far {self._rest!r}"
            piece = os.read(self.process.stdout.fileno(), 4096)
            assert piece, f"it has ended: {self.process.stderr.read()}"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()


@contextlib.contextmanager
def started():
    with Looked(HOME, [[{"subnet": "10.9.0.0/28"}]], name="pods") as node:
        new_boot(BOOTS[0])
        node.add("c0", "shop/web-0")
        yield node


def follows():
    """What comes, is given back, is taken again and freed; in the columns of the table."""
    with started() as node, Watch(node) as watch:
        head = watch.line()
        assert head.split() == ["ADDRESS", "NAMESPACE", "POD", "IF", "STATE", "KEPT", "SINCE"], head
        told = [watch.line() for _ in range(2)]
        assert sorted(line.split()[0] for line in told) == ["10.9.0.1", "10.9.0.2"], told
        node.add("c1", "shop/web-1")
        line = watch.line()
        assert line.split()[:5] == ["10.9.0.3", "shop", "web-1", "eth0", "in-use"], line
        assert line.index("in-use") == head.index("STATE"), (head, line)
        node.delete("c1", "shop/web-1")
        assert watch.line().split()[:5] == ["10.9.0.3", "shop", "web-1", "eth0", "held"]
        node.add("c2", "shop/web-1")
        assert watch.line().split()[:6] == ["10.9.0.3", "shop", "web-1", "eth0", "in-use", "1"]
        node.delete("c2", "shop/web-1")
        assert watch.line().split()[4] == "held"
        tool.must("release", *node.look(), "shop/web-1", "--apply")
        assert watch.line().split() == ["10.9.0.3", "-", "-", "-", "free", "-", "-"]
        watch.process.terminate()  # SIGINT is ignored by what a shell starts in the background
        assert watch.process.wait(PATIENCE) == -signal.SIGTERM and not watch.process.stderr.read()


def filtered():
    """Of what was asked for only, and names alone; the headers once or never."""
    with started() as node:
        with Watch(node, "-n", "other", "--no-headers") as watch:
            node.add("c1", "shop/web-1")
            node.add("c2", "other/db-0")
            assert watch.line().split()[:3] == ["10.9.0.4", "other", "db-0"]
        with Watch(node, "--state", "held", "-o", "name") as watch:
            node.delete("c1", "shop/web-1")
            assert watch.line() == "10.9.0.3"


def network_comes():
    """The network has no folder yet: its first pod is told of, as its configuration's folder is looked at."""
    with Looked(HOME, [[{"subnet": "10.9.0.0/28"}]], name="pods") as node, Watch(node) as watch:
        assert [watch.line().split()[0] for _ in range(2)] == ["ADDRESS", "10.9.0.1"]
        node.add("c0", "shop/web-0")
        node.configure(node.conf())
        assert watch.line().split()[:3] == ["10.9.0.2", "shop", "web-0"]


def nobody_reads():
    """It ends by itself when its reader does."""
    with started() as node, Watch(node) as watch:
        watch.line()
        watch.process.stdout.close()
        assert watch.process.wait(PATIENCE) == tool.FINE
        watch.process.stdout = None


def refused():
    with started() as node:
        assert "-w: prints lines" in tool.refused("list", "-w", "-o", "json", *node.look())
        assert "nothing happens; leave -w out" in tool.refused("list", "-w", "--root", "/", *node.look())


TESTS = [
    ("each change is told once, in the columns of the table", follows),
    ("filters, names, no headers", filtered),
    ("a network that comes later", network_comes),
    ("ends with its reader", nobody_reads),
    ("json and copies are refused", refused),
]


if __name__ == "__main__":
    tap.main("watch", TESTS, lambda: require(BINARY), sandbox.enter, fake_boots)
