#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib:${0%/*}/../delegate" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The newest bridge, macvlan and ptp over the product, whose delegate is built in or the newest host-local.

usage: plugins_test.py [WORD ...]   (default: every case; else those whose sentences have one of the words)
"""
import itertools
import os

import world

FOLDER = world.enter()

import node
import peers
import reach
import tap
from plugin import BINARY, require
from real_life import delete_twice, live
from real_node import GATEWAY, SUBNET, Pod, RealNode

MAINS = ("bridge", "macvlan", "ptp")
DELEGATES = {"the built-in allocator": True, "the newest host-local": False}
VERSIONS = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
_numbers = itertools.count(1)


class NewestNode(RealNode):
    """With the newest main plugin `main`; for a with block. built_in: whether host-local's part is ours."""

    def __init__(self, main, built_in):
        folder = f"{FOLDER}/{next(_numbers)}"
        self.keys = {"dataDir": f"{folder}/networks", "ranges": [[{"subnet": SUBNET, "gateway": GATEWAY}]]}
        super().__init__(folder, main, "host-local", lambda pod: self.keys, binary=peers.binary("host-local"),
                         plugins=os.path.dirname(peers.binary(main)), inProcess=built_in)
        self._store = node.Node(folder, [], self.network)

    def check_held(self, pods):
        """The folder has exactly these pods' addresses, those of their links."""
        self._store.assert_in_use({pod.container_id: pod.addresses() for pod in pods})


def whole_life(main, built_in, version):
    with NewestNode(main, built_in) as scene, Pod(scene, 1) as pod, Pod(scene, 2) as other:
        scene.must("ADD", other, version=version)
        live(scene, pod, version)
        scene.check_held([pod, other])
        assert pod.reaches(other.addresses()[0]), "the pods do not reach each other"
        delete_twice(scene, pod, version)
        scene.check_held([other])
        scene.must("DEL", other, version=version)
        scene.check_held([])


def second_add(main, built_in):
    """The main plugin refuses it and takes back what it did; the pod keeps its address, and gets it after a DEL: there
    it is reached by who had talked to it."""
    with NewestNode(main, built_in) as scene, Pod(scene, 1) as pod:
        neighbour = scene.enter(Pod(scene, 4))
        for one in (neighbour, pod):
            scene.must("ADD", one, version="1.1.0")
        before = pod.addresses()
        reach.measure(scene.places(neighbour), before)
        assert scene.call("ADD", pod, version="1.1.0").exit != 0, "the main plugin made the link twice"
        assert pod.addresses() == before
        scene.check_held([neighbour, pod])
        scene.must("DEL", pod, version="1.1.0")
        stranger, again = scene.enter(Pod(scene, 2)), scene.enter(Pod(scene, 3, pod.name))
        for one in (stranger, again):
            scene.must("ADD", one, version="1.1.0")
        assert again.addresses() == before != stranger.addresses()
        print(f"# {main}: reached by {reach.tell(reach.measure(scene.places(neighbour), before))}", flush=True)


def status(main, built_in):
    """The main plugin passes it on. We refuse when there is no range to serve; host-local has no STATUS."""
    with NewestNode(main, built_in) as scene, Pod(scene, 1) as pod:
        assert scene.must("STATUS", pod, version="1.1.0").stdout == ""
        del scene.keys["ranges"]
        done = scene.call("STATUS", pod, version="1.1.0")
        if built_in:
            assert done.exit == 1 and "no IP ranges specified" in done.json["msg"], done
        else:
            assert done.exit == 0 and done.stdout == "", done


def tests():
    """All cases as (main plugin, sentence, function, arguments)."""
    for main, (name, built_in) in itertools.product(MAINS, DELEGATES.items()):
        over = f"{main} over {name}"
        for version in VERSIONS:
            yield (main, f"{over}, {version}: ADD, repeated ADD, CHECK, DEL, repeated DEL",
                   whole_life, main, built_in, version)
        yield main, f"{over}: a second ADD of the whole chain takes nothing away", second_add, main, built_in
        yield main, f"{over}: STATUS comes through, and so does a refusal where there is one", status, main, built_in


def tell(suite):
    for program, cases in itertools.groupby(tests(), lambda case: case[0]):
        suite.name = f"{program} {peers.version(program)}"
        before, failed = suite.count, suite.failed
        suite.run_all([case[1:] for case in cases])
        peers.summary(program, suite.count - before, suite.failed - failed)


if __name__ == "__main__":
    tap.story("plugins", tell, lambda: require(BINARY), lambda: peers.require("host-local", *MAINS))
