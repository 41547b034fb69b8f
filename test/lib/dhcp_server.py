"""DHCP for pods: a server, dnsmasq, on one interface of a network namespace, and the daemon of Debian's dhcp plugin."""
import contextlib
import os
import signal
import socket
import subprocess

from race import wait_until

DNSMASQ = "/usr/sbin/dnsmasq"
DHCP_PORT = 67
DHCP_PLUGIN = "/usr/lib/cni/dhcp"
SO_ACCEPTCON = 0x10000  # the kernel's net.h: a socket that listens
# A lease of nobody's, until 2106. The server empties its list before each time that it writes it; a list without this
# one is one to be written.
NOBODYS = ["4294967295", "02:00:00:00:00:01", "192.0.2.1", "nobody", "*"]


class DhcpServer:
    """Serves `first` to `last` to whoever asks at `interface`, for a with block; none of them is pinged before.

    netns: the namespace's path. folder: where the list of leases and the log lie.
    reserved: {host name: address} for clients that tell this name.
    """

    def __init__(self, folder, netns, interface, first, last, reserved=()):
        self._leases = os.path.join(folder, "dhcp.leases")
        self._log = os.path.join(folder, "dhcp.log")
        self._command = [
            "nsenter", f"--net={netns}", DNSMASQ, "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
            "--user=root", "--pid-file", f"--interface={interface}", "--except-interface=lo", "--bind-interfaces",
            "--no-ping", "--dhcp-authoritative", f"--dhcp-range={first},{last},1h", "--log-dhcp",
            f"--log-facility={self._log}", f"--dhcp-leasefile={self._leases}",
            *(f"--dhcp-host={name},{address}" for name, address in dict(reserved).items())]

    def __enter__(self):
        if not os.path.exists(self._leases):
            with open(self._leases, "w") as file:
                file.write(" ".join(NOBODYS) + "\n")
        self._process = subprocess.Popen(self._command)
        wait_until(self._serves, f"{DNSMASQ} does not serve, see {self._log}")
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def pause(self):
        """From now on requests wait in the server's socket."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        """Waiting requests are answered, and new ones."""
        self._process.send_signal(signal.SIGCONT)

    def leases(self):
        """Who has which address: {address: client identifier as colon-separated bytes}."""
        lines = wait_until(self._whole_list, f"the list of leases is not written, see {self._log}")
        return {line[2]: line[4] for line in lines if len(line) == 5 and line != NOBODYS}

    def has_waiting(self):
        """True while a request waits that the server has not read; only a paused server has one for long."""
        return any(queued for queued in self._sockets())

    def _whole_list(self):
        """The fields of each line; None while the list is being written."""
        with open(self._leases) as file:
            text = file.read()
        lines = [line.split() for line in text.splitlines()]
        return lines if text.endswith("\n") and NOBODYS in lines else None

    def _serves(self):
        assert self._process.poll() is None, f"{DNSMASQ} ended with {self._process.returncode}, see {self._log}"
        return bool(self._sockets())

    def _sockets(self):
        """The bytes that wait in each socket at the DHCP port of the server's namespace."""
        with open(f"/proc/{self._process.pid}/net/udp") as file:
            lines = [line.split() for line in file.readlines()[1:]]
        return [int(line[4].split(":")[1], 16) for line in lines if int(line[1].split(":")[1], 16) == DHCP_PORT]


@contextlib.contextmanager
def client_daemon(folder, path):
    """The dhcp plugin's daemon for a with block, at this socket: it takes, renews and gives back the leases. Its log is
    in `folder`."""
    if os.path.exists(path):
        os.unlink(path)
    with open(os.path.join(folder, "daemon.log"), "a") as log:
        process = subprocess.Popen([DHCP_PLUGIN, "daemon", "-socketpath", path], stdout=log, stderr=log)
    try:
        wait_until(lambda: _is_served(path), f"{DHCP_PLUGIN} daemon does not listen, see {log.name}")
        yield
    finally:
        process.kill()
        process.wait()


def has_answered(path):
    """True once the daemon at this socket has done all that it was asked: it closes a caller's connection then, also a
    dead caller's. What it does for one is not visible at the server: a lease is there before the daemon keeps it."""
    with open("/proc/net/unix") as file:  # proc(5): Num, RefCount, Protocol, Flags, Type, St, Inode, Path
        lines = [line.split() for line in file.readlines()[1:]]
    return not any(line[7:] == [path] and int(line[3], 16) & SO_ACCEPTCON == 0 for line in lines)


def _is_served(path):
    """True once somebody listens at the socket: its file is there before."""
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
        client.connect(path)
        return True
    return False
