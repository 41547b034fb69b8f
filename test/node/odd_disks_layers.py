"""Stores without attributes (ramfs, or every errno of setting one), and stores in the lower layer of an overlay."""
import contextlib
import os
import subprocess

import trace
from disk import is_known
from node import Node, new_boot
from tap import Skip

DUAL = [[{"subnet": "10.9.0.0/29"}], [{"subnet": "fd00:9::/125"}]]
PODS = [f"shop/web-{number}" for number in range(5)]  # as many as the ranges have addresses


@contextlib.contextmanager
def mounted(kind, path, *options):
    if not is_known(kind):
        raise Skip(f"this kernel has no {kind}")
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", kind, *options, kind, path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def reboots_without_a_del(node, wrapper=()):
    """The pool is full; two reboots; nobody's DEL comes: all have their addresses each time, and a newcomer waits."""
    home = {}
    for boot in range(3):
        for number, pod in enumerate(PODS if boot % 2 == 0 else reversed(PODS)):
            done = node.call("ADD", f"c-{boot}-{number}", pod, wrapper=wrapper)
            assert done.exit == 0, f"boot {boot}, {pod}: {done}"
            assert done.addresses == home.setdefault(pod, done.addresses), f"boot {boot}, {pod}: {done.addresses}"
        refused = node.call("ADD", "c-more", "shop/more", wrapper=wrapper)
        assert refused.exit == 1 and "no IP addresses" in refused.json["msg"], refused
        new_boot()
    node.assert_sound()


def no_attributes_at_all(folder):
    with mounted("ramfs", os.path.join(folder, "ramfs")) as path:
        reboots_without_a_del(Node(path, DUAL))


def attributes_refused(folder):
    for error in ("EOPNOTSUPP", "E2BIG", "ERANGE", "ENOSPC", "EACCES", "EPERM", "EDQUOT"):
        node = Node(os.path.join(folder, error), DUAL)
        reboots_without_a_del(node, trace.always(f"fsetxattr:error={error}"))


@contextlib.contextmanager
def overlay(folder, lower):
    """An overlay over `lower`, its changes on a tmpfs; yields its mount point."""
    with mounted("tmpfs", os.path.join(folder, "changes")) as changes:
        upper, work = os.path.join(changes, "upper"), os.path.join(changes, "work")
        os.makedirs(upper)
        os.makedirs(work)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        with mounted("overlay", os.path.join(folder, "merged"), "-o", options) as merged:
            yield merged


def in_the_lower_layer(folder, dual):
    """Stamps of an earlier boot are renewed by the repeated ADD: files are copied up, and are still the same."""
    lower = os.path.join(folder, f"lower-{dual}")
    ranges = DUAL if dual else DUAL[:1]
    home = {pod: Node(lower, ranges).add(f"c-{pod[-1]}", pod) for pod in PODS[:3]}
    new_boot()
    with overlay(folder, lower) as merged:
        node = Node(merged, ranges)
        for pod, addresses in home.items():
            for _ in range(2):
                done = node.call("ADD", f"c-{pod[-1]}", pod)
                assert done.addresses == addresses, f"a repeated ADD on the overlay: {done}"
        # All of their files are of this boot now: nothing that they hold is taken over.
        held = {one for addresses in home.values() for one in addresses}
        second = {pod: node.add(f"c-{pod[-1]}-2", pod) for pod in PODS[:2]}
        assert not held & {one for addresses in second.values() for one in addresses}, second
        new_boot()
        for pod, addresses in second.items():
            assert node.add(f"c-{pod[-1]}-3", pod) == addresses
        assert node.add("c-2-3", PODS[2]) == home[PODS[2]]
        node.assert_sound()


def deleted_in_the_lower_layer(folder):
    """The first command of a boot copies the folder up; its tombstone and its boot scan count for the next command."""
    lower = os.path.join(folder, "lower-deleted")
    home = Node(lower, DUAL).add("c-1", PODS[0])
    with overlay(folder, lower) as merged:
        node = Node(merged, DUAL)
        node.delete("c-1", PODS[0])
        assert node.attachments() == {}
        assert node.add("c-2", PODS[0]) == home
        node.delete("c-1", PODS[0])
        assert node.addresses_of("c-2") == sorted(home)
        node.assert_sound()


TESTS = [
    ("ramfs, which has no attributes: two reboots without a DEL cost no address", no_attributes_at_all),
    ("attributes that cannot be set, for any reason: two reboots without a DEL cost no address", attributes_refused),
    ("overlayfs with the store below: repeated ADDs get their answer", in_the_lower_layer, False),
    ("overlayfs with a dual-stack store below: every name's stamp is renewed", in_the_lower_layer, True),
    ("overlayfs with the store below: DEL and ADD", deleted_in_the_lower_layer),
]
