#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Proof of death, rule by rule: when the address of an attachment that no DEL ended may be given away, and when not.

Here the pod itself comes back; in reclaim_test.py others need its address. What a proof costs: proof_cost_test.py.
"""
import os

import sandbox
import tap
from crowd import DUAL
from node import BOOT_ID, Node, args_of, fake_boots, new_boot
from plugin import BINARY, require
from pod_process import PodProcess, PodProcesses

HOME = "/var/lib/cni/proof"
NETNS = "/var/lib/cni/netns"  # not below /run: some paths must outlive a pretended boot
POD = "shop/db-0"
INGRESS = "cilium-ingress-node-1"
STAMP = "user.delegated-ipam"


def node_at(name):
    return Node(os.path.join(HOME, name), DUAL)


def restamp(node, addresses, change):
    """Replace the fields of the stamp [format, boot, hash, inode, path]: change(fields) returns them, or any bytes."""
    path = os.path.join(node.network_dir, addresses[0])
    changed = change(os.getxattr(path, STAMP).split(b"~", 4))
    os.setxattr(path, STAMP, changed if isinstance(changed, bytes) else b"~".join(changed))


def assert_taken_over(node, home, netns, old="old"):
    """The pod's new sandbox has its addresses, the whole old attachment is over, and a late DEL of it does nothing."""
    got = node.add("new", POD, netns=netns)
    assert got == home, f"not taken over: {got} instead of {home}"
    node.assert_in_use({"new": home})
    node.delete(old, POD, netns="")
    node.assert_in_use({"new": home})


def assert_not_taken(node, home, netns, old="old", **more):
    """The pod's new sandbox has other addresses, the old attachment has its own, and the pod is bound to the new."""
    got = node.add("new", POD, netns=netns, **more)
    node.assert_in_use({old: home, "new": got})
    owners = {address: binding.owner for address, binding in node.bindings().items()}
    assert owners == {address: POD for address in got}, f"bound: {owners}, but the newest answer is {got}"


def other_boot():
    node = node_at("other-boot")
    home = node.add("old", POD)
    new_boot()
    assert_taken_over(node, home, "/run/netns/none")


def only_by_its_own_pod():
    """While anything is free, nobody else takes what another boot left."""
    node = node_at("own-pod")
    home = node.add("old", POD)
    new_boot()
    other = node.add("other", "shop/db-1")
    node.assert_in_use({"old": home, "other": other})
    assert node.add("new", POD) == home
    node.assert_in_use({"new": home, "other": other})


def gone_in_this_boot():
    node = node_at("gone")
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = node.add("old", POD, netns=old.path)
        new = processes.start("new")  # while the old one's number is in use
        old.end()
        assert_taken_over(node, home, new.path)


def plain_file():
    path = os.path.join(NETNS, "plain-file")
    with open(path, "w"):
        return path


OWN_NAMESPACES = [
    ("in another folder", lambda processes: processes.start("new", "/run/other").path),
    ("a plain file beside the old one's", lambda _: plain_file()),
    ("the folder itself", lambda _: NETNS),
    ("a path where nothing is", lambda _: os.path.join(NETNS, "missing")),
    ("a namespace below /proc", lambda processes: f"/proc/{processes.start('new').pid}/ns/net"),
]


def own_namespace_proves_nothing(number, own):
    """We may see another folder than the runtime does: there, a missing path says nothing."""
    node = node_at(f"own-{number}")
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = node.add("old", POD, netns=old.path)
        old.end()
        assert_not_taken(node, home, own(processes))


NO_LOOK = ("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace")  # at others' /proc/PID/ns
INSIDE = [
    ("a process is still inside", lambda old: None, ()),
    ("a thread of a process without its main thread is still inside", PodProcess.end_main_thread, ()),
    ("a process that we may not look at may still be inside", lambda old: None, NO_LOOK),
    ("a process is still inside and its namespace has a second name, as for ip-netns(8)",
     lambda old: os.symlink(f"/proc/{old.pid}/ns/net", f"{NETNS}/second-name"), ()),
]


def somebody_inside(number, prepare, wrapper):
    node = node_at(f"inside-{number}")
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = node.add("old", POD, netns=old.path)
        prepare(old)
        old.remove_path()
        assert_not_taken(node, home, processes.start("new").path, wrapper=wrapper)


def live_path_vetoes_netns():
    """No process is left in it, but the runtime still has the namespace."""
    node = node_at("veto-netns")
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = node.add("old", POD, netns=old.path)
        old.kill()
        assert_not_taken(node, home, processes.start("new").path)


def live_path_vetoes_boot():
    node = node_at("veto-boot")
    with PodProcesses(NETNS) as processes:
        home = node.add("old", POD, netns=processes.start("old").path)
        new_boot()
        assert_not_taken(node, home, processes.start("new").path)


def live_proc_path_vetoes_boot():
    node = node_at("veto-proc")
    with PodProcesses(NETNS) as processes:
        home = node.add("old", POD, netns=f"/proc/{processes.start('old').pid}/ns/net")
        new_boot()
        assert_not_taken(node, home, processes.start("new").path)


def reused_process_number():
    """In the next boot a process of that number is another one, in another namespace."""
    node = node_at("number")
    with PodProcesses(NETNS) as processes:
        old, other = processes.start("old"), processes.start("other")
        home = node.add("old", POD, netns=f"/proc/{old.pid}/ns/net")
        restamp(node, home, lambda stamp: [*stamp[:4], f"/proc/{other.pid}/ns/net".encode()])
        old.end()
        new_boot()
        assert_taken_over(node, home, processes.start("new").path)


