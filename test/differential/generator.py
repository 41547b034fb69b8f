"""Random networks and random commands on them.

A world is a handful of networks in one data folder with a few containers, small ranges and a mind of its own about
requested addresses, damaged files and odd configurations. Everything comes from one random.Random.
"""
import copy

from step import Step

VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
ROUTES = [
    {"dst": "0.0.0.0/0"},
    {"dst": "::/0"},
    {"dst": "192.168.1.5/16", "gw": "10.0.0.1"},
    {"dst": "2001:db8:2::0/64", "gw": "2001:DB8:3::1"},
    {"dst": "10.96.0.0/12", "mtu": 1400, "advmss": 1360, "priority": 5, "table": 0, "scope": 0},
    {"dst": "fd00::/8", "mtu": 0, "priority": 7, "table": 254},
]
ARGS = [
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=u-1",
    "K8S_POD_NAME=p;IgnoreUnknown=true",
    "IgnoreUnknown=True",
    "IP=",
    "",
]
BAD_ARGS = [
    "K8S_POD_NAME=web-0",
    "FOO=BAR;A=b;IgnoreUnknown=0",
    "IgnoreUnknown=yes",
    "FOO",
    "IP=10.0.0.1;",
    "IP=1=2",
    "IP=10.0.0.300",
    "IP=010.0.0.1",
    "CommonArgs=x",
    "ip=10.0.0.2",
    'FOO="q\\uo";B=\t',
    "Fü=1;=",
    "A=\u2028;B=\x7f\u00ad\u00a0\U0001f600\ue000",
    "IP=fe80::1%eth0",
]
BAD_REQUESTS = ["", "10.0.0", "10.0.0.1000", "2001:db8::1/256", "test", "01.2.3.4", "::ffff:0:0:1:2:3:4"]
BAD_ENVIRONMENT = [
    {"CNI_CONTAINERID": "-c1"},
    {"CNI_CONTAINERID": "c/1"},
    {"CNI_CONTAINERID": ""},
    {"CNI_CONTAINERID": None, "CNI_IFNAME": None},
    {"CNI_IFNAME": "a:b"},
    {"CNI_IFNAME": "a\u2003b"},
    {"CNI_IFNAME": ".."},
    {"CNI_IFNAME": "sixteen-letters-"},
    {"CNI_PATH": ""},
    {"CNI_COMMAND": "Add"},
]
BAD_VERSIONS = ["0.4", "1.0", "2.0.0", "abc", "1.0.0 ", "v1.0.0"]
CURSORS = [
    *(b"", b"garbage", b"\xff\xfe", b"10.0.0.300", b"0.0.0.0", b"255.255.255.255", b"::"),
    *(b"2001:db8:ffff::1", b"::ffff:10.1.1.3", b"010.1.1.3"),
]
FOREIGN = ["foreign", ".tmp", "2001:DB8:1::3", "10.1.1.03", "::ffff:10.1.1.5", "10.1.1.2_default_web-0"]


class World:
    """Networks that share a data folder; `step()` gives the next command."""

    def __init__(self, rng, number, outside_gateways=True):
        self.rng = rng
        self.number = number
        self.placement = rng.choice(["absolute", "absolute", "relative", "default"])
        names = rng.sample(["net", "cbr0", "n.1_2-x", "A"], rng.randint(1, 3))
        self.networks = [Network(rng, name, outside_gateways) for name in names]
        self.containers = [container_id(rng) for _ in range(rng.randint(4, 20))]
        self.ifnames = ["eth0"] * 3 + ["eth1", "net1", "ü"]
        self.results = {}  # (network, container, interface) -> the result of the last successful ADD

    def step(self, state):
        """The next command, given the data folder as it is now."""
        rng = self.rng
        network = rng.choice(self.networks)
        command = rng.choices(["ADD", "DEL", "CHECK"], [50, 28, 22])[0]
        container, ifname = self.attachment(network, command, state)
        args = rng.choice(ARGS) if rng.random() < 0.3 else None
        step = Step(command, network.conf(rng), container, ifname, args, delegated=rng.random() < 0.4)
        step.conf["cniVersion"] = version(rng, step)
        if step.command != "CHECK" and rng.random() < 0.3:
            request(rng, step, network)
        if step.command == "CHECK":
            self.previous(step)
        disturb(rng, step)
        if rng.random() < 0.15:
            step.damage = damage(rng, step, network, state)
        return step

    def attachment(self, network, command, state):
        """Container and interface: for ADD usually new ones, else usually some that have an address."""
        mine = [value for path, value in state.items() if path.startswith(network.name + "/") and value[0] == "file"]
        parts = [value[1].decode("utf-8", "replace").split("\r\n") for value in mine]
        live = {(part[0], part[1]) for part in parts if len(part) == 2 and part[0] in self.containers}
        if live and self.rng.random() < (0.1 if command == "ADD" else 0.6):
            container, ifname = self.rng.choice(sorted(live))
            return container, ifname if ifname in self.ifnames else "eth0"
        return self.rng.choice(self.containers), self.rng.choice(self.ifnames)

    def previous(self, step):
        """Give a CHECK the result of its ADD, sometimes that of another container."""
        known = self.results.get((step.network, step.container, step.ifname))
        if known and self.rng.random() < 0.5:
            others = [result for key, result in self.results.items() if key[0] == step.network]
            result = known if self.rng.random() < 0.8 else self.rng.choice(others)
            if result["cniVersion"] >= "0.3.0":
                step.conf["prevResult"] = result
                step.conf["cniVersion"] = result["cniVersion"]

    def remember(self, step, answer):
        """Keep the result of an ADD for the CHECKs that follow."""
        if step.command == "ADD" and answer.exit == 0:
            self.results[(step.network, step.container, step.ifname)] = copy.deepcopy(answer.doc)


