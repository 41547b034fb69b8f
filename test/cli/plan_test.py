#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""plan: what a new configuration does to each pod, beside what it then does; every outcome in every form; what cannot be
planned is refused in the plugin's own words; and it never writes.

usage: plan_test.py [--update] [WORD ...]

--update writes plan.golden.txt from what the tool says now: read the difference before you keep it.
"""
import json
import os
import random
import shutil

import plugin
import sandbox
import tap
import tool
from golden import Golden
from looked_at import BOOTS, DUAL, Looked, changes_in, snapshot, traced
from node import fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = "/var/lib/cni/plan"
FIVE = [[{"subnet": "10.9.0.0/29"}]]  # .2 to .6
WIDE = [[{"subnet": "10.9.0.0/28"}]]
FORMS = [(), ("-o", "wide"), ("-o", "json"), ("-o", "yaml", "--outcome", "evicted"), ("-o", "name"), ("--no-headers",),
         ("-n", "other"), ("--outcome", "MOVES"), ("--columns", "pod,WHY")]
SEEDS = 16


def plan(node, *arguments, stdin=""):
    """The answer as an object; exit 1 on a loss, and where something is odd."""
    done = tool.call("plan", *node.look(), *arguments, "-o", "json", stdin=stdin)
    assert done.exit in (tool.FINE, tool.FOUND), str(done)
    answer = json.loads(done.stdout)
    is_fine = not (answer["totals"]["MOVES"] or answer["totals"]["DOES-NOT-FIT"] or answer["findings"])
    assert done.exit == (tool.FINE if is_fine else tool.FOUND), done
    assert sum(answer["totals"].values()) == len(answer["items"]), answer
    return answer


def outcomes(node, *arguments, **more):
    return {item["pod"]: item["outcome"] for item in plan(node, *arguments, **more)["items"]}


def rules(answer):
    return sorted(finding["rule"] for finding in answer["findings"])


def start(node, count, namespace="shop"):
    for number in range(count):
        node.add(f"c-{namespace}-{number}", f"{namespace}/web-{number}")


def new_conf(node, name="new.conflist", **ipam):
    """A conflist beside the node's own folder of them."""
    conf = node.conf(**ipam)
    plugin_conf = {key: value for key, value in conf.items() if key not in ("name", "cniVersion")}
    return node.write(name, {"cniVersion": "1.0.0", "name": conf["name"], "plugins": [plugin_conf]})


def every_outcome(golden):
    """Of ten pods that run or are held, in a range that becomes one of five."""
    with Looked(HOME, WIDE, name="pods") as node:
        start(node, 5)
        node.add("x0", None)
        start(node, 4, "other")
        for number in (2, 3):
            node.delete(f"c-other-{number}", f"other/web-{number}")
        node.delete("c-shop-4", "shop/web-4")
        small = new_conf(node, ranges=[[{"subnet": "10.9.0.0/29"}]], exclude=["10.9.0.3"])
        for form in FORMS:
            node.calls(golden, "plan")(" ".join(form) or "no options", small, *form)
        assert set(item["outcome"] for item in plan(node, small)["items"]) == {
            "DOES-NOT-FIT", "MOVES", "EVICTED", "DORMANT", "NOT-KEPT", "KEEPS"}


def by_options(golden):
    """Today's configuration with other ranges, one more exclude and pin; and as it is."""
    with Looked(HOME, DUAL, name="pods", exclude=["10.9.0.12"], pins={"shop/pinned": ["10.9.0.9"]}) as node:
        start(node, 3)
        calls = node.calls(golden, "plan")
        calls("as it is")
        calls("one excluded", "--exclude", "10.9.0.3")
        calls("one pinned to another", "--pin", "shop/other=10.9.0.4")
        calls("one pinned elsewhere", "--pin", "shop/web-0=10.9.0.14,fd00:9::77")
        calls("a larger subnet", "--subnet", "10.9.0.0/24", "--subnet", "fd00:9::/120")
        calls("another subnet of one family", "--subnet", "10.9.8.0/24", "--subnet", "fd00:9::/120")
        calls("a family is gone", "--subnet", "10.9.0.0/28")
        assert outcomes(node) == {"web-0": "KEEPS", "web-1": "KEEPS", "web-2": "KEEPS"}


