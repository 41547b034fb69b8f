"""Failure modes of the node around the store: clocks, moves, other addresses, many reboots. F7 to F14 and F28."""
import os
import shutil

import plugin
from modes_store import DUAL, POD, node_at
from node import Node, new_boot
from patient import code_of

TINY = [[{"subnet": "10.9.0.0/29"}]]  # five addresses for pods
LONG_AGO, FAR_AHEAD = 0, 4_000_000_000  # seconds of 1970 and 2096


def touch(node, seconds):
    """Give every file in the network folder this time of change, as a wrong clock does."""
    for name in node.entries():
        os.utime(os.path.join(node.network_dir, name), (seconds, seconds))


def fresh_clock():
    """A wrapper that starts the clocks since boot near zero, as a reboot does."""
    with open("/proc/uptime") as file:
        uptime = int(float(file.read().split()[0]))
    return "unshare", "--time", "--fork", f"--boottime={10 - uptime}", f"--monotonic={10 - uptime}"


def clocks():
    """File times jump between 1970 and 2096 and the boot clock starts anew: the order of DELs alone decides."""
    node = node_at("clocks", TINY)
    home = {number: node.add(f"c-{number}", f"shop/web-{number}")[0] for number in range(5)}
    order = (2, 0, 4, 1, 3)
    for place, number in enumerate(order):
        touch(node, FAR_AHEAD if place % 2 else LONG_AGO)
        node.delete(f"c-{number}", f"shop/web-{number}")
    new_boot()
    wrapper = fresh_clock()

    def call(verb, container_id, pod):
        return plugin.run(node.binary, *node.request(verb, container_id, pod), wrapper=wrapper)

    evicted = [call("ADD", f"c-new-{number}", f"shop/new-{number}").addresses[0] for number in range(4)]
    assert evicted == [home[number] for number in order[:4]], f"{evicted}, not in the order of the DELs of {home}"
    assert call("ADD", "c-back", "shop/web-3").addresses == [home[3]]
    for verb in ("DEL", "DEL", "ADD"):
        done = call(verb, "c-back", "shop/web-3")
        assert done.exit == 0, f"{verb} with the clock started anew: {done}"
    node.assert_sound()


def data_preserved():
    """A new image on the old data: all sandboxes are unknown to the runtime, and no DEL ever comes."""
    node = node_at("preserved", DUAL)
    home = {f"shop/web-{number}": node.add(f"c-{number}", f"shop/web-{number}") for number in range(10)}
    new_boot()
    stay = list(home)[:6]
    got = {pod: node.add(f"c-new-{pod[-1]}", pod) for pod in reversed(stay)}
    assert got == {pod: home[pod] for pod in stay}
    strangers = [node.add(f"c-s-{number}", f"shop/stranger-{number}")[0] for number in range(7)]
    assert len({*strangers, *(addresses[0] for addresses in got.values())}) == 13
    assert len(node.attachments()) == 26, "an attachment of the old image is left"
    assert code_of(node.call("ADD", "c-full", "shop/full")) != 0, "one address too many"


def cloned():
    """A copy of the disk on a node with another range: nothing of the first node is handed out there.

    (With equal ranges on both nodes, nobody could tell without asking the cloud.)
    """
    node = node_at("cloned", DUAL)
    home = node.add("c-1", POD)
    node.add("c-2", "shop/held")
    node.delete("c-2", "shop/held")
    shutil.copytree(node.home, f"{node.home}-first", symlinks=True)
    new_boot()
    clone = Node(node.home, [[{"subnet": "10.10.0.0/28"}], [{"subnet": "fd00:10::/120"}]])
    got = [clone.add(f"c-clone-{pod}", f"shop/{pod}") for pod in ("held", "web-0")]
    assert got == [["10.10.0.2", "fd00:10::2"], ["10.10.0.3", "fd00:10::3"]], got
    shutil.rmtree(node.home)
    shutil.move(f"{node.home}-first", node.home)
    new_boot()
    assert node.add("c-3", POD) == home
    assert node.addresses_of("c-1") == [], "a copy that split the links left a part of the dead attachment"


