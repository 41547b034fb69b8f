"""The version of the records: written by hand as the first version has them, and as a later one might."""
import os
import re

import trace
from conf_node import HOME, OTHER, POD, SMALL, ConfNode, assert_error
from node import new_boot

NFS_MAGIC = "6969000000000000"  # statfs.f_type, in the byte order of the machine
TRIM_INTERVAL = 64
NEWER_IP = "2~shop~web-0~eth0~~1~0~abcd1234~what-comes-next"
NEWER_HINT = "2~10.9.0.9~~what-comes-next"


def record_folder(node, make=False):
    """The folder of the network's records, by the rule of its name."""
    parts = [re.sub(r"[^A-Za-z0-9.\-]", lambda found: f"%{ord(found[0]):02X}", part)
             for part in node.network_dir.strip("/").split("/")]
    folder = os.path.join(node.state_dir, "_".join(parts))
    if make:
        os.makedirs(folder)
        os.symlink(f"1~{node.network_dir}", os.path.join(folder, "netdir"))
    return folder


def put(node, name, target):
    """Write one record by hand."""
    path = os.path.join(record_folder(node), name)
    if os.path.islink(path):
        os.unlink(path)
    os.symlink(target, path)


def version_one():
    """Single and dual addresses, odd names, dormant ones: all are read, and counted on."""
    node = ConfNode([[{"subnet": "10.9.0.0/28"}], [{"subnet": "fd00:9::/120"}]])
    record_folder(node, make=True)
    put(node, "ip.10.9.0.9", "1~shop~web-0~eth0~uid-1~7~3~abcd1234")
    put(node, "ip.fd00:9::9", "1~shop~web-0~eth0~uid-1~8~3~abcd1234")
    put(node, "ip.10.77.0.9", "1~shop~web-0~eth0~uid-1~1~0~abcd1234")
    put(node, "pod.shop_web-0@eth0", "1~10.9.0.9,fd00:9::9,10.77.0.9~10.9.0.4")
    put(node, "ip.10.9.0.5", "1~a%5Fb~c%7Ed~net1~~9~0~")
    put(node, "pod.a%5Fb_c%7Ed@net1", "1~10.9.0.5~")
    assert node.add("c-1", POD) == ["10.9.0.9", "fd00:9::9"]
    assert node.bindings()["10.9.0.9"].kept == 4
    assert "10.77.0.9" in node.bindings()
    assert node.add("c-2", OTHER) == ["10.9.0.2", "fd00:9::2"]
    odd = "IgnoreUnknown=1;K8S_POD_NAMESPACE=a_b;K8S_POD_NAME=c~d"
    assert node.add("c-3", args=odd, ifname="net1") == ["10.9.0.5", "fd00:9::3"]


def order_of_version_one():
    """The sequence numbers decide who loses the address first."""
    node = ConfNode([[{"subnet": "10.9.0.0/29"}]])
    record_folder(node, make=True)
    for number, sequence in ((2, 5), (3, 2), (4, 9), (5, 3), (6, 4)):
        put(node, f"ip.10.9.0.{number}", f"1~old~pod-{number}~eth0~~{sequence}~0~abcd1234")
        put(node, f"pod.old_pod-{number}@eth0", f"1~10.9.0.{number}~")
    taken = [node.add(f"c-{number}", f"shop/web-{number}")[0] for number in range(5)]
    assert taken == ["10.9.0.3", "10.9.0.5", "10.9.0.6", "10.9.0.2", "10.9.0.4"], taken


def target(node, name):
    """What a record says now."""
    return os.readlink(os.path.join(record_folder(node), name))


def newer_binding():
    """The pod's own record, written by a later version: it comes up elsewhere, and returns with that version."""
    node = ConfNode(SMALL)
    node.restart("c-1")
    before = target(node, "ip.10.9.0.2")
    put(node, "ip.10.9.0.2", NEWER_IP)
    assert node.restart("c-2") == ["10.9.0.3"] and node.restart("c-3") == ["10.9.0.3"]
    assert target(node, "ip.10.9.0.2") == NEWER_IP
    put(node, "ip.10.9.0.2", before)
    assert node.restart("c-4", exclude=["10.9.0.3"]) == ["10.9.0.2"]


def newer_hint():
    """The pod's bindings are found without it, and it is left as it is."""
    node = ConfNode(SMALL)
    home = node.restart("c-1")
    put(node, "pod.shop_web-0@eth0", NEWER_HINT)
    assert node.restart("c-2") == home
    assert node.restart("c-3", exclude=home) == ["10.9.0.3"]
    assert target(node, "pod.shop_web-0@eth0") == NEWER_HINT


def newer_in_the_way():
    """A new pod, with a name or without, that would get the address: it gets the next one."""
    for pod in (OTHER, None):
        node = ConfNode(SMALL)
        node.restart("c-1")
        put(node, "ip.10.9.0.3", NEWER_IP)
        assert node.add("c-2", pod) == ["10.9.0.4"]
        assert target(node, "ip.10.9.0.3") == NEWER_IP


def newer_and_asked_for():
    """Who asks for the very address is told the record and the remedy."""
    node = ConfNode(SMALL, pins={OTHER: ["10.9.0.9"]})
    node.restart("c-1")
    for address in ("10.9.0.9", "10.9.0.8"):
        put(node, f"ip.{address}", NEWER_IP)
    words = ("newer version of delegated-ipam", "install that version")
    node.refused(7, f"{record_folder(node)}/ip.10.9.0.9", *words, pod=OTHER)
    args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-5;IP=10.9.0.8"
    node.refused(7, f"{record_folder(node)}/ip.10.9.0.8", *words, args=args)


