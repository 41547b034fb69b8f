#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""install and uninstall: by rename, with the original kept, never from under a pod that needs the plugin.

usage: install_test.py [WORD ...]
"""
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import yaml

import result_cache
import tap
import tool
import trace
import world
from kubelet import Pod
from plugin import BINARY, HOST_LOCAL, require

NAME = "delegated-ipam"
KEPT = "host-local.orig"
NETNS = "/run/netns/none"
RANGES = ("--nodes-from", "/x", "--nodes-dir", "/y")


class Folder:
    """A plugin folder, a CNI cache and a folder of conflists, for a with block."""

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="install.", dir="/var/tmp")
        self.bin, self.cache, self.conflists = (os.path.join(self.home, one) for one in ("bin", "cache", "net.d"))
        for path in (self.bin, f"{self.cache}/results", f"{self.cache}/flannel", self.conflists):
            os.makedirs(path)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home)

    def put(self, name, source=HOST_LOCAL):
        """Another plugin, as its package would install it."""
        shutil.copy(source, self.path(name))

    def path(self, name=NAME):
        return os.path.join(self.bin, name)

    def content(self, name=NAME):
        with open(self.path(name), "rb") as file:
            return file.read()

    def names(self):
        return sorted(os.listdir(self.bin))

    def install(self, *more):
        return tool.must("install", self.bin, *more)

    def uninstall(self, *more):
        return tool.call("uninstall", self.bin, "--cni-cache", self.cache, "--conf-dir", self.conflists, *more)

    def write(self, path, document):
        with open(os.path.join(self.home, path), "w") as file:
            file.write(document if isinstance(document, str) else json.dumps(document))


def bytes_of(path):
    with open(path, "rb") as file:
        return file.read()


def about(path):
    """What a plugin says of itself."""
    return subprocess.run([path], env={}, capture_output=True, text=True, stdin=subprocess.DEVNULL).stderr


def fresh():
    with Folder() as folder:
        said = folder.install()
        assert folder.path() in said, said
        assert folder.names() == [NAME] and folder.content() == bytes_of(BINARY)
        assert os.stat(folder.path()).st_mode & 0o7777 == 0o755
        assert "delegated-ipam plugin" in about(folder.path())


def strange_umask():
    with Folder() as folder:
        done = tool.call("install", folder.bin, wrapper=("sh", "-c", 'umask 077; exec "$@"', "sh"))
        assert done.exit == 0 and os.stat(folder.path()).st_mode & 0o7777 == 0o755, done


def over_a_running_one():
    """The old file is executed while it is replaced: it stays what it is, and nobody sees a text file that is busy."""
    with Folder() as folder:
        folder.install()
        env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c", "CNI_NETNS": NETNS, "CNI_IFNAME": "eth0", "CNI_PATH": "/"}
        running = subprocess.Popen([folder.path()], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        old = os.stat(folder.path()).st_ino
        folder.install()
        assert os.stat(folder.path()).st_ino != old and folder.names() == [NAME]
        answer, _ = running.communicate(b"{broken")
        assert json.loads(answer)["code"] == 6, answer


def always_there():
    """At every moment of 40 installations there is a whole plugin under the name."""
    with Folder() as folder:
        folder.install()
        env = {"CNI_COMMAND": "VERSION"}
        with ThreadPoolExecutor(1) as pool:
            installing = pool.submit(lambda: [folder.install() for _ in range(40)])
            runs = 0
            while not installing.done() or not runs:
                done = subprocess.run([folder.path()], env=env, input=b"{}", capture_output=True)
                assert done.returncode == 0 and b"1.1.0" in done.stdout, done
                runs += 1
            installing.result()


def keeps_the_original():
    with Folder() as folder:
        folder.put("host-local")
        said = folder.install("--as", "host-local")
        assert KEPT in said and folder.names() == ["host-local", KEPT], said
        assert folder.content(KEPT) == bytes_of(HOST_LOCAL) and folder.content("host-local") == bytes_of(BINARY)
        folder.install("--as", "host-local")
        assert folder.content(KEPT) == bytes_of(HOST_LOCAL), "ours became the original"
        done = folder.uninstall("--as", "host-local")
        assert done.exit == 0 and folder.names() == ["host-local"], done
        assert folder.content("host-local") == bytes_of(HOST_LOCAL)


def package_came_between():
    """An upgrade of the plugins' package puts its own file over ours: that one is the original then."""
    with Folder() as folder:
        folder.put("host-local", "/bin/true")
        folder.install("--as", "host-local")
        folder.put("host-local")
        folder.install("--as", "host-local")
        assert folder.content(KEPT) == bytes_of(HOST_LOCAL)
        folder.uninstall("--as", "host-local")
        assert folder.names() == ["host-local"] and folder.content("host-local") == bytes_of(HOST_LOCAL)


