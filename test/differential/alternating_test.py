#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Lets this plugin, with retention, and Debian's host-local work on one and the same directory.

First in turns, with random pods, then a hundred processes at once. No reference answer exists here; what must hold
after every command are the invariants that a user of both relies on.

Usage: alternating_test.py [--seed N] [--steps N]; the environment has DIFFERENTIAL_SEED and ALTERNATING_STEPS.
"""
import argparse
import ipaddress
import json
import os
import random
import secrets
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
import plugin
import sandbox
import tap
import state as states

TOP = "/run/alternating"
OURS, GO = plugin.BINARY, plugin.HOST_LOCAL
EXHAUSTED = "no IP addresses available in range set"
CROWD = 50
BY_HAND = ("10.8.0.4", "kept for the printer\n")  # an operator's file, which nobody may hand out or remove


class Network:
    """A network whose directory both plugins use."""

    def __init__(self, name, *range_sets):
        self.name = name
        self.range_sets = range_sets
        self.folder = os.path.join(TOP, name)

    def stdin(self, **more):
        ipam = {"type": "delegated-ipam", "dataDir": TOP, "ranges": self.range_sets, "stateDir": TOP + ".state"}
        return {"cniVersion": "1.0.0", "name": self.name, "type": "bridge", "ipam": ipam, **more}

    def reserved(self):
        """Address -> content of every file that is named like an address."""
        found = states.snapshot(self.folder)
        return {name: value[1].decode() for name, value in found.items() if is_address(name)}


def is_address(name):
    try:
        return ipaddress.ip_address(name) is not None
    except ValueError:
        return False


def dual_stack(name):
    """A network that is full with a dozen pods."""
    ranges = [{"subnet": "10.8.0.0/29"}, {"subnet": "10.8.1.0/28", "rangeEnd": "10.8.1.8"}]
    return Network(name, ranges, [{"subnet": "2001:db8::/64"}])


class Turns:
    """Random commands by either plugin; `live` is what was acknowledged: (container, interface) -> answer."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.network = dual_stack("turns")
        self.pods = [(f"web-{number}", ifname) for number in range(10) for ifname in ("eth0", "net1")]
        self.containers = 0
        self.live = {}
        self.pod_of = {}  # live attachment -> (pod, interface)
        self.left = {}  # (pod, interface) -> what it had last and from us, as long as nobody else got any of it
        self.kept = self.full = self.repeated = 0
        states.make(os.path.join(self.network.folder, BY_HAND[0]), ("file", BY_HAND[1].encode()))

    def play(self, steps):
        for _ in range(steps):
            choice = self.rng.random()
            if choice < 0.45 or not self.live:
                self.add(self.rng.choice([OURS, GO]))
            elif choice < 0.6:
                self.check(self.rng.choice([OURS, GO]), *self.some())
            elif choice < 0.65:
                self.add_again(*self.some())
            else:
                self.delete(self.rng.choice([OURS, GO]), *self.some())
            self.verify()

    def some(self):
        return self.rng.choice(sorted(self.live))

    def run(self, binary, command, container, ifname, **more):
        pod = self.pod_of[container, ifname][0]
        args = plugin.pod_args("default", pod, "u-" + pod, container)
        env = plugin.environment(command, container, ifname, args=args)
        return plugin.run(binary, env, self.network.stdin(**more))

    def add(self, binary):
        """A new sandbox of a pod that has none: nobody's address, or a full network."""
        pod = self.rng.choice(sorted(set(self.pods) - set(self.pod_of.values())))
        self.containers += 1
        key = (f"sandbox{self.containers}", pod[1])
        self.pod_of[key] = pod
        before = self.network.reserved()
        got = self.run(binary, "ADD", *key)
        if got.exit == 0:
            self.granted(binary, key, got, before)
        else:
            self.refused(key, got, before)

    def granted(self, binary, key, got, before):
        assert len(got.addresses) == 2, got
        taken = before.keys() & set(got.addresses)
        assert not taken, f"{binary} handed out {taken}, in use by {[before[address] for address in taken]}"
        self.live[key] = got
        pod = self.pod_of[key]
        if binary == OURS and pod in self.left:
            assert got.addresses == self.left[pod], f"{pod} had {self.left[pod]}, got {got.addresses}"
            self.kept += 1
        self.left = {name: old for name, old in self.left.items() if name != pod and not set(old) & set(got.addresses)}
        if binary == OURS:
            self.left[pod] = got.addresses

    def refused(self, key, got, before):
        """Only a full network refuses: all addresses are in use, held ones do not count."""
        assert EXHAUSTED in got.json["msg"], got
        assert sum(":" not in address for address in before) == 5 + 7, f"refused with {sorted(before)} in use"
        del self.pod_of[key]
        self.full += 1

    def add_again(self, container, ifname):
        """A repeated ADD: ours answers the same, the Go plugin refuses and must not free what is there."""
        got = self.run(OURS, "ADD", container, ifname)
        assert got.addresses == self.live[container, ifname].addresses, got
        refused = self.run(GO, "ADD", container, ifname)
        assert "duplicate allocation is not allowed" in refused.stdout, refused
        self.repeated += 1

    def check(self, binary, container, ifname):
        result = self.live[container, ifname].json
        got = self.run(binary, "CHECK", container, ifname, prevResult=result)
        assert (got.exit, got.stdout) == (0, ""), got

    def delete(self, binary, container, ifname):
        got = self.run(binary, "DEL", container, ifname)
        assert (got.exit, got.stdout) == (0, ""), got
        del self.pod_of[container, ifname]
        del self.live[container, ifname]

    def verify(self):
        """The directory holds exactly the live attachments, each address once, in host-local's format."""
        owners = {BY_HAND[0]: BY_HAND[1]}
        owners |= {address: f"{key[0]}\r\n{key[1]}" for key, got in self.live.items() for address in got.addresses}
        assert 1 + sum(len(got.addresses) for got in self.live.values()) == len(owners), "an address is live twice"
        assert self.network.reserved() == owners, f"{self.network.reserved()} instead of {owners}"


