#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Ourselves as our own delegate, by every name and kind of link: refused, before anything runs in a circle."""
import os
import shutil

import tap
import world
from ledger import RECORDER
from node import Node
from one_add import nobody_left
from plugin import BINARY, HOST_LOCAL, require

HOME = "/var/lib/cni/self"
RANGES = [[{"subnet": "10.60.0.0/24"}]]
VERBS = ("ADD", "DEL", "CHECK", "GC", "STATUS")
BAD_CONFIG = 7
_count = 0


class SelfNode(Node):
    """A node with our binary in the folder `first`, of which CNI_PATH names `first` and then `second`."""

    def __init__(self, **ipam):
        global _count
        _count += 1
        super().__init__(f"{HOME}/{_count}", RANGES, f"self{_count}", **ipam)
        self.first, self.second = f"{self.home}/first", f"{self.home}/second"
        for folder in (self.first, self.second):
            os.makedirs(folder)
        self.us = f"{self.first}/delegated-ipam"
        shutil.copy2(BINARY, self.us)
        self.binary = self.us

    def request(self, command, container_id, pod=None, **more):
        is_new = command in ("GC", "STATUS")
        if is_new:
            more.update(ifname=None, netns=None)
            container_id = None
        env, conf = super().request(command, container_id, pod, **more)
        conf.update({"cniVersion": "1.1.0" if is_new else "1.0.0", "cni.dev/valid-attachments": []})
        return {**env, "CNI_PATH": f"{self.first}:{self.second}"}, conf

    def recorder(self, folder, name):
        """Debian's host-local under this name, behind a recorder of its runs."""
        path = f"{folder}/{name}"
        with open(path, "w") as file:
            file.write(RECORDER.format(home=self.home, binary=HOST_LOCAL))
        os.chmod(path, 0o755)

    def runs(self):
        """The commands of the recorder so far."""
        try:
            with open(f"{self.home}/calls") as file:
                return [line.split(" ", 1)[0] for line in file]
        except FileNotFoundError:
            return []


def hard_link(us, path):
    os.link(us, path)


def relative_link(us, path):
    os.symlink(os.path.basename(us), path)


def chain_of_links(us, path):
    os.symlink(us, f"{path}.1")
    os.symlink(f"{path}.1", path)


def link_through_proc(us, path):
    os.symlink(f"/proc/self/root{us}", path)


def refused(make, command):
    node = SelfNode(delegate={"type": "other"})
    make(node.us, f"{node.first}/other")
    assert_refused(node, command, f"{node.first}/other")


def assert_refused(node, command, path=""):
    """Error 7, which names the file unless the name in the configuration told; nothing was run."""
    with nobody_left():
        done = node.call(command, "c1")
    assert done.exit == 1 and done.json["code"] == BAD_CONFIG, done
    assert "is delegated-ipam itself" in done.json["msg"] and path in done.json["msg"], done
    assert node.runs() == [] and node.attachments() == {}


def own_name(command):
    node = SelfNode(delegate={"type": "delegated-ipam"})
    assert_refused(node, command)


def called_by_link():
    """The caller has run us by a link as well: files count, not names."""
    node = SelfNode(delegate={"type": "ipam"})
    node.binary = f"{node.second}/ipam"
    os.symlink(node.us, node.binary)
    assert_refused(node, "ADD", node.binary)


def copied(command):
    """Another file: it is run, and finds out by itself. GC and STATUS say so too."""
    node = SelfNode(delegate={"type": "other"})
    shutil.copy2(BINARY, f"{node.first}/other")
    with nobody_left():
        done = node.call(command, "c1")
    assert done.exit == 1 and done.json["code"] == BAD_CONFIG, done
    assert "delegated-ipam" in done.json["msg"], done
    assert node.attachments() == {}


def copied_behind_script():
    """A copy behind somebody's script that goes on to call itself: still no circle."""
    node = SelfNode(delegate={"type": "other"})
    shutil.copy2(BINARY, f"{node.first}/copy")
    with open(f"{node.first}/other", "w") as file:
        file.write(f'#!/bin/sh\nexec "{node.first}/copy"\n')
    os.chmod(f"{node.first}/other", 0o755)
    with nobody_left():
        done = node.call("ADD", "c1")
    assert done.exit == 1 and done.json["code"] == BAD_CONFIG, done


def another_behind_us():
    """A file that is us does not hide the plugin of that name in a later folder."""
    node = SelfNode(delegate={"type": "other"})
    os.link(node.us, f"{node.first}/other")
    with open(f"{node.second}/other", "w") as file:
        file.write("#!/bin/sh\ncat >/dev/null\n"
                   "printf '%s' '{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.60.0.77/24\"}]}'\n")
    os.chmod(f"{node.second}/other", 0o755)
    assert node.add("c1") == ["10.60.0.77"]


def host_local_is_us(make, name):
    """No other file has one of the two names: nothing to run."""
    node = SelfNode(inProcess=False)
    make(node.us, f"{node.first}/{name}")
    assert_refused(node, "ADD", f"{node.first}/{name}")


def original_is_run(own_names, folder, name):
    """We bear the names own_names in the first folder; the real one is where an installer has put it."""
    node = SelfNode(inProcess=False)
    for own in own_names:
        os.link(node.us, f"{node.first}/{own}")
    node.recorder(getattr(node, folder), name)
    (address,) = node.add("c1")
    assert (node.runs(), node.addresses_of("c1")) == (["ADD"], [address]), (node.runs(), node.attachments())
    node.delete("c1")
    assert node.runs() == ["ADD", "DEL"] and node.attachments() == {}


def called_as_host_local():
    """We have taken host-local's place: a stock configuration is ours, and inProcess: false is passed on."""
    node = SelfNode(inProcess=False)
    node.binary = f"{node.first}/host-local"
    os.rename(node.us, node.binary)
    node.recorder(node.first, "host-local.orig")
    (address,) = node.add("c1")
    assert (node.runs(), node.addresses_of("c1")) == (["ADD"], [address]), (node.runs(), node.attachments())


def tests():
    kinds = (("a hard link", hard_link), ("a symbolic link", os.symlink), ("a relative link", relative_link),
             ("a chain of links", chain_of_links), ("a link through /proc", link_through_proc))
    for sentence, make in kinds:
        for command in VERBS:
            yield f"{command}: {sentence} to us under another name is error 7", refused, make, command
    for command in VERBS:
        yield f"{command}: our own name is error 7", own_name, command
        yield f"{command}: a copy of us is error 7", copied, command
    yield "ADD: called by a link, we know ourselves", called_by_link
    yield "ADD: a copy of us behind a script is error 7", copied_behind_script
    yield "ADD: a plugin of our name in a later folder is run", another_behind_us
    for name in ("host-local", "host-local.orig"):
        for sentence, make in kinds[:2]:
            yield f"inProcess false: {sentence} to us as the only {name} is error 7", host_local_is_us, make, name
    yield ("inProcess false: we are host-local, host-local.orig is run", original_is_run, ("host-local",), "first",
           "host-local.orig")
    yield ("inProcess false: we are host-local.orig, host-local is run", original_is_run, ("host-local.orig",),
           "first", "host-local")
    yield ("inProcess false: we are both, host-local of a later folder is run", original_is_run,
           ("host-local", "host-local.orig"), "second", "host-local")
    yield "inProcess false: called as host-local, host-local.orig is run", called_as_host_local


if __name__ == "__main__":
    tap.main("self", tests, lambda: require(BINARY, HOST_LOCAL), world.enter)
