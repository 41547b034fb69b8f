#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What the operator may say about addresses: pins, exclusions, families, narrowing, bounds, retention."""
import os

import sandbox
import tap
from node import Node, fake_boots, new_boot
from plugin import BINARY, require

HOME = "/var/lib/cni/policy"
SMALL = [[{"subnet": "10.9.0.0/28"}]]
DUAL = [[{"subnet": "10.9.0.0/28"}], [{"subnet": "fd00:9::/120"}]]
ALL = [f"10.9.0.{last}" for last in range(2, 15)]
POD = "shop/web-0"


def fill(node, first=0, **ipam):
    """Start unnamed containers until the range is full; returns what they got and the refusal."""
    got = []
    while True:
        done = node.call("ADD", f"c-fill-{first + len(got)}", **ipam)
        if done.exit != 0:
            return got, done
        got += done.addresses
        assert len(got) <= 256, "a /28 never gets full"


def lap(node, **ipam):
    """Start and stop as many unnamed containers as make two laps; returns the addresses seen."""
    seen = set()
    for number in range(2 * len(ALL)):
        seen.update(node.add(f"c-lap-{number}", **ipam))
        node.delete(f"c-lap-{number}", **ipam)
    return seen


def refused(node, code, *words, pod=POD, container_id="c-refused", **ipam):
    """An ADD that must fail with this code, and say these words."""
    done = node.call("ADD", container_id, pod, **ipam)
    assert done.exit == 1, f"exit {done.exit}: {done.stdout}"
    text = f"{done.json['msg']} {done.json.get('details', '')}"
    assert done.json["code"] == code, done.stdout
    assert all(word in text for word in words), f"{text!r} does not say {words}"
    assert not node.addresses_of(container_id), "the refused ADD left an address"


def pin_is_kept():
    node = Node(os.path.join(HOME, "pin"), SMALL, pins={POD: ["10.9.0.9"]})
    for number in range(3):
        assert node.add(f"c-{number}", POD) == ["10.9.0.9"]
        node.delete(f"c-{number}", POD)
        node.add(f"c-other-{number}", f"shop/other-{number}")
        new_boot()


def pin_is_reserved():
    """Nobody else gets it, not even as the last free address."""
    node = Node(os.path.join(HOME, "reserved"), SMALL, pins={POD: ["10.9.0.9"]})
    assert "10.9.0.9" not in lap(node)
    got, _ = fill(node)
    assert sorted(got) == sorted(set(ALL) - {"10.9.0.9"})
    assert node.add("c-web", POD) == ["10.9.0.9"]


def pin_beats_binding():
    """A pod that had another address moves to its pin."""
    node = Node(os.path.join(HOME, "moved"), SMALL)
    assert node.add("c-1", POD) == ["10.9.0.2"]
    node.delete("c-1", POD)
    assert node.add("c-2", POD, pins={POD: ["10.9.0.9"]}) == ["10.9.0.9"]


def busy_pin():
    """Who has it is said by name, so that somebody can do something about it."""
    node = Node(os.path.join(HOME, "busy"), SMALL)
    node.add("c-holder", "shop/holder")
    refused(node, 11, "10.9.0.2", "c-holder", pins={POD: ["10.9.0.2"]})
    node.delete("c-holder", "shop/holder")
    assert node.add("c-web", POD, pins={POD: ["10.9.0.2"]}) == ["10.9.0.2"]


def pin_takes_over_held():
    """A pin ends the binding of the pod that had the address before."""
    node = Node(os.path.join(HOME, "held"), SMALL)
    node.add("c-before", "shop/before")
    node.delete("c-before", "shop/before")
    pins = {POD: ["10.9.0.2"]}
    assert node.add("c-web", POD, pins=pins) == ["10.9.0.2"]
    assert node.add("c-again", "shop/before", pins=pins) != ["10.9.0.2"]


def second_interface_takes_next_pin():
    node = Node(os.path.join(HOME, "second"), SMALL, pins={POD: ["10.9.0.9", "10.9.0.10"]})
    assert node.add("c-1", POD) == ["10.9.0.9"]
    assert node.add("c-1", POD, ifname="net1") == ["10.9.0.10"]


def dual_stack_pin():
    node = Node(os.path.join(HOME, "dual-pin"), DUAL, pins={POD: ["fd00:9::9", "10.9.0.9"]})
    assert node.add("c-1", POD) == ["10.9.0.9", "fd00:9::9"]


def foreign_pin():
    """One conflist serves all nodes: a pin for another node's range is no error."""
    node = Node(os.path.join(HOME, "foreign"), SMALL, pins={POD: ["10.77.0.9"]})
    assert node.add("c-1", POD) == ["10.9.0.2"]


