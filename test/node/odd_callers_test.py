#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Callers with one container ID for everything, a /proc that tells less or of others, and a soft-reboot."""
import os

import sandbox
import tap
from crowd import DUAL, small
from node import STAMP, Node
from plugin import BINARY, require
from pod_process import PodProcesses

HOME = "/var/lib/cni/callers"
NETNS = "/var/lib/cni/netns"
POD = "shop/db-0"

# A wrapper runs the plugin inside what it names; "$0" and "$@" are the plugin.
OWN_PROCESSES = ("unshare", "--pid", "--fork", "--mount-proc")
PROC_OF_ABOVE = ("unshare", "--pid", "--fork")
ONLY_PROCESSES = ("unshare", "--mount", "sh", "-c", 'mount -t proc -o subset=pid proc /proc && exec "$0" "$@"')
NO_PROC = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /proc && exec "$0" "$@"')


def node_at(name, ranges=None):
    return Node(os.path.join(HOME, name), ranges or DUAL)


# ---------------------------------------------------------------------------------------------------------------------
# A10: one container ID for everything


def assert_duplicate(node, done, address):
    assert done.exit == 1 and done.json["code"] == 999, done
    expected = f"failed to allocate for range 0: {address} has been allocated to c1, duplicate allocation is not allowed"
    assert done.json["msg"] == expected, done.json


PATHS = [("by its path", lambda process: process.path), ("by its process", lambda process: f"/proc/{process.pid}/ns/net")]


def one_id_for_everything(number, path_of):
    node = node_at(f"one-id-{number}")
    with PodProcesses(NETNS) as processes:
        first, second = processes.start("first"), processes.start("second")
        home = node.add("c1", netns=path_of(first))
        assert_duplicate(node, node.call("ADD", "c1", netns=path_of(second)), home[0])
        assert_duplicate(node, node.call("ADD", "c1", POD, netns=path_of(second)), home[0])
        node.assert_in_use({"c1": home})
        assert node.add("c1", netns=path_of(first)) == home, "the repeat of its own ADD"
        first.end()
        assert node.add("c1", netns=path_of(second)) == home, "a restart: the old namespace is gone"
        assert_duplicate(node, node.call("ADD", "c1", netns=processes.start("third").path), home[0])


def one_id_and_a_thread():
    """The first one's path is gone, and a thread is inside: only a kernel that numbers namespaces once can tell."""
    node = node_at("one-id-thread")
    with PodProcesses(NETNS) as processes:
        first, second = processes.with_thread("first"), processes.start("second")
        home = node.add("c1", netns=first.path)
        numbers = os.getxattr(os.path.join(node.network_dir, home[0]), STAMP).split(b"~")[3].split(b".")
        first.remove_path()
        if numbers[1] == b"0":
            assert node.add("c1", netns=second.path) == home
        else:
            assert_duplicate(node, node.call("ADD", "c1", netns=second.path), home[0])


def one_id_asks():
    """host-local gives what is asked for, and a repeat that asks no other way; what the first one has stays its."""
    node = node_at("one-id-asks")
    with PodProcesses(NETNS) as processes:
        first, second = processes.start("first"), processes.start("second")
        home = node.add("c1", netns=first.path)
        done = node.call("ADD", "c1", netns=second.path, args=f"IgnoreUnknown=1;IP={home[0]}")
        assert done.exit == 1 and "is not available" in done.json["msg"], done
        node.assert_in_use({"c1": home})


def one_id_twice():
    """Each sandbox has what it asked for; who gets what the dead one had ends nothing of the live one."""
    node = node_at("one-id-twice", ranges=small(2, 4)[:1])
    with PodProcesses(NETNS) as processes:
        first, second = processes.start("first"), processes.start("second")
        home = {"c0": node.add("c0", POD, netns=processes.start("pod").path)}
        for process, address in ((first, "10.9.0.3"), (second, "10.9.0.4")):
            assert node.add("c1", netns=process.path, args=f"IgnoreUnknown=1;IP={address}") == [address]
        first.end()
        home["c2"] = node.add("c2", "shop/new", netns=processes.start("new").path)
        assert home["c2"] == ["10.9.0.3"], home
        node.assert_in_use({**home, "c1": ["10.9.0.4"]})


# ---------------------------------------------------------------------------------------------------------------------
# C6: /proc that tells less, or of others


PROCS = [("of the PID namespace above", PROC_OF_ABOVE), ("with processes only", ONLY_PROCESSES), ("none at all", NO_PROC),
         ("of its own PID namespace", OWN_PROCESSES)]


def works_with(number, wrapper):
    node = node_at(f"proc-{number}")
    with PodProcesses(NETNS) as processes:
        path = processes.start("pod").path
        home = node.add("c1", POD, netns=path, wrapper=wrapper)
        assert node.add("c1", POD, netns=path, wrapper=wrapper) == home
        node.delete("c1", POD, netns=path, wrapper=wrapper)
        node.assert_in_use({})
        assert node.add("c1", POD, netns=path, wrapper=wrapper) == home, "podman starts it again"
        node.assert_in_use({"c1": home})
        node.delete("c1", POD, netns="", wrapper=wrapper)
        node.delete("unknown", wrapper=wrapper)
        node.assert_in_use({})


def after_soft_reboot():
    """systemctl soft-reboot: one boot, /run and the mounted namespaces are kept, and nobody is inside any more.

    Their interfaces still answer for the addresses. What the runtime deletes or unmounts is kept for its pod; else
    the pod gets another address.
    """
    node = node_at("soft", ranges=small(2, 6))
    pods = [f"shop/web-{number}" for number in range(4)]
    with PodProcesses(NETNS) as processes:
        old = {pod: processes.start(f"old-{number}") for number, pod in enumerate(pods)}
        home = {pod: node.add(f"old-{pod[-1]}", pod, netns=old[pod].path) for pod in pods}
        for process in old.values():
            process.kill()
        node.delete("old-0", pods[0], netns=old[pods[0]].path)
        node.delete("old-1", pods[1], netns=old[pods[1]].path)
        old[pods[2]].remove_path()
        got = {pod: node.add(f"new-{pod[-1]}", pod, netns=processes.start(f"new-{pod[-1]}").path) for pod in pods}
        assert {pod: got[pod] == home[pod] for pod in pods} == dict(zip(pods, (True, True, True, False)))
        node.assert_in_use({**{f"new-{pod[-1]}": got[pod] for pod in pods}, "old-3": home[pods[3]]})


def one_id(suite):
    for number, (how, path_of) in enumerate(PATHS):
        suite.run(f"A10: one container ID for everything, namespaces named {how}: host-local's refusal while both live",
                  one_id_for_everything, number, path_of)
    suite.run("A10: one container ID, the first one's path is gone and a thread is inside", one_id_and_a_thread)
    suite.run("A10: one container ID, the second one asks for the first one's address", one_id_asks)
    suite.run("A10: one container ID, each has an address of its own and one dies", one_id_twice)


def what_proc_tells(suite):
    for number, (which, wrapper) in enumerate(PROCS):
        suite.run(f"C6: /proc is {which}: ADD, repeat, DEL and ADD again work", works_with, number, wrapper)


def tell(suite):
    one_id(suite)
    what_proc_tells(suite)
    suite.run("soft-reboot: DEL or an unmounted namespace keep the address; one that is mounted still has it",
              after_soft_reboot)


if __name__ == "__main__":
    tap.story("callers", tell, lambda: require(BINARY), sandbox.enter)
