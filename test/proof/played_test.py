#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The random histories of world.hpp with the real plugin: on a real ext4, in network namespaces with real processes, beside
the real Go plugin. `histories --tell` says what happens, and what the store over a file system in memory makes of it; the
plugin must answer the same and leave the same in its folders, after every event.

usage: played_test.py [HISTORY]     one that was printed

SEED and COUNT in the environment: which histories, and how many.
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

import plugin
import result_cache
import sandbox
import tap
from command import run
from disk import Disk
from kubelet import Pod
from node import Node, empty_run, fake_boots, name_boot
from plugin import BINARY, HOST_LOCAL, ROOT, require
from pod_process import PodProcess

TELLER = os.environ.get("HISTORIES", os.path.join(ROOT, "build/dev/test/histories"))
NETNS = "/var/lib/cni/played-netns"  # a reboot empties /run
SEED = int(os.environ.get("SEED", "1"))
COUNT = int(os.environ.get("COUNT", "40"))
# The pods that world.hpp says are special.
NAMELESS, UNBOUND, DUAL, PINNED = 0, 1, 2, 3
PIN = "10.0.0.5"


def told(*words):
    """The histories, as objects."""
    done = subprocess.run([TELLER, "--tell", *words], stdout=subprocess.PIPE, text=True, check=True)
    histories = [json.loads(line) for line in done.stdout.splitlines()]
    for history in histories:
        if "broken" in history:
            raise AssertionError(f"{history['text']}: {history['broken']}")
    return histories


class Differs(AssertionError):
    """The plugin did something else than the store in memory."""


class CopiedDisk(Disk):
    """A small ext4, and a copy of it that it can become again."""

    def __init__(self, folder):
        super().__init__(folder, "ext4")
        self.size = "8M"
        self.copy = f"{self.image}.backup"
        self.is_read_only = False

    def mount(self):
        super().mount()
        if self.is_read_only:
            self.remount("ro")

    def set_read_only(self, wanted):
        if wanted != self.is_read_only:
            self.is_read_only = wanted
            self.remount("ro" if wanted else "rw")

    def remember(self):
        self.unmount()
        shutil.copyfile(self.image, self.copy)
        self.mount()

    def put_back(self):
        self.unmount()
        shutil.copyfile(self.copy, self.image)
        self.is_read_only = False
        self.mount()

    @contextlib.contextmanager
    def remembered(self):
        """The copy, mounted; its folder."""
        path = f"{self.mount_point}.backup"
        os.makedirs(path, exist_ok=True)
        run("mount", "-o", "loop", self.copy, path)
        try:
            yield path
        finally:
            run("umount", path)


