#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What outlives a boot and says nothing about the next one: /run where it is kept, process numbers in the runtime's cache.

usage: kept_run_test.py
"""
import glob
import json
import os

import nsmount
import result_cache
import sandbox
import tap
from crowd import DUAL
from kubelet import Pod
from node import Node, fake_boots, name_boot, new_boot
from plugin import BINARY, require
from pod_process import PodProcesses

HOME = "/var/lib/cni/kept-run"
NETNS = "/var/lib/cni/netns"
POD = Pod("db-0", "shop", "uid-0")
NAME = "shop/db-0"
HOUR = 3_600_000_000_000  # in ns


def node_at(name):
    return Node(os.path.join(HOME, name), DUAL)


def later(target):
    """What the last boot would have written after more uptime than this one has: "<when>[~<boot id>]"."""
    when, separator, boot = target.partition("~")
    return f"{int(when) + HOUR}{separator}{boot}"


def without_boot(target):
    """The same as an earlier version wrote it."""
    return later(target).partition("~")[0]


def rewrite(pattern, change):
    links = glob.glob(f"/run/delegated-ipam/*/{pattern}")
    assert links, f"no {pattern}"
    for link in links:
        target = os.readlink(link)
        os.unlink(link)
        os.symlink(change(target), link)


TOMBSTONES = [("of more uptime than this boot has", later), ("of less", lambda target: target),
              ("that an earlier version wrote", without_boot)]


def tombstone(number, change):
    """podman starts a container again under its ID."""
    node = node_at(f"tomb-{number}")
    home = node.add("c1", NAME)
    node.delete("c1", NAME)
    rewrite("tombs/*", change)
    name_boot()
    assert node.add("c1", NAME) == home


def tombstone_and_a_lost_file():
    """The folder was wiped; a live container of this boot, deleted and made in the last one, gets its file back."""
    node = node_at("tomb-lost")
    with PodProcesses(NETNS) as processes:
        live = processes.start("live")
        home = node.add("c1", NAME, netns=live.path)
        node.delete("c1", NAME, netns=live.path)
        name_boot()
        answer = node.call("ADD", "c1", NAME, netns=live.path).json
        put_in_cache(node, "c1", live.path, answer)
        for address in home:
            os.unlink(os.path.join(node.network_dir, address))
        os.unlink(os.path.join(node.network_dir, "lock"))
        other = node.add("other", "batch/other", netns=processes.start("other").path)
        node.assert_in_use({"c1": home, "other": other})
    forget_cache()


def pending_release():
    """A release that had to wait is done in whatever boot comes: it names what it frees by its content."""
    node = node_at("pending")
    home = node.add("c1", NAME)
    node.call("DEL", "c1", NAME, wrapper=("unshare", "--mount", "sh", "-c",
                                          f'mount --bind {node.network_dir} {node.network_dir} && '
                                          f'mount -o remount,bind,ro {node.network_dir} && exec "$0"'))
    assert node.pending(), "the release did not have to wait"
    name_boot()
    assert node.add("c2", NAME) == home
    node.assert_in_use({"c2": home})
    assert not node.pending()


def put_in_cache(node, container_id, netns, answer):
    os.makedirs(result_cache.FOLDER, exist_ok=True)
    with open(result_cache.path(node.name, container_id), "w") as file:
        json.dump(result_cache.entry(node.conf(), container_id, POD, netns, answer), file)


def forget_cache():
    for path in glob.glob(f"{result_cache.FOLDER}/*"):
        os.unlink(path)


def lost_with_entry(name, processes, of_process):
    """A pod of the last boot, whose file is lost and whose entry names a process by a number that another one has."""
    node = node_at(name)
    done = node.call("ADD", "old", NAME, netns=processes.start("old").path)
    put_in_cache(node, "old", f"/proc/{of_process}/ns/net", done.json)
    for address in done.addresses:
        os.unlink(os.path.join(node.network_dir, address))
    new_boot()
    return node, done.addresses


def number_of_a_process(name, of_node):
    with PodProcesses(NETNS) as processes:
        other = processes.start("other")
        node, home = lost_with_entry(f"cache-{name}", processes, os.getpid() if of_node else other.pid)
        assert node.add("new", NAME, netns=processes.start("new").path) == home
        node.assert_in_use({"new": home})
    forget_cache()


def process_with_the_address(number, family):
    """The process' namespace has the address: whatever the numbers say, it is in use."""
    with PodProcesses(NETNS) as processes:
        live = processes.start("live")
        node, home = lost_with_entry(f"cache-live-{number}", processes, live.pid)
        nsmount.inside(live.path, "ip", "link", "set", "lo", "up")
        nsmount.inside(live.path, "ip", "address", "add", home[number], "dev", "lo")
        got = node.add("new", NAME, netns=processes.start("new").path)
        assert got[number] != home[number], f"two live pods have {home[number]}"
        assert node.addresses_of("old") == [home[number]], f"{family}: the live one's file is not back"
    forget_cache()


def tests():
    for number, (which, change) in enumerate(TOMBSTONES):
        yield f"C7: /run is kept over a reboot: a tombstone {which} refuses nobody", tombstone, number, change
    yield ("C7: a tombstone of the last boot does not hide a live container whose file is lost",
           tombstone_and_a_lost_file)
    yield "C7: a release that waits is done in the next boot", pending_release
    for name, of_node in (("node", True), ("pod", False)):
        yield (f"the runtime's cache names a process of the last boot; now it is another {name}'s: it is nobody's",
               number_of_a_process, name, of_node)
    for number, family in enumerate(("IPv4", "IPv6")):
        yield (f"the runtime's cache names a process whose namespace has the address: it is in use ({family})",
               process_with_the_address, number, family)


if __name__ == "__main__":
    tap.main("kept run", tests, lambda: require(BINARY), sandbox.enter, fake_boots)