VOID_STAMPS = [
    ("that of another container", lambda stamp: [*stamp[:2], b"0123456789abcdef", *stamp[3:]]),
    ("without a hash", lambda stamp: [*stamp[:2], b"", *stamp[3:]]),
    ("empty", lambda stamp: b""),
    ("cut off", lambda stamp: b"~".join(stamp[:3])),
    ("of another format", lambda stamp: [b"9", *stamp[1:]]),
    ("with a namespace number that is none", lambda stamp: [*stamp[:3], b"x", stamp[4]]),
    ("removed", None),
]


def spoil(node, addresses, change):
    if change:
        restamp(node, addresses, change)
    else:
        os.removexattr(os.path.join(node.network_dir, addresses[0]), STAMP)


def void_in_this_boot(number, change):
    """Dead and gone, but what was recorded about it does not count."""
    node = node_at(f"void-{number}")
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = node.add("old", POD, netns=old.path)
        old.end()
        spoil(node, home, change)
        assert_not_taken(node, home, processes.start("new").path)


def void_in_another_boot(number, change):
    """The clock starts anew: not proven in the next boot, which stamps it, but in the one after that."""
    node = node_at(f"void-boot-{number}")
    home = node.add("old", POD)
    spoil(node, home, change)
    new_boot()
    assert_not_taken(node, home, "/run/netns/none")
    node.delete("new", POD)
    new_boot()
    got = node.add("asks", POD, args=f"{args_of(POD)};IP={home[0]}", requests="any")
    assert got[0] == home[0], f"two boots later {home[0]} is not given away: {got}"
    assert not node.addresses_of("old"), "a part of the dead attachment is left"


def repeated_add_renews():
    """podman starts a container again under the same ID."""
    node = node_at("renewed")
    home = node.add("old", POD)
    new_boot()
    assert node.add("old", POD) == home
    with open(BOOT_ID) as file:
        boot = file.read().strip().encode()
    stamp = os.getxattr(os.path.join(node.network_dir, home[0]), STAMP)
    assert boot in stamp, f"{stamp} does not name the boot {boot}"
    assert_not_taken(node, home, "/run/netns/none")


def ingress_never_by_netns():
    node = node_at("ingress")
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = node.add(INGRESS, POD, netns=old.path)
        old.end()
        assert_not_taken(node, home, processes.start("new").path, old=INGRESS)


def ingress_by_boot():
    node = node_at("ingress-boot")
    home = node.add(INGRESS, POD)
    new_boot()
    assert_taken_over(node, home, "/run/netns/none", old=INGRESS)


def equal_uids(number, end):
    """The same object in the API server; its old sandbox is not proven dead."""
    node = node_at(f"uid-{number}")
    with PodProcesses(NETNS) as processes:
        old = processes.start("old")
        home = node.add("old", POD, netns=old.path, uid="one-and-the-same")
        end(old)
        assert_not_taken(node, home, processes.start("new").path, uid="one-and-the-same")


EQUAL_UIDS = [
    ("while it runs", lambda old: None),
    ("while its namespace is there", lambda old: old.kill()),
    ("while its process is there", lambda old: old.remove_path()),
]


def boots_and_namespaces(suite):
    suite.run("Proof: another boot: the pod's own addresses are taken over", other_boot)
    suite.run("Proof: another boot: no other pod takes them while any is free", only_by_its_own_pod)
    suite.run("Proof: path gone, no process inside, own namespace in the same folder: taken over", gone_in_this_boot)
    for number, (which, own) in enumerate(OWN_NAMESPACES):
        suite.run(f"Proof: path gone, but the caller's own namespace is {which}: not taken over",
                  own_namespace_proves_nothing, number, own)
    for number, (who, *how) in enumerate(INSIDE):
        suite.run(f"Proof: path gone, but {who}: not taken over", somebody_inside, number, *how)
    suite.run("Proof: a live namespace at the recorded path vetoes the proof by processes", live_path_vetoes_netns)
    suite.run("Proof: a live namespace at the recorded path vetoes the proof by boots", live_path_vetoes_boot)
    suite.run("Proof: the same namespace at a recorded path below /proc vetoes as well", live_proc_path_vetoes_boot)
    suite.run("Proof: another namespace below /proc, of a process number that came again, does not veto",
              reused_process_number)


def stamps_and_exceptions(suite):
    for number, (which, change) in enumerate(VOID_STAMPS):
        suite.run(f"Proof: dead and gone, but the stamp is void ({which}): not taken over",
                  void_in_this_boot, number, change)
        suite.run(f"Proof: another boot, but the stamp is void ({which}): not taken over, proven one reboot later",
                  void_in_another_boot, number, change)
    suite.run("Proof: a repeated ADD makes an attachment one of this boot", repeated_add_renews)
    suite.run("Proof: a Cilium ingress has no namespace, so none that is gone proves anything", ingress_never_by_netns)
    suite.run("Proof: a Cilium ingress of another boot is dead", ingress_by_boot)
    for number, (when, end) in enumerate(EQUAL_UIDS):
        suite.run(f"Proof: equal UIDs replace no proof: not taken over {when}", equal_uids, number, end)


def tell(suite):
    boots_and_namespaces(suite)
    stamps_and_exceptions(suite)


if __name__ == "__main__":
    tap.story("proof", tell, lambda: require(BINARY), sandbox.enter, fake_boots)
