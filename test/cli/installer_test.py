#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The installer's DaemonSet: what its containers may, that no stranger's image can come by its name, and that
installing works with as little as that: no capability, nothing else to write to, no system call out of the ordinary.

usage: installer_test.py [WORD ...]
"""
import copy
import glob
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile

import yaml

import manifest_rules
import plugin
import tap
import tool
import trace
import world
from installer import DIGEST, MISTAKES, NEEDED, NODES, VARIANTS, generated
from plugin import BINARY, HOST_LOCAL, ROOT, require

NOBODY = str(manifest_rules.NOBODY)
CHECKSUM = hashlib.sha256(b'{"edge-1":["10.1.0.0/24"]}').hexdigest()  # of what a Host has mounted
# what is given as --image, the policy, whether a digest is asked for
IMAGES = [
    (None, "Never", False),
    ("delegated-ipam:0.1.0", "Never", False),
    ("delegated-ipam", "Never", False),
    ("delegated-ipam:9", "Never", False),
    ("other:1", "Never", False),
    ("localhost/delegated-ipam:0.1.0", "Never", False),
    ("library/delegated-ipam:0.1.0", "IfNotPresent", True),
    ("reg.test/ipam:1", "IfNotPresent", True),
    ("reg.test:5000/ipam", "IfNotPresent", True),
    ("localhost:5000/ipam:1", "IfNotPresent", True),
    (DIGEST, "IfNotPresent", False),
    (f"delegated-ipam@sha256:{'0' * 64}", "IfNotPresent", False),
]


def breaks_no_rule(*arguments):
    found = manifest_rules.broken(generated(*arguments))
    assert found == NEEDED, (found - NEEDED, NEEDED - found)


def examples_break_no_rule():
    """Patches of the installer say nothing about what a container may."""
    paths = glob.glob(os.path.join(ROOT, "examples/*/installer.yaml"))
    assert len(paths) >= 5, paths
    for path in paths:
        with open(path) as file:
            found = manifest_rules.broken(yaml.safe_load(file))
        assert found == NEEDED, (path, found ^ NEEDED)


def rules_find_mistakes():
    """Each rule is broken once on purpose, so that it is known to look."""
    good = generated()
    for rule, mistake in MISTAKES:
        bad = copy.deepcopy(good)
        mistake(bad)
        found = {name for name, _ in manifest_rules.broken(bad) - NEEDED}
        assert rule in found, f"{rule}: found {found}"
    every = {*manifest_rules.CONTAINER_RULES, *manifest_rules.POD_RULES}
    assert every == {rule for rule, _ in MISTAKES} | {rule for rule, _ in NEEDED}


def images(image, policy, asks):
    done = tool.call("generate", "installer", *(("--image", image) if image else ()))
    assert done.exit == tool.FINE, done
    policies = {one["imagePullPolicy"] for one in manifest_rules.containers_of(yaml.safe_load(done.stdout))}
    assert policies == {policy}, policies
    if not asks:
        assert not done.stderr, done.stderr
        return
    line, = done.stderr.splitlines()
    assert image in line and "has no digest" in line and "@sha256:" in line, line


class Host:
    """The folders of the host that the installer's containers see, for a with block."""

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="installer.", dir="/var/tmp")
        os.chmod(self.home, 0o755)
        self.bin, self.nodes, self.map = (os.path.join(self.home, name) for name in ("bin", "nodes", "map"))
        for path in (self.bin, self.nodes, self.map):
            os.mkdir(path)
        self.binary = shutil.copy(BINARY, os.path.join(self.home, "delegated-ipam"))
        os.chmod(self.binary, 0o755)
        shutil.copy(HOST_LOCAL, os.path.join(self.bin, "host-local"))
        with open(os.path.join(self.map, "edge-1"), "w") as file:
            file.write("10.1.0.0/24\n")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home)


def without_capabilities(user="0"):
    """A command for plugin.run() under which a program has what the manifest leaves it."""
    return ["setpriv", "--no-new-privs", "--bounding-set", "-all", "--inh-caps", "-all", "--ambient-caps", "-all",
            "--reuid", user, "--regid", user, "--clear-groups"]


def read_only_but(*writable):
    """A command under which nothing can be written to but these folders."""
    keep = "".join(f'mount --bind "{path}" "{path}" && ' for path in writable)
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            f'{keep}mount -o remount,ro,bind / && exec "$@"', "sh"]


def installs(*more, name="delegated-ipam"):
    """The init container's own command, on the host's folders in the place of its mounts."""
    with Host() as host:
        wrapper = [*read_only_but(host.bin, host.nodes), *without_capabilities()]
        caps = subprocess.run([*wrapper, "grep", "Cap[EPB]", "/proc/self/status"], capture_output=True,
                              text=True).stdout
        assert caps and not set("".join(caps.split()[1::2])) - {"0"}, caps
        arguments = ["install", host.bin, *more, "--nodes-from", host.map, "--nodes-dir", host.nodes]
        for _ in range(2):  # an update goes over what is there
            done = plugin.run(host.binary, {"NODE_NAME": "edge-1"}, "", wrapper=wrapper, arguments=arguments)
            assert done.exit == tool.FINE and not done.stderr, done
        with open(os.path.join(host.bin, name), "rb") as made, open(BINARY, "rb") as wanted:
            assert made.read() == wanted.read()
        assert os.stat(os.path.join(host.bin, name)).st_mode & 0o777 == 0o755
        assert "edge-1" in os.listdir(host.nodes)
        done = plugin.run(host.binary, {}, "", wrapper=wrapper, arguments=["uninstall", host.bin, "--as", name])
        assert done.exit == tool.FINE, done
        assert sorted(os.listdir(host.bin)) == ["host-local"]


