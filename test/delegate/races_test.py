#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Commands that meet while an exec'd plugin is at work: two ADDs, an ADD and its DEL, a GC, a boot's many pods at once.

The plugin stops at a gate where the commands are to meet. usage: races_test.py [WORD ...]
"""
import contextlib
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor

import races_deleted
import sandbox
import tap
from crowd import SEED, assert_refused, pod
from many_pods import PODS, at_home, start_all
from many_pods import node_at as host_local_node
from meeting import POD, has_ended, inside, is_at_lock, node_at, start
from node import fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require
from race import Running, wait_until

WORKERS = 8


@contextlib.contextmanager
def two_adds(node, where="after"):
    """A first ADD that is inside the plugin and a second that waits for it; gives both and the gate."""
    with inside(node, "ADD", where) as (first, gate):
        second = start(node, "ADD")
        is_at_lock(second)
        yield first, second, gate


def one_answer():
    node = node_at("equal")
    with two_adds(node) as (first, second, gate):
        gate.open()
        one, other = first.finish(), second.finish()
    assert one.exit == other.exit == 0 and one.addresses == other.addresses, (one, other)
    assert node.ledger.commands() == ["ADD c1"]
    assert node.ledger.leases() == {one.addresses[0]: "c1"} and node.journal() == 0


def first_killed_late():
    """The plugin has answered, and nobody has read it."""
    node = node_at("first-late")
    with two_adds(node) as (first, second, gate):
        (inside,) = gate.waiting()
        os.kill(first.pid, signal.SIGSTOP)
        gate.open()
        wait_until(lambda: has_ended(inside), "the plugin does not end")
        os.kill(first.pid, signal.SIGKILL)
        first.finish()
        got = second.finish()
    assert got.exit == 0 and node.ledger.leases() == {got.addresses[0]: "c1"}, got
    assert node.ledger.commands() == ["ADD c1", "DEL c1", "ADD c1"] and node.journal() == 0


def first_killed():
    """The one inside dies with its plugin; the one that waited frees what is left and begins anew."""
    node = node_at("first-killed")
    with two_adds(node) as (first, second, _):
        os.kill(first.pid, signal.SIGKILL)
        first.finish()
        got = second.finish()
    assert got.exit == 0 and node.ledger.leases() == {got.addresses[0]: "c1"}, got
    assert node.ledger.commands() == ["ADD c1", "DEL c1", "ADD c1"] and node.journal() == 0


def first_is_refused():
    """A failing first ADD frees its own lease only: the second one's comes later."""
    node = node_at("first-refused")
    node.ledger.hook("ADD", 'if [ -e "$home/failed" ]; then return; fi\n: >"$home/failed"\n: >"$home/waiting.$$"\n'
                            'read -r line <"$home/gate"\nfail 123 "not today"\n', "after")
    os.mkfifo(f"{node.ledger.home}/gate")
    first = start(node, "ADD")
    wait_until(lambda: os.path.exists(f"{node.ledger.home}/failed"), "the ADD does not come to the gate")
    second = start(node, "ADD")
    is_at_lock(second)
    with open(f"{node.ledger.home}/gate", "w") as file:
        file.write("go\n")
    assert first.finish().json["code"] == 123
    got = second.finish()
    assert got.exit == 0 and node.ledger.leases() == {got.addresses[0]: "c1"}, got
    assert node.ledger.commands() == ["ADD c1", "DEL c1", "ADD c1"]


def waits_in_vain():
    """Its time is over before the other has ended: nothing is run for it, whatever signals the caller has blocked."""
    node = node_at("in-vain")
    with node.ledger.gate("ADD") as gate:
        first = start(node, "ADD")
        gate.wait_for()
        assert_refused(start(node, "ADD", timeoutSeconds=0.3).finish(), "c1", "another ADD")
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        blocked = start(node, "ADD", timeoutSeconds=0.3)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        assert_refused(blocked.finish(), "c1", "another ADD")
        gate.open()
        got = first.finish()
    assert got.exit == 0 and node.ledger.leases() == {got.addresses[0]: "c1"}
    assert node.ledger.commands() == ["ADD c1"]


def others_do_not_wait():
    """Another pod, and another interface of the same one."""
    node = node_at("others")
    with inside(node, "ADD") as (first, gate):
        others = [node.add("c2", "shop/other"), node.add("c1", POD, ifname="net1")]
        node.delete("c2", "shop/other")
        gate.open()
        got = first.finish()
    assert got.exit == 0 and got.addresses != others[1], got
    assert sorted(node.ledger.leases_of("c1")) == sorted([*got.addresses, *others[1]])


def collected_meanwhile():
    """R16: a GC that does not know the container yet leaves an ADD alone that is inside the plugin."""
    node = node_at("gc")
    with node.ledger.gate("ADD", "after") as gate:
        first = start(node, "ADD")
        gate.wait_for()
        node.gc([])
        gate.open()
        got = first.finish()
    assert got.exit == 0 and node.ledger.leases() == {got.addresses[0]: "c1"}
    assert node.ledger.commands() == ["ADD c1", "GC"]
    assert node.add("c1", POD) == got.addresses


def answered_during_gc():
    """The runtime's list is older than the ADD that is answered while the GC is inside the plugin."""
    node = node_at("gc-late")
    with node.ledger.gate("GC") as gate:
        env, conf = node.request("GC", None, ifname=None, netns=None, version="1.1.0",
                                 top={"cni.dev/valid-attachments": []})
        collecting = Running(node.binary, env, conf)
        gate.wait_for()
        got = node.add("c1", POD)
        gate.open()
        assert collecting.finish().exit == 0
    again = node.call("ADD", "c1", POD)
    assert node.ledger.leases() == {got[0]: "c1"}, f"the second ADD freed {got}: {again}"
    assert again.addresses == got, again


