#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What is no identity: a number that comes again, a boot_id laid over the kernel's, the view from inside a container.

Each test has a pod that lives in a way that is hard to see, and somebody who would like its address. Where the kernel
numbers namespaces once (Linux 6.18), every such test runs twice: the second time with stamps as an older kernel leaves.
usage: alive_test.py [WORD ...]
"""
import os
import subprocess
import sys

import nsmount
import sandbox
import tap
from crowd import DUAL, small
from node import Node
from plugin import BINARY, require
from pod_process import PodProcesses

HOME = "/var/lib/cni/alive"
NETNS = "/var/lib/cni/netns"
POD = "shop/db-0"
STAMP = "user.delegated-ipam"
AS_HERE, BEFORE_618 = "as on this kernel", "as on a kernel before 6.18"

# A wrapper runs the plugin inside what it names; "$0" and "$@" are the plugin.
OWN_PROCESSES = ("unshare", "--pid", "--fork", "--mount-proc")
PROC_OF_ABOVE = ("unshare", "--pid", "--fork")
HIDDEN = ("unshare", "--mount", "sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec setpriv '
          '--bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$0" "$@"')


def with_boot_id(name, *more):
    """Inside a container that has a boot_id of its own, and does whatever else `more` says (lines of shell)."""
    path = f"/var/lib/cni/boot-{name}"
    with open(path, "w") as file:
        file.write(f"{name * 8}-1111-4111-8111-111111111111\n")
    lines = [f"mount --bind {path} /proc/sys/kernel/random/boot_id", *more, 'exec "$0" "$@"']
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", " && ".join(lines))


def node_at(name, kernel=AS_HERE, ranges=None):
    return Node(os.path.join(HOME, f"{name}-{kernel == AS_HERE}".replace(" ", "-")), ranges or DUAL)


def as_on(kernel, node):
    """Let the stamps be what that kernel would have let us write."""
    if kernel == BEFORE_618:
        node.forget_namespace_ids()


def add_pod(node, container_id, process, kernel, pod=POD, **more):
    addresses = node.add(container_id, pod, netns=process.path, **more)
    as_on(kernel, node)
    return addresses


def assert_apart(node, home, got, old="old"):
    assert not set(home) & set(got), f"two live pods have {sorted(set(home) & set(got))}"
    node.assert_in_use({old: home, "new": got})


# ---------------------------------------------------------------------------------------------------------------------
# A7: who is inside


def held_by_a_thread(kernel):
    """Its path is gone, and so is its process: one thread of somebody else's process is inside."""
    node = node_at("thread", kernel)
    with PodProcesses(NETNS) as processes:
        old = processes.with_thread("old")
        home = add_pod(node, "old", old, kernel)
        new = processes.start("new")
        old.remove_path()
        assert_apart(node, home, node.add("new", POD, netns=new.path))


def seen_from_own_processes(kernel, wrapper):
    node = node_at("pid-" + wrapper[-1].strip("-"), kernel)
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = add_pod(node, "old", old, kernel)
        new = processes.start("new")
        old.remove_path()
        assert_apart(node, home, node.add("new", POD, netns=new.path, wrapper=wrapper))


def hidden_processes(kernel):
    node = node_at("hidepid", kernel)
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = add_pod(node, "old", old, kernel)
        new = processes.start("new")
        old.remove_path()
        assert_apart(node, home, node.add("new", POD, netns=new.path, wrapper=HIDDEN))


def second_name(kernel, lives):
    """The runtime has the namespace under two names of one shape, and takes the first away."""
    node = node_at(f"names-{lives}", kernel)
    second = f"{NETNS}/cni-bbbb"
    with PodProcesses(NETNS) as processes:
        old = processes.start("cni-aaaa")
        home = add_pod(node, "old", old, kernel)
        with open(second, "x"):
            pass
        nsmount.run("mount", "--bind", old.path, second)
        try:
            new = processes.start("cni-cccc")
            old.remove_path()
            if not lives:
                old.kill()
            assert_apart(node, home, node.add("new", POD, netns=new.path))
        finally:
            nsmount.remove(second)


def gone(kernel):
    """What all that must not spoil: nobody is inside, and the kernel gives the number to the pod's new sandbox."""
    for life in range(20):  # somebody else on the machine may get the number
        node = node_at(f"gone-{life}", kernel)
        with PodProcesses(NETNS) as processes:
            old = processes.start("old")
            number = os.stat(old.path).st_ino
            home = add_pod(node, "old", old, kernel)
            old.end()
            new = next((pod for pod in (processes.start(f"new-{attempt}") for attempt in range(200))
                        if os.stat(pod.path).st_ino == number), None)
            if new is None:
                continue
            new.kill()  # a runtime makes the namespace first, the process in it later
            assert node.add("new", POD, netns=new.path) == home
            node.assert_in_use({"new": home})
            return
    raise AssertionError("the kernel does not give the number again")


# ---------------------------------------------------------------------------------------------------------------------
# A8: whose boot it is


