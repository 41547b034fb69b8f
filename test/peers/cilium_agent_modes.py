"""Settings with which the real agent starts, but no pod does, or not with an address of ours; each with what `validate`
says of it. The node has no pods.
"""
import os

from cilium_agent_calls import calls_of
from cilium_agent_life import NO_MASQUERADING, known_to_agent
from cilium_agent_node import FAR4, FOUR
from cilium_agent_settings import config_map, errors_in
from uplink import NEAR

UPLINK = {"install-uplink-routes-for-delegated-ipam": "true"}
NAMED = "10.9.0.77"
# A delegate that knows about uplinks.
CLOUD = """#!/bin/sh
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{{"cniVersion": "0.3.1", "interfaces": [{{"name": "{near}"}}],
  "ips": [{{"version": "4", "address": "{address}/24", "gateway": "{gateway}", "interface": 0}}]}}'
"""


def again(node, change):
    """The agent starts again with the generated settings and these; returns the rules that they break, by validate."""
    node.agent.stop()
    node.agent.settings = {**node.generated, **change}
    node.agent.start()
    conf = node.conf()
    outer = {key: conf.pop(key) for key in ("cniVersion", "name")}
    return errors_in(node.node.home, config_map(node.agent.settings), {**outer, "plugins": [conf]})


def refused(node, change, words):
    rules = again(node, {**UPLINK, **change})
    made = node.sandbox()
    error = node.refused("ADD", made)
    assert words in error["msg"], error
    assert calls_of(node, made) == ["ADD", "DEL"] and node.node.addresses_of(made.container_id) == []
    assert rules == {"cilium-uplink-routes"}, rules


def named(node):
    """With an uplink that a delegate names, and no masquerading, the pod has its rule on the node."""
    with open(f"{node.path}/cloud", "w") as file:
        file.write(CLOUD.format(near=NEAR, address=NAMED, gateway=FAR4))
    os.chmod(file.name, 0o755)
    conf = node.conf(delegate={"type": "cloud"}, keepInterfaces=True)
    made, got = node.up(conf=conf)
    assert got == [NAMED] and NAMED in [rule.get("src") for rule in node.rules()], (got, node.rules())
    node.must("DEL", made, conf=conf)


def mode(node, name):
    """The agent hands out the address; of the pod we hear at its DEL only."""
    rules = again(node, {"ipam": name, "ipv4-range": FOUR})
    assert rules == {"cilium-mode"}, rules
    made, _ = node.up()
    assert calls_of(node, made) == [] and node.node.addresses_of(made.container_id) == []
    node.must("DEL", made)
    assert calls_of(node, made) == ["DEL"]
    known_to_agent(node)


STEPS = [
    ("uplink routes and masquerading (cilium-uplink-routes): every ADD fails", refused, {}, "empty cidrs"),
    ("uplink routes alone (cilium-uplink-routes): every ADD fails", refused, NO_MASQUERADING, "invalid mac"),
    ("uplink routes with a delegate that names the uplink: the pod is up", named),
    ("mode kubernetes (cilium-mode): the agent hands out the addresses, and we get DELs", mode, "kubernetes"),
    ("mode cluster-pool (cilium-mode): the same", mode, "cluster-pool"),
]
