#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What one namespace's pods can do to another's addresses: nothing, however they ask and however many they are."""
import os
import re

import sandbox
import tap
import trace
from conf_node import ALL, SMALL, ConfNode
from node import args_of, fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require
from tap import Skip

VICTIM = "bank/web-0"
THIEF = "evil/thief"
IPS = "delegated-ipam.io/ips"
KEPT = "is kept for a pod of another namespace"

# How a pod's author, or Multus for him, asks for an address: what of ConfNode.add() says so.
WAYS = {
    "the annotation": lambda address: {"annotations": {IPS: address}},
    "args.cni.ips": lambda address: {"top": {"args": {"cni": {"ips": [address]}}}},
    "runtimeConfig.ips": lambda address: {"top": {"runtimeConfig": {"ips": [f"{address}/28"]}}},
    "IP= in CNI_ARGS": lambda address: {"args": f"{args_of(THIEF)};IP={address}"},
}


def in_process():
    return ConfNode(SMALL)


def run_host_local():
    if not os.path.exists(HOST_LOCAL):
        raise Skip(f"needs {HOST_LOCAL}: apt-get install containernetworking-plugins")
    return ConfNode(SMALL, inProcess=False)


NODES = {"the built-in allocator": in_process, "host-local that is run": run_host_local}


def refused(node, way, address, container_id="c-thief"):
    """The thief asks; what he is told names nobody."""
    text = node.refused(7, KEPT, address, container_id=container_id, pod=THIEF, **WAYS[way](address))
    assert "bank" not in text and "web-0" not in text, text


def held_is_not_had(way, make):
    node = make()
    home, = node.restart("c-1", VICTIM)
    refused(node, way, home)
    assert node.add("c-2", VICTIM) == [home]


def after_reboot(way, make):
    """The victim's old sandbox was never deleted, and nobody has asked for the address yet."""
    node = make()
    home, = node.add("c-1", VICTIM)
    new_boot()
    refused(node, way, home)
    assert node.add("c-2", VICTIM) == [home]


def own_and_free(way, make):
    """A free address can be asked for, and what one's own namespace holds."""
    node = make()
    assert node.add("c-1", THIEF, **WAYS[way]("10.9.0.9")) == ["10.9.0.9"]
    node.delete("c-1", THIEF)
    node.restart("c-2", "evil/other")
    assert node.add("c-3", THIEF, **WAYS[way]("10.9.0.9")) == ["10.9.0.9"]


def any_is_any(way, make):
    node = make()
    home, = node.restart("c-1", VICTIM)
    assert node.add("c-2", THIEF, requests="any", **WAYS[way](home)) == [home]


def none_is_none(way, make):
    node = make()
    node.refused(7, 'ipam.requests is "none"', pod=THIEF, requests="none", **WAYS[way]("10.9.0.9"))
    assert node.add("c-1", THIEF, requests="none")


def unnamed_dead():
    """After a reboot an address without a binding is its sandbox's until the DEL."""
    node = ConfNode(SMALL, retain={"exclude": ["bank/*"]})
    home, = node.add("c-1", "bank/job")
    new_boot()
    node.refused(11, "has not been deleted", home, pod=THIEF, annotations={IPS: home})
    node.delete("c-1", "bank/job")
    assert node.add("c-2", THIEF, annotations={IPS: home}) == [home]


def operator():
    """podman's `--ip`: a caller that names no pod."""
    node = ConfNode(SMALL)
    home, = node.restart("c-1", VICTIM)
    assert node.add("c-2", args=f"IP={home}") == [home]


def pins_protect():
    node = ConfNode(SMALL, pins={VICTIM: ["10.9.0.9"]}, requests="any")
    node.refused(7, "is pinned to", pod=THIEF, annotations={IPS: "10.9.0.9"})


def one_shot_pods():
    """Three times as many pods as there are addresses, one after another."""
    node = ConfNode(SMALL)
    homes = {name: node.restart(f"c-{name}", f"bank/{name}") for name in ("web-0", "web-1", "db-0")}
    for number in range(3 * len(ALL)):
        node.restart(f"c-evil-{number}", f"evil/job-{number}")
    for name, home in homes.items():
        assert node.add(f"c-back-{name}", f"bank/{name}") == home, f"bank/{name} lost {home}"


