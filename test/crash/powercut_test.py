#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Cuts the power right after the answer, and counts what is still there on the next boot."""
import os
import tempfile

import sandbox
import tap
import trace
from disk import Disk
from node import Node, fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

PODS = 20
SINGLE = [[{"subnet": "10.9.0.0/24"}]]
DUAL = [[{"subnet": "10.9.0.0/24"}], [{"subnet": "fd00:9::/64"}]]
TINY = [[{"subnet": "10.9.0.0/29"}]]
ADDRESS = "10.9.0.2"  # the first pod's


def pod(number):
    return f"shop/web-{number}"


def power_cut(disk):
    """The disk loses what it had not flushed, and the node boots again."""
    disk.cut_power()
    new_boot()


def add_all(node):
    """Start all pods; number -> acknowledged addresses."""
    return {number: node.add(f"c-old-{number}", pod(number)) for number in range(PODS)}


def intact(node, acknowledged):
    """How many attachments have all their files, complete."""
    return sum(node.addresses_of(f"c-old-{number}") == sorted(got) for number, got in acknowledged.items())


def kept(node, acknowledged):
    """How many pods get their addresses again when they start in another order, after the old sandboxes' DELs."""
    for number in acknowledged:
        node.delete(f"c-old-{number}", pod(number))
    again = {number: node.add(f"c-new-{number}", pod(number)) for number in reversed(acknowledged)}
    return sum(again[number] == got for number, got in acknowledged.items())


def survivors(kind, folder, ranges, binary=BINARY, make=Disk, **ipam):
    """(intact files, kept addresses) of PODS acknowledged ADDs and an immediate power cut."""
    with make(folder, kind) as disk:
        node = Node(disk.mount_point, ranges, binary=binary, **ipam)
        acknowledged = add_all(node)
        power_cut(disk)
        whole = intact(node, acknowledged)
        return whole, kept(node, acknowledged)


def all_survive(kind, folder, ranges, make=Disk):
    whole, same = survivors(kind, folder, ranges, make=make)
    print(f"# {kind}: {whole} of {PODS} IP files intact, {same} of {PODS} pods keep their addresses")
    print_host_local(kind, folder, ranges, make)
    assert (whole, same) == (PODS, PODS)


def print_host_local(kind, folder, ranges, make):
    """Stock host-local beside it; it promises nothing here, so this is only measured."""
    if os.access(HOST_LOCAL, os.X_OK):
        whole, same = survivors(kind, folder, ranges, binary=HOST_LOCAL, make=make)
        print(f"# {kind}, stock host-local: {whole} of {PODS} intact, {same} of {PODS} keep their addresses")


def small_inodes(folder, kind):
    """Stamps lie outside of the inodes, and those tell no nanoseconds and no birth."""
    return Disk(folder, kind, "-I", "128")


def shut_down(folder, kind):
    return Disk(folder, kind, is_shut_down=True)


def without_durability(folder):
    """The cut is a real one: the same ADDs without flushes are lost."""
    whole, _ = survivors("ext4", folder, SINGLE, durability="none")
    print(f'# ext4, "durability": "none": {whole} of {PODS} IP files intact')
    assert whole < PODS, "the simulated power cut loses nothing: this suite proves nothing"


def deletion_stays(folder):
    """A released address does not come back as in use, and is held for its pod in the order of DELs."""
    with Disk(folder, "ext4") as disk:
        node = Node(disk.mount_point, SINGLE)
        acknowledged = add_all(node)
        disk.settle()
        for number in acknowledged:
            node.delete(f"c-old-{number}", pod(number))
        power_cut(disk)
        assert not node.attachments(), f"came back: {sorted(node.attachments())}"
        bindings = node.bindings()
        order = [bindings[address].sequence for (address,) in acknowledged.values()]
        assert order == sorted(set(order)) and order[0] > 0, f"sequence numbers {order} do not tell the order"
        newcomer = node.add("c-newcomer", "shop/newcomer")
        assert newcomer not in acknowledged.values(), f"{newcomer} is held for another pod"
        node.delete("c-newcomer", "shop/newcomer")
        latest = node.bindings()[newcomer[0]].sequence
        assert latest > order[-1], f"the count of DELs went back from {order[-1]} to {latest}"
        assert kept(node, acknowledged) == PODS


def first_ever(folder):
    """Folders that the ADD itself made are as durable as the file in them."""
    with Disk(folder, "ext4") as disk:
        node = Node(os.path.join(disk.mount_point, "a/b/c"), SINGLE)
        address = node.add("c-first", "shop/first")
        power_cut(disk)
        assert node.addresses_of("c-first") == address, f"left: {node.entries()}"
        node.delete("c-first", "shop/first")
        assert node.add("c-second", "shop/first") == address


def eviction_stays(folder):
    """The new pod has the file and the binding; the old pod's binding has ended; the others' have not."""
    with Disk(folder, "ext4") as disk:
        node = Node(disk.mount_point, TINY)
        for number in range(5):
            node.add(f"c-old-{number}", pod(number))
        for number in range(5):
            node.delete(f"c-old-{number}", pod(number))
        disk.settle()
        address = node.add("c-new", "shop/new")
        power_cut(disk)
        assert node.addresses_of("c-new") == address, f"left: {node.attachments()}"
        owners = {found: binding.owner for found, binding in node.bindings().items()}
        assert owners[address[0]] == "shop/new", f"bindings {owners}"
        assert sorted(owners.values()) == ["shop/new", *(pod(number) for number in range(1, 5))], f"bindings {owners}"
        node.delete("c-new", "shop/new")
        assert node.add("c-again", "shop/new") == address


