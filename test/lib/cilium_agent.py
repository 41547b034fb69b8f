"""The real cilium-agent as a process, with etcd in the place of Kubernetes: it finds the node's identities there, and
knows nothing of pods but what cilium-cni tells it. Run as a script, this does no more than to fetch what it needs.

Its datapath is real: BPF programs, compiled by clang, on the links of the node's network namespace. Of the machine it
can change nothing. keep_off() takes the kernel's settings from it; in the place of the machine's control groups, from
which it would detach what others have attached, it finds an empty folder, and says so; what it pins lies on a file
system of its own.
"""
import contextlib
import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess

import etcd
import nsmount
import peers
import tap
import unpacked
import world
from fake_cilium import FOLDER

MODULE = "github.com/cilium/cilium"
PEER = "cilium-agent"
PLAIN = """#!/bin/sh
exec {program} "$@"
"""
# With a fresh /run it compiles its datapath again, seconds of a processor each time: of equal text, here, once a run.
COMPILER = """#!/bin/sh
case $1 in --version) exec {program} "$@" ;; esac
compiled=$(dirname "$0")/../compiled/$( (echo "$*"; {program} "$@" -E -P) | sha256sum | cut -c1-64)
[ -e "$compiled" ] || {{ {program} "$@" >"$compiled.$$" || exit; mv "$compiled.$$" "$compiled"; }}
exec cat "$compiled"
"""
# What it runs: how, and of which packages. What clang 14 to 16 make of its datapath, the kernel refuses.
TOOLS = {"clang": (COMPILER, "clang-19", ("clang-19", "libclang-cpp19", "libllvm19")),
         "ipset": (PLAIN, "ipset", ("ipset", "libipset13"))}
PINS = "/sys/fs/bpf"
GROUPS = f"{FOLDER}/cgroupv2"
# It takes no second file system on top of the machine's.
MOUNTS = (f"while umount {PINS} 2>/dev/null; do :; done; mount -t bpf bpf {PINS}; "
          f"mkdir -p {GROUPS}; mount -t tmpfs -o ro tmpfs {GROUPS}; ")
ALONE_MOUNTS = f'mount -t tmpfs -o mode=755 tmpfs /run; {MOUNTS} touch /run/alone; exec "$@"'
SETTINGS = ("/proc/sys/kernel", "/proc/sys/vm", "/proc/sys/fs", "/proc/sys/net/core")
MOVING = tuple(f"/proc/sys/{name}" for name in (
    "kernel/random/", "kernel/domainname", "kernel/ns_last_pid", "kernel/pty/nr", "fs/aio-nr", "fs/dentry-state",
    "fs/file-nr", "fs/inode-", "fs/quota/"))
PATIENCE = 120  # seconds until it answers, or has ended
SHOWN = 2500  # characters of its log

# What the chart's settings cannot know: there is no Kubernetes, and no certificate. Without the kind of policies that
# Kubernetes has nobody would be let through.
ALONE = {"enable-k8s": "false", "kvstore": "etcd", "identity-allocation-mode": "kvstore", "enable-policy": "never",
         "enable-hubble": "false", "procfs": "/proc"}
UNLIMITED = "endpoint-create=auto-adjust:false,rate-limit:100/s,rate-burst:100,parallel-requests:8"


def require():
    """End the suite as skipped, with the reason and the remedy, unless what the agent needs is there."""
    peers.require("cilium-agent", "cilium-cni", MODULE, peer=PEER)
    try:
        fetch()
    except tap.Skip as reason:
        tap.skip(reason)


def fetch():
    """Fetch the programs of Debian that it needs. Errors: tap.Skip when they are nowhere and cannot be fetched."""
    etcd.path()
    for _, program, packages in TOOLS.values():
        unpacked.command(program, *packages)


def keep_off():
    """Take the machine's kernel settings from all that runs in this mount namespace. It writes some that stay so until
    the machine is started again, and only warns where it cannot."""
    nsmount.run("mount", "--bind", "/proc/sys/kernel", "/proc/sys/kernel")
    nsmount.run("mount", "-o", "remount,bind,ro", "/proc/sys/kernel")


def machine_settings():
    """The kernel settings that are the whole machine's, but for those that the kernel itself changes: {path: text}."""
    found = {}
    for folder, _, names in (entry for top in SETTINGS for entry in os.walk(top)):
        for path in (f"{folder}/{name}" for name in names):
            with contextlib.suppress(OSError), open(path) as file:
                found[path] = file.read()
    return {path: text for path, text in found.items() if not path.startswith(MOVING)}


def boot():
    """What a node's system mounts for it. power_off() is its end."""
    nsmount.run("sh", "-ec", MOUNTS)


def power_off():
    for path in (GROUPS, PINS):
        nsmount.run("umount", path)


