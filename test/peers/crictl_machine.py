"""A machine.Machine whose pods are run, stopped, removed and listed by crictl, as an operator does by hand."""
import json
import os
import subprocess
from dataclasses import dataclass

import world
from kubelet import Sandbox
from machine import SOCKET, Machine

READY, NOT_READY = "SANDBOX_READY", "SANDBOX_NOTREADY"


@dataclass
class Listed:
    """One sandbox in the list that `crictl pods -o json` prints: its state is READY or NOT_READY."""

    id: str
    pod: str
    uid: str
    attempt: int
    state: str


class CrictlMachine(Machine):
    """crictl: its path. More as for Machine; boots and reboots are Machine's own."""

    def __init__(self, crictl, folder, *args, **more):
        super().__init__(folder, *args, **more)
        self._crictl = [crictl, "--config", f"{folder}/crictl.yaml"]
        with open(f"{folder}/crictl.yaml", "w") as file:
            json.dump({"runtime-endpoint": f"unix://{SOCKET}", "timeout": 60}, file)

    def run(self, pod):
        """`crictl runp` for the pod's next attempt; remembers the sandbox in the pod. Errors: RuntimeError."""
        config = f"{self.folder}/{pod.uid}.json"
        with open(config, "w") as file:
            json.dump({
                "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid,
                             "attempt": len(pod.sandboxes)},
                "hostname": pod.name, "linux": {"cgroup_parent": f"/{world.name()}"}}, file)
        made = self.crictl("runp", config).strip()
        os.unlink(config)
        shown = json.loads(self.crictl("inspectp", "--output", "json", made))
        pod.sandboxes.append(Sandbox(made, _addresses(shown["status"]["network"]), shown["info"]["pid"]))
        return pod.sandbox

    def stop(self, sandbox):
        self.crictl("stopp", sandbox.id)

    def forget(self, sandbox):
        self.crictl("rmp", sandbox.id)

    def addresses(self, sandbox):
        shown = json.loads(self.crictl("inspectp", "--output", "json", sandbox.id))
        return _addresses(shown["status"]["network"])

    def sandboxes(self):
        """What `crictl pods -o json` lists."""
        items = json.loads(self.crictl("pods", "--output", "json"))["items"] or []
        return [Listed(one["id"], one["metadata"]["name"], one["metadata"]["uid"],
                       int(one["metadata"].get("attempt", 0)), one["state"]) for one in items]

    def ready(self):
        return {one.id for one in self.sandboxes() if one.state == READY}

    def crictl(self, *words):
        """Run crictl; returns what it prints. Errors: RuntimeError with its words."""
        done = subprocess.run([*self._crictl, *words], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"crictl {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout


def _addresses(network):
    """The addresses in a sandbox's status."""
    more = network.get("additionalIps") or []
    return [ip for ip in (network.get("ip"), *(one["ip"] for one in more)) if ip]
