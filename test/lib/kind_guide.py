"""The guide for kind, examples/kind/README.md, typed word for word: its cluster of ptp, and the restart of a worker."""
import json
import os
import re
import subprocess

import readme
import world
from plugin import BINARY, ROOT

GUIDE = f"{ROOT}/examples/kind/README.md"
WORKER = "delegated-ipam-worker"
SECONDS = 300
# The guide's cluster file leaves the image to kind, which would ask a registry.
KIND = """#!/bin/sh
if [ "$1 $2" = "create cluster" ]; then exec {kind} "$@" --image {image}; fi
exec {kind} "$@"
"""


class Guide:
    """folder: a new one, for what the reader has; environment: with which docker is found. Call it in a world."""

    def __init__(self, folder, environment, kind, kubectl, image):
        os.makedirs(f"{folder}/bin")
        os.symlink(BINARY, f"{folder}/bin/delegated-ipam")
        os.symlink(kubectl, f"{folder}/bin/kubectl")
        with open(f"{folder}/bin/kind", "w") as file:
            file.write(KIND.format(kind=kind, image=image))
        os.chmod(f"{folder}/bin/kind", 0o755)
        self._environment = {**environment, "PATH": f"{folder}/bin:{environment['PATH']}", "HOME": folder}
        self._environment.pop("KUBECONFIG", None)
        self._steps = ptp_blocks()
        self.before = {}
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/srv"], check=True)  # the guide's place for its files
        tool = os.path.dirname(BINARY)
        self.type(f"tar -C {tool} --mode=0755 -c delegated-ipam | docker import - delegated-ipam:0.1.0")

    def type(self, commands):
        """Run commands in the repository's top folder, as the reader does; what they print."""
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=ROOT, env=self._environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, f"{commands}: {done.stdout}{done.stderr}"
        return done.stdout

    def follow(self):
        """All steps; the addresses on the worker are in `before` then, as the guide shows them."""
        *steps, check = self._steps
        for step in steps:
            self.type(step)
        told = self.type(check)
        shown, _, _ = told.partition(f"\n{WORKER}\n")  # which `docker restart` prints
        self.before = dict(re.findall(rf"^(\S+) .* (\d+\.\d+\.\d+\.\d+) +{WORKER} ", shown, re.MULTILINE))
        assert self.before, told

    def assert_kept(self):
        """When the worker's pods run again, with one restart more, each has its address."""
        now = world.wait_until(self._restarted, SECONDS, "the worker's pods do not run again")
        assert now == self.before, f"{self.before} -> {now}"
        return len(now)

    def remove(self):
        self.type("kind delete cluster --name delegated-ipam && rm -r /srv/delegated-ipam")
        subprocess.run(["umount", "/srv"], check=True)

    def _restarted(self):
        """The addresses of the worker's pods, by name; None until each of them has been started again."""
        items = json.loads(self.type("kubectl get pods -o json"))["items"]
        own = [pod for pod in items if pod["spec"]["nodeName"] == WORKER]
        states = [one for pod in own for one in pod["status"].get("containerStatuses", [])]
        if len(states) < len(self.before) or not all(one["ready"] and one["restartCount"] for one in states):
            return None
        return {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in own}


def ptp_blocks():
    """What the reader types below the heading "ptp": a text a step."""
    with open(GUIDE) as file:
        lines = file.read().split("\n")
    first, last = lines.index("## ptp"), lines.index("## Cilium")
    return [block.text for block in readme.blocks(GUIDE) if block.kind == "sh" and first < block.line <= last]