def container_id(rng):
    digit = rng.randint(0, 9)
    return rng.choice([f"c{rng.randint(1, 99)}", f"{rng.getrandbits(256):064x}", f"Pod_{digit}.a-b", str(digit)])


def version(rng, step):
    many = sum(len(step.conf["ipam"].get(key) or []) for key in ("ranges", "subnet")) > 1
    weights = [1, 1, 4, 4, 6, 6, 6] if step.command == "CHECK" or many else [3, 3, 3, 4, 4, 6, 6]
    return rng.choices(VERSIONS, weights)[0]


# ---- networks ------------------------------------------------------------------------------------------------------


class Network:
    """A network with one or two configurations, of which the first is used most. outside_gateways: whether a gateway
    may lie outside of its subnet."""

    def __init__(self, rng, name, outside_gateways):
        self.name = name
        self.outside_gateways = ["10.9.9.9", "2001:DB8::1"] if outside_gateways else []
        self.blocks = iter(range(1, 250))
        self.addresses = []  # texts worth requesting or damaging
        first = self.variant(rng)
        self.variants = [first] * 8 + [self.narrowed(rng, first), self.variant(rng)]

    def conf(self, rng):
        return copy.deepcopy(rng.choice(self.variants))

    def variant(self, rng):
        """A valid configuration: one to three range sets, some of them by another channel than `ranges`."""
        sets = [self.ranges(rng, family) for family in rng.choice(["4", "4", "6", "46", "64", "44", "464"])]
        conf = {"cniVersion": "1.0.0", "name": self.name, "type": "bridge", "ipam": {}}
        if rng.random() < 0.2:
            conf["runtimeConfig"] = {"ipRanges": [sets.pop(0)], "other": 1}
        if sets and len(sets[0]) == 1 and rng.random() < 0.4:
            conf["ipam"].update(sets.pop(0)[0])
        if sets or rng.random() < 0.1:
            conf["ipam"]["ranges"] = sets
        if rng.random() < 0.3:
            conf["ipam"]["routes"] = rng.sample(ROUTES, rng.randint(0, 4))
        if rng.random() < 0.15:
            conf["ipam"]["resolvConf"] = "@RESOLV@/" + rng.choice(["plain", "full", "odd", "empty"])
        if rng.random() < 0.3:
            conf.update({"isGateway": True, "mtu": 1500, "prevresult": None})
        return conf

    def narrowed(self, rng, conf):
        """The same ranges in another order: addresses in use lie in another set, or in none."""
        conf = copy.deepcopy(conf)
        if conf["ipam"].get("ranges"):
            rng.shuffle(conf["ipam"]["ranges"])
            conf["ipam"]["ranges"] = conf["ipam"]["ranges"][: rng.randint(1, 3)]
        return conf

    def ranges(self, rng, family):
        """One range set: usually one range, sometimes several, sometimes two halves of one subnet."""
        if rng.random() < 0.15:
            return self.halves(family)
        return [self.range(rng, family) for _ in range(rng.choice([1, 1, 1, 2, 3]))]

    def prefix(self, family):
        block = next(self.blocks)
        return f"10.{1 + block // 200}.{block}." if family == "4" else f"2001:db8:{block:x}::"

    def text(self, prefix, host):
        return f"{prefix}{host}" if prefix.endswith(".") else f"{prefix}{host:x}"

    def halves(self, family):
        prefix = self.prefix(family)
        subnet = f"{prefix}0/28" if family == "4" else f"{prefix}/124"
        self.note(prefix, 0, 16)
        return [
            {"subnet": subnet, "rangeStart": self.text(prefix, 2), "rangeEnd": self.text(prefix, 4)},
            {"subnet": subnet, "rangeStart": self.text(prefix, 7), "rangeEnd": self.text(prefix, 8)},
        ]

    def range(self, rng, family):
        """A small subnet, with or without bounds and gateway of its own."""
        prefix, bits = self.prefix(family), rng.choice([2, 3, 3, 4])
        size = 1 << bits
        base = rng.choice([0, 0, 256 - size, size]) if family == "4" else 0
        self.note(prefix, base, size)
        one = {"subnet": f"{prefix}{base}/{32 - bits}" if family == "4" else f"{prefix}/{128 - bits}"}
        if family == "6" and rng.random() < 0.3:
            one = {"subnet": prefix.upper() + "/64", "rangeEnd": self.text(prefix, size)}
        if rng.random() < 0.35:
            first = rng.randint(0, size - 1)
            one["rangeStart"] = self.text(prefix, base + first)
            one["rangeEnd"] = self.text(prefix, base + rng.randint(first, size - 1))
        if rng.random() < 0.25:
            inside = self.text(prefix, base + rng.randint(0, size - 1))
            one["gateway"] = rng.choice([inside, *self.outside_gateways, ""])
        return one

    def note(self, prefix, base, size):
        self.addresses += [self.text(prefix, base + host) for host in range(size)]


