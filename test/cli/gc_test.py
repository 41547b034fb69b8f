#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""gc: what nobody gives back goes: proven dead, or kept for a pod that is gone; seen twice, and looked at again. Never what may be alive
or may come back: each source can only keep.

usage: gc_test.py [--update] [WORD ...]

--update writes gc.golden.txt from what the tool says now: read the difference before you keep it.
"""
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time

import plugin
import sandbox
import tap
import tool
from golden import Golden
from looked_at import BOOTS, Looked, changes_in, snapshot, traced
from node import empty_run, fake_boots, new_boot
from plugin import BINARY, require

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = "/var/lib/cni/gc"
YURTHUB = "/etc/kubernetes/cache/kubelet/pods.v1.core"
OLD_YURTHUB = "/etc/kubernetes/cache/kubelet/pods"
LOGS = "/var/log/pods"
# Of Looked.tell_two_boots(): web-0 and web-1 are in use, web-2 is dead, web-3 is held.
RUNNING = ("shop/web-0", "shop/web-1")
DEAD = {"10.9.0.4", "fd00:9::4"}
HELD = {"10.9.0.5", "fd00:9::5"}


def own_places():
    """No pods of this machine are known in what follows."""
    for path in ("/etc", "/var/log"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path], check=True)


def pod_object(name, kind="Pod"):
    namespace, name = name.split("/")
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace, "uid": f"uid-of-{name}"},
            "spec": {"nodeName": "edge-1"}, "status": {"phase": "Running"}}


def kubectl(*pods):
    return {"apiVersion": "v1", "kind": "List", "items": [pod_object(pod) for pod in pods], "metadata": {"resourceVersion": ""}}


def crictl(*pods):
    names = [pod.split("/") for pod in pods]
    return {"items": [{"id": f"{number:064x}", "metadata": {"name": name, "uid": "u", "namespace": namespace, "attempt": 0},
                       "state": "SANDBOX_NOTREADY", "createdAt": "1", "labels": {}} for number, (namespace, name) in enumerate(names)]}


class Yurthub:
    """YurtHub's cache with these pods, for a with block."""

    def __init__(self, *pods, folder=YURTHUB, ending=""):
        for pod in pods:
            self.put(f"{folder}/{pod}{ending}", pod_object(pod))

    def put(self, path, content):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree("/etc/kubernetes", ignore_errors=True)


@contextlib.contextmanager
def logs(*names):
    for name in names:
        os.makedirs(f"{LOGS}/{name}")
    try:
        yield
    finally:
        shutil.rmtree(LOGS)


@contextlib.contextmanager
def mounted_read_only(folder):
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


class Collected(Looked):
    """A node with a list of its pods, whose notes can be made older."""

    def __init__(self, name="pods", home=HOME, **more):
        super().__init__(home, name=name, **more)

    def __enter__(self):
        super().__enter__()
        self.list = self.write("pods.json", kubectl(*RUNNING))
        return self

    @property
    def notes_path(self):
        return f"{self.record_dir}/gc"

    def notes(self):
        """What was seen: the candidates' names without what only tells one of them from the next."""
        if not os.path.exists(self.notes_path):
            return None
        with open(self.notes_path) as file:
            return sorted(" ".join(one["candidate"].split()[:2]) for one in json.load(file)["seen"])

    def change_notes(self, **changes):
        """Write other values into all notes: what a function makes of the one that is there."""
        with open(self.notes_path) as file:
            notes = json.load(file)
        for one in notes["seen"]:
            for key, change in changes.items():
                one[key] = change(one[key])
        with open(self.notes_path, "w") as file:
            json.dump(notes, file)

    def age(self):
        """They are from an earlier boot: this machine may not be up for an hour."""
        self.change_notes(boot=lambda _: BOOTS[0][:8])

    def gc(self, *arguments, **more):
        return tool.call("gc", *self.look(), *arguments, **more)

    def seen(self, *arguments):
        """Noted down long enough ago."""
        done = self.gc("--apply", *arguments)
        assert done.exit == tool.FOUND and "noted now" in done.stdout, done
        self.age()

    def why(self, *arguments):
        """{address: why} of a run that is made."""
        return {item["address"]: item["why"] for item in self.items(*arguments)}

    def items(self, *arguments):
        return json.loads(self.gc("--apply", "-o", "json", *arguments).stdout)["items"]

    def bound(self):
        return set(self.bindings())


