"""A node's life under Flannel: pods come and go, reboots, another subnet, moving over from host-local and back."""
import random
from concurrent.futures import ThreadPoolExecutor

from cilium_node import POD, pods
from flannel_node import FIRST, FIRST6, NETWORK, NETWORK6, OTHER


def life(at):
    """ADD and DEL reach us through bridge, with ranges and routes that Flannel puts in; CHECK does not."""
    for version in ("0.3.1", "0.4.0"):
        with at(version=version) as node:
            made, got = node.up()
            assert got == ["10.244.1.2"] and made.links() == {"eth0": {"10.244.1.2/24"}}, made.links()
            assert node.bridge_addresses() == {"10.244.1.1/24"} and node.default_gateway(made) == "10.244.1.1"
            assert NETWORK in [route["dst"] for route in made.result["routes"]], made.result
            noted = node.noted()[made.container_id]
            assert noted["ipam"]["type"] == "delegated-ipam" and noted["ipam"]["delegate"] == {"type": "host-local"}
            assert noted["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]], noted
            if version == "0.4.0":
                node.must("CHECK", made)
            node.must("DEL", made)
            node.must("DEL", made)
            assert made.links() == {} and node.noted() == {}
            assert node.called() == [("ADD", made.container_id), ("DEL", made.container_id)]
            node.check_free(got)


def dual_stack(at):
    """One address of each family, on the link, and kept over a reboot."""
    with at(FIRST, FIRST6, version="0.4.0") as node:
        made, got = node.up()
        assert got == ["10.244.1.2", "fd00:244:0:1::2"]
        assert made.links() == {"eth0": {"10.244.1.2/24", "fd00:244:0:1::2/64"}}
        assert {NETWORK, NETWORK6} <= {route["dst"] for route in made.result["routes"]}, made.result
        node.reboot(FIRST, FIRST6)
        node.up("default/stranger")
        node.must("DEL", made)
        assert node.up()[1] == got


def made_again(at):
    """A pod that others talk to is deleted and made again, under Flannel over bridge: they reach it at once."""
    with at(FIRST, FIRST6, version="0.4.0") as node:
        node.up("default/neighbour")
        for _ in range(2):
            made, got = node.up()
            assert got == ["10.244.1.3", "fd00:244:0:1::3"], got
            node.must("DEL", made)


def family_comes(at):
    """The node's second family comes with a new subnet.env: the pod keeps its first address, and gets a second."""
    with at(FIRST, version="0.4.0") as node:
        made, got = node.up()
        node.reboot(FIRST, FIRST6)
        node.must("DEL", made)
        both, addresses = node.up()
        assert addresses == [*got, "fd00:244:0:1::2"]
        node.reboot(FIRST)
        node.must("DEL", both)
        assert node.up()[1] == got


def reboot(how, at):
    """Twenty pods come back, several at once, in another order, strangers in between. how: when the old sandboxes
    are deleted. As long as flanneld has not written subnet.env nobody reaches us.
    """
    chance = random.Random(24)
    with at() as node:
        before = dict(for_all(lambda pod: (pod, node.up(pod)), pods(20)))
        node.reboot()
        asked = len(node.called())
        assert "subnet.env: no such file" in node.refused("ADD", node.sandbox(chance.choice(sorted(before))))
        assert len(node.called()) == asked
        node.lease(FIRST)
        order = chance.sample(sorted(before), len(before))
        for place in (0, 7):
            order.insert(place, f"default/stranger-{place}")
        after = dict(for_all(lambda pod: (pod, come_back(node, how, pod, before.get(pod))), order))
        changed = {pod: (got, after[pod][1]) for pod, (_, got) in before.items() if after[pod][1] != got}
        assert not changed, changed
        for made, (address,) in after.values():
            assert made.links() == {"eth0": {f"{address}/24"}}
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


def notes_lost(at):
    """Flannel's notes did not survive the boot: no DEL reaches us, and the pods have their addresses all the same."""
    with at() as node:
        before = {pod: node.up(pod) for pod in pods(4)}
        for made, _ in before.values():
            node.drop_note(made)
        node.reboot(FIRST)
        after = {}
        for pod, (made, got) in reversed(before.items()):
            node.must("DEL", made)
            after[pod], again = node.up(pod)
            assert again == got, (pod, got, again)
        assert "DEL" not in [verb for verb, _ in node.called()]
        node.node.assert_in_use({after[pod].container_id: got for pod, (_, got) in before.items()})


def other_subnet(at):
    """The node comes back under another subnet: addresses from there; old sandboxes are deleted; and back again."""
    with at() as node:
        made, got = node.up()
        node.reboot(OTHER)
        moved, there = node.up()
        assert there == ["10.244.7.2"] and moved.links() == {"eth0": {"10.244.7.2/24"}}
        node.must("DEL", made)
        node.node.assert_in_use({moved.container_id: there})
        node.reboot(FIRST)
        node.up("default/stranger")
        node.must("DEL", moved)
        assert node.up()[1] == got
        assert "10.244.7.2" not in node.node.attachments()


def subnet_changed_alive(at):
    """Another subnet without a reboot: bridge refuses, and its roll-back leaves nothing; with forceAddress it goes."""
    with at() as node:
        made, got = node.up()
        node.lease(OTHER)
        refused = node.sandbox("default/late")
        assert "already has an IP address different from" in node.refused("ADD", refused)
        node.node.assert_in_use({made.container_id: got})
        node.must("DEL", refused)
        node.configure(delegate={**node.main["delegate"], "forceAddress": True})
        late, address = node.up("default/late")
        assert address == ["10.244.7.2"] and node.bridge_addresses() == {"10.244.7.1/24"}
        node.must("DEL", made)
        node.node.assert_in_use({late.container_id: address})


def moved_over_and_back(at):
    """From host-local with pods running, each keeps its address over the reboot; and back to host-local, likewise
    with pods running: every address stays its pod's until the DEL, and is free afterwards.
    """
    with at(type="host-local", retain=None) as node:
        before = {pod: node.up(pod) for pod in pods(5)}
        node.configure_ipam(type="delegated-ipam")
        new = node.up("default/new")
        node.must("DEL", before["default/web-4"][0])  # its note names host-local
        assert "default/web-4" in [binding.owner for binding in node.node.bindings().values()], node.node.bindings()
        node.reboot(FIRST)
        after = {"default/new": node.up("default/new")}
        assert after["default/new"][1] == new[1]
        for pod, (made, got) in before.items():
            node.must("DEL", made)
            after[pod] = node.up(pod)
            assert after[pod][1] == got, (pod, got, after[pod][1])
        node.must("DEL", new[0])
        node.configure_ipam(type="host-local")
        late, address = node.up("default/late")
        assert address not in [got for _, got in after.values()]
        for made, _ in after.values():
            node.must("DEL", made)  # by us: the notes say so
        node.must("DEL", late)
        assert node.node.attachments() == {} and node.noted() == {}


def host_local_forgets(at):
    """What all this is for: the same reboot with host-local itself gives the pod another address."""
    with at(type="host-local") as node:
        made, got = node.up()
        node.reboot(FIRST)
        node.must("DEL", made)
        assert node.up(POD)[1] != got


CASES = [
    ("ADD and DEL through bridge, ranges and routes from subnet.env", life),
    ("dual stack: both addresses are kept over a reboot", dual_stack),
    ("a pod deleted and made again has both addresses, and is reached at once by who had talked to it", made_again),
    ("a second family comes and goes with subnet.env: the first address stays", family_comes),
    ("reboot: no subnet.env at first, then twenty pods keep their addresses, each deleted before", reboot_del_before),
    ("reboot: the same, each old sandbox deleted after the new one", reboot_del_after),
    ("reboot: the same, no old sandbox is ever deleted", reboot_no_del),
    ("reboot: Flannel's notes are gone, and the addresses are kept", notes_lost),
    ("another subnet after a reboot: addresses from there, old sandboxes are released, and back", other_subnet),
    ("another subnet without a reboot: bridge refuses, and nothing is left over", subnet_changed_alive),
    ("moved over from host-local with pods running, a reboot, and back", moved_over_and_back),
    ("host-local itself gives another address after a reboot", host_local_forgets),
]
