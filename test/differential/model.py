"""What host-local does with a valid configuration, in few lines: which address, which message, which files.

The rules use it to say what must happen where the Go plugin does something else. It is itself compared with both
plugins at every ADD that reaches the allocation, so it cannot drift from them.
"""
import ipaddress
from dataclasses import dataclass

from step import Answer, refusal

# what Go's strings.TrimSpace removes
SPACES = "\t\n\v\f\r \u0085\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
ATTRIBUTES = {"mtu": 0, "advmss": 0, "priority": 0, "table": None, "scope": None}  # of a route, and what is not printed


def address(text):
    """The address that Go's net.ParseIP reads from this text, or None; a mapped one is IPv4."""
    try:
        value = ipaddress.ip_address(text)
    except ValueError:
        return None
    if "%" in text:
        return None
    mapped = getattr(value, "ipv4_mapped", None)
    return mapped or value


@dataclass(frozen=True)
class Range:
    """The addresses first to last of a subnet, without the gateway."""

    subnet: object
    first: object
    last: object
    gateway: object

    def __contains__(self, value):
        return value.version == self.first.version and self.first <= value <= self.last


def read_range(conf):
    subnet = ipaddress.ip_network(conf["subnet"])
    last = subnet[-2] if subnet.version == 4 else subnet[-1]
    given = {key: address(conf[key]) for key in ("rangeStart", "rangeEnd", "gateway") if conf.get(key)}
    return Range(
        subnet, given.get("rangeStart", subnet[1]), given.get("rangeEnd", last), given.get("gateway", subnet[1])
    )


def range_sets(conf):
    """The range sets of a valid configuration in their order: ipRanges, the legacy range, ranges."""
    ipam = conf["ipam"]
    sets = [*((conf.get("runtimeConfig") or {}).get("ipRanges") or [])]
    if ipam.get("subnet"):
        sets.append([ipam])
    sets += ipam.get("ranges") or []
    return [[read_range(one) for one in ranges] for ranges in sets]


def describe(ranges):
    return ",".join(f"{one.first}-{one.last}" for one in ranges)


def lap(ranges, cursor):
    """The addresses of a range set in the order in which they are offered: those behind the cursor first."""
    at = next((index for index, one in enumerate(ranges) if cursor is not None and cursor in one), None)
    if at is None:
        yield from spans([(one, one.first, one.last) for one in ranges])
        return
    one = ranges[at]
    whole = [(other, other.first, other.last) for other in ranges[at + 1 :] + ranges[:at]]
    ahead = [(one, cursor + 1, one.last)] if cursor < one.last else []
    yield from spans([*ahead, *whole, (one, one.first, cursor)])


def spans(parts):
    for one, first, last in parts:
        value = first
        while True:
            if value != one.gateway:
                yield value
            if value == last:
                break
            value += 1


def requests(step):
    """The requested addresses in their order, each once: CNI_ARGS, args.cni.ips, runtimeConfig.ips."""
    pairs = dict(pair.split("=", 1) for pair in (step.args or "").split(";") if "=" in pair)
    texts = [pairs["IP"]] if pairs.get("IP") else []
    texts += ((step.conf.get("args") or {}).get("cni") or {}).get("ips") or []
    texts += (step.conf.get("runtimeConfig") or {}).get("ips") or []
    return list(dict.fromkeys(address(text.split("/")[0]) for text in texts))


# ---- the directory -------------------------------------------------------------------------------------------------


def own(name):
    """Whether a file is the plugin's own and no reservation."""
    return name == "lock" or name.startswith("last_reserved_ip.")


def reservations(state, folder):
    """Name -> trimmed content of the readable files of this network folder, in the order of their names."""
    found = {}
    for path in sorted(state, key=str.encode):
        name = path[len(folder) + 1 :]
        if path.startswith(folder + "/") and "/" not in name and not own(name):
            content = read(state, path)
            if content is not None:
                found[name] = content.decode("utf-8", "surrogateescape").strip(SPACES)
    return found


def read(state, path):
    """The bytes of a regular file; None for anything else: links are not read through."""
    value = state.get(path, ("missing",))
    return value[1] if value[0] == "file" else None


def contents(step):
    """What the files of an attachment hold, today and in the format of before 0.8.0."""
    return f"{step.container}\r\n{step.ifname}", step.container


def find(step, state, folder):
    """The names of the attachment's files: those with the interface, or else those with the ID alone."""
    held = reservations(state, folder)
    for wanted in contents(step):
        names = [name for name, text in held.items() if text == wanted]
        if names:
            return names
    return []