class Played:
    """One history on a node of its own."""

    def __init__(self, history, disk):
        self.history = history
        self.disk = disk
        self.ranges = [[{"subnet": "10.0.0.0/29" if history["narrow"] else "10.0.0.0/28"}]]
        self.node = Node(disk.mount_point, self.ranges, pins={f"default/p{PINNED}": [PIN]})
        self.processes = {}  # by container
        self.entries = {}  # what the runtime's cache has of each container, or had, by age
        self.stale = None  # what it had when it was seen for the last time
        self.written = 0
        os.makedirs(NETNS, exist_ok=True)
        os.makedirs(result_cache.FOLDER)
        empty_run()
        name_boot()

    def end(self):
        self.end_processes()
        shutil.rmtree(result_cache.FOLDER)

    def end_processes(self):
        for process in self.processes.values():
            process.end()
        self.processes = {}

    def run(self):
        for number, event in enumerate(self.history["events"]):
            said = None
            if not event["nothing"]:
                said = getattr(self, "do_" + event["event"].split()[0])(event)
            self.disk.set_read_only(event["read_only"])
            self.show_cache(event)
            trouble = self.difference(event, said)
            if trouble:
                raise Differs(f"event {number}, {event['event']} ({event.get('container', '')}): {trouble}")

    # What is so afterwards.

    def difference(self, event, said):
        """In what the plugin is not as the store in memory is; None."""
        if said is not None:
            if (said.exit != 0) != bool(event["failure"]):
                return f"answers {said.stdout or said.exit} {said.stderr}, expected {event['failure'] or 'success'}"
            if said.exit == 0 and said.addresses != event["addresses"]:
                return f"answers {said.addresses}, expected {event['addresses']}"
        files = {name: content.decode() for name, content in self.node.attachments().items()}
        if files != event["files"]:
            return f"has the files {files}, expected {event['files']}"
        records = sorted(name for name in self.records() if name.startswith(("ip.", "pod.")))
        expected = sorted(name for name in event["records"] if name.startswith(("ip.", "pod.")))
        return None if records == expected else f"has the records {records}, expected {expected}"

    def record_folder(self):
        """The folder of the network's records; None before there is any."""
        folders = os.listdir(self.node.state_dir) if os.path.isdir(self.node.state_dir) else []
        return os.path.join(self.node.state_dir, *folders) if len(folders) == 1 else None

    def records(self):
        folder = self.record_folder()
        return os.listdir(folder) if folder else []

    def show_cache(self, event):
        """The runtime's cache tells of whom it should, each as it told of them then."""
        containers = event["cached"]
        if event["event"].startswith("cache_"):
            self.stale = dict(self.entries) if event["event"].startswith("cache_stale") else None
        there = set(os.listdir(result_cache.FOLDER))
        wanted = {os.path.basename(self.entry_path(container)): container for container in containers}
        if set(wanted) <= there:
            for name in there - set(wanted):
                os.unlink(os.path.join(result_cache.FOLDER, name))
            return
        for name in there:
            os.unlink(os.path.join(result_cache.FOLDER, name))
        for container in self.stale or self.entries:  # which are in the order in which they were written
            if container in containers:
                self.write_entry(container)

    def entry_path(self, container):
        return result_cache.path(self.node.name, container)

    def write_entry(self, container):
        """Later, as its time of change tells, than the one before."""
        path = self.entry_path(container)
        while True:
            with open(path, "w") as file:
                json.dump((self.stale or self.entries)[container], file)
            changed = os.stat(path).st_ctime_ns
            if changed > self.written:
                self.written = changed
                return

    # Commands.

    def ranges_of(self, pod):
        return [*self.ranges, [{"subnet": "2001:db8::/124"}]] if pod == DUAL else self.ranges

    def ask(self, command, event, netns, annotations=None):
        """Call the plugin about a sandbox, as its pod's caller does."""
        pod = event["pod"]
        name = None if pod == NAMELESS else f"default/p{pod}"
        env, conf = self.node.request(command, event["container"], name, netns=netns, ranges=self.ranges_of(pod))
        if annotations:
            conf["runtimeConfig"] = {"io.kubernetes.cri.pod-annotations": annotations}
        return plugin.run(BINARY, env, conf)

    def namespace(self, event):
        """The path of the sandbox's namespace, which is made if it is new."""
        container = event["container"]
        if event["new"]:
            self.end_process(container)  # of the container as it was before
            self.processes[container] = PodProcess(os.path.join(NETNS, container))
        return self.processes[container].path

    def note_answer(self, event, said):
        """The runtime writes down what it was answered."""
        if said.exit != 0:
            return
        container = event["container"]
        path = os.path.join(NETNS, container)
        pod = Pod(f"p{event['pod']}", "default", "")
        conf = self.node.conf(ranges=self.ranges_of(event["pod"]))
        entry = result_cache.entry(conf, container, pod, path, said.json)
        if event["pod"] == NAMELESS:
            entry["cniArgs"] = []
        self.entries.pop(container, None)
        self.entries[container] = entry
        if self.stale is None and container in event["cached"]:
            self.write_entry(container)

    def do_add(self, event):
        annotations = {"delegated-ipam.io/retain": "false"} if event["pod"] == UNBOUND else None
        said = self.ask("ADD", event, self.namespace(event), annotations)
        self.note_answer(event, said)
        return said

    do_repeat_add = do_add

    def release(self, event):
        return self.ask("DEL", event, "")

    def do_del(self, event):
        said = self.release(event)
        self.end_process(event["container"])
        return said

    def do_del_again(self, event):
        return self.release(event)

    def do_collect(self, event):
        env, conf = self.node.request("GC", None, ifname=None, netns=None)
        valid = [{"containerID": container, "ifname": "eth0"} for container in event["valid"]]
        return plugin.run(BINARY, env, {**conf, "cniVersion": "1.1.0", "cni.dev/valid-attachments": valid})

    def go_request(self, event, command, netns):
        ipam = {"type": "host-local", "dataDir": self.node.data_dir, "ranges": self.ranges}
        conf = {"cniVersion": "1.0.0", "name": self.node.name, "type": "bridge", "ipam": ipam}
        args = f"IP={event['addresses'][0]}" if event["addresses"] else None  # else it would go round
        return plugin.run(HOST_LOCAL, plugin.environment(command, event["container"], netns=netns, args=args), conf)

    def do_go_add(self, event):
        said = self.go_request(event, "ADD", self.namespace(event))
        self.note_answer(event, said)
        return said

    def do_go_del(self, event):
        said = self.go_request(event, "DEL", "")
        self.end_process(event["container"])
        return said

    # Everything else.

    def end_process(self, container):
        process = self.processes.pop(container, None)
        if process:
            process.end()

    def do_die(self, event):
        self.end_process(event["container"])

    def do_unmount(self, event):
        self.processes[event["container"]].remove_path()

    def do_exit(self, _event):
        for process in self.processes.values():
            if not process.has_path:
                process.kill()

    def do_reboot(self, _event):
        self.end_processes()
        empty_run()
        name_boot()

    def do_reboot_with_run(self, _event):
        self.end_processes()
        name_boot()

    def do_remove_run(self, _event):
        shutil.rmtree("/run/delegated-ipam", ignore_errors=True)

    def do_copy_disk(self, _event):
        self.disk.remember()

    def do_restore_disk(self, event):
        self.do_reboot(event)
        self.disk.put_back()

    def do_restore_state(self, _event):
        shutil.rmtree(self.node.state_dir, ignore_errors=True)
        with self.disk.remembered() as copy:
            if os.path.isdir(f"{copy}/state"):
                run("cp", "-a", f"{copy}/state", self.node.state_dir)

    def address_file(self, event):
        return os.path.join(self.node.network_dir, event["name"])

    def do_remove_file(self, event):
        os.unlink(self.address_file(event))

    def do_empty_file(self, event):
        os.truncate(self.address_file(event), 0)

    def do_write_note(self, event):
        with open(self.address_file(event), "x") as file:
            file.write("reserved by hand\n")

    def do_strip_stamps(self, _event):
        """The files are copied by something that knows no attributes."""
        copies = {}  # two names of one file are two of its copy
        for name in self.node.attachments():
            path = os.path.join(self.node.network_dir, name)
            number = os.stat(path).st_ino
            if number in copies:
                os.link(copies[number], path + ".copy")
            else:
                shutil.copyfile(path, path + ".copy")
            os.rename(path + ".copy", path)
            copies[number] = path

    def do_remove_network(self, _event):
        """It is moved away: ext4 would give the next folder its number, which keeps the marks of this boot."""
        if os.path.isdir(self.node.network_dir):
            os.rename(self.node.network_dir, tempfile.mkdtemp(dir=self.node.home))

    def do_remove_state(self, _event):
        shutil.rmtree(self.node.state_dir, ignore_errors=True)

    def record(self, event):
        return os.path.join(self.record_folder(), event["name"])

    def do_remove_record(self, event):
        os.unlink(self.record(event))

    def do_spoil_record(self, event):
        os.unlink(self.record(event))
        os.symlink(event["text"], self.record(event))


