#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What an attachment had before the ADD that fails: the plugin's DEL must not follow then. And one container ID for
several containers: the record of one must not answer another's ADD.

usage: earlier_leases_test.py [WORD ...]
"""
import json
import os
import signal

import plugin
import result_cache
import sandbox
import tap
from crowd import DUAL
from ledger import DelegatedNode
from main_plugin import let_a_tick_pass
from node import args_of, empty_run, fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require
from pod_process import PodProcesses
from race import Running

HOME = "/var/lib/cni/earlier"
NETNS = "/var/lib/cni/netns"  # not below /run, which is emptied here
POD = "shop/web-0"
SUBNET_FILE = "/var/lib/cni/subnet.env"
FROM_FILE = {"ranges": [], "rangesFrom": {"subnetFile": SUBNET_FILE}}
DUPLICATE = "failed to allocate for range 0: {} has been allocated to {}, duplicate allocation is not allowed"


def host_local_node(name, **ipam):
    return DelegatedNode(os.path.join(HOME, name), DUAL, HOST_LOCAL, inProcess=False, **ipam)


def ledger_node(name, **ipam):
    return DelegatedNode(os.path.join(HOME, name), **ipam)


def by_host_local(node, command, container_id):
    """host-local itself, called by the main plugin as it was before the move."""
    conf = {"cniVersion": "1.0.0", "name": node.name, "type": "bridge",
            "ipam": {"type": "host-local", "dataDir": node.data_dir, "ranges": DUAL}}
    done = plugin.run(HOST_LOCAL, plugin.environment(command, container_id, args=args_of(POD)), conf)
    assert done.exit == 0, done
    return done.addresses


def refused(node, container_id="c1", **more):
    done = node.call("ADD", container_id, POD, **more)
    assert done.exit == 1, done
    return done


def moved_over():
    """Its own ADD was host-local's; a repeated one through us is refused, and the pod lives on."""
    node = host_local_node("moved")
    home = by_host_local(node, "ADD", "h1")
    done = refused(node, "h1")
    assert done.json["msg"] == DUPLICATE.format(home[0], "h1"), done
    assert "had an address of it before" in done.stderr, done
    node.assert_in_use({"h1": home})
    other = node.add("h2", "shop/web-1")
    node.assert_in_use({"h1": home, "h2": other})
    assert node.journal() == 0 and "DEL h1" not in node.ledger.commands(), node.ledger.commands()
    node.delete("h1", POD)
    node.assert_in_use({"h2": other})


def moved_over_and_killed():
    """Killed while host-local refuses: what follows must not take the entry for a lease of this ADD."""
    node = host_local_node("moved-killed")
    home = by_host_local(node, "ADD", "h1")
    node.ledger.install(f"#!/bin/sh\nkill -KILL $PPID\nexec {HOST_LOCAL}\n")
    killed = Running(node.binary, *node.request("ADD", "h1", POD))
    assert killed.finish().exit == -signal.SIGKILL
    node.ledger.install(f"#!/bin/sh\nexec {HOST_LOCAL}\n")
    for _ in range(2):
        refused(node, "h1")
    node.add("h2", "shop/web-1", wrapper=("unshare", "--time", "--boottime", "100", "--fork"))
    assert node.addresses_of("h1") == sorted(home)


def moved_over_old_format():
    """What host-local 0.7 wrote names no interface."""
    node = host_local_node("moved-old")
    home = by_host_local(node, "ADD", "h1")
    for address in home:
        with open(f"{node.network_dir}/{address}", "w") as file:
            file.write("h1")
    refused(node, "h1")
    assert {address: content for address, content in node.attachments().items()} == dict.fromkeys(home, b"h1")


def nothing_before():
    """An ADD of host-local's that fails with a lease of its own is still taken back."""
    node = host_local_node("fresh")
    node.ledger.install(f"#!/bin/sh\n[ $CNI_COMMAND = ADD ] || exec {HOST_LOCAL}\n{HOST_LOCAL} >/dev/null\n"
                        "echo '{\"code\": 11, \"msg\": \"not today\"}'\nexit 1\n")
    assert refused(node).json["msg"] == "not today"
    node.assert_in_use({})


