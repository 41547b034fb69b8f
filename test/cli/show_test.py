#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""show: all that is known of a pod or an address, and which step of the choice decides the pod's next ADD: what it says
is what the plugin then does.

usage: show_test.py [--update] [WORD ...]

--update writes show.golden.txt from what the tool says now: read the difference before you keep it.
"""
import json
import os
import shutil

import sandbox
import tap
import tool
from golden import Golden
from looked_at import BOOTS, Looked, changes_in, snapshot, traced
from node import fake_boots, new_boot
from plugin import BINARY, require

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = "/var/lib/cni/show"
FIVE = [[{"subnet": "10.9.0.0/29"}]]  # .2 to .6
KEEPS = {"exclude": ["10.9.0.12-10.9.0.13"], "pins": {"shop/pinned": ["10.9.0.9"]}}
SUBJECTS = [("web-0",), ("shop/web-2",), ("web-3", "-n", "shop"), ("shop/pinned",), ("shop/new",), ("new",),
            ("10.9.0.1",), ("10.9.0.3",), ("10.9.0.6",), ("10.9.0.12",), ("10.9.0.14",), ("fd00:9::5",), ("10.77.0.1",),
            ("shop/web-0", "-n", "default"), ("web-0", "-o", "wide"), ("shop/web-3", "-o", "json"),
            ("10.9.0.5", "-o", "yaml"), (), ("shop/",), ("a/b/c",), ("10.9.0.0/28",)]


def subjects(golden):
    with Looked(HOME, name="pods", **KEEPS) as node:
        node.tell_two_boots()
        for subject in SUBJECTS:
            node.calls(golden, "show")(" ".join(subject) or "nothing named", *subject)


def owners(node, subject):
    """What --history says of each boot: (when, address, pod, what)."""
    items = json.loads(tool.call("show", *node.look(), "--history", subject, "-o", "json").stdout)["owners"]
    return [(item["when"], item["address"], item["pod"], item["what"]) for item in items]


def tell_four_boots(node):
    """A pod that keeps its address, one that loses it to a stranger while it is away and takes another's, one that ended long ago."""
    new_boot(BOOTS[0])
    for number in range(3):
        node.add(f"a{number}", f"shop/web-{number}")
    node.delete("a2", "shop/web-2")
    new_boot(BOOTS[1])
    node.delete("a0", "shop/web-0")
    node.add("b0", "shop/web-0")
    node.delete("a1", "shop/web-1")
    new_boot(BOOTS[2])
    node.delete("b0", "shop/web-0")
    node.add("c0", "shop/web-0")
    new_boot(BOOTS[3])
    node.delete("c0", "shop/web-0")
    node.add("d0", "shop/web-0")
    for number in range(4):
        node.add(f"n{number}", f"other/new-{number}")
    node.delete("n0", "other/new-0")
    node.add("d1", "shop/web-1")


def by_boot(golden):
    """Who had an address in which boot, as far as it was recorded; what was not is said to be not recorded."""
    with Looked(HOME, FIVE, name="pods") as node:
        tell_four_boots(node)
        for subject in ("shop/web-0", "shop/web-1", "10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.6", "other/new-0",
                        "shop/nobody", "10.77.0.1"):
            node.calls(golden, "show")(f"{subject} --history", subject, "--history")
        node.calls(golden, "show")("--history as JSON", "10.9.0.4", "--history", "-o", "json")