def excluded_over_a_lap():
    """Single addresses, CIDRs and spans."""
    exclude = ["10.9.0.4", "10.9.0.8/30", "10.9.0.13-10.9.0.14"]
    out = {f"10.9.0.{last}" for last in (4, 8, 9, 10, 11, 13, 14)}
    node = Node(os.path.join(HOME, "exclude"), SMALL, exclude=exclude)
    assert lap(node) == set(ALL) - out
    got, full = fill(node)
    assert sorted(got) == sorted(set(ALL) - out), got
    assert "no IP addresses available" in full.json["msg"], full.stdout


def excluded_while_bound():
    """An address that becomes excluded is not given back to its pod, and the pod still comes up."""
    node = Node(os.path.join(HOME, "bound"), SMALL)
    home = node.add("c-1", POD)
    node.delete("c-1", POD)
    assert node.add("c-2", POD, exclude=home) != home


def excluded_request():
    node = Node(os.path.join(HOME, "request"), SMALL, exclude=["10.9.0.4"])
    done = node.call("ADD", "c-1", args="IgnoreUnknown=1;IP=10.9.0.4")
    assert done.exit == 1 and "10.9.0.4" in done.stdout, done
    assert not node.attachments()


def excluded_gone():
    """What an exclusion is taken from can be had again."""
    node = Node(os.path.join(HOME, "gone"), SMALL)
    assert "10.9.0.4" not in lap(node, exclude=["10.9.0.4"])
    assert "10.9.0.4" in lap(node)


def one_family():
    """The other family is not leased either."""
    node = Node(os.path.join(HOME, "family"), DUAL, ipFamilies=["IPv6"])
    assert node.add("c-1", POD) == ["fd00:9::2"]
    assert list(node.attachments()) == ["fd00:9::2"]


def order_of_families():
    node = Node(os.path.join(HOME, "order"), DUAL)
    assert node.add("c-1", POD) == ["10.9.0.2", "fd00:9::2"]
    assert node.add("c-2", "shop/b", ipFamilies=["IPv6", "IPv4"]) == ["fd00:9::3", "10.9.0.3"]
    assert node.add("c-3", "shop/c", ipFamilies=["IPv4", "IPv6"]) == ["10.9.0.4", "fd00:9::4"]


def family_added_later():
    """A pod that had IPv4 keeps it when the network becomes dual-stack."""
    node = Node(os.path.join(HOME, "later"), DUAL)
    home = node.add("c-1", POD, ipFamilies=["IPv4"])
    node.delete("c-1", POD, ipFamilies=["IPv4"])
    node.add("c-2", "shop/other")
    got = node.add("c-3", POD)
    assert got[0] == home[0] and len(got) == 2, got


def narrowing():
    """The delegate's own ranges are a part of the node's: only that part is used."""
    inner = {"type": "host-local", "ranges": [[{"subnet": "10.9.0.8/29"}]]}
    node = Node(os.path.join(HOME, "narrow"), SMALL, delegate=inner)
    got, _ = fill(node)
    assert got == [f"10.9.0.{last}" for last in range(10, 15)], got


def narrowing_by_bounds():
    inner = {"type": "host-local", "ranges": [[{"subnet": "10.9.0.0/28", "rangeStart": "10.9.0.5",
                                                "rangeEnd": "10.9.0.7"}]]}
    node = Node(os.path.join(HOME, "narrow-bounds"), SMALL, delegate=inner)
    got, _ = fill(node)
    assert got == ["10.9.0.5", "10.9.0.6", "10.9.0.7"], got


def too_wide():
    """The node's part of the cluster is the limit, whatever the delegate's block says."""
    inner = {"type": "host-local", "ranges": [[{"subnet": "10.9.0.0/16"}]]}
    node = Node(os.path.join(HOME, "wide"), SMALL)
    refused(node, 7, "10.9.0.1-10.9.255.254", "10.9.0.1-10.9.0.14", delegate=inner)


def bounds():
    ranges = [[{"subnet": "10.9.0.0/28", "rangeStart": "10.9.0.4", "rangeEnd": "10.9.0.6", "gateway": "10.9.0.5"}]]
    node = Node(os.path.join(HOME, "bounds"), ranges)
    got, full = fill(node)
    assert got == ["10.9.0.4", "10.9.0.6"], got
    assert "10.9.0.4-10.9.0.6" in full.json["msg"], full.stdout


