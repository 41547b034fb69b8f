#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Gives thousands of random commands to this plugin and to the Go host-local and compares all they do.

After every step exit code, answer and the data folder, byte for byte, must be the same, except where a rule of
rules.py asks for something else by name. Both plugins work on their own copy of one data folder, on a tmpfs; after a
permitted difference the Go plugin's copy is made equal again.

Usage: differential_test.py [--seed N] [--steps N] [--host-local PATH|newest]
The environment has DIFFERENTIAL_SEED, DIFFERENTIAL_STEPS and HOST_LOCAL; `newest` is the one of test/peers. Without
either the reference is Debian's. What it knows and what it refuses decides what it is told and which rules hold.
"""
import argparse
import collections
import os
import random
import secrets
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
import peers
import plugin
import sandbox
import tap
import generator
import report
import rules
import scenarios
import state as states
from answer import documents
from step import NEWEST, Answer, agree

TOP = "/run/differential"
STEPS_A_WORLD = 150
STEPS_BETWEEN_STORIES = 60
SHOWN_MISMATCHES = 10
RESOLV_CONFS = {
    "empty": "",
    "long": "nameserver 192.0.2.3\n#" + "x" * 70000 + "\n",
    "plain": "nameserver 192.0.2.3\n",
    "full": "nameserver 192.0.2.1\n nameserver 2001:db8::53 x\ndomain a.b\nsearch c.d e\noptions ndots:5\nsearch f\n",
    "odd": "#x\n;y\nnameserver\n\nnameserver fe80::1%eth0\r\nsearch a #b\ndomain x\ndomain y\noptions\tone\ttwo\nfoo\n",
}


class Side:
    """One of the two plugins and its copy of the data folder."""

    def __init__(self, name, binary):
        self.ours = name == "ours"
        self.binary = binary
        self.folder = os.path.join(TOP, name)

    def data(self, world):
        return os.path.join(self.folder, str(world.number))

    def state(self, world):
        return states.snapshot(self.data(world))

    def data_dir(self, world):
        """The dataDir that the configuration names; None for the default one."""
        return {"absolute": self.data(world), "relative": str(world.number), "default": None}[world.placement]

    def stdin(self, step, world):
        return step.stdin(self.data_dir(world), self.ours).replace("@RESOLV@", os.path.join(TOP, "resolv"))

    def run(self, step, world):
        """Run the step; returned: what the plugin did, with the name of this side's folder made neutral."""
        if world.placement == "default":
            point_default_at(self.data(world))
        got = plugin.run(self.binary, step.environment(), self.stdin(step, world), cwd=self.folder)
        text = got.stdout.replace(self.data(world), "@DATA@")
        return Answer(got.exit, neutral(documents(text)), states.essence(self.state(world)))


def age_of(host_local):
    """How old this host-local is, by what it knows and refuses: an age of rules.py."""
    answer = plugin.run(host_local, plugin.environment("VERSION"), {"cniVersion": NEWEST})
    if NEWEST not in answer.json["supportedVersions"]:
        return rules.DEBIAN
    ipam = {"type": "host-local", "subnet": "10.0.0.0/24", "gateway": "10.9.9.9", "dataDir": os.path.join(TOP, "age")}
    conf = {"cniVersion": NEWEST, "name": "net", "ipam": ipam}
    answer = plugin.run(host_local, plugin.environment("CHECK", "c1"), conf)
    return rules.STRICTER if rules.OUTSIDE_GATEWAY.match(answer.json["msg"]) else rules.SPEC_1_1


def neutral(doc):
    """An answer without what does not count: our `cniVersion` in errors, the random order of unused requests."""
    if not isinstance(doc, dict) or "code" not in doc:
        return doc
    doc = {key: value for key, value in doc.items() if key != "cniVersion"}
    start = "failed to allocate all requested IPs: "
    if doc["msg"].startswith(start):
        doc["msg"] = start + " ".join(sorted(doc["msg"].removeprefix(start).split()))
    return doc


def point_default_at(folder):
    """Make the default dataDir a link to this folder."""
    beside = report.DEFAULT_DIR + ".new"
    os.symlink(folder, beside)
    os.rename(beside, report.DEFAULT_DIR)


