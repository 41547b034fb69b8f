#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Reboots in a row, half of them in the middle of the boot: every pod keeps its addresses, and nothing grows.

SEED in the environment chooses another story.
"""
import os
import random

import sandbox
import tap
import trace
from node import Node, fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

HOME = "/var/lib/cni/reboots"
RUN_FOLDER = "/run/delegated-ipam"
RANGES = [[{"subnet": "10.9.0.0/26"}], [{"subnet": "fd00:9::/122"}]]
FIVE = [[{"subnet": "10.9.0.0/29"}]]  # five addresses beside the gateway
SEED = int(os.environ.get("SEED", "50"))
REBOOTS = 50
PODS = 30
SETTLED = 20  # reboots after which lists that remember the latest boots are full
REMEMBERED = 3  # old sandboxes of a pod that the kubelet deletes again and again

# Where the power may go while an ADD is at work: in the network folder, in the records, in the flushes.
POWER_GOES_AT = [("linkat", 1), ("linkat", 2), ("unlinkat", 1), ("unlinkat", 2), ("fsetxattr", 1), ("symlinkat", 1),
                 ("symlinkat", 2), ("symlinkat", 3), ("renameat", 1), ("renameat", 2), ("fsync", 1), ("fsync", 2)]


class Pod:
    """A pod, and the container IDs of its sandboxes that the kubelet remembers, the newest last."""

    def __init__(self, name):
        self.name = name
        self.uid = f"uid-of-{name}"
        self.sandboxes = []
        self.number = 0
        self.addresses = None

    def new_sandbox(self):
        self.number += 1
        self.sandboxes = [*self.sandboxes[-REMEMBERED:], f"{self.name.replace('/', '-')}-{self.number:03}"]
        return self.sandboxes[-1]


class Boot:
    """One boot: each pod's DELs of its old sandboxes and its ADD, pods interleaved. `dels`: what was deleted in it."""

    def __init__(self, node, pods, chance, chance_of_del=0.8):
        self.node = node
        self.pods = pods
        self.chance = chance
        self.chance_of_del = chance_of_del
        self.dels = set()
        self.started = set()
        self.was_killed = False

    def run(self, cut=None):
        """The whole boot; cut: only so many steps, and the power goes while the next ADD is at work."""
        new_boot()
        for number, (step, pod) in enumerate(self.steps()):
            if number == cut:
                self.cut_off()
                return
            step(pod)

    def steps(self):
        """(what to do, pod), in order: DEL before ADD, after it or never; those of older sandboxes after it, again."""
        waiting = []
        for pod in self.pods:
            when = self.chance.random() if pod.sandboxes else 1
            before = [(self.delete_newest, pod)] if when < self.chance_of_del else []
            after = [(self.delete_older, pod)] if when < self.chance_of_del + 0.1 else []
            waiting.append([*before, (self.start, pod), *after])
        while waiting:
            steps = self.chance.choice(waiting)
            yield steps.pop(0)
            waiting = [steps for steps in waiting if steps]

    def start(self, pod):
        """A new sandbox, whose addresses must be the first ones again."""
        self.started.add(pod)
        got = self.node.add(pod.new_sandbox(), pod.name, uid=pod.uid)
        pod.addresses = pod.addresses or got
        assert got == pod.addresses, f"{pod.name} had {pod.addresses}, now {got}"

    def delete_newest(self, pod):
        self.delete(pod, pod.sandboxes[-1])

    def delete_older(self, pod):
        for container_id in pod.sandboxes[:-1]:
            self.delete(pod, container_id)

    def delete(self, pod, container_id):
        self.dels.add(container_id)
        self.node.delete(container_id, pod.name, netns="")

    def cut_off(self):
        """An ADD that ends in the middle, of a pod that is not up yet: nobody ever learns what it did."""
        down = [pod for pod in self.pods if pod not in self.started]
        if not down:
            return
        pod = self.chance.choice(down)
        request = self.node.request("ADD", pod.new_sandbox(), pod.name, uid=pod.uid)
        done = trace.inject(self.node.binary, *request, *self.chance.choice(POWER_GOES_AT), "signal=KILL")[0]
        self.was_killed = done.stdout == ""


