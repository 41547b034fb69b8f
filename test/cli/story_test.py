#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Three in the morning: 200 pods, seven of which are damaged, each in another way; and a reboot in which one was evicted.

What a stranger types, in this order, and what he is told: which pods are affected, what to do, whether the node may be
rebooted now. What he is told comes true.

usage: story_test.py [--update]

--update writes story.golden.txt from what the tool says now: read the difference before you keep it.
"""
import contextlib
import json
import os
import re
import shutil

import live_netns
import result_cache
import sandbox
import tap
import tool
from golden import Golden
from looked_at import BOOTS, alike, forwarding, on_disk, snapshot
from node import NO_NETNS, fake_boots, new_boot
from plugin import BINARY, require

HERE = os.path.dirname(os.path.abspath(__file__))
PODS = 200
WHOLE = [[{"subnet": "10.9.0.0/24"}]]
FULL = [[{"subnet": "10.9.0.0/24", "rangeStart": "10.9.0.2", "rangeEnd": f"10.9.0.{PODS + 1}"}]]
SHOWN = 3  # of many lines that are alike
ADDRESS = re.compile(r"\b10\.9\.0\.\d+\b")


def pod(number):
    """Each tenth pod is the bank's."""
    return f"bank/db-{number}" if number % 10 == 0 else f"shop/web-{number}"


def address(number):
    """What the pod gets when all are added one after the other."""
    return f"10.9.0.{number + 2}"


def start(node, number, boot="c", netns=NO_NETNS):
    """The pod's sandbox, and the runtime's note of it."""
    addresses = node.add(f"{boot}{number}", pod(number), uid=f"uid-{number}", netns=netns)
    node.cache(f"{boot}{number}", pod(number), addresses, netns=netns)
    return addresses


def end(node, number, boot="c"):
    node.delete(f"{boot}{number}", pod(number), uid=f"uid-{number}")
    os.unlink(result_cache.path(node.name, f"{boot}{number}"))


class Pods:
    """All pods, for a with block; those that are damaged later have a network namespace with a process in it."""

    def __init__(self, node):
        self._node = node
        self._alive = contextlib.ExitStack()

    def __enter__(self):
        new_boot(BOOTS[0])
        for number in range(PODS):
            netns = NO_NETNS
            if number in DAMAGES:
                netns = self._alive.enter_context(live_netns.Namespace(f"db-{number}")).path
            assert start(self._node, number, netns=netns) == [address(number)]
        return self

    def __exit__(self, *_):
        """The runtime's notes lie outside of the node's folder."""
        self.stop()
        shutil.rmtree(result_cache.FOLDER)

    def stop(self):
        """The machine goes down."""
        self._alive.close()


def file_of(node, number):
    return f"{node.network_dir}/{address(number)}"


def binding_of(node, number):
    return f"{node.record_dir}/ip.{address(number)}"


def hint_of(node, number):
    return f"{node.record_dir}/pod.{pod(number).replace('/', '_')}@eth0"


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def link(path, target):
    os.unlink(path)
    os.symlink(target, path)


def make_folder(path):
    os.unlink(path)
    os.mkdir(path)


# The number of each pod that is damaged, and how.
DAMAGES = {
    10: lambda node: write(file_of(node, 10), ""),
    20: lambda node: write(file_of(node, 20), "\0" * 10),
    30: lambda node: make_folder(file_of(node, 30)),
    40: lambda node: write(file_of(node, 40), "reserved by hand"),
    50: lambda node: os.unlink(binding_of(node, 50)),
    60: lambda node: link(binding_of(node, 60), "1~torn"),
    70: lambda node: link(hint_of(node, 70), "1~10.9.0.250~"),
}


def damage(node):
    for change in DAMAGES.values():
        change(node)


class Night:
    """A node, its pods, and the golden file; `when` is what has happened to the node, and in the titles there."""

    def __init__(self, node, pods, golden):
        self.node, self.pods, self.golden = node, pods, golden
        self.when = "in order"

    def type(self, command, *arguments, wrapper=()):
        """The command on this node; what it prints is as it was. Of many lines that are alike only the first are kept."""
        plugins = ("--bin-dir", self.node.bin_dir) if command == "check" else ()
        change = alike(self.node)
        title = f"{self.when}: {' '.join((command, *arguments))}"
        return self.golden.call(title, command, *self.node.look(), *plugins, *arguments, wrapper=wrapper,
                                alike=lambda text: folded(change(text).replace(" --bin-dir /node/bin", "")))

    def check(self, *arguments):
        return self.type("check", *arguments, wrapper=forwarding(1))


