"""Pods and what a kubelet does with them: brings them up, several at once, and up again after a reboot, each under a
new sandbox. The node below it is a machine.Machine (a real runtime) or a runtime.Runtime (bare CNI calls).
"""
import uuid
from dataclasses import dataclass, field


@dataclass
class Sandbox:
    """One life of a pod on the node: sandbox id, addresses in the order of the CNI result, pid (0: no process)."""

    id: str
    addresses: list
    pid: int = 0


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
