#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Debian's host-local and static as delegates, under Debian's bridge, macvlan and ptp. usage: real_test.py [WORD ...]

With words only those tests run whose names have one of them.
"""
import itertools
import os

import world

FOLDER = world.enter()

import node
import tap
from plugin import BINARY, HOST_LOCAL, require
from real_kills import KILLS
from real_life import delete_twice, live, live_without_main_plugin, refuse_unknown_version
from real_node import GATEWAY, SUBNET, Pod, RealNode

MAINS = ("bridge", "macvlan", "ptp")
DELEGATES = ("host-local", "static")


def scene_of(name, main, delegate):
    """A node whose host-local is Debian's own, or whose static hands out an address of its own to each pod."""
    folder = os.path.join(FOLDER, f"{name}-{main}-{delegate}")
    if delegate == "host-local":
        return RealNode(folder, main, delegate, lambda pod: host_local(folder), inProcess=False)
    return RealNode(folder, main, delegate, static)


def host_local(folder):
    return {"dataDir": f"{folder}/networks", "ranges": [[{"subnet": SUBNET, "gateway": GATEWAY}]]}


def static(pod):
    return {"addresses": [{"address": f"10.78.0.{10 + pod.number}/24", "gateway": GATEWAY}]}


def held_by(scene):
    """host-local's own files: {address: container ID}; none for static, which keeps nothing."""
    store = node.Node(scene.folder, [], scene.network)
    return {address: content.decode().split("\r\n")[0] for address, content in store.attachments().items()}


def assert_held(scene, pods):
    """host-local has exactly these pods' addresses, those of their links."""
    expected = {address: pod.container_id for pod in pods for address in pod.addresses()}
    assert len(expected) == len(pods), f"addresses on the links: {expected}"
    if scene.delegate == "host-local":
        assert held_by(scene) == expected, f"host-local has {held_by(scene)}, the links {expected}"


def whole_life(main, delegate, version):
    with scene_of(f"life-{version}", main, delegate) as scene, Pod(scene, 1) as pod, Pod(scene, 2) as other:
        scene.must("ADD", other, version=version)
        live(scene, pod, version)
        assert_held(scene, [pod, other])
        if main != "macvlan" or version == "1.0.0":
            assert pod.reaches(other.addresses()[0]), "the pods do not reach each other"
        delete_twice(scene, pod, version)
        assert_held(scene, [other])
        scene.must("DEL", other, version=version)
        assert not held_by(scene) and not scene.journal()


def other_versions(delegate, version):
    with scene_of(f"direct-{version}", "bridge", delegate) as scene, Pod(scene, 1) as pod:
        live_without_main_plugin(scene, pod, version)
        assert not held_by(scene) and not scene.journal()


def unknown_version(delegate):
    with scene_of("unknown", "bridge", delegate) as scene, Pod(scene, 1) as pod:
        refuse_unknown_version(scene, pod)
        assert not held_by(scene)


def repeated_through_main(main, delegate):
    """The main plugin refuses its second ADD; whatever it does then, the pod's address stays the pod's."""
    with scene_of("again", main, delegate) as scene, Pod(scene, 1) as pod:
        scene.must("ADD", pod)
        before = pod.addresses()
        assert scene.call("ADD", pod).exit != 0, "the main plugin made the link twice"
        assert pod.addresses() == before
        assert_held(scene, [pod])


def repeated_through_ptp():
    """The same with the built-in host-local, under the plugin that asks for an address before it makes the link."""
    folder = os.path.join(FOLDER, "built-in")
    with RealNode(folder, "ptp", "host-local", lambda pod: host_local(folder)) as scene, Pod(scene, 1) as pod:
        scene.must("ADD", pod)
        assert scene.call("ADD", pod).exit != 0, "ptp made the link twice"
        assert_held(scene, [pod])
        scene.must("DEL", pod)
        assert not held_by(scene)