def dry_run(golden):
    """What it says of each state, and nothing is written."""
    with Collected() as node:
        node.tell_two_boots()
        crictl_list = node.write("crictl.json", crictl(*RUNNING, "shop/web-2"))
        before = snapshot(HOME, "/run")
        call = node.calls(golden, "gc")
        call("no list of pods")
        call("a list of pods", "--pods", node.list)
        call("on stdin", "--pods", "-", stdin=json.dumps(kubectl(*RUNNING, "shop/web-3")))
        call("two lists", "--pods", node.list, "--pods", crictl_list)
        call("as JSON", "--pods", node.list, "-o", "json")
        for arguments in (("--root", "/"), ("-o", "name"), ("--grace", "x"), ("web-0",), ("--network", "other")):
            call(" ".join(arguments), *arguments)
        assert snapshot(HOME, "/run") == before
        golden.call("gc: a node without networks", "gc", "--conf", "/etc", "--data-dir", "/run/none", "--state-dir", "/run/none",
                    "--apply")


def same_text(golden):
    """Seen first, then waited for, then freed: a dry run says it in the same words."""
    with Collected() as node:
        node.tell_two_boots()
        call = node.calls(golden, "gc")

        def both(title):
            dry = node.gc("--pods", node.list)
            done = call(title, "--pods", node.list, "--apply")
            assert done.stdout == dry.stdout and (not dry.stdout or "dry run" in dry.stderr), (dry, done)
            return done

        both("noted")
        assert DEAD | HELD <= node.bound() and DEAD <= set(node.entries())
        assert node.notes() == ["attachment c2", "binding shop/web-3"]
        both("waits")
        node.age()
        both("freed")
        assert not HELD & node.bound() and not DEAD & set(node.entries()), (node.bound(), node.entries())
        assert node.bindings()["10.9.0.4"].sequence > 0
        both("what was dead is kept for its pod, which is gone")
        node.age()
        assert not both("freed, too").stderr
        both("nothing is left")
        assert node.notes() == []
        history = json.loads(tool.call("show", *node.look(), "--history", "10.9.0.4", "-o", "json").stdout)["history"]
        assert [(item["command"], item["was"], item["becomes"]) for item in history] == [
            ("gc", "dead", "held"), ("gc", "held", "free")], history
        assert set(node.addresses_of("d0")) == {"10.9.0.2", "fd00:9::2"} and node.addresses_of("e9")


def over_a_reboot():
    """What was seen in an earlier boot needs no uptime; time of day decides nothing."""
    with Collected() as node:
        node.tell_two_boots()
        node.gc("--apply", "--pods", node.list)
        new_boot(BOOTS[2])
        why = node.why("--pods", node.list)
        assert why["10.9.0.4"] == "proven dead, freed" and why["fd00:9::5"] == "its pod is gone, freed", why
        assert why["10.9.0.2"] == "proven dead, noted now", why  # it ran when the node went down
        assert not (HELD & node.bound() or DEAD & set(node.entries()))


def a_grace_of_nothing():
    """Also then it is seen twice."""
    with Collected() as node:
        node.tell_two_boots()
        for says in ("noted now", "freed"):
            for why in node.why("--pods", node.list, "--grace", "0").values():
                assert why.endswith(says), why


