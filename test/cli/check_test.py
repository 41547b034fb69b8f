#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""check: what is wrong with records, address files and the node; --repair mends records, and takes nothing from who may be alive.

usage: check_test.py [--update] [WORD ...]

--update writes check.golden.txt from what the tool says now: read the difference before you keep it.
"""
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import containerd_stand_in
import live_netns
import plugin
import sandbox
import tap
import tool
from golden import Golden
from looked_at import BOOTS, Looked, alike, changes_in, escaped, forwarding, on_disk, snapshot, traced
from node import fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = os.path.join(HERE, "../../shim/cli/inspect/networks/finding.hpp")
VALIDATES_RULES = os.path.join(HERE, "../../shim/cli/validate/document/rules.hpp")
HOME = "/var/lib/cni/check"


def check(node, *arguments, **more):
    """The findings as (rule, last part of the place); the exit code says whether there are any."""
    done = tool.call("check", *arguments, *node.look(), "-o", "json", **more)
    assert done.exit in (tool.FINE, tool.FOUND), done
    findings = json.loads(done.stdout)["findings"]
    assert done.exit == (tool.FOUND if findings else tool.FINE), done
    return [(one["rule"], one["place"].rsplit("/", 1)[1]) for one in findings]


def rules(node, *arguments, **more):
    return sorted(rule for rule, _ in check(node, *arguments, **more))


def repair(node, *more):
    """What becomes of which record."""
    done = tool.call("check", "store", "--repair", *more, *node.look(), "-o", "json")
    assert done.exit in (tool.FINE, tool.FOUND), done
    return {item["record"]: item["becomes"] for item in json.loads(done.stdout)["items"]}


def record(folder, name, target):
    """A record in the place of any of that name."""
    path = f"{folder}/{name}"
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(target, path)


def on_node(node, *more, forwards=1, **env):
    """The rules that `check node` finds broken."""
    return rules(node, "node", "--bin-dir", node.bin_dir, *more, env=env, wrapper=forwarding(forwards))


def break_records(node):
    """One of each kind of what may be wrong with records."""
    node.damage()
    records = node.record_dir
    os.unlink(f"{records}/pod.shop_web-0@eth0")
    record(records, "pod.shop_web-3@eth0", "1~10.9.0.13~")
    record(records, "pod.shop_gone@eth0", "1~10.9.0.13~")
    record(records, "pod.shop_torn@eth0", "1~nonsense")
    record(records, "pod.shop_later@eth0", "2~of a later version")
    record(records, "stamp.10.9.0.12", "1~1.2~2~x")
    record(records, ".new", "1~shop~web-9~eth0~~0~0~")
    record(records, "node-ranges.0123456789abcdef.0", "1~10.9.0.0/28")
    record(records, "netdir", "1~/elsewhere")
    record(records, "boots", "torn")
    for name in ("what-is-this", "ip.010.9.0.1", "pod.nokey"):
        record(records, name, "1~x")
    node.write("state/stray", "")
    os.makedirs(f"{node.state_dir}/nobodys")
    node.write(f"networks/{node.name}/last_reserved_ip.0", "nonsense")
    node.write(f"networks/{node.name}/last_reserved_ip.1", "fd00:77::1")
    os.chmod(f"{node.network_dir}/10.9.0.2", 0o666)


def forms(golden):
    """Each kind of flaw, what --repair says of it, and nothing is written."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        golden.call("in order", "check", "store", *node.look(), alike=alike(node))
        record(node.record_dir, "pod.shop_gone@eth0", "1~10.9.0.13~")
        for more in (("-o", "json"), ("--repair", "-o", "json"), ("--repair", "-o", "yaml")):
            golden.call(f"an idle hint {' '.join(more)}", "check", "store", *more, *node.look(), alike=alike(node))
        break_records(node)
        before = snapshot(HOME, "/run", "/var/lib")
        for more in ((), ("--repair",)):
            golden.call(f"broken {' '.join(more)}".strip(), "check", "store", *more, *node.look(), alike=alike(node))
        _, calls = traced(BINARY, "check", "all", "--repair", *node.look())
        assert not changes_in(calls), changes_in(calls)
        after = snapshot(HOME, "/run", "/var/lib")
        assert before == after, before.items() ^ after.items()


def refused(golden):
    with Looked(HOME, name="pods") as node:
        for wrong in (["disk"], ["--apply"], ["node", "--repair"], ["--repair", "--root", "/"], ["-o", "wide"],
                      ["--explain", "no-such-id"], ["--network", "other"]):
            done = golden.call(f"refused {' '.join(wrong)}", "check", *node.look(), *wrong, alike=alike(node))
            assert done.exit == tool.USAGE and not done.stdout, done


