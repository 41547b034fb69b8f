"""Failure modes of the calls: floods, odd orders, repetitions, odd names, a full pool. F15 to F23."""
import os
import time

import nsmount
import race
from crowd import adds, all_at_once, assert_exhausted, dels
from modes_store import DUAL, POD, node_at
from node import new_boot
from patient import NO_ATTACHMENT, code_of, message_of

CROWD = 250
WIDE = [[{"subnet": "10.9.0.0/24"}], [{"subnet": "fd00:9::/64"}]]
MIDDLE = [[{"subnet": "10.9.0.0/26"}]]  # 61 addresses for pods


def flood():
    """All pods of a node at once, at the first boot; at the next one DELs and ADDs mixed, of half of them at a time, as
    nobody waits longer for the lock than 10 s."""
    node = node_at("flood", WIDE)
    started = time.monotonic()
    home = all_at_once(node, adds(node, "old", range(CROWD)))
    node.assert_in_use(home)
    first = time.monotonic()
    new_boot()
    got = {}
    for half in (range(CROWD // 2), range(CROWD // 2, CROWD)):
        got |= all_at_once(node, dels(node, "old", half) + adds(node, "new", half))
    print(f"# {CROWD} ADDs at once: {first - started:.1f} s; {CROWD} DELs and ADDs after a reboot: "
          f"{time.monotonic() - first:.1f} s")
    assert {name.replace("new", "old"): addresses for name, addresses in got.items()} == home
    node.assert_in_use(got)


def killed_in_the_flood():
    """The runtime kills commands that wait for the lock; the others go on, and nothing of the killed ones is left."""
    node = node_at("flood-killed", WIDE)
    with race.lock_held(node):
        waiting = race.held_at_lock(node, adds(node, "c", range(20)))
        for one in waiting[::2]:
            one.kill()
    got = {f"c-{number}": waiting[number].finish().addresses for number in range(1, 20, 2)}
    node.assert_in_use(got)


def wrapped_ring():
    """Newcomers between the DELs and the ADDs of a boot, with the ring at the pods' own addresses."""
    node = node_at("ring")
    pods = [f"shop/web-{number}" for number in range(5)]
    for number in range(13):
        node.add(f"c-job-{number}", f"shop/job-{number}")
        node.delete(f"c-job-{number}", f"shop/job-{number}")
    home = {pod: node.add(f"c-{pod[-1]}", pod) for pod in pods}
    new_boot()
    for pod in pods:
        node.delete(f"c-{pod[-1]}", pod)
    newcomers = [node.add(f"c-new-{number}", f"shop/new-{number}") for number in range(8)]
    assert not [got for got in newcomers if got in home.values()], f"{newcomers} include one of {home}"
    assert {pod: node.add(f"c-again-{pod[-1]}", pod) for pod in reversed(pods)} == home


def runtime_replaced():
    """The new runtime knows no old sandbox and sends no DEL; the boot is the same.

    In its predecessor's folder of namespaces, gone is dead. From another folder nothing can be said about them: the
    pod has another address until the next reboot, and that is its own from then on.
    """
    node = node_at("runtime")
    for folder, kept in (("/run/netns", True), ("/run/docker/netns", False)):
        os.makedirs(folder, exist_ok=True)
        old, new = f"{folder}/old", f"/run/netns/new-{kept}"
        os.makedirs(os.path.dirname(new), exist_ok=True)
        pod = f"shop/web-{kept}"
        home = node.add(f"c-old-{kept}", pod, netns=nsmount.make(old))
        nsmount.remove(old)
        nsmount.make(new)
        try:
            got = node.add(f"c-new-{kept}", pod, netns=new)
        finally:
            nsmount.remove(new)
        assert (got == home) == kept, f"old namespace in {folder}: {home}, then {got}"
        assert node.addresses_of(f"c-old-{kept}") == ([] if kept else home)
        new_boot()
        assert node.add(f"c-next-{kept}", pod) == got, "not the newest address"


def odd_deletes():
    """Never, twice, before its ADD, after a newer ADD, without an ADD, without namespace, arguments or ranges."""
    node = node_at("deletes", DUAL)
    node.delete("c-never-added", POD)
    home = node.add("c-1", POD)
    node.delete("c-1", "shop/somebody-else", ifname="eth1")
    node.delete("c-other", POD)
    assert node.addresses_of("c-1") == home, "matched by pod, or without the interface"
    for more in ({"netns": None}, {"netns": ""}, {"args": "IgnoreUnknown=1"}, {"args": "bad"}, {"ranges": [[{}]]}):
        node.delete("c-1", **more)
        assert node.attachments() == {}, more
        node.delete("c-1", **more)
        assert node.add("c-1", POD) == home, more
    new_boot()
    assert node.add("c-2", POD) == home
    before = node.entries(), node.bindings()
    for _ in range(2):
        node.delete("c-1", POD)
    assert (node.entries(), node.bindings()) == before, "a late DEL touched the new sandbox"
    node.assert_in_use({"c-2": home})


def repeated_add():
    """The same answer and nothing new; with "onDuplicate": "error" host-local's error and nothing lost."""
    node = node_at("again", DUAL)
    first = node.call("ADD", "c-1", POD)
    before = node.attachments(), node.bindings()
    assert [node.call("ADD", "c-1", POD).stdout for _ in range(3)] == [first.stdout] * 3
    refused = node.call("ADD", "c-1", POD, onDuplicate="error")
    assert code_of(refused) == NO_ATTACHMENT and "duplicate allocation is not allowed" in message_of(refused), refused
    assert (node.attachments(), node.bindings()) == before


def failed_downstream():
    """The main plugin fails after our ADD and deletes, the runtime deletes again; the next sandboxes get the same."""
    node = node_at("downstream", DUAL)
    home = node.add("c-0", POD)
    for attempt in range(5):
        node.delete(f"c-{attempt}", POD)
        node.delete(f"c-{attempt}", POD)
        assert node.attachments() == {}
        node.add(f"c-other-{attempt}", "shop/other")
        node.delete(f"c-other-{attempt}", "shop/other")
        assert node.add(f"c-{attempt + 1}", POD) == home
    node.assert_in_use({"c-5": home})


def recreated_while_alive():
    """A recreated pod starts while its predecessor still runs: two addresses; the newest one is kept."""
    node = node_at("recreated", DUAL)
    for uid in ("uid-2", "uid-1"):
        old = node.add(f"c-old-{uid}", f"shop/{uid}", uid="uid-1")
        new = node.add(f"c-new-{uid}", f"shop/{uid}", uid=uid)
        assert not set(old) & set(new)
        assert node.addresses_of(f"c-old-{uid}") == sorted(old) and node.addresses_of(f"c-new-{uid}") == sorted(new)
        node.delete(f"c-old-{uid}", f"shop/{uid}", uid="uid-1")
        assert node.addresses_of(f"c-new-{uid}") == sorted(new)
        node.delete(f"c-new-{uid}", f"shop/{uid}", uid=uid)
        assert node.add(f"c-next-{uid}", f"shop/{uid}", uid="uid-3") == new


def odd_names():
    """The longest names Kubernetes allows, separators in names, no names at all. More: test/churn/identity_test.py."""
    node = node_at("names", DUAL)
    names = [f"{'n' * 63}/{'p' * 252}a", f"{'n' * 63}/{'p' * 252}b", "a/b_c", "a_b/c", "a/b~c"]
    home = {name: node.add(f"c-{number}", name) for number, name in enumerate(names)}
    for number, name in enumerate(names):
        node.delete(f"c-{number}", name)
    assert {name: node.add(f"c-next-{number}", name) for number, name in enumerate(names)} == home
    known = set(node.bindings())
    nameless = node.add("c-nameless", args="IgnoreUnknown=1")
    node.delete("c-nameless")
    assert set(node.bindings()) == known, "a caller without names left a binding"
    assert node.add("c-nameless-2", args="IgnoreUnknown=1") != nameless, "plain allocation walks on"


def families_together():
    """IPv6 in short forms; both families or none: when one is used up, nothing of the other stays."""
    ranges = [[{"subnet": "10.9.0.0/28"}], [{"subnet": "fd00:0009:0:0::/126", "gateway": "FD00:9:0::0001"}]]
    node = node_at("families", ranges)
    home = node.add("c-1", POD)
    assert home == ["10.9.0.2", "fd00:9::2"] and node.add("c-2", "shop/other") == ["10.9.0.3", "fd00:9::3"]
    before = node.attachments(), node.bindings()
    assert_exhausted(node.call("ADD", "c-3", "shop/third"))
    assert (node.attachments(), node.bindings()) == before, "half an attachment is left"
    node.delete("c-1", POD)
    assert node.add("c-4", POD) == home


def pool_of_garbage():
    """Jobs that never come back have every address: the one held longest goes first, one in use never."""
    node = node_at("garbage", MIDDLE)
    running = node.add("c-running", "shop/running")
    jobs = [node.add(f"c-job-{number}", f"shop/job-{number}") for number in range(60)]
    for number in range(60):
        node.delete(f"c-job-{number}", f"shop/job-{number}")
    got = [node.add(f"c-new-{number}", f"shop/new-{number}") for number in range(60)]
    assert got == jobs, "not in the order of the DELs"
    assert node.addresses_of("c-running") == running
    assert {binding.namespace for binding in node.bindings().values()} == {"shop"}
    full = node.call("ADD", "c-full", "shop/full")
    assert_exhausted(full)
    assert "in-use 61, held 0" in full.json["details"], full.json


MODES = [
    (f"F15: {CROWD} pods at once, at first and after a reboot: all distinct, all kept", flood),
    ("F15: commands killed while they wait for the lock leave nothing", killed_in_the_flood),
    ("F16: new pods in the middle of a boot take no held address while others are free", wrapped_ring),
    ("F17: under a new runtime pods keep their addresses where the old sandboxes are proven dead", runtime_replaced),
    ("F18: DELs never, twice, early, late, unknown and incomplete succeed and hit only their own", odd_deletes),
    ("F19: a repeated ADD gets the same answer and changes nothing", repeated_add),
    ("F20: an ADD that fails after ours costs the pod nothing", failed_downstream),
    ("F21: a recreated pod and its living predecessor never share an address", recreated_while_alive),
    ("F22: long and odd names are told apart, nameless callers are not held", odd_names),
    ("F22: both families are given together or not at all", families_together),
    ("F23: in a pool full of garbage the address held longest goes first, one in use never", pool_of_garbage),
]