def run_emptied(failing):
    """A plugin whose store cannot be looked into: after /run was emptied nobody is sure of his lease but by his DEL."""
    node = ledger_node(f"emptied-{failing}")
    home = node.add("c1", POD)
    other = node.add("c2", "shop/web-1")
    empty_run()
    if failing == "later":
        node.ledger.fail("ADD", where="after")
        done = refused(node, "c3")
    else:
        done = refused(node)
    assert "is left until its DEL" in done.stderr and "is lost" in done.stderr, done
    assert node.ledger.leases_of("c1") == home and node.ledger.leases_of("c2") == other
    assert not [one for one in node.ledger.commands() if one.startswith("DEL")], node.ledger.commands()
    assert node.journal() == 0
    node.delete("c1", POD)
    node.delete("c3", POD)
    assert set(node.ledger.leases()) == set(other)


def run_emptied_twice():
    """The plugin has an answer for it, and nothing is taken back when the caller is gone."""
    node = ledger_node("emptied-again", retain=False)
    home = node.add("c1", POD)
    empty_run()
    node.ledger.hook("ADD", f'printf \'{{"cniVersion":"1.0.0","ips":[{{"address":"{home[0]}/24"}}]}}\'\nexit 0\n')
    refused(node, wrapper=("sh", "-c", 'exec "$0" >/dev/full'))
    assert node.ledger.leases_of("c1") == home and "DEL c1" not in node.ledger.commands()
    assert node.add("c1", POD) == home


def emptied_in_a_boot_of_its_own():
    """After the next boot what is told in /run is whole again."""
    node = ledger_node("emptied-boot")
    node.add("c1", POD)
    empty_run()
    new_boot()
    node.ledger.fail("ADD", where="after")
    refused(node, "c2")
    assert node.ledger.leases_of("c2") == [] and node.ledger.commands()[-2:] == ["ADD c2", "DEL c2"]


def deleted_after_all():
    """/run was emptied, but the DEL of this very attachment has come: then nobody else will free its lease."""
    node = ledger_node("emptied-deleted")
    node.add("c2", "shop/web-1")
    empty_run()
    with node.ledger.gate("ADD", "after") as gate:
        late = Running(node.binary, *node.request("ADD", "c1", POD))
        gate.wait_for()
        let_a_tick_pass()
        node.delete("c1", POD)
        gate.open()
        assert late.finish().json["code"] == 11
    assert node.ledger.leases_of("c1") == [] and node.journal() == 0


def in_the_cache():
    """Moved over in mid-boot from the plugin itself: the runtime has the attachment in its cache."""
    node = ledger_node("cached")
    node.ledger.hook("ADD", "", "before")
    os.makedirs(result_cache.FOLDER, exist_ok=True)
    lease = f"{node.ledger.home}/leases/10.50.0.9@c1@eth0"
    with open(lease, "w"), open(result_cache.path(node.name, "c1"), "w") as file:
        json.dump({}, file)
    done = refused(node)
    assert done.json["msg"] == "duplicate allocation" and "result cache" in done.stderr, done
    assert node.ledger.leases() == {"10.50.0.9": "c1"}
    os.unlink(result_cache.path(node.name, "c1"))


def one_id_for_all(node, expected):
    """expected(addresses): the message that the second container's ADD must get."""
    with PodProcesses(NETNS) as processes:
        one, other = processes.start("one"), processes.start("other")
        home = node.add("c1", POD, netns=one.path)
        before = len(node.ledger.calls())
        for netns in (other.path, f"/proc/{other.pid}/ns/net"):
            done = refused(node, netns=netns)
            assert (done.json["code"], done.json["msg"]) == (999, expected(home)), done
        assert node.add("c1", POD, netns=one.path) == home
        assert node.add("c1", POD, netns=f"/proc/{one.pid}/ns/net") == home, "one namespace under another name"
        assert len(node.ledger.calls()) == before
        one.remove_path()
        assert refused(node, netns=other.path).json["msg"] == expected(home), "its process lives on"
        one.kill()
        assert node.add("c1", POD, netns=other.path) == home, "a container that is started again"
        third = processes.start("third")
        assert refused(node, netns=third.path).json["msg"] == expected(home)
        assert node.ledger.commands() == ["ADD c1"], node.ledger.commands()
        assert refused(node, netns=third.path, onDuplicate="error").json["code"] == 999
        assert "DEL c1" not in node.ledger.commands(), node.ledger.commands()
        return home, other.path, third.path