def not_recorded():
    """Of boots before the sixteen that are known nothing is told; nor is anything made up where the lists are gone."""
    with Looked(HOME, FIVE, name="pods") as node:
        new_boot(BOOTS[0])
        node.add("a0", "shop/web-0")
        node.add("x0", "shop/web-1")
        for number in range(1, 20):
            new_boot(f"{0xb0070100 + number:08x}-0000-4000-8000-000000000000")
            node.delete("x0", "shop/web-1")
            node.add("x0", "shop/web-1")
        said = owners(node, "shop/web-0")
        assert len(said) == 17 and said[0][3] == "dead for it: no ADD in this boot", said
        assert {what for _, _, _, what in said[1:16]} == {"kept for it: no ADD in this boot"}, said
        assert said[16] == ("before these boots", None, None, "not recorded"), said
        assert owners(node, "shop/web-1") == [
            ("this boot", "10.9.0.3", "web-1", "in-use, given by an ADD of this boot; kept: 19"),
            ("1 boot ago", "10.9.0.3", "web-1", "its when the boot ended"),
            ("2 boots ago and before", None, None, "not recorded")], owners(node, "shop/web-1")
        os.unlink(f"{node.record_dir}/boots")
        os.unlink(f"{node.record_dir}/pod.shop_web-1@eth0")
        assert owners(node, "shop/web-1") == [
            ("this boot", "10.9.0.3", "web-1", "in-use, given by an ADD of this boot; kept: 19"),
            ("before these boots", None, None, "not recorded")], owners(node, "shop/web-1")


def given_up_by_hand():
    """What was done by hand is told with its boot, and what was announced and not done is not."""
    with Looked(HOME, FIVE, name="pods") as node:
        tell_four_boots(node)
        node.delete("n1", "other/new-1")
        address = next(name for name, one in node.bindings().items() if one.pod == "new-1")
        assert tool.call("release", *node.look(), "other/new-1", "--apply").exit == tool.FINE
        assert owners(node, address)[0] == ("this boot", address, "new-1", "by hand, release: held became free")
        path = f"{node.record_dir}/audit"
        with open(path) as file:
            line = json.loads(file.read())
        with open(path, "a") as file:
            file.write(json.dumps({**line, "becomes": "held", "why": "in use, or used since it was looked at"}) + "\n")
        assert "by hand" not in json.dumps(owners(node, address)), owners(node, address)


def damaged(golden):
    """What is damaged is told of the address that is asked for, and of no other."""
    with Looked(HOME, name="pods", **KEEPS) as node:
        node.tell_two_boots()
        node.damage()
        for address in ("10.9.0.7", "10.9.0.8", "10.9.0.10", "10.9.0.11", "10.9.0.14"):
            assert node.calls(golden, "show")(f"damaged {address}", address).exit == tool.FOUND
        assert tool.must("show", *node.look(), "10.9.0.2")


def told(node, pod):
    """What it says of a pod's next ADD: (address, step), those of all its rows alike."""
    done = tool.call("show", *node.look(), pod, "-o", "json")
    said = {(item["nextAddress"], item["nextStep"]) for item in json.loads(done.stdout)["items"]}
    assert len(said) == 1, done
    return said.pop()


def agree(node, pod, step, container_id):
    """The step is this one, and an ADD gets the address that was told."""
    address, told_step = told(node, pod)
    got = node.add(container_id, pod)
    assert (told_step, got) == (step, [address]), f"{pod}: told {address} by step {told_step}, got {got}"


def each_step():
    """One ADD after the other is foretold: pin, own held, taken over, free, evicted, of a dead one."""
    with Looked(HOME, FIVE, name="pods", pins={"shop/pinned": ["10.9.0.6"]}) as node:
        new_boot(BOOTS[0])
        agree(node, "shop/pinned", 1, "p0")
        for number, container_id in enumerate(("a0", "b0", "c0", "d0")):
            agree(node, f"shop/web-{number}", 4, container_id)
        node.delete("b0", "shop/web-1")
        agree(node, "shop/web-1", 3, "b1")
        node.delete("c0", "shop/web-2")
        agree(node, "shop/other", 5, "o0")
        node.delete("a0", "shop/web-0")
        new_boot(BOOTS[1])
        node.add("n0", None)  # a plain caller takes web-0's; the boot scan of this ADD begins the boot
        agree(node, "shop/web-1", 3, "b2")  # its old sandbox was never deleted
        agree(node, "shop/newcomer", 6, "x0")
        agree(node, "shop/pinned", 1, "p1")


def round_robin_of_two_families():
    """The cursor of each set counts, and the wrap behind the last address."""
    with Looked(HOME, [[{"subnet": "10.9.0.0/29"}], [{"subnet": "fd00:9::/125"}]], name="pods") as node:
        for number in range(12):
            done = tool.call("show", *node.look(), f"shop/job-{number}", "-o", "json")
            item, = json.loads(done.stdout)["items"]
            told_addresses = [part.split(",")[0] for part in item["next"].split("; ")]
            assert node.add(f"c{number}", f"shop/job-{number}") == told_addresses, item
            node.delete(f"c{number}", f"shop/job-{number}")
            if number % 3 == 0:
                continue
            node.add(f"e{number}", None)
            node.delete(f"e{number}", None)


