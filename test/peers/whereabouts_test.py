#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib:${0%/*}/../delegate" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""whereabouts as a delegate, under Debian's bridge, macvlan and ptp, with a stand-in for the cluster's API server.

usage: whereabouts_test.py [WORD ...]   (default: every case; else those whose sentences have one of the words)
"""
import itertools
from concurrent.futures import ThreadPoolExecutor

import world

FOLDER = world.enter()

import peers
import reach
import tap
from node import fake_boots, new_boot
from plugin import BINARY, require
from real_kills import KILLS
from real_life import delete_twice, live, live_without_main_plugin, refuse_unknown_version
from real_node import Pod
from whereabouts_node import FIRST, POOLS, ClusterNode

MAINS = ("bridge", "macvlan", "ptp")
FORBIDDEN = (403, "Forbidden", "ippools is forbidden: who are you?")
PODS = 6

_numbers = itertools.count(1)


def node_of(main="bridge", **more):
    return ClusterNode(f"{FOLDER}/{next(_numbers)}", main, **more)


def whole_life(main, version):
    with node_of(main) as node, Pod(node, 1) as pod:
        other = node.up(2, version=version)
        live(node, pod, version)
        node.check_held([pod, other])
        if main != "macvlan" or version == "1.0.0":
            assert pod.reaches(other.addresses()[0]), "the pods do not reach each other"
        delete_twice(node, pod, version)
        node.check_held([other])
        node.must("DEL", other, version=version)
        assert not node.held() and not node.unfinished()


def other_versions(version):
    with node_of() as node, Pod(node, 1) as pod:
        live_without_main_plugin(node, pod, version)
        assert not node.held() and not node.unfinished()


def unknown_version():
    with node_of() as node, Pod(node, 1) as pod:
        refuse_unknown_version(node, pod)
        assert not node.api.requests


def same_error(node, command, pod, **more):
    """An error of whereabouts' own comes back whole through the product; returns its message."""
    itself, ours = node.itself(command, pod, **more), node.call(command, pod, direct=True, **more)
    assert itself.exit == ours.exit == 1, f"{command}: whereabouts {itself}, through us {ours}"
    told = {key: itself.json.get(key) for key in ("code", "msg", "details")}
    assert told == {key: ours.json.get(key) for key in told}, f"{command}: {itself.stdout} became {ours.stdout}"
    return told["msg"]


def without_cluster(words, keys, flat):
    """whereabouts cannot begin, neither ADD nor the DEL that follows. As soon as it can, a DEL ends what is open.

    keys: its keys in the configuration. flat: its flat file; None for the right one.
    """
    with node_of(keys=keys) as node, Pod(node, 1) as pod, Pod(node, 2) as other:
        node.configure(node.flat if flat is None else flat)
        for command in ("ADD", "DEL"):
            message = same_error(node, command, pod)
            assert words in message, f"{command}: {message}"
            assert node.call(command, other).json["msg"] == message, "bridge tells something else"
        node.must("CHECK", pod, direct=True)
        for verb in ("STATUS", "GC"):
            node.must(verb, pod, direct=True, version="1.1.0")
        assert len(node.unfinished()) == 2, "whoever failed to delete must try again"
        node.configure(node.flat)
        node.keys = {}
        delete_twice(node, pod, "1.0.0")
        delete_twice(node, other, "1.0.0")
        assert not node.unfinished() and not node.held()


def silent_cluster():
    """Nobody answers at the API server's port: ADD and DEL end at their deadline, and a later DEL ends what is open."""
    with node_of() as node, Pod(node, 1) as pod:
        other = node.up(2)
        node.api.stop()
        node.set(timeoutSeconds=2)
        for command in ("ADD", "DEL"):
            done = node.call(command, pod)
            assert done.exit == 1 and done.json["code"] == 11, f"{command}: {done}"
        assert len(node.unfinished()) == 1
        node.set(timeoutSeconds=None)
        node.api.start(node.netns, node.kubeconfig)
        node.must("DEL", pod)
        node.check_held([other])
        assert not node.unfinished()


def forbidden():
    """The API server refuses: ADD tells it and leaves nothing open; DEL is a success for whereabouts, and so for us."""
    with node_of() as node, Pod(node, 1) as pod:
        other = node.up(2)
        node.api.refusals[POOLS] = FORBIDDEN
        assert FORBIDDEN[2] in same_error(node, "ADD", pod)
        assert not node.unfinished()
        assert node.itself("DEL", other).exit == 0
        node.must("DEL", other)
        assert list(node.held().values()) == [other.container_id], "whereabouts has freed it after all"


def full_pool():
    with node_of(keys={"range_end": FIRST}) as node, Pod(node, 1) as pod:
        other = node.up(2)
        assert "Could not allocate IP in range" in same_error(node, "ADD", pod)
        node.check_held([other])
        assert not node.unfinished()


