#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What is known of an exec'd plugin's attachments in this boot: acknowledged ADDs, killed ones, and its CNI versions.

What counts is which commands the plugin was run for, and which leases it has.
usage: journal_test.py [WORD ...]
"""
import os
import signal

import journal_versions
import sandbox
import tap
from crowd import DUAL
from ledger import DelegatedNode
from node import empty_run, fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require
from race import Running, wait_until

HOME = "/var/lib/cni/journal"
POD = "shop/web-0"
VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")


def node_at(name, **ipam):
    return DelegatedNode(os.path.join(HOME, name), **ipam)


def refused(node, command, code, container_id="c1", **more):
    """A command that must fail with this code; returns its message."""
    done = node.call(command, container_id, POD, **more)
    assert done.exit == 1 and done.json["code"] == code, done
    return done.json["msg"]


def kill_inside(node, command, where, container_id="c1"):
    """SIGKILL to the product while the plugin's command is there."""
    with node.ledger.gate(command, where) as gate:
        running = Running(node.binary, *node.request(command, container_id, POD))
        gate.wait_for()
        os.kill(running.pid, signal.SIGKILL)
        assert running.finish().exit == -signal.SIGKILL
        gate.close()


def repeated_in_all_versions():
    """A plugin that speaks few versions; the caller may speak any, each time another."""
    node = node_at("versions")
    got = node.add("c1", POD)
    assert node.ledger.take_commands() == ["ADD c1"]
    for version in VERSIONS:
        done = node.call("ADD", "c1", POD, version=version)
        assert done.exit == 0 and done.addresses == got and done.json["cniVersion"] == version, done
    assert node.ledger.commands() == []
    assert node.ledger.leases() == {got[0]: "c1"}


def first_in_all_versions():
    """Whatever the version of the first ADD was, a later one has the same addresses, gateways and routes."""
    for first in ("0.3.1", "0.4.0", "1.1.0"):
        node = node_at(f"first-{first}")
        node.add("c1", POD, version=first)
        answers = [node.call("ADD", "c1", POD, version=version).json for version in VERSIONS]
        fresh = node_at(f"fresh-{first}")
        expected = []
        for version in VERSIONS:
            expected.append(fresh.call("ADD", "c1", POD, version=version).json)
            fresh.delete("c1", POD)
        assert answers == expected, f"after an ADD in {first}: {answers}, without: {expected}"


def other_ifname():
    """The interface's name is part of the attachment, and a container ID is not another one's beginning."""
    node = node_at("ifname")
    got = [node.add("c1", POD)[0], node.add("c1", POD, ifname="net1")[0], node.add("c11", POD)[0]]
    assert len(set(got)) == 3 and len(node.ledger.calls()) == 3
    node.delete("c1", POD)
    assert sorted(node.ledger.leases()) == sorted(got[1:])
    assert node.add("c1", POD, ifname="net1") == got[1:2]


def after_delete():
    node = node_at("deleted")
    node.add("c1", POD)
    node.delete("c1", POD)
    assert node.ledger.leases() == {}
    got = node.add("c1", POD)
    assert node.ledger.commands() == ["ADD c1", "DEL c1", "ADD c1"]
    assert node.ledger.leases() == {got[0]: "c1"}
    node.delete("c1", POD)
    node.delete("c1", POD)
    node.delete("unknown", POD)
    assert node.ledger.commands()[3:] == ["DEL c1", "DEL c1", "DEL unknown"], "a DEL is always passed on"
    assert node.journal() == 0


def after_failed_delete():
    """Nobody knows whether the lease is there; the next ADD deletes it first, and does not begin if that fails."""
    node = node_at("not-deleted")
    node.add("c1", POD)
    node.ledger.fail("DEL")
    assert refused(node, "DEL", 123) == "not today"
    assert node.journal() == 1
    node.ledger.take_commands()
    assert refused(node, "ADD", 123) == "not today"
    assert node.ledger.take_commands() == ["DEL c1"] and node.journal() == 1
    node.ledger.unhook("DEL")
    got = node.add("c1", POD)
    assert node.ledger.commands() == ["DEL c1", "ADD c1"]
    assert node.ledger.leases() == {got[0]: "c1"} and node.journal() == 0