def notes_that_say_nothing():
    """Damaged, of an unknown boot, or later than now: nothing was seen, and it is noted anew."""
    with Collected() as node:
        node.tell_two_boots()
        node.seen("--pods", node.list)
        with open(node.notes_path) as file:
            good = file.read()
        damages = [lambda: node.change_notes(boot=lambda _: "deadbeef"), lambda: node.change_notes(boot=lambda _: ""),
                   lambda: node.change_notes(boot=lambda _: BOOTS[1][:8], uptime=lambda uptime: uptime + 36_000),
                   lambda: node.change_notes(candidate=lambda name: name + "0"), lambda: os.unlink(node.notes_path)]
        damages += [lambda text=text: node.write(os.path.relpath(node.notes_path, HOME), text)
                    for text in ("", good[:-20], "[]", "{}", good.replace('"boot"', '"boots"'), " " * 2_000_000 + good)]
        for number, damage in enumerate(damages):
            node.write(os.path.relpath(node.notes_path, HOME), good)
            damage()
            for why in node.why("--pods", node.list).values():
                assert why.endswith("noted now"), (number, why)
        assert DEAD | HELD <= node.bound() and DEAD <= set(node.entries())
        os.unlink(node.notes_path)
        os.mkdir(node.notes_path)
        done = node.gc("--apply", "--pods", node.list)
        assert done.exit == tool.USAGE and "/gc" in done.stderr and DEAD <= set(node.entries()), done


def interrupted():
    """Who is no candidate in between is seen anew: the pod is listed again, or was back and has gone."""
    with Collected() as node:
        node.tell_two_boots()
        node.seen("--pods", node.list)
        there = node.write("there.json", kubectl(*RUNNING, "shop/web-3"))
        assert set(node.why("--pods", there)) == DEAD
        assert set(node.why("--pods", node.list).values()) == {"its pod is gone, noted now"}
        node.age()
        node.add("f3", "shop/web-3")
        node.delete("f3", "shop/web-3")
        why = node.why("--pods", node.list)
        assert {why[address] for address in HELD} == {"its pod is gone, noted now"}, why
        assert HELD <= node.bound()


def without_a_list():
    """A run that no list says anything to leaves what another one saw of bindings, as long as that is true."""
    with Collected() as node:
        node.tell_two_boots()
        node.gc("--apply", "--pods", node.list)
        assert set(node.why()) == DEAD
        assert node.notes() == ["attachment c2", "binding shop/web-3"]
        node.age()
        assert set(node.why()) == DEAD and HELD <= node.bound()
        assert node.why("--pods", node.list)["10.9.0.5"] == "its pod is gone, freed"
        assert not HELD & node.bound()
    with Collected() as node:
        node.tell_two_boots()
        node.gc("--apply", "--pods", node.list)
        with logs("shop_web-3_11-22"):
            node.gc("--apply")
        assert node.notes() == ["attachment c2"]


def keeps_bindings(golden, title, *arguments, exit=tool.FOUND, damage=lambda: None):
    """In a node that has waited: the bindings stay, and what is proven dead goes all the same."""
    with Collected() as node:
        node.tell_two_boots()
        node.seen("--pods", node.list)
        held = node.bound()
        arguments = [node.list if one == "LIST" else one for one in arguments]
        damage()
        done = node.calls(golden, "gc")(title, "--apply", *arguments)
        assert done.exit == exit and "freed" in done.stdout, done
        assert node.bound() == held and not DEAD & set(node.entries()), done


def bad_lists(golden):
    """A list that is missing, empty, torn or of another kind keeps everything, beside a good one, too."""
    whole = json.dumps(kubectl(*RUNNING))
    part = {**kubectl(*RUNNING), "metadata": {"continue": "eyJ2IjoibWV0YSJ9"}}
    mixed = kubectl(*RUNNING)
    mixed["items"].append(pod_object("shop/web", "Service"))
    for title, content in (("empty", ""), ("no pod", kubectl()), ("no sandbox", {"items": []}), ("torn", whole[:-30]),
                           ("no JSON", "NAMESPACE NAME READY\n"), ("two documents", whole + whole), ("one pod", pod_object("shop/web-0")),
                           ("of all kinds", mixed), ("a part", part), ("of one namespace", kubectl("other/web-3"))):
        text = content if isinstance(content, str) else json.dumps(content)
        with open("/var/log/list.json", "w") as file:
            file.write(text)
        keep = ("--pods", "LIST") if title != "of one namespace" else ()
        keeps_bindings(golden, f"a list: {title}", *keep, "--pods", "/var/log/list.json")
    os.unlink("/var/log/list.json")
    keeps_bindings(golden, "a list: missing", "--pods", "LIST", "--pods", "/var/log/list.json")
    keeps_bindings(golden, "a list: a folder", "--pods", "/var/log")
    keeps_bindings(golden, "no list at all", exit=tool.FINE)