def nothing_left():
    """A pool in which nothing can be given to anybody."""
    with Looked(HOME, FIVE, name="pods") as node:
        for number in range(5):
            node.add(f"c{number}", f"shop/web-{number}")
        item, = json.loads(tool.call("show", *node.look(), "shop/new", "-o", "json").stdout)["items"]
        assert item["nextAddress"] is None and item["next"].startswith("fails: failed to allocate for range 0"), item
        assert told(node, "shop/web-3") == ("10.9.0.5", 3)


def excluded_from_retention():
    """A pod that is not to be held begins anew each time."""
    with Looked(HOME, FIVE, name="pods", retain={"exclude": ["batch/*"]}) as node:
        node.add("c0", "batch/job")
        agree(node, "batch/job", 4, "c1")


def a_lost_record():
    """An ADD does not find what the pod's own record does not lead to."""
    with Looked(HOME, FIVE, name="pods") as node:
        node.add("a0", "shop/web-0")
        os.unlink(f"{node.record_dir}/pod.shop_web-0@eth0")
        agree(node, "shop/web-0", 4, "a1")


def kept_no_more():
    """Records of before do not count where nothing is kept."""
    with Looked(HOME, FIVE, name="pods") as node:
        node.add("a0", "shop/web-0")
        node.delete("a0", "shop/web-0")
        node.ipam["retain"] = False
        node.configure(node.conf())
        agree(node, "shop/web-0", 4, "a1")


def never_writes():
    with Looked(HOME, name="pods", **KEEPS) as node:
        node.tell_two_boots()
        before = snapshot(HOME, "/run")
        for subject in ("shop/web-0", "10.9.0.4", "shop/new"):
            _, calls = traced(BINARY, "show", *node.look(), subject, "--history")
            assert not changes_in(calls), changes_in(calls)
        assert snapshot(HOME, "/run") == before


def two_networks():
    """A pod in two networks, one of which only host-local ever wrote."""
    with Looked(HOME, name="pods") as node, Looked(f"{HOME}-stock", FIVE, name="stock") as stock:
        node.add("c0", "shop/web-0")
        os.makedirs(stock.network_dir)
        stock.write("networks/stock/10.9.0.2", "c0\r\neth0")
        stock.cache("c0", "shop/web-0", ["10.9.0.2"])
        node.write("net.d/20-stock.conflist", {"cniVersion": "1.0.0", "name": "stock", "plugins": [
            {"type": "bridge", "ipam": {"type": "host-local", "dataDir": stock.data_dir, "ranges": FIVE}}]})
        items = json.loads(tool.must("show", "--conf", node.conf_dir, "web-0", "-o", "json"))["items"]
        assert [(item["network"], item["address"], item["nextStep"]) for item in items] == [
            ("pods", "10.9.0.2", 3), ("pods", "fd00:9::2", 3), ("stock", "10.9.0.2", None)], items
    shutil.rmtree("/var/lib/cni/results")


def tests(golden):
    golden.begin()
    return [
        ("pods and addresses in every state, and what there is not", subjects, golden),
        ("who had it, boot by boot", by_boot, golden),
        ("what was not recorded is not made up", not_recorded),
        ("what was given up by hand has its place among the boots", given_up_by_hand),
        ("damaged entries are told of their own address", damaged, golden),
        ("each step of the choice is foretold as the plugin does it", each_step),
        ("the round robin is foretold for both families", round_robin_of_two_families),
        ("an ADD that would fail", nothing_left),
        ("a pod that is not held", excluded_from_retention),
        ("a pod whose own record is lost", a_lost_record),
        ("a network that keeps nothing any more", kept_no_more),
        ("a pod in two networks", two_networks),
        ("never a system call that changes a file", never_writes),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/show.golden.txt") as kept:
        tap.main("show", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots)
