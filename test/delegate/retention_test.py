#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Pods keep their addresses although a program of its own hands them out: Debian's host-local, asked by `args.cni.ips`.

Another plugin than before, and what is recorded: retention_switch.py. usage: retention_test.py [WORD ...]
"""
import retention_switch
import sandbox
import tap
from crowd import DUAL, small
from live_netns import Namespace
from many_pods import OTHER, POD, PODS, at_home, delete_all, mixed, node_at, start_all
from node import args_of, fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

ANNOTATIONS = "io.kubernetes.cri.pod-annotations"


def reboots(order):
    """order(node, prefix of the old sandboxes, prefix of the new): one reboot of all pods; returns what start_all does.

    Two reboots: what the product recorded for pods that came back counts as well.
    """
    node = node_at(order.__name__)
    assert start_all(node) == at_home("old")
    for old, new in (("old", "new"), ("new", "third")):
        new_boot()
        assert order(node, old, new) == at_home(new)
        delete_all(node, old)
        node.assert_in_use(at_home(new))


def del_before_add(node, old, new):
    delete_all(node, old)
    return start_all(node, new, mixed())


def del_before_each_add(node, old, new):
    live = {}
    for number in mixed():
        delete_all(node, old, [number])
        live.update(start_all(node, new, [number]))
    return live


def del_after_add(node, old, new):
    live = {}
    for number in mixed():
        live.update(start_all(node, new, [number]))
        delete_all(node, old, [number])
    return live


def no_del(node, _, new):
    return start_all(node, new, mixed())


def newcomers_between():
    """The others leave the addresses alone that their pods will come for, as there are enough."""
    node = node_at("newcomers")
    start_all(node)
    new_boot()
    delete_all(node, "old")
    live = {f"stranger-{number}": node.add(f"stranger-{number}", f"shop/stranger-{number}") for number in range(5)}
    live.update(start_all(node, "new"))
    assert {name: live[name] for name in at_home("new")} == at_home("new")
    node.assert_in_use(live)


def dead_is_deleted_first():
    """What host-local is asked for, and in which order."""
    node = node_at("dead-first")
    home = node.add("old", POD)
    new_boot()
    node.ledger.take_commands()
    assert node.add("new", POD) == home
    assert node.ledger.commands() == ["DEL old", "ADD new"]
    assert sorted(node.ledger.calls()[1].requested) == sorted(home)
    node.assert_in_use({"new": home})


def netns_is_gone():
    """In the same boot; nobody deleted the old sandbox, but its network namespace is no more."""
    node = node_at("netns-gone")
    with Namespace("new") as new:
        with Namespace("old") as old:
            home = node.add("old", POD, netns=old.path)
        assert node.add("new", POD, netns=new.path) == home
    node.assert_in_use({"new": home})


def still_alive():
    """A pod of the same name that still runs keeps its addresses; the new one is bound to what it got."""
    node = node_at("alive")
    with Namespace("old") as old, Namespace("new") as new:
        home = node.add("old", POD, netns=old.path)
        got = node.add("new", POD, netns=new.path)
        assert not set(got) & set(home)
        node.assert_in_use({"old": home, "new": got})
        assert "DEL old" not in node.ledger.commands(), node.ledger.commands()
        node.delete("old", POD, netns=old.path)
        node.delete("new", POD, netns=new.path)
        assert node.add("third", POD) == got


def one_is_busy():
    """Of two addresses one belongs to somebody else now: the pod keeps the other."""
    node = node_at("busy")
    home = node.add("old", POD)
    node.delete("old", POD)
    other = node.add("other", OTHER, args=args_of(OTHER) + f";IP={home[0]}", ranges=DUAL[:1])
    assert other == home[:1]
    got = node.add("new", POD)
    assert got[0] not in home and got[1] == home[1], got
    node.assert_in_use({"other": other, "new": got})


def both_busy():
    """A full pool: the pod's addresses went to somebody else, who stays."""
    node = node_at("full", small(2, 3))
    home = node.add("old", POD)
    node.delete("old", POD)
    live = {f"other-{number}": node.add(f"other-{number}", f"shop/other-{number}") for number in range(2)}
    refused = node.call("ADD", "new", POD)
    assert refused.exit == 1 and "no IP addresses available" in refused.json["msg"], refused
    node.assert_in_use(live)
    assert home in live.values()
    other = next(container_id for container_id, addresses in live.items() if addresses != home)
    node.delete(other, other.replace("other", "shop/other"))
    assert node.add("new", POD) == live[other]


def outside_of_ranges():
    """The IPv4 range has moved; the IPv6 address is kept."""
    node = node_at("moved")
    home = node.add("old", POD)
    node.delete("old", POD)
    node.ledger.take_commands()
    moved = [[{"subnet": "10.10.0.0/24"}], DUAL[1]]
    got = node.add("new", POD, ranges=moved)
    assert got[0].startswith("10.10.0.") and got[1] == home[1], got
    assert [call.requested for call in node.ledger.calls()] == [home, home[1:]], "asked again without that address"
    node.delete("new", POD, ranges=moved)
    assert node.add("third", POD, ranges=moved) == got


