#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib:${0%/*}/../crash" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Kills the product, or fails it, at each of its system calls while Debian's host-local hands out the addresses.

usage: kill_host_local_test.py [WORD ...]
"""
import itertools
import os

import sandbox
import tap
import trace
from crowd import DUAL
from error_test import errors_of
from kill_points import KILLED, RUN, TIMING, is_error, place, seen
from ledger import DelegatedNode
from node import fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

HOME = "/var/lib/cni/kill-host-local"
POD = "shop/web-0"
TARGET = "c-new"

numbers = itertools.count(1)


class Stage:
    """A pod and a neighbour, for a with block. ADD: the pod ran in another boot. DEL: it runs."""

    def __init__(self, command):
        self.command = command

    def __enter__(self):
        self.node = DelegatedNode(os.path.join(HOME, str(next(numbers))), DUAL, HOST_LOCAL, inProcess=False)
        self.home = self.node.add("c-old", POD)
        new_boot()
        self.neighbours = {"c-neighbour": self.node.add("c-neighbour", "shop/neighbour")}
        if self.command == "DEL":
            assert self.node.add(TARGET, POD) == self.home
        return self

    def __exit__(self, *_):
        self.node.remove()

    def request(self):
        return self.node.request(self.command, TARGET, POD)

    def calls(self):
        """The system calls of the undisturbed command that come to our files, or after it."""
        outcome, calls, _ = trace.run(self.node.binary, *self.request(), follow=False)
        assert outcome.exit == 0, outcome
        return seen(calls)

    def come_back(self, home):
        """The runtime's DEL, and the pod's next sandbox, which gets `home` if there is one; nobody else is touched."""
        self.node.delete(TARGET, POD)
        assert self.node.addresses_of(TARGET) == [], "a lease is left"
        got = self.node.add("c-next", POD)
        assert got == (home or got), f"the pod came back on {got}"
        others = {"c-old": self.node.addresses_of("c-old")} if not home else {}
        self.node.assert_in_use({**self.neighbours, "c-next": got, **others})
        assert self.node.journal() == 0


def killed_at(command, call, is_repeated):
    """One kill; then the same container again or not, and at last its DEL and the pod's next sandbox."""
    with Stage(command) as stage:
        outcome, _, _ = trace.inject(stage.node.binary, *stage.request(), call.name, call.occurrence, "signal=KILL",
                                     follow=False)
        assert outcome.exit == KILLED or call.name in TIMING, f"the call was not reached: {outcome}"
        if is_repeated:
            assert stage.node.add(TARGET, POD) == stage.home
            stage.node.assert_in_use({**stage.neighbours, TARGET: stage.home})
        stage.come_back(stage.home)


def every_kill(command):
    """A repeated ADD follows every second kill."""
    with Stage(command) as stage:
        calls = stage.calls()
    broken = []
    for call, is_repeated in zip(calls, itertools.cycle((False, True))):
        try:
            killed_at(command, call, is_repeated)
        except AssertionError as error:
            broken.append(f"{place(call)}, ADD repeated {is_repeated}: {error}")
    print(f"# {command} through host-local: killed at {len(calls)} system calls, {len(broken)} broken")
    assert not broken, "\n".join(broken)


def failed_at(command, call, error):
    """One failing call. Returns whether the command succeeded, and whether the pod kept its addresses."""
    with Stage(command) as stage:
        outcome, _, _ = trace.inject(stage.node.binary, *stage.request(), call.name, call.occurrence,
                                     f"error={error}", follow=False)
        assert outcome.exit == 0 or is_error(outcome), outcome
        got = outcome.addresses if command == "ADD" and outcome.exit == 0 else []
        if got:
            assert stage.node.addresses_of(TARGET) == sorted(got), f"answered {got}: {stage.node.attachments()}"
            assert stage.node.add(TARGET, POD) == got, "another answer at the second time"
        if command == "DEL" and outcome.exit == 0:
            assert stage.node.addresses_of(TARGET) == [], "said to be freed"
        stage.come_back([])
        return outcome.exit == 0, stage.node.addresses_of("c-next") == stage.home


def every_error(command):
    """An address may be lost by an error, but no lease, and no other pod's."""
    with Stage(command) as stage:
        places = (RUN, f"{HOME}/")
        calls = [call for call in stage.calls() if any(where in call.args for where in places)
                 and "/delegate/bin" not in call.args and not call.path_of_fd.startswith("pipe:")]
    broken, ends = [], []
    faults = [(call, error) for call in calls for error in errors_of(call)]
    for call, error in faults:
        try:
            ends.append(failed_at(command, call, error))
        except (AssertionError, ValueError, KeyError) as problem:
            broken.append(f"{place(call)} {error}: {problem!r}")
    survived, kept = sum(one for one, _ in ends), sum(one for _, one in ends)
    print(f"# {command} through host-local: {len(faults)} faults, {survived} survived, {kept} addresses kept at last, "
          f"{len(broken)} broken")
    assert faults and not broken, "\n".join(broken)


TESTS = [
    *((f"R14: {what} through host-local, killed at any system call, ends with the pod at home", every_kill, one)
      for what, one in [("the ADD of a pod that returns", "ADD"), ("a DEL", "DEL")]),
    *((f"{what} through host-local with any one failing system call loses no lease", every_error, one)
      for what, one in [("the ADD of a pod that returns", "ADD"), ("a DEL", "DEL")]),
]


if __name__ == "__main__":
    tap.main("delegate kill host-local", TESTS, lambda: require(BINARY, HOST_LOCAL), sandbox.enter, fake_boots)
