"""Short scripts that provoke each known bug of the Go plugin, with random addresses, versions and forms.

A scenario is a world (see generator.py) with the commands of one story; every run plays each of them at least once.
"""
import functools

from step import Step

NET = "bug"


class Story:
    """The world of one scenario: one network, steps known beforehand."""

    def __init__(self, rng, number, script):
        self.number = number
        self.placement = rng.choice(["absolute", "relative", "default"])
        delegated = rng.random() < 0.5
        self.steps = list(script(rng))
        for step in self.steps:
            step.delegated = delegated

    def step(self, state):
        return self.steps.pop(0) if self.steps else None

    def remember(self, step, answer):
        pass


def conf(rng, ipam, version=None, **more):
    version = version or rng.choice(["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
    return {"cniVersion": version, "name": NET, "ipam": ipam, **more}


def checkable(rng, ipam, **more):
    return conf(rng, ipam, rng.choice(["0.4.0", "1.0.0", "1.1.0"]), **more)


def v4(rng):
    """The first three bytes of a random IPv4 network."""
    return f"10.{rng.randint(0, 255)}.{rng.randint(0, 255)}."


def file(name, text):
    return (f"{NET}/{name}", ("file", text.encode() if isinstance(text, str) else text))


def files_of(container, ifname="eth0"):
    return f"{container}\r\n{ifname}"


def rollback(rng):
    """A second ADD of one attachment fails at its second range set."""
    inner = [{"subnet": "2001:db8::/64"}]
    both = {"ranges": [[{"subnet": v4(rng) + "0/24"}], inner]}
    yield Step("ADD", conf(rng, {"ranges": [inner]}))
    yield Step("ADD", conf(rng, both))
    yield Step("CHECK", checkable(rng, both))
    yield Step("ADD", conf(rng, {"ranges": [inner]}), args="IP=2001:db8::77", container="c2")
    unmatched = {"args": {"cni": {"ips": ["2001:db8::78", "10.250.0.1"]}}}
    yield Step("ADD", conf(rng, {"ranges": [inner]}, **unmatched), container="c2")


def overflow(rng):
    """A range begins at the broadcast address and has no end."""
    prefix = v4(rng)
    one = {"subnet": prefix + "0/24", "rangeStart": prefix + "255"}
    ipam = rng.choice([one, {"ranges": [[one]]}, {"ranges": [[{"subnet": "2001:db8::/64"}], [one]]}])
    for command in rng.sample(["ADD", "CHECK", "ADD", "DEL"], 4):
        yield Step(command, checkable(rng, ipam))


def outside_gateway(rng):
    """The gateway lies outside of the subnet, or is of the other family."""
    prefix = v4(rng)
    for gateway in ("10.9.9.9", "2001:DB8::1"):
        ipam = {"subnet": prefix + "0/28", "gateway": gateway, "routes": [{"dst": "0.0.0.0/0"}]}
        request = rng.choice([{}, {"args": {"cni": {"ips": [prefix + "7"]}}}])
        yield Step("ADD", conf(rng, ipam, **request))
        for command in ("ADD", "CHECK", "DEL", "CHECK"):
            yield Step(command, checkable(rng, ipam))


def zeros(rng, subnet):
    """A subnet whose first byte is zero; 1.1.1 must not be asked twice, it can loop for hours."""
    yield Step("ADD", conf(rng, {"subnet": subnet}))
    yield Step("DEL", conf(rng, {"subnet": subnet}))


def null_requests(rng):
    """A null among the requested addresses, by both channels."""
    prefix = v4(rng)
    ipam = {"subnet": prefix + "0/24"}
    yield Step("ADD", conf(rng, ipam))
    for command in ("ADD", "CHECK", "DEL"):
        ips = rng.choice([[None], [prefix + "7", None]])
        more = rng.choice([{"args": {"cni": {"ips": ips}}}, {"runtimeConfig": {"ips": ips}}])
        yield Step(command, checkable(rng, ipam, **more))


def cursor_directory(rng):
    """last_reserved_ip.N is a directory."""
    ipam = {"ranges": [[{"subnet": v4(rng) + "0/28"}], [{"subnet": "2001:db8::/120"}]]}
    where = ((f"{NET}/last_reserved_ip.{rng.randint(0, 1)}", ("dir",)),)
    yield Step("ADD", conf(rng, ipam), damage=where)
    yield Step("ADD", conf(rng, ipam), container="c2")
    yield Step("DEL", conf(rng, ipam))
    yield Step("ADD", conf(rng, ipam, version="1.0.0"), container="c3", args="IP=2001:db8::9")


def subdirectory(rng):
    """Files of the attachment lie in a sub-directory."""
    prefix = v4(rng)
    ipam = {"subnet": prefix + "0/24"}
    inside = file(f"old/{prefix}9", files_of("c1"))
    yield Step("CHECK", checkable(rng, ipam), damage=(inside,))
    yield Step("ADD", conf(rng, ipam))
    yield Step("DEL", conf(rng, ipam))
    yield Step("DEL", conf(rng, ipam), damage=(inside,))


def named_like_an_address(rng):
    """A container's ID is the text of the address handed out last; the lock holds the attachment's text."""
    prefix = v4(rng)
    ipam = {"subnet": prefix + "0/24"}
    yield Step("ADD", conf(rng, ipam))
    yield Step("CHECK", checkable(rng, ipam), container=prefix + "2")
    yield Step("DEL", conf(rng, ipam), container=prefix + "2")
    yield Step("DEL", conf(rng, ipam), container="c9", damage=(file("lock", files_of("c9")),))
    yield Step("CHECK", checkable(rng, ipam), container="c9", damage=(file("lock", files_of("c9")),))


def linked_folder(rng):
    """The network's folder is a symbolic link."""
    ipam = {"subnet": v4(rng) + "0/28"}
    link = ((NET, ("link", "real")), ("real", ("dir",)))
    yield Step("ADD", conf(rng, ipam), damage=link)
    yield Step("ADD", conf(rng, ipam))
    yield Step("CHECK", checkable(rng, ipam))
    yield Step("CHECK", checkable(rng, ipam), container="c2")
    yield Step("DEL", conf(rng, ipam))


def unusable_folder(rng):
    """A file lies where the network's folder should be; then a directory where the lock should be."""
    ipam = {"subnet": v4(rng) + "0/28"}
    commands = ("ADD", "CHECK", "DEL")
    for damage in (((NET, ("file", b"")),), ((NET, ("dir",)), (f"{NET}/lock", ("dir",)))):
        for command in rng.sample(commands, len(commands)):
            yield Step(command, checkable(rng, ipam), damage=damage)


def lenient_del(rng):
    """DEL with ranges, routes, requests or CNI_ARGS that ADD would refuse."""
    prefix = v4(rng)
    good = {"ranges": [[{"subnet": prefix + "0/25"}], [{"subnet": prefix + "128/25"}]]}
    bad = [{}, {"subnet": prefix + "5/24"}, {"ranges": [[]]}, {"subnet": 7}, {**good, "routes": [{"dst": "x"}]}]
    for ipam in rng.sample(bad, 3):
        yield Step("ADD", conf(rng, good))
        yield Step("DEL", conf(rng, ipam))
    yield Step("ADD", conf(rng, good))
    old = file(prefix + "77", "c1")
    yield Step("DEL", conf(rng, good), args=rng.choice(["FOO=BAR", "IP=x", "x"]), damage=(old,))
    yield Step("ADD", conf(rng, good))
    yield Step("DEL", conf(rng, good, version="0.2.0"))


def previous_result(rng):
    """CHECK is told other addresses than the attachment has."""
    prefix = v4(rng)
    ipam = {"subnet": prefix + "0/24"}
    yield Step("ADD", conf(rng, ipam))
    for ips in ([f"{prefix}3/24"], [], [f"{prefix}2/24", f"{prefix}3/24"], [f"{prefix}2/16", "192.0.2.1/32"]):
        previous = {"cniVersion": "1.0.0", "ips": [{"address": text} for text in ips]}
        yield Step("CHECK", conf(rng, ipam, version="1.0.0", prevResult=previous))


def odd_routes(rng):
    """A null route, and a route without dst."""
    for routes in ([None], [{"gw": "10.0.0.1"}]):
        ipam = {"subnet": v4(rng) + "0/24", "routes": [{"dst": "0.0.0.0/0"}, *routes]}
        yield Step("CHECK", checkable(rng, ipam))
        yield Step("ADD", conf(rng, ipam, version=rng.choice(["0.2.0", "0.4.0", "1.0.0"])))
        yield Step("DEL", conf(rng, ipam))


def many_requests(rng):
    """Several requested addresses of one range set: only one of them can be served."""
    prefix = v4(rng)
    for number in range(8):
        ips = [f"{prefix}{host}" for host in rng.sample(range(2, 200), rng.randint(2, 4))]
        more = {"args": {"cni": {"ips": ips}}}
        yield Step("ADD", conf(rng, {"subnet": prefix + "0/24"}, **more), container=f"c{number}")


def newest_version(rng):
    """The Go plugin is told cniVersion 1.1.0 as it is."""
    yield Step("ADD", conf(rng, {"subnet": v4(rng) + "0/24"}, version="1.1.0"), plain_version=True)


def route_attributes(rng):
    route = {"dst": "10.96.0.0/12", "mtu": 1400, "table": 0, "scope": 253, "priority": 0, "advmss": 9}
    yield Step("ADD", conf(rng, {"subnet": v4(rng) + "0/24", "routes": [route]}))


STORIES = [
    rollback,
    overflow,
    outside_gateway,
    functools.partial(zeros, subnet="0.0.0.0/24"),
    functools.partial(zeros, subnet="::/64"),
    functools.partial(zeros, subnet="64:ff9b::/96"),
    functools.partial(zeros, subnet="::1.2.3.0/120"),
    null_requests,
    cursor_directory,
    subdirectory,
    named_like_an_address,
    linked_folder,
    unusable_folder,
    lenient_del,
    previous_result,
    odd_routes,
    many_requests,
    newest_version,
    route_attributes,
]
