#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Races with the disk and with the configuration, and for one identity (R7 to R13)."""
import os
import tempfile

import plugin
import race
import sandbox
import tap
import trace
from crowd import DUAL, SEED, adds, all_at_once, assert_exhausted, dels, node_at, pair, pod, small
from disk import Disk
from live_netns import Namespace
from node import Node, fake_boots, new_boot
from plugin import BINARY, require

POD = "shop/web-0"
MOVED = [[{"subnet": "10.8.0.0/24"}], [{"subnet": "fd00:9::/64"}]]
CHANGES = ("write", "pwrite64", "linkat", "symlinkat", "renameat", "unlinkat", "fsetxattr", "flock", "fsync")


def power_cut_in_the_middle():
    """A returning pod's ADD dies at a change of the disk, and the power with it; all places in turn."""
    with tempfile.TemporaryDirectory(prefix="races.") as folder, Disk(folder, "ext4") as disk:
        _, calls, _ = trace.run(BINARY, *left_pod(disk, "probe").request("ADD", "c-new", POD))
        places = [(call.name, call.occurrence) for call in calls if call.name in CHANGES]
        for name, occurrence in places:
            node = left_pod(disk, f"{name}-{occurrence}")
            outcome, _, _ = trace.inject(BINARY, *node.request("ADD", "c-new", POD), name, occurrence, "signal=KILL")
            assert outcome.exit == -9, f"{name} number {occurrence} was not reached: {outcome}"
            disk.cut_power()
            new_boot()
            node.delete("c-new", POD)
            assert node.add("c-next", POD) == pair(3), f"killed at {name} number {occurrence}"
            node.assert_in_use({"neighbour": pair(2), "c-next": pair(3)})
        print(f"# killed and cut at {len(places)} places")
        assert len(places) >= 10, places


def left_pod(disk, name):
    """A node on the disk with a neighbour on pair 2, and the pod held on pair 3; all of it is durable."""
    node = Node(os.path.join(disk.mount_point, name), DUAL)
    assert node.add("neighbour", "shop/neighbour") == pair(2)
    assert node.add("c-old", POD) == pair(3)
    node.delete("c-old", POD)
    return node


def torn_files():
    """What a power cut leaves of the Go plugin's files is free again after the boot; what somebody wrote is not."""
    node = node_at("r7-torn", small(2, 7))
    mine = node.add("c-0", POD)
    torn = {pair(3)[0]: b"", pair(4)[1]: b"\0" * 9, pair(5)[0]: b"\0" * 80, pair(6)[1]: b""}
    written = {pair(3)[1]: b"by hand", pair(7)[0]: b"c-torn\r\n"}
    for address, content in {**torn, **written}.items():
        with open(os.path.join(node.network_dir, address), "wb") as file:
            file.write(content)
    new_boot()
    live = all_at_once(node, adds(node, "new", range(5)))
    assert live["new-0"] == mine
    for address, content in written.items():
        assert node.attachments().pop(address) == content
        os.unlink(os.path.join(node.network_dir, address))
    node.assert_in_use(live)
    assert set(torn) <= {address for addresses in live.values() for address in addresses}


def inode_comes_again():
    """While an ADD waits for its flush its attachment is deleted and another pod gets the address. xfs gives a freed
    inode's number to the next file: the ADD must neither answer with the other's file nor take it away."""
    with tempfile.TemporaryDirectory(prefix="races.") as folder, Disk(folder, "xfs") as disk:
        for when in (2, 4, 5):  # the network folder; folders above, which only the first ADD of a boot flushes
            node = Node(os.path.join(disk.mount_point, f"node-{when}"), [[{"subnet": "10.9.0.0/24"}]])
            with race.Stopped(node, "ADD", "c-1", POD, "fsync", when) as adding:
                node.delete("c-1", POD)
                assert node.add("c-2", args="IP=10.9.0.2") == ["10.9.0.2"]
                done = adding.resume()
            assert done.exit == 1 and done.json["code"] == 11, f"at flush {when}: {done}"
            node.assert_in_use({"c-2": ["10.9.0.2"]})


