"""Nodes for the commands that only look: the same each time, so that what is printed can be compared.

Use it inside sandbox.enter() and after fake_boots().
"""
import contextlib
import json
import os
import re
import shutil
import tempfile

import result_cache
import trace
from kubelet import Pod
from node import Node, new_boot
from plugin import BINARY

BOOTS = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(0xB0070001, 0xB0070010)]
DUAL = [[{"subnet": "10.9.0.0/28"}], [{"subnet": "fd00:9::/120"}]]
# What must not be called by who only looks.
CHANGES = ("mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "link", "linkat",
           "symlink", "symlinkat", "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "truncate",
           "ftruncate", "fallocate", "setxattr", "fsetxattr", "utimensat", "fsync", "fdatasync", "pwrite64", "mount")


class Looked(Node):
    """A node whose network has a conflist; `home` is made, and is gone at the end of a with block."""

    def __init__(self, home, ranges=None, **more):
        super().__init__(home, ranges or DUAL, **more)
        self.conf_dir = f"{home}/net.d"

    def __enter__(self):
        os.makedirs(self.conf_dir)
        self.configure(self.conf())
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home)

    def configure(self, conf, file="10-pods.conflist"):
        """Write the conflist of what the plugin is given on stdin."""
        plugin = {key: value for key, value in conf.items() if key not in ("name", "cniVersion")}
        self.write(f"net.d/{file}", {"cniVersion": conf["cniVersion"], "name": conf["name"], "plugins": [plugin]})

    def write(self, path, content):
        """A file below the home: a text, or an object as JSON."""
        whole = os.path.join(self.home, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return whole

    @property
    def record_dir(self):
        name, = os.listdir(self.state_dir)
        return os.path.join(self.state_dir, name)

    def look(self):
        """The options that lead to this node."""
        return "--conf", self.conf_dir, "--data-dir", self.data_dir, "--state-dir", self.state_dir

    def calls(self, golden, command):
        """A function of a title and more arguments: the command on this node, compared with what it printed before."""
        options = " ".join(self.look())
        return lambda title, *arguments, **more: golden.call(
            f"{command}: {title}", command, *self.look(), *arguments,
            alike=lambda text: text.replace(f" {options}", ""), **more)

    def cache(self, container_id, pod, addresses, netns="/var/run/netns/none", mac=None):
        """libcni's entry of an attachment, with the MAC address of its interface where one is given."""
        namespace, name = pod.split("/")
        ips = [{"address": f"{address}/24"} for address in addresses]
        entry = result_cache.entry(self.conf(), container_id, Pod(name, namespace, f"uid-of-{name}"), netns,
                                   {"cniVersion": "1.0.0", "ips": ips})
        if mac:
            entry["result"]["interfaces"][1]["mac"] = mac
        os.makedirs(result_cache.FOLDER, exist_ok=True)
        with open(result_cache.path(self.name, container_id), "w") as file:
            json.dump(entry, file)

    def tell_two_boots(self):
        """Four pods; the node reboots, two of them come back, one is deleted before, one never; and a plain caller."""
        new_boot(BOOTS[0])
        for number in range(4):
            self.add(f"c{number}", f"shop/web-{number}", uid=f"uid-{number}")
        self.delete("c3", "shop/web-3")
        new_boot(BOOTS[1])
        for number in range(2):
            self.delete(f"c{number}", f"shop/web-{number}")
            self.add(f"d{number}", f"shop/web-{number}", uid=f"uid-{number}")
        self.add("e9", None)

    def damage(self):
        """One of each kind of entry that nobody understands, one of them a pod's, and records of the same kinds."""
        for name, text in (("10.9.0.5", ""), ("10.9.0.10", ""), ("10.9.0.11", "reserved by hand"), ("10.9.0.14_shop_web-9", "")):
            self.write(f"networks/{self.name}/{name}", text)
        os.mkdir(f"{self.network_dir}/10.9.0.8")
        os.symlink("2~of a later version", f"{self.record_dir}/ip.10.9.0.14")
        os.symlink("1~torn", f"{self.record_dir}/ip.10.9.0.7")


@contextlib.contextmanager
def on_disk(name, ranges=None, **more):
    """A node whose state lies on a disk (in the sandbox, /var/lib is in memory), with a plugin folder: the tool itself,
    and a bridge that nobody runs."""
    with tempfile.TemporaryDirectory(prefix=f"{name}.", dir="/var/tmp") as folder:
        with Looked(f"{folder}/node", ranges, name="pods", **more) as node:
            node.bin_dir = f"{node.home}/bin"
            os.makedirs(node.bin_dir)
            shutil.copy(BINARY, f"{node.bin_dir}/delegated-ipam")
            os.chmod(node.write("bin/bridge", "#!/bin/sh\n"), 0o755)
            yield node


def alike(node):
    """A function that takes out of a text what differs each time: the folder, and how long the machine has been up."""
    up = re.compile(r'(?<= )\d+(m|h\d+m|d\d+h)\n|(?<="uptime": )"[^"]*"|(?<="uptimeSeconds": )\d+|(?<=uptime: ).*|'
                    r'(?<=uptimeSeconds: ).*')
    options = " ".join(node.look())

    def change(text):
        text = text.replace(f" {options}", "").replace(escaped(node.home), "node").replace(node.home, "/node")
        return up.sub(lambda found: "UP\n" if found[0].endswith("\n") else "UP", text)
    return change


def escaped(path):
    """A path in the name of a folder of records."""
    return "_".join(re.sub(r"[^A-Za-z0-9.-]", lambda found: f"%{ord(found[0]):02X}", part)
                    for part in path.strip("/").split("/"))


def forwarding(number):
    """A command that runs another one in a network namespace of its own, which forwards IPv4 (1) or does not (0)."""
    script = f'echo {number} > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; exec "$@"'
    return "unshare", "--net", "sh", "-c", script, "sh"


def snapshot(*folders):
    """Everything below the folders with all that a change would show in."""
    found = {}
    for top in folders:
        for folder, names, files in os.walk(top):
            for path in [folder, *(os.path.join(folder, name) for name in names + files)]:
                status = os.lstat(path)
                target = os.readlink(path) if os.path.islink(path) else ""
                found[path] = (status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns,
                               target)
    return found


def changes_in(calls):
    """The calls of a trace that change, or open for a change, a file."""
    flags = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_TMPFILE")
    return [call for call in calls if call.name in CHANGES or
            (call.name.startswith("open") and any(flag in call.args for flag in flags))]


def traced(binary, *arguments, **env):
    """The tool under strace; outcome and calls."""
    outcome, calls, _ = trace.run(binary, {"PATH": os.environ["PATH"], **env}, "", arguments=arguments)
    return outcome, calls
