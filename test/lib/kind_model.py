"""A small model of a cluster of kind, for stand-ins of docker, kind and kubectl: nodes with pod CIDRs and files, pods
with addresses.

Its host-local gives the next address each time, its delegated-ipam a pod's own; nothing else of either is modelled.
"""
import ipaddress
import json
import os
import re

CONF_DIR = "/etc/cni/net.d/"
MANIFESTS = "/etc/kubernetes/manifests/"
SERVICES = {"shop/web": "10.96.0.20", "shop/web-here": "10.96.0.21", "kube-system/kube-dns": "10.96.0.10"}
SIX = {"shop/web": "fd00:10:96::14", "shop/web-here": "fd00:10:96::15"}  # beside them, in dual stack
CHOSEN = {"shop/web": "shop/web-", "shop/web-here": "shop/web-", "kube-system/kube-dns": "kube-system/coredns-"}
LOCAL = ("shop/web-here", "kube-system/kube-dns")  # a node sends what is for them to its own pods alone
NODE_IMAGE = "kindest/node:v1.31.0"


class Model:
    """The cluster. stdin, said: what the call in hand was given to read, and what it has said so far, lines.

    faults, a list, are what goes wrong: "restart:pod" and "start:pod": a pod has another address after docker restart,
    or start; "start:slice": so has an endpoint; "start:service": a pod does not answer any more; "zero:store": an
    address file stays; "local:keeps": host-local gives a pod its own address; "restart:six": a pod has another address
    of IPv6, and the same of IPv4; "six:service": a Service's pods answer at its address of IPv4 alone;
    "report:changed": the tool on the nodes tells of one more; "upgrade:pod": a pod is restarted when the conflist is
    replaced; "force:newcomer": who comes to a node that is cut off gets the address of a sandbox there whose pod is
    gone; "force:slice": an endpoint keeps the address of that one; "delete:pod": a pod that was deleted does not find
    its own address again; "join:range": the installer does not see that ranges have changed; "again:stale": who knew a
    pod that was made again keeps its former link-layer address; "again:silent": nobody answers at such a pod's address;
    "docker:info": there is no daemon; "docker:image": nor a node image.
    """

    def __init__(self, faults=()):
        self.faults = list(faults)
        self.stdin, self.said = "", []
        self.name = None
        self.is_dual = False
        self.nodes, self.workloads, self.pods, self.placed = {}, {}, {}, {}
        self.images, self.loaded = [NODE_IMAGE], []
        self.maps, self.patched = {}, []
        self.values = {}  # those that Cilium was installed with
        self.sandboxes = self.joined = 0
        self.former = {}  # the ranges of nodes that are gone: {node: range}
        self.ranges = None  # what the installer's pods say of the ranges that they install; None: they install none
        self.wrong = {}  # what the EndpointSlice of shop/web says of a pod in the place of its address
        self.is_silent = False
        self.known = {}  # {address: sandbox} of pods that agents have asked, as they were then
        self.kept = {}  # what was on the nodes when the cluster was deleted: {node: {path: text}}

    def say(self, words):
        self.said.append(f"{words}\n")

    def create(self, name, is_dual):
        self.name, self.is_dual = name, is_dual
        for suffix in ("control-plane", "worker", "worker2"):
            self.add_node(f"{name}-{suffix}")
        self.workloads["kube-system/Deployment/coredns"] = 2
        self.workloads["local-path-storage/Deployment/local-path-provisioner"] = 1

    def add_node(self, name):
        cidr = f"10.244.{self.joined}.0/24"
        given = self.former.get(name, cidr) if self.ranges else cidr  # a pod of the installer comes with the node
        self.joined += 1
        self.nodes[name] = {"ip": f"172.18.0.{len(self.nodes) + 2}", "cidr": cidr, "range": given, "files": {},
                            "runs": True, "gone": {}, "is_cut": False, "is_closed": False, "last": 1, "bound": {},
                            "orphans": {}}

    def install(self, ranges):
        """The installer is applied, whose pods say this of the nodes' ranges: other words make other pods."""
        if ranges != self.ranges and "join:range" not in self.faults:
            for node in self.nodes.values():
                node["range"] = node["cidr"]
        self.ranges = ranges

    def forget_node(self, name):
        """Its pods are there until they are deleted."""
        self.former[name] = self.nodes.pop(name)["cidr"]

    def delete_pods(self, pods):
        """They are made again. On a node that is cut off, which does not hear of it, their sandboxes are orphans."""
        for pod in pods:
            what = self.pods.pop(pod)
            self.placed.pop(pod, None)
            node = self.nodes.get(what["node"])  # or it is gone too
            if node and node["is_cut"]:
                node["orphans"][pod] = what
                if "force:slice" in self.faults:
                    self.wrong[pod] = what["ip"]
        if "delete:pod" in self.faults:
            for node in self.nodes.values():
                node["bound"] = {pod: ip for pod, ip in node["bound"].items() if pod not in pods}
        self.reconcile()

    def mend(self, node):
        self.nodes[node] |= {"is_cut": False, "orphans": {}}

    def conflist(self, node):
        """The network of a node; None as long as it has none."""
        for path, text in sorted(self.nodes[node]["files"].items()):
            if path.startswith(CONF_DIR):
                return json.loads(text)
        return None

    def plugin(self, node):
        main = self.conflist(node)["plugins"][0]
        return main.get("ipam", {}).get("type", "host-local")

    def reconcile(self):
        """What controllers and kubelets do: every workload has its pods, and no others run."""
        wanted = {pod: node for key, count in self.workloads.items() for pod, node in self._pods_of(key, count)}
        for node in self.workers():
            paths = [path for path in self.nodes[node]["files"] if path.startswith(MANIFESTS)]
            wanted |= {f"kube-system/{os.path.basename(path)[:-len('.yaml')]}-{node}": node for path in sorted(paths)}
        self.pods = {pod: what for pod, what in self.pods.items() if pod in wanted}
        self.placed = {pod: node for pod, node in self.placed.items() if pod in wanted}
        for pod, node in wanted.items():
            if pod not in self.pods and self.nodes[node]["runs"] and self.conflist(node):
                self._run(pod, node)

    def power_on(self, node, how):
        """Every pod of the node gets a new sandbox, those first that come from files."""
        own = [pod for pod, what in self.pods.items() if what["node"] == node]
        for pod in own:
            del self.pods[pod]
        self.nodes[node]["runs"] = True
        self.reconcile()
        if f"{how}:pod" in self.faults:
            moved = min(pod for pod in own if pod.startswith("shop/web-"))
            self.pods[moved]["ip"] = self._next(node)
        if f"{how}:six" in self.faults and self.plugin(node) != "host-local":
            self.pods[own[0]]["ip"] = re.sub("::.*", "::99", self.pods[own[0]]["ip"])
        if f"{how}:slice" in self.faults:
            self.wrong[min(self.endpoints("shop/web"))] = "10.244.1.99"
        if f"{how}:service" in self.faults:
            self.is_silent = True

    def workers(self):
        return [node for node in self.nodes if "worker" in node]

    def on(self, node):
        """{pod: what is known of it} of those that run on a node."""
        return {pod: what for pod, what in self.pods.items() if what["node"] == node} | self.nodes[node]["orphans"]

    def stored(self, node):
        """The names in the network's folder."""
        addresses = [ip for what in self.on(node).values() for ip in what["ip"].split(",")]
        if "zero:store" in self.faults and not addresses and node in self.workers():
            addresses = ["10.244.1.77"]
        return ["last_reserved_ip.0", "lock", *addresses]

    def holder(self, address):
        """(pod, what is known of it) of the pod that has an address."""
        return next((pod, what) for pod, what in self.pods.items() if address in what["ip"].split(","))

    def link_address(self, address):
        """That of a pod to those who know it; None if nobody has asked it."""
        sandbox = self.known.get(address)
        if sandbox and "again:stale" not in self.faults:
            sandbox = self.holder(address)[1]["sandbox"]
        return sandbox and mac_of(sandbox)

    def endpoints(self, service):
        """{pod: address} behind a Service, as the API tells it."""
        return {pod: what["ip"] for pod, what in self.pods.items() if pod.startswith(CHOSEN[service])}

    def answering(self, service, node):
        """The pods that answer who asks for a Service on a node; those of a node that is cut off are not ready."""
        ready = [name for name, place in self.nodes.items() if not place["is_cut"]]
        return sorted(pod for name in ([node] if service in LOCAL else ready) for pod in self.on(name)
                      if pod.startswith(CHOSEN[service]))

    def _pods_of(self, key, count):
        """(pod, node) of each pod that a workload shall have."""
        namespace, kind, name = key.split("/")
        nodes = self.workers()
        if kind == "DaemonSet":
            return [(f"{namespace}/{name}-{number}xk2z", node) for number, node in enumerate(nodes)]
        if namespace == "local-path-storage":
            nodes = [f"{self.name}-control-plane"]
        middle = "" if kind == "StatefulSet" else "7c9d8b5f6-"
        return [(pod, self._place(pod, nodes)) for pod in (f"{namespace}/{name}-{middle}{n}" for n in range(count))]

    def _place(self, pod, nodes):
        """Where a pod is, else the one of these nodes that has the fewest like it."""
        nodes = [node for node in nodes if not self.nodes[node]["is_closed"]]
        alike = pod.rpartition("-")[0]
        others = [node for other, node in self.placed.items() if other.rpartition("-")[0] == alike]
        return self.placed.setdefault(pod, min(nodes, key=others.count))

    def _run(self, pod, node):
        bound, orphans = self.nodes[node]["bound"], self.nodes[node]["orphans"]
        if self.plugin(node) == "host-local" and "local:keeps" not in self.faults or pod not in bound:
            bound[pod] = self._next(node)
        if orphans and "force:newcomer" in self.faults:
            bound[pod] = min(what["ip"] for what in orphans.values())
        self.sandboxes += 1
        self.pods[pod] = {"node": node, "ip": bound[pod], "sandbox": f"{self.sandboxes:064x}"}

    def _next(self, node):
        self.nodes[node]["last"] += 1
        taken = [ipaddress.ip_network(block)[self.nodes[node]["last"]]
                 for block in self.blocks(self.nodes[node]["range"])]
        return ",".join(map(str, taken))

    def blocks(self, cidr):
        """A node's range, in dual stack with that of IPv6."""
        return [cidr, f"fd00:10:244:{cidr.split('.')[2]}::/64"] if self.is_dual else [cidr]

    def cluster_ips(self, service):
        return [SERVICES[service], *([SIX[service]] if self.is_dual and service in SIX else [])]


def mac_of(sandbox):
    return f"0a:58:00:00:{sandbox[-4:-2]}:{sandbox[-2:]}"


def workloads_in(text):
    """{"namespace/kind/name": replicas} of the workloads in a manifest of ours."""
    found = {}
    for document in re.split(r"^---$", text, flags=re.MULTILINE):
        kind = re.search(r"^kind: (StatefulSet|Deployment|DaemonSet)$", document, re.MULTILINE)
        if kind:
            name, namespace = re.search(r"metadata: \{ name: (\S+), namespace: (\S+) \}", document).groups()
            replicas = re.search(r"replicas: (\d+)", document)
            found[f"{namespace}/{kind[1]}/{name}"] = int(replicas[1]) if replicas else 1
    return found
