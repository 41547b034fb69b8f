#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The calls that container runtimes and kubelets were seen to make, replayed: who keeps which address after each.

usage: sequences_test.py [WORD ...]     only the tables whose name begins with one of the words, for example: K5: C3:;
       number, hidden, podman: the tests after the tables
After every table the node reboots once more without a DEL, a stranger asks first, and everybody must get their own.
What stock host-local makes of the same calls is told in lines that begin with "# host-local:".
"""
import contextlib
import os
import sys

import sandbox
import tap
from live_netns import Namespace
from node import BOOT_ID, Node, empty_run, fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require, run
from replay import Replay
from sequence_tables import TABLES, Add, Del
from sequence_tables_newest import RECORDINGS
from tap import Skip

HOME = "/var/lib/cni/sequences"
SINGLE = [[{"subnet": "10.9.0.0/24"}]]
DUAL = [*SINGLE, [{"subnet": "fd00:9::/64"}]]
# The kernel shows the namespaces of a process to those only who have all its rights, or may trace anybody.
FEWER_RIGHTS = ("setpriv", "--bounding-set=-sys_ptrace,-net_raw", "--inh-caps=-sys_ptrace,-net_raw")
STAMP = "user.delegated-ipam"
SWALLOWED = ("not found", "no such file or directory")  # go-cni takes a DEL's error with these words for success


class Expectation:
    """Holds every outcome of a replay against its row; `letters` are the addresses that the letters stand for."""

    def __init__(self, replay):
        self.replay = replay
        self.letters = {}

    def take(self, row):
        """Do what a row says and check what came of it."""
        for call, outcome in self.replay.step(row):
            what = f"{call}: exit {outcome.exit}: {outcome.stdout} {outcome.stderr}"
            assert (outcome.exit != 0) == bool(call.fails), what
            if isinstance(call, Add):
                self._check_add(call, outcome, what)
            elif call.fails:
                assert outcome.json["code"] == 11, what
                assert not [words for words in SWALLOWED if words in outcome.stdout.lower()], what
            else:
                assert outcome.stdout == "", what
        self._check_live()

    def check_end(self, table):
        """What is in use and what is held is exactly what the table says; every other address is free."""
        node, replay = self.replay.node, self.replay
        node.assert_in_use({one: self.letters[letter] for one, letter in table.in_use.items()})
        owners = {address: binding.owner for address, binding in node.bindings().items()}
        running = {address: replay.pod_of(one) for one, letter in table.in_use.items()
                   for address in self.letters[letter]}
        held = {address: pod for pod, letter in table.held.items() for address in self.letters[letter]}
        assert owners == {**running, **held}, f"bindings {owners}, expected in use {running}, held {held}"

    def check_return(self, table):
        """After one more reboot without any DEL: a stranger asks first, and everybody has their own addresses."""
        keeps = {self.replay.pod_of(one): letter for one, letter in table.in_use.items()} | table.held
        self.replay.reboot()
        self.take(Add("stranger", "default/stranger", "stranger"))
        back = {f"back-{number}": pod for number, pod in enumerate(reversed(keeps))}
        for name, pod in back.items():
            self.take(Add(name, pod, keeps[pod]))
        self.replay.node.assert_in_use(
            {"stranger": self.letters["stranger"], **{name: self.letters[keeps[pod]] for name, pod in back.items()}})

    def _check_add(self, call, outcome, what):
        if call.fails:
            return
        families = len(self.replay.node.ipam["ranges"])
        assert len(outcome.addresses) == families, f"not {families} addresses: {what}"
        expected = self.letters.setdefault(call.gets, outcome.addresses)
        assert outcome.addresses == expected, f"{call} got {outcome.addresses}, not {expected}"
        others = {letter for letter, addresses in self.letters.items()
                  if letter != call.gets and set(addresses) & set(expected)}
        assert not others, f"{call} got {expected}, which is {others}'s"

    def _check_live(self):
        given = [address for addresses in self.replay.live.values() for address in addresses]
        assert len(given) == len(set(given)), f"an address has two live pods: {self.replay.live}"


def replayed(table, ranges):
    with Replay(os.path.join(HOME, "ours"), ranges) as replay:
        expectation = Expectation(replay)
        for row in table.rows:
            expectation.take(row)
        expectation.check_end(table)
        expectation.check_return(table)


def tell_host_local(table):
    """Replay a table with host-local and print what became of the addresses."""
    letters, kept, returns, refused, ignored = {}, 0, 0, 0, 0
    with Replay(os.path.join(HOME, "stock"), SINGLE, HOST_LOCAL, forgiving=True) as replay:
        for row in table.rows:
            for call, outcome in replay.step(row):
                refused += outcome.exit != 0 and not call.fails
                is_ignored = isinstance(call, Del) and outcome.exit == 0 and replay.node.addresses_of(call.sandbox)
                ignored += bool(is_ignored)
                if outcome.exit != 0 or not isinstance(call, Add) or call.fails:
                    continue
                returns += call.gets in letters
                kept += letters.get(call.gets) == outcome.addresses
                letters.setdefault(call.gets, outcome.addresses)
        owners = {content.decode().split("\r\n")[0] for content in replay.node.attachments().values()}
    leaked = sorted(owners - set(table.in_use))
    print(f"# host-local: {table.name}: kept {kept} of {returns}, leaked {len(leaked)}, refused {refused}, "
          f"DELs that succeeded and freed nothing {ignored}", flush=True)


def stamp_of(node, address):
    """(boot id, inode, path) of the namespace that the stamp of an address names."""
    text = os.getxattr(os.path.join(node.network_dir, address), STAMP).decode()
    _, boot, _, inode, path = text.split("~", 4)
    return boot, int(inode.split(".")[0]), path


def number_comes_again(ranges):
    """The kernel gives a new namespace the lowest free number, so soon after a restart a dead pod's one."""
    node = Node(os.path.join(HOME, f"number-{len(ranges)}"), ranges)
    pods = {}  # number of the dead namespace -> pod, its addresses
    for name in (f"default/web-{number}" for number in range(6)):
        with Namespace.of_runtime() as old:
            pods[os.stat(old.path).st_ino] = (name, node.add(f"old-{name[8:]}", name, netns=old.path))
    empty_run()
    with contextlib.ExitStack() as living:
        namespaces = (living.enter_context(Namespace.of_runtime()) for _ in range(200))
        again = next((one for one in namespaces if os.stat(one.path).st_ino in pods), None)
        if again is None:
            raise Skip("none of 200 new namespaces got the number of a dead one; run it again")
        pod, addresses = pods[os.stat(again.path).st_ino]
        new = living.enter_context(Namespace.of_runtime())
        got = node.add("new", pod, netns=new.path)
        assert got == addresses, f"{pod} got {got}, not {addresses}: its old namespace counts as alive"


