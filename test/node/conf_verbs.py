"""STATUS and GC: what they say, what they never do."""
import fcntl
import os
import subprocess

import trace
from conf_node import DUAL, OTHER, POD, SMALL, ConfNode, assert_error
from live_netns import Namespace
from node import new_boot

NEWEST = {"cniVersion": "1.1.0"}
LOOKS = ("access", "arch_prctl", "brk", "close", "execve", "exit_group", "faccessat", "faccessat2", "fcntl", "fstat",
         "fstatfs", "futex", "getdents64", "getrandom", "lseek", "mmap", "mprotect", "munmap", "newfstatat", "openat",
         "poll", "pread64", "prlimit64", "read", "readlink", "readlinkat", "rseq", "rt_sigaction", "rt_sigprocmask",
         "set_robust_list", "set_tid_address", "stat", "statfs", "statx", "umask")
WRITES = ("O_CREAT", "O_WRONLY", "O_RDWR", "O_TRUNC", "O_TMPFILE")


def status(node, **more):
    return node.call("STATUS", "", ifname="", netns="", **{"top": NEWEST, **more})


def assert_ready(done):
    assert (done.exit, done.stdout, done.stderr) == (0, "", ""), done


def tree(folder):
    """Every path below a folder with its time of change and size."""
    found = {}
    for top, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(top, name)
            entry = os.lstat(path)
            found[path] = (entry.st_ctime_ns, entry.st_size, entry.st_mode)
    return found


def fresh_node():
    """Before the first ADD no folder is there, and none is made."""
    node = ConfNode(SMALL)
    assert_ready(status(node))
    assert os.listdir(node.home) == []


def full_pool():
    node = ConfNode([[{"subnet": "10.9.0.0/30"}]])
    node.add("c-1", POD)
    node.refused(999, "no IP addresses available", pod=OTHER)
    assert_ready(status(node))


def writes_nothing():
    """Only looks, at anything: on a fresh node, on one in use, with the lock held, with a log configured."""
    log = os.path.join("/var/lib/cni", "status.log")
    used = ConfNode(SMALL)
    used.add("c-1", POD)
    for node in (ConfNode(SMALL), used):
        before = tree("/var/lib/cni"), tree("/run")
        env, conf = node.request("STATUS", "", ifname="", netns="", top=NEWEST, logFile=log, logLevel="debug")
        done, calls, _ = trace.run(node.binary, env, conf)
        assert_ready(done)
        assert (tree("/var/lib/cni"), tree("/run")) == before
        foreign = sorted({call.name for call in calls} - set(LOOKS))
        assert not foreign, f"calls that are more than a look: {foreign}"
        opened = [call.args for call in calls if call.name == "openat" and any(flag in call.args for flag in WRITES)]
        assert not opened, opened


def lock_is_held():
    node = ConfNode(SMALL)
    node.add("c-1", POD)
    with open(os.path.join(node.network_dir, "lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert_ready(status(node))


class ReadOnly:
    """A folder that cannot be written below, for a with block."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        subprocess.run(["mount", "--bind", self.path, self.path], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", self.path], check=True)

    def __exit__(self, *_):
        subprocess.run(["umount", self.path], check=True)


def read_only_disk():
    node = ConfNode(SMALL)
    node.add("c-1", POD)
    with ReadOnly(node.home):
        assert_error(status(node), 50, node.network_dir)
        assert node.call("ADD", "c-2", OTHER).exit == 1
    assert_ready(status(node))


def read_only_parent():
    """Nothing is there yet, and nothing can be made."""
    node = ConfNode(SMALL)
    with ReadOnly(node.home):
        assert_error(status(node), 50, node.home)
        assert node.call("ADD", "c-1", POD).exit == 1


def state_dir_read_only():
    node = ConfNode(SMALL)
    node.add("c-1", POD)
    with ReadOnly(node.state_dir):
        assert_error(status(node), 50, node.state_dir)
        assert_ready(status(node, retain=False))


def file_in_the_way():
    """A file where stateDir, dataDir or the network's folder should be, whatever its mode."""
    for place in ("state", "networks", "networks/net"):
        for mode in (0o600, 0o755):
            node = ConfNode(SMALL)
            path = os.path.join(node.home, place)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, mode))
            assert_error(status(node), 50, path)
            assert node.call("ADD", "c-1", POD).exit == 1


def broken_configuration():
    """With it no ADD can work; the place is named."""
    node = ConfNode(SMALL)
    assert_error(status(node, ranges=[[{"subnet": "10.9.0.0/40"}]]), 50, "10.9.0.0/40")
    assert_error(status(node, retain="no"), 50, "/ipam/retain")


def older_configuration():
    node = ConfNode(SMALL)
    assert_error(status(node, top={"cniVersion": "1.0.0"}), 1, "STATUS")


def gc_node():
    """Three attachments of pods."""
    node = ConfNode(DUAL)
    for number in range(3):
        node.add(f"c-{number}", f"shop/web-{number}")
    return node


def listed(*ids):
    return [{"containerID": container_id, "ifname": "eth0"} for container_id in ids]


def remaining(node):
    """The containers that still hold an address."""
    return {content.partition(b"\r\n")[0].decode() for content in node.attachments().values()}


