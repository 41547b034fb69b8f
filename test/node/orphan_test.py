#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""A runtime gives up on an ADD: it kills Flannel's plugin, and the bridge plugin below it goes on alone.

The chain is real: a parent as Flannel's plugin is, Debian's bridge plugin as its child, and the address plugin as
bridge's. The parent is killed, its DEL is answered, and only then the orphans go on. usage: orphan_test.py [WORD ...]
"""
import os
import signal

import world

FOLDER = world.enter()

from flannel_chain import (
    BRIDGE, DUAL, GATE_AFTER, GATE_BEFORE, POD, SINGLE, Chain, Gate, Scene, child_of, let_clock_pass, stat_of)
import tap
from plugin import BINARY, HOST_LOCAL, require
from race import lock_held, waiting_for_lock, wait_until


def scene_of(name, ranges=DUAL, binary=BINARY):
    return Scene(os.path.join(FOLDER, name), ranges, binary)


def assert_refused(printed):
    """What bridge printed is our refusal, with our code."""
    assert printed and printed.get("code") == 11, f"bridge printed {printed}"
    assert "DEL came after this ADD" in printed["msg"], printed


def killed_before_call(scene, meanwhile=lambda: None):
    """The parent dies before bridge calls the address plugin; returns what bridge printed at last."""
    chain, bridge, let_bridge_go_on = scene.start_slow_bridge()
    chain.kill_parent()
    let_clock_pass(bridge)
    scene.delete()
    meanwhile()
    let_bridge_go_on()
    return chain.finish()


def before_call(ranges):
    with scene_of(f"call-{len(ranges)}", ranges) as scene:
        assert_refused(killed_before_call(scene))
        scene.check_nothing_left()


def killed_before_start(scene, meanwhile=lambda: None):
    """The parent dies when the address plugin is a process, but has not begun; returns what bridge printed at last."""
    folder, gate = scene.gated(GATE_BEFORE)
    chain = scene.start(folder=folder)
    gate = Gate(gate)
    bridge = child_of(chain.pid)
    chain.kill_parent()
    let_clock_pass(child_of(bridge))
    scene.delete()
    meanwhile()
    gate.let_through()
    return chain.finish()


def before_start(ranges):
    with scene_of(f"before-{len(ranges)}", ranges) as scene:
        assert_refused(killed_before_start(scene))
        scene.check_nothing_left()


def successor_is_up(killed):
    """The pod's next sandbox has the address already when the orphan comes."""
    with scene_of(killed.__name__) as scene:
        got = []
        assert_refused(killed(scene, lambda: got.extend(scene.node.add("c2", POD))))
        assert got == scene.address
        scene.node.assert_in_use({"c2": scene.address})
        scene.node.delete("c2", POD)
        scene.check_nothing_left()


def killed_with_bridge(scene):
    """Nobody is left above the address plugin: it is a child of the first process then."""
    folder, gate = scene.gated(GATE_BEFORE)
    chain = scene.start(folder=folder)
    gate = Gate(gate)
    bridge = child_of(chain.pid)
    orphan = child_of(bridge)
    chain.kill_parent()
    os.kill(bridge, signal.SIGKILL)
    assert chain.finish() is None
    let_clock_pass(orphan)
    scene.delete()
    gate.let_through()
    wait_until(lambda: stat_of(orphan)[0] == "gone", "the address plugin does not end")


def bridge_killed_too():
    with scene_of("alone") as scene:
        killed_with_bridge(scene)
        scene.check_nothing_left()


def at_lock():
    """The address plugin waits for the lock; it stands still while the DEL has its turn."""
    with scene_of("lock") as scene:
        with lock_held(scene.node):
            chain = scene.start()
            orphan = next(iter(wait_until(lambda: waiting_for_lock(scene.node), "nobody waits for the lock")))
            chain.kill_parent()
            os.kill(orphan, signal.SIGSTOP)
            wait_until(lambda: stat_of(orphan)[0] == "T", "the address plugin does not stop")
            let_clock_pass(orphan)
        scene.delete()
        os.kill(orphan, signal.SIGCONT)
        assert_refused(chain.finish())
        scene.check_nothing_left()


