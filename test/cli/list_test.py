#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""list: who has which address, in every form; on whole, damaged and foreign folders, on a disk that takes no changes,
and from a copy; and it never writes.

usage: list_test.py [--update] [WORD ...]

--update writes list.golden.txt, what people see, from what the tool says now: read the difference before you keep it.
"""
import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import subprocess
import threading

import sandbox
import tap
import tool
from golden import Golden
from looked_at import BOOTS, Looked, changes_in, snapshot, traced
from node import fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = "/var/lib/cni/list"
KEEPS = {"exclude": ["10.9.0.12-10.9.0.13"], "pins": {"shop/pinned": ["10.9.0.9"]}}
FORMS = [(), ("-o", "wide"), ("-o", "json", "--state", "held"), ("-o", "yaml", "--state", "dead"), ("-o", "name"),
         ("--no-headers",), ("-n", "shop"), ("-A",), ("--state", "in-use"), ("--state", "dead", "-o", "name"), ("--state", "reserved"), ("--state", "held"),
         ("--state", "free"), ("--columns", "pod,ADDRESS,sinceBoots"), ("--network", "pods")]
REFUSED = [("-o", "xml"), ("--columns", "age"), ("--state", "lost"), ("-n", "shop", "-A"), ("--network", "other"),
           ("--root", "/nowhere"), ("--root", "/etc/hostname"), ("surplus",)]


def forms(golden):
    with Looked(HOME, name="pods", **KEEPS) as node:
        node.tell_two_boots()
        for form in FORMS:
            node.calls(golden, "list")(" ".join(form) or "no options", *form)


def refused(golden):
    with Looked(HOME, name="pods") as node:
        for wrong in REFUSED:
            done = node.calls(golden, "list")(f"refused: {' '.join(wrong)}", *wrong)
            assert done.exit == tool.USAGE and not done.stdout, done


def damaged(golden):
    with Looked(HOME, name="pods", **KEEPS) as node:
        node.tell_two_boots()
        node.damage()
        assert node.calls(golden, "list")("damaged").exit == tool.FOUND
        notes = json.loads(tool.call("list", *node.look(), "-o", "json").stdout)
        assert len(notes["findings"]) == 7, notes["findings"]
        of_a_pod, = (finding for finding in notes["findings"] if finding["place"].endswith("/10.9.0.5"))
        assert of_a_pod["message"].endswith("; it is shop/web-3's"), of_a_pod
        assert {item["address"]: item["note"] for item in notes["items"]}["10.9.0.11"] == "no attachment is named"


def macs():
    """Of the sandbox that has the address, as the runtime's cache tells; of a held one, or another sandbox's, none."""
    with Looked(HOME, [[{"subnet": "10.9.0.0/28"}]], name="pods") as node:
        new_boot(BOOTS[0])
        for number in range(3):
            address = node.add(f"c{number}", f"shop/web-{number}")[0]
            node.cache(f"c{number}", f"shop/web-{number}", [address], mac=f"0a:58:0a:09:00:0{number}")
        node.delete("c1", "shop/web-1")
        node.delete("c2", "shop/web-2")
        node.add("d2", "shop/web-2")
        wanted = {"web-0": "0a:58:0a:09:00:00", "web-1": None, "web-2": None}
        for command, *form in (("list", "-o", "json"), ("list", "-o", "json", "--columns", "pod")):
            items = json.loads(tool.call(command, *node.look(), *form).stdout)["items"]
            assert {one["pod"]: one["mac"] for one in items if one["pod"]} == wanted, items
        table = tool.must("list", *node.look(), "--columns", "Mac,pod", "--no-headers")
        assert [line.split() for line in table.splitlines()[1:]] == [[mac or "-", pod] for pod, mac in wanted.items()], table
        assert "0a:58:0a:09:00:00" in tool.must("list", *node.look(), "-o", "wide")
        assert "0a:58:0a:09:00:00" in tool.must("show", "web-0", *node.look())


def unreadable():
    """A folder in the place of the records, one in the place of the network's: told, and the others go on."""
    with Looked(HOME, name="pods") as node, Looked(f"{HOME}-other", name="lan") as other:
        node.tell_two_boots()
        shutil.rmtree(node.state_dir)
        node.write(f"state/{os.path.basename('var_lib_cni_list_networks_pods')}", "no folder")
        shutil.copy(f"{other.conf_dir}/10-pods.conflist", f"{node.conf_dir}/20-lan.conflist")
        node.write("net.d/30-torn.conflist", '{"name": "torn", "plugins": [')
        node.write("net.d/40-bad.conflist", {"cniVersion": "1.0.0", "name": "bad", "plugins": [
            {"type": "bridge", "ipam": {"type": "delegated-ipam", "ranges": [[{"subnet": "10.1.0.0/33"}]]}}]})
        done = tool.call("list", "--conf", node.conf_dir, "-o", "json")
        assert done.exit == tool.FOUND, done
        answer = json.loads(done.stdout)
        rules = sorted(finding["rule"] for finding in answer["findings"])
        assert rules == ["conf-refused", "conf-unreadable", "store-folder"], answer["findings"]
        in_use = [item["address"] for item in answer["items"] if item["state"] == "in-use"]
        assert len(in_use) == 8, in_use  # nothing is proven dead without the records