# ---- what commands ask for, and what is wrong with them ------------------------------------------------------------


def request(rng, step, network):
    """Ask for one or more addresses by one or more of the three channels."""
    for _ in range(rng.choice([1, 1, 1, 1, 2, 3])):
        wanted = rng.choice(network.addresses) if rng.random() < 0.92 else rng.choice(["10.250.0.1", "::1.2.3.4"])
        wanted += rng.choice(["", "", "", "/24"])
        channel = rng.choice(["env", "args", "runtime"])
        if channel == "env":
            step.args = rng.choice(["IP={}", "IgnoreUnknown=1;IP={};FOO=x", "IP=10.1.1.1;IP={}"]).format(wanted)
        elif channel == "args":
            step.conf.setdefault("args", {}).setdefault("cni", {}).setdefault("ips", []).append(wanted)
        else:
            step.conf.setdefault("runtimeConfig", {}).setdefault("ips", []).append(wanted)


def disturb(rng, step):
    """Make a few commands wrong, or merely oddly written."""
    chance = rng.random()
    if chance < 0.02:
        step.args = rng.choice(BAD_ARGS)
    elif chance < 0.03:
        step.conf["args"] = {"cni": {"ips": [rng.choice(BAD_REQUESTS)]}}
    elif chance < 0.04:
        step.env = rng.choice(BAD_ENVIRONMENT)
    elif chance < 0.05:
        step.conf["cniVersion"] = rng.choice(BAD_VERSIONS)
    elif chance < 0.08:
        rng.choice(BREAKERS)(rng, step)
    elif chance < 0.12:
        step.spelling = rng.choice(SPELLINGS)
    elif chance < 0.14:
        step.conf.update(rng.choice(EMPTY))


EMPTY = [{"args": None}, {"cniVersion": ""}, {"runtimeConfig": None}, {"foo": [{"bar": None}]}]
SPELLINGS = [
    (('"subnet"', '"SUBNET"'), ('"ranges"', '"Ranges"')),
    (('"rangeStart"', '"rangestart"'), ('"rangeEnd"', '"RANGEEND"'), ('"gateway"', '"GateWay"')),
    (('"ipam"', '"IPAM"'), ('"dataDir"', '"DATADIR"'), ('"name"', '"nAmE"')),
    (('{"cniVersion"', '{"cniVersion": "9.9.9", "CNIVERSION"'),),
    (('"name":', '"name": "other", "name":'),),
    (('"subnet":', '"subnet": "10.77.0.0/24", "subnet":'),),
    (('"args"', '"ARGS"'), ('"ips"', '"IPs"'), ('"runtimeConfig"', '"runtimeconfig"'), ('"routes"', '"ROUTES"')),
]


def first_range(conf):
    """The first range object of a configuration, wherever it is."""
    runtime = (conf.get("runtimeConfig") or {}).get("ipRanges") or [[]]
    inner = conf["ipam"].get("ranges") or [[]]
    return next((ranges[0] for ranges in (*runtime, *inner) if ranges), conf["ipam"])