def newest_verbs(delegate):
    with scene_of("verbs", "bridge", delegate) as scene, Pod(scene, 1) as pod:
        scene.must("ADD", pod)
        for command in ("STATUS", "GC"):
            assert scene.must(command, pod, direct=True, version="1.1.0").stdout == "", command
        assert_held(scene, [pod])


def returns_after_delete():
    with scene_of("returns", "bridge", "host-local") as scene, \
            Pod(scene, 1, "web") as first, Pod(scene, 2, "web") as second:
        scene.must("ADD", first)
        address = first.addresses()
        scene.must("DEL", first)
        stranger = scene.enter(Pod(scene, 3))
        scene.must("ADD", stranger)
        scene.must("ADD", second)
        assert second.addresses() == address != stranger.addresses()
        assert_held(scene, [second, stranger])


def returns_after_reboot():
    """Nothing was deleted in order; the namespaces of the boot before are gone."""
    scene = scene_of("reboot", "bridge", "host-local")
    with scene, Pod(scene, 1, "web") as first, Pod(scene, 2, "db") as other:
        scene.must("ADD", other)
        scene.must("ADD", first)
        address = first.addresses()
    node.fake_boots()
    node.new_boot()
    after = RealNode(f"{scene.folder}-2", "bridge", "host-local", lambda pod: host_local(scene.folder), scene.network,
                     inProcess=False, stateDir=f"{scene.folder}/state")
    with after, Pod(after, 3, "web") as second:
        after.must("ADD", second)
        assert second.addresses() == address, f"{second.addresses()}, before the reboot {address}"
        after.must("DEL", first)
        assert held_by(scene)[address[0]] == second.container_id, "the old sandbox's DEL freed the new one's address"
        after.must("DEL", second)


def killed(main, delegate, kill, where):
    with scene_of(f"{kill.__name__}-{where}", main, delegate) as scene, Pod(scene, 1) as live_pod, Pod(scene, 2) as pod:
        scene.must("ADD", live_pod)
        kill(scene, pod, where)
        assert_held(scene, [live_pod])
        assert not scene.journal(), "the journal still has an ADD"
        again = scene.enter(Pod(scene, 3, pod.name))
        scene.must("ADD", again)
        assert_held(scene, [live_pod, again])
        for one in (again, live_pod):
            scene.must("DEL", one)
        assert not held_by(scene)


def tests():
    """All tests as (sentence, function, arguments)."""
    for delegate, main in itertools.product(DELEGATES, MAINS):
        over = f"{delegate} under {main}"
        for version in ("0.3.1", "0.4.0", "1.0.0"):
            yield f"{over}, {version}: ADD, repeated ADD, CHECK, DEL, repeated DEL", whole_life, main, delegate, version
        yield (f"{over}: a second ADD of the whole chain does not take the pod's address away",
            repeated_through_main, main, delegate)
        for (kill, text), where in itertools.product(KILLS.items(), ("before", "after")):
            yield (f"{over}, {text}, {where} it has the lease: no lease is left, none is freed",
                killed, main, delegate, kill, where)
    for delegate in DELEGATES:
        for version in ("0.1.0", "0.2.0", "1.1.0"):
            yield (f"{delegate}, {version}: a caller of this version is answered in it",
                other_versions, delegate, version)
        yield f"{delegate}: a caller of an unknown version gets code 1, nothing is leased", unknown_version, delegate
        yield (f"{delegate}: STATUS and GC of a plugin older than these verbs succeed and change nothing",
            newest_verbs, delegate)
    yield ("built-in host-local under ptp: a second ADD of the whole chain does not take the pod's address away",
        repeated_through_ptp)
    yield "host-local: a pod that comes back gets its address again", returns_after_delete
    yield "host-local: a pod that comes back after a reboot gets its address again", returns_after_reboot


if __name__ == "__main__":
    tap.main("real delegates", tests, lambda: require(BINARY, HOST_LOCAL))
