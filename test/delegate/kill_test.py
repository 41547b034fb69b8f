#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib:${0%/*}/../crash" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Kills the product, or fails it, at each of its system calls while it works with an exec'd plugin.

R14: afterwards the runtime's DEL leaves no lease, an ADD has exactly one, and no acknowledged lease was ever freed.
usage: kill_test.py [WORD ...]
"""
import contextlib
import itertools
import os

import nsmount
import sandbox
import tap
import trace
from error_test import errors_of, writes_to
from kill_points import KILLED, RUN, TIMING, is_error, place, seen
from kill_scenarios import HOME, NEIGHBOUR, SCENARIOS, pod_of
from node import fake_boots
from plugin import BINARY, require


def calls_of(scenario):
    """The system calls of an undisturbed run, after the execve that starts it: of three runs the one with fewest, as
    one DEL in 64 looks at all tombstones."""
    return min((undisturbed(scenario) for _ in range(3)), key=len)


def undisturbed(scenario):
    """Those of one run."""
    node = scenario.node()
    target, _ = scenario.begin(node)
    outcome, calls, _ = trace.run(node.binary, *scenario.request(node, target), follow=False)
    assert (outcome.exit == 0) == scenario.answers, f"undisturbed {scenario.sentence}: {outcome}"
    return calls


def assert_kept(node, scenario, target, before, outcome):
    """What was acknowledged, before or in this run, is leased; returns it."""
    answered = outcome.addresses if outcome.exit in (0, KILLED) and outcome.stdout else []
    acknowledged = answered or (before if scenario.keeps else [])
    if scenario.command == "ADD" and acknowledged:
        assert node.ledger.leases_of(target) == acknowledged, f"acknowledged {acknowledged}: {node.ledger.leases()}"
    return acknowledged if scenario.command == "ADD" else []


def give_up(node, target, _):
    """The runtime's DEL, and the container again."""
    node.delete(target, pod_of(target))
    check_freed(node, target)
    check_comes_back(node, target)


def try_again(node, target, acknowledged):
    """An ADD of the same container, which keeps what was acknowledged; then its DEL."""
    done = node.call("ADD", target, pod_of(target))
    refused = acknowledged and node.ipam.get("onDuplicate") == "error" and done.exit == 1
    got = acknowledged if refused else done.addresses
    assert refused or done.exit == 0, f"the next ADD: {done}"
    assert node.ledger.leases_of(target) == got, f"answered {got}, leased {node.ledger.leases()}"
    if acknowledged:
        commands = node.ledger.commands()
        assert got == acknowledged, f"acknowledged {acknowledged}, now {got}"
        assert f"DEL {target}" not in commands, f"freed in between: {commands}"
    node.delete(target, pod_of(target))


def check_freed(node, target):
    """Nothing is left of the pod, and its neighbour is well."""
    assert node.ledger.leases_of(target) == [], f"left: {node.ledger.leases()}"
    assert node.journal() == 0, "an entry of the journal is left"
    assert len(node.ledger.leases()) == 1 and node.ledger.leases_of(NEIGHBOUR), f"leases {node.ledger.leases()}"


def check_comes_back(node, target):
    """The container starts again, on a lease that there is; the DEL after it clears everything away."""
    got = node.add(target, pod_of(target))
    assert node.ledger.leases_of(target) == got, f"answered {got}, which is not leased: {node.ledger.leases()}"
    node.delete(target, pod_of(target))
    check_freed(node, target)


def killed_once(scenario, node, call, follow_up):
    """One run that is killed there; returns False if it never came to that call."""
    target, before = scenario.begin(node)
    outcome, _, text = trace.inject(node.binary, *scenario.request(node, target), call.name, call.occurrence,
                                    "signal=KILL", follow=False)
    reached = outcome.exit == KILLED
    assert reached or call.name in TIMING, f"the call was not reached: {outcome}\n{text[-2000:]}"
    scenario.end(node)
    node.ledger.take_commands()
    acknowledged = assert_kept(node, scenario, target, before, outcome)
    follow_up(node, target, acknowledged)
    check_freed(node, target)
    return reached


def every_kill(scenario):
    """A kill at every system call; raises one error that lists all broken ones."""
    calls, broken, reached = seen(calls_of(scenario)), [], 0
    node, turns = scenario.node(), itertools.cycle((give_up, try_again))
    for call in calls:
        for follow_up in itertools.islice(turns, scenario.follow_ups):
            try:
                reached += killed_once(scenario, node, call, follow_up)
            except AssertionError as error:
                broken.append(f"{place(call)}, {follow_up.__name__}: {error}")
                node = scenario.node()
    print(f"# {scenario.sentence}: killed {reached} times at {len(calls)} system calls, {len(broken)} broken")
    assert reached > len(calls) * scenario.follow_ups * 0.8 and not broken, "\n".join(broken)


def faults_of(scenario):
    """(call, error) for each call of an undisturbed run on /run and the state folder that can go wrong."""
    places = (RUN, f"{HOME}/")
    calls = [call for call in calls_of(scenario) if any(place in call.args for place in places)]
    calls = [call for call in calls if "/delegate/bin" not in call.args and not call.path_of_fd.startswith("pipe:")]
    return [(call, error) for call in calls for error in errors_of(call)]


