"""The commands that are killed and failed at every system call, each with the state that it starts from."""
import itertools
import os
import shutil
from dataclasses import dataclass, field
from typing import Callable

import plugin
from node import Node, new_boot

HOME = "/var/lib/cni/crash"
TARGET = "c-target"
POD = "shop/web-0"
NEIGHBOUR = "c-neighbour"
DEAD = "c-target-dead"

SINGLE = [[{"subnet": "10.9.0.0/28"}]]
DUAL = [[{"subnet": "10.9.0.0/28"}], [{"subnet": "fd00:9::/120"}]]
TINY = [[{"subnet": "10.9.0.0/29"}]]

counter = itertools.count()


def nothing(node):
    """The folders do not exist yet."""


def neighbour(node):
    """Another pod runs here."""
    node.add(NEIGHBOUR, "shop/neighbour")


def running(node):
    """The pod runs here, beside another one."""
    neighbour(node)
    node.add(TARGET, POD)


def gone(node):
    """The pod was here, has left, and others came after it."""
    neighbour(node)
    node.add("c-before", POD)
    node.delete("c-before", POD)
    node.add("c-later", "shop/later")


def full_of_held(node):
    """Every address belongs to a pod that is not there: five pods came and went, one after another."""
    for number in range(5):
        node.add(f"c-old-{number}", f"old/pod-{number}")
    for number in range(5):
        node.delete(f"c-old-{number}", f"old/pod-{number}")


def dead(node):
    """The pod ran here in another boot, and nobody deleted it."""
    node.add(DEAD, POD)
    new_boot()
    neighbour(node)


def full_of_dead(node):
    """Every address is in use by a container of another boot."""
    for number in range(5):
        node.add(f"{DEAD}-{number}", f"old/pod-{number}")
    new_boot()


def left_by_host_local(node):
    """Left by the Go plugin before a power cut: the pod's address with OpenYurt's marker, a torn file, a leak."""
    os.makedirs(node.network_dir)
    node.tolerated = ("10.9.0.4", "10.9.0.3_shop_web-0")
    files = {"10.9.0.3": f"{DEAD}\r\neth0", "10.9.0.3_shop_web-0": "", "10.9.0.4": "", "10.9.0.5": "c-leak\r\neth0"}
    for name, text in files.items():
        with open(os.path.join(node.network_dir, name), "w", newline="") as file:
            file.write(text)
    node.delete(DEAD, POD, binary=plugin.HOST_LOCAL)


@dataclass
class Scenario:
    """One command on one start state. `home`: the addresses that the pod must have afterwards, [] if it may choose."""

    sentence: str
    command: str
    prepare: Callable[[Node], None]
    ranges: list = field(default_factory=lambda: SINGLE)
    home: list = field(default_factory=list)
    learns: bool = False  # bindings are learned before the ADD's own business, and stay if it fails
    proof: str = ""  # the file without which nothing is proven, so that the pod may get another address

    def request(self, node):
        return node.request(self.command, TARGET, POD)


SCENARIOS = [
    Scenario("the very first ADD", "ADD", nothing),
    Scenario("an ADD beside another pod", "ADD", neighbour),
    Scenario("a dual-stack ADD", "ADD", neighbour, DUAL),
    Scenario("a repeated ADD", "ADD", running, home=["10.9.0.3"]),
    Scenario("an ADD of a pod that returns", "ADD", gone, home=["10.9.0.3"]),
    Scenario("a dual-stack ADD of a pod that returns", "ADD", gone, DUAL, home=["10.9.0.3", "fd00:9::3"]),
    Scenario("an ADD that ends another pod's binding", "ADD", full_of_held, TINY),
    Scenario("an ADD that takes its address over from the dead", "ADD", dead, home=["10.9.0.2"], proof="10.9.0.2"),
    Scenario("a dual-stack ADD that takes over", "ADD", dead, DUAL, home=["10.9.0.2", "fd00:9::2"],
             proof="2"),
    Scenario("an ADD that reclaims a dead container's address", "ADD", full_of_dead, TINY),
    Scenario("the first ADD after the Go plugin", "ADD", left_by_host_local, home=["10.9.0.3"], learns=True),
    Scenario("a DEL", "DEL", running, home=["10.9.0.3"]),
    Scenario("a dual-stack DEL", "DEL", running, DUAL, home=["10.9.0.3", "fd00:9::3"]),
]


class Stage:
    """A freshly booted node in the scenario's start state, gone at the end of the with block."""

    def __init__(self, scenario):
        self.scenario = scenario

    def __enter__(self):
        new_boot()
        os.makedirs(HOME, exist_ok=True)
        self.node = Node(os.path.join(HOME, str(next(counter))), self.scenario.ranges)
        self.scenario.prepare(self.node)
        return self.node

    def __exit__(self, *_):
        shutil.rmtree(self.node.home, ignore_errors=True)


def alive(attachments):
    """The part of a network folder that has an owner who is not known to be dead."""
    return {address: content for address, content in attachments.items()
            if content and not content.startswith(DEAD.encode())}


def neighbours(attachments):
    """The part of a network folder that belongs to neither the target nor a successor of it."""
    ours = (TARGET.encode(), b"c-next")
    return {address: content for address, content in attachments.items()
            if content and not content.startswith(ours)}


def come_back(node, expected):
    """The pod starts again in a new sandbox; it must get the expected addresses, if any are expected."""
    got = node.add("c-next", POD)
    assert not expected or got == list(expected), f"the pod came back on {got} instead of {expected}"
    assert node.addresses_of("c-next") == sorted(got), f"answer {got}, files {node.attachments()}"
    return got


def others_return(node):
    """Every pod of full_of_held() whose binding is left comes back to its own address."""
    kept = {address: binding for address, binding in node.bindings().items() if binding.namespace == "old"}
    assert len(kept) == 4, f"one binding must have ended, left are {kept}"
    for address, binding in kept.items():
        got = node.add(f"c-again-{binding.pod}", binding.owner)
        assert got == [address], f"{binding.owner} came back on {got} instead of {address}"


def host_local_empties(node):
    """Debian's host-local releases every attachment; only its own files are left."""
    for content in set(node.attachments().values()) - {b""}:
        container_id = content.split(b"\r\n")[0].decode()
        node.delete(container_id, binary=plugin.HOST_LOCAL)
    assert not any(node.attachments().values()), f"host-local's DEL left {node.attachments()}"
    node.assert_sound()