def links_are_refused():
    with Folder() as folder:
        folder.put("cni")
        os.symlink("cni", folder.path("host-local"))
        line = tool.refused("install", folder.bin, "--as", "host-local")
        assert "symbolic link to cni" in line and "without --as" in line, line
        assert os.readlink(folder.path("host-local")) == "cni" and folder.content("cni") == bytes_of(HOST_LOCAL)
        assert folder.names() == ["cni", "host-local"]
        folder.install()
        assert folder.names() == ["cni", NAME, "host-local"]


def bad_input():
    with Folder() as folder:
        os.mkdir(folder.path("host-local"))
        for arguments, words in {
            ("install", f"{folder.bin}/nowhere"): ("nowhere is missing", "binDir"),
            ("install", folder.bin, "--as", "../x"): ("--as", "no plugin's name"),
            ("install", folder.bin, "--as", "host-local"): ("host-local", "no regular file"),
            ("install", folder.bin, "--as", "host-local.orig"): ("--as", "no plugin's name"),
            ("install", folder.bin, "--nodes-from", "/x"): ("--nodes-dir", "give both"),
            ("install", folder.bin, "--nodes-checksum", "x"): ("--nodes-checksum", "give these, too"),
            ("install", folder.bin, "--nodes-checksum", ""): ("--nodes-checksum", "give these, too"),
            **{("install", folder.bin, *RANGES, "--nodes-checksum", one): (f'--nodes-checksum: "{one}"', "64 small hex",
                                                                          "generate installer --nodes")
               for one in ("", "x", "0" * 63, "0" * 65, "A" * 64, "g" * 64)},
            ("uninstall", f"{folder.bin}/nowhere"): ("nowhere is missing",),
        }.items():
            line = tool.refused(*arguments)
            assert all(word in line for word in words), line
        assert tool.call("install").exit == tool.USAGE and tool.call("install", folder.bin, "x").exit == tool.USAGE
        assert folder.names() == ["host-local"], folder.names()


def not_ours_is_not_removed():
    with Folder() as folder:
        folder.put("host-local")
        line = tool.refused("uninstall", folder.bin, "--as", "host-local")
        assert "is not delegated-ipam" in line and folder.names() == ["host-local"]
        assert "is not there" in tool.must("uninstall", folder.bin)


def cached(folder, pod, ipam, ifname="eth0"):
    """An entry of libcni's result cache."""
    conf = {"cniVersion": "1.0.0", "name": "net", "type": "bridge", "ipam": ipam}
    result = {"cniVersion": "1.0.0", "ips": [{"address": "10.1.2.3/24"}]}
    container = f"c-{pod.name}"
    entry = result_cache.entry(conf, container, pod, NETNS, result)
    folder.write(f"cache/results/net-{container}-{ifname}", entry)
    return container


def pods_that_need_it():
    with Folder() as folder:
        folder.install()
        ours, stock = {"type": NAME, "delegate": {}}, {"type": "host-local"}
        cached(folder, Pod("web-0", "shop"), ours)
        container = cached(folder, Pod("web-1", "shop"), stock)
        cached(folder, Pod("other", "shop"), stock)
        folder.write(f"cache/flannel/{container}", {"name": "cbr0", "type": "bridge", "ipam": ours})
        folder.write("cache/flannel/unknown", {"name": "cbr0", "type": "bridge", "ipam": ours})
        folder.write("cache/results/net-torn-eth0", '{"kind":')
        folder.write("net.d/10-net.conflist", {"name": "net", "plugins": [{"type": "bridge", "ipam": ours}]})
        folder.write("net.d/11-net.conflist.bak", {"name": "net", "plugins": [{"type": "bridge", "ipam": ours}]})
        done = folder.uninstall()
        assert done.exit == tool.FOUND and folder.content() == bytes_of(BINARY), done
        assert [line.split(" needs")[0] for line in done.stderr.splitlines()[:3]] == \
            ["pod container unknown", "pod shop/web-0", "pod shop/web-1"], done.stderr
        assert "10-net.conflist" in done.stderr and ".bak" not in done.stderr and "shop/other" not in done.stderr
        for path in ("cache/results", "cache/flannel", "net.d"):
            shutil.rmtree(os.path.join(folder.home, path))
        done = folder.uninstall()
        assert done.exit == 0 and folder.names() == [], done