def ids_in(path):
    with open(path) as file:
        return re.findall(r'inline constexpr Rule k\w+\{\s*"([a-z-]+)"', file.read())


def explained(golden):
    """Every id that the tool has of its own, and those of validate that it borrows; what people are told of each kind."""
    golden.call("explained", "check", "--explain", "hint-missing")
    golden.call("explained, of validate", "check", "--explain", "node-binary")
    ids = ids_in(RULES)
    assert len(ids) == len(set(ids)) > 40, ids
    borrowed = ids_in(VALIDATES_RULES)
    assert len(borrowed) > 70, borrowed
    for one in dict.fromkeys(ids + borrowed):
        text = tool.must("check", "--explain", one)
        assert text.startswith(f"{one} (") and "\nfix: " in text and "\nreboot: " in text, text
        assert tool.must("status", "--explain", one) == text


def repaired(golden):
    """--apply does what the dry run said, in the same words, once; nobody loses an address, and pods come back."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        break_records(node)
        os.rmdir(f"{node.network_dir}/10.9.0.8")
        records = f"{node.state_dir}/{escaped(node.network_dir)}"
        newer = ("ip.10.9.0.14", "pod.shop_later@eth0")
        attachments, entries = node.attachments(), node.entries()
        dry = tool.call("check", "store", "--repair", *node.look())
        done = tool.call("check", "store", "--repair", "--apply", *node.look())
        assert done.stdout == dry.stdout and not done.stderr and "dry run" in dry.stderr, done
        assert (node.attachments(), node.entries()) == (attachments, entries)
        assert all(os.readlink(f"{records}/{name}").startswith("2~") for name in newer)
        left = golden.call("what is left", "check", "store", "--repair", *node.look(), alike=alike(node))
        assert left.exit == done.exit == tool.FOUND
        before = snapshot(records)
        assert repair(node, "--apply") == {} and snapshot(records) == before
        history = json.loads(tool.call("show", *node.look(), "--history", "shop/web-0", "-o", "json").stdout)["history"]
        assert [(one["command"], one["was"], one["becomes"]) for one in history] == [
            ("check", "pod.shop_web-0@eth0", "written")], history
        new_boot(BOOTS[2])
        node.add("e0", "shop/newcomer")
        assert node.add("e1", "shop/web-0") == ["10.9.0.2", "fd00:9::2"]


def clean_again():
    """What can be mended is, and then nothing is found."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        records = node.record_dir
        os.unlink(f"{records}/pod.shop_web-1@eth0")
        record(records, "pod.shop_gone@eth0", "1~10.9.0.13~")
        record(records, ".new", "1~x")
        os.unlink(f"{records}/netdir")
        assert check(node, "store", "--repair")
        done = tool.call("check", "store", "--repair", "--apply", *node.look())
        assert done.exit == tool.FINE and not done.stderr, done
        assert check(node, "store") == []


def in_use(golden):
    """A torn binding of who runs: written where the runtime tells his pod, else left alone."""
    with Looked(HOME, name="pods") as node:
        new_boot(BOOTS[0])
        for number in range(2):
            node.add(f"c{number}", f"shop/web-{number}")
        node.cache("c0", "shop/web-0", node.addresses_of("c0"))
        for address in ("10.9.0.2", "10.9.0.3"):
            record(node.record_dir, f"ip.{address}", "1~torn")
        golden.call("torn bindings of who runs", "check", "store", "--repair", "--apply", *node.look(), alike=alike(node))
        assert os.readlink(f"{node.record_dir}/ip.10.9.0.2").startswith("1~shop~web-0~eth0~")
        assert check(node, "store") == [("record-malformed", "ip.10.9.0.3")]
        assert node.add("c0", "shop/web-0") == ["10.9.0.2", "fd00:9::2"]
    shutil.rmtree("/var/lib/cni/results")


def lost_file():
    """Somebody removed the file of who lives, and his record is torn: nobody gets the address."""
    with Looked(HOME, name="pods") as node, live_netns.Namespace("check-live") as namespace:
        node.add("c0", "shop/web-0", netns=namespace.path)
        node.cache("c0", "shop/web-0", ["10.9.0.2", "fd00:9::2"], netns=namespace.path)
        os.unlink(f"{node.network_dir}/10.9.0.2")
        record(node.record_dir, "ip.10.9.0.2", "1~torn")
        assert repair(node, "--apply") == {}
        assert os.readlink(f"{node.record_dir}/ip.10.9.0.2") == "1~torn"
    shutil.rmtree("/var/lib/cni/results")


