#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Kills the plugin at each of its system calls and looks at what is left, from the outside."""
import sandbox
import tap
import trace
from node import fake_boots
from plugin import BINARY, require
from scenarios import POD, SCENARIOS, TARGET, Stage
from scenarios import come_back, host_local_empties, neighbours, others_return

KILLED = -9


def positions(scenario):
    """Every (system call, occurrence) of one undisturbed run, after the execve that starts it."""
    with Stage(scenario) as node:
        outcome, calls, _ = trace.run(node.binary, *scenario.request(node))
    assert outcome.exit == 0, f"undisturbed {scenario.sentence}: {outcome}"
    return [(call.name, call.occurrence) for call in calls if call.name != "execve"]


def kill_at(node, scenario, position):
    """Kill one run there; returns the addresses that it had acknowledged, [] if none."""
    name, occurrence = position
    outcome, _, text = trace.inject(node.binary, *scenario.request(node), name, occurrence, "signal=KILL")
    assert outcome.exit == KILLED, f"the call was not reached: {outcome}\n{text[-2000:]}"
    node.assert_sound()
    return outcome.addresses if outcome.stdout else []


def assert_acknowledged(node, scenario, acknowledged):
    """What was answered is on disk, and is the pod's own address."""
    if acknowledged:
        assert node.addresses_of(TARGET) == sorted(acknowledged), f"answered {acknowledged}: {node.attachments()}"
        assert not scenario.home or acknowledged == scenario.home, f"answered {acknowledged}"


def give_up(node, scenario, acknowledged):
    """What a runtime does after a crash: DEL, then the pod again in a new sandbox."""
    bystanders = neighbours(node.attachments())
    assert_acknowledged(node, scenario, acknowledged)
    node.delete(TARGET, POD)
    assert not node.addresses_of(TARGET), f"DEL left {node.attachments()}"
    come_back(node, acknowledged or scenario.home)
    assert neighbours(node.attachments()) == bystanders, "a neighbour lost its address"


def try_again(node, scenario, acknowledged):
    """The same command once more; for an ADD the answer, once given, stays."""
    bystanders = neighbours(node.attachments())
    if scenario.command == "DEL":
        got = come_back(node, [] if node.addresses_of(TARGET) else scenario.home)
        node.delete(TARGET, POD)
        assert node.addresses_of("c-next") == sorted(got), "a late DEL took the new sandbox's address"
    else:
        got = node.add(TARGET, POD)
        assert got == (acknowledged or scenario.home or got), f"answered {acknowledged}, then {got}"
        assert node.addresses_of(TARGET) == sorted(got), f"answered {got}: {node.attachments()}"
        node.delete(TARGET, POD)
        come_back(node, got)
    assert neighbours(node.attachments()) == bystanders, "a neighbour lost its address"


def every_position(scenario):
    """Both follow-ups after a kill at every position; raises one error that lists all broken positions."""
    broken = []
    places = positions(scenario)
    for place in places:
        for follow_up in (give_up, try_again):
            try:
                with Stage(scenario) as node:
                    follow_up(node, scenario, kill_at(node, scenario, place))
                    if scenario.prepare.__name__ == "full_of_held":
                        others_return(node)
                    host_local_empties(node)
            except AssertionError as error:
                broken.append(f"{place[0]} number {place[1]}, {follow_up.__name__}: {error}")
    print(f"# {scenario.sentence}: killed at {len(places)} system calls, {len(broken)} of {2 * len(places)} broken")
    assert not broken, "\n".join(broken)


def tests():
    for scenario in SCENARIOS:
        sentence = f"{scenario.sentence}, killed at any system call, leaves nothing broken and loses nothing answered"
        yield sentence, every_position, scenario


if __name__ == "__main__":
    tap.main("kill", tests, sandbox.enter, fake_boots, lambda: require(BINARY))
