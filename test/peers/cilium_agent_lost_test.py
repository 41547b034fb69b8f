#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib:${0%/*}/../node" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The real Cilium agent over sandboxes that are gone without a DEL, in one boot. Their deaths are proven only where the
initial PID namespace is seen: so not in a world, as cilium_agent_test.py.

usage: cilium_agent_lost_test.py
"""
import tempfile

import sandbox

sandbox.enter()

import charts
import cilium_agent
import cilium_agent_failures
import peers
import tap
from cilium_agent_node import FOUR, AgentNode
from node import fake_boots
from plugin import BINARY, require

# The agent's own five minutes, made short. It takes an endpoint away that it has missed twice.
COLLECTION = {"endpoint-gc-interval": "12s"}


def tell(suite):
    suite.name = f"cilium-agent {peers.version('cilium-agent')}, a sandbox that is gone without its DEL"
    with tempfile.TemporaryDirectory(dir="/var/lib/cni") as folder:
        node = AgentNode(f"{folder}/node", FOUR, **COLLECTION)
        if not suite.run("the agent comes up", node.__enter__):
            return
        try:
            suite.run("the agent refuses its address, and the pod comes up with another, until the late DEL",
                      cilium_agent_failures.lost_until_late_del, node)
            suite.run("there is no other address: it is refused until the agent's endpoint GC",
                      cilium_agent_failures.lost_until_collection, node)
        finally:
            node.__exit__()


if __name__ == "__main__":
    tap.story("cilium-agent", tell, lambda: require(BINARY), cilium_agent.require, charts.require,
              sandbox.need_initial_pid_namespace, cilium_agent.keep_off, fake_boots)
