"""Failure modes of the store itself: F1 to F6 and F24 to F27."""
import json
import os
import shutil
import tempfile
from types import SimpleNamespace

import plugin
import race
import result_cache
import trace
from disk import Disk, fill_inodes, tmpfs
from node import Node, new_boot
from patient import HELD, NO_ATTACHMENT, NOT_AVAILABLE, RUNNING, TRY_AGAIN, Patient, code_of, message_of

HOME = "/var/lib/cni/modes"
POD = "shop/web-0"
SMALL = [[{"subnet": "10.9.0.0/28"}]]
DUAL = [[{"subnet": "10.9.0.0/28"}], [{"subnet": "fd00:9::/120"}]]
KILLED = -9
# root, but subject to modes and owners like everybody else
WITHOUT_POWER = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner")


def node_at(name, ranges=None, **ipam):
    """A node of its own for one test."""
    return Node(os.path.join(HOME, name), SMALL if ranges is None else ranges, **ipam)


def power_cut_in_an_add():
    """Killed before the first name, and before the first flush; then the power goes: old or new state, no leak.

    At every system call: test/crash/kill_test.py; with acknowledged ADDs, and on other disks: powercut_test.py.
    """
    with tempfile.TemporaryDirectory(prefix="modes.") as folder, Disk(folder, "ext4") as disk:
        node = Node(disk.mount_point, DUAL)
        home = node.add("c-before", POD)
        node.delete("c-before", POD)
        for call in ("linkat", "fsync"):
            disk.settle()
            outcome, _, _ = trace.inject(node.binary, *node.request("ADD", f"c-{call}", POD), call, 1, "signal=KILL")
            assert outcome.exit == KILLED and outcome.stdout == "", outcome
            disk.cut_power()
            new_boot()
            assert node.add(f"c-after-{call}", POD) == home
            assert sorted(node.attachments()) == sorted(home), f"left behind: {node.attachments()}"
            node.delete(f"c-after-{call}", POD)
        node.assert_sound()


def torn_files():
    """What a power cut leaves of the Go plugin's files is free again; anything else odd stays in use."""
    node = node_at("torn-files")
    node.add("c-1", POD)
    torn = {"10.9.0.5": b"", "10.9.0.6": b"\0" * 40}
    odd = {"10.9.0.7": b"c-torn\r\n", "10.9.0.8": b"\x01\xff", "10.9.0.9": b"reserved by hand\n"}
    for address, content in {**torn, **odd}.items():
        with open(os.path.join(node.network_dir, address), "wb") as file:
            file.write(content)
    new_boot()
    given = {node.add(f"c-new-{number}", f"shop/new-{number}")[0] for number in range(9)}
    assert set(torn) <= given and not given & set(odd), given
    assert code_of(node.call("ADD", "c-last", "shop/last")) == 0, "the dead attachment of the last boot is left"
    full = node.call("ADD", "c-more", "shop/more")
    assert code_of(full) == NO_ATTACHMENT and "10.9.0.1-10.9.0.14" in message_of(full), full
    assert {address: node.attachments()[address] for address in odd} == odd


def torn_records():
    """A record cut off at any byte costs at most its pod's address; it blocks nobody and doubles nothing."""
    node = node_at("torn-records")
    neighbour = node.add("c-neighbour", "shop/neighbour")
    node.add("c-1", POD)
    node.delete("c-1", POD)
    records = {path: target for path, target in node.records().items() if "web-0" in path + target}
    assert len(records) == 2, records
    for path, target in records.items():
        for length in range(1, len(target)):
            for other, whole in records.items():
                replace_link(node, other, whole[:length] if other == path else whole)
            got = node.add("c-2", POD) + node.add("c-3", "shop/other")
            assert len({*got, *neighbour}) == 3, f"{path} cut off at {length}: {got}"
            node.delete("c-2", POD)
            node.delete("c-3", "shop/other")
    assert node.addresses_of("c-neighbour") == neighbour
    node.assert_sound()


def replace_link(node, path, target):
    """Let a record say something else."""
    record = os.path.join(node.state_dir, path)
    if os.path.lexists(record):
        os.unlink(record)
    os.symlink(target, record)