def refused(golden):
    with Looked(HOME, WIDE, name="pods") as node:
        start(node, 1)
        calls = node.calls(golden, "plan")
        node.write("torn.conflist", '{"cniVersion": "1.0.0", ')
        node.write("none.conflist", {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "loopback"}]})
        wrong = [("-o", "xml"), ("--outcome", "lost"), ("--columns", "mac"), ("--network", "lan"), ("a", "b"),
                 ("--subnet", "10.9.0.1/24"), ("--exclude", "10.9.0.300"), ("--pin", "web-0=10.9.0.4"),
                 ("--exclude", "10.9.0.5-10.9.0.4"), ("/nowhere.conflist",), (f"{HOME}/torn.conflist",),
                 (f"{HOME}/none.conflist",), (new_conf(node, "bad.conflist", ranges=[[{"subnet": "10.9.0.9/24"}]]),),
                 (new_conf(node, "twice.conflist", pins={"a/b": ["10.9.0.4"]}), "--pin", "c/d=10.9.0.4"),
                 (new_conf(node, "mistyped.conflist", pins={"a/b": "10.9.0.4"}, exclude="x"), "--pin", "c/d=10.9.0.4",
                  "--exclude", "10.9.0.5")]
        for arguments in wrong:
            done = calls(f"refused: {' '.join(arguments)}", *arguments)
            assert done.exit == tool.USAGE and not done.stdout, done
        node.name = "other"
        done = calls("refused: a network that nobody knows", new_conf(node))
        assert done.exit == tool.USAGE and not done.stdout, done


def from_stdin_and_drop_ins():
    """A single configuration, a list from stdin, and a list that the installed drop-in plugins complete."""
    with Looked(HOME, WIDE, name="pods") as node:
        start(node, 2)
        conf = node.conf(exclude=["10.9.0.2"])
        expected = {"web-0": "MOVES", "web-1": "KEEPS"}
        assert outcomes(node, node.write("new.conf", conf)) == expected
        assert outcomes(node, "-", stdin=json.dumps(conf)) == expected
        with open(new_conf(node, exclude=["10.9.0.2"])) as file:
            assert outcomes(node, "-", stdin=file.read()) == expected
        node.write("net.d/pods/10-main.conf", conf)
        assert outcomes(node, "-", stdin=json.dumps({"cniVersion": "1.1.0", "name": "pods"})) == expected


def effects_on_the_living(golden):
    """Who is in use keeps his routes: subnets and gateways that change, and an address that becomes a gateway."""
    with Looked(HOME, WIDE, name="pods") as node:
        start(node, 7)
        calls = node.calls(golden, "plan")
        calls("another gateway", new_conf(node, ranges=[[{"subnet": "10.9.0.0/28", "gateway": "10.9.0.14"}]]), "-o", "name")
        calls("a gateway in use", new_conf(node, ranges=[[{"subnet": "10.9.0.0/28", "gateway": "10.9.0.3"}]]))
        calls("another subnet", "--subnet", "10.9.9.0/24", "-o", "name")
        assert rules(plan(node, "--subnet", "10.9.0.0/24")) == []
        for key in ("dataDir", "stateDir"):
            file = new_conf(node, **{key: f"{HOME}/elsewhere"})
            done = golden.call(f"plan: another {key}", "plan", "--conf", node.conf_dir, file)
            assert done.exit == tool.FOUND and "folder-changes" in done.stderr, done


def nothing_is_kept_any_more():
    """retain: false, an exclude of retain, and host-local itself: the addresses are given by chance."""
    with Looked(HOME, WIDE, name="pods") as node:
        start(node, 2)
        start(node, 1, "batch")
        assert set(outcomes(node, new_conf(node, retain=False)).values()) == {"MOVES"}
        answer = plan(node, new_conf(node, retain={"exclude": ["batch/*"]}))
        assert [(item["namespace"], item["outcome"]) for item in answer["items"]] == [
            ("batch", "MOVES"), ("shop", "KEEPS"), ("shop", "KEEPS")], answer
        node.write("stock.conf", {"cniVersion": "1.0.0", "name": "pods", "type": "bridge", "ipam": {
            "type": "host-local", "ranges": WIDE, "dataDir": node.data_dir}})
        assert set(item["outcome"] for item in plan(node, f"{HOME}/stock.conf")["items"]) == {"MOVES"}
        node.ipam["retain"] = {"exclude": ["batch/*"]}
        node.configure(node.conf())
        answer = plan(node)
        assert answer["totals"]["NOT-KEPT"] == 1 and answer["totals"]["KEEPS"] == 2, answer
        assert plan(node, "--subnet", "10.9.0.0/30")["totals"]["DOES-NOT-FIT"] == 2  # one address for three


