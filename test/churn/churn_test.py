#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Pods come and go for several boots: who stays keeps the address, nobody shares one, nothing grows."""
import json
import os
import random
import subprocess

import sandbox
import tap
from node import Node, fake_boots, new_boot
from plugin import BINARY, Outcome, require

HOME = "/var/lib/cni/churn"
PODS = 240
REBOOTS = 5
MOST_STRANGERS = 13
SEED = int(os.environ.get("SEED", "20240"))


class Pod:
    """A pod that is meant to stay: its name, its present sandbox, its first address."""

    def __init__(self, name):
        self.name = name
        self.sandbox = 0
        self.address = None

    @property
    def container_id(self):
        return f"c-{self.name.replace('/', '-')}-{self.sandbox}"

    def start(self, node):
        """ADD in a new sandbox; returns True if the address is the first one again."""
        self.sandbox += 1
        got = node.add(self.container_id, self.name)
        self.address = self.address or got
        return got == self.address

    def stop(self, node, again=False):
        """DEL of the present sandbox; again: of the one before it, once more."""
        container_id = f"c-{self.name.replace('/', '-')}-{self.sandbox - 1}" if again else self.container_id
        node.delete(container_id, self.name)


class Strangers:
    """Pods of ever new names that come and go; at most a given number at a time."""

    def __init__(self, node, chance):
        self.node = node
        self.chance = chance
        self.here = []
        self.seen = 0

    def one_comes(self):
        self.seen += 1
        pod = Pod(f"batch/stranger-{self.seen}")
        pod.start(self.node)
        self.here.append(pod)

    def one_goes(self):
        self.here.pop(self.chance.randrange(len(self.here))).stop(self.node)

    def churn(self, number, most):
        """So many come, as many go, in random order."""
        for _ in range(number):
            while len(self.here) >= most or (self.here and self.chance.random() < 0.4):
                self.one_goes()
            self.one_comes()

    def all_go(self):
        while self.here:
            self.one_goes()


def reboot(node, pods, strangers, chance, newcomers):
    """A kubelet's order: per pod DEL of the old sandbox before ADD of the new; across pods anyhow, others between.

    Returns how many pods came back to their address.
    """
    new_boot()
    steps = [step for pod in pods for step in (pod, pod)] + [None] * newcomers
    chance.shuffle(steps)
    stopped, kept = set(), 0
    for pod in steps:
        if pod is None:
            strangers.one_comes()
        elif pod not in stopped:
            pod.stop(node)
            stopped.add(pod)
        else:
            kept += pod.start(node)
            if chance.random() < 0.2:
                pod.stop(node, again=True)
    return kept


def sizes(node):
    """Entries in the network folder and in the state folder."""
    return len(node.entries()), len(node.records())


def assert_no_duplicate(node, pods):
    addresses = [address for pod in pods for address in pod.address]
    assert len(set(addresses)) == len(addresses), "two pods share an address"
    files = node.attachments()
    for pod in pods:
        content = f"{pod.container_id}\r\neth0".encode()
        assert all(files.get(address) == content for address in pod.address), f"{pod.name} is not at {pod.address}"


def five_reboots():
    """Strangers come while the node boots and go when it is up; more come and go in between."""
    chance = random.Random(SEED)
    node = Node(os.path.join(HOME, "reboots"), [[{"subnet": "10.9.0.0/24"}]])
    pods = [Pod(f"shop/web-{number}") for number in range(PODS)]
    for pod in pods:
        pod.start(node)
    strangers = Strangers(node, chance)
    rounds = []
    for number in range(REBOOTS):
        strangers.churn(40, MOST_STRANGERS)
        strangers.all_go()
        kept = reboot(node, pods, strangers, chance, MOST_STRANGERS)
        assert_no_duplicate(node, pods)
        strangers.all_go()
        rounds.append(sizes(node))
        print(f"# reboot {number + 1}: {kept} of {PODS} kept; entries in network and state folder {rounds[-1]}")
        assert kept == PODS
    assert len(set(rounds)) == 1, f"the folders change from round to round: {rounds}"
    assert rounds[0][0] <= PODS + 2 and rounds[0][1] <= 2 * 253 + 2, f"more than there are addresses: {rounds}"
    node.assert_sound()


