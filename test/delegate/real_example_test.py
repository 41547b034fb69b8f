#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The worked example macvlan-dhcp.conflist, as it stands, on a node with a real containerd: pods with addresses of the
LAN's DHCP server, which they keep over a reboot, as the server knows them by the UIDs of their pods.
"""
import contextlib
import json
import os
import random

import world

FOLDER = world.enter()

import nsmount
import tap
from dhcp_server import DNSMASQ, DhcpServer, client_daemon
from kubelet import Kubelet, Pod
from machine import CNI_PLUGINS, NETNS, Machine
from plugin import BINARY, require

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "macvlan-dhcp.conflist")
SOCKET = "/run/cni/dhcp.sock"
GATEWAY, FIRST, LAST = "10.79.0.1", "10.79.0.100", "10.79.0.199"


class Story(Kubelet):
    """The life of the node. Each chapter leaves the pods running."""

    def __init__(self):
        with open(EXAMPLE) as file:
            conflist = json.load(file)
        plugins = {name: f"{CNI_PLUGINS}/{name}" for name in ("macvlan", "dhcp", "loopback")}
        machine = Machine(f"{FOLDER}/machine", conflist, {**plugins, "delegated-ipam": BINARY}, [f"{GATEWAY}/24"])
        super().__init__(machine, random.Random(4), [Pod(f"web-{number}") for number in range(3)])
        self._lan = contextlib.ExitStack()

    def power_on(self):
        """The node, its dhcp daemon, and on the LAN the server with the leases that it had."""
        self.node.boot()
        nsmount.run("nsenter", f"--net={NETNS}", "ip", "link", "property", "add", "dev", "uplink", "altname", "eth0")
        os.makedirs(os.path.dirname(SOCKET))
        outside = f"{self.node.folder}/outside"
        self.server = self._lan.enter_context(DhcpServer(self.node.folder, outside, "node", FIRST, LAST))
        self._lan.enter_context(client_daemon(self.node.folder, SOCKET))

    def power_off(self):
        """No pod is stopped, no lease given back."""
        self._lan.close()
        self.node.power_off()

    def leased(self):
        return sorted(self.server.leases())

    def first_pods_get_leases(self):
        self.power_on()
        self.node.run_all(self.pods)
        assert self.leased() == sorted(self.check_distinct()), f"{self.leased()}, {self.current_addresses()}"
        assert not (failed := self.node.unreachable([(pod, GATEWAY) for pod in self.pods])), failed

    def reboot_keeps_every_address(self):
        """Some old sandboxes are stopped before their pods come back, the others after that; new pods come between."""
        expected = self.current_addresses()
        old = [pod.sandbox for pod in self.pods]
        self.power_off()
        self.power_on()
        self.start_interleaved(self.pods, lambda pod: pod is self.pods[0])
        for sandbox in old:
            self.node.stop(sandbox)
            self.node.forget(sandbox)
        self.check_kept(expected)
        assert self.leased() == sorted(self.check_distinct()), f"{self.leased()}, {self.current_addresses()}"
        assert not (failed := self.node.unreachable([(pod, GATEWAY) for pod in self.pods])), failed

    def new_sandbox_keeps_the_address(self):
        """What a kubelet does with a pod whose sandbox died: DEL, then ADD under another ID."""
        expected = self.current_addresses()
        pod = self.pods[0]
        self.node.stop(pod.sandbox)
        self.node.run(pod)
        self.check_kept(expected)
        self.check_distinct()


def dnsmasq():
    if not os.path.exists(DNSMASQ):
        tap.skip(f"needs {DNSMASQ}: apt-get install dnsmasq-base")


def tell(suite):
    story = Story()
    for sentence, chapter in (
            ("pods get the server's addresses and reach it", story.first_pods_get_leases),
            ("a reboot keeps every address, the old sandboxes' late DELs too", story.reboot_keeps_every_address),
            ("a new sandbox of a pod keeps its address", story.new_sandbox_keeps_the_address)):
        if not suite.run(sentence, chapter):
            break


if __name__ == "__main__":
    tap.story("worked example, macvlan and dhcp under containerd", tell, lambda: require(BINARY), dnsmasq)
