#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""report: what a boot did to each pod's address, and why; every outcome in every form, each reason, random histories
beside a bookkeeping of our own; and it never writes.

usage: report_test.py [--update] [WORD ...]

--update writes report.golden.txt from what the tool says now: read the difference before you keep it.
"""
import contextlib
import json
import os
import random
import shutil
import subprocess

import plugin
import sandbox
import tap
import tool
from disk import fill_inodes, tmpfs
from golden import Golden
from looked_at import BOOTS, DUAL, Looked, changes_in, snapshot, traced
from node import args_of, fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = "/var/lib/cni/report"
FIVE = [[{"subnet": "10.9.0.0/29"}]]
WIDE = [[{"subnet": "10.9.0.0/28"}]]
FORMS = [(), ("-o", "wide"), ("-o", "json"), ("-o", "yaml", "--outcome", "evicted"), ("-o", "name"), ("--no-headers",),
         ("-n", "other"), ("--outcome", "CHANGED"), ("--columns", "pod,WHY")]
REFUSED = [("-o", "xml"), ("--columns", "mac"), ("--outcome", "lost"), ("--network", "other"), ("surplus",)]


def report(node, *arguments):
    """The answer as an object; exit 1 when an address changed or was taken, and where something is odd."""
    done = tool.call("report", *node.look(), *arguments, "-o", "json")
    answer = json.loads(done.stdout)
    is_fine = not (any(answer["totals"][bad] for bad in ("CHANGED", "EVICTED", "UNREACHABLE")) or answer["findings"])
    assert done.exit == (tool.FINE if is_fine else tool.FOUND), done
    return answer


def outcomes(node):
    return {item["pod"]: item["outcome"] for item in report(node)["items"]}


def come_back(node, name, namespace="shop"):
    """Its old sandbox is deleted, a new one made."""
    node.delete(f"c-{name}", f"{namespace}/{name}")
    return node.add(f"d-{name}", f"{namespace}/{name}")


@contextlib.contextmanager
def copy_of(node):
    """A folder with the node's own folders in it, as from another machine."""
    root = f"{HOME}-copy"
    shutil.copytree(node.home, f"{root}{node.home}", symlinks=True)
    try:
        yield root
    finally:
        shutil.rmtree(root)


def reboot(node, count=5, deleted=None):
    """So many pods, and after a boot the DELs of their sandboxes: of all, or of those with these numbers."""
    new_boot(BOOTS[0])
    for number in range(count):
        node.add(f"c-web-{number}", f"shop/web-{number}")
    new_boot(BOOTS[1])
    for number in range(count) if deleted is None else deleted:
        node.delete(f"c-web-{number}", f"shop/web-{number}")


def reboot_full_range(node):
    """Five pods in a range of five; a stranger comes before two of them are back."""
    reboot(node, deleted=(0, 1, 2, 4))
    node.add("d-web-0", "shop/web-0")
    node.add("n0", "other/new-0")


def every_outcome(golden):
    with Looked(HOME, FIVE, name="pods") as node:
        reboot_full_range(node)
        assert outcomes(node) == {"web-0": "KEPT", "web-1": "EVICTED", "web-2": "MISSING", "web-3": "MISSING",
                                  "web-4": "MISSING", "new-0": "NEW"}, outcomes(node)
        node.add("d-web-1", "shop/web-1")
        for form in FORMS:
            node.calls(golden, "report")(" ".join(form) or "no options", *form, env={"NODE_NAME": "edge-7"})
        assert outcomes(node)["web-1"] == "CHANGED" and outcomes(node)["web-2"] == "EVICTED", outcomes(node)
        new_boot(BOOTS[2])
        for name in ("web-0", "web-1"):
            node.delete(f"d-{name}", f"shop/{name}")
            node.add(f"e-{name}", f"shop/{name}")
        # web-3 was never called about, neither in the boot before: its sandbox has no end.
        assert outcomes(node) == {"web-0": "KEPT", "web-1": "KEPT", "new-0": "MISSING", "web-3": "MISSING"}, outcomes(node)


def refused(golden):
    with Looked(HOME, name="pods") as node:
        for wrong in REFUSED:
            done = node.calls(golden, "report")(f"refused: {' '.join(wrong)}", *wrong)
            assert done.exit == tool.USAGE and not done.stdout, done


def dual_stack(golden):
    """Both families in one row; one of them changed is CHANGED, and only that one is told."""
    with Looked(HOME, DUAL, name="pods") as node:
        new_boot(BOOTS[0])
        node.add("c-web-0", "shop/web-0")
        node.add("c-web-1", "shop/web-1")
        new_boot(BOOTS[1])
        come_back(node, "web-0")
        node.ipam["exclude"] = ["10.9.0.3"]
        node.configure(node.conf())
        come_back(node, "web-1")
        node.calls(golden, "report")("dual stack")
        changed, = report(node, "--outcome", "changed")["items"]
        assert changed["before"] == "10.9.0.3,fd00:9::3" and changed["why"] == "10.9.0.3 is excluded now", changed


