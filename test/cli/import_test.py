#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""import: what pods had on another node, or before the move to this plugin, is kept for them; nobody's address is given
away, nothing is overwritten unforced, and a file that is not whole changes nothing.

usage: import_test.py [--update] [WORD ...]

--update writes import.golden.txt from what the tool says now: read the difference before you keep it.
"""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

import sandbox
import tap
import tool
from golden import Golden
from looked_at import BOOTS, Looked, changes_in, snapshot, traced
from node import fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = "/var/lib/cni/import"
RESULTS = "/var/lib/cni/results"
CACHE = "/etc/kubernetes/cache"
NAMED = {"NODE_NAME": "edge-1"}
SMALL = [[{"subnet": "10.9.0.0/28"}]]
# What an import changes of a binding, whoever's it is.
NEW = {"state": None, "sequence": None, "boot": None}


def take(node, *arguments, **more):
    return tool.call("import", *node.look(), *arguments, env=NAMED, **more)


def items(node, *arguments):
    return json.loads(take(node, *arguments, "-o", "json").stdout)["items"]


def exported(node):
    return json.loads(tool.must("export", *node.look(), env=NAMED))


def bindings_in(document):
    return [{**one, **NEW} for network in document["networks"] for one in network["bindings"]]


def binding(address, pod, **more):
    namespace, name = pod.split("/")
    return {"address": address, "namespace": namespace, "pod": name, "interface": "eth0", "uid": f"uid-{name}",
            "state": "held", "kept": 0, "sequence": 1, "boot": None, **more}


def document(networks, node="edge-1", **more):
    """A whole export: {network: [binding, ...]}."""
    content = {"schemaVersion": 1, "kind": "export", "node": node, "boot": None, "networks": [
        {"name": name, "folder": f"/old/{name}", "bindings": bindings} for name, bindings in networks.items()], **more}
    canonical = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return {**content, "checksum": "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()}


def file_of(networks, **more):
    """Its path."""
    os.makedirs("/var/lib/in", exist_ok=True)
    with open("/var/lib/in/export.json", "w") as file:
        json.dump(document(networks, **more), file)
    return "/var/lib/in/export.json"


def image_anew(node):
    """The node loses its disk."""
    for folder in (node.network_dir, node.state_dir):
        shutil.rmtree(folder, ignore_errors=True)
    new_boot(BOOTS[6])


def round_trip(golden):
    """The node is made anew: every pod is back on its address, and an export says what that of before said."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        before = exported(node)
        had = {one["pod"]: sorted(other["address"] for other in before["networks"][0]["bindings"] if other["pod"] == one["pod"])
               for one in before["networks"][0]["bindings"]}
        path = node.write("backup.json", before)
        image_anew(node)
        untouched = snapshot(HOME, "/run")
        calls = node.calls(golden, "import")
        dry = calls("a node made anew", path, env=NAMED)
        assert snapshot(HOME, "/run") == untouched and "dry run" in dry.stderr
        done = take(node, path, "--apply")
        assert (done.exit, done.stdout, done.stderr) == (tool.FINE, dry.stdout, ""), done
        calls("again", path, "--apply", env=NAMED)
        assert not node.attachments() and {one.sequence for one in node.bindings().values()} == {1, 2, 3, 4}
        assert bindings_in(exported(node)) == bindings_in(before)
        order = sorted(node.bindings().values(), key=lambda one: one.sequence)
        assert order[0].pod == "web-3", order  # it was away before the others
        node.add("new", "shop/newcomer")
        for number in reversed(range(4)):
            assert sorted(node.add(f"n{number}", f"shop/web-{number}")) == had[f"web-{number}"]
        node.assert_sound()


