"""Pods and what a kubelet does with them: brings them up, several at once, and up again after a reboot, each under a
new sandbox. The node below it is a machine.Machine (a real runtime) or a runtime.Runtime (bare CNI calls).
"""
import uuid
from dataclasses import dataclass, field

import reach


@dataclass
class Sandbox:
    """One life of a pod on the node: sandbox id, addresses in the order of the CNI result, pid (0: no process)."""

    id: str
    addresses: list
    pid: int = 0

    @property
    def netns(self):
        """The path of its network namespace, while its process lives."""
        return f"/proc/{self.pid}/ns/net"


@dataclass
class Pod:
    """A pod by its identity, and its sandboxes: the last one is the current one."""

    name: str
    namespace: str = "default"
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    sandboxes: list = field(default_factory=list)

    @property
    def sandbox(self):
        return self.sandboxes[-1]

    @property
    def addresses(self):
        return self.sandbox.addresses


class Kubelet:
    """node: where the pods run. chance: a random.Random. pods: those that run, or shall run again."""

    def __init__(self, node, chance, pods):
        self.node = node
        self.chance = chance
        self.pods = pods

    def in_another_order(self):
        return self.chance.sample(self.pods, len(self.pods))

    def start_interleaved(self, returning, stop_first):
        """Start the returning pods, several at once, each after its own old sandbox's DEL where asked for, with
        pods in between that were never here before; those are running pods of the story from then on."""
        newcomers = [Pod(f"new-{uuid.uuid4().hex}") for _ in range(2)]
        order = list(returning)
        for newcomer in newcomers:
            order.insert(self.chance.randrange(len(order)), newcomer)

        def start(pod):
            if pod.sandboxes and stop_first(pod):
                self.node.stop(pod.sandbox)
            self.node.run(pod)

        self.node.for_all(start, order)
        self.pods = self.pods + newcomers

    def make_again(self, pods, is_expected=lambda address: True):
        """Pods are deleted and made again under their names, in one boot and several at once, while others live on:
        they keep their addresses, and whoever had talked to them reaches them, at all that are expected: the node, and
        a pod beside them. Prints after how many seconds."""
        expected = {pod.name: pod.addresses for pod in pods}
        places = self._places(next(pod for pod in self.pods if pod not in pods))
        reach.measure(places, [address for addresses in expected.values() for address in addresses])

        def again(pod):
            self.node.stop(pod.sandbox)
            self.node.forget(pod.sandboxes.pop())
            pod.uid = str(uuid.uuid4())
            self.node.run(pod)
            return reach.measure(places, filter(is_expected, pod.addresses))

        measured = {key: seconds for one in self.node.for_all(again, pods) for key, seconds in one.items()}
        self.check_kept(expected)
        _print("made again in one boot", measured)

    def check_reached(self, when, is_expected=lambda address: True):
        """Every pod is reached from the node, and from one of them, at all addresses that are expected; prints after
        how many seconds, and `when`. From then on they have talked to each other. Without links nobody is reached.
        """
        first, *others = self.pods
        of_others = [address for pod in others for address in pod.addresses]
        measured = reach.measure(self.node.places, filter(is_expected, first.addresses))
        measured |= reach.measure(self._places(first), filter(is_expected, of_others))
        _print(when, measured)

    def _places(self, neighbour):
        """From where pods shall be reached: {name: network namespace}."""
        return {**self.node.places, "neighbour": neighbour.sandbox.netns} if self.node.places else {}

    def current_addresses(self):
        return {pod.name: list(pod.addresses) for pod in self.pods}

    def check_kept(self, expected):
        """Every pod named in `expected` runs, with exactly the addresses given there."""
        changed = [f"{pod.name}: {expected[pod.name]} -> {pod.addresses}" for pod in self.pods
                   if pod.name in expected and pod.addresses != expected[pod.name]]
        assert not changed, f"{len(changed)} of {len(expected)} pods changed: {changed}"
        missing = expected.keys() - {pod.name for pod in self.pods}
        assert not missing, f"not running: {sorted(missing)}"

    def check_distinct(self):
        """No address has two running pods; returns {address: sandbox id}."""
        held = {address: pod.sandbox.id for pod in self.pods for address in pod.addresses}
        given = sum(len(pod.addresses) for pod in self.pods)
        assert len(held) == given, f"an address is used twice: {self.current_addresses()}"
        return held

    def check_owners(self):
        """No address has two running pods, and the network folder holds the files of the running pods only."""
        held = self.check_distinct()
        files = self.node.address_files()
        assert files == held, f"on disk: {files}, held: {held}"


def _print(when, measured):
    if measured:
        print(f"# {when}, reached by {reach.worst(measured)}", flush=True)