def failed_delete_again():
    node = node_at("deleted-later")
    node.add("c1", POD)
    node.ledger.fail("DEL")
    refused(node, "DEL", 123)
    refused(node, "DEL", 123)
    node.ledger.unhook("DEL")
    node.delete("c1", POD)
    assert node.ledger.leases() == {} and node.journal() == 0


def killed_after_lease(follow_up):
    """R14: the plugin has the lease, nobody has the answer."""
    node = node_at(f"killed-{follow_up.__name__[3:]}")
    other = node.add("other", "shop/other")
    kill_inside(node, "ADD", "after")
    assert node.ledger.leases_of("c1") and node.journal() == 1
    node.ledger.take_commands()
    expected = follow_up(node)
    assert node.ledger.leases_of("other") == other, "somebody else's lease is gone"
    assert node.ledger.leases_of("c1") == expected and node.journal() == 0


def by_delete(node):
    node.delete("c1", POD)
    assert node.ledger.commands() == ["DEL c1"]
    return []


def by_add(node):
    got = node.add("c1", POD)
    assert node.ledger.commands() == ["DEL c1", "ADD c1"]
    return got


def by_gc(node):
    node.gc(["c1", "other"])
    assert node.journal() == 1, "a GC for which the attachment is valid took it away"
    node.gc(["other"])
    assert node.ledger.commands() == ["GC", "GC", "DEL c1"]
    return []


def by_refusal(node):
    """What the plugin cannot collect is told; what the killed ADD left is freed."""
    node.ledger.hook("GC", 'fail 11 "out of order"\n')
    done = node.call("GC", None, ifname=None, netns=None, version="1.1.0",
                     top={"cni.dev/valid-attachments": [{"containerID": "other", "ifname": "eth0"}]})
    assert done.exit == 1 and (done.json["code"], done.json["msg"]) == (11, "out of order"), done
    assert node.ledger.commands() == ["GC", "DEL c1"]
    return []


def failed_add():
    """Its own DEL follows; if that fails too, the runtime's DEL or the next ADD makes up for it."""
    node = node_at("failed")
    node.ledger.fail("ADD", where="after")
    assert refused(node, "ADD", 123) == "not today"
    assert node.ledger.take_commands() == ["ADD c1", "DEL c1"]
    assert node.ledger.leases() == {} and node.journal() == 0
    node.ledger.fail("DEL", 124)
    refused(node, "ADD", 123)
    assert node.ledger.leases_of("c1") and node.journal() == 1
    node.ledger.unhook("DEL")
    node.ledger.unhook("ADD", "after")
    assert node.ledger.leases() == {address: "c1" for address in node.add("c1", POD)}
    assert node.journal() == 0


def duplicate_is_error():
    """With onDuplicate "error" it is the plugin that refuses; the lease that is known stays."""
    node = node_at("duplicate", onDuplicate="error")
    got = node.add("c1", POD)
    assert refused(node, "ADD", 100) == "duplicate allocation"
    assert node.ledger.commands() == ["ADD c1", "ADD c1"]
    assert node.ledger.leases() == {got[0]: "c1"} and node.journal() == 0
    assert node.add("c1", POD, onDuplicate="return") == got, "the failed ADD made it forgotten"
    assert len(node.ledger.calls()) == 2


def duplicate_killed():
    """Killed in the second ADD of a known attachment: its lease stays until the DEL."""
    node = node_at("duplicate-killed", onDuplicate="error")
    got = node.add("c1", POD)
    kill_inside(node, "ADD", "before")
    assert refused(node, "ADD", 100) == "duplicate allocation"
    assert node.ledger.leases() == {got[0]: "c1"}
    node.delete("c1", POD)
    assert node.ledger.leases() == {} and node.journal() == 0


def next_boot():
    """After a reboot nothing is known, and the plugin decides."""
    node = node_at("boot")
    got = node.add("c1", POD)
    new_boot()
    assert refused(node, "ADD", 100) == "duplicate allocation"
    assert node.ledger.leases() in ({got[0]: "c1"}, {})
    node.delete("c1", POD)
    assert node.ledger.leases_of("c1") == []
    assert node.add("c1", POD)


