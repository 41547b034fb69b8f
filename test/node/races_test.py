#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Races for an address (R1 to R6): calls that come in odd orders, at the same time, late, twice or never.

There is no R14 here: it is about a delegate that is a program of its own, and those are not run yet.
"""
import race
import sandbox
import tap
from crowd import SEED, adds, all_at_once, assert_exhausted, assert_refused, dels, node_at, pod, small
from live_netns import Namespace
from main_plugin import MainPlugin, let_a_tick_pass
from node import fake_boots, new_boot
from plugin import BINARY, require

POD = "shop/web-0"


def del_before_add():
    """A reboot: pods' DELs before their ADDs, all interleaved, with newcomers between one and the other."""
    node = node_at("r1")
    first = {number: node.add(f"old-{number}", pod(number)) for number in range(16)}
    early, late, new = range(8), range(8, 16), range(100, 108)
    new_boot()
    all_at_once(node, dels(node, "old", early))
    live = all_at_once(node, adds(node, "new", early) + dels(node, "old", late) + adds(node, "new", new[:4]))
    live.update(all_at_once(node, adds(node, "new", late) + adds(node, "new", new[4:])))
    assert {number: live[f"new-{number}"] for number in first} == first
    node.assert_in_use(live)


def one_pod_leaves_others_come():
    """Every free address goes to others between DEL and ADD; the pod's own, which would be next in turn, does not."""
    node = node_at("r1-held", small(2, 9))
    home = node.add("old", POD)
    for number in range(7):
        node.add(f"lap-{number}")
        node.delete(f"lap-{number}")
    node.delete("old", POD)
    live = all_at_once(node, adds(node, "new", range(100, 107)))
    live["new"] = node.add("new", POD)
    assert live["new"] == home
    node.assert_in_use(live)


def orphan():
    """Killed while it has not called us yet; its DEL has been answered when it does."""
    node = node_at("r2")
    neighbour = {"neighbour": node.add("neighbour", "shop/neighbour")}
    before = node.bindings()
    for name in (POD, None):
        with MainPlugin(node, "c-1", name) as late:
            late.kill()
            node.delete("c-1", name)
            assert_refused(late.go_on(), "c-1", "DEL")
        node.assert_in_use(neighbour)
    assert node.bindings() == before, "the refused ADD left a binding"


def orphan_of_a_parent_that_lives():
    """A main plugin that nobody killed, but whose DEL came first all the same."""
    node = node_at("r2-alive")
    neighbour = {"neighbour": node.add("neighbour", "shop/neighbour")}
    with MainPlugin(node, "c-1", POD) as late, MainPlugin(node, "c-2", POD) as other:
        let_a_tick_pass()
        other.kill()
        node.delete("c-1", POD)
        assert_refused(late.go_on(), "c-1")
        node.assert_in_use(neighbour)
        got = other.go_on()
        assert got.exit == 0, f"no DEL came for this one: {got}"
        node.assert_in_use({**neighbour, "c-2": got.addresses})


def orphan_on_a_new_node():
    """The first ADD ever: there is no network folder yet when its DEL comes."""
    node = node_at("r2-first")
    with MainPlugin(node, "c-1", POD) as late:
        late.kill()
        node.delete("c-1", POD)
        assert_refused(late.go_on(), "c-1")
    node.assert_in_use({})


def fresh_add_after_del():
    """The same container ID again, as podman does, at once; and by a main plugin that starts after the DEL."""
    node = node_at("r2-fresh")
    home = node.add("old", POD)
    node.delete("old", POD)
    with MainPlugin(node, "c-1", POD) as late:
        late.kill()
        node.delete("c-1", POD)
        with MainPlugin(node, "c-1", POD) as fresh:
            assert_refused(late.go_on(), "c-1")
            node.assert_in_use({})
            assert fresh.go_on().addresses == home
    node.assert_in_use({"c-1": home})
    node.delete("c-1", POD)
    assert node.add("c-1", POD) == home
    node.assert_in_use({"c-1": home})


def orphan_of_a_known_attachment():
    """A repeated ADD that is overtaken by the DEL of what the first one had reserved."""
    node = node_at("r2-known")
    home = node.add("c-1", POD)
    with MainPlugin(node, "c-1", POD) as late:
        late.kill()
        node.delete("c-1", POD)
        assert_refused(late.go_on(), "c-1")
    node.assert_in_use({})
    assert node.add("c-1", POD) == home


