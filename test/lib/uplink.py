"""A node's link to the world: a veth from its network namespace into one that no reboot of the node touches."""
import json
import subprocess

import nsmount
import world

NEAR = "uplink"


class Uplink:
    """outside: path of the namespace of the far end. addresses: what the far end has, with prefix lengths.

    far_end: its name there. bridge: the bridge there that it is a port of, if any. hardware: the near end's MAC
    address, where neighbours are to know it again after a boot.
    """

    def __init__(self, outside, addresses=(), far_end="node", bridge=None, hardware=None):
        self.outside = outside
        self._addresses = addresses
        self._far_end = far_end
        self._bridge = bridge
        self._hardware = ("address", hardware) if hardware else ()
        self._is_cut = False

    def connect(self, netns):
        """Lay the link from this namespace, up unless it has been cut."""
        nsmount.inside(netns, "ip", "link", "add", NEAR, *self._hardware, "type", "veth", "peer", "name", self._far_end)
        # Handing the far end over works by process id only: a short-lived process stands in for the namespace.
        holder = subprocess.Popen(["nsenter", f"--net={self.outside}", "cat"], stdin=subprocess.PIPE)
        try:
            world.wait_until(lambda: nsmount.is_entered(holder.pid, self.outside), 60, "nsenter does not enter")
            nsmount.inside(netns, "ip", "link", "set", self._far_end, "netns", str(holder.pid))
        finally:
            holder.stdin.close()
            holder.wait()
        nsmount.inside(netns, "ip", "link", "set", NEAR, "up")
        for address in self._addresses:
            self._far("address", "add", address, "dev", self._far_end, "nodad")
        if self._bridge:
            self._far("link", "set", self._far_end, "master", self._bridge)
        self._set("down" if self._is_cut else "up")

    def disconnect(self):
        """Take the link away, from its far end: the kernel takes its time to dismantle a dead node's namespace."""
        self._far("link", "delete", self._far_end)

    def cut(self):
        """It goes down and stays down over reboots."""
        self._is_cut = True
        self._set("down")

    def mend(self):
        self._is_cut = False
        self._set("up")

    def carries(self, netns):
        """True while the near end, in this namespace, has a carrier."""
        done = subprocess.run(
            ["nsenter", f"--net={netns}", "ip", "-json", "link", "show", NEAR], check=True, capture_output=True)
        return json.loads(done.stdout)[0]["operstate"] == "UP"

    def _set(self, state):
        self._far("link", "set", self._far_end, state)

    def _far(self, *command):
        nsmount.inside(self.outside, "ip", *command)