def takeovers_stay(folder, kind):
    """All pods take their addresses over from containers of the boot before, which nobody deleted; then the cut."""
    with Disk(folder, kind) as disk:
        node = Node(disk.mount_point, DUAL)
        before = add_all(node)
        disk.settle()
        new_boot()
        taken = {number: node.add(f"c-taken-{number}", pod(number)) for number in before}
        power_cut(disk)
        assert taken == before, f"not taken over: {taken}, before {before}"
        whole = sum(node.addresses_of(f"c-taken-{number}") == sorted(got) for number, got in taken.items())
        print(f"# {kind}: {whole} of {PODS} takeovers intact")
        assert whole == PODS and len(node.attachments()) == 2 * PODS, f"left: {node.attachments()}"


def repeated_add(folder):
    """A second ADD makes durable what the first one, dead before its flush, had written."""
    with Disk(folder, "ext4") as disk:
        node = Node(disk.mount_point, SINGLE)
        node.add("c-other", "shop/other")
        written = node.add("c-twice", "shop/twice", durability="none")
        assert node.add("c-twice", "shop/twice") == written
        power_cut(disk)
        assert node.addresses_of("c-twice") == written, f"left: {node.attachments()}"
        assert node.bindings()[written[0]].owner == "shop/twice"


def settled(disk, name):
    """A node with a pod and a neighbour whose ADDs are on the disk."""
    node = Node(os.path.join(disk.mount_point, name), SINGLE)
    assert node.add("c-old", pod(0)) == [ADDRESS]
    node.add("c-neighbour", pod(1))
    disk.settle()
    return node


def killed_at_flush(node, *request):
    outcome, _, _ = trace.inject(node.binary, *node.request(*request), "fsync", 1, "signal=KILL")
    assert outcome.exit == -9, f"{request} was not killed at its flush: {outcome}"


def answered_and_gone(disk, node):
    """DEL is answered, the power fails, and the file is not back."""
    assert not node.addresses_of("c-old"), "the killed command had not removed the file"
    node.delete("c-old", pod(0))
    power_cut(disk)
    assert not node.addresses_of("c-old"), f"came back: {node.attachments()}"


def repeated_del(folder, kind):
    """The runtime repeats a DEL that was killed at a flush; what is answered then is on the disk."""
    with Disk(folder, kind) as disk:
        for occurrence in (1, 2):
            node = settled(disk, f"del-{occurrence}")
            request = node.request("DEL", "c-old", pod(0))
            outcome, _, _ = trace.inject(node.binary, *request, "fsync", occurrence, "signal=KILL")
            assert outcome.exit == -9, f"not killed at fsync {occurrence}: {outcome}"
            answered_and_gone(disk, node)
            assert node.bindings()[ADDRESS].sequence > 0, "the binding is not held"


def del_after_others(folder):
    """The same where it was a takeover or a GC that had removed the file and died."""
    with Disk(folder, "ext4") as disk:
        node = settled(disk, "takeover")
        new_boot()
        node.add("c-neighbour-2", pod(1))
        disk.settle()
        killed_at_flush(node, "ADD", "c-new", pod(0))
        answered_and_gone(disk, node)
        node = settled(disk, "gc")
        env, conf = node.request("GC", "", ifname="", netns="")
        conf.update({"cniVersion": "1.1.0", "cni.dev/valid-attachments": []})
        outcome, _, _ = trace.inject(node.binary, env, conf, "fsync", 1, "signal=KILL")
        assert outcome.exit == -9, f"GC: {outcome}"
        answered_and_gone(disk, node)


def tests():
    with tempfile.TemporaryDirectory(prefix="powercut.") as folder:
        for kind in ("ext4", "xfs", "btrfs"):
            yield f"all acknowledged ADDs survive a power cut on {kind}", all_survive, kind, folder, SINGLE
            yield (f"all acknowledged dual-stack ADDs survive a power cut on {kind}",
                   all_survive, kind, folder, DUAL)
        yield "the same on ext4 with inodes of 128 bytes", all_survive, "ext4", folder, DUAL, small_inodes
        yield "the same on xfs, which is shut down and recovers", all_survive, "xfs", folder, DUAL, shut_down
        yield "without durability the cut loses acknowledged addresses", without_durability, folder
        yield "an acknowledged DEL survives a power cut and leaves the address held", deletion_stays, folder
        yield "the first ADD ever survives a power cut, its folders included", first_ever, folder
        yield "an acknowledged eviction survives a power cut", eviction_stays, folder
        for kind in ("ext4", "xfs", "btrfs"):
            yield f"acknowledged takeovers survive a power cut on {kind}", takeovers_stay, folder, kind
        yield "a repeated ADD makes durable what the first one had only written", repeated_add, folder
        for kind in ("ext4", "xfs"):
            yield (f"a DEL that repeats one killed at a flush survives a power cut on {kind}",
                   repeated_del, folder, kind)
        yield ("a DEL after a takeover or a GC that was killed at its flush survives a power cut",
               del_after_others, folder)


if __name__ == "__main__":
    tap.main("powercut", tests, sandbox.enter, fake_boots, lambda: require(BINARY))