def at_lock_with_del():
    """The orphan and its DEL wait for the lock together: whoever is first, nothing is left."""
    with scene_of("together") as scene:
        with lock_held(scene.node):
            chain = scene.start()
            wait_until(lambda: waiting_for_lock(scene.node), "the ADD does not come to the lock")
            chain.kill_parent()
            deleting = Chain(scene.node, "DEL", "c1", scene.netns, f"{scene.node.home}/bin")
            wait_until(lambda: len(waiting_for_lock(scene.node)) == 2, "the DEL does not come to the lock")
        assert deleting.finish() is None and deleting.exit == 0
        chain.finish()
        scene.check_nothing_left()


def after_answer():
    """The address has been handed to bridge; the DEL finds the attachment, and bridge fails at what is gone."""
    with scene_of("answered") as scene:
        folder, gate = scene.gated(GATE_AFTER)
        chain = scene.start(folder=folder)
        gate = Gate(gate)
        chain.kill_parent()
        scene.node.assert_in_use({"c1": scene.address})
        scene.delete()
        scene.node.assert_in_use({})
        assert scene.node.add("c2", POD) == scene.address
        gate.let_through()
        printed = chain.finish()
        assert printed and "ips" not in printed, f"bridge printed {printed}"
        scene.node.assert_in_use({"c2": scene.address})
        scene.node.delete("c2", POD)
        scene.check_nothing_left()


def nobody_killed():
    """What the tests above rest on: the same chain succeeds when it is left alone, and after an older DEL too."""
    with scene_of("control", SINGLE) as scene:
        folder, gate = scene.gated(GATE_BEFORE)
        for container_id in ("c0", "c1"):  # c0 was deleted before
            chain = scene.start(container_id, folder)
            Gate(gate).let_through()
            printed = chain.finish()
            assert chain.exit == 0, printed
            assert [ip["address"].split("/")[0] for ip in printed["ips"]] == scene.address
            scene.node.assert_in_use({container_id: scene.address})
            scene.delete(container_id)
        scene.check_nothing_left()


def tell_host_local():
    """What stock host-local leaves behind of a sandbox that nobody deletes again."""
    for killed in (killed_before_call, killed_before_start, killed_with_bridge):
        with scene_of(f"stock-{killed.__name__}", SINGLE, HOST_LOCAL) as scene:
            printed = killed(scene) or {}
            answer = printed.get("msg") or [ip["address"] for ip in printed.get("ips", [])] or "nobody"
            left = scene.node.addresses_of("c1")
            name = killed.__name__.replace("_", " ")
            print(f"# host-local: {name}: after the DEL, bridge tells {answer}; in use for ever: {left}", flush=True)


TESTS = [
    ("the chain succeeds when nobody kills it, also for a container ID whose older DEL was answered", nobody_killed),
    ("killed before the address plugin begins: code 11 reaches bridge, nothing is left (single stack)",
     lambda: before_start(SINGLE)),
    ("killed before the address plugin begins: code 11 reaches bridge, nothing is left (dual stack)",
     lambda: before_start(DUAL)),
    ("killed before bridge calls the address plugin: code 11 reaches bridge, nothing is left (single stack)",
     lambda: before_call(SINGLE)),
    ("killed before bridge calls the address plugin: code 11 reaches bridge, nothing is left (dual stack)",
     lambda: before_call(DUAL)),
    ("killed before bridge calls the address plugin: a successor that has the address already keeps it",
     lambda: successor_is_up(killed_before_call)),
    ("killed before the address plugin begins: a successor that has the address already keeps it",
     lambda: successor_is_up(killed_before_start)),
    ("killed together with bridge: the address plugin, alone now, leaves nothing", bridge_killed_too),
    ("killed while the address plugin waits for the lock: code 11 reaches bridge, nothing is left", at_lock),
    ("killed while the address plugin and the DEL wait for the lock together: nothing is left", at_lock_with_del),
    ("killed after the answer: the DEL frees the address, and bridge's own late DEL harms no successor", after_answer),
]


def bridge():
    if not os.path.exists(BRIDGE):
        tap.skip(f"needs {BRIDGE}: apt-get install containernetworking-plugins")


def tell(suite):
    suite.run_all(TESTS)
    tell_host_local()


if __name__ == "__main__":
    tap.story("orphan", tell, lambda: require(BINARY, HOST_LOCAL), bridge)
