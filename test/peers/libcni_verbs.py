"""What libcni asks a network for: ADD, CHECK, DEL, GC and STATUS, through the newest bridge and past it."""
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import peers
import plugin
from cilium_node import pods

SINGLE = [[{"subnet": "10.9.0.0/24"}]]
VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")

# A delegate that notes each call with its whole stdin, and answers as the file `answer-<verb>` beside it says.
LOGGING = """#!/bin/sh
stdin=$(cat)
printf '%s %s\\036' "$CNI_COMMAND" "$stdin" >>{folder}/calls
[ -e "{folder}/answer-$CNI_COMMAND" ] && {{ cat "{folder}/answer-$CNI_COMMAND"; exit 1; }}
case $CNI_COMMAND in
  ADD) echo '{{"cniVersion": "1.1.0", "ips": [{{"address": "10.9.0.77/24"}}]}}' ;;
  VERSION) echo '{{"cniVersion": "1.1.0", "supportedVersions": ["1.0.0", "1.1.0"]}}' ;;
esac
"""


def in_every_version(at):
    """A whole life under each version of the conflist; from 0.4.0 on with CHECK, which reaches us."""
    for version in VERSIONS:
        with at(SINGLE, version=version) as node:
            made, got = node.up()
            assert got == ["10.9.0.2"] and made.links() == {"eth0": {"10.9.0.2/24"}}, (version, made.links())
            assert made.result["cniVersion"] == version
            has_check = version >= "0.4.0"
            if has_check:
                node.must("CHECK", made)
            node.must("DEL", made)
            expected = ["ADD", "CHECK", "DEL"] if has_check else ["ADD", "DEL"]
            assert [verb for verb, _ in node.called()] == expected, node.called()
            assert made.links() == {} and node.cached() == set()
            node.check_free(got)


def check_lost(at):
    """An address that is somebody else's by now, or nobody's, fails the CHECK, and libcni tells our words."""
    with at(SINGLE) as node:
        made, (address,) = node.up()
        path = f"{node.node.network_dir}/{address}"
        with open(path, newline="") as file:
            ours = file.read()
        with open(path, "w", newline="") as file:
            file.write("other\r\neth0")
        error = node.refused("CHECK", made)
        assert f"Failed to find address added by container {made.container_id}" in error, (address, error)
        with open(path, "w", newline="") as file:
            file.write(ours)
        node.must("CHECK", made)


def status(at):
    """bridge passes STATUS on to us: fine with a full pool, a refusal without any range; not asked below 1.1.0."""
    with at([[{"subnet": "10.9.0.0/30"}]]) as node:
        node.up()
        assert "no IP addresses available" in node.refused("ADD", node.sandbox("default/too-many"))
        assert node.must("STATUS").stdout == ""
        node.configure_ipam(ranges=None)
        assert "no IP ranges specified" in node.refused("STATUS")
        node.version = "1.0.0"
        node.configure()
        node.must("STATUS")


def status_of_delegate(at):
    """STATUS reaches the delegate of an address plugin under bridge, and its refusal comes back as it is."""
    with at(SINGLE, delegate={"type": "logging"}) as node:
        folder = node.node.home
        node.install("logging", LOGGING.format(folder=folder))
        node.must("STATUS")
        with open(f"{folder}/answer-STATUS", "w") as file:
            json.dump({"cniVersion": "1.1.0", "code": 50, "msg": "the pool is closed"}, file)
        assert "the pool is closed" in node.refused("STATUS")
        assert [verb for verb, _ in calls(node)] == ["STATUS", "STATUS"]


def gc_by_cache(at):
    """libcni deletes what its cache knows; bridge does not pass GC on, so what the cache lost stays as it is."""
    with at(SINGLE) as node:
        known, lost = node.up("default/web-0"), node.up("default/web-1")
        node.forget(lost[0])
        node.must("GC")
        node.node.assert_in_use({lost[0].container_id: lost[1]})
        assert known[0].links() == {} and "GC" not in [verb for verb, _ in node.called()], node.called()
        assert node.up("default/web-0")[1] == known[1]


