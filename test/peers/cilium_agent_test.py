#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib:${0%/*}/../node" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The real Cilium agent and cilium-cni over the product, without a cluster: pods with the real datapath, set up by what
`generate cilium` writes; and what the agent says to settings that `validate` knows.

usage: cilium_agent_test.py [WORD ...]   (default: every story; else those whose names have one of the words)

Sandboxes that are gone without a DEL: cilium_agent_lost_test.py.
"""
import sys

import world

FOLDER = world.enter()

import charts
import cilium_agent
import cilium_agent_calls as calls
import cilium_agent_failures as failures
import cilium_agent_life as life
import cilium_agent_modes as modes
import cilium_agent_settings as settings
import peers
import tap
from cilium_agent_node import FOUR, SIX, AgentNode
from node import fake_boots
from plugin import BINARY, require


def twenty_pods(suite):
    def steps(node):
        yield "twenty pods come up by twenty ADDs, and the agent asks for nothing itself", life.come_up, node, 20
        yield "they reach each other and the node, and the node them", life.reach_each_other, node
        yield "outside they are seen as the node", life.reach_the_world, node
        for sentence, step in calls.STEPS:
            yield sentence, step, node
        yield "the agent is killed: pods are reached, a DEL comes to us, the others are restored", failures.killed, node
        yield "reboot without a DEL, newcomers first: 20 of 20", life.reboot, node, "never"
        yield "all of them reach each other and the node", life.reach_each_other, node
        yield "reboot, the agent late and with a limiter, DELs before the ADDs: 22 of 22", life.reboot_late, node
        yield "all of them reach each other, the node and outside", life.reach_all, node

    told(suite, "IPv4", steps, FOUR)


def two_families(suite):
    def steps(node):
        yield "six pods come up with both families", life.come_up, node, 6
        yield "they reach each other and the node, and the node them, by both families", life.reach_each_other, node
        yield "outside they are seen as the node, by both families", life.reach_the_world, node
        yield "reboot, DELs before the ADDs, newcomers first: 6 of 6", life.reboot, node, "before"
        yield "all of them reach each other, the node and outside by both families", life.reach_all, node

    told(suite, "both families", steps, FOUR, SIX)


def newer_family(suite):
    """And what a few pods are enough for. A DEL waits 42 s for an agent that has ended in order: meanwhile settings are
    tried on others."""
    def steps(node):
        down = []
        yield "three pods come up", life.come_up, node, 3
        yield "they reach each other and the node, and the node them", life.reach_each_other, node
        yield "outside they are seen as the node", life.reach_the_world, node
        yield "the agent ends in order; a DEL and an ADD wait for it", lambda: down.append(failures.Down(node))
        with settings.Bench(f"{FOLDER}/bench") as bench:
            yield from settings.tests(bench)
        yield "the DEL came to us, the ADD did not; the agent hears of it when it is back", lambda: down[0].end()
        yield "reboot, masquerading off, DELs after the ADDs: 3 of 3", life.reboot_unmasked, node
        yield "all of them reach each other and the node", life.reach_each_other, node
        yield "control: not masqueraded, they are heard by nobody outside", life.reach_nobody, node
        yield "masquerading on again: seen as the node, without a call of ours", life.masquerade_again, node

    told(suite, "IPv6 alone", steps, SIX)


def other_settings(suite):
    def steps(node):
        for sentence, step, *arguments in modes.STEPS:
            yield sentence, step, node, *arguments

    told(suite, "other settings", steps, FOUR)


def told(suite, name, steps, *subnets):
    """A story of one node, unless others are asked for."""
    if not any(word in name for word in sys.argv[1:] or [""]):
        return
    suite.name = f"cilium-agent {peers.version('cilium-agent')}, {name}"
    node = AgentNode(f"{FOLDER}/{name.replace(' ', '-')}", *subnets)
    if not suite.run("the agent comes up with the generated values", node.__enter__):
        return
    try:
        for sentence, step, *arguments in steps(node):
            suite.run(sentence, step, *arguments)
    finally:
        node.__exit__()


def untouched(before):
    after = cilium_agent.machine_settings()
    changed = {path: (before[path], after.get(path)) for path in before if before[path] != after.get(path)}
    assert not changed, changed


def tell(suite):
    before = cilium_agent.machine_settings()
    for story in (newer_family, twenty_pods, two_families, other_settings):
        story(suite)
    suite.name = f"cilium-agent {peers.version('cilium-agent')}"
    suite.run("no kernel setting of the machine has changed", untouched, before)
    peers.summary("cilium-agent", suite.count - suite.skipped, suite.failed)


if __name__ == "__main__":
    tap.story("cilium-agent", tell, lambda: require(BINARY), cilium_agent.require, charts.require,
              cilium_agent.keep_off, fake_boots)
