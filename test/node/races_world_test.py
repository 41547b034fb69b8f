#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Races with the clock, with GC, with host-local and with a disk that is full or read-only (R15 to R18).

There is no R14: it is about a delegate that is a program of its own, and those are not run yet.
"""
import contextlib
import os
import random
import subprocess

import plugin
import race
import sandbox
import tap
from crowd import SEED, adds, all_at_once, assert_exhausted, assert_refused, node_at, pod, small
from live_netns import Namespace
from node import fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

POD = "shop/web-0"


def evicted_order(node, numbers):
    """Who loses an address when strangers take all that is held: pod numbers in order."""
    owner = {address: int(binding.pod.rpartition("-")[2]) for address, binding in node.bindings().items()}
    return [owner[node.add(f"stranger-{number}", f"batch/job-{number}")[0]] for number in numbers]


def clock_goes_back():
    """DELs under clocks that run backwards, and records whose times of change are turned round."""
    node = node_at("r15", small(2, 6))
    for number in range(5):
        node.add(f"old-{number}", pod(number))
    order = random.Random(SEED).sample(range(5), 5)
    for place, number in enumerate(order):
        ahead = str(1_000_000 * (5 - place))
        clocks = ("unshare", "--time", "--boottime", ahead, "--monotonic", ahead)
        done = plugin.run(BINARY, *node.request("DEL", f"old-{number}", pod(number)), wrapper=clocks)
        assert done.exit == 0, done
        if place == 2:
            new_boot()  # the counter in /run is gone
    for path in node.records():
        number = node.bindings()[path.rpartition("/ip.")[2]].sequence if "/ip." in path else 0
        moment = 2_000_000_000 - 1_000_000 * number
        os.utime(os.path.join(node.state_dir, path), (moment, moment), follow_symlinks=False)
    assert evicted_order(node, range(5)) == order


def gc(node, container_id, **lists):
    """A request for GC; lists: valid, attachments -> container IDs, or None for null."""
    keys = {"valid": "cni.dev/valid-attachments", "attachments": "cni.dev/attachments"}
    env, conf = node.request("GC", container_id, ifname="", netns="", args="")
    conf["cniVersion"] = "1.1.0"
    for name, ids in lists.items():
        conf[keys[name]] = ids if ids is None else [{"containerID": one, "ifname": "eth0"} for one in ids]
    return env, conf


def gc_lists():
    """Absent and null drop nothing, the union is kept, an empty list drops what has no live namespace."""
    node = node_at("r16")
    homes = {name: node.add(name, f"shop/{name}") for name in ("a", "b", "c", "cilium-ingress-d")}
    with Namespace("lives") as there:
        homes["lives"] = node.add("lives", "shop/lives", netns=there.path)
        for lists, left in (({}, homes), ({"valid": None}, homes), ({"valid": None, "attachments": None}, homes),
                            ({"valid": ["a"], "attachments": ["b"]}, ("a", "b", "cilium-ingress-d", "lives")),
                            ({"valid": []}, ("cilium-ingress-d", "lives"))):
            done = plugin.run(BINARY, *gc(node, "", **lists))
            assert done.exit == 0, f"{lists}: {done}"
            node.assert_in_use({name: homes[name] for name in left})
    assert {name: node.add(f"{name}-next", f"shop/{name}") for name in "abc"} == {name: homes[name] for name in "abc"}


def gc_among_adds():
    """A runtime's list is older than the ADDs that run beside its GC: live namespaces count, bindings stay."""
    node = node_at("r16-race")
    gone = {f"gone-{number}": node.add(f"gone-{number}", pod(number)) for number in range(5)}
    with Namespace("lives") as there:
        requests = adds(node, "new", range(10, 20), netns=there.path)
        live = all_at_once(node, requests[:5] + [gc(node, "", valid=[])] + requests[5:] + [gc(node, "", valid=[])])
        node.assert_in_use(live)
    assert set(gone) == {f"gone-{n}" for n in range(5) if node.add(f"next-{n}", pod(n)) == gone[f"gone-{n}"]}


def gc_before_the_answer():
    """GC collects what an ADD without a live namespace has not answered yet: that ADD fails."""
    node = node_at("r16-answer")
    with race.Stopped(node, "ADD", "c-1", POD, "fsync") as add:
        assert plugin.run(BINARY, *gc(node, "", valid=[])).exit == 0
        assert_refused(add.resume(), "c-1")
    node.assert_in_use({})