def reasons():
    """Why a pod is on another address: each way there is to lose one."""
    for change, why in (
            (lambda node: node.ipam.update(exclude=["10.9.0.2"]), "10.9.0.2 is excluded now"),
            (lambda node: node.ipam.update(pins={"bank/db": ["10.9.0.2"]}), "10.9.0.2 is pinned to bank/db"),
            (lambda node: node.ipam.update(ranges=[[{"subnet": "10.9.0.0/28", "gateway": "10.9.0.2"}]]), "10.9.0.2 is a gateway now"),
            (lambda node: node.ipam.update(ranges=[[{"subnet": "10.9.0.0/28", "rangeStart": "10.9.0.5"}]]),
             "10.9.0.2 is outside the ranges"),
            (lambda node: node.write("networks/pods/10.9.0.2", "reserved by hand"),
             "10.9.0.2 is in use by a container of which no pod is known")):
        with Looked(HOME, WIDE, name="pods") as node:
            new_boot(BOOTS[0])
            node.add("c-web-0", "shop/web-0")
            new_boot(BOOTS[1])
            node.delete("c-web-0", "shop/web-0")
            change(node)
            node.configure(node.conf())
            now = node.add("d-web-0", "shop/web-0")
            assert now != ["10.9.0.2"], now
            item, = report(node)["items"]
            assert (item["outcome"], item["before"], item["why"]) == ("CHANGED", "10.9.0.2", why), item


def item_of(node, pod):
    found, = (item for item in report(node)["items"] if item["pod"] == pod)
    return found


def is_told(node, pod, outcome, before, now, why):
    item = item_of(node, pod)
    assert (item["outcome"], item["before"], item["now"], item["why"]) == (outcome, before, now, why), item


def one_family_lost():
    """Of two families one is gone: while the pod is away, when it is back, and when the node has lost the family."""
    with Looked(HOME, [[{"subnet": "10.9.0.0/29"}], [{"subnet": "fd00:9::/120"}]], name="pods") as node:
        reboot(node)
        node.add("n0", "other/new-0")
        both = "10.9.0.2,fd00:9::2"
        assert set(item_of(node, "web-0")["before"].split(",")) == set(both.split(",")), item_of(node, "web-0")
        assert item_of(node, "web-0")["why"] == "10.9.0.2 went to other/new-0" and outcomes(node)["web-0"] == "EVICTED"
        node.add("d-web-0", "shop/web-0")
        is_told(node, "web-0", "CHANGED", both, "10.9.0.3,fd00:9::2", "10.9.0.2 went to other/new-0")
        node.add("d-web-2", "shop/web-2")
        new_boot(BOOTS[2])
        node.ipam["ranges"] = [[{"subnet": "10.9.0.0/29"}]]
        node.configure(node.conf())
        node.delete("d-web-2", "shop/web-2")
        node.add("e-web-2", "shop/web-2")
        is_told(node, "web-2", "CHANGED", "10.9.0.4,fd00:9::4", "10.9.0.4", "fd00:9::4 is outside the ranges")
        new_boot(BOOTS[3])
        node.delete("e-web-2", "shop/web-2")
        node.add("f-web-2", "shop/web-2")
        assert outcomes(node)["web-2"] == "KEPT", item_of(node, "web-2")  # it has long been without the other family


def held_beside_its_own():
    """A pod that has an address of before held beside the one it runs on; namesakes ask for both, in either order."""
    for order in (("10.9.0.3", "10.9.0.2"), ("10.9.0.2", "10.9.0.3")):
        with Looked(HOME, WIDE, name="pods") as node:
            new_boot(BOOTS[0])
            node.add("a", "shop/web-0")
            node.delete("a", "shop/web-0")
            node.ipam["exclude"] = ["10.9.0.2"]
            assert node.add("b", "shop/web-0") == ["10.9.0.3"]
            del node.ipam["exclude"]
            new_boot(BOOTS[1])
            node.delete("b", "shop/web-0")
            for number, wanted in enumerate(order):
                pod = f"shop/thief-{number}"
                assert node.add(f"t{number}", pod, args=f"{args_of(pod)};IP={wanted}") == [wanted]
            is_told(node, "web-0", "EVICTED", "10.9.0.3", None, f"10.9.0.3 went to shop/thief-{order.index('10.9.0.3')}")
        with Looked(HOME, WIDE, name="pods") as node:  # only the one that it ran on is gone
            new_boot(BOOTS[0])
            node.add("a", "shop/web-0")
            node.delete("a", "shop/web-0")
            node.ipam["exclude"] = ["10.9.0.2"]
            node.add("b", "shop/web-0")
            del node.ipam["exclude"]
            new_boot(BOOTS[1])
            node.delete("b", "shop/web-0")
            node.add("t", "shop/thief", args=f"{args_of('shop/thief')};IP=10.9.0.3")
            assert node.add("c", "shop/web-0") == ["10.9.0.2"]
            assert outcomes(node)["web-0"] == "CHANGED", item_of(node, "web-0")