def go_plugin_only(golden):
    """host-local's conflist and folder; pods are known from the runtime's cache. Nothing of ours appears."""
    require(HOST_LOCAL)
    node = Looked(HOME, [[{"subnet": "10.9.0.0/28"}]], name="stock", binary=HOST_LOCAL)
    with node:
        node.configure({**node.conf(), "ipam": {"type": "host-local", "ranges": node.ipam["ranges"],
                                                "dataDir": node.data_dir}})
        for number in range(2):
            node.cache(f"g{number}", f"shop/web-{number}", node.add(f"g{number}", f"shop/web-{number}"))
        node.add("g9", None)
        before = snapshot(HOME, "/run")
        node.calls(golden, "list")("host-local's folder", "-o", "wide")
        golden.call("host-local's folder without a conflist", "list", "--data-dir", node.data_dir)
        assert snapshot(HOME, "/run") == before
    shutil.rmtree("/var/lib/cni/results")


def remembered(golden):
    """The conflist is gone, then the network folder, too: what is held is still known."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        os.unlink(f"{node.conf_dir}/10-pods.conflist")
        node.calls(golden, "list")("without a conflist", "-n", "shop")
        shutil.rmtree(node.network_dir)
        done = node.calls(golden, "list")("without a network folder")
        assert done.exit == tool.FOUND, done


def networks(golden):
    """A drop-in plugin, a single conf, a Flannel entry and a delegate beside each other, in a stable order."""
    with Looked(HOME, [[{"subnet": "10.9.0.0/29"}]], name="pods") as node:
        new_boot(BOOTS[0])
        conf = node.conf()
        node.write("net.d/10-pods.conflist", {"cniVersion": "1.1.0", "name": "pods"})
        node.write("net.d/pods/10-bridge.conf", {"type": "bridge", "ipam": conf["ipam"]})
        node.write("net.d/20-lan.conf", {**conf, "name": "lan", "ipam": {
            **conf["ipam"], "ranges": [[{"subnet": "10.8.0.0/30"}]]}})
        subnets = node.write("subnet.env", "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.7.1/24\n")
        node.write("net.d/30-flannel.conflist", {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [
            {"type": "flannel", "subnetFile": subnets, "ipam": {"type": "delegated-ipam", "dataDir": node.data_dir}}]})
        node.write("net.d/40-static.conflist", {"cniVersion": "1.0.0", "name": "static", "plugins": [
            {"type": "bridge", "ipam": {"type": "delegated-ipam", "delegate": {"type": "static"}}}]})
        node.write("net.d/50-others.conflist", {"cniVersion": "1.0.0", "name": "others", "plugins": [
            {"type": "bridge", "ipam": {"type": "whereabouts"}}, {"type": "portmap"}]})
        node.add("c0", "shop/web-0")
        node.calls(golden, "list")("several networks")
        node.calls(golden, "list")("several networks, one of them", "--network", "cbr0", "--state", "free")


def flannel_without_its_file():
    """flanneld has no lease yet; and what a later version remembers is nothing, and no end of the command."""
    with Looked(HOME, name="cbr0") as node:
        node.write("net.d/10-pods.conflist", {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [
            {"type": "flannel", "subnetFile": f"{HOME}/none",
             "ipam": {"type": "delegated-ipam", "dataDir": node.data_dir}}]})
        node.add("c0", "shop/web-0")
        done = tool.call("list", *node.look(), "-o", "json")
        assert [finding["rule"] for finding in json.loads(done.stdout)["findings"]] == ["ranges-missing"], done
        node.write("net.d/10-pods.conflist", {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [
            {"type": "ptp", "ipam": {"type": "delegated-ipam", "dataDir": f"{node.data_dir}/",
                                     "rangesFrom": {"subnetFile": f"{HOME}/none"}}}]})
        os.symlink("2~later", f"{node.record_dir}/node-ranges")
        done = tool.call("list", "--conf", node.conf_dir, "--state-dir", f"{node.state_dir}/", "-o", "json")
        rules = sorted(finding["rule"] for finding in json.loads(done.stdout)["findings"])
        assert rules == ["ranges-missing", "record-unreadable"], done


def never_writes():
    """Not one system call that could change a file, whatever there is to look at."""
    with Looked(HOME, name="pods", **KEEPS) as node:
        for step in (lambda: None, node.tell_two_boots, node.damage, lambda: shutil.rmtree("/run/delegated-ipam"),
                     lambda: os.unlink(f"{node.network_dir}/lock")):
            step()
            before = snapshot(HOME, "/run")
            outcome, calls = traced(BINARY, "list", *node.look(), "-o", "wide")
            assert outcome.exit in (tool.FINE, tool.FOUND), outcome
            assert not changes_in(calls), changes_in(calls)
            assert snapshot(HOME, "/run") == before


def read_only():
    """All of the disk read-only, and /run as well."""
    with Looked(HOME, name="pods", **KEEPS) as node:
        node.tell_two_boots()
        expected = tool.must("list", *node.look(), "-o", "json")
        script = ('mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && mount -o remount,ro,bind /run || exit 9; '
                  'shift; exec "$@"')
        done = tool.call("list", *node.look(), "-o", "json", wrapper=(
            "unshare", "--mount", "sh", "-c", script, "sh", HOME))
        assert done.exit == tool.FINE and done.stdout == expected, done


def copy(golden):
    """The folders of another node: the same answer, its links stay inside, and nothing outside is looked at."""
    with Looked("/var/lib/cni/node", name="pods", **KEEPS) as node:
        node.tell_two_boots()
        root = f"{HOME}-copy"
        shutil.copytree(node.home, f"{root}/mnt/disk/node", symlinks=True)  # with attributes, as cp -a
        os.makedirs(f"{root}/var/lib")
        os.symlink("/mnt/disk", f"{root}/var/lib/cni")  # absolute: that node's /mnt
        expected = json.loads(tool.must("list", *node.look(), "-o", "json"))
        new_boot(BOOTS[5])  # of who looks: it says nothing of the copy
        shutil.move(node.home, f"{node.home}-away")
        arguments = ("list", *node.look(), "--root", root, "-o", "json")
        try:
            assert json.loads(tool.must(*arguments)) == expected
            node.calls(golden, "list")("a copy", "--root", root)
            _, calls = traced(BINARY, *arguments)
            stray = [call for call in opened_after_root(calls, root) if not is_below(call, root)]
            assert not stray, stray
            assert not changes_in(calls), changes_in(calls)
        finally:
            shutil.move(f"{node.home}-away", node.home)
            shutil.rmtree(root)


def opened_after_root(calls, root):
    """The calls with a path from the moment in which the root is opened."""
    first = next(place for place, call in enumerate(calls) if call.name == "openat" and f'"{root}"' in call.args)
    return [call for call in calls[first + 1:] if re.search(r'"/|"\.', call.args) and call.name != "write"]


def is_below(call, root):
    """Looked up in the root by the kernel (openat2), or from a folder that was opened so."""
    return call.path_of_fd.startswith(root)


def locked():
    """Somebody holds the lock for ever: read without it, and said."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        with open(f"{node.network_dir}/lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = tool.call("list", *node.look(), "-o", "json")
        answer = json.loads(done.stdout)
        assert [finding["rule"] for finding in answer["findings"]] == ["store-lock"], answer["findings"]
        assert len(answer["items"]) == 12, answer["items"]