def waiting_add():
    """An ADD that waits for the lock while its DEL, which cannot have it either, is answered."""
    node = node_at("r2-lock")
    neighbour = {"neighbour": node.add("neighbour", "shop/neighbour")}
    with race.lock_held(node):
        (waiting,) = race.held_at_lock(node, [node.request("ADD", "c-1", POD)])
        node.delete("c-1", POD, timeoutSeconds=1)
    assert_refused(waiting.finish(), "c-1")
    node.assert_in_use(neighbour)
    assert node.add("c-1", POD)


def del_before_the_answer():
    """The DEL comes between the ADD's lock and its answer, and another pod has the address by then."""
    node = node_at("r2-between", small(2, 2))
    with race.Stopped(node, "ADD", "c-1", POD, "fsync") as add:
        assert len(node.addresses_of("c-1")) == 2
        node.delete("c-1", POD)
        other = node.add("c-other", "shop/other")
        assert_refused(add.resume(), "c-1", "deleted meanwhile")
    node.assert_in_use({"c-other": other})
    assert {binding.owner for binding in node.bindings().values()} == {"shop/other"}


def late_dels():
    """Once, twice, thrice and three at once after the ADD of the new sandbox."""
    node = node_at("r3")
    home = node.add("old", POD)
    node.delete("old", POD)
    new_boot()
    assert node.add("new", POD) == home
    entries, records = node.entries(), node.records()
    for _ in range(3):
        node.delete("old", POD)
    all_at_once(node, dels(node, "old", [0] * 3) + [node.request("DEL", "old", POD)] * 3)
    assert (node.entries(), node.records()) == (entries, records), "a late DEL changed something"
    node.assert_in_use({"new": home})


def del_races_add():
    """DEL of the old and ADD of the new sandbox at the same time, again and again: no address is shared or lost."""
    node = node_at("r3-race", small(2, 4))
    got, kept = node.add("c-0", POD), 0
    for number in range(1, 21):
        before = got
        live = all_at_once(node, [node.request("DEL", f"c-{number - 1}", POD), node.request("ADD", f"c-{number}", POD)])
        got = live[f"c-{number}"]
        node.assert_in_use(live)
        assert all(node.bindings()[address].owner == POD for address in got)
        kept += got == before
    print(f"# {kept} of 20 rounds: the DEL was first and the address is kept; else the pod moved")


def failing_adds():
    """The main plugin fails after us: DEL by it, DEL by the runtime, a new sandbox; strangers in between."""
    node = node_at("r4", small(2, 9))
    home, strangers = node.add("c-0", POD), {}
    for number in range(10):
        node.delete(f"c-{number}", POD)
        all_at_once(node, [node.request("DEL", f"c-{number}", POD)] + adds(node, "new", [100 + number])[:number < 7])
        strangers = {name: node.addresses_of(name) for name in (f"new-{100 + n}" for n in range(min(number + 1, 7)))}
        assert node.add(f"c-{number + 1}", POD) == home, f"attempt {number + 1}"
        node.assert_in_use({**strangers, f"c-{number + 1}": home})
    records = len(node.records())
    node.delete("c-10", POD)
    assert node.add("c-11", POD) == home and len(node.records()) == records, "records pile up"


def nearly_full_boot():
    """29 addresses: 17 owners return, 3 stay away, 12 strangers come, all at once."""
    node = node_at("r5", small(2, 30))
    first = {number: node.add(f"old-{number}", pod(number)) for number in range(20)}
    absent, owners, strangers = (7, 3, 11), set(range(20)) - {7, 3, 11}, range(100, 112)
    new_boot()
    for number in (*absent, *owners):
        node.delete(f"old-{number}", pod(number))
    live = all_at_once(node, adds(node, "new", owners) + adds(node, "new", strangers))
    assert {number: live[f"new-{number}"] for number in owners} == {number: first[number] for number in owners}
    node.assert_in_use(live)
    bound = {binding.owner for binding in node.bindings().values()}
    assert bound == {pod(number) for number in (*owners, *strangers)}, bound
    assert_exhausted(node.call("ADD", "new-more", "shop/more"))
    node.assert_in_use(live)


def oldest_held_last():
    """Never-used addresses first, then held ones in the order of their DELs."""
    node = node_at("r5-order", small(2, 7))
    first = {number: node.add(f"old-{number}", pod(number)) for number in range(4)}
    order = (2, 0, 3, 1)
    for number in order:
        node.delete(f"old-{number}", pod(number))
    got = [node.add(f"new-{number}", pod(number)) for number in range(100, 106)]
    assert got == [["10.9.0.6", "fd00:9::6"], ["10.9.0.7", "fd00:9::7"]] + [first[number] for number in order], got