def drop_in_plugins():
    """CNI 1.1 completes a list by NAME/*.conf beside it: such a file counts as the list itself would, and so do the
    pods whose DEL would read it."""
    ours = {"type": "bridge", "ipam": {"type": NAME}}
    with Folder() as folder:
        folder.install()
        for name in ("pods", "other", "alone", "inlined"):
            os.mkdir(f"{folder.conflists}/{name}")
        folder.write("net.d/10-pods.conflist", {"cniVersion": "1.1.0", "name": "pods"})
        folder.write("net.d/20-other.conflist", {"name": "other", "plugins": [{"type": "loopback"}]})
        for value in (True, "True"):
            folder.write("net.d/30-inlined.conflist", {"name": "inlined", "loadOnlyInlinedPlugins": value,
                                                       "plugins": [{"type": "loopback"}]})
            folder.write("net.d/inlined/10.conf", ours)
            # Nobody reads these: no list has the name, another ending, a folder, a list that is none.
            folder.write("net.d/alone/10.conf", ours)
            folder.write("net.d/pods/10.conflist", ours)
            folder.write("net.d/pods/10.json", ours)
            os.makedirs(f"{folder.conflists}/pods/20.conf", exist_ok=True)
            folder.write("net.d/40-torn.conflist", '{"name": "alone"')
            assert folder.uninstall().exit == 0
            folder.install()
        folder.write("elsewhere", ours)
        os.symlink(f"{folder.home}/elsewhere", f"{folder.conflists}/pods/15.conf")
        folder.write("net.d/other/20-second.conf", {"type": "macvlan", "ipam": {"type": NAME}})
        container = cached(folder, Pod("web-0", "shop"), {"type": "host-local"})
        path = f"cache/results/net-{container}-eth0"
        with open(f"{folder.home}/{path}") as file:
            entry = json.load(file)
        kept = json.dumps({"cniVersion": "1.1.0", "name": "pods"})  # the list as it was written
        folder.write(path, {**entry, "config": base64.b64encode(kept.encode()).decode()})
        done = folder.uninstall()
        assert done.exit == tool.FOUND and folder.names() == [NAME], done
        said = done.stderr.splitlines()
        assert said[0].startswith("pod shop/web-0 needs"), said
        assert [line.split("net.d/")[1] for line in said[1:3]] == ["other/20-second.conf)", "pods/15.conf)"], said
        shutil.rmtree(f"{folder.conflists}/pods")
        os.unlink(f"{folder.conflists}/other/20-second.conf")
        assert folder.uninstall().exit == 0 and folder.names() == []


def linked_conflist():
    """Runtimes follow the links of a ConfigMap that is mounted; a link that leads to no file holds nothing up."""
    with Folder() as folder:
        folder.install()
        folder.write("elsewhere", {"name": "net", "plugins": [{"type": "bridge", "ipam": {"type": NAME}}]})
        folder.write("net.d/10-net.conf", {"name": "net", "type": "loopback"})
        os.mkfifo(os.path.join(folder.home, "pipe"))
        for name, target in ("20", "../elsewhere"), ("30", "nowhere"), ("40", "../pipe"), ("50", "/dev/zero"):
            os.symlink(target, os.path.join(folder.home, f"net.d/{name}.conflist"))
        done = folder.uninstall()
        assert done.exit == tool.FOUND and "20.conflist" in done.stderr and folder.content() == bytes_of(BINARY), done
        os.unlink(os.path.join(folder.home, "net.d/20.conflist"))
        assert folder.uninstall().exit == 0 and folder.names() == [], folder.names()


def original_serves_them():
    """Pods that name host-local are served by the original again."""
    with Folder() as folder:
        folder.put("host-local")
        folder.install("--as", "host-local")
        cached(folder, Pod("web-0"), {"type": "host-local"})
        assert folder.uninstall("--as", "host-local").exit == 0 and folder.content("host-local") == bytes_of(HOST_LOCAL)
        folder.install("--as", "host-local")
        os.unlink(folder.path(KEPT))
        done = folder.uninstall("--as", "host-local")
        assert done.exit == tool.FOUND and "default/web-0" in done.stderr, done