def release(step, state, folder, passes):
    """The state after a DEL: as often as there are range sets, what find() finds is removed."""
    state = dict(state)
    for _ in range(passes):
        for name in find(step, state, folder):
            del state[f"{folder}/{name}"]
    return state


# ---- ADD -----------------------------------------------------------------------------------------------------------


class Failure(Exception):
    """ADD ends with this message."""


class Allocation:
    """One ADD on a copy of a state; `folder` is where the network's files lie in it."""

    def __init__(self, step, state, folder):
        self.step, self.state, self.folder = step, dict(state), folder
        self.made = []

    def run(self, wanted):
        """Serve all range sets, with the requested addresses tried in this order; returned: (address, range) each."""
        left, chosen = list(wanted), []
        for index, ranges in enumerate(range_sets(self.step.conf)):
            request = next((one for one in left if any(one in part for part in ranges)), None)
            if request is not None:
                left.remove(request)
            try:
                chosen.append(self.take(index, ranges, request))
            except Failure as failure:
                raise Failure(f"failed to allocate for range {index}: {failure}") from None
        if left:
            raise Failure("failed to allocate all requested IPs: " + " ".join(sorted(map(str, left))))
        return chosen

    def take(self, index, ranges, request):
        value = self.requested(ranges, request) if request is not None else self.next_free(index, ranges)
        self.made.append(f"{self.folder}/{value}")
        self.state[self.made[-1]] = ("file", contents(self.step)[0].encode())
        cursor = f"{self.folder}/last_reserved_ip.{index}"
        if self.state.get(cursor, ("file",))[0] == "file":
            self.state[cursor] = ("file", str(value).encode())
        return value, next(one for one in ranges if value in one)

    def requested(self, ranges, value):
        if value == next(one for one in ranges if value in one).gateway:
            raise Failure(f"requested ip {value} is subnet's gateway")
        if f"{self.folder}/{value}" in self.state:
            raise Failure(f"requested IP address {value} is not available in range set {describe(ranges)}")
        return value

    def next_free(self, index, ranges):
        for name, text in reservations(self.state, self.folder).items():
            held = address(name) if text in contents(self.step) else None
            if held is not None and any(held in one for one in ranges):
                owner = self.step.container
                raise Failure(f"{held} has been allocated to {owner}, duplicate allocation is not allowed")
        cursor = self.state.get(f"{self.folder}/last_reserved_ip.{index}", ("missing", b""))
        last = address(cursor[1].decode("utf-8", "replace")) if cursor[0] == "file" else None
        for value in lap(ranges, last):
            if f"{self.folder}/{value}" not in self.state:
                return value
        raise Failure(f"no IP addresses available in range set: {describe(ranges)}")


def add(step, state, folder, dns=None, wanted=None):
    """The answer to an ADD with a valid configuration; a failed one takes back exactly what it made."""
    allocation = Allocation(step, state, folder)
    try:
        chosen = allocation.run(requests(step) if wanted is None else wanted)
    except Failure as failure:
        for path in allocation.made:
            del allocation.state[path]
        return refusal(999, str(failure), allocation.state)
    return Answer(0, result(step, chosen, dns or {}), allocation.state)


# ---- results -------------------------------------------------------------------------------------------------------


def result(step, chosen, dns):
    """The result document of the step's version."""
    routes = [route(one, step.version) for one in step.conf["ipam"].get("routes") or []]
    doc = {"cniVersion": step.version}
    if step.version < "0.3.0":
        doc.update(old_addresses(chosen, routes))
    else:
        doc["ips"] = [new_address(value, one, step.version) for value, one in chosen]
        doc.update({"routes": routes} if routes else {})
    return doc if step.version >= "1" and not dns else {**doc, "dns": dns}


def route(conf, version):
    """A route as it is printed; its attributes only since 0.3.0."""
    shown = {"dst": str(ipaddress.ip_interface(conf["dst"]))}
    if conf.get("gw"):
        shown["gw"] = str(address(conf["gw"]))
    kept = ATTRIBUTES if version >= "0.3.0" else {}
    shown.update({key: conf[key] for key in kept if conf.get(key) not in (None, ATTRIBUTES[key])})
    return shown


def new_address(value, one, version):
    shown = {"version": str(value.version)} if version < "1" else {}
    return {**shown, "address": f"{value}/{one.subnet.prefixlen}", "gateway": str(one.gateway)}


def old_addresses(chosen, routes):
    doc = {}
    for value, one in chosen:
        mine = [shown for shown in routes if (":" in shown["dst"]) == (value.version == 6)]
        shown = {"ip": f"{value}/{one.subnet.prefixlen}", "gateway": str(one.gateway)}
        doc[f"ip{value.version}"] = {**shown, "routes": mine} if mine else shown
    return doc