def many_ranges():
    """More blocks than one symbolic link holds are remembered all the same."""
    blocks = [f"10.{9 + number // 256}.{number % 256}.0/28" for number in range(400)]
    source = os.path.join(HOME, "many-ranges")
    with open(source, "w") as file:
        file.write("\n".join(blocks) + "\n")
    node = ConfNode(rangesFrom={"subnetFile": source})
    home = node.restart("c-1")
    os.unlink(source)
    new_boot()
    assert node.restart("c-2") == home
    far = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-5;IP=10.10.143.2"
    assert node.add("c-3", args=far) == ["10.10.143.2"]


def newer_elsewhere():
    """A pod with an address of its own does not need that record: it comes up."""
    node = ConfNode(SMALL)
    home = node.restart("c-1", OTHER)
    put(node, "ip.10.9.0.9", NEWER_IP)
    new_boot()
    assert node.add("c-2", OTHER) == home


def newer_at_del():
    """A release never fails for it: the address is free, the record stays as it is."""
    for name, target in (("ip.10.9.0.2", NEWER_IP), ("pod.shop_web-0@eth0", NEWER_HINT)):
        for annotations in ({}, {"delegated-ipam.io/retain": "false"}):
            node = ConfNode(SMALL)
            node.add("c-1", POD)
            put(node, name, target)
            path = os.path.relpath(f"{record_folder(node)}/{name}", node.state_dir)
            node.delete("c-1", POD, annotations=annotations)
            assert node.attachments() == {}, name
            assert node.records()[path] == target, f"{name}: {node.records()[path]}"


def newer_at_many_dels():
    """Nor does the tidying up that only some DELs do."""
    node = ConfNode(SMALL)
    node.restart("c-0", OTHER)
    put(node, "ip.10.9.0.9", NEWER_IP)
    for number in range(TRIM_INTERVAL + 1):
        node.restart(f"c-{number + 1}", OTHER)
    assert node.attachments() == {}


def newer_at_gc():
    node = ConfNode(SMALL)
    node.add("c-1", POD)
    put(node, "ip.10.9.0.2", NEWER_IP)
    node.collect([])
    assert node.attachments() == {}
    assert NEWER_IP in node.records().values()


def newer_others():
    """The list of boots and the last ranges: an ADD that needs neither goes on, and does not overwrite them."""
    node = ConfNode(SMALL)
    home = node.restart("c-1")
    newer = {"boots": "2~abcd1234", "ranges": "2~10.1.0.0/24", "node-ranges": "2~x", "pins": "2~x"}
    for name, target in newer.items():
        put(node, name, target)
    new_boot()
    assert node.add("c-2", POD) == home
    assert {name: os.readlink(f"{record_folder(node)}/{name}") for name in newer} == newer
    assert_error(node.call("ADD", "c-3", OTHER, ranges=[], rangesFrom={"subnetFile": "/nowhere"}), 7, "newer version")


def malformed():
    """What no version writes holds nothing, and is replaced when the address is handed out."""
    only = [[{"subnet": "10.9.0.0/28", "rangeStart": "10.9.0.2", "rangeEnd": "10.9.0.2"}]]
    for target in ("hello", "1~", "1~shop~web-0", "0~shop~web-0~eth0~~1~0~abcd1234", "~", "1~shop~web-0~eth0~~x~0~a"):
        node = ConfNode(only)
        node.restart("c-1")
        put(node, "ip.10.9.0.2", target)
        assert node.restart("c-2", OTHER) == ["10.9.0.2"], target
        assert node.bindings()["10.9.0.2"].owner == OTHER, target


def network_file_system():
    """What statfs(2) says of NFS, since no such server is at hand: ADD is refused before anything is written."""
    node = ConfNode(SMALL)
    os.makedirs(node.network_dir)
    inject = ("-e", f"inject=fstatfs:poke_exit=@arg2={NFS_MAGIC}")
    env, conf = node.request("ADD", "c-1", POD)
    done, calls, _ = trace.run(node.binary, env, conf, inject)
    assert any(call.name == "fstatfs" and "NFS" in call.args for call in calls), "nobody asked for the file system"
    assert_error(done, 7, node.network_dir, "network file system", "local disk")
    assert node.attachments() == {} and node.records_of_pods() == []


TESTS = [
    ("format: records of version 1 are read", version_one),
    ("format: sequence numbers of version 1 decide who is evicted", order_of_version_one),
    ("format: a pod with a newer binding comes up with another address, the record stays", newer_binding),
    ("format: a pod with a newer hint keeps its address, the hint stays", newer_hint),
    ("format: the address of a newer record is passed over", newer_in_the_way),
    ("format: who asks for the address of a newer record is refused, with the remedy", newer_and_asked_for),
    ("format: 400 blocks of rangesFrom are remembered", many_ranges),
    ("format: ADD of a pod that does not need the newer record works", newer_elsewhere),
    ("format: DEL releases and leaves the newer record as it is", newer_at_del),
    ("format: DEL after DEL releases beside a newer record", newer_at_many_dels),
    ("format: GC releases and leaves the newer record as it is", newer_at_gc),
    ("format: newer lists of boots, ranges and pins are neither needed nor overwritten", newer_others),
    ("format: a record that no version writes counts as none", malformed),
    ("a network file system is error 7 with the remedy", network_file_system),
]