def hidden_process():
    """A plugin with fewer rights than the pods' processes cannot see where these are: that proves no death."""
    node = Node(os.path.join(HOME, "hidden"), SINGLE)
    with Namespace("cni-old") as old, Namespace("cni-new") as new:
        addresses = node.add("old", "default/web-0", netns=old.path)
        old.remove_path()  # its process lives on
        done = run(BINARY, *node.request("ADD", "new", "default/web-0", netns=new.path), wrapper=FEWER_RIGHTS)
        assert done.exit == 0, f"{done.stdout} {done.stderr}"
        assert done.addresses != addresses, f"two live pods have {addresses}"
        node.assert_in_use({"old": addresses, "new": done.addresses})


def restart_under_same_id(ranges, restart):
    """podman starts a container again under its ID, after the machine went down without a DEL: one ADD more."""
    node = Node(os.path.join(HOME, f"podman-{restart.__name__}-{len(ranges)}"), ranges)
    args = "IgnoreUnknown=1;K8S_POD_NAME=web"
    with Namespace("netns-first") as first:
        addresses = node.add("c1", args=args, netns=first.path)
        old = [stamp_of(node, address) for address in addresses]
    restart()
    with Namespace("netns-other") as other, Namespace("netns-second") as second:
        others = node.add("c2", args=args, netns=other.path)
        assert node.add("c1", args=args, netns=second.path) == addresses
        with open(BOOT_ID) as file:
            now = (file.read().strip(), os.stat(second.path).st_ino, second.path)
        for address, before in zip(addresses, old, strict=True):
            assert stamp_of(node, address) == now != before, f"{address}: {before}, then {stamp_of(node, address)}"
        node.assert_in_use({"c1": addresses, "c2": others})
        node.delete("c1", args=args, netns=second.path)
    node.assert_in_use({"c2": others})
    assert node.bindings() == {}


def tell_host_local_of_podman():
    node = Node(os.path.join(HOME, "podman-stock"), SINGLE, binary=HOST_LOCAL)
    node.add("c1")
    again = node.call("ADD", "c1")
    print(f"# host-local: podman's second ADD: exit {again.exit}: {(again.json or {}).get('msg', '')}", flush=True)


def tell(suite):
    chosen = tuple(sys.argv[1:]) or ("",)
    for table in [*TABLES, *(recording.table for recording in RECORDINGS)]:
        if table.name.startswith(chosen):
            for families, ranges in (("single stack", SINGLE), ("dual stack", DUAL)):
                suite.run(f"{table.name} ({families})", replayed, table, ranges)
            tell_host_local(table)
    if "number".startswith(chosen):
        for families, ranges in (("single stack", SINGLE), ("dual stack", DUAL)):
            suite.run(f"a restarted node container: a dead namespace's number that comes again proves no life "
                      f"({families})", number_comes_again, ranges)
    if "hidden".startswith(chosen):
        suite.run("a restarted node container: a process that the plugin may not look at counts as alive",
                  hidden_process)
    if "podman".startswith(chosen):
        for families, ranges in (("single stack", SINGLE), ("dual stack", DUAL)):
            suite.run(f"podman restarts a container after a reboot: same ID, same addresses, new stamp ({families})",
                      restart_under_same_id, ranges, new_boot)
            suite.run(f"podman restarts a container in the same boot: same ID, same addresses, new stamp ({families})",
                      restart_under_same_id, ranges, empty_run)
        tell_host_local_of_podman()


if __name__ == "__main__":
    tap.story("sequences", tell, sandbox.enter, lambda: require(BINARY, HOST_LOCAL), fake_boots)