def node_ranges():
    with Folder() as folder:
        os.makedirs(f"{folder.home}/map/..2026")
        folder.write("map/..2026/edge-1", "10.1.0.0/24\nfd00:1::/64\n")
        os.symlink("..2026/edge-1", f"{folder.home}/map/edge-1")  # as kubelet mounts a ConfigMap
        folder.write("map/edge-2", "10.1.0.0/2x\n")
        where = ("--nodes-from", f"{folder.home}/map", "--nodes-dir", f"{folder.home}/a/nodes")
        tool.must("install", folder.bin, *where, env={"NODE_NAME": "edge-1"})
        names = {"edge-1", os.uname().nodename}
        assert set(os.listdir(f"{folder.home}/a/nodes")) == names, os.listdir(f"{folder.home}/a/nodes")
        assert {bytes_of(f"{folder.home}/a/nodes/{name}") for name in names} == {b"10.1.0.0/24\nfd00:1::/64\n"}
        folder.write("map/edge-4", "")
        for node, words in {"edge-3": ["generate the ConfigMap again"], "edge-2": ["is no CIDR block", "one a line"],
                            "edge-4": ["names no subnet", "one a line"]}.items():
            done = tool.call("install", folder.bin, *where, "--node", node)
            assert done.exit == tool.USAGE and "install: --nodes-from: " in done.stderr, done
            assert all(word in done.stderr for word in words), done
        assert set(os.listdir(f"{folder.home}/a/nodes")) == names


def mounted(folder, ranges):
    """A ConfigMap as kubelet has it in a volume: another content takes the place of the one before by a rename."""
    home = f"{folder.home}/map"
    os.makedirs(home, exist_ok=True)
    number = len(os.listdir(home))
    os.mkdir(f"{home}/..{number}")
    for node, blocks in ranges.items():
        folder.write(f"map/..{number}/{node}", "".join(f"{block}\n" for block in blocks))
        if not os.path.lexists(f"{home}/{node}"):
            os.symlink(f"..data/{node}", f"{home}/{node}")
    os.symlink(f"..{number}", f"{home}/..new")
    os.rename(f"{home}/..new", f"{home}/..data")


OLD = {"edge-1": ["10.1.0.0/24"], "edge-2": ["10.2.0.0/24"]}
NEW = {"edge-1": ["10.9.0.0/24", "fd00:9::/64"], "edge-2": ["10.2.0.0/24"]}
OLD_TEXT, NEW_TEXT = b"10.1.0.0/24\n", b"10.9.0.0/24\nfd00:9::/64\n"


def made_for(folder, ranges):
    """What the pod of `generate installer --nodes` runs, on this folder in the place of its mounts."""
    items = [{"kind": "Node", "metadata": {"name": node}, "spec": {"podCIDRs": ranges[node]}} for node in ranges]
    folder.write("nodes.json", json.dumps({"kind": "List", "items": items}))
    made = tool.must("generate", "installer", "--nodes", f"{folder.home}/nodes.json", "--nodes-dir", "/etc/nodes")
    arguments = yaml.safe_load(made)["spec"]["template"]["spec"]["initContainers"][0]["args"]
    places = {"/host/bin": folder.bin, "/nodes": f"{folder.home}/map", "/host/nodes": f"{folder.home}/nodes"}
    return [places.get(one, one) for one in arguments]


def ranges_that_it_was_made_for():
    """The pod that `generate installer --nodes` makes writes no range of a ConfigMap of before, or of half of them."""
    with Folder() as folder:
        command = made_for(folder, NEW)
        for stale in (OLD, {**NEW, "edge-3": ["10.3.0.0/24"]}, {"edge-1": NEW["edge-1"]}, {}):
            shutil.rmtree(f"{folder.home}/map", ignore_errors=True)
            mounted(folder, stale)
            done = tool.call(*command, "--node", "edge-1")
            assert done.exit == tool.USAGE and f"{folder.home}/map has other ranges" in done.stderr, (stale, done)
            assert "apply the ConfigMaps and the DaemonSet" in done.stderr, done
            assert folder.names() == [NAME] and not os.path.exists(f"{folder.home}/nodes"), stale
        mounted(folder, NEW)  # the same pod's next try
        said = tool.must(*command, "--node", "edge-1")
        assert "they were others" not in said, said
        names = {"edge-1", os.uname().nodename}
        assert {name: bytes_of(f"{folder.home}/nodes/{name}") for name in os.listdir(f"{folder.home}/nodes")} == \
            dict.fromkeys(names, NEW_TEXT)
        mounted(folder, OLD)
        assert tool.call(*command, "--node", "edge-1").exit == tool.USAGE
        assert bytes_of(f"{folder.home}/nodes/edge-1") == NEW_TEXT, "the old range came back"
        said = tool.must(*command[:command.index("--nodes-checksum")], "--node", "edge-1")
        assert bytes_of(f"{folder.home}/nodes/edge-1") == OLD_TEXT, "not asked for, and looked at"
        assert "they were others before: 10.9.0.0/24 fd00:9::/64, now 10.1.0.0/24; pods" in said, said
        assert "they were others" not in tool.must(*command[:command.index("--nodes-checksum")], "--node", "edge-1")
        mounted(folder, NEW)
        done = tool.call(*command, "--node", "edge-7")
        assert done.exit == tool.USAGE and "map/edge-7 cannot be read" in done.stderr, done
        assert "with this node in it" in done.stderr and set(os.listdir(f"{folder.home}/nodes")) == names, done
        shutil.rmtree(f"{folder.home}/map")
        folder.write("map", "")
        done = tool.call(*command, "--node", "edge-1")
        assert done.exit == tool.USAGE and "--nodes-from: open " in done.stderr and "mount the Con" in done.stderr, done


