"""A node's life under Cilium: reboots with many pods, and an agent that takes addresses for itself."""
import random
from concurrent.futures import ThreadPoolExecutor

import nsmount
import plugin
from cilium_node import DUAL, NETNS, pods
from fake_cilium import ROUTER6, Agent

INGRESS = "cilium-ingress-edge-1"
SMALL = [[{"subnet": "10.9.0.0/29"}]]  # five addresses for pods


def reboot(how, at):
    """Twenty pods come back, several at once and in another order, with strangers in between. how: when their old
    sandboxes are deleted. The agent refuses an address that two of them have.
    """
    chance = random.Random(20)
    with at(DUAL, agent=Agent(router6=ROUTER6)) as node:
        before = dict(for_all(lambda pod: (pod, node.up(pod)), pods(20)))
        node.reboot()
        order = chance.sample(sorted(before), len(before))
        for place in (0, 7):
            order.insert(place, f"default/stranger-{place}")
        after = dict(for_all(lambda pod: (pod, come_back(node, how, pod, before.get(pod))), order))
        changed = {pod: (got, after[pod][1]) for pod, (_, got) in before.items() if after[pod][1] != got}
        assert not changed, changed
        for made, (ipv4, ipv6) in after.values():
            assert made.links() == {"eth0": {f"{ipv4}/32", f"{ipv6}/128"}}
        node.node.assert_in_use({made.container_id: got for made, got in after.values()})


def come_back(node, how, pod, old):
    """One pod after the boot; old: its old sandbox and its addresses, None for a stranger. Returns the new ones."""
    if old and how == "before":
        node.must("DEL", old[0])
    new = node.up(pod)
    if old and how == "after":
        node.must("DEL", old[0])
    return new


def for_all(action, items):
    """The results of action(item) for all items, done by a few workers at a time."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(action, items))


def reboot_del_before(at):
    reboot("before", at)


def reboot_del_after(at):
    reboot("after", at)


def reboot_no_del(at):
    reboot("never", at)


def reboot_limited(at):
    """After the boot the agent's limiter refuses 16 ADDs of 36, of any pod and again and again: all keep theirs."""
    with at(DUAL, agent=Agent(router6=ROUTER6)) as node:
        before = dict(for_all(lambda pod: (pod, node.up(pod)), pods(20)))
        node.reboot()
        node.agent.limit(16)
        after = dict(for_all(lambda pod: (pod, patiently_up(node, pod)), sorted(before)))
        changed = {pod: (got, after[pod][1]) for pod, (_, got) in before.items() if after[pod][1] != got}
        assert not changed and not node.agent.refusals, changed
        node.node.assert_in_use({made.container_id: got for made, got in after.values()})


def patiently_up(node, pod):
    """What kubelet does: another sandbox after each that is refused."""
    while True:
        made = node.sandbox(pod)
        done = node.call("ADD", made)
        if done.exit == 0:
            made.result = done.json
            return made, sorted(done.addresses, key=lambda address: ":" in address)
        assert "too many" in done.stdout.lower() or "429" in done.stdout or "rate limit" in done.stdout, done
        node.must("DEL", made)


def agent_late(at):
    """After the boot the runtime is there before the agent: cilium-cni waits for it, in the DEL and in the ADD."""
    with at() as node:
        old, got = node.up()
        node.reboot(agent_is_up=False)
        made = node.sandbox()
        running = [node.start("DEL", old), node.start("ADD", made)]
        node.agent.start()
        deleted, added = [one.finish() for one in running]
        assert (deleted.exit, added.exit) == (0, 0), (deleted, added)
        assert added.addresses == got
        node.node.assert_in_use({made.container_id: got})


def ask(node, command, **conf):
    """The agent calls the product itself, for its ingress: a network namespace made for the call, gone right after."""
    netns = nsmount.make(f"{NETNS}/ephemeral")
    try:
        env = plugin.environment(command, INGRESS, netns=netns, path=node.path,
                                 args=plugin.pod_args("kube-system", INGRESS, "", INGRESS))
        done = plugin.run(plugin.BINARY, env, {**node.conf(), **conf})
    finally:
        nsmount.remove(netns)
    assert done.exit == 0, f"{command}: {done.stdout}"
    return done.addresses


def ingress(at):
    """The agent asks again whenever it starts, and gets what it has, in one boot and over a reboot."""
    with at() as node:
        node.up("default/web-0")
        address = ask(node, "ADD")
        node.up("default/web-1")
        assert ask(node, "ADD") == address
        node.reboot()
        assert ask(node, "ADD") == address
        node.up("default/web-2")
        assert ask(node, "ADD") == address
        node.node.assert_in_use({**in_use_but_ingress(node), INGRESS: address})
        ask(node, "DEL")
        ask(node, "DEL")
        assert node.node.addresses_of(INGRESS) == []


def ingress_under_pressure(at):
    """Its network namespace is always gone, and yet nobody takes its address: neither a pod in need, nor GC."""
    with at(SMALL, version="1.0.0") as node:
        address = ask(node, "ADD")
        lost, lost_got = node.up("default/web-0")
        for number in range(1, 4):
            node.up(f"default/web-{number}")
        node.lose(lost)
        for _ in range(2):  # there is no other address, and the agent knows the old endpoint still
            made = node.sandbox("default/needy")
            assert "already in use" in node.refused("ADD", made)["msg"]
            node.must("DEL", made)
        node.agent.collect(lost.container_id)
        assert node.up("default/needy")[1] == lost_got
        error = node.refused("ADD", node.sandbox("default/too-many"))
        assert "no IP addresses available" in error["msg"], error
        ask(node, "GC", **{"cniVersion": "1.1.0", "cni.dev/valid-attachments": []})
        assert node.node.addresses_of(INGRESS) == address
        assert ask(node, "ADD") == address


def in_use_but_ingress(node):
    """What the network folder says of everybody else: {container ID: addresses}."""
    found = {}
    for address, content in node.node.attachments().items():
        container_id = content.decode().split("\r\n")[0]
        if container_id != INGRESS:
            found.setdefault(container_id, []).append(address)
    return found


OLD = [
    ("reboot: twenty pods keep their addresses, each old sandbox deleted before the new one", reboot_del_before),
    ("reboot: DEL and ADD wait together for an agent that starts late, and the address is kept", agent_late),
]
NEW = [
    ("reboot: twenty pods keep their addresses, each old sandbox deleted after the new one", reboot_del_after),
    ("reboot: twenty pods keep their addresses, no old sandbox is ever deleted", reboot_no_del),
    ("reboot: twenty pods keep their addresses although the agent's limiter refuses 16 times", reboot_limited),
    ("an agent that asks for its ingress repeats ADD with one container ID: the same address each time", ingress),
]