def while_pods_come_and_go():
    """No list in the middle of the others' work is torn, and no ADD or DEL is disturbed."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        ended = threading.Event()
        trouble = []

        def work():
            with contextlib.suppress(Exception):
                for number in range(30):
                    node.add(f"w{number}", f"shop/job-{number}")
                    node.delete(f"w{number}", f"shop/job-{number}")
                return ended.set()
            trouble.append("an ADD or DEL failed")
            ended.set()

        worker = threading.Thread(target=work)
        worker.start()
        lists = 0
        while not ended.is_set():
            lists += 1
            answer = json.loads(tool.must("list", *node.look(), "-o", "json"))
            assert sum(item["pod"] == "web-0" for item in answer["items"]) == 2, answer["items"]
        worker.join()
        assert not trouble and lists > 3, (trouble, lists)


def colours():
    """On a terminal only, and not with NO_COLOR."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        arguments = [BINARY, "list", *node.look()]
        assert "\x1b[31mdead\x1b[0m" in on_terminal(arguments, TERM="xterm")
        for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
            assert "\x1b" not in on_terminal(arguments, **env), env
        assert "\x1b" not in tool.must(*arguments[1:], env={"TERM": "xterm"})


def on_terminal(arguments, **env):
    """What a command prints on a terminal."""
    ours, its = pty.openpty()
    done = subprocess.run(arguments, stdout=its, env=env, check=True)
    os.close(its)
    text = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while piece := os.read(ours, 65536):
            text += piece
    os.close(ours)
    assert done.returncode == 0
    return text.decode()