def store_lost():
    """Both folders gone, then a reboot: what the runtime's cache knows is learned again; without it, all start anew."""
    pods = {f"c-{number}": f"shop/web-{number}" for number in (3, 1, 2)}
    for cached in (True, False):
        node = node_at(f"lost-{cached}")
        home = {}
        for container_id, pod in pods.items():
            result = node.call("ADD", container_id, pod)
            home[pod] = result.addresses
            if cached:
                write_cache_entry(node, container_id, pod, result.json)
        shutil.rmtree(node.home)
        new_boot()
        got = {pod: node.add(f"{container_id}-new", pod) for container_id, pod in reversed(pods.items())}
        shutil.rmtree(result_cache.FOLDER, ignore_errors=True)
        assert (got == home) == cached, f"cache {cached}: before {home}, after {got}"
        assert len({address for one in got.values() for address in one}) == len(pods)


def write_cache_entry(node, container_id, pod, result):
    """What libcni leaves of a successful ADD."""
    os.makedirs(result_cache.FOLDER, exist_ok=True)
    namespace, name = pod.split("/")
    owner = SimpleNamespace(namespace=namespace, name=name, uid="")
    with open(result_cache.path(node.name, container_id), "w") as file:
        json.dump(result_cache.entry(node.conf(), container_id, owner, "/run/netns/gone", result), file)


def disk_full():
    """A new pod is told so and leaves nothing; DEL works, and the pod it was of comes up in its place."""
    with tempfile.TemporaryDirectory(prefix="modes.") as folder, tmpfs(folder, "nr_inodes=60") as path:
        patient = Patient(path, path)
        fill_inodes(path)
        before = patient.node.attachments()
        refused = patient.ask("ADD", "c-new", "shop/new")
        assert code_of(refused) == TRY_AGAIN and path in message_of(refused), refused
        assert patient.node.attachments() == before
        patient.node.delete("c-running", "shop/running")
        assert patient.node.add("c-running-2", "shop/running") == [RUNNING]


def read_only():
    """No ADD without writing, also of a pod with a held address; STATUS is 50; DEL succeeds and is replayed."""
    with tempfile.TemporaryDirectory(prefix="modes.") as folder, Disk(folder, "ext4") as disk:
        patient = Patient(disk.mount_point, disk.mount_point)
        disk.remount("ro")
        assert code_of(patient.ask("ADD", "c-held-2", "shop/held")) == TRY_AGAIN
        assert code_of(patient.ask("ADD", "c-new", "shop/new")) == TRY_AGAIN
        assert code_of(patient.ask("STATUS", None, None)) == NOT_AVAILABLE
        patient.node.delete("c-running", "shop/running")
        patient.assert_pending("c-running")
        disk.remount("rw")
        assert patient.node.add("c-held-2", "shop/held") == [HELD]
        assert patient.node.addresses_of("c-running") == [] and patient.node.pending() == []


def unreadable_file():
    """A file that cannot be read holds its address, also when it is the last one left."""
    node = node_at("eio", [[{"subnet": "10.9.0.0/29"}]])
    taken = node.add("c-1", POD)
    wrapper = (*trace.always("read:error=EIO"), "-P", os.path.join(node.network_dir, taken[0]))
    for number in range(4):
        done = plugin.run(node.binary, *node.request("ADD", f"c-new-{number}", f"shop/new-{number}"), wrapper=wrapper)
        assert done.exit == 0 and done.addresses != taken, done
    full = plugin.run(node.binary, *node.request("ADD", "c-new-5", "shop/new-5"), wrapper=wrapper)
    assert full.exit == 1 and node.addresses_of("c-1") == taken, full


def newer_format():
    """A record of a later version is no pod's and stays as it is: its pod comes up elsewhere, DEL releases."""
    node = node_at("newer")
    address = node.add("c-1", POD)[0]
    record = next(path for path in node.records() if path.endswith(f"ip.{address}"))
    replace_link(node, record, "2~something~new")
    node.delete("c-1", POD)
    other = node.add("c-2", POD)
    assert other != [address] and node.records()[record] == "2~something~new"
    assert node.attachments().keys() == set(other)


def other_plugins_and_back():
    """Stock host-local takes over and gives back; OpenYurt's markers are read; the pods keep their addresses."""
    plugin.require(plugin.HOST_LOCAL)
    node = node_at("formats")
    home = node.add("c-1", POD)
    with open(os.path.join(node.network_dir, "10.9.0.9_shop_old-0"), "w"):
        pass
    foreign = node.add("c-foreign", "shop/foreign", binary=plugin.HOST_LOCAL, args="IgnoreUnknown=1")
    node.delete("c-1", POD, binary=plugin.HOST_LOCAL)
    assert node.addresses_of("c-1") == [] and node.addresses_of("c-foreign") == foreign
    new_boot()
    node.delete("c-foreign", "shop/foreign")
    assert node.add("c-other", "shop/other") not in (home, foreign, ["10.9.0.9"])
    got = [node.add(f"c-{pod}", f"shop/{pod}") for pod in ("old-0", "foreign", "web-0")]
    assert got == [["10.9.0.9"], foreign, home], got