def back_on_what_was_held():
    """It ran on .3 with .2 held beside; now .3 is excluded, and it is on .2: that is another address than it had."""
    with Looked(HOME, WIDE, name="pods") as node:
        new_boot(BOOTS[0])
        node.add("a", "shop/web-0")
        node.delete("a", "shop/web-0")
        node.ipam["exclude"] = ["10.9.0.2"]
        assert node.add("b", "shop/web-0") == ["10.9.0.3"]
        new_boot(BOOTS[1])
        node.ipam["exclude"] = ["10.9.0.3"]
        node.configure(node.conf())
        node.delete("b", "shop/web-0")
        assert node.add("c", "shop/web-0") == ["10.9.0.2"]
        is_told(node, "web-0", "CHANGED", "10.9.0.3,10.9.0.2", "10.9.0.2", "10.9.0.3 is excluded now")
        new_boot(BOOTS[2])
        node.delete("c", "shop/web-0")
        node.add("d", "shop/web-0")
        assert outcomes(node) == {"web-0": "KEPT"}, outcomes(node)


def one_of_two_sets_lost():
    """Two addresses of one family, from two range sets, of which one is taken out of the configuration."""
    with Looked(HOME, [[{"subnet": "10.9.0.0/29"}], [{"subnet": "10.10.0.0/29"}]], name="pods") as node:
        new_boot(BOOTS[0])
        node.add("c-web-0", "shop/web-0")
        new_boot(BOOTS[1])
        node.ipam["ranges"] = [[{"subnet": "10.9.0.0/29"}]]
        node.configure(node.conf())
        come_back(node, "web-0")
        is_told(node, "web-0", "CHANGED", "10.9.0.2,10.10.0.2", "10.9.0.2", "10.10.0.2 is outside the ranges")


def another_object():
    """With requireSameUID a new pod of the name is another one."""
    with Looked(HOME, WIDE, name="pods", retain={"requireSameUID": True}) as node:
        new_boot(BOOTS[0])
        node.add("a", "shop/web-0", uid="u1")
        new_boot(BOOTS[1])
        node.delete("a", "shop/web-0", uid="u1")
        node.add("b", "shop/web-0", uid="u2")
        assert item_of(node, "web-0")["why"].endswith("another object of that name had it (requireSameUID)"), item_of(node, "web-0")


def on_a_full_disk():
    """What comes up on a disk that takes no record has kept its address all the same."""
    os.makedirs(HOME)
    with tmpfs(HOME, "nr_inodes=60") as disk:
        with Looked(f"{HOME}/node", WIDE, name="pods") as node:
            node.state_dir = f"{disk}/state"
            node.configure(node.conf())
            new_boot(BOOTS[0])
            for number in range(3):
                node.add(f"c-web-{number}", f"shop/web-{number}")
            new_boot(BOOTS[1])
            ballast = fill_inodes(disk)
            node.add("d-web-0", "shop/web-0")
            come_back(node, "web-1")
            found = outcomes(node)
            for path in ballast:
                os.unlink(path)
        assert found == {"web-0": "KEPT", "web-1": "KEPT", "web-2": "MISSING"}, found
    shutil.rmtree(HOME)


def not_kept_by_wish():
    """Nothing waits for pods that are not kept, and a pod that has got a pin is where it belongs."""
    with Looked(HOME, WIDE, name="pods", retain={"exclude": ["batch/*"]}) as node:
        new_boot(BOOTS[0])
        node.cache("c-j", "batch/j", node.add("c-j", "batch/j"))
        node.add("c-web-0", "shop/web-0")
        new_boot(BOOTS[1])
        assert outcomes(node) == {"web-0": "MISSING"}, outcomes(node)
        node.ipam["pins"] = {"shop/web-0": ["10.9.0.10"]}
        node.configure(node.conf())
        come_back(node, "web-0")
        is_told(node, "web-0", "CHANGED", "10.9.0.3", "10.9.0.10", "the pod is pinned to 10.9.0.10 now")
    shutil.rmtree("/var/lib/cni/results")