def interface_names():
    """One pod with many interfaces is one tenant as well, and is held on 16 of them at most."""
    node = ConfNode([[{"subnet": "10.9.0.0/24"}]])
    home = node.restart("c-1", VICTIM)
    for number in range(140):
        node.add("c-many", THIEF, ifname=f"net{number}")
    for number in range(140):
        node.delete("c-many", THIEF, ifname=f"net{number}")
    held = [binding for binding in node.bindings().values() if binding.owner == THIEF]
    assert 16 <= len(held) < 16 + 64, f"{len(held)} bindings of one pod"  # counted at every 64th DEL
    assert node.add("c-2", VICTIM) == home


def stranger_pays_last():
    """A namespace that holds nothing takes from the one that holds most."""
    node = ConfNode(SMALL)
    home = node.restart("c-1", VICTIM)
    for number in range(len(ALL) - 1):
        node.restart(f"c-evil-{number}", f"evil/job-{number}")
    node.add("c-third", "third/pod")
    assert node.add("c-2", VICTIM) == home


def many_requests():
    """37 000 addresses in a legal annotation of 250 KB."""
    node = ConfNode(SMALL)
    node.restart("c-1", VICTIM)
    text = ",".join(f"10.{i >> 8}.{i & 255}" + ".1" for i in range(37_000))[:250_000].rpartition(",")[0]
    env, conf = node.request("ADD", "c-many", THIEF, annotations={IPS: text})
    done, calls, _ = trace.run(BINARY, env, conf)
    assert done.json["code"] == 7 and "at most 16 may be" in done.json["msg"], done.stdout[:500]
    assert not [call for call in calls if call.name == "flock"], "the network was locked"
    assert len(done.stdout) < 1000 and len(done.stderr) < 1000, "the annotation came back"


def lock_held(text):
    """The lines of strace's output between taking the network's lock and giving it back, and how long that was."""
    lines = text.splitlines()
    first = next(place for place, line in enumerate(lines) if " flock(" in line and "LOCK_EX" in line)
    descriptor = re.search(r"flock\((\d+)<", lines[first])[1]
    last = next(place for place, line in enumerate(lines)
                if place > first and re.search(rf" (flock|close)\({descriptor}<[^,]*(, LOCK_UN)?\)", line))
    moments = [float(re.search(r"\d{9,}\.\d+", lines[place])[0]) for place in (first, last)]
    return lines[first:last], moments[1] - moments[0]


def under_the_lock():
    """The most that may be asked for costs no more under the network's lock than asking for nothing."""
    counts = {}
    for number in (0, 1, 16):
        node = ConfNode([[{"subnet": "10.9.0.0/24"}]])
        node.restart("c-1", VICTIM)
        addresses = [f"10.{9 if i == 0 else 8}.0.{i + 9}" for i in range(number)]
        annotations = {"filler": "x" * 200_000, **({IPS: ",".join(addresses)} if addresses else {})}
        env, conf = node.request("ADD", "c-1", THIEF, annotations=annotations)
        _, _, text = trace.run(BINARY, env, conf, options=("-ttt",))
        held, seconds = lock_held(text)
        counts[number] = len(held)
        print(f"# {number} requests: {len(held)} system calls under the lock, {1000 * seconds:.1f} ms under strace")
    assert counts[16] <= counts[0] + 16, counts


def tests():
    for sentence, test in (("what is held for another namespace is not had", held_is_not_had),
                           ("after a reboot neither", after_reboot),
                           ("what is free, or held for the own namespace, is had", own_and_free),
                           ('with "any" everything is had', any_is_any),
                           ('with "none" nothing is had', none_is_none)):
        for name, make in NODES.items():
            for way in WAYS:
                yield f"asking by {way}, {name}: {sentence}", test, way, make
    yield "what is recorded for a dead sandbox, and bound to nobody, is not had before its DEL", unnamed_dead
    yield "a caller without a pod speaks for the operator", operator
    yield 'a pin is not had with "any" either', pins_protect
    yield "many one-shot pods of a namespace end no binding of another", one_shot_pods
    yield "many interfaces of a pod end no binding of another, and few of them are held", interface_names
    yield "a namespace that holds nothing takes from the one that holds most", stranger_pays_last
    yield "a legal annotation with 37 000 addresses is refused before the lock", many_requests
    yield "what a pod's author writes does not keep the lock", under_the_lock


if __name__ == "__main__":
    tap.main("tenant", tests, sandbox.enter, lambda: require(BINARY), fake_boots)
