#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Two nodes with a container runtime each, one cluster: a StatefulSet, a Deployment, a DaemonSet and CoreDNS over both,
their conflists from `generate`, the plugin from `install`. One node restarts online, then off the network; Services
go on by rules written once. Everything is scaled to 0, and the nodes move over from the stock host-local and back.

usage: two_nodes_test.py [bridge|ptp|flannel|host-local ...]
SEED=<number> repeats the order of an earlier run. Needs root and the packages of the e2e list.
"""
import json
import os
import random
import subprocess
import sys

import world

FOLDER = world.enter()

import peers
import tap
from small_cluster import NODES, PLACES, Cluster
from edge_node import PORT
from machine import CNI_PLUGINS
from plugin import BINARY, HOST_LOCAL
from services import Service, rules
from tap import Skip

RESTARTED, OTHER = NODES
WEB, WEB_HERE, KUBE_DNS = (["10.96.0.20", "fd00:10:96::20"], ["10.96.0.21", "fd00:10:96::21"],
                           ["10.96.0.10", "fd00:10:96::a"])
WEB_NAME = "web.shop.svc.cluster.local"
FAMILIES = {"bridge": 2, "ptp": 1, "flannel": 1}
REPLICAS = 30


def workloads():
    """The pods of each node, "namespace/name": an even share of the StatefulSet and of all else."""
    pods = {name: [] for name in NODES}
    for number in range(REPLICAS):
        pods[NODES[number % 2]].append(f"shop/web-{number}")
    for number, suffix in enumerate(("x2x8k", "9wq7d", "b4kkz", "tz6lm")):
        pods[NODES[number % 2]].append(f"shop/api-7c9d8b5f6-{suffix}")
    for name, suffix in zip(NODES, ("4hd9s", "p8vzn")):
        pods[name] += [f"kube-system/agent-{suffix}", f"kube-system/coredns-5d78c9869d-{suffix}"]
    return pods


def generated(kind, folder, nodes_json):
    """The conflists by node that the product's generator makes."""
    if kind == "flannel":  # which adds each node's subnet itself; the old one here speaks CNI up to 0.4.0
        conflist = json.loads(tool("generate", "flannel", "--cni-version", "0.3.1"))
        return dict.fromkeys(NODES, conflist)
    with open(f"{folder}/nodes.json", "w") as file:
        file.write(nodes_json)
    os.mkdir(f"{folder}/conflists")
    tool("generate", kind, "--nodes", f"{folder}/nodes.json", "--out", f"{folder}/conflists")
    expected = sorted(f"{name}.conflist" for name in PLACES)
    assert sorted(os.listdir(f"{folder}/conflists")) == expected, os.listdir(f"{folder}/conflists")
    found = {}
    for name in NODES:
        with open(f"{folder}/conflists/{name}.conflist") as file:
            found[name] = json.load(file)
    return found


def tool(*arguments):
    """What the operator's tool prints; RuntimeError with what it complains of."""
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: exit {done.returncode}: {done.stderr}")
    return done.stdout


def stock(conflist):
    """The same network as it was before delegated-ipam: by host-local."""
    main, *others = conflist["plugins"]
    ipam = {**main["ipam"].get("delegate", main["ipam"]), "type": "host-local"}
    if main["type"] == "flannel":
        main = {key: value for key, value in main.items() if key != "ipam"}
    else:
        main = {**main, "ipam": ipam}
    return {**conflist, "plugins": [main, *others]}


def binaries(conflist):
    """The plugins that a node needs for the network; without ours, which is installed by itself."""
    types = {plugin["type"] for plugin in conflist["plugins"]} | {"loopback"}
    found = {name: f"{CNI_PLUGINS}/{name}" for name in types}
    if "flannel" in types:
        found |= {"flannel": peers.binary("flannel"), "bridge": f"{CNI_PLUGINS}/bridge"}
    return {**found, "host-local": HOST_LOCAL}