def renamed():
    """Neither NODE_NAME nor the host name is part of what a pod is kept under."""
    folder = os.path.join(node_at("renamed").home, "nodes")
    os.makedirs(folder)
    for name in ("edge-1", "edge-2", "edge-3"):
        with open(os.path.join(folder, name), "w") as file:
            file.write("10.9.0.0/28\n")
    node = node_at("renamed", [], rangesFrom={"nodesDir": folder})

    def add(container_id, pod, **variables):
        env, conf = node.request("ADD", container_id, pod)
        done = plugin.run(node.binary, {**env, **variables}, conf, wrapper=host_named("edge-2"))
        assert done.exit == 0, done
        return done.addresses

    home = add("c-1", POD, NODE_NAME="edge-1")
    for variables in ({"NODE_NAME": "edge-2"}, {}, {"NODE_NAME": "edge-3"}):
        new_boot()
        add(f"c-other-{len(variables)}", "shop/other", **variables)
        assert add(f"c-{variables.get('NODE_NAME', 'none')}", POD, **variables) == home, variables


def host_named(name):
    """A wrapper that gives the host another name."""
    return "unshare", "--uts", "sh", "-c", f'hostname {name} && exec "$0"'


def cidr_changed():
    """Another pod CIDR: no address of the old one; back again: the old addresses, which nobody had lost."""
    node = node_at("cidr", DUAL)
    other = [[{"subnet": "10.10.0.0/28"}], [{"subnet": "fd00:10::/120"}]]
    node.add("c-first", "shop/first")
    home = node.add("c-1", POD)
    new_boot()
    moved = node.add("c-2", POD, ranges=other)
    assert moved == ["10.10.0.2", "fd00:10::2"]
    assert node.add("c-2", POD, ranges=other) == moved
    for boot, (ranges, expected) in enumerate(((DUAL, home), (other, moved), (DUAL, home))):
        new_boot()
        assert node.add(f"c-boot-{boot}", POD, ranges=ranges) == expected
    assert node.add("c-new", "shop/new") not in (home, moved)


def range_changed():
    """A smaller range, a new gateway, an exclude, a pin: addresses outside are dormant, running pods untouched."""
    changes = {
        "shrink": {"ranges": [[{"subnet": "10.9.0.0/28", "rangeStart": "10.9.0.5"}]]},
        "gateway": {"ranges": [[{"subnet": "10.9.0.0/28", "gateway": "10.9.0.3"}]]},
        "exclude": {"exclude": ["10.9.0.2-10.9.0.3"]},
        "pin": {"pins": {"shop/pinned": ["10.9.0.3"]}},
    }
    for name, change in changes.items():
        node = node_at(f"range-{name}")
        node.add("c-running", "shop/running")
        home = node.add("c-1", POD)
        assert home == ["10.9.0.3"]
        node.delete("c-1", POD, **change)
        assert node.add("c-new", "shop/new", **change) != home, name
        assert node.addresses_of("c-running") == ["10.9.0.2"], name
        node.delete("c-running", "shop/running", **change)
        assert "10.9.0.2" not in node.attachments(), f"{name}: a DEL needs no range"
        assert node.bindings()["10.9.0.3"].owner == POD, f"{name}: the binding is lost"
        assert node.add("c-2", POD) == home, f"{name}: changed back, but the pod is elsewhere"


def away_from_range():
    """While its address is outside, the pod runs on another one of the range."""
    node = node_at("away")
    home = node.add("c-1", POD)
    node.delete("c-1", POD)
    got = node.add("c-2", POD, exclude=home)
    assert got != home and node.bindings()[home[0]].owner == POD, "the dormant binding is gone"
    node.delete("c-2", POD)
    assert node.add("c-3", POD, exclude=home) == got, "the newest address is the pod's while the old one is outside"