def dels_never_come():
    """A reboot without a single DEL: all pods at once, in new sandboxes, take their own addresses over."""
    node = node_at("r6")
    first = {number: node.add(f"old-{number}", pod(number)) for number in range(12)}
    new_boot()
    live = all_at_once(node, adds(node, "new", [*range(12), *range(100, 106)]))
    assert {number: live[f"new-{number}"] for number in first} == first
    node.assert_in_use(live)


def leaks_of_two_boots():
    """A full range: the leak of the oldest boot goes first, what lives is never taken, then the range is exhausted."""
    node = node_at("r6-boots", small(2, 10))
    leaks = {}
    for boot, numbers in enumerate((range(5, 8), range(0, 3))):
        leaks[boot] = [node.add(f"old-{number}", pod(number)) for number in numbers]
        new_boot()
    live = {f"new-{number}": node.add(f"new-{number}", pod(number)) for number in range(20, 23)}
    got = [node.add(f"new-{number}", pod(number)) for number in range(100, 106)]
    assert sorted(got[:3]) == sorted(leaks[0]) and sorted(got[3:]) == sorted(leaks[1]), (got, leaks)
    live.update({f"new-{100 + place}": addresses for place, addresses in enumerate(got)})
    node.assert_in_use(live)
    assert_exhausted(node.call("ADD", "new-more", "shop/more"))
    node.assert_in_use(live)


def namespace_gone():
    """A full range in one boot: only the sandbox whose namespace has neither path nor process makes room."""
    node = node_at("r6-netns", small(2, 5))
    with Namespace("a") as lives, Namespace("b") as unbound, Namespace("c") as dies, Namespace("d") as asks:
        live = {name: node.add(name, f"shop/{name}", netns=there.path)
                for name, there in (("lives", lives), ("unbound", unbound), ("dies", dies), ("asks", asks))}
        unbound.remove_path()
        dies.stop()
        assert_exhausted(node.call("ADD", "more", "shop/more", netns=asks.path))
        dies.remove_path()
        outcomes = race.at_once(node, [node.request("ADD", f"more-{n}", f"shop/more-{n}", netns=asks.path)
                                       for n in range(3)])
        won = {f"more-{n}": outcome.addresses for n, outcome in enumerate(outcomes) if outcome.exit == 0}
        assert list(won.values()) == [live.pop("dies")], outcomes
        for outcome in outcomes:
            if outcome.exit != 0:
                assert_exhausted(outcome)
        node.assert_in_use({**live, **won})


TESTS = [
    ("R1: DELs before ADDs, interleaved, at once and with newcomers: every pod has its addresses", del_before_add),
    ("R1: others who come between DEL and ADD do not get the pod's address", one_pod_leaves_others_come),
    ("R2: an orphan that calls after its DEL was answered gets code 11 and leaves nothing", orphan),
    ("R2: so does an ADD whose main plugin still lives; another one's orphan is served", orphan_of_a_parent_that_lives),
    ("R2: the first ADD ever on a node is refused after its DEL as well", orphan_on_a_new_node),
    ("R2: a fresh ADD of the container ID after that DEL works", fresh_add_after_del),
    ("R2: a repeated ADD that comes after the DEL of its attachment gets code 11", orphan_of_a_known_attachment),
    ("R2: an ADD that waits for the lock while its DEL is answered gets code 11", waiting_add),
    ("R2: an ADD that is deleted before its answer gets code 11 and spares the next owner", del_before_the_answer),
    ("R3: DELs of the old sandbox after the ADD of the new one change nothing", late_dels),
    ("R3: DEL(old) and ADD(new) at the same time neither share nor lose an address", del_races_add),
    ("R4: an ADD that fails after us ten times leaks nothing and comes back to its address", failing_adds),
    ("R5: at a boot with a nearly full range all owners get their own, strangers the rest", nearly_full_boot),
    ("R5: strangers take never-used addresses first, then those held longest", oldest_held_last),
    ("R6: pods whose DELs never come take their own addresses over after a reboot", dels_never_come),
    ("R6: under pressure the leaks of the oldest boot go first, and nothing that lives", leaks_of_two_boots),
    ("R6: in one boot only a namespace without path and process makes room, for one pod", namespace_gone),
]


def tests():
    for sentence, test in TESTS:
        yield sentence, test


if __name__ == "__main__":
    tap.main("races", tests,
             sandbox.enter, fake_boots, lambda: require(BINARY), lambda: print(f"# seed {SEED}, set SEED to change it"))