def without_the_right():
    """Another user than root is told so, and nothing else: it is not the disk's fault."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        for command in ("list", "status", "show shop/web-0"):
            line = tool.refused(*command.split(), *node.look(),
                                wrapper=("setpriv", "--reuid", "65534", "--clear-groups"))
            assert line.endswith("Permission denied; run it as root"), line


def nothing_there():
    """A node that no CNI plugin has ever seen."""
    os.makedirs(f"{HOME}/empty")
    done = tool.call("list", "--root", f"{HOME}/empty")
    shutil.rmtree(HOME)
    assert done.exit == tool.FOUND and not done.stdout and done.stderr.startswith("no network found in /etc/cni"), done


def tests(golden):
    golden.begin()
    return [
        ("every form of the list of a node after a reboot", forms, golden),
        ("what is refused, and the remedy", refused, golden),
        ("damaged and foreign entries are told, and the others are listed", damaged, golden),
        ("MAC addresses, as the runtime has noted them", macs),
        ("folders and configurations that cannot be read cost themselves only", unreadable),
        ("a folder that only host-local ever wrote", go_plugin_only, golden),
        ("a network whose configuration is gone is remembered", remembered, golden),
        ("drop-in plugins, single confs, Flannel and delegates", networks, golden),
        ("ranges that are not there yet", flannel_without_its_file),
        ("never a system call that changes a file", never_writes),
        ("a disk that takes no changes", read_only),
        ("a copy of another node's folders, and nothing beside it", copy, golden),
        ("a lock that is never free", locked),
        ("while pods come and go", while_pods_come_and_go),
        ("colours on a terminal only", colours),
        ("somebody who may not look", without_the_right),
        ("a node without any network", nothing_there),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/list.golden.txt") as kept:
        tap.main("list", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots)