def removed_file():
    """That somebody removed the file of who lives is told; of who has just been deleted, whose namespace and entry the
    runtime removes last, and of who is gone, nothing."""
    lost = "store-file-lost"
    with Looked(HOME, name="pods") as node, live_netns.Namespace("check-removed") as namespace:
        for number in range(3):
            addresses = node.add(f"c{number}", f"shop/web-{number}", netns=namespace.path)
            node.cache(f"c{number}", f"shop/web-{number}", addresses, netns=namespace.path)
        assert lost not in found(node)
        node.delete("c1", "shop/web-1")
        assert lost not in found(node), "its DEL was the last that happened"
        for address in ("10.9.0.2", "fd00:9::2", "10.9.0.4"):
            os.unlink(f"{node.network_dir}/{address}")
        told = [one for one in found(node, whole=True) if one["rule"] == lost]
        assert [one["place"].rpartition("/")[2] for one in told] == ["10.9.0.2", "10.9.0.4", "fd00:9::2"], told
        assert told[0]["message"].endswith("shop/web-0") and told[1]["message"].endswith("shop/web-2"), told
        given = node.add("d0", "shop/new")
        assert not {"10.9.0.2", "10.9.0.4"} & set(given), "nobody else gets it"
    with Looked(HOME, name="pods") as node:
        node.cache("c0", "shop/web-0", ["10.9.0.2"], netns="/run/netns/check-removed")
        assert lost not in found(node), "its namespace is gone"
    shutil.rmtree("/var/lib/cni/results")


def found(node, whole=False):
    """The rules of what check finds, or all that is said."""
    findings = json.loads(tool.call("check", "store", "-o", "json", *node.look()).stdout)["findings"]
    return findings if whole else [one["rule"] for one in findings]


def busy():
    """While pods come and go nothing is found, as it is looked at under the lock."""
    with Looked(HOME, name="pods") as node:
        node.add("c0", "shop/web-0")
        is_over = threading.Event()

        def come_and_go():
            while not is_over.is_set():
                for number in range(4):
                    node.add(f"x{number}", f"shop/x-{number}")
                for number in range(4):
                    node.delete(f"x{number}", f"shop/x-{number}")

        thread = threading.Thread(target=come_and_go)
        thread.start()
        try:
            for _ in range(40):
                assert check(node, "store", "--repair") == []
                assert repair(node, "--apply") == {}
        finally:
            is_over.set()
            thread.join()
        node.assert_sound()