def gc_lists():
    """Both lists are one; an absent or null list is no information, an empty one is."""
    everything = {"c-0", "c-1", "c-2"}
    for lists, left in (
            ({}, everything),
            ({"valid": None}, everything),
            ({"older": None}, everything),
            ({"valid": None, "older": None}, everything),
            ({"valid": listed("c-1")}, {"c-1"}),
            ({"older": listed("c-1")}, {"c-1"}),
            ({"valid": listed("c-1"), "older": listed("c-2")}, {"c-1", "c-2"}),
            ({"valid": [], "older": listed("c-2")}, {"c-2"}),
            ({"valid": None, "older": listed("c-2")}, {"c-2"}),
            ({"valid": listed("c-9", "c-1", "c-1")}, {"c-1"}),
            ({"valid": []}, set())):
        node = gc_node()
        done = node.gc(**lists)
        assert (done.exit, done.stdout) == (0, ""), f"{lists}: {done}"
        assert remaining(node) == left, f"{lists}: {remaining(node)}"
        assert len(node.bindings()) == 6, f"{lists}: a binding ended"


def gc_malformed():
    """Error 7 that names the place, and nothing is dropped, also when the other list is good."""
    for bad in ("c-0", 7, True, {}, {"containerID": "c-0", "ifname": "eth0"}, ["c-0"], [None], [{}], [[]],
                [{"containerID": "c-0"}], [{"ifname": "eth0"}], [{"containerID": 7, "ifname": "eth0"}],
                [{"containerID": "c-0", "ifname": None}], listed("c-0") + [{}]):
        node = gc_node()
        assert_error(node.gc(valid=bad), 7, "/cni.dev/valid-attachments")
        assert_error(node.gc(valid=[], older=bad), 7, "/cni.dev/attachments")
        assert remaining(node) == {"c-0", "c-1", "c-2"}, bad


def gc_interface():
    """Another interface of a listed container is not listed."""
    node = ConfNode(SMALL)
    node.add("c-0", POD)
    node.add("c-0", POD, ifname="net1")
    node.collect([("c-0", "net1")])
    assert node.addresses_of("c-0") == [] and node.addresses_of("c-0", "net1") != []


def gc_old_format():
    """Files of old host-local without an interface go by the container alone."""
    node = ConfNode(SMALL)
    os.makedirs(node.network_dir)
    for number in (7, 8):
        with open(os.path.join(node.network_dir, f"10.9.0.{number}"), "w") as file:
            file.write(f"{number}" * 64)
    node.add("c-0", POD)
    node.collect([("c-0", "eth0")])
    assert remaining(node) == {"7" * 64, "8" * 64, "c-0"}, "they are of this boot, and nothing tells of their namespaces"
    new_boot()
    node.collect([("7" * 64, "eth0")])
    assert remaining(node) == {"7" * 64}


def gc_live():
    """A list may be older than the container: a network namespace that is there protects."""
    node = ConfNode(SMALL)
    with Namespace("conf-live") as live, Namespace("conf-dead") as dead:
        node.add("c-live", POD, netns=live.path)
        node.add("c-dead", OTHER, netns=dead.path)
        dead.stop()
        dead.remove_path()
        node.collect([])
        assert remaining(node) == {"c-live"}
        live.stop()
        node.collect([])
        assert remaining(node) == {"c-live"}, "the path alone keeps the namespace"
        live.remove_path()
    node.collect([])
    assert remaining(node) == set()


def gc_ingress():
    """Cilium's ingress addresses have no container that a runtime could list."""
    node = ConfNode(DUAL)
    node.add("cilium-ingress-n1")
    node.add("c-cilium-ingress-n1")
    node.collect([])
    assert remaining(node) == {"cilium-ingress-n1"}


def gc_keeps_bindings():
    """The pods come back to their addresses."""
    node = gc_node()
    before = {number: node.addresses_of(f"c-{number}") for number in range(3)}
    node.collect([])
    node.add("c-other", OTHER)
    for number in range(3):
        assert sorted(node.add(f"c-{number}-next", f"shop/web-{number}")) == before[number]


def gc_without_configuration():
    """Neither ranges nor folders are needed."""
    node = gc_node()
    done = node.gc(valid=listed("c-1"))
    assert done.exit == 0, done
    node.ipam["ranges"] = "broken"
    node.collect([])
    assert remaining(node) == set()
    empty = ConfNode(SMALL)
    empty.collect([])
    assert os.listdir(empty.home) == []


TESTS = [
    ("STATUS: a fresh node is ready, and nothing is made", fresh_node),
    ("STATUS: a full pool is ready", full_pool),
    ("STATUS: it writes nothing, makes nothing, locks nothing", writes_nothing),
    ("STATUS: a held lock does not matter", lock_is_held),
    ("STATUS: a read-only disk is code 50, until it can be written", read_only_disk),
    ("STATUS: folders that cannot be made are code 50", read_only_parent),
    ("STATUS: a read-only stateDir is code 50, but not without retention", state_dir_read_only),
    ("STATUS: a file where a folder should be is code 50", file_in_the_way),
    ("STATUS: a configuration with which no ADD can work is code 50", broken_configuration),
    ("STATUS: a configuration before 1.1.0 is code 1", older_configuration),
    ("GC: the lists are one, absent or null is no information", gc_lists),
    ("GC: a malformed list is error 7 and drops nothing", gc_malformed),
    ("GC: the interface counts", gc_interface),
    ("GC: files without an interface go by the container", gc_old_format),
    ("GC: an attachment whose network namespace lives is never dropped", gc_live),
    ("GC: cilium-ingress-* is never dropped", gc_ingress),
    ("GC: bindings stay, the pods come back to their addresses", gc_keeps_bindings),
    ("GC: it needs no ranges and makes no folder", gc_without_configuration),
]
