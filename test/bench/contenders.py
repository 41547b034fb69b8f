"""Who is measured: each with a network of its own, and the calls that a runtime would make of it."""
import itertools
import json
import os

import fill
import peers
from node import Node
from place import MEMORY
from plugin import BINARY, HOST_LOCAL
from runner import Job

EMPTY = "empty"
OURS = "ours"
DEBIAN, NEWEST = "host-local", "newest"
DELEGATE = "delegate"
TITLES = {EMPTY: "an empty static process", OURS: "delegated-ipam", DEBIAN: "Debian's host-local",
          NEWEST: "newest host-local", DELEGATE: "delegated-ipam over host-local"}

SUBNET = "10.9.0.0/16"
IPV6 = [{"subnet": "fd00:9::/64"}]
FIRST_ASKED = 240 * 256  # in the subnet, above whatever is filled in; a round uses up fewer addresses than STEP
STEP = 16

CROWD, STORM = 250, 240
CROWD_POINT, STORM_POINT = f"{CROWD} at once", f"storm of {STORM}"

LOOKED_SUBNET = "10.8.0.0/15"  # so large that a tenth is free whatever is filled in: a command that warns exits with 1
LOOKS = ("list", "status")  # of the operator's tool

numbers = itertools.count(1)


class Network(Node):
    """A network that can be filled, and whose calls are jobs for the runner. key: one of TITLES."""

    def __init__(self, key, binary, home, subnet=SUBNET, gap=0, **ipam):
        super().__init__(home, [[{"subnet": subnet}]], f"{key}-net", binary, **ipam)
        self.key = key
        self.addresses = fill.Addresses(subnet, gap)
        os.makedirs(home)

    def job(self, command, container_id, pod, args=None, **ipam):
        """One call; ipam: keys that differ from the network's own."""
        env, conf = self.request(command, container_id, pod, **ipam)
        env["CNI_ARGS"] += args or ""
        if self.key == DELEGATE:
            env["CNI_PATH"] = os.path.dirname(HOST_LOCAL)
        text = json.dumps(conf)
        path = f"{MEMORY}/{hash(text):x}.json"
        if not os.path.exists(path):
            with open(path, "w") as file:
                file.write(text)
        return Job(self.binary, path, env)

    def looks(self):
        """The jobs of the operator's tool, by LOOKS; the network's configuration is written for them."""
        conf = self.conf()
        plugin = {key: value for key, value in conf.items() if key not in ("name", "cniVersion")}
        folder = f"{self.home}/net.d"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/10-{self.name}.conflist", "w") as file:
            json.dump({"cniVersion": conf["cniVersion"], "name": conf["name"], "plugins": [plugin]}, file)
        where = ("--conf", folder, "--data-dir", self.data_dir, "--state-dir", self.state_dir)
        return [Job(self.binary, arguments=(command, *where)) for command in LOOKS]

    def add_and_delete(self, pod, container_id=None, **more):
        """The jobs of a pod's sandbox that comes and goes."""
        container_id = container_id or new_id()
        return [self.job(command, container_id, pod, **more) for command in ("ADD", "DEL")]


def new_id():
    """A container ID that nobody has."""
    return fill.container(f"sandbox {next(numbers)}")


def binaries():
    """{key: path} of the host-locals that are here, {key: why not} of the others."""
    found, missing = {}, {}
    if os.access(HOST_LOCAL, os.X_OK):
        found[DEBIAN] = HOST_LOCAL
    else:
        missing[DEBIAN] = f"no {HOST_LOCAL}: apt-get install containernetworking-plugins"
    newest = peers.binary("host-local")
    if newest:
        found[NEWEST] = newest
    else:
        missing[NEWEST] = f"not built: run {peers.BUILD} plugins"
    return found, missing


def networks(folder, others, with_delegate=False, **more):
    """A network for us and for each of the other binaries in a folder; more as in Network."""
    made = [Network(key, binary, f"{folder}/{key}", **more) for key, binary in {OURS: BINARY, **others}.items()]
    if with_delegate and DEBIAN in others:
        made.append(Network(DELEGATE, BINARY, f"{folder}/{DELEGATE}", inProcess=False, **more))
    return made


class Variant:
    """One kind of call. jobs() gives those of one round, points names what each of them measures (None: nothing)."""

    def __init__(self, points, jobs, who, on_large=()):
        self.points = points
        self.jobs = jobs  # (network, number of the round) -> jobs; what they need is done before it returns
        self._who = who
        self._on_large = on_large or who

    def has(self, key, is_large):
        """True if this contender is measured; where there are many reservations, host-local takes seconds."""
        return key in (self._on_large if is_large else self._who)


def new_pod(network, number):
    return network.add_and_delete(f"shop/new-{number}")


def returning(network, number):
    if number == 0:
        network.add("returning", "shop/back")
        network.delete("returning", "shop/back")
    return network.add_and_delete("shop/back")


def requested(network, number):
    asked = network.addresses[FIRST_ASKED + STEP * number - 2]
    return network.add_and_delete(f"shop/asked-{number}", args=f";IP={asked}")


def dual_stack(network, number):
    return network.add_and_delete(f"shop/dual-{number}", ranges=[*network.ipam["ranges"], IPV6])


def takeover(network, number):
    """The pod's old sandbox is of another boot and was never deleted."""
    for address in network.add(f"old-{number}", f"shop/over-{number}"):
        fill.make_dead(network, address)
    return network.add_and_delete(f"shop/over-{number}")


def not_durable(network, number):
    return network.add_and_delete(f"shop/loose-{number}", durability="none")


def unknown(network, number):
    return [network.job("DEL", new_id(), f"shop/unknown-{number}")]


ALL, SOME = (OURS, DEBIAN, NEWEST), (OURS,)
VARIANTS = [
    Variant(("ADD", "DEL"), new_pod, ALL),
    Variant(("DEL unknown",), unknown, ALL),
    Variant(("ADD returning", None), returning, ALL, SOME),
    Variant(("ADD requested", None), requested, ALL, SOME),
    Variant(("ADD dual stack", "DEL dual stack"), dual_stack, ALL, SOME),
    Variant(("ADD takeover", None), takeover, SOME),
    Variant(("ADD not durable", "DEL not durable"), not_durable, SOME),
    Variant(("ADD delegate", "DEL delegate"), new_pod, (DELEGATE,)),
]
ORDINARY = VARIANTS[:1]
