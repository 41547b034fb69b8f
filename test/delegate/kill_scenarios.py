"""The commands that are killed and failed at every system call, each with the state before it; see kill_test.py."""
import itertools
import os
from dataclasses import dataclass
from typing import Callable

from ledger import DelegatedNode
from node import new_boot

HOME = "/var/lib/cni/delegate-kill"
NEIGHBOUR, NEIGHBOURS_POD = "c-neighbour", "shop/neighbour"

numbers = itertools.count(1)


def nothing(_node, _target):
    """The pod is new."""


def boot(_node, _target):
    """Nothing is in /run."""
    new_boot()


def known(node, target):
    node.add(target, pod_of(target))


def left_over(node, target):
    """An ADD failed and so did its DEL: a lease is there, and an entry of the journal."""
    node.ledger.fail("ADD", where="after")
    node.ledger.fail("DEL")
    assert node.call("ADD", target, pod_of(target)).exit == 1
    node.ledger.unhook("ADD", "after")
    node.ledger.unhook("DEL")
    assert node.ledger.leases_of(target) and node.journal() == 1


def pod_of(target):
    return f"shop/{target}"


@dataclass
class Scenario:
    """One command and what was before it. keeps: the lease of before must outlive it; answers: it succeeds."""

    sentence: str
    command: str
    prepare: Callable
    keeps: bool = False
    answers: bool = True
    fails: bool = False  # the plugin takes a lease and fails
    ipam: tuple = ()
    follow_ups: int = 1  # of the two, after each kill; one: by turns

    def node(self):
        name = f"{next(numbers)}-{self.prepare.__name__.replace('_', '-')}"
        node = DelegatedNode(os.path.join(HOME, name), **dict(self.ipam))
        node.add(NEIGHBOUR, NEIGHBOURS_POD)
        node.add("c-before", "shop/before")
        node.delete("c-before", "shop/before")  # from now on every ADD and every DEL makes the same system calls
        return node

    def request(self, node, target):
        return node.request(self.command, target, pod_of(target))

    def begin(self, node):
        """A new pod in the state before the command; returns its container ID and the lease that it has then."""
        target = f"c-{next(numbers)}"
        self.prepare(node, target)
        before = node.ledger.leases_of(target)
        if self.fails:
            node.ledger.fail("ADD", where="after")
        node.ledger.take_commands()
        return target, before

    def end(self, node):
        """The plugin works again."""
        if self.fails:
            node.ledger.unhook("ADD", "after")


SCENARIOS = [
    Scenario("an ADD", "ADD", nothing, follow_ups=2),
    Scenario("the first ADD of a boot", "ADD", boot),
    Scenario("a repeated ADD", "ADD", known, keeps=True),
    Scenario("a repeated ADD that the plugin refuses", "ADD", known, keeps=True, answers=False,
             ipam=(("onDuplicate", "error"),)),
    Scenario("an ADD after one that left a lease", "ADD", left_over),
    Scenario("an ADD that fails with a lease", "ADD", nothing, answers=False, fails=True),
    Scenario("a DEL", "DEL", known, follow_ups=2),
    Scenario("a DEL after an ADD that left a lease", "DEL", left_over),
]