def breaker(**changes):
    return lambda rng, step: first_range(step.conf).update(changes)


def overlapping(rng, step):
    """The first range a second time: in its own set or in another one."""
    one = {key: value for key, value in first_range(step.conf).items() if key in ("subnet", "gateway")}
    sets = step.conf["ipam"].setdefault("ranges", [[]])
    if rng.random() < 0.5 or not sets:
        sets.append([copy.deepcopy(one)])
    else:
        sets[0].extend([one, copy.deepcopy(one)])


def other_ipam(**changes):
    return lambda rng, step: step.conf["ipam"].update(changes)


def no_ranges(rng, step):
    step.conf["ipam"] = {}
    step.conf.pop("runtimeConfig", None)


def no_ipam(rng, step):
    """No ipam key at all; a DEL would look into folders that both plugins share."""
    if step.command != "DEL":
        step.conf.pop("ipam")


BREAKERS = [
    breaker(subnet="10.1.2.5/24"),
    breaker(subnet="10.1.2.5/31"),
    breaker(subnet="2001:db8::/127"),
    breaker(subnet="2001:DB8:24:19ff::/63"),
    breaker(subnet="::ffff:10.0.0.0/120"),
    breaker(subnet="010.1.2.0/24"),
    breaker(subnet="10.1.2.0"),
    breaker(subnet=""),
    breaker(subnet=5),
    breaker(rangeStart="10.200.0.1"),
    breaker(rangeEnd="2001:db8:ffff::1"),
    breaker(rangeStart="x"),
    breaker(gateway="10.0.0.1/24"),
    breaker(gateway=True),
    overlapping,
    overlapping,
    no_ranges,
    no_ipam,
    other_ipam(ranges=[[]]),
    other_ipam(ranges=[[{}]]),
    other_ipam(ranges=[{"subnet": "10.1.2.0/24"}]),
    other_ipam(ranges=[[{"subnet": "10.201.0.0/24"}, {"subnet": "2001:db8:f::/64"}]]),
    other_ipam(routes=[{"dst": "x"}]),
    other_ipam(routes=[{"dst": "10.0.0.0/8", "gw": "10.0.0.0/8"}]),
    other_ipam(routes="0.0.0.0/0"),
    other_ipam(resolvConf="@RESOLV@/missing"),
    other_ipam(resolvConf="@RESOLV@"),
    other_ipam(resolvConf="@RESOLV@/long"),
    other_ipam(type=5),
]


# ---- damage --------------------------------------------------------------------------------------------------------


def damage(rng, step, network, state):
    """Changes to the network's folder before a command, as (path, entry) pairs; an entry of None removes."""
    wanted = rng.choice(network.addresses)
    mine = f"{step.container}\r\n{step.ifname}"
    kind = rng.random()
    if kind < 0.3:
        found = [(wanted, ("file", rng.choice(contents(step, mine)).encode()))]
    elif kind < 0.45:
        found = [(wanted, rng.choice([("dir",), ("link", "nowhere"), ("link", rng.choice(network.addresses))]))]
    elif kind < 0.65:
        text = rng.choice([*CURSORS, wanted.encode(), wanted.encode(), wanted.encode() + b"\n"])
        found = [(f"last_reserved_ip.{rng.randint(0, 2)}", ("file", text))]
    elif kind < 0.75:
        found = [(rng.choice(FOREIGN), ("file", rng.choice(["", mine, "a\nb", step.container]).encode()))]
    elif kind < 0.95:
        paths = [path for path in state if path.startswith(step.network + "/")]
        return tuple((path, None) for path in rng.sample(paths, min(len(paths), rng.randint(1, 3))))
    else:
        return ((step.network, None),)
    return tuple((f"{step.network}/{name}", entry) for name, entry in found)


def contents(step, mine):
    """What a file named like an address may hold: nothing, the attachment in every spelling, something else."""
    return [
        "", "\0\0\0\0", "garbage", "someone\r\neth0", mine, mine, step.container, f" {mine}\n", f"{mine}\r\n",
        f"\t{step.container}  ", f"{step.container}\r\n", f"\u00a0{mine}\u0085", f"{mine}\u2003", f"{mine}\x1f",
        f"\u200b{mine}", f"{step.container}\n{step.ifname}", f"{step.container} \r\n{step.ifname}", "x" * 5000,
        mine + " " * 5000, mine + " " * 5000 + "x",
    ]