class Story:
    """One network from its first pod to its last; its methods are the chapters, told in order."""

    def __init__(self, cluster, kind, plan):
        self.cluster = cluster
        self.kind = kind
        self.plan = plan
        self.ours = generated(kind, cluster.folder, cluster.nodes_json())
        self.stock = {name: stock(conflist) for name, conflist in self.ours.items()}
        self.ever = {name: set() for name in NODES}  # every address that the node's pods had
        self.slices = {}  # what the EndpointSlices say: {pod: addresses}
        self.rules = {}
        conflists = self.stock if plan == "host-local" else self.ours
        zone = {WEB_NAME: WEB[:cluster.families]}
        cluster.make(conflists, binaries(self.ours[RESTARTED]), zone, with_flanneld=kind == "flannel")

    def pods_come_up_and_services_answer(self):
        if self.plan != "host-local":
            self.cluster.on_all("install")
        self.cluster.on_all("boot")
        placed = self.see(self.cluster.on_all("start", workloads()))
        self.slices = {pod: addresses for pods in placed.values() for pod, addresses in pods.items()}
        self.cluster.on_all("serve_services", {name: self.rules_for(name) for name in NODES})
        self.rules = self.cluster.on_all("rules")
        self.check_services()

    def rolling_restart(self):
        """A few pods of a node, one of its DNS among them, while the rest runs on."""
        node, pods = self.cluster.nodes[RESTARTED], workloads()[RESTARTED]
        chosen = [*pods[:3], *(pod for pod in pods if "coredns" in pod)]
        before = node.addresses_now()
        after = node.make_again(chosen)
        changed = changes(before, after)
        assert not changed, f"changed: {changed}"
        self.see({RESTARTED: after, OTHER: self.cluster.nodes[OTHER].addresses_now()})
        self.check_services()

    def online_restart(self):
        self.restart("online restart")
        self.check_services()

    def offline_restart(self):
        self.cut_off_and_restart()
        self.check_services_off_the_network()

    def cut_off_and_restart(self):
        """Returns how many kept their addresses, of how many."""
        node = self.cluster.nodes[RESTARTED]
        node.cut_off()
        away = self.slices[self.web_on(OTHER)[0]][0]
        assert node.ask(self.client(RESTARTED), away, PORT, 1) == [None], "the other node can still be reached"
        result = self.restart("offline restart", [f"kube-system/static-{RESTARTED}", f"apps/static-{RESTARTED}-2"])
        assert node.is_cut_off(), "the node restarted with its uplink"
        return result

    def reconnection(self):
        """Nobody has told kube-proxy anything on either node, and nothing has to be told."""
        self.cluster.nodes[RESTARTED].connect_again()
        placed = self.see(self.cluster.on_all("addresses_now"))
        live = {pod: addresses for pods in placed.values() for pod, addresses in pods.items()}
        wrong = {pod: (addresses, live.get(pod)) for pod, addresses in self.slices.items()
                 if live.get(pod) != addresses}
        assert not wrong, f"EndpointSlices that would have to change: {wrong}"
        assert self.cluster.on_all("rules") == self.rules, "kube-proxy's rules have changed"
        self.check_services()

    def scale_to_zero(self):
        self.cluster.on_all("scale_to_zero")
        left = self.cluster.on_all("left")
        assert not any(left.values()), f"left behind: {left}"
        common = set.intersection(*self.ever.values())
        assert not common, f"addresses that pods had on both nodes: {common}"
        counts = ", ".join(f"{len(addresses)} on {name}" for name, addresses in self.ever.items())
        print(f"# {self.kind}: scaled to 0: stores empty; of the addresses ever given ({counts}) none on both nodes")

    def upgrade_from_host_local(self):
        """The binary on every node first, then the conflists, then a new pod on each node: Flannel's notes lead the old
        sandboxes' DELs to host-local, so that is when we learn who has which address."""
        self.pods_come_up_and_services_answer()
        assert not any(self.cluster.on_all("bound").values()), "the pods did not come up by host-local"
        self.cluster.on_all("install")
        self.plan = "delegated-ipam"
        self.switch("upgrade", self.ours)
        newcomers = {name: self.newcomer(f"after-upgrade-{name}", name) for name in NODES}
        bound = self.cluster.on_all("bound")
        assert all(newcomers[name] <= bound[name] for name in NODES), f"newcomers came up without us: {newcomers}"
        self.restart("restart after the upgrade")
        self.check_services()

    def back_to_host_local(self):
        self.switch("rollback", self.stock)
        bound = self.cluster.on_all("bound")
        for name in NODES:
            self.newcomer(f"after-rollback-{name}", name)
        assert self.cluster.on_all("bound") == bound, "newcomers came up by us"
        self.check_services()
        self.scale_to_zero()

    def fewer_kept_by_host_local(self):
        """The control: what the chapters above assert can fail."""
        self.pods_come_up_and_services_answer()
        kept, count = self.cut_off_and_restart()
        node, own = self.cluster.nodes[RESTARTED], self.web_on(RESTARTED)
        answers = node.ask(self.client(RESTARTED), WEB_HERE[0], 80, len(own))
        right = len(set(answers) & set(own))
        print(f"# {self.kind}: host-local: {right} of {len(own)} pods answer for their Service on the offline node")
        assert kept < count, "stock host-local kept every address"
        assert right < len(own), "every pod answers under stock host-local"

    def restart(self, what, first=()):
        """One node loses its power and comes back; returns how many pods kept their addresses, of how many."""
        node = self.cluster.nodes[RESTARTED]
        before = node.addresses_now()
        after = node.restart(first)
        self.see({RESTARTED: after, OTHER: self.cluster.nodes[OTHER].addresses_now()})
        changed = changes(before, after)
        print(f"# {self.kind}, {self.plan}: {what}: kept {len(before) - len(changed)} of {len(before)}")
        if self.plan != "host-local":
            assert not changed, f"{what}: changed: {changed}"
            told = node.report()
            expected = {"KEPT": len(before), "NEW": len(after) - len(before),  # newcomers
                        "MISSING": 0, "UNREACHABLE": 0, "EVICTED": 0, "CHANGED": 0}
            assert told == expected, f"{what}: the tool reports {told} of {len(before)} pods"
        return len(before) - len(changed), len(before)

    def switch(self, what, conflists):
        """Other conflists on every node, all pods running on."""
        sandboxes, before = self.cluster.on_all("sandbox_ids"), self.cluster.on_all("addresses_now")
        self.cluster.on_all("use", conflists)
        after = self.see(self.cluster.on_all("serving"))
        assert self.cluster.on_all("sandbox_ids") == sandboxes, f"{what}: a pod was restarted"
        changed = {name: changes(before[name], after[name]) for name in NODES}
        count = sum(len(pods) for pods in before.values())
        print(f"# {self.kind}: {what} with pods running: kept {count - sum(map(len, changed.values()))} of {count}")
        assert not any(changed.values()), f"{what}: changed: {changed}"

    def newcomer(self, pod, name):
        """A pod more on a node; returns its addresses."""
        placed = self.cluster.nodes[name].start([f"shop/{pod}"])
        self.see({name: placed})
        return set(placed[pod])

    def see(self, placed):
        """Note {node: {pod: addresses}}, which is returned: no address is ever seen on two nodes, or twice on one."""
        for name, pods in placed.items():
            given = [address for addresses in pods.values() for address in addresses]
            assert len(set(given)) == len(given), f"{name}: an address twice: {pods}"
            self.ever[name] |= set(given)
        common = set.intersection(*self.ever.values())
        assert not common, f"on both nodes: {common}"
        return placed

    def rules_for(self, name):
        """kube-proxy's rules on a node. Two Services are for pods of the same node (internalTrafficPolicy: Local)."""
        def slices(pods):
            return {pod: self.slices[pod] for pod in pods}
        dns = [pod.split("/")[1] for pod in workloads()[name] if "coredns" in pod]
        count = self.cluster.families
        all_web = [pod for node in NODES for pod in self.web_on(node)]
        return rules([
            Service("web", WEB[:count], "tcp", 80, PORT, slices(all_web)),
            Service("web-here", WEB_HERE[:count], "tcp", 80, PORT, slices(self.web_on(name))),
            Service("kube-dns", KUBE_DNS[:count], "udp", 53, 53, slices(dns)),
        ], ["ip", "ip6"][:count])

    @staticmethod
    def web_on(name):
        return [pod.split("/")[1] for pod in workloads()[name] if pod.startswith("shop/web-")]

    @staticmethod
    def client(name):
        """The pod of the DaemonSet."""
        return next(pod.split("/")[1] for pod in workloads()[name] if "/agent-" in pod)

    def check_services(self):
        """On both nodes a pod finds the Service by DNS, and behind it every pod of the StatefulSet, once each."""
        everybody = sorted(pod for name in NODES for pod in self.web_on(name))
        for name in NODES:
            self.check_own_services(name)
            for cluster_ip in WEB[:self.cluster.families]:
                answers = self.cluster.nodes[name].ask(self.client(name), cluster_ip, 80, len(everybody))
                assert sorted(map(str, answers)) == everybody, f"{name}: {cluster_ip}: {answers}"

    def check_services_off_the_network(self):
        """The pods on the node serve each other; the Service over both nodes has these as its first endpoints, and at
        the next one, on the other node, nobody answers."""
        self.check_own_services(RESTARTED)
        own = self.web_on(RESTARTED)
        for cluster_ip in WEB[:self.cluster.families]:
            answers = self.cluster.nodes[RESTARTED].ask(self.client(RESTARTED), cluster_ip, 80, len(own) + 1)
            assert sorted(map(str, answers)) == sorted([*own, "None"]), f"{cluster_ip} off the network: {answers}"

    def check_own_services(self, name):
        """DNS, and the Service whose endpoints are the node's own: each of them answers, under its own name."""
        node, own, client = self.cluster.nodes[name], sorted(self.web_on(name)), self.client(name)
        for server, cluster_ip in list(zip(KUBE_DNS, WEB_HERE))[:self.cluster.families]:
            found = node.resolve(client, WEB_NAME, server)
            assert sorted(found) == sorted(WEB[:self.cluster.families]), f"{name}: DNS at {server} answers {found}"
            answers = node.ask(client, cluster_ip, 80, len(own))
            assert sorted(map(str, answers)) == own, f"{name}: {cluster_ip}: {answers}"