def folded(text):
    """Without most of the lines that tell of pods which have kept their address."""
    kept = [line for line in text.splitlines(keepends=True) if line.startswith("KEPT")]
    for line in kept[SHOWN:]:
        text = text.replace(line, "", 1)
    if len(kept) > SHOWN:
        text = text.replace(kept[SHOWN - 1], f"{kept[SHOWN - 1]}(and {len(kept) - SHOWN} more of these)\n", 1)
    return text


def in_use(node):
    return sorted(tool.call("list", *node.look(), "--state", "in-use", "-o", "name").stdout.split())


def findings(node, *command):
    return json.loads(tool.call(*(command or ("status",)), *node.look(), "-o", "json").stdout)["findings"]


def unsafe(node):
    """The numbers of the pods whose addresses are the reason why a reboot is not safe."""
    reason = json.loads(tool.call("status", *node.look(), "-o", "json").stdout)["reason"]
    return {number for number in range(PODS) if address(number) in ADDRESS.findall(reason or "")}


def reboot(node, ends_first=True):
    """All pods are made anew, one after the other, each with the DEL of its old sandbox before its ADD or after it; the
    numbers of those that are on another address now."""
    new_boot(BOOTS[1])
    moved = set()
    for number in range(PODS):
        if ends_first:
            end(node, number)
        if start(node, number, "d") != [address(number)]:
            moved.add(number)
        if not ends_first:
            end(node, number)
    return moved


def in_order(night):
    night.type("status")
    night.check()


def look(night):
    """The first screen has an address of each damaged pod, and its reason; each finding has its remedy."""
    night.when = "damaged"
    whole = night.type("status").stdout
    short = night.type("status", "-x").stdout
    assert whole.endswith(f"\n{short.split('; ', 1)[1]}"), "the line and the page say the same of a reboot"
    night.check()
    night.type("list", "-n", "bank", "-o", "wide")
    assert in_use(night.node) == sorted(map(address, range(PODS))), "what is damaged is given to nobody"
    named = set(ADDRESS.findall(whole))
    for number in DAMAGES:
        assert address(number) in named, f"{address(number)} is not on the first screen"
    assert named == {address(number) for number in DAMAGES} | {"10.9.0.0"}, named
    assert all(one["fix"] for one in findings(night.node)), findings(night.node)


def name_pods(night):
    """Whoever has read an address asks for it, and is told the pod, and what the pod's next ADD gets; and the reverse."""
    for number in DAMAGES:
        said = night.type("show", address(number)).stdout
        namespace, name = pod(number).split("/")
        assert re.search(f"^namespace: +{namespace}$", said, re.M) and re.search(f"^pod: +{name}$", said, re.M), said
        asked = tool.call("show", *night.node.look(), pod(number)).stdout
        assert asked == said, (asked, said)


def explain(night):
    for rule in dict.fromkeys(one["rule"] for one in findings(night.node) + findings(night.node, "check", "store")):
        said = night.golden.call(f"explained: {rule}", "check", "--explain", rule).stdout
        assert all(f"\n{word}: " in said for word in ("reboot", "fix")), said


def repair(night):
    """A dry run, then the same words; who is in use stays, file by file; what is left is what the tool leaves to people."""
    node = night.node
    before = in_use(node), snapshot(node.network_dir)
    dry = night.check("store", "--repair")
    done = night.check("store", "--repair", "--apply")
    assert done.stdout == dry.stdout, "it does what it said"
    assert (in_use(node), snapshot(node.network_dir)) == before, "no address was freed"
    night.when = "mended"
    night.type("status")
    assert unsafe(node) == {30, 40}, unsafe(node)


def by_hand(night):
    """What names nobody in the place of two pods' files is taken away while the pods run: a reboot is safe, and nobody
    else gets their addresses now. That the files are gone is told."""
    night.when = "done by hand"
    node = night.node
    os.rmdir(file_of(node, 30))
    os.unlink(file_of(node, 40))
    said = night.type("status").stdout
    assert said.endswith("\nsafe to reboot: yes\n"), said
    lost = night.check("store").stdout
    assert [number for number in range(PODS) if f"/{address(number)}: was removed" in lost] == [30, 40], lost
    given = set()
    while (done := node.call("ADD", f"n{len(given)}", f"shop/new-{len(given)}")).exit == 0:
        given.update(done.addresses)
    assert len(given) == 253 - PODS and not given & set(map(address, range(PODS))), given
    for number in range(len(given)):
        node.delete(f"n{number}", f"shop/new-{number}")


