#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Pods deleted by force: the new sandbox of a name asks for addresses while the old one still runs (or does it?).

Every sandbox is a live process in a network namespace of its own. At every answer of ADD, no address in it may be
one that a sandbox which may still live has been given; what counts are the answers, not only the folder.
SEED and ROUNDS in the environment choose another story.
"""
import collections
import os
import random

import race
import sandbox
import tap
from node import Node, fake_boots, new_boot
from plugin import BINARY, require
from pod_process import PodProcess

HOME = "/var/lib/cni/overlap"
NETNS = "/run/netns"
RANGES = [[{"subnet": "10.9.0.0/27"}], [{"subnet": "fd00:9::/123"}]]
SEED = int(os.environ.get("SEED", "1968"))
ROUNDS = int(os.environ.get("ROUNDS", "1000"))
PODS = 6
MOST_LINGERING = 6  # sandboxes that live on without ever being deleted
RACES = 60


class Life:
    """One sandbox of a pod: its process and namespace, what it was given, whether its DEL was answered."""

    def __init__(self, container_id, pod):
        self.container_id = container_id
        self.uid = f"uid-of-{container_id}"
        self.pod = pod
        self.process = PodProcess(os.path.join(NETNS, self.container_id))
        self.addresses = []
        self.deleted = False

    @property
    def may_live(self):
        """Acknowledged, not deleted, and its process or its namespace's path is there."""
        return bool(self.addresses) and not self.deleted and (self.process.lives or self.process.has_path)


class Story:
    """Pods on one node, all lives that may still be there, and DELs that come late."""

    def __init__(self, name, chance):
        self.name = name
        self.node = Node(os.path.join(HOME, name), RANGES)
        self.chance = chance
        self.current = {}  # pod -> its newest life
        self.lives = []
        self.leaked = {}  # address -> pod of a sandbox that is dead, but was never deleted
        self.lingering = []
        self.late_dels = []
        self.number = 0
        self.seen = collections.Counter()
        os.makedirs(NETNS, exist_ok=True)
        for number in range(PODS):
            self.start(f"shop/db-{number}")

    def begin(self, pod):
        """A new sandbox whose ADD has not been sent yet."""
        self.number += 1
        return Life(f"{self.name}-{self.number}", pod)

    def start(self, pod):
        """A new sandbox with its ADD; returns it."""
        life = self.begin(pod)
        self.acknowledge(life, self.node.add(life.container_id, pod, uid=life.uid, netns=life.process.path))
        return life

    def acknowledge(self, life, addresses):
        """ADD was answered: nobody who may live has any of these addresses."""
        self.bury_the_dead()
        for other in self.lives:
            shared = set(addresses) & set(other.addresses)
            assert not shared, f"{life.container_id} of {life.pod} shares {shared} with the live {other.container_id}"
        assert len(addresses) == len(RANGES), f"{life.container_id} has {addresses}"
        owners = {self.leaked.pop(address, life.pod) for address in addresses}
        self.seen["addresses reclaimed from another pod's dead"] += owners != {life.pod}
        life.addresses = addresses
        self.lives.append(life)
        self.current[life.pod] = life

    def bury_the_dead(self):
        """Only those who may live stay in `lives`."""
        for life in self.lives:
            if not life.may_live and not life.deleted:
                self.leaked.update(dict.fromkeys(life.addresses, life.pod))
        self.lives = [life for life in self.lives if life.may_live]

    def delete(self, life):
        """DEL as a runtime sends it: with the namespace's path as long as there is one; then the sandbox ends."""
        netns = life.process.path if life.process.has_path else self.chance.choice(["", life.process.path])
        self.node.delete(life.container_id, life.pod, uid=life.uid, netns=netns)
        life.deleted = True
        life.process.end()
        # Another attachment may have been given them since, and they are not leaked then.
        for address in life.addresses:
            self.leaked.pop(address, None)

    def linger(self, life):
        """No DEL: it lives on, until it dies unseen; one of two then has its DEL much later, one never."""
        self.lingering.append(life)
        if len(self.lingering) > MOST_LINGERING:
            dead = self.lingering.pop(0)
            dead.process.end()
            if self.chance.random() < 0.5:
                self.late_dels.append(dead)

    def send_a_late_del(self):
        if self.late_dels and self.chance.random() < 0.3:
            self.seen["DELs long after death"] += 1
            self.delete(self.late_dels.pop(self.chance.randrange(len(self.late_dels))))

    def assert_in_folder(self):
        """The files of everyone who may live are there and name them."""
        files = self.node.attachments()
        for life in self.lives:
            content = f"{life.container_id}\r\neth0".encode()
            lost = [address for address in life.addresses if life.may_live and files.get(address) != content]
            assert not lost, f"{life.container_id} of {life.pod} may live, but {lost} have {files}"

    def end(self):
        for life in self.lives + self.lingering:
            life.process.end()


def assert_other(new, old):
    assert not set(new.addresses) & set(old.addresses), f"{new.addresses} were taken from the live {old.container_id}"


def old_del_late(story, old):
    assert_other(story.start(old.pod), old)
    story.delete(old)


def old_del_twice(story, old):
    new = story.start(old.pod)
    story.delete(old)
    story.delete(old)
    story.late_dels.append(old)
    assert_other(new, old)


