#!/usr/bin/python3
"""What it costs to call an IPAM plugin through delegated-ipam: whole processes, medians, both ways in the same run.

The plugins are Debian's host-local and a static one that does next to nothing (a shell script where there is no C
compiler). usage: delegate_bench.py [ROUNDS]
"""
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(FOLDER, "../lib"), os.path.join(FOLDER, "../delegate")]

import world  # noqa: E402

DISK = world.enter()
MEMORY = "/run/bench"

import tap  # noqa: E402
from journal_versions import processes  # noqa: E402
from node import Node  # noqa: E402
from plugin import BINARY, HOST_LOCAL, require  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
WARM_UP = 5
RANGES = [[{"subnet": "10.9.0.0/16"}]]
BUDGET = 1.5  # ms

TRIVIAL_C = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  static char input[65536];
  fread(input, 1, sizeof input, stdin);
  const char* command = getenv("CNI_COMMAND");
  if (command && strcmp(command, "ADD") == 0)
    puts("{\\"cniVersion\\":\\"1.0.0\\",\\"ips\\":[{\\"address\\":\\"10.9.0.2/16\\"}]}");
  return 0;
}
"""
TRIVIAL_SH = """#!/bin/sh
read -r line
[ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion":"1.0.0","ips":[{"address":"10.9.0.2/16"}]}'
exit 0
"""

numbers = itertools.count(1)


def trivial(folder):
    """Make the plugin that does next to nothing; returns its path."""
    path = f"{folder}/trivial"
    compiled = None
    with contextlib.suppress(FileNotFoundError):
        compiler = ["cc", "-static", "-O2", "-w", "-x", "c", "-o", path, "-"]
        compiled = subprocess.run(compiler, input=TRIVIAL_C, text=True)
    if not compiled or compiled.returncode != 0:
        with open(path, "w") as file:
            file.write(TRIVIAL_SH)
        os.chmod(path, 0o755)
    return path


class Through(Node):
    """A node whose plugin is `binary`, called by us. retain: bindings are recorded, which is flushed to the disk."""

    def __init__(self, home, binary, retain):
        super().__init__(home, RANGES, os.path.basename(home), inProcess=False, retain=retain)
        os.makedirs(home)
        self.ipam["delegate"] = {"type": os.path.basename(binary)}
        self._path = os.path.dirname(binary)

    def request(self, command, container_id, pod=None, **more):
        env, conf = super().request(command, container_id, pod)
        if "version" in more:
            conf["cniVersion"] = more["version"]
        return {**env, "CNI_PATH": self._path}, conf


class Directly(Node):
    """A node whose plugin is called as a main plugin would."""

    def __init__(self, home, binary):
        super().__init__(home, RANGES, os.path.basename(home), binary)
        os.makedirs(home)

    def conf(self, **_):
        return {"cniVersion": "1.0.0", "name": self.name, "type": "bridge",
                "ipam": {"type": os.path.basename(self.binary), "ranges": RANGES, "dataDir": self.data_dir}}


def milliseconds(node, command, container_id):
    """From before the start of the process until it is collected; nothing is polled meanwhile."""
    env, conf = node.request(command, container_id, f"shop/{container_id}")
    with open(f"{MEMORY}/stdin", "w") as file:
        json.dump(conf, file)
    reading, writing = os.pipe()
    actions = [(os.POSIX_SPAWN_OPEN, 0, f"{MEMORY}/stdin", os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, writing, 1)]
    started = time.perf_counter()
    pid = os.posix_spawn(node.binary, [node.binary], env, file_actions=actions)
    os.close(writing)
    answer = b"".join(iter(lambda: os.read(reading, 65536), b""))
    _, status = os.waitpid(pid, 0)
    took = (time.perf_counter() - started) * 1000
    os.close(reading)
    assert status == 0 and bool(answer) == (command == "ADD"), f"{command}: status {status}: {answer}"
    return took


def measure(nodes):
    """{(name of the node, command): median of ROUNDS in ms}; the nodes take turns."""
    times = {(name, command): [] for name in nodes for command in ("ADD", "DEL")}
    for turn in range(WARM_UP + ROUNDS):
        for name, node in nodes.items():
            container_id = f"c{next(numbers)}"
            for command in ("ADD", "DEL"):
                took = milliseconds(node, command, container_id)
                if turn >= WARM_UP:
                    times[name, command].append(took)
    return {key: statistics.median(values) for key, values in times.items()}


def compare(place, folder, binary):
    """One plugin on one file system: directly, through us, and through us with bindings recorded."""
    name = os.path.basename(binary)
    ways = {"directly": Directly(f"{folder}/{name}-direct", binary),
            "through us": Through(f"{folder}/{name}-through", binary, False),
            "through us, recorded": Through(f"{folder}/{name}-recorded", binary, True)}
    medians = measure(ways)
    for command in ("ADD", "DEL"):
        direct = medians["directly", command]
        for way in list(ways)[1:]:
            took = medians[way, command]
            print(f"{place:6} {name:10} {command}  directly {direct:5.2f} ms, {way:20} {took:5.2f} ms: "
                  f"{took - direct:+5.2f} ms, {took / direct:4.2f} times", flush=True)


def count_processes(folder, binary):
    """The processes of our own calls, as journal_versions.py counts them; the plugin must not start any itself."""
    node = Through(f"{folder}/count", binary, True)
    for command, container_id in (("ADD", "c-count"), ("ADD", "c-count"), ("DEL", "c-count")):
        processes(node, command, container_id)


def main():
    require(BINARY, HOST_LOCAL)
    os.makedirs(MEMORY)
    binary = trivial(MEMORY)
    print(f"medians of {ROUNDS}, load {os.getloadavg()[0]:.1f}; budget: +{BUDGET} ms and one process", flush=True)
    for place, folder in (("disk", DISK), ("tmpfs", MEMORY)):
        for one in (HOST_LOCAL, binary):
            compare(place, folder, one)
    with contextlib.suppress(tap.Skip):
        count_processes(MEMORY, binary)


if __name__ == "__main__":
    main()