def heal(night):
    """It said that a reboot is safe."""
    night.when = "rebooted"
    night.pods.stop()
    assert reboot(night.node) == set()
    night.type("status")
    assert night.check().exit == tool.FINE
    night.type("report")
    night.node.assert_sound()


def rebooted_unmended(node, pods):
    """The power fails before anybody has mended anything. Pods whose records are gone are on the page as well, and get
    their addresses all the same, as the runtime's cache knows them."""
    assert unsafe(node) == {30, 40, 50, 60, 70}, unsafe(node)
    pods.stop()
    assert reboot(node, ends_first=False) == {30, 40, 70}


def rebooted_without_cache(node, pods):
    """Who moves is whom the page named, and nobody else does."""
    named = unsafe(node)
    pods.stop()
    shutil.rmtree(result_cache.FOLDER)
    os.mkdir(result_cache.FOLDER)
    new_boot(BOOTS[1])
    moved = {number for number in range(PODS) if node.add(f"d{number}", pod(number)) != [address(number)]}
    assert moved == named == {30, 40, 50, 60, 70}, (moved, named)


def evict(night):
    """Every address of the range is given out. After the boot a newcomer comes before the pod whose sandbox ended first."""
    node = night.node
    night.pods.stop()
    new_boot(BOOTS[1])
    for number in range(PODS):
        end(node, number)
    assert node.add("n", "bank/newcomer") == [address(0)], "of its own namespace, the one held longest"
    node.cache("n", "bank/newcomer", [address(0)])
    for number in range(1, PODS):
        assert start(node, number, "d") == [address(number)]
    refused = node.call("ADD", "d0", pod(0))
    assert refused.exit == 1, refused
    night.golden.check("the evicted pod's ADD", f"{refused.stdout}\n")


def tell_evicted(night):
    night.when = "one evicted"
    whole = night.type("report").stdout
    assert f"{PODS - 1} KEPT, 1 NEW, 0 MISSING, 0 UNREACHABLE, 1 EVICTED, 0 CHANGED" in whole, whole
    only = night.type("report", "--outcome", "EVICTED").stdout
    assert re.search(f"^EVICTED +bank +db-0 +eth0 +{re.escape(address(0))} +- +.*bank/newcomer$", only, re.M), only
    said = night.type("status").stdout
    assert "safe to reboot: " in said, said
    night.type("status", "-x")
    night.type("show", pod(0))
    night.type("show", address(0))
    night.type("list", "--state", "free")
    night.check("store")


def make_room(night):
    """One pod is taken off the node: the evicted one gets its address, and the report tells so."""
    night.when = "with room"
    node = night.node
    node.delete("d7", pod(7), uid="uid-7")
    night.type("show", pod(0))
    assert node.add("d0", pod(0), uid="uid-0") == [address(7)]
    night.type("report", "--outcome", "CHANGED")
    assert tool.call("status", *node.look(), "-x").stdout.endswith("safe to reboot: yes\n")


def tell(suite, golden):
    golden.begin()
    with on_disk("story", WHOLE) as node, Pods(node) as pods:
        night = Night(node, pods, golden)
        suite.run("200 pods, and nothing to say of them", in_order, night)
        damage(node)
        suite.run("seven are damaged: the first screen", look, night)
        suite.run("which pods these are", name_pods, night)
        suite.run("what each finding means", explain, night)
        suite.run("--repair mends records, and frees nothing", repair, night)
        suite.run("what is left to people, done by hand: a reboot is safe", by_hand, night)
        suite.run("after the reboot all have their addresses, and nothing is found", heal, night)
    for sentence, test in (("rebooted with the damage", rebooted_unmended),
                           ("rebooted with the damage, and without the runtime's cache", rebooted_without_cache)):
        with on_disk("story", WHOLE) as node, Pods(node) as pods:
            damage(node)
            suite.run(sentence, test, node, pods)
    with on_disk("story", FULL) as node, Pods(node) as pods:
        night = Night(node, pods, golden)
        suite.run("a full range, and a newcomer after the reboot", evict, night)
        suite.run("who was evicted, by whom, and what to do", tell_evicted, night)
        suite.run("with room for it the evicted pod is back", make_room, night)


if __name__ == "__main__":
    with Golden(f"{HERE}/story.golden.txt") as kept:
        tap.story("three in the morning", lambda suite: tell(suite, kept), lambda: require(BINARY), sandbox.enter, fake_boots)
