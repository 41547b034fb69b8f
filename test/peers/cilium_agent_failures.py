"""What goes wrong around the real agent: it is not there, or it knows a sandbox that is gone."""
from cilium_agent_calls import calls_of, with_ranges
from cilium_agent_life import known_to_agent
from cilium_node import queued
from race import wait_until

SINGLE = "10.9.2.0/30"  # one address

class Down:
    """The agent has ended in order, and calls wait for it: a DEL for 42 s, an ADD for 30. They are begun here and
    looked at by end(), so that something else can be done meanwhile."""

    def __init__(self, node):
        self.node = node
        self.pod, (self.made, self.got) = next(iter(node.pods.items()))
        node.agent.stop()
        self.deleting = node.start("DEL", self.made)
        self.waiting = node.sandbox("default/too-early")
        self.adding = node.start("ADD", self.waiting)

    def end(self):
        """The DEL came to us, and the agent is told when it is back; of the ADD nobody heard."""
        deleted, added = self.deleting.finish(), self.adding.finish()
        assert deleted.exit == 0, deleted
        assert added.exit != 0 and "unable to connect to Cilium agent" in added.json["msg"], added
        assert calls_of(self.node, self.made)[-1] == "DEL" and calls_of(self.node, self.waiting) == []
        assert self.node.node.addresses_of(self.made.container_id) == []
        assert any(self.made.container_id in one for one in queued()), queued()
        del self.node.pods[self.pod]
        self.node.agent.start()
        known_to_agent(self.node)
        assert self.node.start_pods([self.pod]) == {self.pod: self.got}
        known_to_agent(self.node)


def killed(node):
    """Without the agent the pods are reached. A DEL gives up on it at once, as its socket is there still, and comes to
    us. Back again, it restores the others without a call of ours, and hears of the one that is gone."""
    pod, (made, got) = next(iter(node.pods.items()))
    calls = node.called()
    node.agent.kill()
    node.reaches_all()
    node.must("DEL", made)
    assert any(made.container_id in one for one in queued()), queued()
    del node.pods[pod]
    node.agent.start()
    known_to_agent(node)
    assert node.called() == [*calls, ("DEL", made.container_id)], node.called()[len(calls):]
    assert node.start_pods([pod]) == {pod: got}
    node.reaches_all()


def lost_until_late_del(node):
    """A sandbox is gone without its DEL, and its pod comes again: the agent refuses its address to the new one, and the
    pod comes up with another. After the late DEL, the pod's next sandbox has its own again."""
    old, got = node.up()
    node.lose(old)
    refused(node)
    second, other = node.up()
    assert other != got, "the agent took it"
    old.netns = ""
    node.must("DEL", old)
    assert old.container_id not in node.agent.endpoints()
    node.must("DEL", second)
    last, home = node.up()
    assert home == got, (home, got)
    node.must("DEL", last)


def lost_until_collection(node):
    """There is no other address: the pod is refused until the agent's endpoint GC has found out."""
    conf = with_ranges(node, SINGLE)
    old, got = node.up(conf=conf)
    node.lose(old)
    for _ in range(2):
        refused(node, conf)
    wait_until(lambda: old.container_id not in node.agent.endpoints(), "the agent's endpoint GC does not find it")
    made, home = node.up(conf=conf)
    assert home == got, (home, got)
    node.must("DEL", made)


def refused(node, conf=None):
    made = node.sandbox()
    error = node.refused("ADD", made, conf=conf)
    assert "already in use" in error["msg"], error
    node.must("DEL", made, conf=conf)