class Run:
    """A whole run: worlds of random commands with the stories of known bugs in between."""

    def __init__(self, seed, steps, host_local):
        self.rng = random.Random(seed)
        self.wanted = steps
        self.age = age_of(host_local)
        self.steps = 0
        self.worlds = 0
        self.go = Side("go", host_local)
        self.ours = Side("ours", plugin.BINARY)
        self.kinds = collections.Counter()
        self.used = collections.Counter()
        self.mismatches = []

    def play(self):
        """Play until enough steps are done and every story was told, or too much went wrong."""
        stories = []
        while self.steps < self.wanted or stories:
            stories = stories or self.rng.sample(scenarios.STORIES, len(scenarios.STORIES))
            # Where such a gateway is refused only a story has one: nobody would tell what its ADD has to answer.
            world = generator.World(self.rng, self.next_number(), outside_gateways=self.age != rules.STRICTER)
            self.world(world, self.rng.randint(20, STEPS_A_WORLD), stories)
            if len(self.mismatches) >= SHOWN_MISMATCHES:
                break

    def next_number(self):
        self.worlds += 1
        return self.worlds

    def world(self, world, steps, stories):
        """Play one random world; now and then a story is told beside it."""
        with Folders(self, world) as folders:
            for number in range(steps):
                self.step(world, folders)
                if stories and number % STEPS_BETWEEN_STORIES == 0:
                    self.story(stories.pop())
                if len(self.mismatches) >= SHOWN_MISMATCHES:
                    break

    def story(self, script):
        story = scenarios.Story(self.rng, self.next_number(), script)
        with Folders(self, story) as folders:
            while story.steps:
                self.step(story, folders)

    def step(self, world, folders):
        step = world.step(folders.before)
        step.plain_version = step.plain_version or self.age != rules.DEBIAN
        folders.apply(step.damage)
        case_before = folders.before
        reference = self.go.run(step, world)
        got = self.ours.run(step, world)
        self.steps += 1
        self.kinds[f"{step.command} {'succeeds' if reference.exit == 0 else 'fails'}"] += 1
        folders.history.append((step, reference, got))
        case = rules.Case(step, case_before, reference, got)
        problem = self.judge(case, reference, got)
        if problem:
            self.mismatches.append(report.mismatch(self, world, folders.history, case_before, problem))
        folders.settle(reference, got, trust_ours=not problem)
        world.remember(step, got)

    def judge(self, case, reference, got):
        """What is wrong with this step; None when nothing is."""
        try:
            expected, used = rules.expectation(case, self.age)
        except Exception:  # a rule that asks for no difference, or stumbles: either way the step is to be shown
            return traceback.format_exc()
        self.used.update(used)
        if used and agree(reference, got):
            return f"a rule allows a difference, but the plugins agree: {used}"
        if not agree(expected, got):
            return "\n".join([f"rules {used}", *report.describe(expected, got)])
        modelled = rules.detailed(case.modelled_add()) if rules.allocates(case.step, expected) else got
        if not agree(modelled, got):
            return "\n".join(["the model of the rules is wrong", *report.describe(modelled, got)])
        return None


class Folders:
    """The data folder of a world, on both sides; it vanishes with the world."""

    def __init__(self, run, world):
        self.run, self.world = run, world
        self.paths = [side.data(world) for side in (run.go, run.ours)]
        self.before = {}
        self.history = []

    def __enter__(self):
        for path in self.paths:
            os.makedirs(path)
        return self

    def __exit__(self, *_):
        for path in self.paths:
            states.remove(path)

    def apply(self, damage):
        """Make the same changes on both sides."""
        for path, value in damage:
            for folder in self.paths:
                target = os.path.join(folder, path)
                states.make(target, value) if value else states.remove(target)
        if damage:
            self.before = states.snapshot(self.paths[0])

    def settle(self, reference, got, trust_ours):
        """Make both sides equal after a difference: as ours, or as the Go plugin's if ours was wrong."""
        better, worse = (self.paths[1], self.paths[0]) if trust_ours else self.paths
        self.before = states.snapshot(better)
        if reference.state != got.state:
            states.restore(worse, self.before)


def prepare():
    """The folders of the run; the sandbox has put tmpfs file systems there."""
    os.makedirs(os.path.join(TOP, "resolv"))
    for name, text in RESOLV_CONFS.items():
        with open(os.path.join(TOP, "resolv", name), "w", encoding="utf-8", newline="") as file:
            file.write(text)


def check_agreement(run):
    run.play()
    for kind, count in sorted(run.kinds.items()):
        print(f"# {count:6} {kind}", flush=True)
    for mismatch in run.mismatches:
        print("\n".join(f"# {line}" for line in mismatch.splitlines()), flush=True)
    assert not run.mismatches, f"{len(run.mismatches)} mismatches in {run.steps} steps"
    assert run.steps >= run.wanted


def check_rule(run, rule):
    if run.mismatches:
        raise tap.Skip("the run ended early")
    print(f"# {run.used[rule.name]} times; {rule.reason}", flush=True)
    assert run.used[rule.name] > 0, "the run did not provoke it"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    seed = int(os.environ.get("DIFFERENTIAL_SEED") or secrets.randbelow(1 << 32))
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--steps", type=int, default=int(os.environ.get("DIFFERENTIAL_STEPS") or 5000))
    parser.add_argument("--host-local", default=plugin.HOST_LOCAL)
    options = parser.parse_args()
    if options.host_local == "newest":
        peers.require("host-local")
        options.host_local = peers.binary("host-local")
    elif options.host_local != plugin.HOST_LOCAL and not os.path.exists(options.host_local):
        parser.error(f"{options.host_local}: no such plugin")
    return options


def main():
    options = arguments()
    plugin.require(plugin.BINARY, options.host_local)
    os.environ["DIFFERENTIAL_SEED"] = str(options.seed)  # the sandbox starts this program again
    sandbox.enter()
    prepare()
    print(f"# seed {options.seed}", flush=True)
    suite = tap.Suite("differential")
    run = Run(options.seed, options.steps, options.host_local)
    suite.run(f"{options.steps} random commands answer as host-local answers them", check_agreement, run)
    for rule in rules.PROVOKED[run.age]:
        suite.run(rule.name, check_rule, run, rule)
    if options.host_local == peers.binary("host-local"):
        peers.summary("host-local", suite.count, suite.failed)
    suite.finish()


if __name__ == "__main__":
    main()
