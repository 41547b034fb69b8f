"""File systems that are refused by name: without links, or shared with other machines. And what stat(2) says oddly."""
import os
import struct
import subprocess

import plugin
import race
import trace
from disk import Disk
from node import Node
from patient import NOT_AVAILABLE, TRY_AGAIN, code_of, message_of

RANGES = [[{"subnet": "10.9.0.0/28"}]]
POD = "shop/web-0"
INVALID = 7
REMOTE = {"9p": 0x01021997, "afs": 0x6B414653, "gpfs": 0x47504653, "beegfs": 0x19830326, "vboxsf": 0x786F4256,
          "smb3": 0xFE534D42, "ceph": 0x00C36400, "lustre": 0x0BD00BD0}
WITHOUT_LINKS = {"vfat": 0x4D44, "exfat": 0x2011BAB0}


def saying(magic):
    """A wrapper under which statfs(2) tells this type of file system."""
    return ("strace", "-f", "-qq", "-o", "/dev/null", "-e",
            f"inject=fstatfs:poke_exit=@arg2={struct.pack('=Q', magic).hex()}")


def node_in(folder, name, **ipam):
    """A node whose network folder exists."""
    node = Node(os.path.join(folder, name), RANGES, **ipam)
    os.makedirs(node.network_dir)
    return node


def assert_refused(node, outcome, *words):
    assert code_of(outcome) == INVALID, outcome
    missing = [word for word in words if word not in outcome.json["msg"]]
    assert not missing, f"{outcome.json['msg']!r} does not say {missing}"
    assert node.attachments() == {} and node.bindings() == {}


def refused_by_type(folder, kinds, *words):
    """ADD is code 7 naming folder, file system and remedy, also when a DEL came first; STATUS is 50."""
    for number, (name, magic) in enumerate(kinds.items()):
        node = node_in(folder, name, retain=number != 1)
        for container_id in ("c-1", "c-2"):
            refused = node.call("ADD", container_id, POD, wrapper=saying(magic))
            assert_refused(node, refused, node.network_dir, name, *words, "ipam.dataDir", "local disk")
            released = node.call("DEL", container_id, POD, wrapper=saying(magic))
            assert released.exit == 0, released
        env, conf = node.request("STATUS", None)
        status = plugin.run(node.binary, env, {**conf, "cniVersion": "1.1.0"}, wrapper=saying(magic))
        assert code_of(status) == NOT_AVAILABLE and name in message_of(status), status


def refused_by_its_answers(folder):
    """A file system of any name that has no hard links, or no symbolic ones: the first call that says so is named."""
    for call, error, key in (("linkat", "EPERM", "ipam.dataDir"), ("linkat", "EOPNOTSUPP", "ipam.dataDir"),
                             ("linkat", "ENOSYS", "ipam.dataDir"), ("symlinkat", "EPERM", "ipam.stateDir"),
                             ("symlinkat", "EOPNOTSUPP", "ipam.stateDir")):
        node = node_in(folder, f"{call}-{error}")
        refused = node.call("ADD", "c-1", POD, wrapper=trace.always(f"{call}:error={error}"))
        place = node.network_dir if call == "linkat" else node.state_dir
        assert_refused(node, refused, place, key, "links", "local disk")
        assert node.entries() in (["lock"], []), node.entries()


def holder_on_subvolume(folder):
    """On btrfs stat(2) and /proc/locks tell different devices: the holder is named all the same."""
    with Disk(folder, "btrfs") as disk:
        home = os.path.join(disk.mount_point, "node")
        subprocess.run(["btrfs", "-q", "subvolume", "create", home], check=True)
        node = node_in(home, "held", timeoutSeconds=1)
        with race.lock_held(node):
            refused = node.call("ADD", "c-1", POD)
        assert code_of(refused) == TRY_AGAIN and f"held by process {os.getpid()} (" in message_of(refused), refused


def relabelled(folder):
    """chown -R and restorecon in mid-boot change the times of everything: the boot scan is not repeated for it."""
    node = Node(os.path.join(folder, "relabelled"), RANGES)
    node.add("c-1", POD)
    outcome, calls, _ = trace.run(node.binary, *node.request("ADD", "c-2", "shop/web-1"))
    assert outcome.exit == 0, outcome
    subprocess.run(["chown", "-R", "65534:65534", node.network_dir], check=True)
    subprocess.run(["chown", "-R", "0:0", node.network_dir], check=True)
    after, calls_after, _ = trace.run(node.binary, *node.request("ADD", "c-3", "shop/web-2"))
    assert after.exit == 0, after
    assert len(calls_after) <= len(calls) + 5, f"{len(calls)} calls before, {len(calls_after)} after chown"


TESTS = [
    ("file systems without links are refused by name, with the remedy", refused_by_type, WITHOUT_LINKS, "links"),
    ("network file systems are refused by name, with the remedy", refused_by_type, REMOTE, "network file system"),
    ("a file system that turns out to have no links is refused, with the remedy", refused_by_its_answers),
    ("the lock's holder is named on a btrfs subvolume", holder_on_subvolume),
    ("another owner or label in mid-boot does not repeat the boot scan", relabelled),
]