def one_id_ledger():
    one_id_for_all(ledger_node("one-id"), lambda home: DUPLICATE.format(home[0], "c1"))


def one_id_host_local():
    """The restarted container's namespace is what counts from then on: its address is nobody else's."""
    node = host_local_node("one-id-host-local")
    with PodProcesses(NETNS) as processes:
        home, _, _ = one_id_for_all(node, lambda home: DUPLICATE.format(home[0], "c1"))
        node.assert_in_use({"c1": home})
        inode = os.getxattr(f"{node.network_dir}/{home[0]}", "user.delegated-ipam").split(b"~")[4]
        assert inode.endswith(b"/other"), inode
        # Its namespace has ended with its process: the pod comes back to its address, and c1 has none.
        assert node.add("c2", POD, netns=processes.start("next").path) == home
        assert node.addresses_of("c1") == []


def agents_ingress():
    """Cilium's agent asks for its ingress again and again, each time for a namespace that is gone right after."""
    node = ledger_node("ingress")
    name = "cilium-ingress-edge-1"
    with PodProcesses(NETNS) as processes:
        home = node.add(name, netns=processes.start("first").path)
        assert node.add(name, netns=processes.start("second").path) == home
    assert node.ledger.commands() == [f"ADD {name}"]


def released_without_ranges():
    """A DEL needs no ranges: those of a source are not asked for, and broken ones are left out."""
    broken = {"ranges": [[{"subnet": "10.1/8"}]]}
    for number, (at_add, at_del) in enumerate(((FROM_FILE, FROM_FILE), ({}, broken))):
        node = host_local_node(f"rangeless-{number}")
        with open(SUBNET_FILE, "w", encoding="utf-8") as file:
            file.write("10.8.0.0/24\n")
        assert node.add("c1", POD, **at_add)
        node.delete("c1", POD, **at_del)
        assert not node.addresses_of("c1"), node.attachments()


def freed_by_host_local(is_taken):
    """host-local itself is told to DEL what it gave through us: what we know of the answer holds no longer."""
    node = host_local_node(f"freed-{is_taken}")
    home = node.add("c1", POD)
    assert by_host_local(node, "DEL", "c1") == []
    others = {}
    if is_taken:
        asks = args_of("shop/other") + f";IP={home[0]}"
        others["other"] = node.add("other", "shop/other", args=asks, ranges=DUAL[:1])
        assert others["other"] == home[:1]
    got = node.add("c1", POD)
    assert (home[0] in got) != is_taken and got[1] == home[1], got
    node.assert_in_use({"c1": got, **others})


TESTS = [
    ("a DEL over host-local needs no ranges", released_without_ranges),
    ("moved over from host-local: a repeated ADD is refused and the pod keeps its address", moved_over),
    ("moved over from host-local: a kill in the repeated ADD costs no address", moved_over_and_killed),
    ("moved over from host-local 0.7: the same", moved_over_old_format),
    ("host-local freed it: a repeated ADD asks it again", freed_by_host_local, False),
    ("host-local freed it, and another pod has it: a repeated ADD gets another address", freed_by_host_local, True),
    ("an ADD of host-local's that fails and had nothing before is taken back", nothing_before),
    ("/run was emptied: what the plugin refuses keeps its lease", run_emptied, "known"),
    ("/run was emptied: what fails later is left until its DEL", run_emptied, "later"),
    ("/run was emptied: an answer that cannot be told costs no lease", run_emptied_twice),
    ("/run was emptied: after the next boot failed ADDs are taken back again", emptied_in_a_boot_of_its_own),
    ("/run was emptied: an ADD whose DEL has come is taken back", deleted_after_all),
    ("moved over from another plugin: what the runtime's cache has is left", in_the_cache),
    ("one container ID for several containers: refused while the first one's namespace lives", one_id_ledger),
    ("one container ID for several containers, host-local: refused, and a restart renews the stamp", one_id_host_local),
    ("an agent's ingress has no namespace that lasts: its repeated ADD is answered", agents_ingress),
]


if __name__ == "__main__":
    tap.main("earlier leases", TESTS, lambda: require(BINARY, HOST_LOCAL), sandbox.enter, fake_boots)