def both_plugins():
    """250 ADDs and DELs, half by host-local, in waves of 50 at once; each deletes what the other made."""
    node, chance = node_at("r17"), random.Random(SEED)
    live, made, count = {}, 0, 0
    for _ in range(5):
        leaving = chance.sample(sorted(live), len(live) // 2)
        requests = [node.request("DEL", name, None) for name in leaving]
        requests += [node.request("ADD", f"c-{made + n}", pod(made + n)) for n in range(50 - len(requests))]
        made, count = made + 50 - len(leaving), count + len(requests)
        by = [BINARY, HOST_LOCAL] * 25
        live.update(all_at_once(node, [(*request, by[n]) for n, request in enumerate(chance.sample(requests, 50))]))
        live = {name: addresses for name, addresses in live.items() if name not in leaving}
        node.assert_in_use(live)
    print(f"# {count} commands, {made} of them ADDs, {len(live)} attachments left")
    assert count == 250 and made > 125
    all_at_once(node, [(*node.request("DEL", name), HOST_LOCAL) for name in live])
    assert [name for name in node.entries() if name != "lock"] == ["last_reserved_ip.0", "last_reserved_ip.1"]


def host_local_takes_what_is_held():
    """host-local knows no bindings: the pod whose address it gave away gets another one, and keeps that."""
    node = node_at("r17-held", small(2, 4))
    home = node.add("old", POD)
    node.delete("old", POD)
    taken = [node.add(f"go-{number}", binary=HOST_LOCAL) for number in range(3)]
    assert home in taken
    assert_exhausted(node.call("ADD", "new", POD))
    free = next(number for number in range(3) if taken[number] != home)
    node.delete(f"go-{free}", binary=HOST_LOCAL)
    assert node.add("new", POD) == taken[free]
    node.delete("new", POD)
    assert node.add("next", POD) == taken[free]
    node.assert_in_use({"next": taken[free], **{f"go-{n}": taken[n] for n in range(3) if n != free}})


@contextlib.contextmanager
def own_disk(name, options):
    """A node on a small tmpfs of its own."""
    node = node_at(name, small(2, 9))
    os.makedirs(node.home)
    mount(f"-ttmpfs -o{options} tmpfs {node.home}")
    try:
        yield node
    finally:
        subprocess.run(["umount", node.home], check=True)


def mount(arguments):
    subprocess.run(["mount", *arguments.split()], check=True)


def full_disk():
    """No new pod comes up, with a clear message; one that left does, at the price of the file that its DEL freed."""
    with own_disk("r18-full", "nr_inodes=40") as node:
        homes = {number: node.add(f"old-{number}", pod(number)) for number in range(2)}
        with contextlib.suppress(OSError):
            for number in range(40):
                os.mknod(os.path.join(node.home, f"filler-{number}"))
        records = node.records()
        for outcome in race.at_once(node, adds(node, "new", range(50, 54))):
            assert_refused(outcome, node.home, "no space left on device")
        node.assert_in_use({f"old-{number}": home for number, home in homes.items()})
        assert node.records() == records, "a refused ADD left records"
        node.delete("old-0", POD)
        live = {"old-1": homes[1], "new-0": node.add("new-0", POD)}
        assert live["new-0"] == homes[0]
        node.assert_in_use(live)


def read_only_disk():
    """DELs succeed and wait in /run; the next command that can write does them before its own business."""
    with own_disk("r18-ro", "size=1m") as node:
        homes = {number: node.add(f"old-{number}", pod(number)) for number in range(4)}
        mount(f"-oremount,ro {node.home}")
        assert_refused(node.call("ADD", "new-0", pod(0)), node.home, "read-only")
        for number in range(3):
            node.delete(f"old-{number}", pod(number))
        assert node.call("CHECK", "old-0", pod(0)).exit == 1 and node.call("CHECK", "old-3", pod(3)).exit == 0
        mount("-t tmpfs -o ro tmpfs /run/delegated-ipam")
        assert_refused(node.call("DEL", "old-3", pod(3)), node.network_dir, "Read-only")
        subprocess.run(["umount", "/run/delegated-ipam"], check=True)
        node.assert_in_use({f"old-{number}": home for number, home in homes.items()})
        mount(f"-oremount,rw {node.home}")
        live = all_at_once(node, adds(node, "new", (2, 0, 1)))
        assert live == {f"new-{number}": homes[number] for number in range(3)}
        node.assert_in_use({**live, "old-3": homes[3]})
        node.delete("old-3", pod(3))
        assert node.add("new-3", pod(3)) == homes[3]


TESTS = [
    ("R15: clocks that go back do not change who is evicted first", clock_goes_back),
    ("R16: GC with absent, null, united and empty lists", gc_lists),
    ("R16: GC with an outdated list beside ten ADDs drops none of them", gc_among_adds),
    ("R16: an ADD whose address GC took before the answer gets code 11", gc_before_the_answer),
    ("R17: 250 ADDs and DELs by both plugins at once: no address twice, none lost", both_plugins),
    ("R17: an address that host-local gave away is not shared", host_local_takes_what_is_held),
    ("R18: on a full disk new pods are refused clearly, and one that left comes back", full_disk),
    ("R18: DELs on a read-only disk are done when it can be written, else refused", read_only_disk),
]


def tests():
    for sentence, test in TESTS:
        yield sentence, test


if __name__ == "__main__":
    tap.main("races, the rest", tests,
             sandbox.enter, fake_boots, lambda: require(BINARY, HOST_LOCAL), lambda: print(f"# seed {SEED}, set SEED to change it"))