def old_del_never(story, old):
    assert_other(story.start(old.pod), old)
    story.linger(old)


def path_unlinked_process_lives(story, old):
    """The namespace has no name any more, but a process is in it."""
    old.process.remove_path()
    assert_other(story.start(old.pod), old)
    if story.chance.random() < 0.5:
        story.delete(old)
    else:
        story.linger(old)


def process_died_path_stays(story, old):
    """The namespace is still there: the runtime has not given it up."""
    old.process.kill()
    assert_other(story.start(old.pod), old)
    if story.chance.random() < 0.5:
        story.delete(old)
    else:
        story.linger(old)


def dead_and_gone(story, old):
    """Proven dead: its own pod has the same addresses again, and a DEL that comes then changes nothing."""
    old.process.end()
    new = story.start(old.pod)
    assert new.addresses == old.addresses, f"{old.pod} had {old.addresses}, died, and got {new.addresses}"
    if story.chance.random() < 0.5:
        story.delete(old)
    else:
        story.late_dels.append(old)


def reboot(story, old):
    """Some pods overlap when the power goes; the newest acknowledged addresses come back, with DELs in any order."""
    if story.chance.random() < 0.5:
        assert_other(story.start(old.pod), old)
        story.late_dels.append(old)
    before = dict(story.current)
    story.end()
    story.lingering.clear()
    new_boot()
    os.makedirs(NETNS)
    for pod in story.chance.sample(sorted(before), len(before)):
        come_back(story, before[pod])


def come_back(story, old):
    """One pod after a reboot: DEL of the old sandbox before its ADD, after it, or long after it."""
    order = story.chance.choice(["before", "after", "late"])
    if order == "before":
        story.delete(old)
    new = story.start(old.pod)
    assert new.addresses == old.addresses, f"{old.pod} had {old.addresses}, now {new.addresses} (DEL {order})"
    if order == "after":
        story.delete(old)
    if order == "late":
        story.late_dels.append(old)


ROUND_KINDS = [old_del_late, old_del_twice, old_del_never, path_unlinked_process_lives, process_died_path_stays,
               dead_and_gone]


def thousand_overlaps():
    chance = random.Random(SEED)
    story = Story("thousand", chance)
    try:
        for _ in range(ROUNDS):
            kind = reboot if chance.random() < 0.03 else chance.choice(ROUND_KINDS)
            story.seen[kind.__name__] += 1
            kind(story, story.current[chance.choice(sorted(story.current))])
            story.send_a_late_del()
            story.assert_in_folder()
    finally:
        print(f"# seed {SEED}, {ROUNDS} rounds: {dict(story.seen)}; {story.number} sandboxes")
        story.end()
    expected = [kind.__name__ for kind in [*ROUND_KINDS, reboot]] + ["addresses reclaimed from another pod's dead"]
    missing = [kind for kind in expected if not story.seen[kind]]
    assert not missing, f"this story never comes to {missing}"
    story.node.assert_sound()


def at_the_same_time():
    """The new ADD, two DELs of the old sandbox and other pods' ADDs all wait for one lock."""
    chance = random.Random(SEED)
    story = Story("race", chance)
    taken_over = 0
    try:
        for number in range(RACES):
            old = story.current[chance.choice(sorted(story.current))]
            visitor = f"batch/visitor-{number}"
            taken_over += race_once(story, old, visitor)
            story.assert_in_folder()
            story.delete(story.current.pop(visitor))
    finally:
        print(f"# {RACES} races: {taken_over} times the DEL was first, and the addresses stayed with the pod")
        story.end()
    story.node.assert_in_use({life.container_id: life.addresses for life in story.current.values()})


def race_once(story, old, visitor):
    """Returns True if the new sandbox got the old one's addresses, which its DEL had freed by then."""
    new, other = story.begin(old.pod), story.begin(visitor)
    requests = [story.node.request("ADD", life.container_id, life.pod, uid=life.uid, netns=life.process.path)
                for life in (new, other)]
    requests += 2 * [story.node.request("DEL", old.container_id, old.pod, uid=old.uid, netns=old.process.path)]
    order = story.chance.sample(range(4), 4)
    outcomes = dict(zip(order, race.at_once(story.node, [requests[place] for place in order])))
    failed = [outcome for outcome in outcomes.values() if outcome.exit != 0]
    assert not failed, f"failed: {failed}"
    old.deleted = True
    old.process.end()
    story.acknowledge(new, outcomes[0].addresses)
    story.acknowledge(other, outcomes[1].addresses)
    owners = {address: binding.owner for address, binding in story.node.bindings().items()}
    wrong = [life.pod for life in (new, other) if {owners.get(address) for address in life.addresses} != {life.pod}]
    assert not wrong, f"the newest addresses of {wrong} are not bound to them: {owners}"
    return new.addresses == old.addresses


def tests():
    yield (f"C3: {ROUNDS} force-deletes overlap with live processes in both namespaces: no address is ever shared",
           thousand_overlaps)
    yield (f"C3: the new ADD and two DELs of the old sandbox at the same time, {RACES} times: "
           "nobody shares an address, and each pod is bound to its newest",
           at_the_same_time)


if __name__ == "__main__":
    tap.main("overlap", tests, lambda: require(BINARY), sandbox.enter, fake_boots)
