#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""A main plugin that refuses the address of a sandbox whose DEL never came: the pod comes up with another one, and gets
its own back when the old sandbox is really gone. After a reboot every refusal is survived.

The main plugin is a script here; with cilium-cni see test/peers. usage: set_aside_test.py [WORD ...]
"""
import os
import uuid

import sandbox
import tap
from crowd import DUAL, pair, small
from main_plugin import add_refusing
from node import Node, empty_run, fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require
from pod_process import PodProcesses

HOME = "/var/lib/cni/set-aside"
NETNS = "/var/lib/cni/netns"  # not below /run, which is emptied here
POD = "shop/web-0"
LATER = ("unshare", "--time", "--boottime", "901", "--fork")  # 15 minutes later, for the plugin's clock


class Sandboxes:
    """A node whose pods lose their sandboxes; for a with block."""

    def __init__(self, name, ranges=None, **ipam):
        self.node = Node(os.path.join(HOME, name), ranges or DUAL[:1], **ipam)
        self._processes = PodProcesses(NETNS)
        self._live = {}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._processes.__exit__(*error)

    def add(self, container_id, pod=POD, **more):
        """ADD in a new namespace that must succeed; returns the addresses."""
        return self.node.add(container_id, pod, netns=self._start(container_id), **more)

    def refuse(self, container_id, pod=POD, refused="", **more):
        """ADD that the main plugin refuses and takes back; then the runtime's DEL for the sandbox."""
        done = add_refusing(self.node, container_id, pod, refused, netns=self._start(container_id), **more)
        assert done.exit == 1 and "refused by the main plugin" in done.stdout, done
        self._live.pop(container_id).end()
        self.node.delete(container_id, pod)
        return done

    def lose(self, container_id):
        """The sandbox is gone without any DEL."""
        self._live.pop(container_id).end()

    def lost(self, container_id="old", pod=POD):
        """A pod that ran and lost its sandbox, and its addresses."""
        home = self.add(container_id, pod)
        self.lose(container_id)
        return home

    def _start(self, container_id):
        # The kernel gives a dead namespace's number to a new one; then names as runtimes make them tell.
        self._live[container_id] = self._processes.start(f"cni-{uuid.uuid4()}")
        return self._live[container_id].path


def comes_up_and_back(ranges=None):
    with Sandboxes(f"back-{len(ranges or [1])}", ranges) as node:
        home = node.lost()
        node.refuse("new-1")
        node.node.assert_in_use({})
        got = node.add("new-2")
        assert not set(got) & set(home), f"refused again with {home}"
        stranger = node.add("stranger", "shop/stranger")
        assert not set(stranger) & set(home), "nobody else is to be refused with it either"
        node.node.delete("new-2", POD)
        assert node.add("new-3") == got, "as long as its own is aside it has the other one"
        node.node.delete("old", POD)
        node.node.delete("new-3", POD)
        assert node.add("new-4") == home
        node.node.assert_in_use({"stranger": stranger, "new-4": home})
        owners = {address: binding.owner for address, binding in node.node.bindings().items()}
        assert owners == {**dict.fromkeys(home, POD), **dict.fromkeys(stranger, "shop/stranger")}, owners


def comes_back_in_time():
    with Sandboxes("time") as node:
        home = node.lost()
        node.refuse("new-1")
        got = node.add("new-2")
        node.node.delete("new-2", POD)
        assert got != home and node.add("new-3", wrapper=LATER) == home
        node.node.delete("new-3", POD)
        assert node.add("new-4") == home, "it is its own again"


def refused_after_time():
    """Whoever still refuses it then is believed once more."""
    with Sandboxes("time-again") as node:
        home = node.lost()
        node.refuse("new-1")
        node.refuse("new-2", refused=home[0], wrapper=LATER)
        assert node.add("new-3", wrapper=LATER) != home


def by_program():
    """host-local as a program: it is not asked for the address any more."""
    with Sandboxes("program", inProcess=False) as node:
        home = node.lost()
        node.refuse("new-1")
        got = node.add("new-2")
        assert got != home, f"refused again with {home}"
        node.node.assert_in_use({"new-2": got})
        node.node.delete("new-2", POD)
        node.node.delete("old", POD)
        assert node.add("new-3") == got


def after_reboot(**ipam):
    """Cilium's limiter answers 429 to whoever comes too early: every address survives that, however often."""
    with Sandboxes(f"reboot-{len(ipam)}", **ipam) as node:
        home = {number: node.lost(f"old-{number}", f"shop/db-{number}") for number in range(4)}
        new_boot()
        for number in home:
            for attempt in range(3):
                node.refuse(f"new-{number}-{attempt}", f"shop/db-{number}")
        got = {number: node.add(f"new-{number}", f"shop/db-{number}") for number in home}
        assert got == home, got