def another_plugin():
    """What whereabouts or static gives is its own."""
    with Looked(HOME, WIDE, name="pods") as node:
        start(node, 1)
        answer = plan(node, new_conf(node, ranges=None, delegate={"type": "static", "addresses": []}))
        assert rules(answer) == ["delegate-keeps"] and not answer["items"], answer


def from_host_local():
    """Pods that host-local started are bound at the first command of ours, by the runtime's cache: they keep."""
    require(HOST_LOCAL)
    with Looked(HOME, WIDE, name="pods", binary=HOST_LOCAL) as node:
        node.configure({**node.conf(), "ipam": {"type": "host-local", "ranges": WIDE, "dataDir": node.data_dir}})
        new_boot(BOOTS[0])
        had = {}
        for number in range(3):
            had[number] = node.add(f"c{number}", f"shop/web-{number}")
            node.cache(f"c{number}", f"shop/web-{number}", had[number])
        node.add("x0", None)
        answer = plan(node, new_conf(node))
        assert answer["totals"]["KEEPS"] == 3 and answer["totals"]["NOT-KEPT"] == 1, answer
        answer = plan(node)
        assert answer["totals"]["NOT-KEPT"] == 4, answer
        new_boot(BOOTS[1])
        node.binary = BINARY
        for number in reversed(range(3)):
            node.delete(f"c{number}", None)
            assert node.add(f"d{number}", f"shop/web-{number}") == had[number], number
        shutil.rmtree("/var/lib/cni/results")


def damaged():
    """A bound address whose file names nobody is never free; a lost record is told; the rest is planned."""
    with Looked(HOME, WIDE, name="pods") as node:
        start(node, 4)
        node.write("networks/pods/10.9.0.3", "a note")
        os.unlink(f"{node.record_dir}/pod.shop_web-2@eth0")
        os.symlink("2~of a later version", f"{node.record_dir}/ip.10.9.0.9")
        answer = plan(node)
        found = {item["pod"]: (item["outcome"], item["why"]) for item in answer["items"]}
        assert found["web-0"][0] == "KEEPS" and found["web-3"][0] == "KEEPS", found
        assert found["web-1"][0] == "MOVES" and "names no attachment" in found["web-1"][1], found
        assert found["web-2"][0] == "MOVES" and "record" in found["web-2"][1], found
        assert rules(answer) == ["record-unreadable", "store-file-note"], answer
        after = [address for item in answer["items"] for address in item["after"].split(",")]
        node.delete("c-shop-2", "shop/web-2")
        assert node.add("d2", "shop/web-2") != ["10.9.0.4"]
        assert len(set(after)) == 4 and "10.9.0.9" not in after and "10.9.0.3" not in after, after


def two_networks(golden):
    with Looked(HOME, WIDE, name="pods") as node, Looked(f"{HOME}-lan", FIVE, name="lan") as other:
        shutil.copy(f"{other.conf_dir}/10-pods.conflist", f"{node.conf_dir}/20-lan.conflist")
        start(node, 1)
        other.add("c0", "shop/web-0", ifname="net1")
        golden.call("plan: two networks", "plan", "--conf", node.conf_dir)
        assert tool.call("plan", "--conf", node.conf_dir, "--subnet", "10.7.0.0/24").exit == tool.USAGE
        done = tool.call("plan", "--conf", node.conf_dir, "--subnet", "10.7.0.0/24", "--network", "lan", "-o", "json")
        item, = json.loads(done.stdout)["items"]
        assert (item["if"], item["network"], item["outcome"], item["after"]) == ("net1", "lan", "MOVES", "10.7.0.2"), item


def of_a_copy():
    """Of another node's folders: the new file is one of this machine, its ranges are planned there."""
    with Looked(HOME, WIDE, name="pods") as node:
        start(node, 2)
        root = f"{HOME}-copy"
        shutil.copytree(node.home, f"{root}{node.home}", symlinks=True)
        file = new_conf(node, exclude=["10.9.0.2"])
        try:
            assert outcomes(node, file, "--root", root) == {"web-0": "MOVES", "web-1": "KEEPS"}
        finally:
            shutil.rmtree(root)


def without_anything():
    with Looked(HOME, WIDE, name="pods") as node:
        os.unlink(f"{node.conf_dir}/10-pods.conflist")
        done = tool.call("plan", *node.look())
        assert done.exit == tool.FOUND and "no configuration found" in done.stderr, done


