#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What announcing an address costs an ADD: whole processes, medians, with and without it in turns in the same run.

The same ADD of a kept address is made for bridge, and for another main plugin, where nothing is announced. On tmpfs and
without flushes, so that little hides the difference. usage: announce_bench.py [ROUNDS]
"""
import os
import resource
import statistics
import subprocess
import sys
import time

import plugin
import reach
import sandbox
from hand_made import HandMade

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
WARM_UP = 10
BUDGET = 0.2  # ms
QUIET = {"logFile": None, "logLevel": None, "durability": "none"}
ANNOUNCED, NOT = "bridge", "ptp"


def one_add(scene, main):
    """What one ADD of the kept address takes, in milliseconds: until it has ended, and of a processor. A DEL follows."""
    took = []
    for command in ("ADD", "DEL"):
        env, conf = scene.request(command, "pod", type=main)
        before, started = processor(), time.perf_counter()
        done = plugin.run(plugin.BINARY, env, conf)
        took.append(((time.perf_counter() - started) * 1000, (processor() - before) * 1000))
        assert done.exit == 0, done
    return took[0]


def processor():
    """Seconds of a processor that processes of ours have used that are over."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_turns(scene):
    """The times of both ways."""
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)  # that of the node's namespace
    times = {ANNOUNCED: [], NOT: []}
    for _ in range(ROUNDS + WARM_UP):
        for main, list_of in times.items():
            list_of.append(one_add(scene, main))
    return {main: list_of[WARM_UP:] for main, list_of in times.items()}


def bench(ports):
    with HandMade(f"/run/bench-{ports}", ours=QUIET) as scene:
        for number in range(ports - 2):  # the listener's, and the pod's own
            scene.plug(f"p{number}")
        scene.plug("pod")
        times = reach.inside(scene.netns, in_turns, scene)
    for number, what in enumerate(("until it has ended", "of a processor")):
        median = {main: statistics.median(one[number] for one in list_of) for main, list_of in times.items()}
        more = median[ANNOUNCED] - median[NOT]
        print(f"# {ports} ports, {what}: ADD {median[NOT]:.2f} ms, announced {median[ANNOUNCED]:.2f} ms: {more:+.2f} ms, "
              f"{median[ANNOUNCED] / median[NOT]:.2f} times (budget {BUDGET} ms on an idle machine)", flush=True)


def main():
    sandbox.enter()
    plugin.require(plugin.BINARY)
    os.makedirs("/run/netns", exist_ok=True)
    print(f"# medians of {ROUNDS} ADDs of a kept address")
    for ports in (2, 100):
        bench(ports)


if __name__ == "__main__":
    main()