def yurthub():
    """Either layout says which pods exist; all of them count."""
    for folder, ending in ((YURTHUB, ""), (YURTHUB, ".json"), (OLD_YURTHUB, ""), (OLD_YURTHUB, ".json")):
        with Collected() as node, Yurthub(*RUNNING, folder=folder, ending=ending):
            node.tell_two_boots()
            node.seen()
            assert node.gc("--apply").exit == tool.FINE and not HELD & node.bound()
    with Collected() as node, Yurthub(*RUNNING), Yurthub("shop/web-3", folder=OLD_YURTHUB) as old:
        node.tell_two_boots()
        assert set(node.why()) == DEAD
        os.unlink(f"{OLD_YURTHUB}/shop/web-3")
        assert set(node.why("--pods", node.list)) == DEAD | HELD
        old.put(f"{YURTHUB}/shop/tmp_web-3", "")  # not written to the end
        assert set(node.why("--pods", node.list)) == DEAD


def bad_yurthub(golden):
    """A cache that is torn, empty or odd keeps everything, beside a good list, too."""
    def torn(cache):
        cache.put(f"{YURTHUB}/shop/web-0", json.dumps(pod_object("shop/web-0"))[:50])

    def empty(_):
        shutil.rmtree(f"{YURTHUB}/shop")

    def another(cache):
        cache.put(f"{YURTHUB}/shop/web-0", pod_object("shop/web-1"))

    def node_object(cache):
        cache.put(f"{YURTHUB}/shop/web-0", pod_object("shop/web-0", "Node"))

    def file(cache):
        cache.put(f"{YURTHUB}/list.json", kubectl(*RUNNING))

    def loop(_):
        os.unlink(f"{YURTHUB}/shop/web-0")
        os.symlink("web-0", f"{YURTHUB}/shop/web-0")

    def pipe(_):
        os.unlink(f"{YURTHUB}/shop/web-0")
        os.mkfifo(f"{YURTHUB}/shop/web-0")

    def no_folder(cache):
        shutil.rmtree(YURTHUB)
        cache.put(YURTHUB, "")

    for damage in (torn, empty, another, node_object, file, loop, pipe, no_folder):
        with Yurthub(*RUNNING) as cache:
            keeps_bindings(golden, f"YurtHub's cache: {damage.__name__}", "--pods", "LIST", damage=lambda: damage(cache))


def reasons_to_keep():
    """Kubelet's log folders, the runtime's cache and pods that run keep what no list has; what is odd in them does no harm."""
    with Collected() as node:
        node.tell_two_boots()
        assert set(node.why("--pods", node.list)) == DEAD | HELD
        with logs("shop_web-3_11-22"):
            assert set(node.why("--pods", node.list)) == DEAD
        with logs("lost+found", "web-3", "shop_web-33_11"):
            assert set(node.why("--pods", node.list)) == DEAD | HELD
        node.cache("f0", "shop/web-3", ["10.9.0.77"])
        assert set(node.why("--pods", node.list)) == DEAD
        shutil.rmtree("/var/lib/cni/results")
        node.add("f3", "shop/web-3", ifname="net1")  # its other interface runs, and eth0 is held
        assert set(node.why("--pods", node.list)) == DEAD
        node.delete("f3", "shop/web-3", ifname="net1")
        assert HELD <= set(node.why("--pods", node.list))


