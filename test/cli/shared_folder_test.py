#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Files that the tool writes into a folder of everybody's: what another user has put there is neither written to nor
taken for ours, and what a killed command leaves goes with the next one.

usage: shared_folder_test.py [WORD ...]
"""
import fcntl
import os
import re
import shutil
import stat
import tempfile

import tap
import tool
import trace
from plugin import BINARY, HOST_LOCAL, require
from tap import Skip

STRANGER = 65534
PRECIOUS = "root's own"
BRIDGE = ("generate", "bridge", "--subnet", "10.1.0.0/24")
NODES = '{"kind": "List", "items": [{"kind": "Node", "metadata": {"name": "n1"}, "spec": {"podCIDR": "10.1.0.0/24"}}]}'


class Shared:
    """A folder like /tmp, a file elsewhere that must not change, and names that earlier versions could be foreseen to
    use, occupied by a stranger."""

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="shared.", dir="/var/tmp")
        os.chmod(self.home, 0o755)
        self.path = os.path.join(self.home, "folder")
        os.mkdir(self.path)
        os.chmod(self.path, 0o1777)
        self.precious = os.path.join(self.home, "precious")
        self.write(self.precious, PRECIOUS)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home)

    @staticmethod
    def write(path, text):
        with open(path, "w") as file:
            file.write(text)

    def occupy(self, kind, name):
        path = os.path.join(self.path, name)
        if kind == "file":
            self.write(path, "the stranger's")
            os.chmod(path, 0o666)
            os.chown(path, STRANGER, STRANGER)
        elif kind == "second name":
            os.link(self.precious, path)
        elif kind == "symbolic link":
            os.symlink(self.precious, path)
            os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
        elif kind == "pipe":
            os.mkfifo(path, 0o666)
        elif kind == "folder":
            os.mkdir(path)

    def assert_ours(self, name, mode):
        """A file of its own, of root's and with this mode; the other one is as it was."""
        found = os.lstat(os.path.join(self.path, name))
        assert stat.S_ISREG(found.st_mode) and found.st_nlink == 1, (name, found)
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (os.geteuid(), mode), (name, found)
        with open(self.precious) as file:
            assert file.read() == PRECIOUS

    def left_overs(self):
        return [name for name in os.listdir(self.path) if re.fullmatch(r"\.delegated-ipam\.[0-9a-f]{16}\.new", name)]


def generate(folder):
    tool.must(*BRIDGE, "--out", f"{folder.path}/net.conflist")
    return {"net.conflist": 0o644}


def each_node(folder):
    tool.must("generate", "bridge", "--nodes", "-", "--out", folder.path, stdin=NODES)
    return {"n1.conflist": 0o644}


def shared_conflist(folder):
    tool.must("generate", "bridge", "--nodes", "-", "--name", "net", "--nodes-dir", "/etc/ranges", "--out", folder.path,
              stdin=NODES)
    return {"net.conflist": 0o644}


def install(folder):
    tool.must("install", folder.path)
    return {"delegated-ipam": 0o755}


def keep_original(folder):
    shutil.copy(HOST_LOCAL, os.path.join(folder.path, "host-local"))
    tool.must("install", folder.path, "--as", "host-local")
    with open(os.path.join(folder.path, "host-local.orig"), "rb") as kept, open(HOST_LOCAL, "rb") as original:
        assert kept.read() == original.read(), "the original is not what was kept"
    return {"host-local": 0o755, "host-local.orig": 0o755}


def node_ranges(folder):
    os.mkdir(f"{folder.home}/map")
    os.mkdir(f"{folder.home}/bin")
    folder.write(f"{folder.home}/map/edge-1", "10.1.0.0/24\n")
    tool.must("install", f"{folder.home}/bin", "--nodes-from", f"{folder.home}/map", "--nodes-dir", folder.path,
              "--node", "edge-1")
    return {"edge-1": 0o644}


COMMANDS = {"generate --out": (generate, ["net.conflist"]), "generate --nodes": (each_node, ["n1.conflist"]),
            "generate --nodes --nodes-dir": (shared_conflist, ["net.conflist"]),
            "install": (install, ["delegated-ipam"]),
            "install --as host-local": (keep_original, ["host-local", "host-local.orig"]),
            "install --nodes-dir": (node_ranges, ["edge-1", os.uname().nodename])}
KINDS = ["file", "second name", "symbolic link", "pipe", "folder"]


def foreseen(command, names, kind):
    with Shared() as folder:
        for name in names:
            folder.occupy(kind, f".{name}.new")
        for name, mode in command(folder).items():
            folder.assert_ours(name, mode)
        assert not folder.left_overs()