def newest_verbs():
    """whereabouts speaks 1.1.0 and has neither GC nor STATUS: success, and nobody loses an address."""
    with node_of() as node:
        pod = node.up(1)
        for lists in ({}, {"cni.dev/valid-attachments": []}):
            assert node.must("GC", pod, direct=True, version="1.1.0", more=lists).stdout == ""
        assert node.must("STATUS", pod, direct=True, version="1.1.0").stdout == ""
        node.check_held([pod])
        assert node.must("ADD", pod, direct=True).addresses == pod.addresses()
        node.must("DEL", pod)
        assert not node.held() and not node.unfinished()


def killed(kill, where):
    with node_of() as node, Pod(node, 1) as pod:
        other = node.up(2)
        kill(node, pod, where)
        node.check_held([other])
        assert not node.unfinished(), "the journal still has an ADD"
        node.check_held([other, node.up(3, pod.name)])


def many_at_once():
    """They all want to lead the cluster, one after the other."""
    with node_of() as node, ThreadPoolExecutor(PODS) as pool:
        pods = [node.enter(Pod(node, number)) for number in range(PODS)]
        list(pool.map(lambda pod: node.must("ADD", pod), pods))
        node.check_held(pods)
        list(pool.map(lambda pod: node.must("DEL", pod), pods))
        assert not node.held() and not node.unfinished()


def returns_after_reboot():
    """whereabouts knows a pod by its name, so what no DEL has freed is its own again; what a DEL has freed is not."""
    with node_of(network="net") as node:
        before = {name: node.up(number, name).addresses() for number, name in enumerate(("web", "db"))}
        old = {name: Pod(node, number, name) for number, name in enumerate(before)}
    new_boot()
    with node_of(network="net", api=node.api) as node:
        stranger = node.up(10)
        web = node.up(11, "web")
        assert web.addresses() == before["web"], f"{web.addresses()}, before the reboot {before}"
        print(f"# reached by {reach.tell(reach.measure(node.places(stranger), web.addresses()))}", flush=True)
        node.must("DEL", old["web"])
        node.must("DEL", old["db"])
        node.check_held([stranger, web])
        other = node.up(12)
        db = node.up(13, "db")
        assert other.addresses() == before["db"] != db.addresses(), f"{other.addresses()} {db.addresses()} {before}"
        node.check_held([stranger, web, other, db])


def given_on(main):
    """What a DEL has freed goes to whoever asks next, who is reached there by those that had talked to the old pod."""
    with node_of(main) as node:
        neighbour, old = node.up(1), node.up(2)
        before = old.addresses()
        reach.measure(node.places(neighbour), before)
        node.must("DEL", old)
        new = node.up(3)
        assert new.addresses() == before, f"{before}, and then {new.addresses()}"
        print(f"# {main}: reached by {reach.tell(reach.measure(node.places(neighbour), before))}", flush=True)


def tests():
    """All cases as (sentence, function, arguments)."""
    for main, version in itertools.product(MAINS, ("0.3.1", "0.4.0", "1.0.0")):
        yield f"under {main}, {version}: ADD, repeated ADD, CHECK, DEL, repeated DEL", whole_life, main, version
    for main in MAINS:
        yield f"under {main}: an address that goes on to another pod is reached by who had talked to it", given_on, main
    for version in ("0.1.0", "0.2.0", "1.1.0"):
        yield f"{version}: a caller of this version is answered in it", other_versions, version
    yield "a caller of an unknown version gets code 1, and the cluster is not asked", unknown_version
    yield from failures()
    for (kill, text), where in itertools.product(KILLS.items(), ("before", "after")):
        yield f"{text}, {where} it has the lease: no lease is left, none is freed", killed, kill, where
    yield f"{PODS} pods at once get an address each", many_at_once
    yield ("after a reboot a pod has its address unless its old sandbox was deleted first and another pod came",
           returns_after_reboot)


def failures():
    """The cases in which whereabouts fails, or has not got a verb."""
    for words, keys, flat in (
        ("config file not found", {"configuration_path": "/nowhere"}, None),
        ("you have not configured the storage engine", {}, {}),
        ("no such file or directory", {"kubernetes": {"kubeconfig": "/nowhere"}}, None),
    ):
        yield f"its own '{words}' is passed on; CHECK, STATUS and GC succeed", without_cluster, words, keys, flat
    yield "a cluster that is away: code 11, and nothing is left when it is back", silent_cluster
    yield "a cluster that refuses: ADD passes the error on, DEL is a success that frees nothing", forbidden
    yield "a full pool: its error is passed on", full_pool
    yield "GC and STATUS, which it has not got, succeed and change nothing", newest_verbs


def tell(suite):
    suite.run_all(tests())
    peers.summary("whereabouts", suite.count - suite.skipped, suite.failed)


if __name__ == "__main__":
    tap.story(f"whereabouts {peers.version('whereabouts')}", tell,
              lambda: require(BINARY), lambda: peers.require("whereabouts"), fake_boots)