def short_pods():
    """A /28 has 13 addresses; no ADD may fail while one of them is not in use."""
    chance = random.Random(SEED)
    node = Node(os.path.join(HOME, "short"), [[{"subnet": "10.9.0.0/28"}]])
    pods = [Pod(f"shop/db-{number}") for number in range(5)]
    for pod in pods:
        pod.start(node)
    strangers = Strangers(node, chance)
    kept = 0
    for number in range(3):
        strangers.churn(100, 8)
        strangers.all_go()
        kept += reboot(node, pods, strangers, chance, 3)
        assert_no_duplicate(node, pods)
    print(f"# {strangers.seen} short pods, {kept} of {3 * len(pods)} returns to the own address")
    assert strangers.seen >= 300 and kept == 3 * len(pods)
    assert len(node.records()) <= 2 * 13 + 2, f"records pile up: {sorted(node.records())}"


def one_restarts_among_many():
    """A pod that restarts while strangers fill every other address finds its own untouched."""
    chance = random.Random(SEED)
    node = Node(os.path.join(HOME, "one"), [[{"subnet": "10.9.0.0/28"}]])
    pod = Pod("shop/db-0")
    pod.start(node)
    strangers = Strangers(node, chance)
    strangers.churn(60, 12)
    pod.stop(node)
    while len(strangers.here) < 12:
        strangers.one_comes()
    assert pod.start(node), "another pod took the address although there were free ones"


def forced_overlap():
    """A force-deleted StatefulSet pod: the new one starts before the old sandbox is gone."""
    node = Node(os.path.join(HOME, "overlap"), [[{"subnet": "10.9.0.0/24"}]])
    old = node.add("c-old", "shop/web-0", uid="uid-1")
    new = node.add("c-new", "shop/web-0", uid="uid-2")
    assert new != old, "two live attachments share an address"
    assert node.addresses_of("c-old") == old and node.addresses_of("c-new") == new
    node.delete("c-old", "shop/web-0", uid="uid-1")
    assert node.addresses_of("c-new") == new, "DEL of the old sandbox took the new one's address"
    node.delete("c-new", "shop/web-0", uid="uid-2")
    node.add("c-other", "shop/other")
    assert node.add("c-next", "shop/web-0", uid="uid-3") == new, "not the newest acknowledged address"


def overlap_of_equal_uids():
    """The same pod object in two sandboxes is no proof that the first one is dead."""
    node = Node(os.path.join(HOME, "equal"), [[{"subnet": "10.9.0.0/24"}]])
    old = node.add("c-old", "shop/web-0", uid="uid-1")
    assert node.add("c-new", "shop/web-0", uid="uid-1") != old
    assert node.addresses_of("c-old") == old


def repeated_add():
    node = Node(os.path.join(HOME, "again"), [[{"subnet": "10.9.0.0/24"}], [{"subnet": "fd00:9::/64"}]])
    first = node.call("ADD", "c-1", "shop/web-0")
    entries, records = node.entries(), node.records()
    for _ in range(3):
        assert node.call("ADD", "c-1", "shop/web-0").stdout == first.stdout
    assert node.entries() == entries and node.records() == records, "a repeated ADD changed something"


def late_deletes():
    """A runtime deletes old sandboxes again and again, also after the pod runs in a new one."""
    node = Node(os.path.join(HOME, "late"), [[{"subnet": "10.9.0.0/24"}]])
    home = node.add("c-old", "shop/web-0")
    node.delete("c-old", "shop/web-0")
    assert node.add("c-new", "shop/web-0") == home
    entries, records = node.entries(), node.records()
    for _ in range(3):
        node.delete("c-old", "shop/web-0")
    assert node.entries() == entries and node.records() == records, "a late DEL changed something"
    assert node.addresses_of("c-new") == home


