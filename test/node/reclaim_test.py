#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Addresses of the dead for pods that are not their own: only when nothing else is left, the oldest boot first.

Also the leaks of the Go plugin, which says nothing about its boot, and what GC may take.
"""
import os

import plugin
import sandbox
import tap
from crowd import assert_exhausted, pair, small
from node import Node, args_of, fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require
from pod_process import PodProcesses

HOME = "/var/lib/cni/reclaim"
NETNS = "/run/netns"
STAMP = "user.delegated-ipam"


def node_at(name, first, last):
    """A dual-stack node with the addresses from first to last."""
    return Node(os.path.join(HOME, name), small(first, last))


def add_at(node, number, container_id, pod=None, **more):
    """ADD that asks for the IPv4 address of that number; the IPv6 address is up to the plugin."""
    got = node.add(container_id, pod, args=f"{args_of(pod) or 'IgnoreUnknown=1'};IP={pair(number)[0]}", **more)
    assert got[0] == pair(number)[0], got
    return got


def stamps(node):
    """The stamps in the network folder: address -> text, "" where there is none."""
    found = {}
    for address in node.attachments():
        path = os.path.join(node.network_dir, address)
        found[address] = os.getxattr(path, STAMP).decode() if STAMP in os.listxattr(path) else ""
    return found


def refuse_stranger(node, **more):
    """A pod that was never here must not get an address."""
    assert_exhausted(node.call("ADD", "refused", "batch/refused", **more))


def free_then_held_then_dead():
    node = node_at("order", 2, 5)
    dead = {number: node.add(f"dead-{number}", f"shop/dead-{number}") for number in (2, 3)}
    held = node.add("held", "shop/held")
    new_boot()
    node.delete("held", "shop/held")
    (free,) = [pair(number) for number in range(2, 6) if pair(number) not in [*dead.values(), held]]
    live = {"first": node.add("first", "batch/first")}
    assert live["first"] == free
    live["second"] = node.add("second", "batch/second")
    assert live["second"] == held
    node.assert_in_use({**live, "dead-2": dead[2], "dead-3": dead[3]})
    live["third"] = node.add("third", "batch/third")
    live["fourth"] = node.add("fourth", "batch/fourth")
    node.assert_in_use(live)
    refuse_stranger(node)
    node.assert_in_use(live)


def oldest_boot_first():
    """The older ones have the higher addresses here, so that it is not the order of the addresses."""
    node = node_at("oldest", 2, 7)
    boots = [(7, 5), (6, 3), (4, 2)]
    for boot, numbers in enumerate(boots):
        for number in numbers:
            add_at(node, number, f"dead-{boot}-{number}", f"shop/dead-{number}")
        new_boot()
    got = [int(node.add(f"new-{index}", f"batch/new-{index}")[0].rpartition(".")[2]) for index in range(6)]
    assert [set(got[:2]), set(got[2:4]), set(got[4:])] == [set(numbers) for numbers in boots], f"in the order {got}"
    refuse_stranger(node)


def both_families_end():
    """Its IPv4 address is needed only; the IPv6 address is then held for the pod that it belonged to."""
    node = node_at("whole", 2, 2)
    home = node.add("old", "shop/db-0")
    new_boot()
    only_v4 = small(2, 2)[:1]
    got = node.add("new", "batch/new", ranges=only_v4)
    assert got == home[:1]
    node.assert_in_use({"new": got})
    assert node.bindings()[home[1]].owner == "shop/db-0", "the other address is not held for its pod"
    node.delete("new", "batch/new", ranges=only_v4)
    assert node.add("back", "shop/db-0") == home
    node.assert_in_use({"back": home})


def gone_in_this_boot():
    """Dead by its namespace; those that live, in whatever way, keep theirs though the pool is full."""
    node = node_at("this-boot", 2, 5)
    with PodProcesses(NETNS) as processes:
        pods = {name: processes.start(name) for name in ("runs", "unlinked", "path-only", "dead")}
        live = {name: node.add(name, f"shop/{name}", netns=process.path) for name, process in pods.items()}
        pods["unlinked"].remove_path()
        pods["path-only"].kill()
        refuse_stranger(node, netns=processes.start("refused").path)
        new = processes.start("new")  # while the dead one's number is in use
        pods["dead"].end()
        live["new"] = node.add("new", "batch/new", netns=new.path)
        assert live["new"] == live.pop("dead")
        node.assert_in_use(live)
        refuse_stranger(node, netns=processes.start("refused-too").path)
        node.assert_in_use(live)


def leaks_of_the_go_plugin():
    """Five leaks without a stamp. Stamped in the boot in which we come, by whatever command is first; dead after it."""
    node = node_at("leaks", 2, 6)
    leaks = {f"go-{number}": node.add(f"go-{number}", binary=HOST_LOCAL) for number in range(5)}
    new_boot()
    assert set(stamps(node).values()) == {""}
    node.delete("unknown")
    stamped = stamps(node)
    assert all(stamped.values()), f"not stamped at the first command: {stamped}"
    refuse_stranger(node)
    node.assert_in_use(leaks)
    new_boot()
    live = {"new": node.add("new", "batch/new")}
    ended = [container_id for container_id, addresses in leaks.items() if set(addresses) & set(live["new"])]
    assert len(ended) == 1, f"{live} ended {ended}"
    left = {container_id: addresses for container_id, addresses in leaks.items() if container_id not in ended}
    node.assert_in_use({**left, **live})
    live.update({f"new-{number}": node.add(f"new-{number}", f"batch/new-{number}") for number in range(4)})
    node.assert_in_use(live)
    refuse_stranger(node)


def first_command_is_an_add():
    """The clock starts at an ADD as well, and at one that fails."""
    node = node_at("first-add", 2, 3)
    leaks = {f"go-{number}": node.add(f"go-{number}", binary=HOST_LOCAL) for number in range(2)}
    refuse_stranger(node)
    assert all(stamps(node).values()), f"not stamped: {stamps(node)}"
    node.assert_in_use(leaks)
    new_boot()
    assert node.add("new", "batch/new") in leaks.values()


def go_plugin_in_this_boot():
    """What it hands out after our first command is without a stamp until the next boot, and lives two of them."""
    node = node_at("later-leak", 2, 2)
    node.add("first", "shop/db-0")
    node.delete("first", "shop/db-0")
    leak = {"go": node.add("go", binary=HOST_LOCAL)}
    refuse_stranger(node)
    new_boot()
    refuse_stranger(node)
    node.assert_in_use(leak)
    new_boot()
    assert node.add("new", "batch/new") == leak["go"]


def collect(node, valid):
    """GC with these container IDs as the valid ones."""
    env, conf = node.request("GC", None)
    attachments = [{"containerID": container_id, "ifname": "eth0"} for container_id in valid]
    done = plugin.run(node.binary, env, {**conf, "cniVersion": "1.1.0", "cni.dev/valid-attachments": attachments})
    assert done.exit == 0 and done.stdout == "", done


def gc_protects_the_living():
    """A runtime's list may be older than a pod: only what has no namespace any more may go. Bindings stay."""
    node = node_at("gc", 2, 9)
    with PodProcesses(NETNS) as processes:
        pods = {name: processes.start(name) for name in ("runs", "path-only", "listed", "dead")}
        live = {name: node.add(name, f"shop/{name}", netns=process.path) for name, process in pods.items()}
        live["cilium-ingress-1"] = node.add("cilium-ingress-1", "kube-system/ingress")
        pods["path-only"].kill()
        pods["listed"].end()
        pods["dead"].end()
        collect(node, ["listed"])
        dead = live.pop("dead")
        node.assert_in_use(live)
        assert {node.bindings()[address].owner for address in dead} == {"shop/dead"}, "its binding is gone"
        assert node.add("back", "shop/dead", netns=processes.start("back").path) == dead


def tests():
    yield ("Proof: a stranger gets a free address, then a held one, then one of the dead, then none",
           free_then_held_then_dead)
    yield "Proof: the dead of the oldest boot go first", oldest_boot_first
    yield "Proof: the whole dead attachment ends, and its other address is held for its pod", both_families_end
    yield ("Proof: in a full pool the dead of this boot go, and nobody who lives: running, unlinked or by path only",
           gone_in_this_boot)
    yield ("Proof: leaks of the Go plugin are stamped at the first command of a boot and dead one reboot later",
           leaks_of_the_go_plugin)
    yield "Proof: leaks of the Go plugin are stamped by an ADD that fails, too", first_command_is_an_add
    yield ("Proof: what the Go plugin leaks after the first command of a boot is dead two reboots later",
           go_plugin_in_this_boot)
    yield ("Proof: GC takes nobody whose namespace is there, and no Cilium ingress, whatever its list says",
           gc_protects_the_living)


if __name__ == "__main__":
    tap.main("reclaim", tests, lambda: require(BINARY, HOST_LOCAL), sandbox.enter, fake_boots)
