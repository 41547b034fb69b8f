"""Odd things in place of a file or folder for a while, and what they lead to, which must not change."""
import contextlib
import os
import shutil
import socket
import stat

NOBODY = 65534
TIB = 1 << 40
ZERO = os.makedev(1, 5)  # /dev/zero: who reads it to its end never comes to one
PRECIOUS = "not the plugin's\n"


class Outside:
    """A file, a folder, and a name that leads nowhere, none of the product's: links lead there."""

    def __init__(self, home):
        self.home = home
        self.file, self.folder, self.nothing = (f"{home}/{name}" for name in ("file", "folder", "nothing"))
        os.makedirs(self.folder)
        for path in (self.file, f"{self.folder}/10.9.0.99"):
            with open(path, "w") as file:
                file.write(PRECIOUS)
            os.chmod(path, 0o640)
        self._before = self._look()

    def _look(self):
        """All but the time of the last look itself."""
        found = {}
        for folder, names, files in os.walk(self.home):
            for path in [folder, *(os.path.join(folder, name) for name in names + files)]:
                status = os.lstat(path)
                text = open(path, "rb").read() if stat.S_ISREG(status.st_mode) else b""
                found[path] = (text, *status[:7], status.st_mtime_ns, status.st_ctime_ns)
        return found

    def changed(self):
        now = self._look()
        return sorted(path for path in now.keys() | self._before.keys() if now.get(path) != self._before.get(path))

    def damaged(self):
        """The same, but for what has been added to the folder."""
        now = self._look()
        return sorted(path for path in self._before if path != self.folder and now.get(path) != self._before[path])

    def assert_same(self):
        assert not self.changed(), f"changed outside of the product's folders: {self.changed()}"


def _sparse(path, _):
    with open(path, "wb") as file:
        file.truncate(TIB)


def _strangers(path, _):
    """Of another user, for everybody to write to, with what an attachment's file would say."""
    with open(path, "w") as file:
        file.write("c-evil\r\neth0")
    os.chmod(path, 0o666)
    os.chown(path, NOBODY, NOBODY)


def _socket(path, _):
    with socket.socket(socket.AF_UNIX) as one:
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        one.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")  # its path may be longer than a socket's
        os.close(folder)


KINDS = {
    "a link to a file": lambda path, outside: os.symlink(outside.file, path),
    "a link to a folder": lambda path, outside: os.symlink(outside.folder, path),
    "a link to nothing": lambda path, outside: os.symlink(outside.nothing, path),
    "a link to itself": lambda path, _: os.symlink(os.path.basename(path), path),
    "a pipe": lambda path, _: os.mkfifo(path, 0o600),
    "a device": lambda path, _: os.mknod(path, stat.S_IFCHR | 0o600, ZERO),
    "a socket": _socket,
    "a folder": lambda path, _: os.mkdir(path),
    "a file of 1 TiB": _sparse,
    "another user's file": _strangers,
}


def remove(path):
    """Whatever lies there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


@contextlib.contextmanager
def in_place_of(path, kind, outside, aside):
    """The thing lies at `path` in the with block; what was there waits at `aside`, in a folder of the same disk."""
    was_there = os.path.lexists(path)
    if was_there:
        os.rename(path, aside)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        KINDS[kind](path, outside)
        yield
    finally:
        remove(path)
        if was_there:
            os.rename(aside, path)


def in_folder(home, test, *arguments):
    """Run the test with a folder of its own."""
    os.makedirs(home, exist_ok=True)
    try:
        test(*arguments)
    finally:
        shutil.rmtree(home)