def odd_logs(golden):
    """What is found and cannot be read keeps everything, beside a good list, too."""
    try:
        keeps_bindings(golden, "kubelet's logs: no folder", "--pods", "LIST", damage=lambda: os.mknod(LOGS))
    finally:
        os.unlink(LOGS)


@contextlib.contextmanager
def looking(node):
    """A run of gc that has looked at the disk, and waits for its list: what happens inside comes between its two looks.

    More than a pipe holds is written: that ends when the run reads, which it does after its look.
    """
    process = subprocess.Popen([BINARY, "gc", *node.look(), "--pods", "-", "--apply"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    process.stdin.write(" " * 300_000)
    process.stdin.flush()
    yield process
    process.out, process.err = process.communicate(json.dumps(kubectl(*RUNNING)))


def between_the_looks():
    """Who came to life, came back, or is new since it was looked at stays."""
    def revived(node):
        node.add("c2", "shop/web-2")  # the runtime repeats an ADD

    def runs(node):
        node.add("f3", "shop/web-3")

    def was_back(node):
        node.add("f3", "shop/web-3")
        node.delete("f3", "shop/web-3")

    def is_new(node):
        node.add("f7", "shop/web-7")
        node.delete("f7", "shop/web-7")

    for change, stays, goes in ((revived, DEAD, HELD), (runs, HELD, DEAD), (was_back, HELD, DEAD), (is_new, set(), HELD | DEAD)):
        with Collected() as node:
            node.tell_two_boots()
            node.seen("--pods", node.list)
            with looking(node) as run:
                change(node)
                files, bound = set(node.entries()), node.bindings()
            assert run.returncode == (tool.FOUND if stays else tool.FINE), (change, run.out, run.err)
            assert (set(node.entries()) & (stays & DEAD)) == stays & DEAD, change
            assert set(node.entries()) == files - (goes & DEAD), change
            after = node.bindings()
            assert set(after) == set(bound) - (goes & HELD), (change, run.out)
            assert all(after[address] == bound[address] for address in set(after) - DEAD), change
            refused = [line for line in run.out.splitlines() if "may be alive" in line or "used since" in line]
            assert len(refused) == len(stays), run.out


def taken_over():
    """An address that a dead container had is its pod's own again before it is freed."""
    with Collected() as node:
        node.tell_two_boots()
        node.seen("--pods", node.list)
        with looking(node) as run:
            assert node.add("f2", "shop/web-2") == ["10.9.0.4", "fd00:9::4"]
        assert run.returncode == tool.FINE and set(node.addresses_of("f2")) == DEAD, run.out


def all_or_nothing():
    """An attachment with one file that proves nothing keeps all of them."""
    with Collected() as node:
        node.tell_two_boots()
        node.write("networks/pods/10.9.0.9", "c2\r\neth0")  # the Go plugin's, of now
        assert set(node.why("--pods", node.list)) == HELD
        node.age()
        node.gc("--apply", "--pods", node.list)
        assert DEAD <= set(node.entries())


def damaged():
    """Entries that nobody understands stay, and what is beside them goes."""
    with Collected() as node:
        node.tell_two_boots()
        node.damage()
        os.unlink(f"{node.record_dir}/ip.fd00:9::5")
        os.symlink("2~of a later version", f"{node.record_dir}/ip.fd00:9::5")
        before = set(node.entries())
        records = {path for path, target in node.records().items() if target.startswith(("2~", "1~torn"))}
        node.gc("--apply", "--pods", node.list)
        node.age()
        done = node.gc("--apply", "--pods", node.list)
        assert set(node.entries()) == before - DEAD, done
        assert records <= set(node.records()) and len(records) == 3


def two_networks(golden):
    """Each has its own notes; who runs in one of them is no pod that is gone in the other."""
    with Collected() as node:
        node.tell_two_boots()
        other = Looked(HOME, name="lan", ranges=[[{"subnet": "10.8.0.0/28"}]])
        other.conf_dir = node.conf_dir
        other.configure(other.conf(), "20-lan.conflist")
        other.add("c3", "shop/web-3", ifname="net1")
        other.add("c9", "shop/web-9", ifname="net1")
        other.delete("c9", "shop/web-9", ifname="net1")
        call = node.calls(golden, "gc")
        call("two networks", "--pods", node.list, "--apply")
        call("one of two networks", "--pods", node.list, "--network", "lan")
        other.delete("c3", "shop/web-3", ifname="net1")
        assert HELD <= set(node.why("--pods", node.list))


def a_network_that_takes_no_changes():
    """It is told, nothing of it is dropped, and the other network is done with all the same."""
    with Collected() as node:
        node.tell_two_boots()
        other = Looked(HOME, name="lan", ranges=[[{"subnet": "10.8.0.0/28"}]])
        other.conf_dir, other.state_dir = node.conf_dir, f"{HOME}/state-of-lan"
        other.configure(other.conf(), "05-lan.conflist")
        other.add("c9", "shop/web-9")
        other.delete("c9", "shop/web-9")
        gc = ("gc", "--conf", node.conf_dir, "--pods", node.list, "--grace", "0", "--apply")
        assert "noted now" in tool.call(*gc).stdout
        with mounted_read_only(other.state_dir):
            done = tool.call(*gc)
        assert done.exit == tool.USAGE and "Read-only file system" in done.stderr, done
        assert "10.8.0.2" in other.bindings() and not HELD & node.bound(), done
        assert tool.call(*gc).exit == tool.FOUND  # web-2 is kept by now, and noted
        assert "10.8.0.2" not in other.bindings()


def read_only():
    """Where nothing can be noted down nothing is freed; what a dry run says needs no disk that takes changes."""
    with Collected() as node:
        node.tell_two_boots()
        with mounted_read_only(HOME):
            done = node.gc("--apply", "--pods", node.list)
            dry = node.gc("--pods", node.list)
        assert done.exit == tool.USAGE and "Read-only" in done.stderr and "noted now" not in done.stdout, done
        assert dry.exit == tool.FOUND and "noted now" in dry.stdout, dry
        assert node.notes() is None and DEAD <= set(node.entries())


def held_by_others():
    """While somebody has the lock for long nothing is freed."""
    with Collected() as node:
        node.tell_two_boots()
        node.seen("--pods", node.list)
        with open(f"{node.network_dir}/lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = node.gc("--apply", "--pods", node.list)
        assert done.exit == tool.USAGE and "lock" in done.stderr, done
        assert DEAD <= set(node.entries()) and HELD <= node.bound()


def foreign_writer(golden):
    """Where only host-local ever wrote nothing of ours appears, and nothing is freed."""
    with Collected() as node:
        node.configure({"cniVersion": "1.0.0", "name": "pods", "type": "bridge",
                        "ipam": {"type": "host-local", "dataDir": node.data_dir, "ranges": [[{"subnet": "10.9.0.0/28"}]]}})
        node.write("networks/pods/10.9.0.2", "0" * 64 + "\r\neth0")
        for arguments in (("--apply",), ("--apply", "--pods", node.list)):
            node.calls(golden, "gc")(f"only host-local wrote {len(arguments)}", *arguments)
        assert node.entries() == ["10.9.0.2"] and not os.path.exists(node.state_dir)


def other_delegates(golden):
    """What another plugin hands out is its own, and so is what is kept of it."""
    with Collected(delegate={"type": "other"}) as node:
        node.write("bin/other", """#!/bin/sh
cat >/dev/null
[ "$CNI_COMMAND" != ADD ] || echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.9.0.2/28"}]}'
""")
        os.chmod(f"{HOME}/bin/other", 0o755)
        for command in ("ADD", "DEL"):
            env, conf = node.request(command, "c0", "shop/web-0")
            done = plugin.run(BINARY, {**env, "CNI_PATH": f"{HOME}/bin", "PATH": os.environ["PATH"]}, conf)
            assert done.exit == 0, done
        assert "10.9.0.2" in node.bindings()
        node.write("pods.json", kubectl("shop/web-1"))
        before = snapshot(HOME)
        node.calls(golden, "gc")("given out by another plugin", "--apply", "--pods", node.list)
        assert snapshot(HOME) == before


def quiet_disk():
    """A run that finds the same as the one before changes nothing on the disk."""
    with Collected() as node:
        node.tell_two_boots()
        node.gc("--apply", "--pods", node.list)
        before = snapshot(HOME)
        done, calls = traced(BINARY, "gc", *node.look(), "--apply", "--pods", node.list)
        assert done.exit == tool.FOUND and snapshot(HOME) == before
        assert not changes_in(calls), changes_in(calls)


def killed():
    """Killed at any moment: what is gone was announced and had been seen, and the same call ends it."""
    for round_number in range(14):
        with Collected() as node:
            node.tell_two_boots()
            if round_number % 2:
                node.seen("--pods", node.list)
            process = subprocess.Popen([BINARY, "gc", *node.look(), "--apply", "--pods", node.list], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(0.002 * round_number)
            process.send_signal(signal.SIGKILL)
            process.wait()
            gone = (DEAD - set(node.entries())) | (HELD - node.bound())
            for address in gone:
                history = json.loads(tool.call("show", *node.look(), "--history", address, "-o", "json").stdout)["history"]
                assert history and round_number % 2, f"{address} is freed, and was not announced"
            node.gc("--apply", "--pods", node.list)
            node.age()
            node.gc("--apply", "--pods", node.list)
            assert not DEAD & set(node.entries()) and not HELD & node.bound()
            assert set(node.addresses_of("d0")) == {"10.9.0.2", "fd00:9::2"}
            assert not [name for name in os.listdir(node.record_dir) if name.endswith(".new")]


def after_a_lost_run_folder():
    """/run is emptied in mid-boot: who runs is no candidate, and no note is worth more than before."""
    with Collected() as node:
        node.tell_two_boots()
        node.gc("--apply", "--pods", node.list)
        empty_run()
        why = node.why("--pods", node.list)
        assert set(why) == DEAD | HELD and not [one for one in why.values() if one.endswith("freed")], why


def tests(golden):
    golden.begin()
    return [
        ("a dry run of every state", dry_run, golden),
        ("noted, waited for, freed: in the same words with --apply", same_text, golden),
        ("what was seen in an earlier boot", over_a_reboot),
        ("a grace of no minutes", a_grace_of_nothing),
        ("notes that are damaged, of an unknown boot, or from later", notes_that_say_nothing),
        ("who is no candidate in between is seen anew", interrupted),
        ("a run without a list leaves what was seen", without_a_list),
        ("lists that are missing, empty, torn or of another kind", bad_lists, golden),
        ("YurtHub's cache in both layouts", yurthub),
        ("YurtHub's cache torn, empty or odd", bad_yurthub, golden),
        ("logs, the runtime's cache and other interfaces keep", reasons_to_keep),
        ("kubelet's logs that are no folder", odd_logs, golden),
        ("newcomers between the two looks", between_the_looks),
        ("a takeover between the two looks", taken_over),
        ("all or nothing of an attachment", all_or_nothing),
        ("damaged entries", damaged),
        ("two networks", two_networks, golden),
        ("a network whose disk is read-only beside another one", a_network_that_takes_no_changes),
        ("a read-only disk", read_only),
        ("a lock that is never free", held_by_others),
        ("a folder that only the Go plugin wrote", foreign_writer, golden),
        ("addresses of another plugin", other_delegates, golden),
        ("nothing is written where nothing changes", quiet_disk),
        ("killed at any moment", killed),
        ("/run emptied in mid-boot", after_a_lost_run_folder),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/gc.golden.txt") as kept:
        tap.main("gc", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots, own_places)
