"""What the real agent says to odd calls of cilium-cni, and to odd configurations; what is left of them.

All are told of one node, which is as before at the end of each.
"""
import plugin
from cilium_agent_life import known_to_agent
from cilium_agent_node import FOUR

SECOND = "10.9.1.0/24"


def second_add(node):
    """A second ADD of one sandbox: cilium-cni takes its link away and asks us, who answer the same; but the agent has
    the endpoint already. The sandbox keeps its address until its DEL."""
    made, got = node.up("default/twice")
    error = node.refused("ADD", made)
    assert "already exists" in error["msg"], error
    assert node.called()[-2:] == [("ADD", made.container_id), ("DEL", made.container_id)]
    assert node.node.addresses_of(made.container_id) == got
    node.must("DEL", made)
    gone(node, made)


def chaining_mode(node):
    """First in the list, cilium-cni asks us at ADD whatever the mode; at DEL it does not, and the address stays."""
    left_at_del(node, {"chaining-mode": "generic-veth"})


def chaining_name(node):
    left_at_del(node, {"name": "flannel"})


def left_at_del(node, change):
    made = node.sandbox("default/chained")
    conf = {**with_ranges(node, SECOND), **change}
    node.add(made, conf=conf)
    node.call("DEL", made, conf=conf)
    assert calls_of(node, made) == ["ADD"], calls_of(node, made)
    ours = plugin.run(plugin.BINARY, *node.request("DEL", made, conf=conf))
    assert ours.exit == 0, ours
    node.must("DEL", made)
    gone(node, made)


def with_ranges(node, *subnets):
    """The node's configuration with one set of ranges for each of these."""
    conf = node.conf()
    delegate = {**conf["ipam"]["delegate"], "ranges": [[{"subnet": one}] for one in subnets]}
    return {**conf, "ipam": {**conf["ipam"], "delegate": delegate}}


def calls_of(node, made):
    return [verb for verb, container_id in node.called() if container_id == made.container_id]


def not_first(node):
    made = node.sandbox("default/second")
    previous = {"cniVersion": "0.3.1", "interfaces": [], "ips": []}
    error = node.refused("ADD", made, conf={**node.conf(), "prevResult": previous})
    assert "not in chaining mode" in error["msg"], error
    gone(node, made, asked=False)


def foreign_key(node):
    made = node.sandbox("default/keys")
    error = node.refused("ADD", made, conf=node.conf(pool="blue"))
    assert "unable to parse CNI configuration" in error["msg"], error
    gone(node, made, asked=False)


def no_ipam(node):
    conf = node.conf()
    del conf["ipam"]
    made = node.sandbox("default/none")
    error = node.refused("ADD", made, conf=conf)
    assert "no plugin name provided" in error["msg"], error
    gone(node, made, asked=False)


def two_of_a_family(node):
    """The pod has the last address; the other one is taken until the DEL."""
    conf = with_ranges(node, FOUR, SECOND)
    made = node.sandbox("default/both")
    got = node.add(made, conf=conf)
    taken = node.node.addresses_of(made.container_id)
    assert len(got) == 1 and got[0].startswith("10.9.1.") and len(taken) == 2, (got, taken)
    assert node.agent.endpoints()[made.container_id][1] == got
    node.must("DEL", made, conf=conf)
    gone(node, made)


def gone(node, made, asked=True):
    """Nothing is left of a sandbox, which is removed; asked: whether we were."""
    assert node.node.addresses_of(made.container_id) == []
    assert bool(calls_of(node, made)) == asked
    node.lose(made)
    known_to_agent(node)


STEPS = [
    ("a second ADD of one sandbox is refused, and it keeps its address until its DEL", second_add),
    ("a chaining mode (cilium-chaining): no DEL reaches us", chaining_mode),
    ("a network named as a chaining mode (cilium-chaining-name): no DEL reaches us", chaining_name),
    ("cilium-cni behind another plugin (cilium-not-first): refused", not_first),
    ("a key of Cilium's own below ipam (cilium-ipam-key): refused", foreign_key),
    ("no ipam (cilium-no-ipam): refused", no_ipam),
    ("two ranges of one family (cilium-two-of-a-family): the pod has the last, both are taken", two_of_a_family),
]
