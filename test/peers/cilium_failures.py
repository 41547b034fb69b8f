"""What goes wrong around cilium-cni: its agent is down or refuses, it is killed itself, a DEL fails."""
import os
import signal

from cilium_node import DUAL, queued
from fake_cilium import ROUTER6, Agent
from flannel_chain import let_clock_pass, stat_of
from race import lock_held, waiting_for_lock, wait_until

# A delegate whose DEL fails as often as there are files named `failing*` beside it; otherwise it is host-local.
SHAKY = """#!/bin/sh
for one in {folder}/failing*; do
  [ "$CNI_COMMAND" = DEL ] && [ -e "$one" ] || continue
  rm "$one"
  echo '{{"code": 11, "msg": "the pool is busy"}}'
  exit 1
done
exec {host_local}
"""


def agent_killed(at):
    """The agent is dead, its socket is still there: cilium-cni writes the deletion down, and calls our DEL."""
    with at(DUAL, agent=Agent(router6=ROUTER6)) as node:
        made, got = node.up()
        node.agent.kill()
        node.must("DEL", made)
        assert any(made.container_id in one for one in queued()), queued()
        assert made.links() == {} and (made.container_id, "eth0") in node.agent.endpoints
        node.node.assert_in_use({})
        node.agent.start()
        node.agent.endpoints.clear()  # the agent has read the queue
        node.check_free(got)


def refused_endpoint(at):
    """The last step of an ADD fails: cilium-cni's roll-back DEL frees the address, which is held for the retry."""
    with at() as node:
        made = node.sandbox()
        node.agent.refusals += [(500, "cannot build the endpoint"), (429, "too many")]
        for _ in range(2):
            error = node.refused("ADD", made)
            assert "endpoint" in error["msg"], error
            node.node.assert_in_use({})
        assert node.add(made) == ["10.9.0.2"]
        assert [verb for verb, _ in node.called()] == ["ADD", "DEL", "ADD", "DEL", "ADD"]
        node.node.assert_in_use({made.container_id: ["10.9.0.2"]})


def refused_again(at):
    """A second ADD of one sandbox is refused by the agent, which has it already, and taken back by a DEL: the sandbox
    has its address until its own DEL."""
    with at([[{"subnet": "10.9.0.0/30"}]]) as node:  # one address
        made, got = node.up()
        assert "already exists" in node.refused("ADD", made)["msg"]
        stranger = node.sandbox("default/stranger")
        assert "no IP addresses available" in node.refused("ADD", stranger)["msg"]
        node.must("DEL", made)
        assert node.add(stranger) == got


def old_endpoint(at):
    """An agent that restores the old sandbox's endpoint refuses its address to the new one until it has read its
    queue. Newcomers meanwhile do not get the address that the pod waits for.
    """
    with at() as node:
        old, got = node.up()
        endpoints = dict(node.agent.endpoints)
        node.must("DEL", old)
        node.agent.endpoints.update(endpoints)
        strangers = {}
        for number in range(2):
            made = node.sandbox()
            error = node.refused("ADD", made)
            assert "already in use" in error["msg"], error
            node.must("DEL", made)
            stranger, address = node.up(f"default/stranger-{number}")
            strangers[stranger.container_id] = address
            node.node.assert_in_use(strangers)
        del node.agent.endpoints[old.container_id, "eth0"]
        assert node.up()[1] == got


def lost_sandbox(at):
    """The runtime never sends the DEL of the old sandbox (it gave up on another plugin of the chain), and the agent has
    its endpoint still: the pod comes up with another address, and is at its own again after the late DEL.
    """
    with at(DUAL, agent=Agent(router6=ROUTER6)) as node:
        old, got = node.up()
        node.lose(old)
        made = node.sandbox()
        error = node.refused("ADD", made)
        assert "already in use" in error["msg"], error
        node.must("DEL", made)
        node.node.assert_in_use({})
        second, other = node.up()
        assert not set(other) & set(got), f"{got} again"
        stranger, address = node.up("default/stranger")
        assert not set(address) & set(got)
        node.must("DEL", second)
        assert node.up("default/web-0")[1] == other
        old.netns = ""
        node.must("DEL", old)
        third = next(one for one in node.sandboxes if one.result and one.pod == "default/web-0" and one is not second)
        node.must("DEL", third)
        last, home = node.up()
        assert home == got, (home, got)
        node.node.assert_in_use({stranger.container_id: address, last.container_id: got})


def killed_in_add(at):
    """cilium-cni is killed while we wait for the lock; we go on after the DEL has been answered, and give up."""
    with at() as node:
        before, got = node.up()
        node.must("DEL", before)
        made = node.sandbox()
        with lock_held(node.node):
            running = node.start("ADD", made)
            orphan, = wait_until(lambda: waiting_for_lock(node.node), "nobody waits for the lock")
            running.kill()
            os.kill(orphan, signal.SIGSTOP)
            wait_until(lambda: stat_of(orphan)[0] == "T", "the orphan does not stop")
            let_clock_pass(orphan)
        node.must("DEL", made)
        os.kill(orphan, signal.SIGCONT)
        wait_until(lambda: stat_of(orphan)[0] in ("gone", "Z"), "the orphan does not end")
        assert "DEL came after this ADD" in node.log(), node.log()
        node.check_free(got)


def killed_after_add(at):
    """cilium-cni is killed when it has our answer and waits for the agent: the DEL that follows frees the address."""
    with at() as node:
        made = node.sandbox()
        with node.agent.paused("PUT"):
            running = node.start("ADD", made)
            wait_until(lambda: node.agent.puts(made.container_id), "the agent is not asked")
            running.kill()
        node.node.assert_in_use({made.container_id: ["10.9.0.2"]})
        node.must("DEL", made)
        node.check_free(["10.9.0.2"])


def failing_del(at):
    """Our DEL's error reaches the runtime, which asks again; the pod keeps its link and its address until then."""
    with at(ranges=None, delegate={"type": "shaky"}) as node:
        shaky = f"{node.path}/shaky"
        with open(shaky, "w") as file:
            file.write(SHAKY.format(folder=node.path, host_local=node.newest("host-local")))
        os.chmod(shaky, 0o755)
        made, got = node.up()
        for number in range(2):
            with open(f"{node.path}/failing{number}", "w"):
                pass
        for _ in range(2):
            error = node.refused("DEL", made)
            assert (error["code"], error["msg"]) == (11, "the pool is busy"), error
            assert made.links() == {"eth0": {f"{got[0]}/32"}}
            node.node.assert_in_use({made.container_id: got})
        node.must("DEL", made)
        assert made.links() == {}
        node.node.assert_in_use({})


OLD = [
    ("the agent is dead: DEL succeeds, the endpoint's deletion is written down, the address is freed", agent_killed),
    ("the agent refuses the endpoint: the roll-back DEL frees the address, and the retry gets it", refused_endpoint),
    ("the agent refuses a second ADD: the sandbox has its address until its own DEL", refused_again),
    ("the agent refuses the address until its old endpoint is gone: the retries converge on it", old_endpoint),
    ("a killed cilium-cni: its orphaned ADD meets the DEL and gives up, nothing is left", killed_in_add),
    ("a cilium-cni killed while it waits for the agent: the DEL frees the address", killed_after_add),
    ("a DEL of ours that fails reaches the runtime, and a later one succeeds", failing_del),
]
NEW = []