def gc_direct(at, lists, survive):
    """GC reaches us from libcni, with the lists that a runtime gives: the attachments of all but the last two pods.

    The cache has lost every entry, or else libcni itself would delete them first. Returns nothing; `survive` of the
    pods have their addresses afterwards. The last pod but one has no network namespace any more, the last has one.
    """
    with at(SINGLE, main={"type": "delegated-ipam"}) as node:
        made = [node.up(pod) for pod in pods(6)]
        for one, _ in made:
            node.forget(one)
        node.lose(made[4][0])
        valid = [{"containerID": one.container_id, "ifname": "eth0"} for one, _ in made[:4]]
        node.configure(**{key: valid for key in lists})
        node.must("GC")
        assert node.called()[-1][0] == "GC"
        node.node.assert_in_use({made[place][0].container_id: made[place][1] for place in survive})
        assert node.up("default/web-4")[1] == made[4][1] or 4 in survive, "a collected address is not held"


def gc_both(at):
    gc_direct(at, ("cni.dev/valid-attachments", "cni.dev/attachments"), (0, 1, 2, 3, 5))


def gc_old_name(at):
    gc_direct(at, ("cni.dev/attachments",), (0, 1, 2, 3, 5))


def gc_without_lists(at):
    gc_direct(at, (), (0, 1, 2, 3, 4, 5))


def gc_beside_adds(at):
    """GC with the list of those that were there, again and again, while other pods come up: nobody loses anything."""
    with at(SINGLE, main={"type": "delegated-ipam"}) as node:
        made = [node.up(pod) for pod in pods(3)]
        valid = [{"containerID": one.container_id, "ifname": "eth0"} for one, _ in made]
        node.configure(**{"cni.dev/valid-attachments": valid})
        new = [node.sandbox(f"default/new-{number}") for number in range(6)]
        for one, _ in made:
            node.forget(one)
        with ThreadPoolExecutor(2) as pool:
            added = pool.submit(lambda: [(one, uncached_add(node, one)) for one in new])
            # libcni deletes what its cache knows before it asks us: an ADD whose entry it saw is gone rightly.
            while not added.done():
                node.must("GC")
            got = added.result()
        gone = {one for verb, one in node.called() if verb == "DEL"}
        expected = {one.container_id: addresses for one, addresses in [*made, *got] if one.container_id not in gone}
        node.node.assert_in_use(expected)


def uncached_add(node, sandbox):
    """ADD that must succeed, and that libcni's cache loses at once; returns its addresses."""
    got = node.add(sandbox)
    with suppress(FileNotFoundError):  # a GC was quicker, and has deleted it
        node.forget(sandbox)
    return got


def gc_of_delegate(at):
    """A delegate that speaks 1.1.0 gets GC with the lists as they came; its refusal comes back as it is."""
    with at(SINGLE, main={"type": "delegated-ipam"}, delegate={"type": "logging"}) as node:
        folder = node.node.home
        node.install("logging", LOGGING.format(folder=folder))
        made, _ = node.up()
        node.forget(made)
        valid = [{"containerID": made.container_id, "ifname": "eth0"}]
        node.configure(**{"cni.dev/valid-attachments": valid, "cni.dev/attachments": valid})
        node.must("GC")
        verb, conf = calls(node)[-1]
        assert verb == "GC" and conf["ipam"]["type"] == "logging", (verb, conf)
        assert conf["cni.dev/valid-attachments"] == conf["cni.dev/attachments"] == valid, conf
        with open(f"{folder}/answer-GC", "w") as file:
            json.dump({"cniVersion": "1.1.0", "code": 999, "msg": "cannot sweep"}, file)
        assert "cannot sweep" in node.refused("GC")


def gc_of_old_delegate(at):
    """A delegate that has no 1.1.0 fails no GC and no STATUS."""
    old = LOGGING.replace('["1.0.0", "1.1.0"]', '["0.4.0", "1.0.0"]')
    with at(SINGLE, main={"type": "delegated-ipam"}, delegate={"type": "old"}) as node:
        node.install("old", old.format(folder=node.node.home))
        for verb in ("GC", "STATUS"):
            with open(f"{node.node.home}/answer-{verb}", "w") as file:
                json.dump({"code": 4, "msg": f"unknown CNI_COMMAND: {verb}"}, file)
        node.must("GC")
        node.must("STATUS")
        assert {"GC", "STATUS", "VERSION"} & {verb for verb, _ in calls(node)} >= {"VERSION"}, calls(node)


