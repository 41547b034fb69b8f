"""A cluster's control plane as processes: etcd, kube-apiserver, the controllers and the scheduler, in a network
namespace of their own; and kubectl, which asks it. Nobody proves who he is but by one token.
"""
import contextlib
import json
import os
import subprocess

import etcd
import nsmount
import world

PORT = 6443
TOKEN = "of-the-test"
PATIENCE = 120  # seconds until something answers
CONTROLLERS = ("statefulset-controller", "deployment-controller", "replicaset-controller", "node-lifecycle-controller",
               "taint-eviction-controller", "pod-garbage-collector-controller", "garbage-collector-controller",
               "namespace-controller")


class ControlPlane:
    """folder: a new one, for all that it writes. netns: the path of its network namespace. address: where it listens,
    of which it gets one there.

    programs: {name: path} of etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl.
    """

    def __init__(self, folder, netns, address, programs):
        self.folder = folder
        self.kubeconfig = f"{folder}/kubeconfig"
        self._netns = netns
        self._address = address
        self._programs = programs
        self._etcd = etcd.Etcd(folder, netns, program=programs["etcd"])
        self._processes = {}

    @property
    def pids(self):
        """The ids of its processes, which no node is the parent of."""
        return {self._etcd.pid, *(one.pid for one in self._processes.values())}

    def start(self):
        """Start it in a new folder and wait until it answers. Errors: RuntimeError with what its programs said."""
        os.makedirs(self.folder)
        self._write_files()
        nsmount.inside(self._netns, "ip", "link", "set", "lo", "up")
        nsmount.inside(self._netns, "ip", "address", "add", f"{self._address}/32", "dev", "lo")
        self._etcd.__enter__()
        key = f"{self.folder}/key.pem"
        nsmount.run("openssl", "genrsa", "-out", key, "2048")
        self._start("kube-apiserver", "--etcd-servers", self._etcd.endpoint, "--bind-address", self._address,
                    "--advertise-address", self._address, "--secure-port", str(PORT),
                    "--cert-dir", f"{self.folder}/apiserver", "--service-cluster-ip-range", "10.96.0.0/16",
                    "--authorization-mode", "AlwaysAllow", "--token-auth-file", f"{self.folder}/tokens",
                    "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key,
                    "--service-account-signing-key-file", key, "--disable-admission-plugins", "ServiceAccount")
        self._wait(lambda: self.kubectl("get", "--raw", "/readyz", may_fail=True) == "ok", "the API does not answer")
        shared = ("--kubeconfig", self.kubeconfig, "--leader-elect=false", "--secure-port", "0")
        self._start("kube-controller-manager", *shared, "--controllers", ",".join(CONTROLLERS))
        self._start("kube-scheduler", *shared)

    def stop(self):
        """End it."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._processes.clear()
        self._etcd.__exit__()

    def kubectl(self, *words, text=None, may_fail=False):
        """What kubectl prints; text: its standard input. None when it fails and may; errors: RuntimeError otherwise."""
        done = subprocess.run(
            ["nsenter", f"--net={self._netns}", self._programs["kubectl"], "--kubeconfig", self.kubeconfig, *words],
            input=text or "", capture_output=True, text=True, env={**os.environ, "HOME": self.folder})
        if done.returncode != 0 and not may_fail:
            raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr.strip()}\n{self.said()}")
        return done.stdout if done.returncode == 0 else None

    def apply(self, *objects):
        """Make these, or change them."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply", "-f", "-", text=text)

    def items(self, kind):
        """All objects of a kind, of the namespace default."""
        return json.loads(self.kubectl("get", kind, "--output", "json"))["items"]

    def said(self, lines=8):
        """What its programs said last."""
        told = []
        for name in ("etcd", *self._processes):
            with contextlib.suppress(OSError), open(f"{self.folder}/{name}.log") as file:
                told += [f"{name}: {line.rstrip()}" for line in file.readlines()[-lines:]]
        return "\n".join(told)

    def _start(self, name, *arguments):
        with open(f"{self.folder}/{name}.log", "w") as log:
            self._processes[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={self._netns}", self._programs[name], *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _wait(self, condition, failure):
        world.wait_until(lambda: self._all_run() and condition(), PATIENCE, lambda: f"{failure}:\n{self.said()}")

    def _all_run(self):
        ended = [name for name, process in self._processes.items() if process.poll() is not None]
        if ended:
            raise RuntimeError(f"ended: {', '.join(ended)}:\n{self.said()}")
        return True

    def _write_files(self):
        with open(f"{self.folder}/tokens", "w") as file:
            file.write(f"{TOKEN},admin,admin,system:masters\n")
        with open(self.kubeconfig, "w") as file:
            json.dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "it",
                "clusters": [{"name": "it", "cluster": {"server": f"https://{self._address}:{PORT}",
                                                        "insecure-skip-tls-verify": True}}],
                "users": [{"name": "it", "user": {"token": TOKEN}}],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]}, file)