ASKING = {
    "IP in CNI_ARGS": lambda ip: {"args": args_of(POD) + f";IP={ip}"},
    "args.cni.ips": lambda ip: {"top": {"args": {"cni": {"ips": [ip]}}}},
    "runtimeConfig.ips": lambda ip: {"top": {"runtimeConfig": {"ips": [ip]}}},
}


def caller_asks(number, asking):
    """The configuration reaches host-local as the caller wrote it, without our wishes."""
    node = node_at(f"asked-{number}", DUAL[:1])
    home = node.add("old", POD)
    new_boot()
    wanted = "10.9.0.77"
    more = asking(wanted)
    assert node.add("new", POD, **more) == [wanted] != home
    call = node.ledger.calls()[-1]
    assert call.command == "ADD" and all(call.conf.get(key) == value for key, value in more.get("top", {}).items())
    assert home[0] not in call.requested
    node.assert_in_use({"new": [wanted]} if "DEL old" in node.ledger.commands() else {"new": [wanted], "old": home})
    new_boot()
    assert node.add("third", POD) == [wanted], "the address asked for is the pod's now"


def annotation_asks():
    """`delegated-ipam.io/ips` reaches host-local, goes before the address of before, and is not given up silently."""
    node = node_at("annotation-ips", DUAL[:1])
    node.add("old", POD)
    node.delete("old", POD)
    asks = {"top": {"runtimeConfig": {ANNOTATIONS: {"delegated-ipam.io/ips": "10.9.0.88"}}}}
    assert node.add("new", POD, **asks) == ["10.9.0.88"]
    refused = node.call("ADD", "other", OTHER, **asks)
    assert refused.exit == 1 and "10.9.0.88" in refused.json["msg"], refused
    node.assert_in_use({"new": ["10.9.0.88"]})


NOT_RETAINED = {
    "retain: false": ({"retain": False}, {}),
    "retain.exclude": ({"retain": {"exclude": ["shop/web-*"]}}, {}),
    "the annotation": ({}, {"top": {"runtimeConfig": {ANNOTATIONS: {"delegated-ipam.io/retain": "false"}}}}),
}


def not_retained(number, ipam, more):
    """host-local goes on to its next address, and nothing about the pod is written down."""
    node = node_at(f"not-retained-{number}", DUAL[:1], **ipam)
    home = node.add("old", POD, **more)
    node.delete("old", POD, **more)
    got = node.add("new", POD, **more)
    assert got != home
    assert all(not call.requested for call in node.ledger.calls())
    owners = {binding.owner for binding in node.bindings().values()}
    assert POD not in owners, node.bindings()
    node.assert_in_use({"new": got})


def other_uid():
    node = node_at("uid", DUAL[:1], retain={"requireSameUID": True})
    home = node.add("old", POD, uid="u1")
    node.delete("old", POD, uid="u1")
    got = node.add("second", POD, uid="u2")
    assert got != home, "another pod of the same name has its address"
    node.delete("second", POD, uid="u2")
    assert node.add("third", POD, uid="u2") == got


def taken_back():
    """The caller has not got its answer. The pod's binding is a held one then, as after a DEL."""
    node = node_at("taken-back", DUAL)
    done = node.call("ADD", "c1", POD, wrapper=("sh", "-c", 'exec "$0" >/dev/full'))
    assert done.exit == 1 and node.attachments() == {}, done
    bindings = node.bindings()
    assert len(bindings) == 2 and all(binding.sequence > 0 for binding in bindings.values()), bindings
    assert sorted(node.add("c2", POD)) == sorted(bindings)


TESTS = [
    *((f"{len(PODS)} dual-stack pods keep their addresses over two reboots: {how}", reboots, order) for how, order in [
        ("all DELs before the first ADD", del_before_add), ("each DEL before its ADD", del_before_each_add),
        ("each DEL after its ADD", del_after_add), ("no DEL at all", no_del)]),
    ("strangers that come between DELs and ADDs get other addresses", newcomers_between),
    ("an attachment of another boot is deleted first, then its addresses are asked for", dead_is_deleted_first),
    ("an attachment whose network namespace is gone is deleted first", netns_is_gone),
    ("a live attachment of the same pod keeps its addresses, and the pod is bound to the newest", still_alive),
    ("one address of two is busy: the pod gets another for it and keeps the other", one_is_busy),
    ("a full pool is told as host-local tells it, and nobody loses a live address", both_busy),
    ("an address outside of today's ranges is given up, the other one kept", outside_of_ranges),
    *((f"what the caller asks for by {how} is not overridden", caller_asks, number, asking)
      for number, (how, asking) in enumerate(ASKING.items())),
    ("what the pod asks for by its annotation goes before the address of before", annotation_asks),
    *((f"nothing is kept with {how}", not_retained, number, *case)
      for number, (how, case) in enumerate(NOT_RETAINED.items())),
    ("requireSameUID: a pod of the same name and another UID gets another address", other_uid),
    ("an ADD that is taken back leaves held bindings", taken_back),
    *retention_switch.TESTS,
]


if __name__ == "__main__":
    tap.main("delegate retention", TESTS, lambda: require(BINARY, HOST_LOCAL), sandbox.enter, fake_boots)