def host_local_delegate(at):
    """The newest host-local as an executed delegate: every verb; its GC frees what is not listed."""
    with at(SINGLE, inProcess=False) as node:
        (made, got), (other, others) = node.up("default/web-0"), node.up("default/web-1")
        node.must("CHECK", made)
        node.must("STATUS")
        valid = [{"containerID": made.container_id, "ifname": "eth0"}]
        node.configure(type="delegated-ipam", **{"cni.dev/valid-attachments": valid})
        for one in (made, other):
            node.forget(one)
        node.lose(other)
        node.must("GC")
        node.node.assert_in_use({made.container_id: got})
        node.configure(type="bridge", **{"cni.dev/valid-attachments": None})
        node.must("DEL", made)
        assert node.node.attachments() == {}
        assert node.up("default/web-1")[1] == others and node.up("default/web-0")[1] == got


def host_local_without_list(at):
    """The newest host-local frees everything when its list is missing, so it is not asked then."""
    with at(SINGLE, inProcess=False) as node:
        made, got = node.up()
        attachments = [{"containerID": made.container_id, "ifname": "eth0"}]
        conf = {**node.plugin(), "name": node.network, "cniVersion": "1.1.0"}
        stock = {**conf, "ipam": {"type": "host-local", "ranges": SINGLE, "dataDir": node.node.data_dir}}
        env = plugin.environment("GC", path=node.path)
        for lists in ({}, {"cni.dev/valid-attachments": None}, {"cni.dev/attachments": attachments}):
            done = plugin.run(plugin.BINARY, env, {**conf, **lists})
            assert done.exit == 0 and done.stdout == "", (lists, done)
            node.node.assert_in_use({made.container_id: got})
        done = plugin.run(peers.binary("host-local"), env, stock)
        assert done.exit == 0 and node.node.attachments() == {}, "host-local itself does otherwise by now"


def many_at_once(at):
    """Thirty pods, four at a time, come and go and come again: all under their addresses, each address once."""
    with at(SINGLE) as node, ThreadPoolExecutor(4) as pool:
        names = pods(30)
        first = dict(zip(names, pool.map(node.up, names)))
        node.node.assert_in_use({one.container_id: got for one, got in first.values()})
        list(pool.map(lambda one: node.must("DEL", one[0]), first.values()))
        again = dict(zip(reversed(names), pool.map(node.up, reversed(names))))
        assert {name: got for name, (_, got) in first.items()} == {name: got for name, (_, got) in again.items()}
        assert node.cached() == {one.container_id for one, _ in again.values()}


def calls(node):
    """The calls that the logging delegate had: (verb, configuration; None where there was none)."""
    with open(f"{node.node.home}/calls") as file:
        pairs = [call.partition(" ") for call in file.read().split("\x1e")[:-1]]
    return [(verb, json.loads(text) if text else None) for verb, _, text in pairs]


CASES = [
    ("a pod's whole life in a conflist of every version, with CHECK from 0.4.0 on", in_every_version),
    ("CHECK fails while the address is another's", check_lost),
    ("STATUS comes through bridge, and a full pool is no reason to fail", status),
    ("STATUS comes through bridge to a delegate, and its refusal comes back", status_of_delegate),
    ("GC deletes what the cache knows, through bridge, and nothing else", gc_by_cache),
    ("GC with both attachment lists drops the dead attachment that is on neither", gc_both),
    ("GC with the attachment list of the older name does the same", gc_old_name),
    ("GC without attachment lists drops nothing", gc_without_lists),
    ("GC while pods come up takes nobody's address", gc_beside_adds),
    ("GC is passed on to a delegate, with the lists as they came", gc_of_delegate),
    ("GC and STATUS do not fail for a delegate that is too old for them", gc_of_old_delegate),
    ("the newest host-local as an executed delegate is asked by every verb", host_local_delegate),
    ("the newest host-local is not asked to collect without a list, which it takes for an empty one",
     host_local_without_list),
    ("thirty pods at once come back under their addresses", many_at_once),
]
