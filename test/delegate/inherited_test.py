#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What a plugin inherits through us, as it sees it: variables, descriptors, signals, process group, umask, folder.

The plugin notes them at its ADD; what must not reach it is given to us on purpose.
"""
import ctypes
import json
import os
import resource
import signal
import subprocess

import sandbox
import tap
from one_add import new_node
from plugin import BINARY, require
from race import PATIENCE

NOTES = """cat /proc/$$/environ >"$home/environ"
while read -r line; do echo "$line"; done </proc/$$/status >"$home/status"  # a child would be seen in its start
cat /proc/$$/stat >"$home/stat"
readlink /proc/$$/cwd >"$home/cwd"
umask >"$home/umask"
ls /proc/self/fd >"$home/descriptors"
readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 | cat >"$home/standard"
"""
PASSED_ON = {
    "TRACEPARENT": "00-1", "TRACESTATE": "a=b", "BAGGAGE": "c=d", "NODE_NAME": "edge-1", "KUBECONFIG": "/k",
    "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443", "HTTP_PROXY": "h", "HTTPS_PROXY": "s",
    "NO_PROXY": "n", "ALL_PROXY": "a", "http_proxy": "h2", "https_proxy": "s2", "no_proxy": "n2", "all_proxy": "a2",
    "SSL_CERT_FILE": "/f", "SSL_CERT_DIR": "/d", "HOME": "/root", "TZ": "Europe/Vilnius",
    "PATH": "/usr/local/bin:/usr/bin:/bin", "CNI_NEW": "of a version to come",
}
HELD_BACK = {
    "LD_PRELOAD": "/none/evil.so", "LD_LIBRARY_PATH": "/none", "LD_AUDIT": "/none/audit.so", "BASH_ENV": "/none",
    "LD_DEBUG": "all", "GCONV_PATH": "/none", "MALLOC_CHECK_": "3", "MALLOC_ARENA_MAX": "1", "GLIBC_TUNABLES": "x=y",
    "LOCPATH": "/none", "NLSPATH": "/none", "TMPDIR": "/none", "RESOLV_HOST_CONF": "/none", "HOSTALIASES": "/none",
    "ENV": "/none/env", "IFS": ".", "GODEBUG": "x", "GOTRACEBACK": "crash", "PYTHONPATH": "/none", "FOO": "bar",
    "NOTIFY_SOCKET": "/run/none", "LISTEN_FDS": "3", "SSL_CERT": "x", "CN": "x", "KUBERNETES": "x", "HOMES": "x",
    "DELEGATED_IPAM_SANDBOX": "1",
}


class Seen:
    """What the plugin noted at an ADD that went well. more: further variables of ours; popen: Popen's arguments."""

    def __init__(self, more=None, **popen):
        node = new_node()
        node.ledger.hook("ADD", NOTES)
        env, conf = node.request("ADD", "c1", version="1.1.0", args="IgnoreUnknown=1;A=b")
        self.given = {**env, **(more or {})}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen([BINARY], env=self.given, **pipes, **popen) as process:
            out, err = process.communicate(json.dumps(conf).encode(), timeout=PATIENCE)
            assert process.returncode == 0, (out, err)
            self.caller_pid = process.pid
        self.home = node.ledger.home

    def text(self, name):
        with open(f"{self.home}/{name}") as file:
            return file.read()

    @property
    def environment(self):
        pairs = [pair.partition("=") for pair in self.text("environ").split("\0") if pair]
        assert len({name for name, *_ in pairs}) == len(pairs), f"a variable twice: {pairs}"
        return {name: value for name, _, value in pairs}

    @property
    def descriptors(self):
        """The numbers of those that are open; the last is the one with which ls(1) reads the folder."""
        return sorted(int(name) for name in self.text("descriptors").split())[:-1]

    def status(self, key):
        (line,) = [line for line in self.text("status").splitlines() if line.startswith(f"{key}:")]
        return line.split(":", 1)[1].strip()

    @property
    def ids(self):
        """(process, process group, session)."""
        state_and_more = self.text("stat").rpartition(")")[2].split()
        return int(self.text("stat").split()[0]), int(state_and_more[2]), int(state_and_more[3])