def agent_takes_nothing(kernel, lives):
    """An agent in a container with a boot_id of its own, where the pods' folder is not to be seen."""
    node = node_at(f"agent-{lives}", kernel, small(2, 3))
    agent = with_boot_id("a", "mount -t tmpfs tmpfs " + NETNS)
    with PodProcesses(NETNS) as processes:
        pods = [processes.start(f"pod-{number}") for number in range(2)]
        live = {}
        for number, process in enumerate(pods):
            live[f"old-{number}"] = add_pod(node, f"old-{number}", process, kernel, f"shop/db-{number}")
            if not lives:
                process.kill()  # the sandbox is there, and its first process not yet
        for pod in ("shop/db-0", "batch/other"):
            done = node.call("ADD", "new", pod, wrapper=agent)
            assert done.exit != 0, f"{pod} was given {done.addresses}, which a live pod has"
        node.assert_in_use(live)


def agents_pods_are_safe(kernel):
    """The other way round: what such an agent handed out is not of another boot for the machine around it."""
    node = node_at("agents", kernel)
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = node.add("old", POD, netns=old.path, wrapper=with_boot_id("a"))
        as_on(kernel, node)
        new = processes.start("new")
        old.remove_path()
        assert_apart(node, home, node.add("new", POD, netns=new.path))


def two_agents(kernel):
    """Two containers with boot_ids, processes and /run of their own; neither sees the other's pods."""
    node = node_at("two", kernel)
    inside = ("mount -t tmpfs tmpfs /run", f"mount -t tmpfs tmpfs {NETNS}")
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        first, second = (("unshare", "--pid", "--fork", "--mount-proc", *with_boot_id(*which))
                         for which in (("a", inside[0]), ("b", *inside)))
        home = node.add("old", POD, netns=old.path, wrapper=first)
        as_on(kernel, node)
        assert_apart(node, home, node.add("new", POD, wrapper=second))


def mask_comes_and_goes(kernel):
    """A boot_id is laid over the kernel's in mid-boot, /run is emptied, and the pod's process lives."""
    node = node_at("mask", kernel)
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = node.add("old", POD, netns=old.path, wrapper=with_boot_id("a"))
        as_on(kernel, node)
        old.remove_path()
        again = with_boot_id("b", "mount -t tmpfs tmpfs /run")
        assert_apart(node, home, node.add("new", POD, netns=processes.start("new").path, wrapper=again))


def stranger_to_the_number(kernel):
    """The pod's number is all that lives on: on another kernel boot that is another pod's (fake_boots: other files)."""
    node = node_at("number", kernel)
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = add_pod(node, "old", old, kernel)
        old.remove_path()  # its process lives, and has the number that the stamp names
        for address in home:
            path = os.path.join(node.network_dir, address)
            fields = os.getxattr(path, STAMP).split(b"~", 4)
            fields[1] = b"11111111-1111-4111-8111-111111111111"
            os.setxattr(path, STAMP, b"~".join(fields))
        assert node.add("new", POD) == home, "a number that came again after a reboot costs the pod its address"


def in_both(suite, sentence, test, *args):
    for kernel in (AS_HERE, BEFORE_618):
        suite.run(f"{sentence} ({kernel})", test, kernel, *args)


def who_is_inside(suite):
    in_both(suite, "A7: path gone, a thread of somebody else's process is inside: not taken over", held_by_a_thread)
    for which, wrapper in (("and /proc", OWN_PROCESSES), ("and the /proc of the one above", PROC_OF_ABOVE)):
        in_both(suite, f"A7: a caller with a PID namespace of its own {which} proves nothing", seen_from_own_processes,
                wrapper)
    in_both(suite, "A7: a caller from whom processes are hidden proves nothing", hidden_processes)
    in_both(suite, "A7: one live namespace under two names, the first is gone: not taken over", second_name, True)
    in_both(suite, "A7: the same with no process in it yet", second_name, False)
    in_both(suite, "A7: gone, and its number is the new sandbox's: taken over", gone)


def whose_boot(suite):
    for lives, how in ((True, "with processes"), (False, "without")):
        in_both(suite, f"A8: an agent under another boot_id takes nothing from the machine's live pods {how}",
                agent_takes_nothing, lives)
    in_both(suite, "A8: what an agent under another boot_id handed out is not of another boot", agents_pods_are_safe)
    in_both(suite, "A8: two agents, each under a boot_id of its own, take nothing from each other", two_agents)
    in_both(suite, "A8: another boot_id laid over the kernel's in mid-boot does not outdo a live process",
            mask_comes_and_goes)
    in_both(suite, "A8: after a real reboot, a number that came again does not cost an address", stranger_to_the_number)


def private_proc():
    subprocess.run(["mount", "--make-private", "/proc"], check=True)


def tell(suite):
    chosen = sys.argv[1:]
    parts = {"A7": who_is_inside, "A8": whose_boot}
    for name, part in parts.items():
        if not chosen or name in chosen:
            part(suite)


if __name__ == "__main__":
    tap.story("alive", tell, lambda: require(BINARY), sandbox.enter, private_proc)
