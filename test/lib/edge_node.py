#!/usr/bin/python3
"""One node of a small cluster: a machine.Machine on a common LAN, whose pods serve, with what kubelet, kube-proxy and
flanneld do there. Run as a script by small_cluster.py in a world of its own: it is told by a pipe what to do.

usage: edge_node.py FILE-DESCRIPTOR
"""
import json
import os
import random
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # noqa: E402

if __name__ == "__main__":
    FOLDER = world.enter()

import image  # noqa: E402
import nsmount  # noqa: E402
import plugin  # noqa: E402
import result_cache  # noqa: E402
import services  # noqa: E402
from kubelet import Kubelet, Pod  # noqa: E402
from machine import NETNS, STATE_FOLDERS, Machine  # noqa: E402
from node import is_address  # noqa: E402
from uplink import NEAR, Uplink  # noqa: E402

PORT = 8080
NAME = "/cgi-bin/name"  # what a pod answers there: its name
LAN = "lan"
DNS = "coredns-"  # how the names of the pods begin that serve DNS
NOTES = "/var/lib/cni/flannel"
SUBNET_FILE = "/run/flannel/subnet.env"
SECONDS = 60  # for an answer; where nobody has the address, the kernel says so after 3 s
# Every request to a pod that is not there is told so, not one a second.
ICMP_AT_ONCE = ("net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
WHO = b"""#!/bin/busybox sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
exec /bin/busybox hostname
"""


@dataclass
class Spec:
    """What a node is made of. lan: path of the namespace whose bridge joins the nodes. hardware, addresses: of the
    uplink, these with prefix lengths. routes: {subnet of another node's pods: that node's address}. plugins: {name:
    binary}. zone: {name: addresses}, which DNS pods serve. lease: the text of flanneld's subnet.env, if the node has a
    flanneld.
    """

    name: str
    seed: str
    lan: str
    hardware: str
    addresses: list
    routes: dict
    conflist: dict
    plugins: dict
    zone: dict
    lease: str = ""
    families: list = field(default_factory=lambda: ["ip"])


class EdgeNode(Machine):
    """Everything that comes over the pipe is a call of a method here or in Machine."""

    program = image.Program(["/bin/busybox", "httpd", "-f", "-p", str(PORT), "-h", "/www"], {f"www{NAME}": WHO})

    def __init__(self, folder, spec):
        uplink = Uplink(spec.lan, (), spec.name, LAN, spec.hardware)
        super().__init__(folder, spec.conflist, spec.plugins, uplink=uplink)
        self._spec = spec
        self._dns_servers = {}  # sandbox id -> process
        self._services = f"{folder}/disk/services.nft"
        self._kubelet = Kubelet(self, random.Random(f"{spec.seed} {spec.name}"), [])

    def install(self):
        """What the operator does to have the product on the node."""
        nsmount.run(plugin.BINARY, "install", f"{self.folder}/bin")

    def use(self, conflist):
        """From now on the network is this one; the pods run on."""
        self.configure(conflist, {}, [])

    def boot(self):
        super().boot()
        self._dns_servers.clear()
        for address in self._spec.addresses:
            nsmount.inside(NETNS, "ip", "address", "add", address, "dev", NEAR, "nodad")
        for subnet, via in self._spec.routes.items():
            nsmount.inside(NETNS, "ip", "route", "add", subnet, "via", via, "dev", NEAR, "onlink")
        for setting in ICMP_AT_ONCE:
            nsmount.inside(NETNS, "busybox", "sysctl", "-w", setting)
        if self._spec.lease:
            os.makedirs(os.path.dirname(SUBNET_FILE))
            with open(SUBNET_FILE, "w") as file:
                file.write(self._spec.lease)
        if os.path.exists(self._services):
            nsmount.inside(NETNS, "nft", "-f", self._services)

    def serve_services(self, text):
        """kube-proxy hears of the EndpointSlices: its rules, which it makes anew of the same after each boot."""
        with open(self._services, "w") as file:
            file.write(text)
        nsmount.inside(NETNS, "nft", "-f", self._services)

    def rules(self):
        """kube-proxy's rules as the kernel has them."""
        tables = [subprocess.run(["nsenter", f"--net={NETNS}", "nft", "list", "table", family, services.TABLE],
                                 check=True, capture_output=True, text=True).stdout for family in self._spec.families]
        return "".join(tables)

    def run(self, pod):
        super().run(pod)
        if pod.name.startswith(DNS):
            self._dns_servers[pod.sandbox.id] = self._start_dns(pod)
        return pod.sandbox

    def stop(self, sandbox):
        server = self._dns_servers.pop(sandbox.id, None)
        if server:
            server.kill()
            server.wait()
        super().stop(sandbox)

    def start(self, names):
        """Pods of these names, "namespace/name", come to the node; returns serving()."""
        pods = _pods(names)
        self.run_all(pods)
        self._kubelet.pods = self._kubelet.pods + pods
        return self.serving()

    def restart(self, first=()):
        """The power goes and comes back: pods of the names `first` start before all others, then the returning ones in
        any order, each after the DEL of its old sandbox, new ones between them; late DELs end it. Returns serving().
        """
        self.reboot()
        assert self.ready() == set(), "a sandbox survived the restart"
        old = [pod.sandbox for pod in self._kubelet.pods]
        returning = self._kubelet.in_another_order()
        early = _pods(first)
        self.run_all(early)
        self._kubelet.start_interleaved(returning, stop_first=lambda pod: True)
        self._kubelet.pods = self._kubelet.pods + early
        self._kubelet.check_reached(f"{self._spec.name} has restarted")
        self.for_all(self.stop, old)
        self.for_all(self.forget, old)
        return self.serving()

    def make_again(self, names):
        """Pods are deleted and made again in this boot, and reached by who had talked to them; returns serving()."""
        self._kubelet.make_again([pod for pod in self._kubelet.pods if f"{pod.namespace}/{pod.name}" in names])
        return self.serving()

    def scale_to_zero(self):
        """Every pod is deleted."""
        gone = [pod.sandbox for pod in self._kubelet.pods]
        self.for_all(self.stop, gone)
        self.for_all(self.forget, gone)
        self._kubelet.pods = []

    def addresses_now(self):
        """{pod: its addresses}, as the runtime reports them to kubelet; all of sandboxes that are ready."""
        ready = self.ready()
        dead = [pod.name for pod in self._kubelet.pods if pod.sandbox.id not in ready]
        assert not dead, f"not running: {dead}"
        return {pod.name: self.addresses(pod.sandbox) for pod in self._kubelet.pods}

    def serving(self):
        """Wait until every pod answers at each of its addresses, under its own name, those that serve DNS also to that;
        returns addresses_now()."""
        self._kubelet.check_owners()
        self.for_all(self._wait_for, self._kubelet.pods)
        return self.addresses_now()

    def sandbox_ids(self):
        """{pod: the id of its sandbox}."""
        return {pod.name: pod.sandbox.id for pod in self._kubelet.pods}

    def ask(self, pod, host, port, count):
        """What `count` requests get that a pod sends at once: names of pods; None where nobody answers in time."""
        netns = self._netns_of(pod)
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: _who(netns, host, port), range(count)))

    def resolve(self, pod, name, server):
        """The addresses that a DNS server gives a pod for a name; none when it does not answer."""
        return _resolve(self._netns_of(pod), name, server)

    def left(self):
        """What the node keeps of attachments: address files and other strangers in the network folder, the result
        cache's entries of the network, Flannel's notes."""
        folders = {f"{STATE_FOLDERS[0]}/{self.network}": lambda name: is_address(name) or not _is_known(name),
                   result_cache.FOLDER: lambda name: name.startswith(f"{self.network}-"),
                   NOTES: lambda name: True}
        return sorted(f"{folder}/{name}" for folder, counts in folders.items() if os.path.isdir(folder)
                      for name in os.listdir(folder) if counts(name))

    def bound(self):
        """The addresses that have a record of ours: those that pods got from us, or will find again."""
        names = [name for _, folders, files in os.walk(STATE_FOLDERS[1]) for name in folders + files]
        return {name[len("ip."):] for name in names if name.startswith("ip.")}

    def report(self):
        """What the operator's tool says of the last boot: {outcome: how many pods}."""
        done = subprocess.run([plugin.BINARY, "report", "--conf", f"{self.folder}/net.d", "-o", "json"],
                              capture_output=True, text=True, check=False)
        return json.loads(done.stdout)["totals"]

    def cut_off(self):
        super().cut_off()
        world.wait_until(self.is_cut_off, 60, "the uplink still carries something")

    def connect_again(self):
        self.uplink.mend()
        world.wait_until(lambda: not self.is_cut_off(), 60, "the uplink carries nothing")

    def _start_dns(self, pod):
        zone = [f"--address=/{name}/{address}" for name, addresses in self._spec.zone.items() for address in addresses]
        return subprocess.Popen(
            ["nsenter", f"--net={pod.sandbox.netns}", "dnsmasq", "--keep-in-foreground", "--user=root",
             "--pid-file=", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--log-facility=/dev/null", *zone],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _netns_of(self, name):
        (pod,) = [pod for pod in self._kubelet.pods if pod.name == name]
        return pod.sandbox.netns

    def _wait_for(self, pod):
        zone = next(iter(self._spec.zone))
        for address in pod.addresses:
            world.wait_until(lambda: _who(NETNS, address, PORT) == pod.name, 60,
                             lambda: f"{pod.name} does not answer at {address}, but {_who(NETNS, address, PORT)}")
            if pod.name.startswith(DNS):
                world.wait_until(lambda: _resolve(NETNS, zone, address), 60, f"{pod.name} serves no DNS at {address}")


def _pods(names):
    """Pods by names of the form namespace/name."""
    return [Pod(name, namespace) for namespace, name in (text.split("/") for text in names)]


def _is_known(name):
    return name == "lock" or name.startswith("last_reserved_ip.")


def _resolve(netns, name, server):
    """The addresses that a DNS server gives for a name; none when it does not answer."""
    done = subprocess.run(["nsenter", f"--net={netns}", "busybox", "nslookup", name, server],
                          capture_output=True, text=True)
    answers = done.stdout.partition("Name:")[2].splitlines()
    return [line.split()[1] for line in answers if line.startswith("Address:")]


def _who(netns, host, port):
    """Who answers a request from this network namespace; None when nobody does."""
    host = f"[{host}]" if ":" in host else host
    # Not with wget's own time limit, -T: Debian's busybox dies of it.
    command = ["nsenter", f"--net={netns}", "busybox", "wget", "-q", "-O", "-", f"http://{host}:{port}{NAME}"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS).stdout.strip() or None
    except subprocess.TimeoutExpired:
        return None


def main():
    """Do what the pipe tells, (method, arguments), and answer (True, result) or (False, what went wrong)."""
    pipe = Connection(int(sys.argv[1]))
    node = EdgeNode(f"{FOLDER}/machine", pipe.recv())
    while True:
        try:
            method, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, getattr(node, method)(*arguments)
        except Exception:
            answer = False, traceback.format_exc()
        pipe.send(answer)


if __name__ == "__main__":
    main()
