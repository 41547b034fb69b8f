#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What announcing an address must not become: looked at with a real bridge, the kernel's tables and a listener on it.

The product is called as the main plugin calls it, with links that were made by hand: a pod's namespace is its own.
"""
import os
import re
import socket
import tempfile

import plugin
import sandbox
import tap
from hand_made import HandMade

BRIDGE = {"bridge": "cni0"}
POD_MAC = "02:00:00:00:00:07"
MOST_CALLS = 48  # from the answer to the end, with IPv4
BROADCAST = b"\xff" * 6


def announced(scene):
    """What the others are measured by."""
    address, = scene.had_before()
    scene.plug("new", POD_MAC)
    scene.run("ip", "neighbour", "replace", address, "lladdr", "02:00:00:00:00:01", "nud", "stale", "dev", "cni0")
    assert scene.ipam("ADD", "new") == [address]
    frames = scene.heard()
    own = scene.show("link", "show", "dev", "cni0")[0]["address"]
    pod, bridge = (bytes.fromhex(mac.replace(":", "")) for mac in (POD_MAC, own))
    assert [frame[20:22] for frame in frames] == [b"\0\1", b"\0\2"], frames
    for frame in frames:
        assert frame[:6] == BROADCAST and frame[6:12] == bridge and frame[22:28] == pod, frame.hex()
        assert frame[28:32] == frame[38:42] == socket.inet_aton(address), frame.hex()
    assert "announced on cni0" in scene.log()
    left = [entry for entry in scene.show("neighbour", "show", "dev", "cni0") if entry["dst"] == address]
    assert all(entry.get("lladdr") != "02:00:00:00:00:01" for entry in left), left
    link = scene.show("link", "show", "dev", "eth0", netns=scene.pod_netns("new"))[0]
    assert "UP" not in link["flags"], "the pod's link was touched"


def nobody_before(scene):
    """Neither of the announcer's sockets is opened."""
    scene.plug("new")
    calls, text = scene.traced("ADD", "new")
    assert not sockets(calls), text
    assert scene.heard() == []


def cost(scene):
    """Told, and bounded."""
    scene.ours = {"logFile": None, "logLevel": None}
    scene.plug("first")
    ordinary, _ = scene.traced("ADD", "first", "other")
    scene.had_before()
    scene.plug("new")
    announcing, text = scene.traced("ADD", "new")
    assert len(sockets(announcing)) == 2, text
    own = announcing[place_of_answer(announcing) + 1:]
    print(f"# an ADD of a kept address: {len(announcing)} system calls, {len(own)} after the answer; "
          f"a new pod's: {len(ordinary)}")
    assert len(own) <= MOST_CALLS, "\n".join(f"{call.name}({call.args[:120]})" for call in own)


def place_of_answer(calls):
    return next(place for place, call in enumerate(calls) if call.name == "write" and call.args.startswith("1<"))


def sockets(calls):
    return [call for call in calls if call.name == "socket" and re.search("AF_NETLINK|AF_PACKET", call.args)]


def other_plugins(scene):
    """Without a key of bridge's and under other types no system call is made."""
    scene.keys = {}
    scene.had_before()
    scene.plug("new")
    for main in ("ptp", "macvlan", "ipvlan", "cilium-cni", "host-device"):
        calls, text = scene.traced("ADD", "new", type=main)
        assert not sockets(calls), f"{main}: {text}"
        scene.ipam("DEL", "new")
    assert scene.heard() == []


def no_link(scene):
    scene.had_before()
    scene.sandbox("new")
    scene.expect_silence("no link to the node's")


def both_ends_inside(scene):
    scene.had_before()
    scene.plug("new")
    netns = scene.pod_netns("new")
    scene.run("ip", "link", "set", "eth0", "name", "real", netns=netns)
    scene.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other", netns=netns)
    scene.expect_silence("no veth that leads out")


def another_kind(scene):
    scene.had_before()
    scene.plug("new")
    netns = scene.pod_netns("new")
    scene.run("ip", "link", "set", "eth0", "name", "real", netns=netns)
    scene.run("ip", "link", "add", "eth0", "link", "real", "type", "macvlan", netns=netns)
    scene.expect_silence("no veth that leads out")


def to_a_third_namespace(scene):
    """The pod moved a link of its own into another pod's namespace, with the index of somebody's port."""
    scene.had_before()
    scene.plug("new")
    netns = scene.pod_netns("new")
    port = scene.show("link", "show", "dev", "vethlistener")[0]["ifindex"]
    scene.run("ip", "link", "set", "eth0", "name", "real", netns=netns)
    scene.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "trick", "index", str(port), "netns",
              os.path.basename(scene.pod_netns("listener")), netns=netns)
    scene.expect_silence("does not end in the node's namespace")