def host_local_without_run():
    """A restarted node container: /run is empty, the pods live on. host-local's refusal must not cost them a lease."""
    node = DelegatedNode(os.path.join(HOME, "no-run"), DUAL, HOST_LOCAL, inProcess=False)
    home = node.add("c1", POD)
    empty_run()
    done = node.call("ADD", "c1", POD)
    assert done.exit == 1 and "duplicate allocation" in done.json["msg"], done
    node.assert_in_use({"c1": home})
    assert "DEL c1" not in node.ledger.commands(), node.ledger.commands()


def host_local_locked():
    """The same, and nobody can look whether its lease is live: the network's lock is held when host-local ends."""
    node = DelegatedNode(os.path.join(HOME, "locked"), DUAL, HOST_LOCAL, inProcess=False)
    home = node.add("c1", POD)
    empty_run()
    holds = f"sh -c 'echo $$ >{node.home}/holder; exec sleep 1000' <&- >/dev/null 2>&1 &"
    node.ledger.install(f'#!/bin/sh\necho "$CNI_COMMAND" >>{node.home}/runs\n"{HOST_LOCAL}"\ncode=$?\n'
                        f"setsid flock -o {node.network_dir}/lock {holds}\n"
                        f"until [ -s {node.home}/holder ]; do :; done\nexit $code\n")
    done = node.call("ADD", "c1", POD)
    with open(f"{node.home}/holder") as holder:
        os.kill(int(holder.read()), signal.SIGKILL)
    assert done.exit == 1 and "duplicate allocation" in done.json["msg"], done
    with open(f"{node.home}/runs") as runs:
        assert runs.read() == "ADD\n"
    wait_until(node.lock_is_free, "the lock is still held")
    node.assert_in_use({"c1": home})


def collected():
    """GC: what is known of attachments that are not valid is forgotten, the others are still answered."""
    node = node_at("gc")
    live = {name: node.add(name, POD) for name in ("c1", "c2", "c3")}
    node.ledger.hook("GC", 'rm "$home"/leases/*@c2@eth0\n')
    node.gc(["c1", "c3"])
    node.ledger.take_commands()
    assert [node.add(name, POD) for name in ("c1", "c3")] == [live["c1"], live["c3"]]
    assert node.ledger.commands() == []
    node.add("c2", POD)
    assert node.ledger.commands() == ["ADD c2"]


TESTS = [
    ("R8: a repeated ADD is answered without a run, in each of the seven versions", repeated_in_all_versions),
    ("a repeated ADD has the answer that a first one would have, in each version", first_in_all_versions),
    ("known is an attachment: container ID and interface", other_ifname),
    ("after its DEL the plugin is run again, and DELs are always passed on", after_delete),
    ("after a DEL that failed the next ADD deletes first, and fails as long as that fails", after_failed_delete),
    ("after a DEL that failed the runtime's next one frees the lease", failed_delete_again),
    *((f"R14: killed between the lease and the answer: {how}", killed_after_lease, follow_up) for how, follow_up in [
        ("the runtime's DEL frees it", by_delete), ("the next ADD frees it first", by_add),
        ("a GC frees it unless it is valid", by_gc), ("a GC that the plugin fails frees it", by_refusal)]),
    ("an ADD that fails frees its lease, or the next command does", failed_add),
    ("with onDuplicate \"error\" the plugin's refusal is passed on and frees nothing", duplicate_is_error),
    ("with onDuplicate \"error\" a kill in the second ADD frees nothing", duplicate_killed),
    ("in another boot the plugin decides, and a DEL frees what it had", next_boot),
    ("host-local's refusal after /run was emptied frees no live lease", host_local_without_run),
    ("host-local's refusal frees no lease that cannot be looked at", host_local_locked),
    ("GC forgets attachments that are not valid, and those only", collected),
    *journal_versions.TESTS,
]


if __name__ == "__main__":
    tap.main("delegate journal", TESTS, lambda: require(BINARY, HOST_LOCAL), sandbox.enter, fake_boots)