def given_away_and_freed():
    """A caller without a pod had the address for a while; and an ADD that was taken back has taken nothing."""
    with Looked(HOME, FIVE, name="pods") as node:
        reboot(node)
        with open("/dev/full", "w") as full:
            env, conf = node.request("ADD", "x0", "other/new-0")
            done = subprocess.run([BINARY], input=json.dumps(conf), env=env, stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False)
        assert done.returncode == 1, done
        assert set(outcomes(node).values()) == {"MISSING"}, outcomes(node)
        node.add("p0", None)
        node.delete("p0", None)
        is_told(node, "web-0", "EVICTED", "10.9.0.2", None, "10.9.0.2 was given to another container, which has ended")
        # What one ADD has noted, another that is taken back leaves there.
        node.add("n0", "other/new-0")
        node.delete("n0", "other/new-0")
        env, conf = node.request("ADD", "x1", "other/new-1", args=f"{args_of('other/new-1')};IP=10.9.0.2")
        with open("/dev/full", "w") as full:
            subprocess.run([BINARY], input=json.dumps(conf), env=env, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert outcomes(node)["web-0"] == "EVICTED", outcomes(node)


def moved_over():
    """host-local's pods: of those that it started nothing is said, before and after they are ours."""
    require(HOST_LOCAL)
    with Looked(HOME, WIDE, name="pods", binary=HOST_LOCAL) as node:
        new_boot(BOOTS[0])
        for number in range(3):
            node.cache(f"c-web-{number}", f"shop/web-{number}", node.add(f"c-web-{number}", f"shop/web-{number}"))
        node.binary = BINARY
        new_boot(BOOTS[1])
        come_back(node, "web-0")
        answer = report(node)
        assert [(item["pod"], item["outcome"]) for item in answer["items"]] == [("web-0", "KEPT")], answer
        assert answer["untold"] == 2, answer
        node.add("d-web-1", "shop/web-1")  # before the DEL, and nothing proves that the old container is dead
        is_told(node, "web-1", "CHANGED", "10.9.0.3", "10.9.0.5", "10.9.0.3: an older container of the pod still has it")
        node.delete("c-web-1", "shop/web-1")
        node.delete("d-web-1", "shop/web-1")
        new_boot(BOOTS[2])
        node.delete("d-web-0", "shop/web-0")
        node.add("e-web-0", "shop/web-0")
        assert outcomes(node) == {"web-0": "KEPT", "web-2": "MISSING"}, outcomes(node)
    shutil.rmtree("/var/lib/cni/results")


def run_host_local():
    """A host-local that is run: it gives addresses away that were held, and that is told as well."""
    require(HOST_LOCAL)
    with Looked(HOME, FIVE, name="pods", inProcess=False) as node:
        plugins = {"CNI_PATH": os.path.dirname(HOST_LOCAL)}

        def call(command, container_id, pod):
            env, conf = node.request(command, container_id, pod)
            return plugin.run(BINARY, {**env, **plugins}, conf)

        new_boot(BOOTS[0])
        for number in range(5):
            assert call("ADD", f"c{number}", f"shop/web-{number}").exit == 0
        new_boot(BOOTS[1])
        for number in range(5):
            assert call("DEL", f"c{number}", f"shop/web-{number}").exit == 0
        assert set(outcomes(node).values()) == {"MISSING"} and len(outcomes(node)) == 5, outcomes(node)
        taken, = call("ADD", "n0", "other/new-0").addresses
        loser, = (name for name, outcome in outcomes(node).items() if outcome == "EVICTED")
        is_told(node, loser, "EVICTED", taken, None, f"{taken} went to other/new-0")
        done = call("ADD", "d0", f"shop/{loser}")
        assert done.exit == 0 and outcomes(node)[loser] == "CHANGED", (done, outcomes(node))


def never_forgotten_twice():
    """A pod that came back and ended is not told of, nor one that ended before the boot; a second boot begins anew."""
    with Looked(HOME, WIDE, name="pods") as node:
        new_boot(BOOTS[0])
        for number in range(3):
            node.add(f"c-web-{number}", f"shop/web-{number}")
        node.delete("c-web-0", "shop/web-0")
        new_boot(BOOTS[1])
        come_back(node, "web-1")
        node.delete("d-web-1", "shop/web-1")
        assert outcomes(node) == {"web-2": "MISSING"}, outcomes(node)
        new_boot(BOOTS[2])
        assert outcomes(node) == {"web-2": "MISSING"}, outcomes(node)
        node.add("e-web-0", "shop/web-0")
        assert outcomes(node) == {"web-0": "KEPT", "web-2": "MISSING"}, outcomes(node)


def unreachable(golden):
    """The node's neighbour table says another MAC address than the runtime's note of the pod's ADD."""
    neighbours = ("10.9.0.2 lladdr 02:00:00:00:00:99", "10.9.0.3 lladdr 02:00:00:00:00:03", "fd00:9::4 lladdr 02:00:00:00:00:99")
    script = "ip link add v0 type veth peer name v1 && ip link set v0 up || exit 9; " + "".join(
        f"ip neigh add {one} dev v0 nud stale || exit 9; " for one in neighbours) + 'exec "$@"'
    wrapper = ("unshare", "--net", "sh", "-c", script, "sh")
    with Looked(HOME, DUAL, name="pods") as node:
        new_boot(BOOTS[0])
        for number in range(4):
            node.add(f"c-web-{number}", f"shop/web-{number}")
        new_boot(BOOTS[1])
        for number in range(4):
            addresses = come_back(node, f"web-{number}")
            node.cache(f"d-web-{number}", f"shop/web-{number}", addresses, mac=f"02:00:00:00:00:0{number + 2}")
        assert set(outcomes(node).values()) == {"KEPT"}, outcomes(node)
        done = node.calls(golden, "report")("a neighbour table that contradicts", wrapper=wrapper)
        assert done.exit == tool.FOUND, done
        with copy_of(node) as root:
            copied = tool.call("report", *node.look(), "--root", root, "-o", "json", wrapper=wrapper)
        assert json.loads(copied.stdout)["totals"]["KEPT"] == 4, copied  # another node's neighbours
        with Looked(f"{HOME}-lan", DUAL, name="lan") as other:  # where the addresses are at those MAC addresses, with right
            shutil.copy(f"{other.conf_dir}/10-pods.conflist", f"{node.conf_dir}/20-lan.conflist")
            for number in range(3):
                addresses = other.add(f"l{number}", f"shop/lan-{number}")
                other.cache(f"l{number}", f"shop/lan-{number}", addresses, mac="02:00:00:00:00:99")
            done = tool.call("report", "--conf", node.conf_dir, "-o", "json", wrapper=wrapper)
            assert json.loads(done.stdout)["totals"]["UNREACHABLE"] == 0, done
        os.unlink(f"{node.conf_dir}/20-lan.conflist")
        shutil.rmtree("/var/lib/cni/results")
        done = tool.call("report", *node.look(), "-o", "json", wrapper=wrapper)
        assert json.loads(done.stdout)["totals"]["KEPT"] == 4, done  # no MAC address is known


def two_networks_and_others(golden):
    """Each network for itself; what host-local gave out, and callers without a pod, are counted and not judged."""
    require(HOST_LOCAL)
    with Looked(HOME, WIDE, name="pods") as node, Looked(f"{HOME}-lan", FIVE, name="lan") as other:
        shutil.copy(f"{other.conf_dir}/10-pods.conflist", f"{node.conf_dir}/20-lan.conflist")
        new_boot(BOOTS[0])
        node.add("c-web-0", "shop/web-0")
        other.add("c-web-0", "shop/web-0", ifname="net1")
        new_boot(BOOTS[1])
        come_back(node, "web-0")
        node.add("p0", None)
        node.binary = HOST_LOCAL
        node.add("g0", "shop/stock-0")
        golden.call("report: two networks", "report", "--conf", node.conf_dir)


def of_a_copy():
    """From the folders alone the boot is told that the node was in; who was evicted stands in memory only."""
    with Looked(HOME, FIVE, name="pods") as node:
        reboot_full_range(node)
        with copy_of(node) as root:
            found = {item["pod"]: item["outcome"] for item in report(node, "--root", root)["items"]}
        assert found == {"web-0": "KEPT", "web-3": "MISSING", "new-0": "NEW"}, found


def never_writes():
    with Looked(HOME, FIVE, name="pods") as node:
        for step in (lambda: None, lambda: reboot_full_range(node), lambda: shutil.rmtree("/run/delegated-ipam")):
            step()
            before = snapshot(HOME, "/run")
            outcome, calls = traced(BINARY, "report", *node.look())
            assert outcome.exit in (tool.FINE, tool.FOUND), outcome
            assert not changes_in(calls), changes_in(calls)
            assert snapshot(HOME, "/run") == before


def a_hostile_run_folder():
    """What lies in /run may be anything: torn, of another boot, of a later version."""
    with Looked(HOME, FIVE, name="pods") as node:
        reboot_full_range(node)
        expected = outcomes(node)
        folder, = (f"/run/delegated-ipam/{name}" for name in os.listdir("/run/delegated-ipam"))
        good = os.readlink(f"{folder}/evicted/10.9.0.3")
        for name, target in (("10.9.0.4", "torn"), ("10.9.0.5", f"{BOOTS[0]}~{good.split('~', 1)[1]}"), ("no-address", good),
                             ("10.9.0.6", f"{BOOTS[1]}~ran-on~2~later"), ("10.9.0.7", "~")):
            os.symlink(target, f"{folder}/evicted/{name}")
        assert outcomes(node) == expected, outcomes(node)
        for target in ("x", "9.x~", "9", f"9.3~{BOOTS[0]}", "99999999999999999999.1~", "~", "."):
            os.unlink(f"{folder}/sequence")
            os.symlink(target, f"{folder}/sequence")
            found = outcomes(node)
            assert found["web-0"] == "KEPT" and found["web-3"] == "MISSING" and "web-2" not in found, (target, found)
        node.delete("n0", "other/new-0")  # a counter that is none is made anew, and never falls behind
        assert node.bindings()["10.9.0.3"].sequence > max(
            one.sequence for address, one in node.bindings().items() if address != "10.9.0.3"), node.bindings()


class Bookkeeper:
    """A node that is rebooted, and what must be told of its pods, from what they had and have."""

    def __init__(self, node, rng):
        self.node, self.rng, self.lives = node, rng, 0
        self.ran, self.live, self.deleted, self.ended = {}, {}, set(), set()

    def begin_boot(self, boot_id):
        self.had = {}
        for address, binding in self.node.bindings().items():
            self.had.setdefault(binding.owner, set()).add(address)
        # Sandboxes of before, those included that nobody has called about since an earlier boot.
        forgotten = {pod: life for pod, life in self.ran.items()
                     if pod in self.had and pod not in self.deleted | self.ended}
        self.ran = {**forgotten, **self.live}
        self.live, self.deleted, self.ended = {}, set(), set()
        new_boot(boot_id)

    def step(self):
        pod = f"{self.rng.choice(('shop', 'bank'))}/web-{self.rng.randrange(9)}"
        if pod in self.live and self.rng.random() < 0.5:
            self.node.delete(self.live.pop(pod)[0], pod)
            self.ended.add(pod)
        elif pod in self.ran and self.rng.random() < 0.7:
            self.node.delete(self.ran[pod][0], pod)
            self.deleted.add(pod)
        elif pod not in self.live:
            self.lives += 1
            done = self.node.call("ADD", f"c{self.lives}", pod)
            if done.exit == 0:
                self.live[pod] = (f"c{self.lives}", set(done.addresses))

    def expected(self):
        """pod -> the outcomes that are right."""
        bound = {binding.owner for binding in self.node.bindings().values()}
        answer = {}
        for pod, (_, now) in self.live.items():
            before = self.had.get(pod)
            answer[pod] = "NEW" if not before else "KEPT" if now & before else "CHANGED"
        for pod in set(self.ran) - set(self.live) - self.ended:
            answer[pod] = "MISSING" if pod in bound else "EVICTED"
        return answer


def random_histories():
    seen = set()
    for seed in range(12):
        with Looked(HOME, WIDE, name="pods") as node:
            book = Bookkeeper(node, random.Random(seed))
            for boot in range(3):
                book.begin_boot(BOOTS[boot])
                for _ in range(25):
                    book.step()
                found = {f"{item['namespace']}/{item['pod']}": item["outcome"] for item in report(node)["items"]}
                expected = book.expected()
                for pod in book.ended:  # it was back: losing that address, too, is nothing that the boot did
                    if found.get(pod) == "EVICTED":
                        del found[pod]
                    elif found.get(pod) == "NEW" and expected[pod] == "CHANGED":
                        expected[pod] = "NEW"
                assert found == expected, (seed, boot, found, expected)
                seen.update(found.values())
    assert seen == {"KEPT", "NEW", "CHANGED", "EVICTED", "MISSING"}, seen


def against_an_export(golden):
    """A node that was made anew, or another one: compared with what export wrote before, whatever its own records say."""
    with Looked(HOME, FIVE, name="pods") as node:
        new_boot(BOOTS[0])
        for number in range(4):
            node.add(f"c-web-{number}", f"shop/web-{number}")
        node.add("c-held", "shop/held")
        node.delete("c-held", "shop/held")
        exported = tool.call("export", *node.look()).stdout
        shutil.rmtree(node.data_dir)
        shutil.rmtree(node.state_dir)
        new_boot(BOOTS[1])
        for name in ("web-1", "web-0", "new-0"):  # .2, which was web-0's; .3, which was web-1's; .4, which was web-2's
            node.add(f"d-{name}", f"shop/{name}")
        node.add("d-web-3", "shop/web-3", args=args_of("shop/web-3", "") + ";IP=10.9.0.5")
        file = node.write("before.json", exported)
        golden.call("report: against an export", "report", *node.look(), "--against", file,
                    alike=lambda text: text.replace(" " + " ".join(node.look()), ""))
        assert {item["outcome"] for item in report(node)["items"]} == {"NEW"}
        node.delete("d-new-0", "shop/new-0")
        node.add("d-held", "shop/held", args=args_of("shop/held", "") + ";IP=10.9.0.6")
        told = {item["pod"]: item["outcome"] for item in report(node, "--against", file)["items"]}
        assert told == {"web-0": "CHANGED", "web-1": "CHANGED", "web-2": "EVICTED", "web-3": "KEPT", "held": "KEPT"}, told
        on_stdin = tool.call("report", *node.look(), "--against", "-", stdin=exported)
        assert on_stdin.stdout == tool.call("report", *node.look(), "--against", file).stdout
        for broken in (exported[:-40], exported.replace("web-0", "web-9"), "{}", ""):
            line = tool.refused("report", *node.look(), "--against", node.write("broken.json", broken))
            assert "broken.json" in line, line
        assert "No such file" in tool.refused("report", *node.look(), "--against", f"{HOME}/none.json")


CACHE = "/etc/kubernetes/cache"
TODAY = ("pods.v1.core", "endpointslices.v1.discovery.k8s.io", "nodes.v1.core", "")
EARLIER = ("pods", "endpointslices", "nodes", ".json")
AS_EDGE_7 = {"NODE_NAME": "edge-7"}


def own_etc():
    """No YurtHub of this machine is known in what follows."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/etc"], check=True)


class Yurthub:
    """YurtHub's cache in one of its layouts, for a with block."""

    def __init__(self, layout=TODAY, top=""):
        self.top = top + CACHE
        self.pods, self.slices, self.nodes, self.ending = layout

    def put(self, path, content):
        path = f"{self.top}/{path}{self.ending}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))

    def pod(self, name, addresses, node="edge-7", phase="Running", **spec):
        namespace, pod = name.split("/")
        self.put(f"kubelet/{self.pods}/{name}", {
            "kind": "Pod", "metadata": {"name": pod, "namespace": namespace}, "spec": {"nodeName": node, **spec},
            "status": {"phase": phase, "podIP": addresses[0], "podIPs": [{"ip": address} for address in addresses]}})

    def slice(self, name, endpoints, component="kube-proxy"):
        """endpoints: (pod, addresses, node)"""
        self.put(f"{component}/{self.slices}/shop/{name}", {
            "kind": "EndpointSlice", "metadata": {"name": name, "namespace": "shop"}, "addressType": "IPv4", "endpoints": [
                {"addresses": addresses, "targetRef": {"kind": "Pod", "namespace": "shop", "name": pod},
                 **({"nodeName": node} if node else {})} for pod, addresses, node in endpoints]})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.top, ignore_errors=True)