def held_by_others():
    """While somebody has the lock for long nothing is changed; a line that says so."""
    with Looked(HOME, name="pods") as node:
        node.add("c0", "shop/web-0")
        record(node.record_dir, ".new", "1~x")
        with open(f"{node.network_dir}/lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = tool.call("check", "store", "--repair", "--apply", *node.look())
        assert done.exit == tool.USAGE and "lock" in done.stderr, done
        assert os.path.lexists(f"{node.record_dir}/.new")


def killed():
    """Killed at any moment: what changed was announced, and the same call ends it."""
    for round_number in range(12):
        with Looked(HOME, name="pods") as node:
            node.tell_two_boots()
            records = node.record_dir
            os.unlink(f"{records}/pod.shop_web-0@eth0")
            record(records, "ip.10.9.0.7", "1~torn")
            process = subprocess.Popen([BINARY, "check", "store", "--repair", "--apply", *node.look()],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.002 * round_number)
            process.send_signal(signal.SIGKILL)
            process.wait()
            if not os.path.lexists(f"{records}/ip.10.9.0.7"):
                assert os.path.exists(f"{records}/audit"), "changed, and not announced"
            assert tool.call("check", "store", "--repair", "--apply", *node.look()).exit == tool.FINE
            assert check(node, "store") == [] and len(node.attachments()) == 8, node.attachments()


def read_only():
    """A disk that takes no changes is looked at; a repair says that it cannot."""
    with on_disk("check") as node:
        node.tell_two_boots()
        record(node.record_dir, ".new", "1~x")
        before = snapshot(node.home)
        script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 9; shift; exec "$@"'
        wrapper = ("unshare", "--mount", "sh", "-c", script, "sh", node.home)
        assert check(node, "store", wrapper=wrapper) == [("record-left-over", ".new")]
        done = tool.call("check", "store", "--repair", "--apply", *node.look(), wrapper=wrapper)
        assert done.exit == tool.USAGE and "Read-only" in done.stderr, done
        assert snapshot(node.home) == before


def a_copy():
    """The same is found in a copy of the node's folders."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        break_records(node)
        expected = check(node, "store")
        root = f"{HOME}-copy"
        shutil.copytree(node.home, f"{root}{node.home}", symlinks=True)
        shutil.move(node.home, f"{node.home}-away")
        try:
            assert check(node, "store", "--root", root) == expected
        finally:
            shutil.move(f"{node.home}-away", node.home)
            shutil.rmtree(root)


def foreign_writer():
    """A folder that only the Go plugin wrote: nothing is found, and no state folder comes of it."""
    require(HOST_LOCAL)
    with Looked(HOME, name="pods", binary=HOST_LOCAL) as node:
        node.configure({**node.conf(), "ipam": {"type": "host-local", "ranges": node.ipam["ranges"], "dataDir": node.data_dir}})
        for number in range(3):
            node.add(f"c{number}", f"shop/web-{number}")
        assert repair(node, "--apply") == {} and check(node, "store") == []
        assert not os.path.exists(node.state_dir)


def several_networks():
    """What is mended is that network's; a network without a folder has nobody to lock out."""
    with Looked(HOME, name="pods") as node:
        node.add("c0", "shop/web-0")
        other = Looked(HOME, [[{"subnet": "10.8.0.0/28"}]], name="lan")
        other.configure(other.conf(), "20-lan.conflist")
        other.add("c1", "shop/web-0")
        folders = {one.name: f"{node.state_dir}/{escaped(one.network_dir)}" for one in (node, other)}
        for folder in folders.values():
            record(folder, ".new", "1~x")
        assert check(node, "store") == [("record-left-over", ".new")] * 2
        done = tool.call("check", "store", "--repair", "--apply", *node.look(), "--network", "lan")
        assert done.exit == tool.FINE, done
        assert not os.path.lexists(f"{folders['lan']}/.new") and os.path.lexists(f"{folders['pods']}/.new")
        shutil.rmtree(node.network_dir)
        assert repair(node) == {} and ("record-left-over", ".new") in check(node, "store")


def other_folders():
    """A copy of records under another name, and records whose network nobody can tell."""
    with Looked(HOME, name="pods") as node:
        node.add("c0", "shop/web-0")
        shutil.copytree(node.record_dir, f"{node.state_dir}/copy", symlinks=True)
        os.makedirs(f"{node.state_dir}/nobodys")
        assert check(node, "store") == [("record-folder", "copy"), ("record-folder", "nobodys")]


def node_in_order():
    with on_disk("check") as node:
        assert on_node(node) == []
        node.add("c0", "shop/web-0")
        assert on_node(node) == []
        assert on_node(node, forwards=0) == ["ip-forward"]
        node.configure({**node.conf(), "type": "macvlan"})
        assert "ip-forward" not in on_node(node, forwards=0)
        node.configure(node.conf())
        node.add("c1", None)
        assert on_node(node) == ["not-bound"], "what status tells"


def binaries():
    """Another build in the plugin folder, and none."""
    with on_disk("check") as node:
        with open(f"{node.bin_dir}/delegated-ipam", "ab") as file:
            file.write(b"x")
        assert on_node(node) == ["binary-differs"]
        os.unlink(f"{node.bin_dir}/delegated-ipam")
        assert on_node(node) == ["node-binary"]


def configurations(golden):
    """host-local on the same folder, a mistake that validate knows, a file that is no JSON; others' are left alone."""
    with on_disk("check") as node:
        node.write("net.d/99-loopback.conf", {"cniVersion": "0.2.0", "type": "loopback", "name": "lo"})
        assert on_node(node) == []
        plugin = {"type": "bridge", "ipam": {"type": "host-local", "dataDir": node.data_dir, "ranges": node.ipam["ranges"]}}
        conflist = {"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]}
        node.write("net.d/20-old.conflist", conflist)
        assert on_node(node) == ["two-plugins"]
        shutil.copy(BINARY, f"{node.bin_dir}/host-local")
        assert on_node(node) == [], "it is we who are installed as host-local"
        os.unlink(f"{node.bin_dir}/host-local")
        node.write("net.d/20-old.conflist", {**conflist, "name": "others"})
        assert on_node(node) == []
        multus = {"cniVersion": "1.0.0", "name": "multus", "type": "multus", "delegates": [conflist]}
        node.write("net.d/00-multus.conf", multus)
        assert "two-plugins" in on_node(node)
        os.unlink(f"{node.conf_dir}/00-multus.conf")
        node.write("net.d/30-torn.conflist", "{")
        node.configure(node.conf(dataDirectory="/x", dataDir=f"{node.data_dir}/pods"))
        golden.call("configurations", "check", "node", "--bin-dir", node.bin_dir, *node.look(), wrapper=forwarding(1),
                    alike=lambda text: alike(node)(text).replace(f" --bin-dir {node.bin_dir}", ""))


def in_memory():
    """Told once, though two rules know it."""
    with Looked(HOME, name="pods") as node:
        node.bin_dir = f"{HOME}/bin"
        os.makedirs(node.bin_dir)
        shutil.copy(BINARY, f"{node.bin_dir}/delegated-ipam")
        os.chmod(node.write("bin/bridge", "#!/bin/sh\n"), 0o755)
        node.add("c0", "shop/web-0")
        assert on_node(node) == ["node-folder", "state-in-memory"], "of the data folder, and of the state folder"


def another_nodes_state():
    with on_disk("check") as node:
        for name in ("edge-1", "edge-2"):
            node.write(f"nodes/{name}", "10.9.0.0/28\n")
        node.ipam = {"rangesFrom": {"nodesDir": f"{node.home}/nodes"}}
        node.configure(node.conf())
        env, conf = node.request("ADD", "c0", "shop/web-0")
        outcome = plugin.run(BINARY, {**env, "NODE_NAME": "edge-1"}, conf)
        assert outcome.exit == 0, outcome
        assert on_node(node, NODE_NAME="edge-1") == []
        assert "state-of-another-node" in on_node(node, NODE_NAME="edge-2")


def cache_agents():
    """A node of OpenYurt's, in a copy: nothing is kept for Cilium's agent."""
    with Looked(HOME, name="pods") as node:
        conf = node.conf()
        conf["type"] = "cilium-cni"
        node.configure(conf)
        root = f"{HOME}-copy"
        shutil.copytree(node.home, f"{root}{node.home}", symlinks=True)
        try:
            assert "yurthub-cilium-agent" not in rules(node, "node", "--root", root)
            os.makedirs(f"{root}/etc/kubernetes/cache/kubelet")
            assert "yurthub-cilium-agent" in rules(node, "node", "--root", root)
            os.makedirs(f"{root}/etc/kubernetes/cache/cilium-agent")
            assert "yurthub-cilium-agent" not in rules(node, "node", "--root", root)
        finally:
            shutil.rmtree(root)


def runtimes_without_del():
    """containerd is asked for its version where it listens; whoever answers something else tells nothing."""
    rule = "runtime-skips-del"
    with Looked(HOME, name="pods") as node:
        for path in ("/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock"):
            for version, is_told in (("v2.1.6", True), ("v2.1.7", False), ("1.7.24~ds1", True), ("1.6.20~ds1", False)):
                with containerd_stand_in.listening(path, containerd_stand_in.answer(version)) as asked:
                    done = tool.call("check", "node", *node.look())
                assert (rule in done.stdout) == is_told == (f"containerd {version} sends no DEL" in done.stdout), done
                assert b"/containerd.services.version.v1.Version/Version" in asked[0], asked
        for odd in (b"HTTP/1.1 400 Bad Request\r\n\r\n", containerd_stand_in.answer("v2.1.6")[:-9]):
            with containerd_stand_in.listening(path, odd):
                assert rule not in rules(node, "node")
        with containerd_stand_in.listening(path, containerd_stand_in.answer("v2.1.6")):
            assert rule not in rules(node, "store"), "it is the node's"


def tests(golden):
    golden.begin()
    return [
        ("each kind of flaw, and a dry run", forms, golden),
        ("what is refused, and the remedy", refused, golden),
        ("every id is explained", explained, golden),
        ("--apply does what the dry run said, once", repaired, golden),
        ("what is mended is not found again", clean_again),
        ("a torn binding of who runs", in_use, golden),
        ("a torn binding of who lives and lost his file", lost_file),
        ("a file that somebody removed", removed_file),
        ("nothing is found while pods come and go", busy),
        ("a lock that is never free", held_by_others),
        ("killed at any moment", killed),
        ("a disk that takes no changes", read_only),
        ("a copy of another node's folders", a_copy),
        ("a folder that only the Go plugin wrote", foreign_writer),
        ("several networks, and one without a folder", several_networks),
        ("folders of records that tell no network", other_folders),
        ("a node in order, and one that does not forward", node_in_order),
        ("the plugin that runtimes run", binaries),
        ("configurations: two plugins on one folder, mistakes", configurations, golden),
        ("state in memory", in_memory),
        ("state of another node", another_nodes_state),
        ("YurtHub's cache agents", cache_agents),
        ("containerd versions that skip DEL", runtimes_without_del),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/check.golden.txt") as kept:
        tap.main("check", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots)