@contextlib.contextmanager
def second_after_kill(node):
    """An ADD inside the plugin, which has freed before what a killed ADD had left; gives it and the gate."""
    with inside(node, "ADD", "after") as (first, _):
        os.kill(first.pid, signal.SIGKILL)
        first.finish()
    with inside(node, "ADD", "after") as (second, gate):
        yield second, gate


def collected_after_kill():
    node = node_at("gc-after-kill")
    with second_after_kill(node) as (second, gate):
        node.gc([])
        gate.open()
        got = second.finish()
    assert got.exit == 0 and node.ledger.leases() == {got.addresses[0]: "c1"}, (got, node.ledger.leases())
    assert node.ledger.commands() == ["ADD c1", "DEL c1", "ADD c1", "GC"] and node.journal() == 0


def third_after_kill():
    node = node_at("third-after-kill")
    with second_after_kill(node) as (second, gate):
        third = start(node, "ADD")
        is_at_lock(third)
        gate.open()
        got = [second.finish(), third.finish()]
    assert got[0].exit == 0 and got[0] == got[1], got
    assert node.ledger.leases() == {got[0].addresses[0]: "c1"} and node.journal() == 0
    assert node.ledger.commands() == ["ADD c1", "DEL c1", "ADD c1"]


def plugin_dies_too():
    """SIGKILL to the product inside the ADD: no plugin is left that would take a lease later."""
    node = node_at("both-die")
    with node.ledger.gate("ADD", "before") as gate:
        first = start(node, "ADD")
        (inside,) = gate.wait_for()
        os.kill(first.pid, signal.SIGKILL)
        first.finish()
        wait_until(lambda: not os.path.exists(f"/proc/{inside}"), "the plugin lives on")
        node.delete("c1", POD)
        gate.open()
    assert node.ledger.leases() == {} and node.journal() == 0


def at_once(node, requests):
    """Run these commands by a few workers, in an order of their own; all must succeed. Returns {ID: addresses}."""
    requests = random.Random(SEED).sample(requests, len(requests))
    with ThreadPoolExecutor(WORKERS) as pool:
        running = pool.map(lambda request: Running(node.binary, *request).finish(), requests)
        done = list(zip((env for env, _ in requests), running))
    failed = [(env["CNI_COMMAND"], env["CNI_CONTAINERID"], outcome) for env, outcome in done if outcome.exit != 0]
    assert not failed, f"{len(failed)} of {len(done)} failed: {failed}"
    return {env["CNI_CONTAINERID"]: outcome.addresses for env, outcome in done if env["CNI_COMMAND"] == "ADD"}


def requests(node, command, prefix):
    return [node.request(command, f"{prefix}-{number}", pod(number)) for number in PODS]


def boot_of_many():
    """host-local as a program: a reboot with DELs and ADDs of all pods at once, and one without any DEL."""
    node = host_local_node("many")
    assert start_all(node) == at_home("old")
    for old, new, commands in (("old", "new", ("DEL", "ADD")), ("new", "third", ("ADD",))):
        new_boot()
        live = {}
        for command in commands:
            prefix = old if command == "DEL" else new
            live.update(at_once(node, requests(node, command, prefix)))
        assert live == at_home(new)
        node.assert_in_use(live)
    at_once(node, requests(node, "DEL", "new"))
    node.assert_in_use(live)


def dels_and_adds_mixed():
    """Every pod's DEL and ADD at the same time: no two pods on one address, and no lease too many."""
    node = host_local_node("mixed")
    start_all(node)
    new_boot()
    live = at_once(node, requests(node, "DEL", "old") + requests(node, "ADD", "new"))
    node.assert_in_use(live)
    assert live == at_home("new")


TESTS = [
    ("two ADDs of one attachment: one run, one lease, one answer", one_answer),
    ("of two ADDs of one attachment the first is killed with its lease: the second frees it first", first_killed),
    ("of two ADDs of one attachment the first is killed when the plugin has answered: one lease", first_killed_late),
    ("of two ADDs of one attachment the first fails and frees its lease: the second has its own", first_is_refused),
    ("an ADD that waits for another one of its attachment gives up in time, with code 11 and no run", waits_in_vain),
    ("ADDs of other attachments do not wait", others_do_not_wait),
    *races_deleted.TESTS,
    ("R16: a GC leaves an ADD alone that is inside the plugin", collected_meanwhile),
    ("R16: an ADD that is answered while a GC is inside the plugin keeps its lease, and is known", answered_during_gc),
    ("R16: a GC leaves an ADD alone that follows a killed one and is inside the plugin", collected_after_kill),
    ("an ADD that follows a killed one is waited for by the next", third_after_kill),
    ("R14: the plugin ends with us, and takes no lease after the DEL", plugin_dies_too),
    (f"R5: {len(PODS)} dual-stack pods at once keep their addresses through host-local, with and without DELs",
     boot_of_many),
    ("R1: DELs and ADDs of all pods at once through host-local", dels_and_adds_mixed),
]


if __name__ == "__main__":
    tap.main("delegate races", TESTS, lambda: require(BINARY, HOST_LOCAL), sandbox.enter, fake_boots)