def found(node, *arguments, env=AS_EDGE_7):
    """What report finds: the rule, and the name of the file or folder."""
    done = tool.call("report", *node.look(), *arguments, "-o", "json", env=env)
    findings = json.loads(done.stdout)["findings"]
    assert not findings or done.exit == tool.FOUND, done
    return [(one["rule"], one["place"].rsplit("/", 1)[1].removesuffix(".json")) for one in findings]


def tell_changed(node):
    """web-0 keeps its address, web-1 comes back to another one, new-0 has that; web-2 and web-3 are not back."""
    reboot_full_range(node)
    node.add("d-web-1", "shop/web-1")


def what_the_cloud_knows(golden):
    """Services reach who is where the cloud knows him to be; everybody else is told, in each form, in both layouts."""
    for layout, title in ((TODAY, "today's"), (EARLIER, "an earlier")):
        with Looked(HOME, FIVE, name="pods") as node, Yurthub(layout) as cache:
            tell_changed(node)
            for number in range(5):
                cache.pod(f"shop/web-{number}", [f"10.9.0.{number + 2}"])
            cache.pod("shop/proxy", ["10.9.0.3"], hostNetwork=True)
            cache.pod("shop/job", ["10.9.0.3"], phase="Succeeded")
            cache.pod("shop/far", ["10.9.0.3"], node="edge-8")
            cache.slice("web", [("web-0", ["10.9.0.2"], "edge-7"), ("web-1", ["10.9.0.3"], "edge-7"),
                                ("web-3", ["10.9.0.5"], "edge-7"), ("web-4", ["10.9.0.6"], None),
                                ("far", ["10.9.0.3"], "edge-8"), ("gone", ["10.9.0.5"], "edge-7"),
                                ("proxy", ["192.0.2.1"], "edge-7")])
            cache.slice("web", [("web-1", ["10.9.0.3"], "edge-7")], component="coredns")
            done = node.calls(golden, "report")(f"YurtHub's cache in {title} layout", env=AS_EDGE_7)
            assert done.exit == tool.FOUND, done
            if layout is TODAY:
                for form in (("-o", "wide"), ("-o", "json"), ("--columns", "pod,cloud")):
                    node.calls(golden, "report")(f"YurtHub's cache, {' '.join(form)}", *form, env=AS_EDGE_7)


