"""What a containerd that polls STATUS asks of the plugin: counted by a wrapper around the product, with a few pods."""
import json
import os
import shutil
import time

import nsmount
import reach
from kubelet import Pod
from machine import KEPT_FOLDERS, Machine
from plugin import BINARY

POLLS_A_MINUTE = 12  # a kubelet asks its runtime every 5 s
PODS = 10
# Nothing but the shell itself runs before the product does; a command is one line.
WRAPPER = """#!/bin/sh
echo "$CNI_COMMAND $CNI_CONTAINERID" >>"{folder}/calls"
exec "{product}"
"""


class StatusNode:
    """A node whose IPAM calls are written down; for a with block. network: a class of containerd_networks."""

    def __init__(self, folder, runtime, network):
        self.folder = f"{folder}/status"
        os.makedirs(self.folder)
        wrapper = f"{self.folder}/delegated-ipam"
        with open(wrapper, "w") as file:
            file.write(WRAPPER.format(folder=self.folder, product=BINARY))
        os.chmod(wrapper, 0o755)
        self.network = network(runtime, wrapper)
        self.machine = Machine(f"{folder}/machine", self.network.conflist(), self.network.binaries,
                               programs=runtime.programs, environment=self.network.environment)

    def __enter__(self):
        self.machine.boot()
        self.network.boot()
        return self

    def __exit__(self, *_):
        self.network.power_off()
        self.machine.remove()
        shutil.rmtree(self.folder)

    def calls(self, command):
        """How many calls of one command reached the product."""
        try:
            with open(f"{self.folder}/calls") as file:
                return sum(line.split()[0] == command for line in file)
        except FileNotFoundError:
            return 0

    def asked(self, command, action):
        """How many more calls of a command came while action() ran."""
        before = self.calls(command)
        action()
        return self.calls(command) - before

    @property
    def forwards_status(self):
        """True when a poll reaches the product: STATUS came with CNI 1.1.0, and Flannel's conflist is older."""
        return self.network.conflist()["cniVersion"] == "1.1.0"


def polling(node):
    """A minute of a kubelet's polls; the node is ready each time, and nobody asks in between."""
    times = []

    def poll():
        for _ in range(POLLS_A_MINUTE):
            started = time.monotonic()
            ready, message = node.machine.network_ready()
            times.append(time.monotonic() - started)
            assert ready, f"not ready: {message}"

    asked = node.asked("STATUS", poll)
    print(f"# {asked} STATUS for {POLLS_A_MINUTE} polls, a kubelet's minute; "
          f"a poll takes {sorted(times)[len(times) // 2] * 1000:.1f} ms", flush=True)
    assert asked == (POLLS_A_MINUTE if node.forwards_status else 0), f"{asked} STATUS"


def life_of_pods(node):
    """A pod is one ADD, a DEL when it is stopped and another when it is removed; no STATUS, no CHECK, no GC."""
    pods = [Pod(f"short-{number}") for number in range(PODS)]

    def live():
        node.machine.run_all(pods)
        for step in (node.machine.stop, node.machine.forget):
            node.machine.for_all(step, [pod.sandbox for pod in pods])

    before = {command: node.calls(command) for command in ("ADD", "DEL", "STATUS", "CHECK", "GC")}
    live()
    asked = {command: node.calls(command) - count for command, count in before.items()}
    print(f"# {PODS} pods: {asked}", flush=True)
    assert asked["ADD"] == PODS, asked
    assert asked["DEL"] == node.network.dels * PODS, asked
    assert asked["STATUS"] == asked["CHECK"] == asked["GC"] == 0, asked
    assert node.machine.address_files() == {}


def sick_disk(node):
    """A state folder that cannot be written: the runtime says so, stops pods all the same, and is ready again after."""
    neighbour, pod = Pod("neighbour"), Pod("patient")
    node.machine.run_all([neighbour, pod])
    places = {**node.machine.places, "neighbour": neighbour.sandbox.netns} if node.network.answers_pings else {}
    reach.measure(places, pod.addresses)
    folder = KEPT_FOLDERS["delegated-ipam"]
    nsmount.run("mount", "-o", "remount,bind,ro", folder)
    try:
        ready, message = node.machine.network_ready()
        node.machine.stop(pod.sandbox)
    finally:
        nsmount.run("mount", "-o", "remount,bind,rw", folder)
    if node.forwards_status:
        assert not ready and folder in message, f"ready: {ready}: {message}"
    again, message = node.machine.network_ready()
    assert again, f"not ready after the cure: {message}"
    addresses = pod.addresses
    node.machine.forget(pod.sandbox)
    node.machine.run(pod)
    assert pod.addresses == addresses, f"{addresses} -> {pod.addresses}"
    if places:
        print(f"# reached by {reach.tell(reach.measure(places, addresses))}", flush=True)
    node.machine.for_all(node.machine.stop, [pod.sandbox, neighbour.sandbox])
    assert node.machine.address_files() == {}, json.dumps(node.machine.address_files())


CASES = [
    ("a poll of the runtime's status is one STATUS, or none where the main plugin has none; it is ready", polling),
    ("pods that come and go ask for ADD and DEL alone", life_of_pods),
    ("with a disk that cannot be written the runtime tells why, and pods can be stopped", sick_disk),
]
