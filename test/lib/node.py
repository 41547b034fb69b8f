"""A node as the plugin sees it: a data folder, a state folder, a boot, one network, and pods that come and go.

Use it inside sandbox.enter(): boots are pretended by laying a file over the kernel's boot id and by emptying /run.
"""
import ctypes
import fcntl
import ipaddress
import os
import shutil
import subprocess
import urllib.parse
import uuid
from dataclasses import dataclass

import plugin

BOOT_ID = "/proc/sys/kernel/random/boot_id"
DOMAIN_NAME = "/proc/sys/kernel/domainname"
CLONE_NEWUTS = 0x04000000
LIBC = ctypes.CDLL(None, use_errno=True)
GOOD_NAMES = ("lock",)
STAMP = "user.delegated-ipam"
NO_NETNS = "/var/run/netns/none"


@dataclass
class Binding:
    """One record `ip.<address>`: which pod the address belongs to, and its place in the order of DELs."""

    namespace: str
    pod: str
    ifname: str
    uid: str
    sequence: int
    kept: int
    boot: str

    @property
    def owner(self):
        return f"{self.namespace}/{self.pod}"


def fake_boots():
    """Let new_boot() tell which boot it is. Once per sandbox.

    The plugin believes what procfs itself says, and no file that a container's start laid over it. So what we lay over
    it is a file of procfs whose text is ours: the domain name, in a UTS namespace of our own.
    """
    if LIBC.unshare(CLONE_NEWUTS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    name_boot()
    subprocess.run(["mount", "--bind", DOMAIN_NAME, BOOT_ID], check=True)


def name_boot(boot_id=None):
    """A new boot id, in our UTS namespace, also where /proc/sys is read-only."""
    text = str(boot_id or uuid.uuid4()).encode()
    if LIBC.setdomainname(text, len(text)) != 0:
        raise OSError(ctypes.get_errno(), "setdomainname")


def new_boot(boot_id=None):
    """Pretend a reboot: /run is empty, and the kernel tells another boot id."""
    empty_run()
    name_boot(boot_id)


def empty_run():
    """What a restarted node container finds: an empty /run, in the same boot. Nothing may be mounted below it."""
    for entry in os.scandir("/run"):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def is_address(name):
    """True if a file name is the text of an IP address."""
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return False


def args_of(pod, uid=""):
    """CNI_ARGS of a pod "namespace/name"; None for a caller that names no pod."""
    return plugin.pod_args(*pod.split("/", 1), uid=uid) if pod else None


class Node:
    """One network on one node. `ipam` are keys beside `delegate`; ranges are read by host-local as well."""

    def __init__(self, home, ranges, name="net", binary=plugin.BINARY, **ipam):
        self.home = home
        self.name = name
        self.binary = binary
        self.ipam = {"ranges": ranges, **ipam}
        self.data_dir = os.path.join(home, "networks")
        self.state_dir = os.path.join(home, "state")
        self.network_dir = os.path.join(self.data_dir, name)
        self.tolerated = ()  # names in the network folder that assert_sound() does not look at

    def conf(self, **ipam):
        """The whole network configuration, as the calling plugin passes it on."""
        block = {"type": "delegated-ipam", "dataDir": self.data_dir, "stateDir": self.state_dir}
        block.update(self.ipam)
        block.update(ipam)
        block.setdefault("delegate", {"type": "host-local"})
        return {"cniVersion": "1.0.0", "name": self.name, "type": "bridge", "ipam": block}

    def request(self, command, container_id, pod=None, ifname="eth0", uid="", args=None, netns=NO_NETNS, **ipam):
        """Environment and stdin of one call; a netns of None leaves the variable out."""
        env = plugin.environment(command, container_id, ifname, netns, args or args_of(pod, uid))
        return env, self.conf(**ipam)

    def call(self, command, container_id, pod=None, binary=None, wrapper=(), **more):
        """Run the plugin once, under a command that runs it (wrapper) if there is one; more as in request()."""
        env, conf = self.request(command, container_id, pod, **more)
        return plugin.run(binary or self.binary, env, conf, wrapper=wrapper)

    def add(self, container_id, pod=None, **more):
        """ADD that must succeed; returns its addresses."""
        done = self.call("ADD", container_id, pod, **more)
        assert done.exit == 0, f"ADD {container_id} for {pod}: exit {done.exit}: {done.stdout} {done.stderr}"
        assert done.addresses, f"ADD {container_id} for {pod} answered no address: {done.stdout}"
        return done.addresses

    def delete(self, container_id, pod=None, **more):
        """DEL that must succeed, silently."""
        done = self.call("DEL", container_id, pod, **more)
        assert done.exit == 0, f"DEL {container_id} for {pod}: exit {done.exit}: {done.stdout} {done.stderr}"
        assert done.stdout == "", f"DEL {container_id} printed {done.stdout!r}"

    def attachments(self):
        """What the network folder says: address -> content of its file, as bytes."""
        found = {}
        for name in self.entries():
            if is_address(name):
                with open(os.path.join(self.network_dir, name), "rb") as file:
                    found[name] = file.read()
        return found

    def addresses_of(self, container_id, ifname="eth0"):
        """The addresses whose files name exactly this attachment, sorted by text."""
        wanted = f"{container_id}\r\n{ifname}".encode()
        return sorted(address for address, content in self.attachments().items() if content == wanted)

    def entries(self):
        """The names in the network folder; none if it is missing."""
        return sorted(os.listdir(self.network_dir)) if os.path.isdir(self.network_dir) else []

    def records(self):
        """Every symbolic link below the state folder: path below it -> target."""
        found = {}
        for folder, folders, files in os.walk(self.state_dir):
            for name in folders + files:
                path = os.path.join(folder, name)
                if os.path.islink(path):
                    found[os.path.relpath(path, self.state_dir)] = os.readlink(path)
        return found

    def bindings(self):
        """The bindings on disk: address -> Binding."""
        found = {}
        for path, target in self.records().items():
            kind, _, address = os.path.basename(path).partition(".")
            if kind != "ip":
                continue
            version, *fields = target.split("~")
            assert version == "1" and len(fields) == 7, f"record {path} -> {target}"
            names = [urllib.parse.unquote(text) for text in fields[:4]]
            found[urllib.parse.unquote(address)] = Binding(*names, int(fields[4]), int(fields[5]), fields[6])
        return found

    def forget_namespace_ids(self):
        """Leave in the stamps what a kernel before 6.18 tells: the numbers of namespaces, which come again."""
        for address in self.attachments():
            path = os.path.join(self.network_dir, address)
            if STAMP not in os.listxattr(path):
                continue
            fields = os.getxattr(path, STAMP).split(b"~", 4)
            inode, _, *rest = fields[3].split(b".")
            fields[3] = b".".join([inode, b"0", *rest])
            os.setxattr(path, STAMP, b"~".join(fields))

    def pending(self):
        """The attachments whose release waits for the next command that can write, as (container ID, ifname)."""
        folder = os.stat(self.network_dir)
        path = f"/run/delegated-ipam/{folder.st_dev}:{folder.st_ino}/pending"
        names = os.listdir(path) if os.path.isdir(path) else []
        return sorted(tuple(os.readlink(os.path.join(path, name)).split("\r\n")) for name in names)

    def lock_is_free(self):
        """True if nobody holds the lock of the network folder."""
        path = os.path.join(self.network_dir, "lock")
        if not os.path.exists(path):
            return True
        with open(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def assert_in_use(self, owners, ifname="eth0"):
        """Exactly these attachments are in the folder: {container ID: its addresses}; no address is in two of them."""
        expected = {address: f"{container_id}\r\n{ifname}".encode()
                    for container_id, addresses in owners.items() for address in addresses}
        given = sum(len(addresses) for addresses in owners.values())
        assert len(expected) == given, f"an address was given twice: {owners}"
        assert self.attachments() == expected, f"in the folder {self.attachments()}, expected {expected}"
        self.assert_sound()

    def assert_sound(self):
        """The folder holds complete IP files and host-local's own files only, and nobody holds the lock."""
        for address, content in self.attachments().items():
            if address in self.tolerated:
                continue
            container_id, separator, ifname = content.partition(b"\r\n")
            complete = separator and container_id and ifname and not content.endswith((b"\n", b"\r"))
            assert complete, f"incomplete IP file {address}: {content!r}"
        odd = [name for name in self.entries()
               if not (is_address(name) or is_own_file(name) or name in self.tolerated)]
        assert not odd, f"foreign entries in the network folder: {odd}"
        assert self.lock_is_free(), "the lock is still held"


def is_own_file(name):
    """True for the files that host-local itself keeps beside the addresses."""
    return name in GOOD_NAMES or name.startswith("last_reserved_ip.")