def host_local_installs():
    installs("--as", "host-local", name="host-local")


def folder_of_another():
    """Release archives of the CNI plugins have been seen to give the folder to their builder: root without its
    capabilities cannot write there, and says what to do."""
    with Host() as host:
        os.chown(host.bin, 1001, 127)
        done = plugin.run(host.binary, {}, "", wrapper=without_capabilities(), arguments=["install", host.bin])
        assert done.exit == tool.USAGE and host.bin in done.stderr, done
        assert "chown root" in done.stderr, done.stderr


def unreadable_ranges():
    """A file of the mount that is another user's alone is told with the remedy."""
    with Host() as host:
        path = os.path.join(host.map, "edge-1")
        os.chown(path, 1001, 127)
        os.chmod(path, 0o600)
        arguments = ["install", host.bin, "--nodes-from", host.map, "--nodes-dir", host.nodes, "--nodes-checksum",
                     CHECKSUM]
        done = plugin.run(host.binary, {"NODE_NAME": "edge-1"}, "", wrapper=without_capabilities(), arguments=arguments)
        assert done.exit == tool.USAGE and f"--nodes-from: open {path}: Permission denied" in done.stderr, done
        assert "root must be able to read it" in done.stderr and not os.listdir(host.nodes), done


def nobody_cannot():
    """Why the manifest asks for root: the folder is root's, and 0755, wherever the plugins' packages made it."""
    with Host() as host:
        assert os.stat(host.bin).st_mode & 0o777 == 0o755 and os.stat(host.bin).st_uid == 0
        done = plugin.run(host.binary, {}, "", wrapper=without_capabilities(NOBODY), arguments=["install", host.bin])
        assert done.exit == tool.USAGE and "Permission denied" in done.stderr, done
        assert os.listdir(host.bin) == ["host-local"]


# What the runtimes' default profiles refuse, or allow with a capability only; of those that a program like this could
# come to use.
UNUSUAL = {"bpf", "clone3", "fanotify_init", "init_module", "kexec_load", "keyctl", "mount", "move_mount",
           "name_to_handle_at", "open_by_handle_at", "open_tree", "perf_event_open", "personality", "pivot_root",
           "process_vm_readv", "ptrace", "quotactl", "reboot", "setns", "sethostname", "swapon", "umount2", "unshare",
           "userfaultfd", "chown", "fchown", "fchownat", "lchown", "mknod", "mknodat"}


def ordinary_calls():
    with Host() as host:
        done, calls, _ = trace.run(BINARY, {"PATH": ""}, "", arguments=["install", host.bin, "--as", "host-local"])
        assert done.exit == tool.FINE and not {call.name for call in calls} & UNUSUAL, done


def waits():
    """What the second container runs, as nobody."""
    with Host() as host:
        wrapper = [*read_only_but(), *without_capabilities(NOBODY)]
        child = subprocess.Popen([*wrapper, host.binary, "pause"], env={"PATH": os.environ["PATH"]})
        try:
            world.wait_until(lambda: is_waiting(child.pid), 30, "pause does not wait")
            assert os.stat(f"/proc/{child.pid}").st_uid == manifest_rules.NOBODY
            child.send_signal(signal.SIGTERM)
            assert child.wait(timeout=30) == 0
        finally:
            child.kill()
            child.wait()


def is_waiting(pid):
    """True once it is in rt_sigtimedwait(2), by its number on x86-64 and arm64."""
    with open(f"/proc/{pid}/syscall", "rb") as file:
        return file.read().split()[0] in (b"128", b"137")


TESTS = [
    *((f"{what}, it breaks no rule but those that installing needs", breaks_no_rule, *arguments)
      for what, arguments in VARIANTS.items()),
    ("made for a list of nodes, it breaks no rule but those", breaks_no_rule, "--nodes",
     os.path.join(ROOT, "examples/nodes.json"), *NODES[2:]),
    ("neither do the manifests in examples/", examples_break_no_rule),
    ("every rule finds its mistake", rules_find_mistakes),
    *((f"image {image}: {policy}{', a digest is asked for' if asks else ''}", images, image, policy, asks)
      for image, policy, asks in IMAGES),
    ("root without capabilities installs, writing nowhere else", installs),
    ("the same in host-local's place", host_local_installs),
    ("the same, made for what is mounted", installs, "--nodes-checksum", CHECKSUM),
    ("a folder that is another user's is told with the remedy", folder_of_another),
    ("ranges that root cannot read without capabilities are told with the remedy", unreadable_ranges),
    ("nobody cannot install into a folder of root's", nobody_cannot),
    ("no system call that a default seccomp profile refuses", ordinary_calls),
    ("nobody waits without capabilities, and ends at SIGTERM", waits),
]


def root():
    if os.geteuid() != 0:
        tap.skip("needs root: it takes root's capabilities away; run it with sudo")


if __name__ == "__main__":
    tap.main("installer", TESTS, lambda: require(BINARY, HOST_LOCAL), root)