def over_a_stranger_s(kind):
    """The name itself is taken: it is replaced, and what it led to stays."""
    with Shared() as folder:
        folder.occupy(kind, "net.conflist")
        for name, mode in generate(folder).items():
            folder.assert_ours(name, mode)


def over_what_is_no_file():
    """A device or a pipe is not replaced by a file."""
    with Shared() as folder:
        path = os.path.join(folder.path, "null")
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        folder.occupy("pipe", "pipe")
        for name in ("null", "pipe"):
            line = tool.refused(*BRIDGE, "--out", os.path.join(folder.path, name))
            assert f"{name} is no regular file" in line, line
            assert not stat.S_ISREG(os.lstat(os.path.join(folder.path, name)).st_mode)


def exclusive():
    """Every file that is made is made anew, and under a name that no call had before."""
    with Shared() as folder:
        seen = [names_made(folder) for _ in range(2)]
        assert seen[0] and not seen[0] & seen[1], seen


def names_made(folder):
    arguments = (*BRIDGE, "--out", f"{folder.path}/net.conflist")
    done, calls, text = trace.run(BINARY, {"PATH": ""}, "", follow=False, arguments=arguments)
    assert done.exit == 0, done
    made = [call for call in calls if call.name.startswith("open") and "O_CREAT" in call.args]
    assert all("O_EXCL" in call.args for call in made), text
    written = [call for call in calls if call.name.startswith("open") and re.search("O_WRONLY|O_RDWR", call.args)]
    assert all("O_TMPFILE" in call.args or "O_EXCL" in call.args for call in written), text
    return {re.search(r'"(\.delegated-ipam\.[^"]*)"', call.args)[1] for call in calls if call.name == "renameat"}


def without_unnamed_files():
    """A disk without O_TMPFILE: the name is random all the same, and nobody else's file is taken."""
    with Shared() as folder:
        folder.occupy("second name", ".net.conflist.new")
        arguments = (*BRIDGE, "--out", f"{folder.path}/net.conflist")
        _, calls, _ = trace.run(BINARY, {"PATH": ""}, "", follow=False, arguments=arguments)
        opens = [call for call in calls if call.name == "openat"]
        place, = [call.occurrence for call in opens if "O_TMPFILE" in call.args]
        done, calls, text = trace.inject(BINARY, {"PATH": ""}, "", "openat", place, "error=EOPNOTSUPP", follow=False,
                                         arguments=arguments)
        assert done.exit == 0, done
        made, = [call for call in calls if call.name == "openat" and "O_CREAT" in call.args]
        assert "O_EXCL" in made.args and re.search(r"\.delegated-ipam\.[0-9a-f]{16}\.new", made.args), text
        folder.assert_ours("net.conflist", 0o644)


def killed():
    """Killed before the last call: the next command takes the name away."""
    with Shared() as folder:
        done, _, _ = trace.inject(BINARY, {"PATH": ""}, "", "renameat", 1, "signal=KILL", follow=False,
                                  arguments=(*BRIDGE, "--out", f"{folder.path}/net.conflist"))
        if done.exit != -9:
            raise Skip("strace could not kill it")
        left = folder.left_overs()
        generate(folder)
        assert not folder.left_overs(), left


def only_left_overs():
    """A file that a running command writes stays, and so does what only looks alike."""
    with Shared() as folder:
        held, left = (os.path.join(folder.path, f".delegated-ipam.{digit * 16}.new") for digit in "ab")
        alike = [os.path.join(folder.path, name) for name in
                 (".delegated-ipam.new", ".delegated-ipam.aaaa.new", f".delegated-ipam.{'A' * 16}.new", ".net.new")]
        for path in (held, left, *alike):
            folder.write(path, "x")
        with open(held) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            generate(folder)
            assert os.path.exists(held) and not os.path.exists(left)
        generate(folder)
        assert not os.path.exists(held)
        assert all(os.path.exists(path) for path in alike)


TESTS = [
    *((f"{what}, a {kind} under the name of earlier versions' new file", foreseen, command, names, kind)
      for what, (command, names) in COMMANDS.items() for kind in KINDS),
    *((f"a stranger's {kind} under the name itself is replaced", over_a_stranger_s, kind)
      for kind in ("file", "second name", "symbolic link")),
    ("a device or a pipe is not replaced", over_what_is_no_file),
    ("every file is made exclusively, under another name each time", exclusive),
    ("a disk without unnamed files", without_unnamed_files),
    ("a killed command's file goes with the next command", killed),
    ("a running command's file stays, and what only looks alike", only_left_overs),
]


def root():
    if os.geteuid() != 0:
        tap.skip("needs root: it puts another user's files into a folder; run it with sudo")


if __name__ == "__main__":
    tap.main("shared_folder", TESTS, lambda: require(BINARY, HOST_LOCAL), root)