def at_once(node, requests):
    """Run all these (command, container ID, pod) at the same time; returns their outcomes in order."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    requests = [node.request(*request) for request in requests]
    running = [subprocess.Popen([node.binary], env=env, **pipes) for env, _ in requests]
    for process, (_, conf) in zip(running, requests):
        process.stdin.write(json.dumps(conf).encode())
        process.stdin.close()
        process.stdin = None
    outcomes = []
    for process in running:
        out, err = process.communicate(timeout=60)
        outcomes.append(Outcome(process.returncode, out.decode(), err.decode()))
    return outcomes


def hundred_at_once():
    """100 ADDs, then 50 DELs among 50 ADDs, then 100 DELs."""
    node = Node(os.path.join(HOME, "parallel"), [[{"subnet": "10.9.0.0/24"}]])
    first = at_once(node, [("ADD", f"c-{number}", f"shop/web-{number}") for number in range(100)])
    assert_all_distinct(node, first)
    mixed = [("DEL", f"c-{number}", f"shop/web-{number}") for number in range(50)]
    mixed += [("ADD", f"c-{number}", f"shop/web-{number}") for number in range(100, 150)]
    random.Random(SEED).shuffle(mixed)
    second = at_once(node, mixed)
    added = [outcome for outcome, request in zip(second, mixed) if request[0] == "ADD"]
    assert all(outcome.exit == 0 for outcome in second), [outcome for outcome in second if outcome.exit != 0]
    assert_all_distinct(node, first[50:] + added)
    last = at_once(node, [("DEL", f"c-{number}", f"shop/web-{number}") for number in range(50, 150)])
    assert all(outcome.exit == 0 for outcome in last), [outcome for outcome in last if outcome.exit != 0]
    assert node.attachments() == {}
    node.assert_sound()


def assert_all_distinct(node, outcomes):
    """All succeeded, on as many addresses, which are exactly those on disk."""
    assert all(outcome.exit == 0 for outcome in outcomes), [outcome for outcome in outcomes if outcome.exit != 0]
    addresses = [outcome.addresses[0] for outcome in outcomes]
    assert len(set(addresses)) == len(addresses), "an address was given twice"
    assert set(addresses) == set(node.attachments()), "answers and files differ"


def same_pod_at_once():
    """Twenty sandboxes of one pod at the same time: each has its own address, one of them is remembered."""
    node = Node(os.path.join(HOME, "same"), [[{"subnet": "10.9.0.0/24"}]])
    outcomes = at_once(node, [("ADD", f"c-{number}", "shop/web-0") for number in range(20)])
    assert_all_distinct(node, outcomes)
    at_once(node, [("DEL", f"c-{number}", "shop/web-0") for number in range(20)])
    assert node.add("c-next", "shop/web-0")[0] in {outcome.addresses[0] for outcome in outcomes}


def same_attachment_at_once():
    """A runtime that asks twice at the same time gets one address."""
    node = Node(os.path.join(HOME, "twice"), [[{"subnet": "10.9.0.0/24"}]])
    outcomes = at_once(node, [("ADD", "c-1", "shop/web-0")] * 20)
    assert all(outcome.exit == 0 for outcome in outcomes), [outcome for outcome in outcomes if outcome.exit != 0]
    assert len({outcome.stdout for outcome in outcomes}) == 1 and len(node.attachments()) == 1


TESTS = [
    (f"{PODS} pods in a /24 keep their addresses over {REBOOTS} reboots, and the folders do not grow", five_reboots),
    ("five pods in a /28 keep theirs while 300 short pods come and go, and no ADD fails", short_pods),
    ("a pod that restarts while others take every free address finds its own", one_restarts_among_many),
    ("a force-deleted pod and its successor never share an address, and the newest one is kept", forced_overlap),
    ("equal UIDs do not let a new sandbox take over a live one", overlap_of_equal_uids),
    ("a repeated ADD gives the same answer, byte for byte, and changes nothing", repeated_add),
    ("late DELs of an old sandbox do nothing to the new one", late_deletes),
    ("100 ADDs and DELs at once: all distinct, all released", hundred_at_once),
    ("twenty sandboxes of one pod at once get twenty addresses", same_pod_at_once),
    ("one attachment asked for twenty times at once gets one address", same_attachment_at_once),
]


def tests():
    for sentence, test in TESTS:
        yield sentence, test


if __name__ == "__main__":
    tap.main("churn", tests,
             sandbox.enter, fake_boots, lambda: require(BINARY), lambda: print(f"# seed {SEED}, set SEED to change it"))