def variables():
    seen = Seen({**PASSED_ON, **HELD_BACK})
    cni = {name: value for name, value in seen.given.items() if name.startswith("CNI_")}
    assert len(cni) == 7, cni
    assert seen.environment == {**PASSED_ON, **cni, "DELEGATED_IPAM_DELEGATE": "1"}


def few_variables():
    seen = Seen()
    assert seen.environment == {**seen.given, "DELEGATED_IPAM_DELEGATE": "1"}


def variables_twice():
    """The plugin is told of the container that we are asked for: the first one, as getenv(3) has it."""
    node = new_node()
    node.ledger.hook("ADD", NOTES)
    env, conf = node.request("ADD", "c1", version="1.1.0")
    strings = [f"{name}={value}" for name, value in {**env, "CNI_ARGS": "A=b", "PATH": os.environ["PATH"]}.items()]
    strings += ["CNI_CONTAINERID=c2", "CNI_IFNAME=eth7", "CNI_ARGS=X=y", "PATH=/none", "CNI_COMMAND=DEL", "CNI_NAMELESS"]
    strings += ["LD_PRELOAD=/none/evil.so", "LD_PRELOAD=/none/worse.so"]
    words = [(ctypes.c_char_p * (len(list_) + 1))(*map(str.encode, list_), None) for list_ in ([BINARY], strings)]

    def become():
        ctypes.CDLL(None).execve(BINARY.encode(), *words)
        os._exit(126)

    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([BINARY], preexec_fn=become, **pipes) as process:
        out, err = process.communicate(json.dumps(conf).encode(), timeout=PATIENCE)
    assert process.returncode == 0, (out, err)
    with open(f"{node.ledger.home}/environ") as file:
        names = [text.partition("=")[0] for text in file.read().split("\0") if text]
    assert len(set(names)) == len(names) and "LD_PRELOAD" not in names, sorted(names)
    assert set(node.ledger.leases().values()) == {"c1"}, node.ledger.leases()


def no_descriptors(leaked):
    """leaked: numbers at which the caller has left a descriptor open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    reader, writer = os.pipe()
    try:
        for number in leaked:
            os.dup2(writer, number)
        seen = Seen(pass_fds=leaked)
    finally:
        for number in {reader, writer, *leaked}:
            os.close(number)
    assert hard >= soft > max(leaked, default=0)
    assert seen.descriptors == [0, 1, 2], seen.descriptors
    standard = seen.text("standard").split()
    assert len(set(standard)) == 3 and all(target.startswith("pipe:") for target in standard), standard


def no_signals():
    """The caller ignores and blocks all that it can."""
    def deaf():
        for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
            try:
                signal.signal(number, signal.SIG_IGN)
            except OSError:
                continue
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.valid_signals()))

    seen = Seen(preexec_fn=deaf, restore_signals=False)
    standard = (1 << 31) - 1  # signal(7); the others mean nothing to anybody
    dispositions = {key: int(seen.status(key), 16) & standard for key in ("SigIgn", "SigBlk")}
    assert dispositions == {"SigIgn": 0, "SigBlk": 0}, {key: hex(value) for key, value in dispositions.items()}


def own_group():
    pid, group, session = Seen().ids
    assert pid == group != os.getpgid(0) and session == os.getsid(0), (pid, group, session)


def file_mode_mask(mask):
    assert int(Seen(umask=mask).text("umask"), 8) == mask


def working_folder():
    assert Seen(cwd="/var/lib/cni").text("cwd") == "/var/lib/cni\n"


def tests():
    yield "the variables that a plugin needs are passed on, and no others", variables
    yield "variables that the caller has not set are not made up", few_variables
    yield "a variable that is there twice reaches it once, as we read it", variables_twice
    yield "a plugin sees the descriptors 0, 1 and 2 only", no_descriptors, ()
    yield ("descriptors that the caller leaked to us do not reach the plugin", no_descriptors,
           (3, 4, 9, 63, 64, 500))
    yield "whatever the caller ignores or blocks, a plugin has all standard signals at their defaults", no_signals
    yield "a plugin is in a process group of its own and in the caller's session", own_group
    for mask in (0o022, 0o077, 0o002):
        yield f"the caller's umask {mask:03o} is the plugin's", file_mode_mask, mask
    yield "the caller's working folder is the plugin's", working_folder


if __name__ == "__main__":
    tap.main("inherited", tests, lambda: require(BINARY), sandbox.enter)