def ranges_at_any_failure():
    """Whatever call of it fails or is its last one: the node has the range of before or the new one, whole; who says
    that it is done has written the new one; and the next try ends well."""
    with Folder() as folder:
        with_ranges(folder)
        _, calls, _ = trace.run(BINARY, {"PATH": ""}, "", follow=False, arguments=made_for_edge(folder))
        calls = [call for call in calls if call.name not in LOADING]
        assert sum("/map/edge-" in call.args for call in calls) == 2, calls
    for action in ("error=EIO", "signal=KILL"):
        for call in calls:
            with Folder() as folder:
                with_ranges(folder)
                command = made_for_edge(folder)
                done, _, _ = trace.inject(BINARY, {"PATH": ""}, "", call.name, call.occurrence, action, follow=False,
                                          arguments=command)
                found = ranges_of(folder)
                place = f"{action} at {call.name} number {call.occurrence}: {found}, {done}"
                assert set(found) == {NEW_TEXT} or set(found) <= {NEW_TEXT, OLD_TEXT} and done.exit, place
                tool.must(*command)
                assert set(ranges_of(folder)) == {NEW_TEXT}, place
                assert len(os.listdir(f"{folder.home}/nodes")) == len(BOTH_NAMES), place
    print(f"# at {len(calls)} system calls")


BOTH_NAMES = {"edge-1", os.uname().nodename}  # the node's, and the host's


def ranges_of(folder):
    """What the plugin reads, whichever of its names it knows."""
    return [bytes_of(f"{folder.home}/nodes/{name}") for name in sorted(BOTH_NAMES)]


def made_for_edge(folder):
    return [*made_for(folder, NEW), "--node", "edge-1"]


def with_ranges(folder):
    """The range of before on the node, the new one mounted."""
    os.mkdir(f"{folder.home}/nodes")
    for name in BOTH_NAMES:
        folder.write(f"nodes/{name}", OLD_TEXT.decode())
    mounted(folder, NEW)


LOADING = ("execve", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "mmap", "mprotect",
           "munmap", "getrandom", "readlink", "newfstatat", "fstat", "lseek", "rt_sigaction", "umask", "exit_group",
           "futex", "fcntl", "poll")


def calls_of_install(folder):
    """The system calls that an installation over host-local makes on files."""
    arguments = ("install", folder.bin, "--as", "host-local")
    done, calls, _ = trace.run(BINARY, {"PATH": ""}, "", follow=False, arguments=arguments)
    assert done.exit == 0, done
    return [call for call in calls if call.name not in LOADING]


def every_place(action, check):
    """Do something to each system call of an installation over the stock host-local; `check` looks at the folder."""
    with Folder() as folder:
        folder.put("host-local")
        calls = calls_of_install(folder)
    for call in calls:
        with Folder() as folder:
            folder.put("host-local")
            done, _, text = trace.inject(BINARY, {"PATH": ""}, "", call.name, call.occurrence, action, follow=False,
                                         arguments=("install", folder.bin, "--as", "host-local"))
            try:
                check(folder, done)
            except AssertionError as error:
                place = f"{action} at {call.name} number {call.occurrence}"
                raise AssertionError(f"{place}: {error}\n{text[-800:]}") from None
    return len(calls)