def no_contradiction():
    """Where all is as the cloud knows it, and where it knows nothing, the exit code is 0."""
    with Looked(HOME, WIDE, name="pods") as node:
        reboot(node, count=3)
        for number in range(2):
            node.add(f"d-web-{number}", f"shop/web-{number}")
        assert found(node) == []
        with Yurthub() as cache:
            cache.pod("shop/web-0", ["10.9.0.2"])
            cache.pod("shop/web-1", [""])
            cache.pod("shop/web-2", ["10.9.0.4"])  # not back: the address waits for it
            cache.slice("web", [("web-0", ["10.9.0.2"], "edge-7"), ("web-2", ["10.9.0.4"], "edge-7")])
            cache.put("kubelet/pods.v1.core/shop/tmp_web-0", "")
            cache.put("version", "1")
            assert found(node) == []
            told = tool.must("report", *node.look(), "--columns", "pod,cloud", "--no-headers", env=AS_EDGE_7)
            assert ["web-2", "10.9.0.4"] in [line.split() for line in told.splitlines()], told


def torn_caches(golden):
    """What of the cache cannot be read is told, and the rest is compared; that of today's layout goes first."""
    with Looked(HOME, WIDE, name="pods") as node, Yurthub() as cache, Yurthub(EARLIER) as earlier:
        reboot(node, count=2)
        node.add("d-web-0", "shop/web-0")
        cache.pod("shop/web-0", ["10.9.0.9"])
        cache.put("kubelet/pods.v1.core/shop/empty", "")
        cache.put("kubelet/pods.v1.core/shop/torn", '{"kind": "Pod", "metadata": {"na')
        cache.put("kubelet/pods.v1.core/shop/another", {"metadata": {"name": "web-1", "namespace": "shop"}})
        cache.put("kube-proxy/endpointslices.v1.discovery.k8s.io/shop/torn", "[")
        cache.put("kube-proxy/endpointslices.v1.discovery.k8s.io/shop/odd", {"metadata": {"name": "odd"}, "endpoints": [7, {}, {
            "addresses": [7, "x", "10.9.0.77"], "targetRef": {"kind": "Pod", "name": "web-0"}}]})
        os.symlink("/dev/zero", f"{CACHE}/kubelet/pods.v1.core/shop/zero")
        earlier.pod("shop/web-0", ["10.9.0.10"])
        done = node.calls(golden, "report")("a torn cache", env=AS_EDGE_7)
        assert done.exit == tool.FOUND and "10.9.0.10" not in done.stdout, done
        assert sorted(found(node)) == [("cloud-cache-unreadable", name) for name in ("another", "empty", "torn", "torn", "zero")] + [
            ("cloud-other-address", "web-0"), ("cloud-stale-endpoint", "odd")], found(node)
        for rule in ("cloud-other-address", "cloud-stale-endpoint", "cloud-cache-unreadable", "cloud-of-another-node"):
            assert "fix: " in tool.must("check", "--explain", rule)


