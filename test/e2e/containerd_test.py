#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Pods under a real containerd with the real bridge, ptp and macvlan plugins: they reach each other, and keep their
addresses over crashes of the runtime and reboots of the node, whatever order the runtime's calls come in. Who has its
address is reached there at once, which is measured and printed.

usage: containerd_test.py [PLUGIN[/FAMILY] ...]     for example: containerd_test.py bridge ptp/ipv6
SEED=<number> repeats the order of an earlier run. Needs root and the packages of the e2e list.
"""
import os
import random
import sys
import uuid

import world

FOLDER = world.enter()

import tap
from kubelet import Kubelet, Pod
from machine import CNI_PLUGINS, STATE_FOLDERS, Machine
from plugin import BINARY

NETWORK = "podnet"
FAMILIES = {"ipv4": ["10.77.0.0/24"], "ipv6": ["fd00:77::/64"], "dual": ["10.77.0.0/24", "fd00:77::/64"]}
GATEWAYS = {"10.77.0.0/24": "10.77.0.1", "fd00:77::/64": "fd00:77::1"}
# Each plugin speaks another version of CNI, so that the answers of all the major forms are used for real.
PLUGINS = {
    "bridge": ("1.0.0", {"bridge": "cni0", "isGateway": True}),
    "ptp": ("0.4.0", {}),
    "macvlan": ("0.3.1", {"master": "uplink", "mode": "bridge"}),
}


def conflist(plugin, subnets):
    """The network configuration of one combination; the address plugin has its own host-local in process."""
    version, keys = PLUGINS[plugin]
    ipam = {
        "type": "delegated-ipam",
        "delegate": {"type": "host-local", "ranges": [[{"subnet": subnet}] for subnet in subnets]},
    }
    return {"cniVersion": version, "name": NETWORK, "plugins": [{"type": plugin, **keys, "ipam": ipam}]}


def machine(plugin, subnets):
    """A node with this network; the far end of its uplink is the gateway of macvlan's pods. No host-local on it."""
    binaries = {name: f"{CNI_PLUGINS}/{name}" for name in (plugin, "loopback")}
    outside = []
    if plugin == "macvlan":
        outside = [f"{GATEWAYS[subnet]}/{subnet.split('/')[1]}" for subnet in subnets]
    made = Machine(f"{FOLDER}/machine", conflist(plugin, subnets), {**binaries, "delegated-ipam": BINARY}, outside)
    if plugin == "macvlan":  # which keeps the node itself away from its pods
        made.places = {"gateway": made.outside}
    return made


def snapshot():
    """Everything below the folders that hold state: path -> kind, identity, time of change and content."""
    entries = {}
    for top in STATE_FOLDERS:
        for folder, folders, files in os.walk(top):
            for name in folders + files:
                path = f"{folder}/{name}"
                entries[path] = _fingerprint(path)
    return entries


def _fingerprint(path):
    status = os.lstat(path)
    content = None
    if os.path.islink(path):
        content = os.readlink(path)
    elif os.path.isfile(path):
        with open(path, "rb") as file:
            content = file.read()
    return status.st_mode, status.st_ino, status.st_mtime_ns, content