def works(folder):
    """There is a whole plugin under the name, of one kind or the other."""
    said = about(folder.path("host-local"))
    assert "host-local plugin" in said or "delegated-ipam plugin" in said, (said, folder.names())
    assert folder.content("host-local") in (bytes_of(BINARY), bytes_of(HOST_LOCAL))


def after_kill(folder, done):
    assert done.exit == -9, done
    works(folder)
    folder.install("--as", "host-local")
    assert folder.names() == ["host-local", KEPT], folder.names()
    assert folder.content("host-local") == bytes_of(BINARY) and folder.content(KEPT) == bytes_of(HOST_LOCAL)
    assert folder.uninstall("--as", "host-local").exit == 0 and folder.names() == ["host-local"], folder.names()
    assert folder.content("host-local") == bytes_of(HOST_LOCAL)


def after_error(folder, done):
    assert done.exit in (tool.FINE, tool.USAGE), done
    assert done.exit == tool.FINE or done.stderr.startswith("delegated-ipam install: ") or not done.stderr, done
    works(folder)
    if done.exit == tool.FINE:
        assert folder.content("host-local") == bytes_of(BINARY)
    folder.install("--as", "host-local")
    assert folder.content(KEPT) == bytes_of(HOST_LOCAL) and folder.content("host-local") == bytes_of(BINARY)


def killed_anywhere():
    print(f"# killed at {every_place('signal=KILL', after_kill)} system calls of an installation")


def failing_anywhere():
    for error in ("EIO", "ENOSPC"):
        print(f"# {error} at {every_place(f'error={error}', after_error)} system calls of an installation")


def waits(pid):
    """True once the process waits in rt_sigtimedwait(2), by its number on x86-64 and arm64."""
    return bytes_of(f"/proc/{pid}/syscall").split()[0] in (b"128", b"137")


def pause_ends():
    """As the first process of a container, which the kernel shields from signals that nobody handles."""
    for name, number in (("pause", signal.SIGTERM), ("pause", signal.SIGINT), ("hold", signal.SIGTERM)):
        child = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", BINARY, name])
        try:
            children = f"/proc/{child.pid}/task/{child.pid}/children"
            first = world.wait_until(lambda: bytes_of(children).split(), 30, "unshare starts nothing")[0].decode()
            world.wait_until(lambda: waits(first), 30, f"{name} does not wait")
            os.kill(int(first), number)
            assert child.wait(timeout=30) == 0
        finally:
            child.kill()
            child.wait()


def pause_is_hidden():
    for arguments in (["--help"], ["pauses"]):
        done = tool.call(*arguments)
        words = re.findall(r"\w+", done.stdout + done.stderr)
        assert "uninstall" in words and not {"pause", "hold"} & set(words), done


TESTS = [
    ("an empty folder: the plugin, executable, whole", fresh),
    ("the mode does not depend on the caller's umask", strange_umask),
    ("a plugin that is being executed is replaced beside it", over_a_running_one),
    ("whoever executes the plugin while it is installed again and again finds a whole one", always_there),
    ("--as host-local keeps the original, however often, and uninstall brings it back", keeps_the_original),
    ("a package upgrade in between: its file is the original from then on", package_came_between),
    ("a symbolic link, as k3s has, is refused with the remedy; its target stays as it is", links_are_refused),
    ("bad input names the option or the path, and changes nothing", bad_input),
    ("uninstall leaves what is not ours", not_ours_is_not_removed),
    ("uninstall lists the pods and the conflists that need the plugin, and refuses", pods_that_need_it),
    ("uninstall sees a conflist that is a link", linked_conflist),
    ("uninstall sees drop-in plugins, and the pods that came by them", drop_in_plugins),
    ("pods of host-local do not hold up the way back to the original", original_serves_them),
    ("this node's ranges come from the mounted ConfigMap, under its names", node_ranges),
    ("a range is written of the ConfigMap that the installer was made for, of no other", ranges_that_it_was_made_for),
    ("the same, killed or failing at any system call", ranges_at_any_failure),
    ("killed at any system call: a whole plugin is there, and the next installation ends well", killed_anywhere),
    ("with any one failing system call: a whole plugin is there", failing_anywhere),
    ("pause ends at SIGTERM and SIGINT, also as the first process; so does hold, its earlier name", pause_ends),
    ("the help tells of neither", pause_is_hidden),
]


if __name__ == "__main__":
    tap.main("install", TESTS, lambda: require(BINARY, HOST_LOCAL))
