#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""A pipe, a device, a socket, a link or a folder where a file of ours or of the configuration should be: nothing waits
for it, nothing behind it is written, and who must mend it is told where.

usage: odd_files_test.py [WORD ...]
"""
import glob
import hashlib
import json
import os
import shutil
import stat
import tempfile

import plugin
import sandbox
import tap
import tool
from node import Node, fake_boots, new_boot
from patient import TRY_AGAIN, code_of
from plugin import BINARY, HOST_LOCAL, require
from tap import Skip

HOME = "/var/lib/cni/odd-files"
RANGES = [[{"subnet": "10.9.0.0/28"}]]
FIRST, SECOND = "10.9.0.2", "10.9.0.3"
POD = "shop/web-0"
NULL = os.makedev(1, 3)
PRECIOUS = "not the plugin's"
SECONDS = 20  # a call that still runs then hangs
REMEDY = "look at it and take it away"
# Over these verbs nothing of the lock is skipped.
VERBS = ["ADD", "DEL", "CHECK", "GC"]


def put(kind, path, target="/etc/hostname"):
    """Something under this name that is no regular file of one name."""
    if os.path.lexists(path):
        os.unlink(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path, 0o600)
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o600, NULL)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind == "folder":
        os.mkdir(path)
    elif kind == "symbolic link":
        os.symlink(target, path)
    elif kind == "second name":
        os.link(target, path)


def fresh(**ipam):
    """A node with nothing on it, in a boot that has begun on another one."""
    os.makedirs(HOME, exist_ok=True)
    return Node(tempfile.mkdtemp(dir=HOME), RANGES, timeoutSeconds=5, **ipam)


def call(node, verb, container_id="c-1", pod=POD, **more):
    env, conf = node.request(verb, container_id, pod, **more)
    if verb == "GC":
        conf.update({"cniVersion": "1.1.0", "cni.dev/valid-attachments": []})
    if verb == "CHECK":
        conf["prevResult"] = {"cniVersion": "1.0.0", "ips": [{"address": f"{FIRST}/28"}]}
    return plugin.run(node.binary, env, conf, timeout=SECONDS)


def assert_refused(done, path, kind):
    """Code 11, and a message that names the path and the remedy; for a folder host-local's own code and words."""
    code, words = (999, "is a directory") if kind == "folder" else (TRY_AGAIN, REMEDY)
    assert code_of(done) == code, done
    assert path in done.json["msg"] and words in done.json["msg"], done.json["msg"]


def lock(kind):
    node = fresh()
    assert node.add("c-1", POD) == [FIRST]
    path = os.path.join(node.network_dir, "lock")
    put(kind, path)
    for verb in VERBS:
        assert_refused(call(node, verb), path, kind)
    remove(path)
    assert node.add("c-1", POD) == [FIRST]
    node.delete("c-1", POD)


def remove(path):
    (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)


def journal(kind):
    """The journal of a program's ADDs is locked by entry."""
    if not os.access(HOST_LOCAL, os.X_OK):
        raise Skip(f"needs {HOST_LOCAL}: apt-get install containernetworking-plugins")
    node = fresh(inProcess=False)
    node.add("c-0", "shop/other")
    folder, = glob.glob("/run/delegated-ipam/delegates/*/journal")
    path = os.path.join(folder, hashlib.sha256(b"c-1\r\neth0").hexdigest())
    put(kind, path)
    assert_refused(call(node, "ADD"), path, kind)
    remove(path)
    node.add("c-1", POD)


def cursor(kind):
    """It goes by a file of its own again, and what the name led to is as it was."""
    node = fresh()
    node.add("c-1", POD)
    other = os.path.join(node.home, "other")
    write(other, PRECIOUS)
    path = os.path.join(node.network_dir, "last_reserved_ip.0")
    put(kind, path, other)
    done = call(node, "ADD", "c-2")
    assert done.addresses == [SECOND], done
    assert read(other) == PRECIOUS
    assert is_own(path) and read(path) == SECOND, "the lap does not go on"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def is_own(path):
    found = os.lstat(path)
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def address(kind):
    """It counts as in use: somebody has put it there."""
    node = fresh()
    os.makedirs(node.network_dir)
    put(kind, os.path.join(node.network_dir, FIRST))
    assert call(node, "ADD").addresses == [SECOND]
    assert code_of(call(node, "DEL")) == 0
    new_boot()
    assert call(node, "ADD").addresses == [SECOND]


def private_name(kind):
    """The name of a file that is not there yet, where a disk knows no unnamed ones; this one does."""
    node = fresh()
    os.makedirs(node.network_dir)
    other = os.path.join(node.home, "other")
    write(other, PRECIOUS)
    put(kind, os.path.join(node.network_dir, ".delegated-ipam.new"), other)
    assert call(node, "ADD").addresses == [FIRST]
    assert read(other) == PRECIOUS


def records(kind):
    """Every record of the pod and of the folder, and what /run counts."""
    node = fresh()
    node.add("c-1", POD)
    node.delete("c-1", POD)
    names = [os.path.join(node.state_dir, path) for path in node.records()]
    names += [path for path in glob.glob("/run/delegated-ipam/*:*/*") if not os.path.isdir(path)]
    assert len(names) > 4, names
    for path in names:
        put(kind, path)
        for verb in ("ADD", "DEL"):
            code_of(call(node, verb))  # it ends, and says what it did
        if os.path.lexists(path):
            remove(path)
        assert code_of(call(node, "ADD")) == code_of(call(node, "DEL")) == 0, path


