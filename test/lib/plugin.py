"""Runs a CNI plugin binary the way a runtime does: environment and stdin in, exit code and JSON out."""
import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("DELEGATED_IPAM", os.path.join(ROOT, "build/release/delegated-ipam"))
PIPE_SIZE = 65536  # pipe(7)
HOST_LOCAL = os.environ.get("HOST_LOCAL", "/usr/lib/cni/host-local")


def require(*binaries):
    """End the suite with the remedy when one of these plugins is not there."""
    if BINARY in binaries and not os.path.exists(BINARY):
        sys.exit(f"{BINARY}: no such plugin; build it, or name another in DELEGATED_IPAM")
    if HOST_LOCAL in binaries and not os.path.exists(HOST_LOCAL):
        print(f"1..0 # SKIP needs {HOST_LOCAL}: apt-get install containernetworking-plugins")
        sys.exit(0)


@dataclass
class Outcome:
    """What a plugin answered: exit code (negative: signal), stdout and stderr as text."""

    exit: int
    stdout: str
    stderr: str

    @property
    def json(self):
        """stdout as JSON; None when nothing was printed."""
        return json.loads(self.stdout) if self.stdout.strip() else None

    @property
    def code(self):
        """0 for a success, else the code of the one JSON error on stdout."""
        if self.exit == 0:
            return 0
        assert self.exit == 1, f"exit {self.exit}: {self.stdout} {self.stderr}"
        return json.loads(self.stdout)["code"]

    @property
    def addresses(self):
        """The addresses of a result without their prefix lengths, in order."""
        result = self.json or {}
        if "ips" in result:
            return [ip["address"].split("/")[0] for ip in result["ips"]]
        return [result[key]["ip"].split("/")[0] for key in ("ip4", "ip6") if key in result]


def environment(command, container_id=None, ifname="eth0", netns="/var/run/netns/none", args=None, path="/usr/lib/cni"):
    """The CNI variables of one call; a value of None leaves the variable out."""
    values = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": container_id,
        "CNI_IFNAME": ifname,
        "CNI_NETNS": netns,
        "CNI_ARGS": args,
        "CNI_PATH": path,
    }
    return {key: value for key, value in values.items() if value is not None}


def pod_args(namespace, pod, uid="", container_id=""):
    """CNI_ARGS as containerd sends them for a Kubernetes pod."""
    return (
        f"IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={pod};"
        f"K8S_POD_INFRA_CONTAINER_ID={container_id};K8S_POD_UID={uid}"
    )


def run(binary, env, stdin, cwd=None, timeout=60, wrapper=(), arguments=()):
    """Run a plugin once with exactly this environment and stdin (text, or an object to encode); with arguments and
    without CNI_COMMAND it is the operator's tool."""
    text = stdin if isinstance(stdin, (str, bytes)) else json.dumps(stdin)
    data = text.encode() if isinstance(text, str) else text
    command = [*wrapper, binary, *arguments]
    with _filled_pipe(data) as stdin:
        done = subprocess.run(command, env=env, **stdin, capture_output=True, cwd=cwd, timeout=timeout)
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


@contextlib.contextmanager
def _filled_pipe(data):
    """What subprocess is told of this stdin: a pipe that has it all, so that the plugin reads it in the same calls each
    time. More than a pipe takes is written as it is read."""
    if len(data) > PIPE_SIZE:
        yield {"input": data}
        return
    reading, writing = os.pipe()
    try:
        with open(writing, "wb") as file:
            file.write(data)
        yield {"stdin": reading}
    finally:
        os.close(reading)
