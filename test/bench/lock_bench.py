#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""How long an ADD holds the network's lock, beside a bare C loop of the same system calls in the same folders.

Both are looked at from outside in the same way: strace stops them at flock(2) and at close(2) only, and the time between
the two of the lock counts. usage: lock_bench.py [ROUNDS]
"""
import os
import re
import statistics
import subprocess
import sys

import place
import plugin
from contenders import Network, OURS
from runner import compile_static

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 300
WARM_UP = 10
BUDGET = 1.5
STRACE = ("strace", "-f", "--seccomp-bpf", "-qq", "-y", "-ttt", "-T", "-e", "trace=flock,close", "-o")
LINE = re.compile(r"^(?:\d+ +)?(?P<start>\d+\.\d+) (?P<call>flock|close)\(\d+<[^>]*/lock>.*<(?P<took>\d+\.\d+)>$")


def held(log):
    """The microseconds between each taking of the lock and its close."""
    found, taken = [], None
    with open(log) as file:
        for line in file:
            match = LINE.match(line)
            if match and match["call"] == "flock":
                taken = float(match["start"]) + float(match["took"])
            elif match and taken:
                found.append((float(match["start"]) - taken) * 1e6)
                taken = None
    return found


def of_plugin(network, log, number):
    env, conf = network.request("ADD", f"c-{number}", f"bench/p-{number}")
    done = plugin.run(network.binary, env, conf, wrapper=(*STRACE, log))
    assert done.exit == 0, done
    network.delete(f"c-{number}", f"bench/p-{number}")
    return held(log)


def of_loop(loop, folders, log):
    subprocess.run([*STRACE, log, loop, *folders, "1"], check=True)
    return held(log)


def folders_of(network):
    """The network's, its run folder's and its records' paths."""
    about = os.stat(network.network_dir)
    records = {os.path.dirname(os.path.join(network.state_dir, path)) for path in network.records()}
    return network.network_dir, f"/run/delegated-ipam/{about.st_dev}:{about.st_ino}", *records


def main():
    folder = place.enter()
    plugin.require(plugin.BINARY)
    with place.on_image(folder) as disk:
        loop, log = f"{place.MEMORY}/lock_loop", f"{place.MEMORY}/log"
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "lock_loop.c")) as source:
            compile_static(source.read(), loop)
        network = Network(OURS, plugin.BINARY, f"{disk}/ours")
        network.add("first", "bench/first")
        network.delete("first", "bench/first")
        folders = folders_of(network)
        times = {"ADD": [], "a C loop of the same calls": []}
        for number in range(ROUNDS + WARM_UP):
            took = (of_plugin(network, log, number), of_loop(loop, folders, log))
            for one, list_of in zip(took, times.values()):
                assert len(one) == 1, f"the lock was taken {len(one)} times"
                list_of.append(one[0])
    quantiles = {}
    for what, list_of in times.items():
        cut = statistics.quantiles(list_of[WARM_UP:], n=100)
        quantiles[what] = (cut[49], cut[98])
        print(f"# {what}: the lock is held {cut[49]:.0f} us (p50), {cut[98]:.0f} us (p99), of {ROUNDS}")
    ours, least = quantiles.values()
    print(f"# times the loop's: p50 {ours[0] / least[0]:.2f}, p99 {ours[1] / least[1]:.2f} (budget {BUDGET} on an idle "
          "machine)")


if __name__ == "__main__":
    main()