def trouble_in(history):
    """How the plugin differs; None."""
    with tempfile.TemporaryDirectory(dir="/var/lib/cni") as folder, CopiedDisk(folder) as disk:
        played = Played(history, disk)
        try:
            played.run()
        except Differs as trouble:
            return str(trouble)
        finally:
            played.end()
    return None


def shortened(history):
    """The shortest text of which the plugin makes something else: no event of it can be left out."""
    head, _, events = history["text"].partition(": ")
    events = events.split(", ")
    size = len(events)
    while size:
        first = 0
        while first < len(events):
            shorter = events[:first] + events[first + size:]
            if shorter and trouble_in(told("--replay", f"{head}: {', '.join(shorter)}")[0]):
                events = shorter
            else:
                first += size
        size //= 2
    return f"{head}: {', '.join(events)}"


def plays(history):
    trouble = trouble_in(history)
    if trouble:
        shortest = shortened(history)
        again = trouble_in(told("--replay", shortest)[0])
        raise AssertionError(f"{again or trouble}\nplayed_test.py '{shortest}'")


def tell(suite):
    if sys.argv[1:]:
        suite.run(sys.argv[1], plays, told("--replay", sys.argv[1])[0])
        return
    events = commands = 0
    for number, history in enumerate(told("--seed", str(SEED), "--count", str(COUNT))):
        suite.run(f"history {SEED + number}, {len(history['events'])} events", plays, history)
        events += sum(not event["nothing"] for event in history["events"])
        commands += sum(bool(event.get("container")) for event in history["events"])
    print(f"# proof: {COUNT} histories with the real plugin, {events} events came to it, {commands} of them about a sandbox")


if __name__ == "__main__":
    tap.story("played", tell, sandbox.enter, sandbox.need_initial_pid_namespace, fake_boots,
              lambda: require(BINARY, HOST_LOCAL))