class Agent:
    """One agent; in a with block it is up. folder: for its files. netns: path of the node's network namespace.
    settings: as in the ConfigMap cilium-config. etcd: an etcd.Etcd, at the latest when it starts. alone: it has a /run
    and pins of its own, so that it is in nobody's way. It ends with the thread that started it.
    """

    def __init__(self, folder, netns, settings, etcd=None, alone=False):
        self.folder = folder
        self.netns = netns
        self.settings = settings
        self.log_path = f"{folder}/agent.log"
        self.etcd = etcd
        self._alone = alone
        self._process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def socket(self):
        """Where it listens; of one that has a /run of its own as seen from here."""
        own = f"/proc/{self._process.pid}/root" if self._alone else ""
        return f"{own}{FOLDER}/cilium.sock"

    def start(self):
        """Start it, and wait until it answers. Errors: RuntimeError with the end of its log when it ends instead."""
        self.begin()
        world.wait_until(self._answers, PATIENCE, lambda: f"the agent does not answer: {self.trouble()}")

    def begin(self):
        """Start it, and do not wait."""
        self._write_settings()
        library = _library(os.path.dirname(self.folder))
        command = [peers.binary("cilium-agent", PEER), f"--config-dir={self.folder}/settings", f"--lib-dir={library}"]
        own = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", ALONE_MOUNTS, "-"] if self._alone else []
        environment = {**os.environ, "PATH": f"{library}/bin:{os.environ['PATH']}"}
        with open(self.log_path, "w") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *own, "nsenter", f"--net={self.netns}", *command],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        """It ends in order, and takes its socket along."""
        self._end(signal.SIGTERM)

    def kill(self):
        """It dies: its socket stays behind, and nobody answers there."""
        self._end(signal.SIGKILL)

    def ends(self):
        """What it says until it ends by itself. Errors: RuntimeError when it comes up instead."""
        def is_over():
            if self._process.poll() is not None:
                return True
            if self._is_up():
                raise RuntimeError("the agent is up")
            return False

        world.wait_until(is_over, PATIENCE, lambda: f"the agent does not end: {self.trouble()}")
        return self.log()

    def log(self):
        """All that it has said since its last start."""
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def trouble(self):
        """The end of it without what only informs."""
        return "\n".join(line for line in self.log().splitlines() if " level=info " not in line)[-SHOWN:]

    def endpoints(self):
        """The pods that it knows: {container ID: (state, addresses)}."""
        status, listed = self.ask("/endpoint")
        assert status == 200, f"{status}: {listed}"
        found = {}
        for one in listed:
            container_id = one["status"]["external-identifiers"].get("cni-attachment-id", "").partition(":")[0]
            if container_id:
                addresses = one["status"]["networking"]["addressing"][0]
                own = [addresses[family] for family in ("ipv4", "ipv6") if addresses.get(family)]
                found[container_id] = (one["status"]["state"], own)
        return found

    def ask(self, path):
        """GET one of the API's paths, without /v1; returns status and answer. Errors: OSError when nobody answers."""
        connection = _Connection(self.socket)
        with contextlib.closing(connection):
            connection.request("GET", f"/v1{path}")
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

    def _answers(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"the agent ended with {self._process.returncode}: {self.trouble()}")
        return self._is_up()

    def _is_up(self):
        if self._alone and not os.path.exists(f"/proc/{self._process.pid}/root/run/alone"):
            return False  # another agent may answer at the same path
        try:
            return self.ask("/config")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _end(self, number):
        if self._process:
            self._process.send_signal(number)
            self._process.wait(timeout=PATIENCE)

    def _write_settings(self):
        folder = f"{self.folder}/settings"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        masquerading = f"{self.folder}/ip-masq-agent"
        os.makedirs(masquerading, exist_ok=True)
        own = {**ALONE, "kvstore-opt": f"etcd.address={self.etcd.endpoint}",
               "ip-masq-agent-config-path": f"{masquerading}/config"}
        for name, text in {"api-rate-limit": UNLIMITED, **self.settings, **own}.items():
            with open(f"{folder}/{name}", "w") as file:
                file.write(text)


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _library(folder):
    """The library of all agents in a folder: the sources of the datapath, which they write headers into, and the
    programs that they run."""
    library = f"{folder}/library"
    if not os.path.exists(library):
        os.makedirs(f"{library}/bin")
        nsmount.run("cp", "-r", "--no-preserve=mode", os.path.join(peers.binary(MODULE, PEER), "bpf"), library)
        os.mkdir(f"{library}/compiled")
        for name, (script, program, packages) in TOOLS.items():
            with open(f"{library}/bin/{name}", "w") as file:
                file.write(script.format(program=shlex.join(unpacked.command(program, *packages))))
            os.chmod(file.name, 0o755)
    return library


if __name__ == "__main__":
    unpacked.main(fetch)