def another_nodes_cache():
    """Pods of other nodes are none of ours; the node's name is the host's, or what kubelet's own Node has."""
    with Looked(HOME, WIDE, name="pods") as node, Yurthub() as cache:
        reboot(node, count=2)
        node.add("d-web-0", "shop/web-0")
        cache.pod("shop/web-0", ["10.9.0.9"], node="edge-8")
        cache.slice("web", [("web-0", ["10.9.0.9"], "edge-8")])
        assert found(node) == [("cloud-of-another-node", "kubelet")]
        cache.put("kubelet/nodes.v1.core/edge-8", {"metadata": {"name": "edge-8"}})
        assert found(node) == [("cloud-other-address", "web-0"), ("cloud-stale-endpoint", "web")]


def cache_of_a_copy():
    """With --root it is the copy's cache, never this machine's."""
    with Looked(HOME, WIDE, name="pods") as node:
        reboot(node, count=2)
        node.add("d-web-0", "shop/web-0")
        with copy_of(node) as root, Yurthub() as own, Yurthub(top=root) as copied:
            own.pod("shop/web-0", ["10.9.0.9"])
            copied.pod("shop/web-0", ["10.9.0.2"])
            copied.put("../../hostname", "edge-7\n")
            assert found(node, "--root", root) == [] and found(node) == [("cloud-other-address", "web-0")]
            copied.pod("shop/web-0", ["10.9.0.8"])
            own.pod("shop/web-0", ["10.9.0.2"])
            assert found(node, "--root", root) == [("cloud-other-address", "web-0")] and found(node) == []