def no_namespace(scene):
    scene.had_before()
    scene.plug("new")
    path = f"{scene.folder}/fifo"
    os.mkfifo(path)
    real, scene._pods["new"] = scene.pod_netns("new"), path
    try:
        scene.expect_silence("no network namespace")
    finally:
        scene._pods["new"] = real


def ports_mac(scene):
    scene.had_before()
    scene.plug("new", scene.show("link", "show", "dev", "vethlistener")[0]["address"])
    scene.expect_silence("MAC address")


def bridges_mac(scene):
    scene.had_before()
    scene.plug("new")
    own = scene.show("link", "show", "dev", "cni0")[0]["address"]
    scene.run("ip", "link", "set", "eth0", "address", own, netns=scene.pod_netns("new"))
    scene.expect_silence("MAC address")


def another_bridge(scene):
    scene.had_before()
    near = scene.plug("new")
    scene.run("ip", "link", "add", "cni1", "type", "bridge")
    scene.run("ip", "link", "set", near, "master", "cni1")
    scene.expect_silence("no port of the bridge")


def no_bridge(scene):
    scene.had_before()
    scene.plug("new")
    scene.expect_silence("none of the kernel's", bridge="vethlistener")


def own_address(scene):
    address, = scene.had_before()
    scene.plug("new")
    scene.run("ip", "address", "add", f"{address}/24", "dev", "lo")
    scene.expect_silence("the node itself has the address")


def port_out_of_the_node(scene):
    """A port that is neither a veth nor a tap: what it leads to is not looked into."""
    scene.had_before()
    scene.plug("new")
    scene.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    scene.run("ip", "link", "add", "uplink", "link", "lan0", "type", "macvlan", "mode", "passthru")
    scene.run("ip", "link", "set", "uplink", "master", "cni0", "up")
    scene.expect_silence("leads out of the node")


def fixed_entries(scene):
    """Announced, but what an operator has written into the node's table stays."""
    address, = scene.had_before()
    scene.plug("new")
    scene.run("ip", "neighbour", "replace", address, "lladdr", "02:00:00:00:00:01", "nud", "permanent", "dev", "cni0")
    scene.ipam("ADD", "new")
    assert len(scene.heard()) == 2
    entry, = [one for one in scene.show("neighbour", "show", "dev", "cni0") if one["dst"] == address]
    assert entry["state"] == ["PERMANENT"] and entry["lladdr"] == "02:00:00:00:00:01", entry


def no_second_burst(scene):
    """A repeated ADD of a pod that runs has nothing to tell."""
    scene.had_before()
    scene.plug("new")
    scene.ipam("ADD", "new")
    assert len(scene.heard()) == 2
    scene.run("ip", "link", "set", "eth0", "up", netns=scene.pod_netns("new"))
    scene.heard()
    scene.expect_silence("is up already")


def nobody_reads_the_answer(scene):
    """An ADD that is taken back is not announced."""
    scene.had_before()
    scene.plug("new")
    env, conf = scene.request("ADD", "new")
    full = ("sh", "-c", '"$@" >/dev/full', "sh", "nsenter", f"--net={scene.netns}")
    assert plugin.run(scene.binary, env, conf, wrapper=full).exit == 1
    assert scene.heard() == []


TESTS = [
    ("a kept address is announced in both forms, from the bridge, and the node's entry is gone", announced),
    ("an ADD of an address that nobody had opens no socket", nobody_before),
    ("what an announcing ADD costs", cost),
    ("other main plugins: no system call", other_plugins),
    ("a namespace without a link to the node", no_link),
    ("a forged link with both ends in the pod's namespace", both_ends_inside),
    ("a forged link of another kind", another_kind),
    ("a forged link into a third namespace", to_a_third_namespace),
    ("CNI_NETNS is a FIFO: nothing hangs, nothing is said", no_namespace),
    ("the MAC address of somebody's port", ports_mac),
    ("the MAC address of the bridge", bridges_mac),
    ("a port of another bridge than the configuration's", another_bridge),
    ("the configuration names something that is no bridge", no_bridge),
    ("an address of the node's own", own_address),
    ("a bridge with a port that leads out of the node", port_out_of_the_node),
    ("a permanent neighbour entry stays", fixed_entries),
    ("a repeated ADD of a running pod", no_second_burst),
    ("an ADD whose answer nobody takes", nobody_reads_the_answer),
]


def in_scene(folder, number, test):
    with HandMade(f"{folder}/r{number}", keys=BRIDGE) as scene:
        test(scene)


def tests():
    with tempfile.TemporaryDirectory(prefix="reach.") as folder:
        for number, (sentence, test) in enumerate(TESTS):
            yield sentence, in_scene, folder, number, test


if __name__ == "__main__":
    tap.main("reach rules", tests, sandbox.enter, lambda: plugin.require(plugin.BINARY))