def same_add_at_once():
    """Twelve times the same ADD at once, and again: one answer, one file with two names."""
    node = node_at("r8")
    node.add("neighbour", "shop/neighbour")
    outcomes = race.at_once(node, [node.request("ADD", "c-1", POD)] * 12)
    outcomes.append(node.call("ADD", "c-1", POD))
    assert all(outcome.exit == 0 for outcome in outcomes), outcomes
    assert len({outcome.stdout for outcome in outcomes}) == 1, outcomes
    node.assert_in_use({"neighbour": pair(2), "c-1": pair(3)})
    assert len({os.stat(os.path.join(node.network_dir, address)).st_ino for address in pair(3)}) == 1


def add_again_before_the_answer():
    """The runtime asks again while the first ADD flushes; that one goes on, or has been killed there."""
    node = node_at("r8-again")
    for number, goes_on in ((2, True), (3, False)):
        with race.Stopped(node, "ADD", f"c-{number}", pod(number), "fsync") as first:
            assert node.add(f"c-{number}", pod(number)) == pair(number)
            assert not goes_on or first.resume().addresses == pair(number)
        assert node.add(f"c-{number}", pod(number)) == pair(number)
    node.assert_in_use({"c-2": pair(2), "c-3": pair(3)})


def del_by_another_conf():
    """Ranges moved, broken, gone, other keys of ours; several at once with ADDs under the new ranges."""
    node = node_at("r9")
    confs = [{"ranges": MOVED}, {"ranges": None}, {"ranges": [[{"subnet": "10.9.0.0/33"}]]}, {"ranges": "none"},
             {"ranges": [], "subnet": "10.77.0.0/24"}, {"pins": {POD: ["10.9.0.99"]}, "exclude": ["10.9.0.0/24"]}]
    homes = {number: node.add(f"old-{number}", pod(number)) for number in range(len(confs))}
    live = all_at_once(node, [node.request("DEL", f"old-{number}", pod(number), **conf)
                              for number, conf in enumerate(confs)] + adds(node, "new", range(50, 54), ranges=MOVED))
    node.assert_in_use(live)
    for number, home in homes.items():
        assert node.add(f"next-{number}", pod(number)) == home, confs[number]


def del_without_data_dir():
    """dataDir has left the configuration: the network's folders that are known are searched."""
    node = node_at("r9-folder")
    home = node.add("old", POD)
    env, conf = node.request("DEL", "old", POD)
    conf["ipam"] = {"type": "delegated-ipam", "stateDir": node.state_dir}
    done = plugin.run(BINARY, env, conf)
    assert done.exit == 0 and not node.attachments(), done
    assert node.add("new", POD) == home


def subnet_moved():
    """Held addresses outside today's ranges are not given, and are the pod's again when the ranges come back."""
    node = node_at("r10")
    homes = {number: node.add(f"old-{number}", pod(number)) for number in range(6)}
    all_at_once(node, dels(node, "old", homes))
    new_boot()
    moved = all_at_once(node, adds(node, "moved", homes, ranges=MOVED))
    node.assert_in_use(moved)
    for number, (_, v6) in homes.items():
        got = moved[f"moved-{number}"]
        assert got[0].startswith("10.8.0.") and got[1] == v6, f"pod {number}: {got}"
    all_at_once(node, dels(node, "moved", homes))
    back = all_at_once(node, adds(node, "back", [*homes, *range(50, 54)]))
    node.assert_in_use(back)
    assert {number: back[f"back-{number}"] for number in homes} == homes


def del_with_less():
    """Without CNI_ARGS and CNI_NETNS, with an empty one, with one that is gone or is no namespace: all at once."""
    node = node_at("r11")
    ways = [None, "", "/run/netns/gone", "/proc/999999999/ns/net", node.home, "/etc/passwd"]
    homes = {number: node.add(f"old-{number}", pod(number)) for number in range(len(ways))}
    all_at_once(node, [node.request("DEL", f"old-{number}", netns=netns) for number, netns in enumerate(ways)])
    node.assert_in_use({})
    back = all_at_once(node, adds(node, "new", [*homes, *range(50, 54)]))
    assert {number: back[f"new-{number}"] for number in homes} == homes