def record_as_folder():
    """It costs its own address and pod's place in the queue only: every pod comes up, also the one that it is of."""
    node = fresh()
    assert node.add("c-1", POD) == [FIRST]
    node.delete("c-1", POD)
    folder, = os.scandir(node.state_dir)
    names = [*node.records(), f"{folder.name}/ip.{SECOND}", f"{folder.name}/.new"]
    for number, name in enumerate(names):
        path = os.path.join(node.state_dir, name)
        put("folder", path)
        for container, pod in ((f"c-{number}-new", f"shop/new-{number}"), (f"c-{number}-own", POD)):
            done = call(node, "ADD", container, pod=pod)
            assert done.exit == 0, f"{name}: {done}"
            assert call(node, "DEL", container, pod=pod).exit == 0
        os.rmdir(path)


def resolv_conf(kind):
    node = fresh()
    path = os.path.join(node.home, "resolv.conf")
    put(kind, path)
    assert_refused(call(node, "ADD", delegate={"type": "host-local", "resolvConf": path}), path, kind)


def ranges_source(kind):
    """The pod is told which file it is, and that it may be tried again."""
    node = fresh()
    path = os.path.join(node.home, "subnet.env")
    put(kind, path)
    del node.ipam["ranges"]
    done = call(node, "ADD", rangesFrom={"subnetFile": path})
    assert code_of(done) == TRY_AGAIN and path in done.json["msg"], done


def cache_entry(kind):
    node = fresh()
    put(kind, "/var/lib/cni/results/net-c-9-eth0")
    assert call(node, "ADD").addresses == [FIRST]
    remove("/var/lib/cni/results/net-c-9-eth0")


def tool_reads(kind, make):
    """A command that reads a folder or a file that others can write to."""
    home = fresh().home
    path = os.path.join(home, "odd.conflist")
    put(kind, path)
    done = plugin.run(BINARY, {"PATH": os.environ["PATH"]}, "", timeout=SECONDS, arguments=make(home, path))
    assert done.exit in (tool.FINE, tool.FOUND, tool.USAGE), done
    return done, path


def node_file(kind):
    """install copies what a mounted folder holds of this node."""
    done, path = tool_reads(kind, lambda home, path: [
        "install", home, "--nodes-from", home, "--nodes-dir", home + "/nodes", "--node", "odd.conflist"])
    assert done.exit == tool.USAGE and path in done.stderr, done


def file_of_another_node(kind):
    """An installer that was made for certain ranges looks at all that is mounted."""
    folder = tempfile.mkdtemp()
    done, path = tool_reads(kind, lambda home, path: [
        "install", folder, "--nodes-from", home, "--nodes-dir", f"{folder}/nodes", "--node", "edge-1",
        "--nodes-checksum", "0" * 64])
    assert done.exit == tool.USAGE and path in done.stderr and "only ConfigMaps" in done.stderr, done
    assert os.listdir(folder) == ["delegated-ipam"]
    shutil.rmtree(folder)


def delegate_config(kind):
    done, path = tool_reads(kind, lambda _, path: ["generate", "bridge", "--delegate-config", path])
    assert done.exit == tool.USAGE and path in done.stderr, done


def conflist_of_node(kind):
    done, _ = tool_reads(kind, lambda home, _: ["uninstall", home, "--conf-dir", home, "--cni-cache", home])
    assert done.exit == tool.FINE, done


def drop_in(kind):
    """A list with drop-in plugins makes uninstall look into the folder of its network."""
    home = fresh().home
    write(os.path.join(home, "net.conflist"), json.dumps({"cniVersion": "1.1.0", "name": "net"}))
    put(kind, os.path.join(home, "net", "odd.conf"))
    write(os.path.join(home, "delegated-ipam"), "")
    done = plugin.run(BINARY, {"PATH": os.environ["PATH"]}, "", timeout=SECONDS,
                      arguments=["uninstall", home, "--conf-dir", home, "--cni-cache", home])
    assert done.exit == tool.USAGE, done  # it is not this plugin


ODD = ["pipe", "device", "socket", "folder", "symbolic link"]
NO_LINK = ["pipe", "device", "socket", "folder"]
TESTS = [
    *((f"the lock as {kind}", lock, kind) for kind in ODD),
    *((f"an entry of the journal as {kind}", journal, kind) for kind in ODD),
    *((f"the cursor as {kind}", cursor, kind) for kind in ("pipe", "device", "socket", "symbolic link", "second name")),
    *((f"an address as {kind}", address, kind) for kind in ODD),
    *((f"the private name as {kind}", private_name, kind) for kind in (*ODD, "second name")),
    *((f"each record as {kind}", records, kind) for kind in ("pipe", "device", "socket")),
    ("each record as folder: all pods come up", record_as_folder),
    *((f"resolvConf as {kind}", resolv_conf, kind) for kind in NO_LINK),
    *((f"rangesFrom's file as {kind}", ranges_source, kind) for kind in NO_LINK),
    *((f"an entry of the runtime's cache as {kind}", cache_entry, kind) for kind in ODD),
    *((f"the tool: a node's ranges as {kind}", node_file, kind) for kind in NO_LINK),
    *((f"the tool: another node's ranges as {kind}", file_of_another_node, kind) for kind in NO_LINK),
    *((f"the tool: a delegate's configuration as {kind}", delegate_config, kind) for kind in NO_LINK),
    *((f"the tool: a conflist of the node as {kind}", conflist_of_node, kind) for kind in NO_LINK),
    *((f"the tool: a drop-in as {kind}", drop_in, kind) for kind in NO_LINK),
]


if __name__ == "__main__":
    tap.main("odd_files", TESTS, lambda: require(BINARY), sandbox.enter, fake_boots)
