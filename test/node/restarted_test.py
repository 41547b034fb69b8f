#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Two node containers (kind, LXC) that are really restarted: PID, mount, UTS and network namespaces of their own, a fresh
/run, one kernel. No DEL comes, and every pod has its address again. And containers that are no nodes, only look alike.

usage: restarted_test.py; `--inside NAME COUNT` is what a container runs.
"""
import contextlib
import json
import os
import subprocess
import sys
import uuid

import sandbox
import tap
from crowd import DUAL
from node import Node
from plugin import BINARY, require
from pod_process import PodProcesses

HOME = "/var/lib/cni/restarted"
NETNS = "/run/netns"
PODS = 5
CONTAINER = ("unshare", "--pid", "--mount", "--propagation", "slave", "--uts", "--net", "--fork", "--kill-child",
             "--mount-proc")


def node_at(name):
    return Node(os.path.join(HOME, name), DUAL)


def inside(name, life, folder):
    """A container's life: its pods come up, it tells their addresses, and goes on until its stdin ends."""
    if folder == "own":
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    elif folder == "shared":  # an agent: the /run is its own, the folder of the namespaces that of the node
        subprocess.run("mkdir -p /var/lib/cni/kept && mount --bind /run/netns /var/lib/cni/kept && "
                       "mount -t tmpfs tmpfs /run && mkdir /run/netns && mount --bind /var/lib/cni/kept /run/netns",
                       shell=True, check=True)
    node = node_at(name)
    with PodProcesses(NETNS) as processes:
        # In another order each time, so that no number falls to the pod that had it.
        order = range(PODS) if life == "1" else reversed(range(PODS))
        got = {number: node.add(f"{life}-{number}", f"shop/db-{number}", netns=processes.start(f"cni-{uuid.uuid4()}").path)
               for number in order}
        print(json.dumps(got), flush=True)
        sys.stdin.read()


class Container:
    """A container that has started; `pods` are the addresses by number once it has told them."""

    def __init__(self, name, life, folder="own"):
        self._process = subprocess.Popen([*CONTAINER, sys.executable, __file__, "--inside", name, life, folder],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def pods(self):
        line = self._process.stdout.readline()
        assert line, "the container has ended"
        return {int(number): addresses for number, addresses in json.loads(line).items()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """Its first process goes, and so do all others, its mounts and namespaces."""
        self._process.kill()
        self._process.communicate()


def both_restarted(has_ids):
    names = [f"node-{number}-{has_ids}" for number in range(2)]
    with contextlib.ExitStack() as ending:
        first = [ending.enter_context(Container(name, "1")) for name in names]
        before = [container.pods() for container in first]
    for name in () if has_ids else names:
        node_at(name).forget_namespace_ids()
    with contextlib.ExitStack() as ending:
        second = [ending.enter_context(Container(name, "2")) for name in names]
        after = [container.pods() for container in second]
        assert after == before, f"before the restart {before}, after it {after}"
        for name, pods in zip(names, after):
            node_at(name).assert_in_use({f"2-{number}": addresses for number, addresses in pods.items()})


def assert_all_apart(node, live, got):
    node.assert_in_use({**{f"1-{number}": addresses for number, addresses in live.items()},
                        **{f"2-{number}": addresses for number, addresses in got.items()}})


def agent_of_a_machine(has_ids, folder):
    """The machine's pods run, without their paths. An agent is in a container, with a fresh /run."""
    node = node_at(f"agent-{folder}-{has_ids}")
    with PodProcesses(NETNS) as processes:
        pods = {number: processes.start(f"1-{number}") for number in range(PODS)}
        live = {number: node.add(f"1-{number}", f"shop/db-{number}", netns=pod.path) for number, pod in pods.items()}
        if not has_ids:
            node.forget_namespace_ids()
        for pod in pods.values():
            pod.remove_path()
        with Container(os.path.basename(node.home), "2", folder) as agent:
            assert_all_apart(node, live, agent.pods())


def agent_that_comes_back(has_ids):
    """An agent in a container made pods that outlive it, as their folder is the machine's; it comes back with a /run."""
    node = node_at(f"again-{has_ids}")
    os.makedirs(NETNS, exist_ok=True)
    with PodProcesses(NETNS) as processes:
        pods = {number: processes.start(f"1-{number}") for number in range(PODS)}
        wrapper = ("unshare", "--pid", "--fork", "--mount-proc")
        live = {number: node.add(f"1-{number}", f"shop/db-{number}", netns=pod.path, wrapper=wrapper)
                for number, pod in pods.items()}
        if not has_ids:
            node.forget_namespace_ids()
        for pod in pods.values():
            pod.remove_path()
        with Container(os.path.basename(node.home), "2", "shared") as agent:
            assert_all_apart(node, live, agent.pods())


TESTS = [
    ("C2: two node containers restarted at once, no DEL: every pod has its address", both_restarted),
    ("C2: an agent in a container with a fresh /run proves nothing about the machine's live pods",
     lambda has_ids: agent_of_a_machine(has_ids, "shared")),
    ("C2: nor does one with a folder of its own for the namespaces",
     lambda has_ids: agent_of_a_machine(has_ids, "own")),
    ("C2: an agent that comes back with a fresh /run proves nothing about the pods that outlived it",
     agent_that_comes_back),
]


def tests():
    for sentence, test in TESTS:
        for has_ids, kernel in ((True, "as on this kernel"), (False, "as on a kernel before 6.18")):
            yield f"{sentence} ({kernel})", test, has_ids


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(*sys.argv[2:])
    else:
        tap.main("restarted", tests, lambda: require(BINARY), sandbox.enter)