def claimed_twice():
    """Two pods' records name one address: its own record says whose it is, the other pod gets a fresh one."""
    node = node_at("twice")
    home = node.add("c-1", POD)
    other = node.add("c-2", "shop/other")
    for container_id, pod in (("c-1", POD), ("c-2", "shop/other")):
        node.delete(container_id, pod)
    hint = next(path for path in node.records() if "pod." in path and "other" in path)
    wrong = os.path.join(node.state_dir, hint)
    target = os.readlink(wrong)
    assert other[0] in target
    os.unlink(wrong)
    os.symlink(target.replace(other[0], home[0]), wrong)
    got = node.add("c-4", "shop/other")
    assert got != home, "it took what belongs to another pod"
    assert node.add("c-3", POD) == home
    node.assert_in_use({"c-3": home, "c-4": got})


def many_reboots():
    """Eight reboots without a DEL, every third during the boot: all kept, no growth. Fifty: reboots_test.py."""
    node = node_at("reboots", TINY)
    pods = [f"shop/web-{number}" for number in range(3)]
    home = {pod: node.add(f"c-0-{pod[-1]}", pod) for pod in pods}
    sizes = set()
    for boot in range(1, 9):
        new_boot()
        for pod in pods[:1] if boot % 3 == 0 else pods:
            assert node.add(f"c-{boot}-{pod[-1]}", pod) == home[pod], f"{pod} in boot {boot}"
        sizes.add((len(node.attachments()), len(node.entries())))
    assert sizes == {(3, 5)}, f"the folder grows: {sizes}"
    print_host_local_reboots(pods)


def print_host_local_reboots(pods):
    """What stock host-local does with the same; only measured."""
    if not os.access(plugin.HOST_LOCAL, os.X_OK):
        return
    node = node_at("reboots-stock", TINY, binary=plugin.HOST_LOCAL)
    done = [node.call("ADD", f"c-{boot}-{pod[-1]}", pod).exit == 0 for boot in range(9) for pod in pods]
    assert not all(done), "stock host-local kept up: the comparison means nothing"
    print(f"# host-local: {sum(done)} of {len(done)} ADDs succeed, the first failure in boot {done.index(False) // 3}")


def reconnected():
    """DELs of pods that the cloud deleted meanwhile: bindings stay, and end in order when nothing else is free."""
    node = node_at("reconnected")
    home = {number: node.add(f"c-{number}", f"shop/web-{number}")[0] for number in range(10)}
    new_boot()
    order = (7, 2, 9, 0, 5)
    for number in order:
        node.delete(f"c-{number}", f"shop/web-{number}")
    assert set(node.attachments()) == {home[number] for number in home if number not in order}
    assert {binding.owner for binding in node.bindings().values()} == {f"shop/web-{number}" for number in home}
    fresh = [node.add(f"c-new-{number}", f"shop/new-{number}")[0] for number in range(3)]
    assert not set(fresh) & set(home.values()), f"{fresh} was held, and there were free addresses"
    evicted = [node.add(f"c-more-{number}", f"shop/more-{number}")[0] for number in range(4)]
    assert evicted == [home[number] for number in order[:4]], f"{evicted} of {home}"
    assert node.add("c-back", f"shop/web-{order[4]}") == [home[order[4]]]
    node.assert_sound()


MODES = [
    ("F7: wrong clocks and file times change nothing, the order of DELs decides", clocks),
    ("F8: a new image on the old data keeps every address and leaks none", data_preserved),
    ("F9: a cloned disk hands out nothing of the first node's range", cloned),
    ("F10: a renamed node keeps its pods' addresses", renamed),
    ("F11: another pod CIDR gives fresh addresses, and the old ones when it comes back", cidr_changed),
    ("F12: shrink, gateway, exclude and pin make bindings dormant and touch no running pod", range_changed),
    ("F12: a pod whose address is outside the range runs on another one and keeps both", away_from_range),
    ("F13: an address that two pods' records name has one owner", claimed_twice),
    ("F14: eight reboots in a row, some in the middle of a boot: all kept, no growth", many_reboots),
    ("F28: after a long outage DELs free attachments, bindings end only when nothing else is free", reconnected),
]