def range_moved():
    """A node that gets another range gives every pod a new address, and remembers the new one."""
    node = Node(os.path.join(HOME, "moved-range"), SMALL)
    node.add("c-1", POD)
    node.delete("c-1", POD)
    other = [[{"subnet": "10.8.0.0/28"}]]
    moved = node.add("c-2", POD, ranges=other)
    assert moved == ["10.8.0.2"]
    node.delete("c-2", POD, ranges=other)
    node.add("c-3", "shop/other", ranges=other)
    assert node.add("c-4", POD, ranges=other) == moved


def full_message():
    """An exhausted range names the range, how its addresses are used, and the oldest owners."""
    node = Node(os.path.join(HOME, "full"), SMALL, exclude=["10.9.0.14"])
    for number in range(12):
        node.add(f"c-{number}", f"shop/web-{number}")
    done = node.call("ADD", "c-more", "shop/more")
    text = f"{done.json['msg']} {done.json.get('details', '')}"
    assert done.exit == 1 and "10.9.0.1-10.9.0.14" in text, done.stdout
    for words in ("in-use 12", "held 0", "reserved 2", "shop/web-0"):
        assert words in text, f"{text!r} does not say {words!r}"


def never_held():
    """Pods that match a glob of retain.exclude are forgotten at DEL; others are not."""
    node = Node(os.path.join(HOME, "never"), SMALL, retain={"exclude": ["batch/*"]})
    batch = node.add("c-1", "batch/job-1")
    home = node.add("c-2", POD)
    node.delete("c-1", "batch/job-1")
    node.delete("c-2", POD)
    assert list(node.bindings()) == home, f"held: {node.bindings()}"
    assert batch[0] in lap(node) and node.add("c-3", POD) == home


def same_uid_only():
    """With requireSameUID a pod that was made anew starts afresh."""
    node = Node(os.path.join(HOME, "uid"), SMALL, retain={"requireSameUID": True})
    home = node.add("c-1", POD, uid="uid-1")
    node.delete("c-1", POD, uid="uid-1")
    node.add("c-2", "shop/other", uid="uid-other")
    assert node.add("c-3", POD, uid="uid-1") == home
    node.delete("c-3", POD, uid="uid-1")
    assert node.add("c-4", POD, uid="uid-2") != home


def no_retention():
    """Stock behaviour: the next address, and no record."""
    node = Node(os.path.join(HOME, "stock"), SMALL, retain=False)
    assert node.add("c-1", POD) == ["10.9.0.2"]
    node.delete("c-1", POD)
    assert node.add("c-2", POD) == ["10.9.0.3"]
    assert node.records() == {}


def duplicate_is_error():
    node = Node(os.path.join(HOME, "duplicate"), SMALL, onDuplicate="error")
    node.add("c-1", POD)
    done = node.call("ADD", "c-1", POD)
    assert done.exit == 1 and "duplicate allocation is not allowed" in done.json["msg"], done
    assert node.addresses_of("c-1") == ["10.9.0.2"]


TESTS = [
    ("a pinned pod always gets its pin, over reboots", pin_is_kept),
    ("nobody else gets a pinned address, in a whole lap and in a full range", pin_is_reserved),
    ("a pod that had another address moves to its pin", pin_beats_binding),
    ("a busy pin is refused with code 11 and the holder's name", busy_pin),
    ("a pin ends the binding of an absent pod", pin_takes_over_held),
    ("a second interface takes the next free pin", second_interface_takes_next_pin),
    ("pins go to the range set that they lie in", dual_stack_pin),
    ("a pin outside the ranges of this node is ignored", foreign_pin),
    ("excluded addresses are not handed out over two laps, nor to the last pod", excluded_over_a_lap),
    ("a pod whose address became excluded gets another one", excluded_while_bound),
    ("an excluded address cannot be requested", excluded_request),
    ("an address is handed out again when its exclusion is lifted", excluded_gone),
    ("ipFamilies leases nothing of the other family", one_family),
    ("ipFamilies orders the answer", order_of_families),
    ("a pod keeps its IPv4 address when IPv6 is added", family_added_later),
    ("inner ranges narrow the outer ones", narrowing),
    ("inner bounds narrow the outer range", narrowing_by_bounds),
    ("inner ranges wider than the outer ones are refused, naming both", too_wide),
    ("rangeStart, rangeEnd and gateway are respected", bounds),
    ("after a change of ranges the new address is the one that is kept", range_moved),
    ("a full range is refused with its bounds and counts", full_message),
    ("pods that retain.exclude names are not held", never_held),
    ("requireSameUID forgets a pod that was made anew", same_uid_only),
    ('"retain": false is stock behaviour without records', no_retention),
    ('"onDuplicate": "error" is host-local\'s error', duplicate_is_error),
]


if __name__ == "__main__":
    tap.main("policy", TESTS, sandbox.enter, fake_boots, lambda: require(BINARY))