def killed_with_the_lock():
    """The kernel frees the lock of a killed process. At every system call: test/crash/kill_test.py."""
    node = node_at("killed")
    for verb, call in (("ADD", "linkat"), ("DEL", "unlinkat")):
        node.add("c-1", POD)
        victim = "c-1" if verb == "DEL" else "c-killed"
        outcome, calls, _ = trace.inject(node.binary, *node.request(verb, victim, POD), call, 1, "signal=KILL")
        assert outcome.exit == KILLED, outcome
        locks = [seen for seen in calls if seen.name == "flock" and "/lock>" in seen.args]
        freed = [seen for seen in calls if seen.name == "close" and "/lock>" in seen.args]
        assert len(locks) == 1 and not freed, f"{verb} did not hold the lock: {locks}, {freed}"
        node.assert_sound()
        node.delete("c-1", POD)
    with race.lock_held(node):
        waiting = race.held_at_lock(node, [node.request("ADD", "c-2", POD)])
        waiting[0].kill()
    assert node.attachments() == {}


def no_permission():
    """Folders and files of somebody else: the message names the path, nothing is left, and the cure is enough."""
    node = node_at("permission")
    home = node.add("c-1", POD)
    node.add("c-2", "shop/held")
    node.delete("c-2", "shop/held")
    records = os.path.join(node.state_dir, os.listdir(node.state_dir)[0])
    before = node.attachments(), node.bindings()
    for place in (node.network_dir, os.path.join(node.network_dir, "lock"), records):
        mode = os.stat(place).st_mode
        os.chown(place, 65534, 65534)
        os.chmod(place, 0o700)
        for verb, container_id, pod in (("ADD", "c-3", "shop/new"), ("DEL", "c-1", POD)):
            if verb == "DEL" and place == records:
                continue
            refused = plugin.run(node.binary, *node.request(verb, container_id, pod), wrapper=WITHOUT_POWER)
            assert refused.exit == 1 and "permission denied" in message_of(refused), f"{place}, {verb}: {refused}"
            assert place in refused.json["msg"], f"{verb}: {refused.json['msg']!r} does not name {place}"
            assert (node.attachments(), node.bindings()) == before
        os.chown(place, 0, 0)
        os.chmod(place, mode & 0o7777)
    node.delete("c-1", POD)
    assert node.add("c-4", POD) == home


def memory_only():
    """dataDir on tmpfs: it works, and after its loss the bindings remain; with both lost, pods simply come up."""
    node = node_at("memory", DUAL)
    home = {f"shop/web-{number}": node.add(f"c-{number}", f"shop/web-{number}") for number in range(5)}
    for folder in (node.data_dir, node.home):
        shutil.rmtree(folder)
        new_boot()
        node.delete("c-1", "shop/web-1")
        got = {pod: node.add(f"c-{folder[-4:]}-{pod[-1]}", pod) for pod in reversed(home)}
        assert len({address for one in got.values() for address in one}) == 2 * len(home)
        assert got == home or folder == node.home, f"before {home}, after {got}"
    node.assert_sound()


MODES = [
    ("F1: a power cut in the middle of an ADD leaves the old or the new state and no leak", power_cut_in_an_add),
    ("F2: empty and zeroed IP files are freed at boot, other odd ones stay in use", torn_files),
    ("F2: a record cut off at any byte blocks no ADD and doubles no address", torn_records),
    ("F3: a lost store is learned again from the runtime's cache, or started anew", store_lost),
    ("F4: on a full disk a new pod is code 11, a pod whose DEL made room comes up", disk_full),
    ("F5: on a read-only disk ADD is code 11, STATUS 50, DEL succeeds and is replayed", read_only),
    ("F6: an IP file that cannot be read holds its address", unreadable_file),
    ("F24: a record of a newer version is passed over and left alone, DEL still releases", newer_format),
    ("F24: over to host-local and back, OpenYurt's markers: every pod keeps its address", other_plugins_and_back),
    ("F25: a command killed with the lock leaves it free, a killed waiter leaves nothing", killed_with_the_lock),
    ("F26: without permission the message names the path, and nothing is left behind", no_permission),
    ("F27: a dataDir on tmpfs works, and its loss costs no address", memory_only),
]