def never_writes():
    with Looked(HOME, WIDE, name="pods") as node:
        start(node, 3)
        small = new_conf(node, ranges=FIVE, exclude=["10.9.0.3"])
        for step in (lambda: None, lambda: shutil.rmtree("/run/delegated-ipam")):
            step()
            before = snapshot(HOME, "/run")
            outcome, calls = traced(BINARY, "plan", *node.look(), small)
            assert outcome.exit == tool.FOUND and not changes_in(calls), (outcome, changes_in(calls))
            assert snapshot(HOME, "/run") == before


class Lottery:
    """A node with a random life, and a random configuration for it."""

    def __init__(self, node, rng):
        self.node, self.rng, self.live, self.lives = node, rng, {}, 0

    def live_on(self):
        for _ in range(self.rng.randrange(8, 30)):
            name = f"{self.rng.choice(('shop', 'other'))}/web-{self.rng.randrange(7)}"
            if name in self.live:
                self.node.delete(self.live.pop(name), name)
                continue
            self.lives += 1
            if self.node.call("ADD", f"c{self.lives}", name).exit == 0:
                self.live[name] = f"c{self.lives}"

    def new_conf(self):
        """(what the plugin is given, what the tool is)"""
        ends = self.rng.choice(("10.9.0.0/29", "10.9.0.0/28", "10.9.0.0/27", "10.9.1.0/28", "10.9.0.8/29"))
        taken = [f"10.9.0.{number}" for number in range(2, 15)]
        more = {"ranges": [[{"subnet": ends}]], "exclude": self.rng.sample(taken, self.rng.randrange(4))}
        pins = {f"shop/web-{number}": [self.rng.choice(taken)] for number in range(self.rng.randrange(2))}
        return {**more, "pins": {pod: where for pod, where in pins.items() if where[0] not in more["exclude"]}}


def comes_true():
    """All pods end, and come back in the order that is told of: each gets what was foretold, or fails where that was."""
    seen = set()
    for seed in range(SEEDS):
        with Looked(HOME, WIDE, name="pods") as node:
            lottery = Lottery(node, random.Random(seed))
            lottery.live_on()
            more = lottery.new_conf()
            answer = plan(node, new_conf(node, **more))
            seen.update(item["outcome"] for item in answer["items"])
            running = [item for item in answer["items"] if item["state"] == "in-use"]
            assert len(running) == len(lottery.live), (seed, answer)
            for pod, container_id in lottery.live.items():
                node.delete(container_id, pod)
            order = {"KEEPS": 0}
            running.sort(key=lambda item: (order.get(item["outcome"], 1), item["namespace"], item["pod"]))
            for number, item in enumerate(running):
                pod = f"{item['namespace']}/{item['pod']}"
                done = node.call("ADD", f"d{number}", pod, **more)
                got = done.addresses[0] if done.exit == 0 else None
                assert got == item["after"], (seed, more, item, done)
            for item in answer["items"]:
                if item["state"] == "held":
                    address = item["now"].split(",")[-1]
                    owner = node.bindings()[address].owner if address in node.bindings() else None
                    is_theirs = owner == f"{item['namespace']}/{item['pod']}"
                    assert is_theirs == (item["outcome"] != "EVICTED"), (seed, item, owner)
    assert seen == {"KEEPS", "MOVES", "DOES-NOT-FIT", "EVICTED", "DORMANT"}, seen


def tests(golden):
    golden.begin()
    return [
        ("every outcome, in every form", lambda: every_outcome(golden)),
        ("today's configuration with a change", lambda: by_options(golden)),
        ("what cannot be planned", lambda: refused(golden)),
        ("stdin, a single configuration, drop-in plugins", from_stdin_and_drop_ins),
        ("subnets, gateways and folders of who is in use", lambda: effects_on_the_living(golden)),
        ("nothing is kept any more", nothing_is_kept_any_more),
        ("another plugin hands out", another_plugin),
        ("pods that host-local started", from_host_local),
        ("damaged entries", damaged),
        ("two networks", lambda: two_networks(golden)),
        ("a copy of another node", of_a_copy),
        ("a node without a configuration", without_anything),
        ("never a system call that changes a file", never_writes),
        ("what was foretold comes true", comes_true),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/plan.golden.txt") as kept:
        tap.main("plan", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots)