def two_live_pods():
    """Two sandboxes of one pod, both alive: each has its own address, and the newest one is the pod's."""
    node = node_at("r12")
    with Namespace("a") as there, Namespace("b") as here:
        old = node.add("old", POD, uid="1", netns=there.path)
        new = node.add("new", POD, uid="2", netns=here.path)
        node.assert_in_use({"old": old, "new": new})
        node.delete("old", POD, uid="1", netns=there.path)
        node.assert_in_use({"new": new})
        node.delete("new", POD, uid="2", netns=here.path)
        assert node.add("next", POD, uid="2", netns=here.path) == new


def live_pods_at_once():
    """Eight sandboxes of one pod at the same time, the old one alive: nine different pairs of addresses."""
    node = node_at("r12-many")
    with Namespace("a") as there:
        live = {"old": node.add("old", POD, netns=there.path)}
        live.update(all_at_once(node, [node.request("ADD", f"new-{n}", POD, netns=there.path) for n in range(8)]))
        node.assert_in_use(live)
        all_at_once(node, [node.request("DEL", name, POD) for name in live])
        node.assert_in_use({})
        assert node.add("next", POD) in list(live.values())


def one_family_full():
    """IPv4 has room, IPv6 has three addresses: of ten ADDs at once three succeed, and seven leave nothing."""
    node = node_at("r13", [DUAL[0], small(2, 4)[1]])
    outcomes = race.at_once(node, adds(node, "new", range(10)))
    live = {f"new-{number}": outcome.addresses for number, outcome in enumerate(outcomes) if outcome.exit == 0}
    assert len(live) == 3 and all(len(addresses) == 2 for addresses in live.values()), live
    for outcome in outcomes:
        if outcome.exit != 0:
            assert_exhausted(outcome)
    node.assert_in_use(live)
    owners = {binding.owner for binding in node.bindings().values()}
    assert len(node.bindings()) == 6 and len(owners) == 3, f"bindings of failed ADDs: {node.bindings()}"


def second_family_fails():
    """A pod's own addresses are free, but the second cannot be linked: both stay held, as before."""
    node = node_at("r13-own")
    home = node.add("old", POD)
    node.delete("old", POD)
    before = node.bindings()
    for name, occurrence, error in (("linkat", 2, "ENOSPC"), ("linkat", 2, "EIO"), ("fsync", 1, "EIO")):
        outcome, _, _ = trace.inject(BINARY, *node.request("ADD", "new", POD), name, occurrence, f"error={error}")
        assert outcome.exit == 1, f"{name} {error}: {outcome}"
        node.assert_in_use({})
        assert node.bindings() == before, f"{name} {error}: {node.bindings()}"
    assert node.add("new", POD) == home


TESTS = [
    ("R7: an ADD that dies with the power at any change of the disk leaves every address its owner's",
     power_cut_in_the_middle),
    ("R7: torn files of another boot are healed, files with content are not touched", torn_files),
    ("an ADD whose file was deleted meanwhile leaves the next file alone, which has the same inode number",
     inode_comes_again),
    ("R8: the same ADD twelve times at once has one answer", same_add_at_once),
    ("R8: an ADD repeated before the first one's answer has the same one", add_again_before_the_answer),
    ("R9: a DEL under changed, broken or missing ranges releases, and the addresses stay held", del_by_another_conf),
    ("R9: a DEL without dataDir finds the folder of its network", del_without_data_dir),
    ("R10: held addresses outside a moved subnet are not given, and come back with it", subnet_moved),
    ("R11: a DEL without CNI_ARGS, without CNI_NETNS or with a dead one releases and holds", del_with_less),
    ("R12: two live sandboxes of one pod have two addresses, the newest is kept", two_live_pods),
    ("R12: eight more at once have eight different ones", live_pods_at_once),
    ("R13: ADDs at once with one family full have both addresses or leave nothing", one_family_full),
    ("R13: an ADD whose second address fails gives the first one back and keeps both held", second_family_fails),
]


def tests():
    for sentence, test in TESTS:
        yield sentence, test


if __name__ == "__main__":
    tap.main("races, the store", tests,
             sandbox.enter, fake_boots, lambda: require(BINARY), lambda: print(f"# seed {SEED}, set SEED to change it"))
