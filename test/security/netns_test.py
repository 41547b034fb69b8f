#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What CNI_NETNS and a pod's own things can make the product do: no command enters a namespace, waits for what lies at
the path, or writes behind it. (Forged links and MAC addresses: node/reach_rules_test.py.)

usage: netns_test.py [WORD ...]
"""
import os
import shutil
import tempfile

import plugin
import sandbox
import tap
import trace
from hand_made import HandMade
from live_netns import Namespace
from node import Node, fake_boots, new_boot
from odd import KINDS, Outside, remove
from plugin import BINARY, require

HOME = "/var/lib/cni/netns"
SMALL = [[{"subnet": "10.9.0.0/28"}]]
POD = "shop/web-0"
SECONDS = 30  # a call that still runs then hangs
# Nothing of ours is anywhere but where the caller put it.
ELSEWHERE = ("setns", "unshare", "clone", "clone3", "fork", "vfork", "mount", "umount2", "move_mount", "open_tree",
             "chroot", "pivot_root", "setuid", "setresuid", "ptrace", "process_vm_writev", "init_module", "finit_module",
             "bpf", "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "kill", "tkill",
             "tgkill")
VERBS = ("ADD", "CHECK", "DEL")


def call(node, verb, netns, container_id="c-1", traced=False):
    env, conf = node.request(verb, container_id, POD, netns=netns)
    if traced:
        done, calls, _ = trace.run(BINARY, env, conf, seconds=SECONDS)
        assert not {one.name for one in calls} & set(ELSEWHERE), [one for one in calls if one.name in ELSEWHERE]
        return done
    return plugin.run(BINARY, env, conf, timeout=SECONDS)


def odd_thing(kind):
    """At the path of the namespace: for a first ADD, for that of a pod whose sandbox had it, and after a reboot."""
    node = Node(f"{HOME}/node", SMALL)
    outside = Outside(f"{HOME}/outside")
    path = f"{HOME}/namespace"
    KINDS[kind](path, outside)
    for boot in range(2):
        home = call(node, "ADD", path, traced=True).addresses
        assert len(home) == 1 and call(node, "DEL", path).code == 0
        # Now somebody has had the address, which is to be announced.
        assert call(node, "ADD", path, traced=True).addresses == home
        assert call(node, "ADD", path).addresses == home
        assert call(node, "CHECK", path, traced=True).code == 0
        # The pod is made again, and its old sandbox's path is what it is.
        other = call(node, "ADD", "/var/run/netns/none", f"c-2-{boot}", traced=True).addresses
        assert len(other) == 1 and node.addresses_of("c-1") in ([], home), (other, node.attachments())
        for one in ("c-1", f"c-2-{boot}"):
            assert call(node, "DEL", path, one, traced=True).code == 0
        assert node.attachments() == {}
        new_boot()
    outside.assert_same()
    remove(path)


def spelled(name):
    """A path as long or as odd as it may be, with a real namespace there or not; a live one is never dead."""
    node = Node(f"{HOME}/node", SMALL)
    done = call(node, "ADD", name)
    assert done.code in (0, 4), done
    if done.exit != 0:
        return
    assert call(node, "ADD", name).addresses == done.addresses
    assert call(node, "DEL", name).code == 0 and node.attachments() == {}


def led_to_another():
    """A link to a running pod's namespace: the other one keeps its address, whoever comes and goes by the link."""
    node = Node(f"{HOME}/node", SMALL)
    with Namespace("security") as live:
        home = node.add("c-live", "shop/live", netns=live.path)
        link = f"{HOME}/link"
        os.symlink(live.path, link)
        for number in range(20):
            got = call(node, "ADD", link, f"c-{number}").addresses
            assert got and got != home
            assert call(node, "DEL", link, f"c-{number}").code == 0
        for number in range(12):
            assert call(node, "ADD", link, f"d-{number}").addresses not in ([], home)
        full = node.call("ADD", "d-more", netns=link)
        assert full.exit == 1 and node.addresses_of("c-live") == home, full


def announcing(scene):
    """An ADD that announces stays in the node's namespace, and opens nothing of the pod's but the namespace itself."""
    address, = scene.had_before()
    scene.plug("new")
    calls, text = scene.traced("ADD", "new")
    assert not {one.name for one in calls} & set(ELSEWHERE), text
    assert sum(one.name == "sendto" and "AF_PACKET" in one.args for one in calls) == 2, text
    assert len(scene.heard()) == 2
    opened = [one for one in calls if one.name == "openat" and scene.pod_netns("new") in one.args]
    assert len(opened) == 1 and "O_RDONLY" in opened[0].args and "O_NONBLOCK" in opened[0].args, opened
    assert address


def nodes_own(scene):
    """And the interface the bridge itself, a port of it, or none."""
    scene.had_before()
    scene.plug("new")
    env, conf = scene.request("ADD", "new")
    for ifname in ("cni0", "vethlistener", "eth0"):
        for command in ("ADD", "DEL", "ADD", "DEL"):  # who comes back has an address that somebody had
            env.update({"CNI_NETNS": scene.netns, "CNI_IFNAME": ifname, "CNI_COMMAND": command})
            done = plugin.run(scene.binary, env, conf, wrapper=("nsenter", f"--net={scene.netns}"))
            assert done.exit == 0 and scene.heard() == [], (done, ifname)
    assert scene.log().count("not announced: ") == 4, scene.log()


SPELLED = ["relative", "..", "/", "/proc/1/ns/net", "/proc/self/ns/net", "/proc/self/ns/mnt", "/proc/self/fd/0",
           "/proc/0/ns/net", "/run/a~b", "/run/a\nb", "/run/a\r\nb", "/run/ä", "/" + "x" * 300, "/" + "y/" * 3_000, "~",
           "1~2~3~4", "\x1b[2J"]


def fresh(test, *arguments):
    os.makedirs(HOME)
    try:
        test(*arguments)
    finally:
        shutil.rmtree(HOME)


def in_scene(test):
    with tempfile.TemporaryDirectory(prefix="netns.") as folder:
        with HandMade(f"{folder}/r", keys={"bridge": "cni0"}) as scene:
            test(scene)


def tests():
    for kind in KINDS:
        yield f"CNI_NETNS is {kind}: every verb answers, and nothing behind it changes", fresh, odd_thing, kind
    for name in SPELLED:
        yield f"CNI_NETNS is {ascii(name[:20])}: ADD, its repeat and DEL agree", fresh, spelled, name
    yield "CNI_NETNS is a link to a running pod's: that keeps its address", fresh, led_to_another
    yield "an announcing ADD enters no namespace", in_scene, announcing
    yield "CNI_NETNS is the node's own: nothing is announced", in_scene, nodes_own


if __name__ == "__main__":
    tap.main("netns", tests, sandbox.enter, lambda: require(BINARY), fake_boots)
