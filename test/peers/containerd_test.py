#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Sixty pods over bridge, and 24 each over Flannel and cilium-cni, under Debian's containerd and the newest one:
all keep their addresses over reboots and over a runtime that dies while it starts them; what polling STATUS asks of the plugin; and
twenty pods over bridge that crictl runs.

usage: containerd_test.py [RUNTIME[/NETWORK|/crictl] ...]     for example: containerd_test.py debian newest/cilium
SEED=<number> repeats the order of an earlier run. Needs root and the packages of the e2e list; test/peers/build.py
builds the newest containerd and the plugins.
"""
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import world

FOLDER = world.enter()

import cri
import peers
import tap
from containerd_crictl import CHAPTERS as CRICTL_CHAPTERS
from containerd_crictl import CrictlStory
from containerd_networks import GATEWAY, NETWORKS, RUNTIMES, built
from containerd_status import CASES, StatusNode
from kubelet import Kubelet, Pod, Sandbox
from machine import Machine
from plugin import BINARY, require
from tap import Skip

PODS = {"bridge": 60, "flannel": 24, "cilium": 24}
PINGED = 8
TRIES = 5


class Story(Kubelet):
    """The life of one node; its methods are the chapters, told in order. Each asserts and each leaves pods running."""

    def __init__(self, runtime, kind, network, chance):
        machine = Machine(f"{FOLDER}/machine", network.conflist(), network.binaries, programs=runtime.programs,
                          environment=network.environment)
        super().__init__(machine, chance, [Pod(f"web-{number}") for number in range(PODS[kind])])
        self.runtime = runtime
        self.network = network
        self.old = []
        if not network.answers_pings:
            machine.places = {}

    def pods_start(self):
        self.node.boot()
        self.network.boot()
        version = self.node.version()
        assert version.startswith(self.runtime.version), f"this is containerd {version}"
        self.node.run_all(self.pods)
        assert len(self.check_distinct()) == len(self.pods)
        self.check_owners()
        self.check_reachable()

    def pods_made_again_are_reached(self):
        self.make_again(self.chance.sample(self.pods, PINGED))
        self.check_owners()
        if not self.node.places:
            print(f"# {self.network.name}: no data path here, so who reaches them was not looked at", flush=True)

    def runtime_dies_while_it_starts_them(self):
        """Its plugins go on without it. Afterwards each pod gets a new sandbox, and what was begun is cleaned up."""
        expected = self.current_addresses()
        self.reboot()
        self.old = [pod.sandbox for pod in self.pods]
        old = {sandbox.id for sandbox in self.old}
        broken = self.start_until_crash(len(self.pods) // 3)
        assert broken, "every pod was up before the runtime died"
        for sandbox in self.node.sandboxes():
            if sandbox.metadata.uid in broken and sandbox.id not in old:
                broken[sandbox.metadata.uid].sandboxes.append(Sandbox(sandbox.id, []))
        begun = [pod for pod in broken.values() if pod.sandbox not in self.old]
        print(f"# {len(begun)} sandboxes were begun, {len(broken) - len(begun)} not yet", flush=True)
        self.old += [pod.sandbox for pod in begun]
        self.node.for_all(self.restart, list(broken.values()))
        self.check_kept(expected)
        self.check_reached("after a reboot in which the runtime died")
        self.check_owners()

    def reboot_keeps_every_address(self):
        """Some old sandboxes are stopped before all else, the others just before their pod's new sandbox."""
        expected = self.current_addresses()
        self.reboot()
        assert self.node.ready() == set(), "a sandbox survived the reboot"
        self.old += [pod.sandbox for pod in self.pods]
        early = {pod.name for pod in self.chance.sample(self.pods, len(self.pods) // 2)}
        arriving = self.in_another_order()
        self.node.for_all(lambda pod: self.node.stop(pod.sandbox), [pod for pod in arriving if pod.name in early])
        self.start_interleaved(arriving, stop_first=lambda pod: pod.name not in early)
        self.check_kept(expected)
        self.check_reached("after a reboot")
        self.check_owners()
        self.check_reachable()

    def late_dels_release_nothing(self):
        before = self.node.address_files()
        self.node.for_all(self.node.stop, self.chance.sample(self.old, len(self.old)))
        self.node.for_all(self.node.forget, self.old)
        assert self.node.address_files() == before, "a late DEL changed the network folder"
        self.check_reachable()

    def removed_pods_leave_nothing(self):
        sandboxes = [pod.sandbox for pod in self.pods]
        self.node.for_all(self.node.stop, sandboxes)
        self.node.for_all(self.node.forget, sandboxes)
        assert self.node.address_files() == {}, f"left behind: {self.node.address_files()}"
        self.network.check_empty()

    def reboot(self):
        self.network.power_off()
        self.node.reboot()
        self.network.boot()

    def start_until_crash(self, count):
        """Start every pod, each after its old sandbox's DEL; when so many are up the runtime is killed, and started
        again. Returns the pods that have no new sandbox: {uid: pod}."""
        before = {pod.uid: len(pod.sandboxes) for pod in self.pods}

        def start(pod):
            with suppress(cri.grpc.RpcError):
                self.node.stop(pod.sandbox)
                self.node.run(pod)

        def down():
            return {pod.uid: pod for pod in self.pods if len(pod.sandboxes) == before[pod.uid]}

        with ThreadPoolExecutor(1) as background:
            starting = background.submit(self.node.for_all, start, self.in_another_order())
            world.wait_until(lambda: len(down()) <= len(self.pods) - count, 180, "the pods do not come up")
            self.node.crash_runtime()
            starting.result()
        # Debian's runtime never sends the DEL of an ADD that goes on beside it: kubelet's next sandbox must come later.
        world.wait_until(lambda: not world.called_with("CNI_COMMAND"), 60, "the plugins go on for ever")
        self.node.start_runtime()
        return down()

    def restart(self, pod):
        """What a kubelet does for a pod whose sandbox is dead. It tries again, as a containerd that was killed while it
        made a snapshot trips over the half of it and over its own cleaning up; what a CNI plugin refuses counts.
        """
        self.node.stop(pod.sandbox)
        for left in reversed(range(TRIES)):
            try:
                return self.node.run(pod)
            except cri.grpc.RpcError as error:
                if "setup network" in error.details() or not left:
                    raise

    def check_reachable(self):
        """Some pods ping the gateway, and the next pod, where the network has a data path at all."""
        chosen = self.chance.sample(self.pods, PINGED) if self.network.answers_pings else []
        pings = [(pod, GATEWAY) for pod in chosen]
        pings += [(pod, other.addresses[0]) for pod, other in zip(chosen, chosen[1:])]
        unreachable = self.node.unreachable(pings)
        assert not unreachable, unreachable


CHAPTERS = [
    ("pods start at once, each with its own address", Story.pods_start),
    ("pods deleted and made again have their addresses, and are reached at once by who had talked to them",
     Story.pods_made_again_are_reached),
    ("a runtime that dies while it starts them costs no pod its address", Story.runtime_dies_while_it_starts_them),
    ("after a reboot in another order, with newcomers in between, all pods have their addresses",
     Story.reboot_keeps_every_address),
    ("late and repeated DELs of old sandboxes release nothing", Story.late_dels_release_nothing),
    ("pods that are removed leave nothing behind", Story.removed_pods_leave_nothing),
]


def tell(suite, name, chapters, story):
    """Run the chapters for one combination, up to the first that fails: those after it build on it."""
    try:
        for sentence, chapter in chapters:
            if not suite.run(f"{name}: {sentence}", chapter, story):
                print("# the rest of this story is not told; containerd said last:")
                for line in story.node.log_tail().splitlines():
                    print(f"# {line}")
                return
    finally:
        story.network.power_off()
        story.node.remove()


def tell_of_network(suite, runtime, kind, chance):
    """Pods on one network; with the newest runtime also what it asks of the plugin. Errors: Skip."""
    network = NETWORKS[kind](runtime)
    tell(suite, network.name, CHAPTERS, Story(runtime, kind, network, chance))
    if runtime.is_newest:
        watch(suite, runtime, NETWORKS[kind])


def tell_of_crictl(suite, runtime, _, chance):
    """Pods over bridge that crictl runs. Errors: Skip."""
    crictl = built("crictl")
    network = NETWORKS["bridge"](runtime)
    tell(suite, f"crictl {peers.version('crictl')}", CRICTL_CHAPTERS,
         CrictlStory(crictl, FOLDER, runtime, network, chance))


STORIES = {**{kind: tell_of_network for kind in NETWORKS}, "crictl": tell_of_crictl}


def watch(suite, runtime, kind):
    """Run the cases about STATUS for one network."""
    with StatusNode(FOLDER, runtime, kind) as node:
        for sentence, case in CASES:
            suite.run(f"{node.network.name}: {sentence}", case, node)


def chosen_stories(runtime):
    """The names of the stories that the command line asks for with one runtime."""
    chosen = sys.argv[1:]
    return [name for name in STORIES if not chosen or runtime in chosen or f"{runtime}/{name}" in chosen]


def run(suite, name, seed):
    """Run everything that was chosen with one runtime; what is not built is reported as one skipped test. Returns what
    was run: (peer and version, cases, failed) for each story."""
    try:
        runtime = RUNTIMES[name]()
    except Skip as reason:
        suite.run(f"the {name} containerd", _skip, reason)
        return []
    suite.name = f"containerd {runtime.version}"
    told = []
    for kind in chosen_stories(name):
        before, failed = suite.count, suite.failed
        try:
            STORIES[kind](suite, runtime, kind, random.Random(f"{seed} {name} {kind}"))
        except Skip as reason:
            suite.run(kind, _skip, reason)
            continue
        peer = f"crictl {peers.version('crictl')}" if kind == "crictl" else suite.name
        told.append((peer, suite.count - before, suite.failed - failed))
    return told


def _skip(reason):
    raise reason


def tell_chosen(suite):
    seed = os.environ.get("SEED", str(random.randrange(10**6)))
    print(f"# seed {seed}", flush=True)
    told = [story for name in RUNTIMES if chosen_stories(name) for story in run(suite, name, seed)]
    for peer in sorted({peer for peer, _, _ in told}):
        cases = sum(count for name, count, _ in told if name == peer)
        failed = sum(count for name, _, count in told if name == peer)
        print(f"# peer {peer}: {cases} cases, {cases - failed} passed", flush=True)


if __name__ == "__main__":
    tap.story("containerd", tell_chosen, lambda: require(BINARY))