def ordinary_delete():
    """A pod that took its address over and is deleted in order keeps it."""
    with Sandboxes("ordinary") as node:
        home = node.lost()
        assert node.add("new-1") == home
        node.node.delete("new-1", POD)
        assert node.add("new-2") == home
        node.node.delete("new-2", POD)
        assert node.add("new-3") == home


def ordinary_refusal():
    """Nothing was taken over: the old sandbox's DEL had come."""
    with Sandboxes("ordinary-refusal") as node:
        home = node.lost()
        node.node.delete("old", POD)
        for attempt in range(2):
            node.refuse(f"new-{attempt}")
        assert node.add("new") == home


def deleted_in_between():
    """The old sandbox's DEL comes while the main plugin looks at the address: nothing is in the way any more."""
    with Sandboxes("between") as node:
        home = node.lost()
        node.refuse("new-1", meanwhile='CNI_COMMAND=DEL CNI_CONTAINERID=old "$PLUGIN" <"$CONF" || exit 3')
        assert node.add("new-2") == home


def run_emptied():
    """What was set aside is forgotten with /run: the address is tried once more, no worse."""
    with Sandboxes("emptied") as node:
        home = node.lost()
        node.refuse("new-1")
        assert node.add("new-2") != home
        node.node.delete("new-2", POD)
        empty_run()
        again = node.add("new-3")
        node.node.assert_in_use({"new-3": again})


def reclaimed():
    """Step 6: a pod in need takes the address of another pod's dead sandbox, and is refused: it gets the next one."""
    with Sandboxes("reclaimed", small(2, 4)) as node:
        dead = {number: node.add(f"dead-{number}", f"shop/dead-{number}") for number in range(3)}
        for number in dead:
            node.lose(f"dead-{number}")
        node.refuse("new-1", "batch/needy")
        (freed,) = [addresses for addresses in dead.values() if addresses[0] not in node.node.attachments()]
        got = node.add("new-2", "batch/needy")
        assert got in dead.values() and got != freed, f"{freed} again"
        other = node.add("plain", None)
        assert other in dead.values() and other not in (freed, got)
        assert node.add("last", "batch/last") == freed, "nothing else is left"


def reclaimed_by_a_stranger():
    """Step 6 by a caller without a pod: nobody is bound to the address, and yet it is not the next free one."""
    with Sandboxes("plain", small(2, 3)) as node:
        dead = {number: node.add(f"dead-{number}", f"shop/dead-{number}") for number in range(2)}
        for number in dead:
            node.lose(f"dead-{number}")
        node.refuse("new-1", None)
        (freed,) = [addresses for addresses in dead.values() if addresses[0] not in node.node.attachments()]
        assert node.add("new-2", None) != freed


def last_resort():
    """One address in all: the pod is refused with it, and comes up when its main plugin gives in."""
    with Sandboxes("resort", small(2, 2)) as node:
        home = node.lost()
        assert home == pair(2)
        for attempt in range(3):
            node.refuse(f"new-{attempt}")
        assert node.add("new") == home
        node.node.assert_in_use({"new": home})


def pinned():
    """A pin is somebody's will."""
    with Sandboxes("pinned", pins={POD: ["10.9.0.77"]}) as node:
        home = node.lost()
        assert home == ["10.9.0.77"]
        node.refuse("new-1")
        assert node.add("new-2") == home


TESTS = [
    ("same boot, the DEL never came, the address is refused: another one, and its own again after the old DEL",
     comes_up_and_back),
    ("the same with both families", comes_up_and_back, DUAL),
    ("15 minutes later the pod has its own address again without any DEL", comes_back_in_time),
    ("15 minutes later the address is refused still: another one", refused_after_time),
    ("after a reboot every address survives refusals", after_reboot),
    ("host-local as a program: another address", by_program),
    ("host-local as a program: after a reboot every address survives refusals", lambda: after_reboot(inProcess=False)),
    ("an address that was taken over survives an ordinary DEL", ordinary_delete),
    ("an address that nobody had any more survives refusals", ordinary_refusal),
    ("the old sandbox's DEL comes in between: nothing is set aside", deleted_in_between),
    ("/run is emptied: nothing is set aside any more", run_emptied),
    ("an address that was reclaimed from another pod is set aside as well", reclaimed),
    ("an address that was reclaimed by a caller without a pod is set aside as well", reclaimed_by_a_stranger),
    ("what is set aside is the last resort", last_resort),
    ("a pinned address is never set aside", pinned),
]


if __name__ == "__main__":
    tap.main("set aside", TESTS, lambda: require(BINARY, HOST_LOCAL), sandbox.enter, fake_boots)
