#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The cost of proof: all processes are looked at only when an address in use is about to be taken, and then once.

Counted under strace: how often a command opens /proc as a folder, and how often it reads it to the end.
"""
import os

import sandbox
import tap
import trace
from crowd import DUAL, small
from node import STAMP, Node, args_of, fake_boots, new_boot
from plugin import BINARY, require
from pod_process import PodProcesses
from tap import Skip

HOME = "/var/lib/cni/proof-cost"
NETNS = "/var/lib/cni/netns"  # not below /run: some paths must outlive a pretended boot
POD = "shop/db-0"
LISTING = ("-e", "trace=open,openat,openat2,getdents,getdents64")
FIRST, LAST = 2, 31  # a pool of 30 addresses in each family
POOL = LAST - FIRST + 1


def node_at(name, ranges=None):
    return Node(os.path.join(HOME, name), ranges or DUAL)


class Counted:
    """One command under strace. opens, reads: how often /proc was opened as a folder and read to its end."""

    def __init__(self, node, command, container_id, pod=POD, previous=None, **more):
        env, conf = node.request(command, container_id, pod, **more)
        if previous:
            conf["prevResult"] = previous
        self.outcome, calls, self.text = trace.run(node.binary, env, conf, LISTING)
        self.opens = sum(call.name.startswith("open") and '"/proc"' in call.args and call.ok for call in calls)
        self.reads = sum(call.name.startswith("getdents") and call.path_of_fd == "/proc" and call.result == "0"
                         for call in calls)
        assert "/lock" in self.text, f"nothing was traced:\n{self.text}"

    def expect(self, scans):
        """The number of looks at all processes; returns the addresses of the answer."""
        assert (self.opens, self.reads) == (scans, scans), \
            f"{self.opens} opens and {self.reads} reads of /proc, expected {scans}\n{self.text}"
        return self.outcome.addresses

    def succeeded(self, scans):
        assert self.outcome.exit == 0, self.outcome
        return self.expect(scans)


def ordinary_life():
    """A pod from its first ADD in a new folder to its return in another boot, each namespace alive."""
    node = node_at("ordinary")
    with PodProcesses(NETNS) as processes:
        old, new = processes.start("old").path, processes.start("new").path
        first = Counted(node, "ADD", "old", netns=old)
        home = first.succeeded(0)
        assert Counted(node, "ADD", "other", "shop/db-1", netns=old).succeeded(0) != home
        assert Counted(node, "ADD", "old", netns=old).succeeded(0) == home
        Counted(node, "CHECK", "old", previous=first.outcome.json, netns=old).succeeded(0)
        Counted(node, "DEL", "old", netns=old).succeeded(0)
        Counted(node, "DEL", "old", netns="").succeeded(0)
        assert Counted(node, "ADD", "new", netns=new).succeeded(0) == home
        node.assert_in_use({"other": node.addresses_of("other"), "new": home})


def another_boot():
    """DEL or no DEL: which boot it was is written in the stamp."""
    node = node_at("boot")
    for container_id in ("first", "second"):
        home = node.add(container_id, POD)
        new_boot()
    assert Counted(node, "ADD", "third").succeeded(0) == home
    new_boot()
    Counted(node, "DEL", "third").succeeded(0)
    assert Counted(node, "ADD", "fourth").succeeded(0) == home
    node.assert_in_use({"fourth": home})


def overlap_with_a_live_path():
    """The path answers the question; nobody has to look for processes."""
    node = node_at("overlap")
    with PodProcesses(NETNS) as processes:
        home = node.add("old", POD, netns=processes.start("old").path)
        got = Counted(node, "ADD", "new", netns=processes.start("new").path).succeeded(0)
        node.assert_in_use({"old": home, "new": got})


def own_takeover():
    node = node_at("takeover")
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = node.add("old", POD, netns=old.path)
        new = processes.start("new")  # while the old one's number is in use
        old.end()
        node.forget_namespace_ids()
        assert Counted(node, "ADD", "new", netns=new.path).succeeded(1) == home


def kernel_is_asked():
    """Where the kernel numbers namespaces once, it knows; then nobody looks at processes."""
    node = node_at("asked")
    with PodProcesses(NETNS) as processes:
        old, other = processes.start("old"), processes.start("other")
        home = node.add("old", POD, netns=old.path)
        if b".0." in os.getxattr(os.path.join(node.network_dir, home[0]), STAMP).split(b"~")[3]:
            raise Skip("this kernel numbers namespaces by inode only; Linux 6.18 is needed")
        old.remove_path()
        got = Counted(node, "ADD", "other", netns=other.path).succeeded(0)
        old.kill()
        assert got != home
        node.delete("other", POD)
        asks = {"args": f"{args_of(POD)};IP={home[0]}", "requests": "any"}
        assert Counted(node, "ADD", "new", netns=processes.start("new").path, **asks).succeeded(0)[0] == home[0]


def overlap_with_a_live_process():
    node = node_at("unlinked")
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = node.add("old", POD, netns=old.path)
        old.remove_path()
        node.forget_namespace_ids()
        got = Counted(node, "ADD", "new", netns=processes.start("new").path).succeeded(1)
        node.assert_in_use({"old": home, "new": got})


def fill(node, processes):
    """One attachment for each address of the pool; returns [(its process, container ID, addresses)]."""
    pods = []
    for number in range(POOL):
        process = processes.start(f"{number}")
        pods.append((process, f"c-{number}", node.add(f"c-{number}", f"shop/web-{number}", netns=process.path)))
    return pods


def full_pool_of_dead_and_living():
    """The living come first, so that all of them are candidates before the first dead one."""
    node = node_at("full", small(FIRST, LAST))
    with PodProcesses(NETNS) as processes:
        pods = fill(node, processes)
        own = processes.start("own").path
        living = {container_id: addresses for _, container_id, addresses in pods[:POOL // 2]}
        dead = {container_id: addresses for _, container_id, addresses in pods[POOL // 2:]}
        for process, container_id, _ in pods:
            process.remove_path()
            if container_id in dead:
                process.kill()
        node.forget_namespace_ids()
        got = Counted(node, "ADD", "new", "batch/new", netns=own).succeeded(1)
        assert got in dead.values(), f"{got} is none of {dead}"
        again = Counted(node, "ADD", "again", "batch/again", netns=own).succeeded(1)
        left = {container_id: addresses for container_id, addresses in dead.items() if addresses not in (got, again)}
        node.assert_in_use({**living, **left, "new": got, "again": again})


def full_pool_of_living():
    node = node_at("living", small(FIRST, LAST))
    with PodProcesses(NETNS) as processes:
        pods = fill(node, processes)
        own = processes.start("own").path
        at_paths = Counted(node, "ADD", "refused", "batch/refused", netns=own)
        assert at_paths.outcome.exit == 1
        at_paths.expect(0)
        for process, *_ in pods:
            process.remove_path()
        node.forget_namespace_ids()
        unlinked = Counted(node, "ADD", "refused", "batch/refused", netns=own)
        assert unlinked.outcome.exit == 1
        unlinked.expect(1)
        node.assert_in_use({container_id: addresses for _, container_id, addresses in pods})


TESTS = [
    ("Proof: first ADD, another, repeated ADD, CHECK, DEL, repeated DEL and return never scan /proc", ordinary_life),
    ("Proof: a pod that returns in another boot, with a DEL or without, never scans /proc", another_boot),
    ("Proof: an overlap with a namespace that is at its path never scans /proc", overlap_with_a_live_path),
    ("Proof: taking over from a dead attachment of this boot scans /proc once", own_takeover),
    ("Proof: where the kernel numbers namespaces once, neither takeover nor overlap scans /proc", kernel_is_asked),
    ("Proof: an overlap with a process whose path is gone scans /proc once", overlap_with_a_live_process),
    (f"Proof: {POOL // 2} living and {POOL - POOL // 2} dead candidates in a full pool: /proc is scanned once",
     full_pool_of_dead_and_living),
    (f"Proof: {POOL} candidates that all live: no scan while they have paths, one when they have not",
     full_pool_of_living),
]


if __name__ == "__main__":
    tap.main("cost of proof", TESTS, lambda: require(BINARY), sandbox.enter, fake_boots)