def nothing_there():
    os.makedirs(f"{HOME}/empty")
    done = tool.call("report", "--root", f"{HOME}/empty")
    shutil.rmtree(HOME)
    assert done.exit == tool.FOUND and not done.stdout and done.stderr.startswith("no network found in /etc/cni"), done


def tests(golden):
    golden.begin()
    return [
        ("every outcome, in every form", every_outcome, golden),
        ("what is refused, and the remedy", refused, golden),
        ("dual stack", dual_stack, golden),
        ("each reason for another address", reasons),
        ("one of two families lost", one_family_lost),
        ("an address held beside its own", held_beside_its_own),
        ("back on an address that was held beside", back_on_what_was_held),
        ("one of two range sets lost", one_of_two_sets_lost),
        ("another object of the name", another_object),
        ("a disk that takes no record", on_a_full_disk),
        ("pods that are not kept, and pinned ones", not_kept_by_wish),
        ("given away and freed, or taken back", given_away_and_freed),
        ("moved over from host-local", moved_over),
        ("a host-local that is run", run_host_local),
        ("pods that ended, and the next boot", never_forgotten_twice),
        ("the node's neighbour table contradicts", unreachable, golden),
        ("two networks, host-local's containers, callers without a pod", two_networks_and_others, golden),
        ("against what export wrote before", against_an_export, golden),
        ("a copy of the node's folders", of_a_copy),
        ("never a system call that changes a file", never_writes),
        ("a run folder of nonsense", a_hostile_run_folder),
        ("random histories beside a bookkeeping of our own", random_histories),
        ("what the cloud knows, by YurtHub's cache in both layouts", what_the_cloud_knows, golden),
        ("a cloud that knows it all, or nothing", no_contradiction),
        ("a cache that is torn", torn_caches, golden),
        ("another node's cache, and a node of two names", another_nodes_cache),
        ("the cache of a copy", cache_of_a_copy),
        ("a node without any network", nothing_there),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/report.golden.txt") as kept:
        tap.main("report", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots, own_etc)
