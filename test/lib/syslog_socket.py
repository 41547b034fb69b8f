"""What a plugin tells syslog: a datagram socket at /dev/log of a private /dev, so that the host's log hears nothing.

Use it inside sandbox.enter() or world.enter(), after private_dev().
"""
import os
import re
import socket
import stat
import subprocess

PATH = "/dev/log"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
HEADER = re.compile(r"^<(?P<priority>\d+)>\w{3} [ \d]\d \d\d:\d\d:\d\d (?P<tag>[^\[:]+)\[\d+\]: ")
DAEMON_NOTICE = 3 * 8 + 5  # syslog(3): facility LOG_DAEMON, level LOG_NOTICE
LONGEST = 65536


def private_dev():
    """Put an empty file system with the usual devices over /dev. Once per sandbox."""
    numbers = {name: os.stat(f"/dev/{name}").st_rdev for name in DEVICES}
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/dev"], check=True)
    for name, number in numbers.items():
        os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, number)


class Syslog:
    """A syslog daemon for a with block."""

    def __enter__(self):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(PATH)
        return self

    def __exit__(self, *_):
        self._socket.close()
        os.unlink(PATH)

    def lines(self):
        """The texts that came since the last call. AssertionError for one that is no daemon.notice of the plugin.

        A datagram is there when its sender goes on: nothing has to be waited for.
        """
        found = []
        while True:
            try:
                text = self._socket.recv(LONGEST, socket.MSG_DONTWAIT).decode()
            except BlockingIOError:
                return found
            header = HEADER.match(text)
            assert header, f"no syslog message: {text!r}"
            assert header["tag"] == "delegated-ipam" and int(header["priority"]) == DAEMON_NOTICE, text
            found.append(text[header.end():].rstrip("\0\n"))

    def fill(self):
        """Send what nobody reads until no more goes in."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.connect(PATH)
            try:
                while True:
                    sender.send(b"full")
            except BlockingIOError:
                return
