"""Pods that are run, stopped, removed and listed by crictl: they keep their addresses over a reboot."""
from crictl_machine import NOT_READY, READY, CrictlMachine
from kubelet import Kubelet, Pod

PODS = 20


class CrictlStory(Kubelet):
    """The life of one node; its methods are the chapters, told in order. crictl: its path."""

    def __init__(self, crictl, folder, runtime, network, chance):
        machine = CrictlMachine(crictl, f"{folder}/machine", network.conflist(), network.binaries,
                                programs=runtime.programs, environment=network.environment)
        super().__init__(machine, chance, [Pod(f"web-{number}") for number in range(PODS)])
        self.runtime = runtime
        self.network = network
        self.old = []

    def pods_start(self):
        self.node.boot()
        self.network.boot()
        told = dict(line.split(":", 1) for line in self.node.crictl("version").splitlines())
        version = told["RuntimeVersion"].strip().removeprefix("v")
        assert version.startswith(self.runtime.version), f"crictl speaks to containerd {version}"
        self.node.run_all(self.pods)
        assert len(self.check_distinct()) == PODS
        self.check_owners()
        self.check_listed()

    def pods_made_again_are_reached(self):
        self.make_again(self.chance.sample(self.pods, 5))
        self.check_owners()
        self.check_listed()

    def reboot_keeps_every_address(self):
        expected = self.current_addresses()
        self.old = [pod.sandbox for pod in self.pods]
        self.network.power_off()
        self.node.reboot()
        self.network.boot()
        self.check_listed(ready=[])
        self.start_interleaved(self.in_another_order(), stop_first=lambda pod: True)
        self.check_kept(expected)
        self.check_reached("after a reboot")
        self.check_owners()
        self.check_listed()

    def removing_the_old_releases_nothing(self):
        before = self.node.address_files()
        self.node.for_all(self.node.forget, self.chance.sample(self.old, len(self.old)))
        self.old = []
        assert self.node.address_files() == before, "rmp of an old sandbox changed the network folder"
        self.check_listed()

    def removed_pods_leave_nothing(self):
        sandboxes = [pod.sandbox for pod in self.pods]
        self.node.for_all(self.node.stop, sandboxes)
        self.node.for_all(self.node.forget, sandboxes)
        assert self.node.sandboxes() == [], self.node.sandboxes()
        assert self.node.address_files() == {}, f"left behind: {self.node.address_files()}"
        self.network.check_empty()

    def check_listed(self, ready=None):
        """`crictl pods` lists each pod once a sandbox: those of `ready` (all current ones) ready, the old ones not."""
        ready = [pod.sandbox for pod in self.pods] if ready is None else ready
        expected = {sandbox.id: READY if sandbox in ready else NOT_READY
                    for sandbox in [*self.old, *(pod.sandbox for pod in self.pods)]}
        listed = {one.id: one.state for one in self.node.sandboxes()}
        assert listed == expected, f"listed {listed}, expected {expected}"


CHAPTERS = [
    ("20 pods are run by crictl, each with its own address, and listed", CrictlStory.pods_start),
    ("pods deleted and made again have their addresses, and are reached at once by who had talked to them",
     CrictlStory.pods_made_again_are_reached),
    ("after a reboot crictl stops and runs them again, with newcomers in between: all have their addresses",
     CrictlStory.reboot_keeps_every_address),
    ("removing the old sandboxes releases nothing", CrictlStory.removing_the_old_releases_nothing),
    ("pods that crictl removes leave nothing behind", CrictlStory.removed_pods_leave_nothing),
]
