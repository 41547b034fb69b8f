"""A node whose bridge and links are made by hand, and the product called as the main plugin calls it, without any.

Use it inside sandbox.enter().
"""
import contextlib
import os
import socket

import plugin
import reach
import trace
from bridge_node import BridgeNode

NSENTER = "/usr/bin/nsenter"
ARP = b"\x08\x06"
POD = "web-0"


class HandMade(BridgeNode):
    """A node whose bridge and links are made here; `heard()` tells which frames came to a neighbour."""

    def __init__(self, folder, ours=(), keys=()):
        super().__init__(folder, keys=keys, **dict(ours))

    def __enter__(self):
        super().__enter__()
        self.run("ip", "link", "add", "cni0", "type", "bridge")
        self.run("ip", "link", "set", "cni0", "up")
        self.run("ip", "address", "add", "10.79.0.1/24", "dev", "cni0")
        self.plug("listener")
        self.run("ip", "link", "set", "eth0", "up", netns=self.pod_netns("listener"))
        self._listener = reach.inside(self.pod_netns("listener"), self._listen)
        self._ending.callback(self._listener.close)
        return self

    def plug(self, container_id, mac=None):
        """A sandbox whose eth0 is down, and the other end a port of the bridge, as bridge leaves it for IPAM."""
        netns = self.sandbox(container_id)
        near = f"veth{container_id}"[:15]
        self.run("ip", "link", "add", near, "type", "veth", "peer", "name", "eth0")
        self.run("ip", "link", "set", "eth0", "netns", os.path.basename(netns))
        if mac:
            self.run("ip", "link", "set", "eth0", "address", mac, netns=netns)
        self.run("ip", "link", "set", near, "master", "cni0", "up")
        return near

    def request(self, command, container_id, name=POD, **keys):
        env = plugin.environment(command, container_id, netns=self._pods[container_id],
                                 args=plugin.pod_args("default", name, "uid", container_id))
        return env, {**self.conf(), **keys}

    def ipam(self, command, container_id, name=POD, **keys):
        """Call the product itself; its addresses."""
        env, conf = self.request(command, container_id, name, **keys)
        done = plugin.run(self.binary, env, conf, wrapper=("nsenter", f"--net={self.netns}"))
        assert done.exit == 0, done
        return done.addresses

    def traced(self, command, container_id, name=POD, **keys):
        """The same under strace; the calls."""
        env, conf = self.request(command, container_id, name, **keys)
        outcome, calls, text = trace.run(NSENTER, env, conf, arguments=(f"--net={self.netns}", self.binary))
        assert outcome.exit == 0, outcome
        began = max(place for place, call in enumerate(calls) if call.name == "execve")
        return calls[began:], text

    def had_before(self, name=POD):
        """Somebody has had the pod's address in this boot."""
        self.plug("before")
        addresses = self.ipam("ADD", "before", name)
        self.ipam("DEL", "before", name)
        self.heard()
        return addresses

    def heard(self):
        """The frames since the last look that speak of an address of the network: veth hands them over at once."""
        frames = []
        with contextlib.suppress(BlockingIOError):
            while True:
                frames.append(self._listener.recv(2048))
        return [frame for frame in frames if frame[12:14] == ARP and b"\x0a\x4f\x00" in frame]

    def expect_silence(self, why, container_id="new", **keys):
        """An ADD that is acknowledged, announces nothing, and says why in the log."""
        self.ipam("ADD", container_id, **keys)
        assert self.heard() == [], "frames were sent"
        assert why in self.log(), f"the log has no {why!r}:\n{self.log()}"

    @staticmethod
    def _listen():
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(3))
        listener.bind(("eth0", 0))
        return listener