def failed_once(scenario, node, call, error):
    """One run in which that call fails, and what a runtime does then.

    Returns True if it succeeded all the same, False if it failed, None if it never came to that call.
    """
    target, before = scenario.begin(node)
    outcome, calls, _ = trace.inject(node.binary, *scenario.request(node, target), call.name, call.occurrence,
                                     f"error={error}", follow=False)
    reached = any("INJECTED" in one.result for one in calls)
    scenario.end(node)
    node.ledger.take_commands()
    assert outcome.exit == 0 or is_error(outcome) or writes_to(call, 1), outcome
    acknowledged = assert_kept(node, scenario, target, before, outcome)
    leases = node.ledger.leases_of(target)
    if scenario.command == "DEL":
        assert outcome.exit != 0 or leases == [], f"DEL succeeded, and {leases} is leased"
    else:
        assert acknowledged or not leases or node.journal(), f"nobody will free {leases}"
    if scenario.command == "DEL" and outcome.exit == 0:
        check_comes_back(node, target)
    (try_again if scenario.command == "ADD" else give_up)(node, target, acknowledged)
    check_freed(node, target)
    return outcome.exit == 0 if reached else None


def every_error(scenario):
    broken, ends = [], []
    node, faults = scenario.node(), faults_of(scenario)
    for call, error in faults:
        try:
            ends.append(failed_once(scenario, node, call, error))
        except (AssertionError, ValueError, KeyError) as problem:
            broken.append(f"{place(call)} {error}: {problem!r}")
            node = scenario.node()
    print(f"# {scenario.sentence}: {len(faults)} faults, {ends.count(True)} survived, {ends.count(None)} not reached, "
          f"{len(broken)} broken", flush=True)
    assert not broken, "\n".join(broken)
    assert ends.count(None) <= len(faults) / 10, "too many calls were not reached"


def read_only_run():
    """Without a journal no ADD begins; a DEL frees the lease, and nothing of before is answered afterwards."""
    node = SCENARIOS[0].node()
    got = node.add("c1", "shop/one")
    node.ledger.take_commands()
    nsmount.run("mount", "--bind", RUN, RUN)
    nsmount.run("mount", "-o", "remount,bind,ro", RUN)
    try:
        refused = node.call("ADD", "c2", "shop/two")
        deleted = node.call("DEL", "c1", "shop/one")
        gone = node.ledger.leases_of("c1") == []
    finally:
        nsmount.run("umount", RUN)
    assert refused.exit == 1 and refused.json["code"] == 11, refused
    assert "ADD c2" not in node.ledger.commands() and not node.ledger.leases_of("c2")
    assert gone, f"the DEL did not free {got}: {deleted}"
    if deleted.exit != 0:
        node.delete("c1", "shop/one")
    check_comes_back(node, "c1")


@contextlib.contextmanager
def small_run():
    """An empty folder of ours in /run, with little room, for a with block."""
    os.makedirs(RUN, exist_ok=True)
    nsmount.run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", RUN)
    try:
        yield
    finally:
        nsmount.run("umount", RUN)


def full_run():
    """No ADD is acknowledged that is not on record; a DEL frees, and what it freed is not answered afterwards."""
    with small_run():
        node = SCENARIOS[0].node()
        got = node.add("c1", "shop/one")
        fill(f"{RUN}/ballast")
        refused = node.call("ADD", "c2", "shop/two")
        again = node.call("ADD", "c1", "shop/one")
        kept = node.ledger.leases_of("c1")
        deleted = node.call("DEL", "c1", "shop/one")
        os.unlink(f"{RUN}/ballast")
        assert refused.exit == 1 and refused.json["code"] == 11 and not node.ledger.leases_of("c2"), refused
        assert kept == got and (again.addresses == got or again.json["code"] == 11), again
        assert deleted.exit == 0 and deleted.stdout == "", deleted
        check_comes_back(node, "c1")


def unknown_in_full_run():
    """A live lease that is not on record is not freed by an ADD that could not begin."""
    node = SCENARIOS[0].node()
    got = node.add("c1", "shop/one")
    node.ledger.take_commands()
    with small_run():
        fill(f"{RUN}/ballast")
        refused = node.call("ADD", "c1", "shop/one")
    assert refused.exit == 1 and refused.json["code"] == 11, refused
    assert node.ledger.commands() == [] and node.ledger.leases_of("c1") == got, node.ledger.commands()
    check_comes_back(node, "c1")


def fill(path):
    """Write to a file until nothing more fits."""
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
        while file.write(b"0" * 4096):
            pass


def tests():
    for one in SCENARIOS:
        yield f"R14: {one.sentence}, killed at any system call, leaves no lease that nobody frees", every_kill, one
    for one in SCENARIOS:
        yield f"{one.sentence} with any one failing system call on our files loses no lease", every_error, one
    yield "a read-only /run: no ADD begins, a DEL frees", read_only_run
    yield "a full /run: no ADD begins, a DEL frees", full_run
    yield "an emptied and full /run: no ADD begins, and it frees no live lease", unknown_in_full_run


if __name__ == "__main__":
    tap.main("delegate kill", tests, lambda: require(BINARY), sandbox.enter, fake_boots)