def turns(options):
    game = Turns(options.seed)
    game.play(options.steps)
    print(f"# {game.containers} ADDs, {game.kept} kept, {game.full} refused, {game.repeated} repeated", flush=True)
    assert game.kept and game.full and game.repeated, "the run did not reach every case"


# ---- all at once ---------------------------------------------------------------------------------------------------


def started(binary, network, command, container):
    """One running plugin that has got its stdin."""
    args = plugin.pod_args("default", "pod-" + container, "u-" + container, container)
    process = subprocess.Popen(
        [binary],
        env=plugin.environment(command, container, args=args),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdin.write(json.dumps(network.stdin()))
    process.stdin.close()
    process.stdin = None
    return process


def crowd(network, command, binary_of):
    """Run a command for every container at once; returned: container -> outcome, all of them successes."""
    running = {container: started(binary, network, command, container) for container, binary in binary_of.items()}
    outcomes = {}
    for container, process in running.items():
        stdout, stderr = process.communicate(timeout=120)
        outcomes[container] = plugin.Outcome(process.returncode, stdout, stderr)
    failures = {container: got for container, got in outcomes.items() if got.exit != 0}
    assert not failures, failures
    return outcomes


def mixed(first, second):
    """100 containers, every other one for the other plugin."""
    return {f"crowd{number}": first if number % 2 else second for number in range(2 * CROWD)}


def all_at_once():
    network = Network("crowd", [{"subnet": "10.9.0.0/24"}])
    added = crowd(network, "ADD", mixed(OURS, GO))
    addresses = [address for got in added.values() for address in got.addresses]
    assert len(set(addresses)) == len(addresses) == 2 * CROWD, sorted(addresses)
    files = {got.addresses[0]: f"{container}\r\neth0" for container, got in added.items()}
    assert network.reserved() == files, network.reserved()
    crowd(network, "CHECK", mixed(GO, OURS))
    crowd(network, "DEL", mixed(GO, OURS))
    assert network.reserved() == {}, network.reserved()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    seed = int(os.environ.get("DIFFERENTIAL_SEED") or secrets.randbelow(1 << 32))
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--steps", type=int, default=int(os.environ.get("ALTERNATING_STEPS") or 1500))
    return parser.parse_args()


def main():
    options = arguments()
    plugin.require(plugin.BINARY, plugin.HOST_LOCAL)
    os.environ["DIFFERENTIAL_SEED"] = str(options.seed)  # the sandbox starts this program again
    sandbox.enter()
    print(f"# seed {options.seed}", flush=True)
    suite = tap.Suite("alternating with host-local")
    suite.run("in turns on one directory no address is lost, given twice or changed needlessly", turns, options)
    suite.run("100 processes of both at once get 100 addresses, and each releases those of the other", all_at_once)
    suite.finish()


if __name__ == "__main__":
    main()