class Story(Kubelet):
    """The life of one node; its methods are the chapters, told in order. Each asserts and each leaves pods running."""

    def __init__(self, plugin, subnets, chance):
        pods = [Pod(f"web-{number}", namespace=chance.choice(("default", "shop"))) for number in range(6)]
        super().__init__(machine(plugin, subnets), chance, pods)
        self.plugin = plugin
        self.subnets = subnets
        self.old = []

    def first_pods_reach_each_other_and_the_gateway(self):
        self.node.boot()
        self.node.run_all(self.pods)
        self.check_addresses()
        self.check_reachable()

    def pods_made_again_are_reached(self):
        self.make_again(self.chance.sample(self.pods, 3), self.is_announced)
        self.check_addresses()

    def runtime_crash_changes_nothing(self):
        before = snapshot()
        assert before, "no state to compare"
        expected = self.current_addresses()
        self.node.crash_runtime()
        self.node.start_runtime()
        assert self.node.ready() == {pod.sandbox.id for pod in self.pods}, "not the same sandboxes are ready"
        for pod in self.pods:
            assert self.node.addresses(pod.sandbox) == expected[pod.name], f"{pod.name} changed"
        after = snapshot()
        changed = sorted(path for path in before | after if before.get(path) != after.get(path))
        assert not changed, f"changed: {changed}"
        self.check_reached("after a crash of the runtime", self.is_announced)

    def reboot_keeps_every_address(self):
        """Some old sandboxes are stopped before all else, the others just before their pod's new sandbox."""
        expected = self.current_addresses()
        self.node.reboot()
        assert self.node.ready() == set(), "a sandbox survived the reboot"
        arriving = self.in_another_order()
        self.old = [pod.sandbox for pod in self.pods]
        early = {pod.name for pod in self.chance.sample(self.pods, len(self.pods) // 2)}
        for pod in arriving:
            if pod.name in early:
                self.node.stop(pod.sandbox)
        self.start_interleaved(arriving, stop_first=lambda pod: pod.name not in early)
        self.check_kept(expected)
        self.check_reached("after a reboot")
        self.check_addresses()

    def late_dels_release_nothing(self):
        """The kubelet stops dead sandboxes again and again, long after their pods run elsewhere."""
        before = self.node.address_files()
        for sandbox in self.chance.sample(self.old, len(self.old)):
            self.node.stop(sandbox)
        self.node.for_all(self.node.stop, self.old + self.old)
        for sandbox in self.old[: len(self.old) // 2]:
            self.node.forget(sandbox)
        assert self.node.address_files() == before, "a late DEL changed the network folder"
        self.check_reachable()

    def late_first_del_takes_no_address_away(self):
        """Two pods are back before anybody stopped their old sandboxes: a forced deletion, a lost message."""
        late = self.chance.sample(self.pods, 2)
        expected = self.current_addresses()
        self.node.reboot()
        arriving = self.in_another_order()
        dead = self.old[len(self.old) // 2:] + [pod.sandbox for pod in self.pods]
        stop_late = [pod.sandbox for pod in late]
        self.start_interleaved(arriving, stop_first=lambda pod: pod not in late)
        self.check_kept(expected)
        self.check_reached("after a reboot")
        alive = self.current_addresses()
        self.node.for_all(self.node.stop, stop_late + dead)
        self.node.for_all(self.node.forget, dead)
        for pod in self.pods:
            assert self.node.addresses(pod.sandbox) == alive[pod.name], f"{pod.name} changed while it ran"
        self.check_addresses()
        self.check_reachable()

    def third_reboot_keeps_the_newest_address(self):
        """The last acknowledged address counts, not one that an older sandbox gave back later."""
        self.old = []
        self.reboot_keeps_every_address()
        self.check_reachable()

    def removed_pods_leave_no_address_file(self):
        expected = self.current_addresses()
        for sandbox in [*self.old, *(pod.sandbox for pod in self.pods)]:
            self.node.stop(sandbox)
            self.node.forget(sandbox)
        assert self.node.address_files() == {}, f"left behind: {self.node.address_files()}"
        returning = self.chance.choice(self.pods)
        self.pods = [Pod("stranger"), returning]
        returning.uid = str(uuid.uuid4())
        for pod in self.pods:
            self.node.run(pod)
        self.check_reached("a pod that returns", self.is_announced)
        assert returning.addresses == expected[returning.name], f"{expected[returning.name]} -> {returning.addresses}"
        self.check_addresses()

    def is_announced(self, address):
        """Debian's macvlan says nothing of an IPv6 address: who has talked to the old pod finds out after 22 to 29 s,
        where its LAN is. It is not ours to speak there."""
        return self.plugin != "macvlan" or ":" not in address

    def check_addresses(self):
        """One address a family, nobody's twice, and in the network folder the files of the running pods only."""
        for pod in self.pods:
            families = ["fd00:77::/64" if ":" in address else "10.77.0.0/24" for address in pod.addresses]
            assert families == self.subnets, f"{pod.name} has {pod.addresses}"
        self.check_owners()

    def check_reachable(self):
        """Every pod pings the gateway of each family, and the next pod."""
        pings = [(pod, GATEWAYS[subnet]) for pod in self.pods for subnet in self.subnets]
        neighbours = zip(self.pods, self.pods[1:] + self.pods[:1])
        pings += [(pod, address) for pod, other in neighbours for address in other.addresses]
        unreachable = self.node.unreachable(pings)
        assert not unreachable, unreachable


CHAPTERS = [
    ("pods get an address of each family and reach each other and the gateway",
     Story.first_pods_reach_each_other_and_the_gateway),
    ("pods deleted and made again have their addresses, and are reached at once by who had talked to them",
     Story.pods_made_again_are_reached),
    ("a runtime crash leaves every sandbox ready and changes no state", Story.runtime_crash_changes_nothing),
    ("after a reboot in another order, with newcomers in between, every pod has its address",
     Story.reboot_keeps_every_address),
    ("late and repeated DELs of old sandboxes release nothing", Story.late_dels_release_nothing),
    ("a first DEL that comes after the pod's return takes no address away",
     Story.late_first_del_takes_no_address_away),
    ("after one more reboot every pod has its newest address", Story.third_reboot_keeps_the_newest_address),
    ("removed pods leave no address file, and one that returns has its address",
     Story.removed_pods_leave_no_address_file),
]


def tell(suite, plugin, family, seed):
    """Run the chapters for one combination, up to the first that fails: those after it build on it."""
    story = Story(plugin, FAMILIES[family], random.Random(f"{seed} {plugin} {family}"))
    try:
        for sentence, chapter in CHAPTERS:
            if not suite.run(f"{plugin}, {family}: {sentence}", chapter, story):
                print("# the rest of this story is not told; containerd said last:")
                for line in story.node.log_tail(40).splitlines():
                    print(f"# {line}")
                return
    finally:
        story.node.remove()


def tell_chosen(suite):
    seed = os.environ.get("SEED", str(random.randrange(10**6)))
    print(f"# seed {seed}")
    chosen = sys.argv[1:]
    for plugin in PLUGINS:
        for family in FAMILIES:
            if not chosen or plugin in chosen or f"{plugin}/{family}" in chosen:
                tell(suite, plugin, family, seed)


if __name__ == "__main__":
    tap.story("containerd", tell_chosen)