class Sizes:
    """What the folders hold after each boot, compared with what they held after the first reboot."""

    def __init__(self, node):
        self.node = node
        self.first = (below(node.network_dir), below(node.state_dir), run_folder()[0])
        self.most_tombs = 0
        self.killed = 0
        self.longest_records = []

    def check(self, boot, is_whole):
        """A whole boot leaves exactly the same names; one that was cut leaves none that the next does not remove."""
        run, tombs = run_folder()
        now = (below(self.node.network_dir), below(self.node.state_dir), run)
        for names, at_first in zip(now, self.first):
            if is_whole:
                assert names == at_first, f"more: {names - at_first}, less: {at_first - names}"
            else:
                # A removal that was killed before its flush leaves a mark, which goes with /run.
                added = {name for name in names - at_first
                         if not os.path.basename(name).startswith((".", "unflushed."))}
                assert not added, f"a boot that was cut left {added}"
        assert tombs <= len(boot.dels), f"{tombs} tombstones after the DELs of {len(boot.dels)} sandboxes"
        self.killed += boot.was_killed
        self.most_tombs = max(self.most_tombs, tombs)
        self.longest_records.append(max(len(target) for target in self.node.records().values()))

    def check_records(self):
        """Records do not get longer and longer."""
        settled = set(self.longest_records[SETTLED:])
        assert len(settled) == 1, f"the longest record has {sorted(settled)} bytes, after {SETTLED} reboots"

    def __str__(self):
        network, state, run = (len(names) for names in self.first)
        return (f"{self.killed} ADDs killed at work; names in network folder {network}, state folder {state}, "
                f"/run {run} after every whole boot, and up to {self.most_tombs} tombstones; "
                f"longest record {self.longest_records[-1]} bytes")


def below(folder):
    """The paths of everything in a folder, relative to it."""
    return {os.path.relpath(os.path.join(where, name), folder)
            for where, folders, files in os.walk(folder) for name in folders + files}


def run_folder():
    """What we have in /run of every boot, and the number of tombstones.

    Left out are the tombstones, their folder and the counter of releases: not every boot has them.
    """
    paths = below(RUN_FOLDER)
    tombs = {path for path in paths if "tombs" in path.split("/")}
    counters = {path for path in paths if path.endswith("/sequence")}
    assert len(counters) <= 1, f"more than one counter: {counters}"
    return paths - tombs - counters, sum(path.split("/")[-1] != "tombs" for path in tombs)


def reboot_again_and_again(node, pods, chance, **how):
    """REBOOTS reboots, half of them cut, and a whole one at the end; returns the Sizes."""
    for _ in range(2):
        Boot(node, pods, chance, **how).run()
    sizes = Sizes(node)
    for cut in chance.sample([True, False] * (REBOOTS // 2), REBOOTS) + [False]:
        boot = Boot(node, pods, chance, **how)
        boot.run(chance.randrange(2 * len(pods)) if cut else None)
        sizes.check(boot, not cut)
        if not cut:
            node.assert_in_use({pod.sandboxes[-1]: pod.addresses for pod in pods})
            owners = {address: binding.owner for address, binding in node.bindings().items()}
            assert owners == {address: pod.name for pod in pods for address in pod.addresses}
    sizes.check_records()
    assert sizes.killed, "no ADD was killed at work"
    return sizes


def pods_of(number):
    return [Pod(f"shop/web-{index}") for index in range(number)]


def fifty_reboots():
    """DELs before the ADD, after it, or never; older ones again; commands that are killed at work."""
    node = Node(os.path.join(HOME, "fifty"), RANGES)
    sizes = reboot_again_and_again(node, pods_of(PODS), random.Random(SEED))
    print(f"# seed {SEED}: {REBOOTS} reboots, half of them cut; {PODS} of {PODS} pods kept in each; {sizes}")


def never_a_del():
    """As many pods as addresses, so that one address lost would be one pod without any."""
    node = Node(os.path.join(HOME, "full"), FIVE)
    sizes = reboot_again_and_again(node, pods_of(5), random.Random(SEED), chance_of_del=-1)
    print(f"# 5 pods on 5 addresses, no DEL in {REBOOTS} reboots: 5 of 5 kept in each; {sizes}")


def host_local_beside_it():
    """For the report only: when host-local has no address left for 2 pods on 5 addresses without DELs."""
    if not os.path.exists(HOST_LOCAL):
        return
    node = Node(os.path.join(HOME, "host-local"), FIVE, binary=HOST_LOCAL)
    for boot in range(1, REBOOTS):
        if any(node.call("ADD", f"c-{boot}-{pod}").exit != 0 for pod in range(2)):
            print(f"# host-local with 2 pods on 5 addresses: exhausted at boot {boot}")
            return


def tests():
    yield (f"F14: {REBOOTS} reboots in a row, half of them in the middle of the boot: "
           f"all {PODS} dual-stack pods keep their addresses in every boot, and no folder grows", fifty_reboots)
    yield ("F14: no DEL ever comes and there is an address for each pod and no more: "
           f"all keep theirs over {REBOOTS} reboots, half of them cut", never_a_del)
    host_local_beside_it()


if __name__ == "__main__":
    tap.main("reboots", tests, lambda: require(BINARY), sandbox.enter, fake_boots)