def refused_files(golden):
    """What is no export, not whole, of a later version or changed: nothing is looked at any further, --force or not."""
    with Looked(HOME, name="pods") as node:
        text = json.dumps(document({"pods": [binding("10.9.0.5", "shop/web-0")]}))
        wrong = {
            "empty": "", "torn": text[:len(text) // 2], "another pod": text.replace("web-0", "web-1"),
            "no checksum": text.replace("checksum", "sum"), "a later version": text.replace('ion": 1', 'ion": 2'),
            "another document": '{"kind": "list", "schemaVersion": 1}', "no address": json.dumps(document(
                {"pods": [binding("10.9.0", "shop/web-0")]})),
            "no list": json.dumps(document({"pods": {}})), "no number": json.dumps(document(
                {"pods": [binding("10.9.0.5", "shop/web-0", sequence="1")]}))}
        before = snapshot(node.state_dir, node.network_dir, "/run")
        for title, content in wrong.items():
            path = node.write("wrong.json", content)
            done = node.calls(golden, "import")(title, path, "--apply", "--force", env=NAMED)
            assert done.exit == tool.USAGE and not done.stdout, done
        for cut in range(0, len(text), 7):
            assert take(node, "-", "--apply", stdin=text[:cut]).exit == tool.USAGE
        for title, arguments in {"a folder": (HOME,), "nothing named": (), "missing": ("/none",),
                                 "no source": ("x", "--from", "calico"), "a folder for host-local": ("/x", "--from", "host-local"),
                                 "a relative folder": ("x", "--from", "openyurt"), "no pods": ("/etc", "--from", "yurthub"),
                                 "a copy": ("x", "--root", "/")}.items():
            done = node.calls(golden, "import")(f"refused: {title}", *arguments, env=NAMED)
            assert done.exit == tool.USAGE and not done.stdout, done
        assert snapshot(node.state_dir, node.network_dir, "/run") == before


def stdin():
    """One node's export, piped; written by hand with other white space it is the same."""
    with Looked(HOME, name="pods") as node:
        text = json.dumps(document({"pods": [binding("10.9.0.5", "shop/web-0"), binding("fd00:9::5", "shop/web-0")]}), indent=1)
        done = take(node, "-", "--apply", stdin=text)
        assert done.exit == tool.FINE and not done.stderr, done
        assert node.add("c0", "shop/web-0") == ["10.9.0.5", "fd00:9::5"]


def conflicts(golden):
    """Listed, each with who is in the way; --force ends what is only kept. Who uses an address has it ever after."""
    with Looked(HOME, SMALL, name="pods", retain={"exclude": ["batch/*"]}) as node:
        new_boot(BOOTS[0])
        for number in range(4):
            node.add(f"c{number}", f"shop/web-{number}")
        node.delete("c2", "shop/web-2")
        node.delete("c3", "shop/web-3")
        node.add("e9", None)  # 10.9.0.6
        path = file_of({"pods": [
            binding("10.9.0.2", "shop/other"), binding("10.9.0.3", "shop/web-1"), binding("10.9.0.4", "shop/third"),
            binding("10.9.0.7", "shop/web-3"), binding("10.9.0.8", "shop/web-0"), binding("10.9.0.6", "shop/plain"),
            binding("10.9.0.9", "batch/job"), binding("10.9.0.10", "shop/a"), binding("10.9.0.10", "shop/b"),
            binding("10.9.0.11", "shop/c"), binding("10.9.0.12", "shop/c")]})
        before, held = node.attachments(), node.bindings()
        calls = node.calls(golden, "import")
        calls("conflicts", path, env=NAMED)
        forced = calls("conflicts, --force", path, "--force", env=NAMED)
        assert node.bindings() == held
        done = take(node, path, "--apply")
        assert done.exit == tool.FOUND and {**held, "10.9.0.12": node.bindings()["10.9.0.12"]} == node.bindings(), done
        done = take(node, path, "--force", "--apply")
        assert done.exit == tool.FOUND and "third" in forced.stdout, done
        now = node.bindings()
        assert (now["10.9.0.4"].pod, now["10.9.0.7"].pod) == ("third", "web-3") and "10.9.0.5" not in now, now
        assert now["10.9.0.2"].pod == "web-0" and "10.9.0.8" not in now and "10.9.0.6" not in now, now
        assert node.attachments() == before
        done = tool.call("show", *node.look(), "--history", "10.9.0.4", "-o", "json")
        assert [(line["command"], line["pod"], line["becomes"]) for line in json.loads(done.stdout)["history"]] == [
            ("import", "third", "held")], done


def dormant(golden):
    """What today's rules do not give out is kept all the same, and told; what no pod can have is not."""
    with Looked(HOME, [[{"subnet": "10.9.0.0/28"}], [{"subnet": "fd00:9::/120"}]], name="pods",
                exclude=["10.9.0.12-10.9.0.13"], pins={"shop/pinned": ["10.9.0.9"], "shop/mine": ["10.9.0.10"]}) as node:
        addresses = {"out": "10.77.0.5", "gateway": "10.9.0.1", "excluded": "10.9.0.12", "others-pin": "10.9.0.9",
                     "mine": "10.9.0.10", "network": "10.9.0.0", "broadcast": "10.9.0.15", "wild": "0.0.0.0", "loop": "127.0.0.1",
                     "multicast": "224.0.0.1", "six-network": "fd00:9::", "six-wild": "::", "six-loop": "::1", "six-multicast":
                     "ff02::1", "six-out": "fd00:8::5"}
        path = file_of({"pods": [binding(address, f"shop/{pod}") for pod, address in addresses.items()]})
        done = node.calls(golden, "import")("addresses that are not given out today", path, "--apply", env=NAMED)
        assert done.exit == tool.FOUND
        assert set(node.bindings()) == {"10.77.0.5", "10.9.0.1", "10.9.0.12", "10.9.0.9", "10.9.0.10", "fd00:8::5"}
        for pod in ("out", "gateway", "excluded", "others-pin"):
            address, _ = node.add(f"c-{pod}", f"shop/{pod}")
            assert address not in addresses.values(), (pod, address)
        assert node.add("c-mine", "shop/mine")[0] == "10.9.0.10"


def odd_names():
    """No record can hold them, and no other pod suffers for it. What a terminal must not see is kept as it is."""
    with Looked(HOME, SMALL, name="pods") as node:
        path = file_of({"pods": [binding("10.9.0.5", f"shop/{'n' * 254}"), binding("10.9.0.6", "shop/a", uid="u" * 5000),
                                 binding("10.9.0.7", "shop/b", interface="i" * 16), binding("10.9.0.8", "../\x1b[31m~%"),
                                 binding("10.9.0.9", "shop/" + "n" * 253, uid="u" * 253)]})
        done = take(node, path, "--apply")
        assert done.exit == tool.FOUND and done.stdout.count("no names that a pod can have") == 3 and "\x1b" not in done.stdout, done
        assert {address: one.pod for address, one in node.bindings().items()} == {"10.9.0.8": "\x1b[31m~%", "10.9.0.9": "n" * 253}
        assert node.add("c0", "shop/" + "n" * 253) == ["10.9.0.9"]


def places(golden):
    """Several networks: by the export's name, else by their ranges; what is in none or several belongs nowhere."""
    with Looked(HOME, SMALL, name="pods") as node:
        conf = node.conf()

        def network(number, name, ranges, **ipam):
            node.write(f"net.d/{number}-{name}.conflist", {"cniVersion": "1.0.0", "name": name, "plugins": [
                {"type": "bridge", "ipam": {**conf["ipam"], "ranges": ranges, **ipam}}]})
        network(20, "lan", [[{"subnet": "10.8.0.0/28"}]])
        network(30, "twin", [[{"subnet": "10.8.0.0/29"}]])
        network(40, "static", [[{"subnet": "10.7.0.0/28"}]], delegate={"type": "static"})
        network(50, "never", [[{"subnet": "10.6.0.0/28"}]], retain=False)
        network(60, "stock", [[{"subnet": "10.5.0.0/28"}]], type="host-local")
        path = file_of({
            "pods": [binding("10.9.0.5", "shop/web-0")], "lan": [binding("10.8.0.5", "shop/web-1", interface="net1")],
            "old": [binding("10.9.0.6", "shop/web-2"), binding("10.8.0.6", "shop/web-3"), binding("10.77.0.6", "shop/web-4")],
            "static": [binding("10.7.0.5", "shop/web-5")], "never": [binding("10.6.0.5", "shop/web-6")],
            "stock": [binding("10.5.0.5", "shop/web-7")]})
        calls = node.calls(golden, "import")
        calls("several networks", path, "--apply", env=NAMED)
        assert sorted((name.split("/")[0].rsplit("_", 1)[1], os.path.basename(name)) for name in node.records()
                      if "/ip." in name) == [("lan", "ip.10.8.0.5"), ("pods", "ip.10.9.0.5"), ("pods", "ip.10.9.0.6")]
        assert not [name for name in os.listdir(node.state_dir) if name.endswith(("stock", "never", "static"))]
        assert calls("into one that it has not", path, "--network", "twin", env=NAMED).exit == tool.USAGE
        calls("only that one's", path, "--network", "lan", env=NAMED)
        path = file_of({"old": [binding("10.8.0.6", "shop/web-3")]})
        assert calls("into one of another name", path, "--network", "twin", "--apply", env=NAMED).exit == tool.FINE


def two_nodes(golden):
    """The exports of two nodes into a third: it is said whose they are."""
    with Looked(HOME, SMALL, name="pods") as node:
        for number in (2, 3):
            path = file_of({"pods": [binding(f"10.9.0.{number}", f"shop/web-{number}"), binding("10.9.0.9", f"shop/x-{number}")]},
                           node=f"edge-{number}")
            node.calls(golden, "import")(f"of node edge-{number}", path, "--apply", env=NAMED)
        assert {address: one.pod for address, one in node.bindings().items()} == {
            "10.9.0.2": "web-2", "10.9.0.3": "web-3", "10.9.0.9": "x-2"}


def as_host_local(node):
    node.configure({**node.conf(), "ipam": {"type": "host-local", "ranges": node.ipam["ranges"], "dataDir": node.data_dir}})


def stock_pods(node, count):
    """Made by the Go plugin, and known to the runtime; the last one is no pod's, and of one nothing is known."""
    for number in range(count):
        addresses = node.add(f"{number:064x}", f"shop/web-{number}", binary=HOST_LOCAL)
        node.cache(f"{number:064x}", f"shop/web-{number}", addresses)
    node.add("f" * 64, None, binary=HOST_LOCAL)


def moved_from_host_local(golden):
    """The pods are bound before their first DEL, so host-local's own DEL (Flannel's notes name it) loses nothing."""
    require(HOST_LOCAL)
    with Looked(HOME, SMALL, name="pods") as node:
        new_boot(BOOTS[0])
        as_host_local(node)
        stock_pods(node, 3)
        before = snapshot(HOME)
        calls = node.calls(golden, "import")
        path = file_of({"pods": [binding("10.9.0.9", "shop/web-9")]})
        calls("while host-local hands out", path, "--apply", "--force", env=NAMED)
        calls("from host-local, while it hands out", "--from", "host-local", "--apply", env=NAMED)
        assert snapshot(HOME) == before
        node.configure(node.conf())
        calls("from host-local", "--from", "host-local", env=NAMED)
        done = take(node, "--from", "host-local", "--apply")
        assert done.exit == tool.FOUND and done.stdout.count("bound to the pod") == 3, done
        calls("from host-local, again", "--from", "host-local", "--apply", env=NAMED)
        assert {address: (one.pod, one.sequence) for address, one in node.bindings().items()} == {
            f"10.9.0.{2 + number}": (f"web-{number}", 0) for number in range(3)}
        for number in range(3):
            node.delete(f"{number:064x}", f"shop/web-{number}", binary=HOST_LOCAL)
        shutil.rmtree(RESULTS)
        new_boot(BOOTS[1])
        node.add("new", "shop/newcomer")
        for number in reversed(range(3)):
            assert node.add(f"n{number}", f"shop/web-{number}") == [f"10.9.0.{2 + number}"]


def newest_sandbox():
    """Two sandboxes of one pod: the newer one's address is kept, as the boot scan does it; the scan has been."""
    require(HOST_LOCAL)
    with Looked(HOME, SMALL, name="pods") as node:
        node.add("c0", "shop/first")
        for container in ("a" * 64, "b" * 64):
            node.cache(container, "shop/web-0", node.add(container, "shop/web-0", binary=HOST_LOCAL))
        path = file_of({"pods": [binding("10.9.0.9", "shop/web-0")]})
        assert items(node, path, "--force")[0]["why"].startswith("the pod uses 10.9.0."), items(node, path, "--force")
        done = items(node, "--from", "host-local", "--apply")
        assert {item["address"]: item["becomes"] for item in done} == {"10.9.0.3": "in-use", "10.9.0.4": "in-use"}, done
        assert "10.9.0.3" not in node.bindings() and node.bindings()["10.9.0.4"].pod == "web-0"
    shutil.rmtree(RESULTS)


def openyurt(golden):
    """Markers, in the network's own folder and in a copy of it."""
    with Looked(HOME, SMALL, name="pods") as node:
        node.add("c0", "shop/first")
        node.write("networks/pods/10.9.0.5", "d" * 64)  # as OpenYurt's host-local writes it
        for name in ("10.9.0.5_shop_web-0", "10.9.0.6_shop_web-1", "10.9.0.7_shop_web-0", "10.9.0.2_shop_web-2", "10.9.0_x_y"):
            node.write(f"networks/pods/{name}", "")
        shutil.copytree(node.network_dir, f"{HOME}/old")
        calls = node.calls(golden, "import")
        calls("OpenYurt's markers, of another folder", f"{HOME}/old", "--from", "openyurt", env=NAMED)
        calls("OpenYurt's markers", node.network_dir, "--from", "openyurt", "--apply", env=NAMED)
        assert {address: (one.pod, one.sequence != 0) for address, one in node.bindings().items()} == {
            "10.9.0.2": ("first", False), "10.9.0.5": ("web-0", False), "10.9.0.6": ("web-1", True)}
        assert "10.9.0.6_shop_web-1" in node.entries()


def pod_of_yurthub(name, ips, host=False, phase="Running"):
    return json.dumps({"kind": "Pod", "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}"},
                       "spec": {"hostNetwork": host} if host else {},
                       "status": {"phase": phase, "podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}})


def yurthub(golden):
    """Both layouts; pods of the host's network, ended and torn ones are left out."""
    for layout, suffix in (("pods.v1.core", ""), ("pods", ".json")):
        with Looked(HOME, name="pods") as node:
            folder = f"{CACHE}/kubelet/{layout}/shop"
            os.makedirs(folder)
            files = {"web-0": pod_of_yurthub("web-0", ["10.9.0.5", "fd00:9::5"]),
                     "web-1": pod_of_yurthub("web-1", ["10.9.0.6"]), "proxy": pod_of_yurthub("proxy", ["192.0.2.1"], host=True),
                     "job": pod_of_yurthub("job", ["10.9.0.7"], phase="Succeeded"), "torn": pod_of_yurthub("torn", [""])[:40],
                     "new": json.dumps({"metadata": {"name": "new", "namespace": "shop"}}), "list": "[]",
                     "far": pod_of_yurthub("far", ["10.77.0.5"])}
            for name, text in files.items():
                with open(f"{folder}/{name}{suffix}", "w") as file:
                    file.write(text)
            with open(f"{CACHE}/kubelet/{layout}/version", "w") as file:
                file.write("1")
            try:
                node.calls(golden, "import")(f"YurtHub's {layout}", "--from", "yurthub", "--apply", env=NAMED)
                for where in (CACHE, f"{CACHE}/kubelet", f"{CACHE}/kubelet/{layout}"):
                    done = items(node, where, "--from", "yurthub")
                    assert [item["why"] for item in done].count("it was so") == 3, done
                assert node.add("c1", "shop/web-1")[0] == "10.9.0.6"
                assert node.add("c0", "shop/web-0") == ["10.9.0.5", "fd00:9::5"]
            finally:
                shutil.rmtree(CACHE)


def damaged():
    """Records that cannot be read cost their own entries; nothing of them is written over, by force neither."""
    with Looked(HOME, SMALL, name="pods") as node:
        node.tell_two_boots()
        node.damage()
        os.symlink("2~later", f"{node.record_dir}/pod.shop_later@eth0")
        records = node.records()
        path = file_of({"pods": [binding("10.9.0.14", "shop/a"), binding("10.9.0.7", "shop/b"), binding("10.9.0.8", "shop/c"),
                                 binding("10.9.0.11", "shop/d"), binding("10.9.0.12", "shop/later"), binding("10.9.0.13", "shop/f")]})
        done = take(node, path, "--apply", "--force")
        assert done.exit == tool.FOUND, done
        new = {name: target for name, target in node.records().items() if records.get(name) != target}
        assert {os.path.basename(name) for name in new} == {"ip.10.9.0.13", "pod.shop_f@eth0"}, new


def looked_at_again():
    """A caller without a pod lives on, and somebody has removed its file: only the lock's holder knows. Told, in the audit too."""
    with Looked(HOME, SMALL, name="pods") as node:
        address, = node.add("e9", None)
        os.unlink(f"{node.network_dir}/{address}")
        path = file_of({"pods": [binding(address, "shop/a"), binding("10.9.0.9", "shop/b")]})
        assert [item["becomes"] for item in items(node, path)] == ["held", "held"]
        done = items(node, path, "--apply", "--force")
        assert [(item["becomes"], item["why"]) for item in done] == [
            ("free", "in use by somebody else"), ("held", "kept for the pod")], done
        assert list(node.bindings()) == ["10.9.0.9"], node.bindings()
        with open(f"{node.record_dir}/audit") as file:
            lines = [json.loads(line) for line in file]
        assert [(line["pod"], line["becomes"]) for line in lines] == [("a", "held"), ("b", "held"), ("a", "free")], lines


def read_only():
    """Nothing is told to be kept on a disk that takes no changes."""
    with Looked(HOME, SMALL, name="pods") as node:
        node.add("c0", "shop/web-0")
        path = file_of({"pods": [binding("10.9.0.5", "shop/web-1")]})
        script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 9; shift; exec "$@"'
        done = take(node, path, "--apply", wrapper=("unshare", "--mount", "sh", "-c", script, "sh", HOME))
        assert done.exit == tool.USAGE and "Read-only" in done.stderr, done
        assert tool.must("list", *node.look(), "--state", "held", "--no-headers") == ""


def full():
    """As many as may be held: the last of the file, and nobody's that are held already."""
    with Looked(HOME, [[{"subnet": "10.9.0.0/16"}]], name="pods") as node:
        node.add("c0", "shop/web-0")
        node.delete("c0", "shop/web-0")
        many = [binding(f"10.9.{number // 250 + 1}.{number % 250 + 1}", f"shop/p-{number}", sequence=number + 1)
                for number in range(5000)]
        done = take(node, file_of({"pods": many}), "--apply")
        assert done.exit == tool.FOUND, done.stderr
        bindings = node.bindings()
        assert len(bindings) == 4096 and bindings["10.9.0.2"].pod == "web-0"
        order = sorted((one for one in bindings.values() if one.pod != "web-0"), key=lambda one: one.sequence)
        assert [one.pod for one in order] == [f"p-{number}" for number in range(5000 - 4095, 5000)]


def large():
    """60 000 entries: a lock and a flush for many of them, whatever becomes of each."""
    with Looked(HOME, [[{"subnet": "10.0.0.0/8"}]], name="pods") as node:
        many = [binding(f"10.1.{number // 250}.{number % 250 + 1}", f"shop/p-{number}") for number in range(60_000)]
        path = file_of({"pods": many})
        began = time.monotonic()
        take(node, path, "--apply")
        print(f"# 60 000 entries: {time.monotonic() - began:.1f} s", flush=True)
        assert len(node.bindings()) == 4096
        _, calls = traced(BINARY, "import", *node.look(), path, "--apply")
        flushes = sum(call.name == "fsync" for call in calls)
        assert 0 < flushes < 100, flushes


def killed():
    """At any moment: what is bound was announced, nobody's address is gone, and the same call does the rest."""
    for round_number in range(16):
        with Looked(HOME, name="pods") as node:
            node.tell_two_boots()
            before = node.attachments()
            path = file_of({"pods": [binding(f"10.9.0.{number}", f"shop/new-{number}") for number in range(7, 12)] +
                            [binding("10.9.0.5", "shop/new-7")]})
            process = subprocess.Popen([BINARY, "import", *node.look(), path, "--apply", "--force"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env={**os.environ, **NAMED})
            time.sleep(0.002 * round_number)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert node.attachments() == before
            if any(one.pod.startswith("new-") for one in node.bindings().values()):
                with open(f"{node.record_dir}/audit") as file:
                    assert "new-9" in file.read(), "bound, and not announced"
            take(node, path, "--apply", "--force")
            for number in (8, 9, 10, 11):
                assert node.add(f"n{number}", f"shop/new-{number}")[0] == f"10.9.0.{number}"


def flushes():
    """What is told to be kept is on the disk: the record's folder and those above, before the answer."""
    with Looked(HOME, SMALL, name="pods") as node:
        path = file_of({"pods": [binding("10.9.0.5", "shop/web-1")]})
        outcome, calls = traced(BINARY, "import", *node.look(), path, "--apply")
        assert outcome.exit == tool.FINE, outcome
        flushed = {call.path_of_fd for call in calls if call.name == "fsync"}
        assert {node.record_dir, node.state_dir, HOME, node.network_dir} <= flushed, flushed
        assert not changes_in([call for call in traced(BINARY, "import", *node.look(), path)[1]])


def tests(golden):
    golden.begin()
    return [
        ("a node made anew gets all back", round_trip, golden),
        ("files that are not whole, and calls that make no sense", refused_files, golden),
        ("standard input", stdin),
        ("conflicts are listed, and end by force only", conflicts, golden),
        ("addresses that are not given out today", dormant, golden),
        ("names that no pod has", odd_names),
        ("several networks", places, golden),
        ("the exports of two nodes", two_nodes, golden),
        ("moved over from host-local, before the first DEL", moved_from_host_local, golden),
        ("two sandboxes of a pod", newest_sandbox),
        ("OpenYurt's markers", openyurt, golden),
        ("YurtHub's cache", yurthub, golden),
        ("damaged records", damaged),
        ("looked at again under the lock", looked_at_again),
        ("a disk that takes no changes", read_only),
        ("more than may be held", full),
        ("a large file", large),
        ("killed at any moment", killed),
        ("flushed before it is told", flushes),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/import.golden.txt") as kept:
        tap.main("import", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots)