def changes(before, after):
    """The pods of `before` that have other addresses now: {pod: (then, now)}."""
    return {pod: (addresses, after.get(pod)) for pod, addresses in before.items() if after.get(pod) != addresses}


CHAPTERS = [
    ("the pods come up by the generated conflists, and their Services answer on both nodes",
     Story.pods_come_up_and_services_answer),
    ("pods deleted and made again have their addresses, are reached at once by who had talked to them, and serve",
     Story.rolling_restart),
    ("(a) online restart of a node: every pod is back on its address", Story.online_restart),
    ("(b) offline restart with newcomers first: every pod is back on its address, Services and DNS answer there",
     Story.offline_restart),
    ("(b) connected again: both nodes reach every endpoint by the very same rules, EndpointSlices are right unchanged",
     Story.reconnection),
    ("(c) scale to 0: both stores are empty, no address was ever on both nodes", Story.scale_to_zero),
]
MOVE = [
    ("(d) upgrade from the stock host-local with pods running: all keep their addresses, over a restart too",
     Story.upgrade_from_host_local),
    ("(d) and back with pods running: host-local's DELs empty the store", Story.back_to_host_local),
]
CONTROL = [("control: stock host-local keeps fewer, and Services lose their pods", Story.fewer_kept_by_host_local)]


def tell(suite, kind, plan, chapters):
    """Run the chapters on new nodes, up to the first that fails: those after it build on it."""
    with Cluster(f"{FOLDER}/{kind}", FAMILIES[kind]) as cluster:
        story = Story(cluster, kind, plan)
        for sentence, chapter in chapters:
            if not suite.run(f"{kind}: {sentence}", chapter, story):
                print("# the rest of this story is not told")
                return


def without_flannel():
    raise Skip(f"Flannel's plugin is not built: run {peers.BUILD} flannel")


def seed():
    os.environ.setdefault("SEED", str(random.randrange(10**6)))
    print(f"# seed {os.environ['SEED']}")


def tell_chosen(suite):
    chosen = sys.argv[1:] or [*FAMILIES, "host-local"]
    for kind in [one for one in FAMILIES if one in chosen]:
        if kind == "flannel" and not peers.binary("flannel"):
            suite.run("flannel", without_flannel)
            continue
        tell(suite, kind, "delegated-ipam", CHAPTERS)
        tell(suite, kind, "host-local", MOVE)
    if "host-local" in chosen:
        tell(suite, "bridge", "host-local", CONTROL)


if __name__ == "__main__":
    tap.story("two nodes", tell_chosen, seed)
