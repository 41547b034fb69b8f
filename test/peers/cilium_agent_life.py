"""A node's life under the real Cilium: pods come up and reach each other, the agent dies, the node reboots.

Each story is told of one node, one step after the other.
"""
import random
from concurrent.futures import ThreadPoolExecutor

from cilium_life import patiently_up
from cilium_node import pods
from race import wait_until

NO_MASQUERADING = {"enable-ipv4-masquerade": "false", "enable-ipv6-masquerade": "false",
                   "enable-bpf-masquerade": "false", "enable-ip-masq-agent": "false"}
# Cilium's own limiter takes one endpoint in two seconds, and lets a minute's worth of them wait.
LIMITED = {"api-rate-limit": "endpoint-create=auto-adjust:false,rate-limit:4/s,rate-burst:2,parallel-requests:2,"
                             "max-wait-duration:500ms"}
READY = "ready"
AT_ONCE = 8  # pods that a kubelet starts


def come_up(node, count):
    """By one ADD each; the agent takes our addresses, and asks for none itself."""
    got = node.start_pods(pods(count))
    addresses = [address for own in got.values() for address in own]
    assert len(set(addresses)) == len(addresses) == count * len(node.subnets), got
    assert [verb for verb, _ in node.called()] == ["ADD"] * count, node.called()
    known_to_agent(node)


def known_to_agent(node):
    """The agent knows our pods by our addresses, and nobody else; all of them are ready."""
    expected = {made.container_id: (READY, got) for made, got in node.pods.values()}
    last = {}

    def is_so():
        last.update(found=node.agent.endpoints())
        return last["found"] == expected

    wait_until(is_so, lambda: f"the agent has {last['found']}, expected {expected}")


def reach_each_other(node):
    print(f"# {node.reaches_all()} ways", flush=True)


def reach_the_world(node):
    """Outside nobody knows of pods: they are masqueraded as the node."""
    pod = next(iter(node.pods))
    for address, expected in zip(node.world, node.own):
        seen = node.seen_as(pod, address)
        assert seen == expected, f"{pod} is seen as {seen} by {address}"


def reach_all(node):
    reach_each_other(node)
    reach_the_world(node)


def reach_nobody(node):
    pod = next(iter(node.pods))
    heard = [address for address in node.world if node.seen_as(pod, address)]
    assert not heard, f"{pod} is heard by {heard}"


def reboot(node, when):
    """All pods come back in another order, with newcomers first. when: the DELs of their old sandboxes, "before",
    "after" or "never"."""
    before, node.pods = node.pods, {}
    node.reboot()
    node.start_pods(newcomers(node))
    if when == "before":
        delete(node, before)
    node.start_pods(another_order(before))
    if when == "after":
        delete(node, before)
    all_kept(node, before)


def reboot_unmasked(node):
    node.agent.settings.update(NO_MASQUERADING)
    reboot(node, "after")


def masquerade_again(node):
    node.agent.stop()
    for name in NO_MASQUERADING:
        node.agent.settings[name] = node.generated[name]
    calls = node.called()
    node.agent.start()
    known_to_agent(node)
    reach_the_world(node)
    assert node.called() == calls


def reboot_late(node):
    """The same, but the runtime is there before the agent, which then takes four endpoints a second: who would wait for
    more than half a second is refused, the address rolled back, and tries again, as kubelet does."""
    before, node.pods = node.pods, {}
    node.reboot(agent_is_up=False)
    node.agent.settings.update(LIMITED)
    asked = node.counted("ADD")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        order = newcomers(node) + another_order(before)
        coming = {pod: pool.submit(come_back, node, pod, before.get(pod)) for pod in order}
        node.agent.start()
        node.pods = {pod: come.result() for pod, come in coming.items()}
    refused = node.counted("ADD") - asked - len(node.pods)
    assert refused > 0, "the limiter refused nobody"
    print(f"# {refused} ADDs were refused", flush=True)
    all_kept(node, before)


def come_back(node, pod, old):
    """One pod: its old sandbox and its addresses, None for a newcomer; returns the new ones."""
    if old:
        node.must("DEL", old[0])
    return patiently_up(node, pod)


def all_kept(node, before):
    """Every pod has the addresses that it had, and nobody else any of them."""
    got = {pod: own for pod, (_, own) in node.pods.items()}
    kept = [pod for pod, (_, had) in before.items() if got[pod] == had]
    assert len(kept) == len(before), f"{len(kept)} of {len(before)} kept theirs: {before}, {got}"
    node.node.assert_in_use({made.container_id: own for made, own in node.pods.values()})
    known_to_agent(node)


def newcomers(node):
    """Two pods that nobody has seen."""
    number = node.counted("ADD")
    return [f"default/newcomer-{number}", f"default/newcomer-{number + 1}"]


def another_order(pods_before):
    return random.Random(len(pods_before)).sample(sorted(pods_before), len(pods_before))


def delete(node, pods_before):
    for made, _ in pods_before.values():
        node.must("DEL", made)
