"""Where this plugin must answer otherwise than the Go host-local: name, reason and the right answer.

A rule looks at a Case: the step, the state before it and what the Go plugin did. It says what must be answered
instead; the answers of both plugins must then really differ, so that a rule is no blanket excuse. PROVOKED names the
rules that must be provoked at least once in every run against a host-local of a certain age.
"""
import ipaddress
import itertools
import re
from dataclasses import dataclass, replace

import model
import state as states
from answer import Begins
from step import NEWEST, NEWEST_KNOWN, Answer, refusal

# How old a host-local is: Debian's, one that knows CNI 1.1.0, one that refuses what all before took (1.10.0).
DEBIAN, SPEC_1_1, STRICTER = range(3)


class Case:
    """One step of a run as the rules see it. got: what this plugin did; it counts only for `dns`, and only where the
    Go plugin, which refuses, does not tell it."""

    def __init__(self, step, before, reference, got):
        self.step = step
        self.before = states.essence(before)
        self.reference = reference
        self.dns = field(reference if reference.exit == 0 else got, "dns")
        self.is_link = before.get(step.network, ("missing",))[0] == "link"
        self.folder = before[step.network][1] if self.is_link else step.network

    def conf(self, *path):
        found = self.step.conf
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def modelled_add(self, wanted=None):
        """What an ADD must answer if its requested addresses are tried in this order, by default in theirs."""
        return model.add(self.step, self.before, self.folder, self.dns, wanted)

    def modelled_release(self, passes):
        """What a DEL must answer if it looks so many times for files of the attachment."""
        return Answer(0, None, model.release(self.step, self.before, self.folder, passes))

    def finds(self):
        return bool(model.find(self.step, self.before, self.folder))


@dataclass(frozen=True)
class Rule:
    """A deviation: `matches(case, answer)` says where, `instead(case, answer)` what must be answered there."""

    name: str
    reason: str
    matches: object
    instead: object


def field(answer, key):
    return answer.doc.get(key) if isinstance(answer.doc, dict) else None


def with_fields(answer, **fields):
    return replace(answer, doc={**answer.doc, **fields})


def not_found(case):
    return f"host-local: Failed to find address added by container {case.step.container}"


DETAILED = re.compile(r"^failed to allocate for range \d+: "
                      r"(no IP addresses available in range set: |requested IP address \S+ is not available in )")


def detailed(answer):
    """The answer with the details that this plugin adds."""
    if not DETAILED.search(answer.message) or field(answer, "details") is not None:
        return answer
    return with_fields(answer, details=Begins("in use by " if "requested" in answer.message else "in-use "))


# ---- what changed since 1.1.1 --------------------------------------------------------------------------------------


def has_empty_dns(answer):
    """Whether a result of a version since 1.0.0 has one."""
    return field(answer, "dns") == {} and str(field(answer, "cniVersion")) >= "1"


def newest_routes(case, answer):
    return [model.route(conf, case.step.version) for conf in routes(case)]


def passes_on_attributes(case, answer):
    return bool(field(answer, "routes")) and None not in answer.doc["routes"] and not bad_routes(case) and (
        newest_routes(case, answer) != answer.doc["routes"]
    )


SINCE_1_1_1 = [
    Rule(
        "a result of 1.1.0 says so",
        "the Go plugin is asked for 1.0.0 instead, which has the same form, because it does not know 1.1.0",
        lambda c, a: c.step.stands_in and field(a, "cniVersion") == NEWEST_KNOWN,
        lambda c, a: with_fields(a, cniVersion=NEWEST),
    ),
    Rule(
        "1.1.0 is a known version",
        "Debian's plugin is older than CNI 1.1.0",
        lambda c, a: c.step.plain_version and c.step.version == NEWEST and a.code == 1,
        lambda c, a: c.modelled_add(),
    ),
    Rule(
        "1.1.0 is among the supported versions of an error",
        "Debian's plugin is older than CNI 1.1.0",
        lambda c, a: str(field(a, "details")).endswith('"1.0.0"]'),
        lambda c, a: with_fields(a, details=a.doc["details"][:-1] + ' "1.1.0"]'),
    ),
    Rule(
        "a result of 1.x leaves an empty dns out",
        "library 1.3.0 prints 1.x results so",
        lambda c, a: has_empty_dns(a),
        lambda c, a: replace(a, doc={key: value for key, value in a.doc.items() if key != "dns"}),
    ),
    Rule(
        "mtu, advmss, priority, table and scope of a route are passed on",
        "library 1.3.0 knows them",
        passes_on_attributes,
        lambda c, a: with_fields(a, routes=newest_routes(c, a)),
    ),
]


# ---- what 1.10.0 refuses -------------------------------------------------------------------------------------------

OUTSIDE_GATEWAY = re.compile(r"invalid range set \d+: gateway \S+ not in network ")
BEHIND_ITS_END = re.compile(r"(.*RangeStart \S+) is after RangeEnd (\S+) in network \S+")


def accepted_gateway(case, _):
    """The answer where the gateway's place does not count."""
    if case.step.command == "ADD":
        return case.modelled_add()
    return Answer(0, None, case.before) if case.finds() else refusal(999, not_found(case), case.before)


SINCE_1_10 = [
    Rule(
        "a gateway outside of its subnet is taken",
        "1.10.0 refuses what all before took; nodes that run with it would lose their network",
        lambda c, a: c.step.command in ("ADD", "CHECK") and OUTSIDE_GATEWAY.match(a.message) is not None,
        accepted_gateway,
    ),
    Rule(
        "a range that begins behind its own default end is refused with the remedy",
        "1.10.0 refuses it too, with a text of its own",
        lambda c, a: c.step.command in ("ADD", "CHECK") and BEHIND_ITS_END.fullmatch(a.message) is not None,
        lambda c, a: with_fields(a, msg=BEHIND_ITS_END.sub(
            r"\1 is behind the end of the range, \2; set rangeEnd too, or lower rangeStart", a.message)),
    ),
]


# ---- upstream bugs -------------------------------------------------------------------------------------------------


def overflowing(case):
    """Whether a range begins at the broadcast address and has no end of its own."""
    sets = case.conf("ipam", "ranges")
    ranges = [case.conf("ipam"), *itertools.chain(*filter(None, sets if isinstance(sets, list) else []))]
    ranges = [one for one in ranges if isinstance(one, dict)]
    return any(str(one.get("rangeStart")).endswith(".255") and not one.get("rangeEnd") for one in ranges)


def leading_zeros(case):
    """Whether the subnet's first byte is zero; mapped addresses are IPv4."""
    return re.match(r"0\.|::(?!ffff:)|[0-9a-f]{1,2}:", str(case.conf("ipam", "subnet"))) is not None


def four_bytes(case):
    """Whether the subnet is one of IPv6, but its number would fit an IPv4 address and no shorter one."""
    try:
        subnet = ipaddress.ip_network(case.conf("ipam", "subnet"))
    except ValueError:
        return False
    return subnet.version == 6 and 1 << 24 <= int(subnet.network_address) < 1 << 32


def null_addresses(case):
    return None in [*(case.conf("args", "cni", "ips") or []), *(case.conf("runtimeConfig", "ips") or [])]


def cursor_is_directory(case):
    return any(
        re.fullmatch(re.escape(case.folder) + r"/last_reserved_ip\.\d+", path) and value[0] == "dir"
        for path, value in case.before.items()
    )


def routes(case):
    """The routes of the configuration; none if they are no list."""
    found = case.conf("ipam", "routes")
    return found if isinstance(found, list) else []


def bad_routes(case):
    return any(route is None or route.get("dst") is None for route in routes(case))


def freed_earlier(case, answer):
    """Whether a failed ADD took away what had been there before it."""
    return case.step.command == "ADD" and answer.exit == 1 and not case.before.keys() <= answer.state.keys()


def restored(case, answer):
    lost = {path: value for path, value in case.before.items() if path not in answer.state}
    return replace(answer, state={**answer.state, **lost})


def outside_the_reservations(case, path):
    """Whether a path is in a sub-directory of the network's folder or one of the plugin's own files."""
    name = path[len(case.folder) + 1 :]
    return "/" in name or model.own(name)


def released_too_much(case, answer):
    lost = case.before.keys() - answer.state.keys()
    beyond = any(outside_the_reservations(case, path) or case.before[path][0] == "link" for path in lost)
    return case.step.command == "DEL" and beyond


CANNOT_LOCK = "is a directory"


def needless_refusal(answer):
    """Whether a DEL was refused for something that it does not need."""
    return answer.exit == 2 or answer.code == 999 and answer.message != CANNOT_LOCK


def passes_of_lenient_del(case):
    """How often a DEL that the Go plugin refuses looks for the attachment: once a range set, if those are valid."""
    targets = [str((route or {}).get("dst")) for route in routes(case)]
    message = case.reference.message
    elsewhere = message.startswith(("ARGS:", "cannot understand ip", "invalid IP address "))
    elsewhere = elsewhere or OUTSIDE_GATEWAY.match(message) is not None
    elsewhere = elsewhere or case.reference.exit == 2 or message.removeprefix("invalid CIDR address: ") in targets
    return len(model.range_sets(case.step.conf)) if elsewhere else 1


def contradicts_previous(case):
    """Whether the attachment's addresses and those of a CHECK's prevResult differ within today's ranges."""
    previous = case.conf("prevResult")
    if not previous:
        return False
    listed = [one.get("address", "") for one in previous.get("ips", [])]
    listed = {model.address(text.split("/")[0]) for text in listed}
    held = set(filter(None, map(model.address, model.find(case.step, case.before, case.folder))))
    ranges = list(itertools.chain(*model.range_sets(case.step.conf)))
    return any(value in one for value in listed ^ held for one in ranges)


def has_duplicate(case):
    return case.modelled_add().message.endswith("duplicate allocation is not allowed")


def same_duplicate(case, answer):
    """Whether the address that the Go plugin names as the duplicate is one that the attachment really has."""
    return case.modelled_add().message == answer.message


FIXED_BUGS = [
    Rule(
        "addresses with leading zero bytes are counted like all others",
        "1.1.1 drops the zeros: no address, a broken one, or an IPv4 address from an IPv6 subnet",
        lambda c, a: c.step.command == "ADD" and leading_zeros(c),
        lambda c, a: c.modelled_add(),
    ),
]

HALF_FIXED_BUGS = [
    Rule(
        "an IPv6 subnet whose first 96 bits are zero yields IPv6 addresses",
        "a host-local that no longer drops zeros still takes what is left, 4 bytes, for an IPv4 address",
        lambda c, a: c.step.command == "ADD" and four_bytes(c),
        lambda c, a: c.modelled_add(),
    ),
]

BUGS_UP_TO_1_9 = [
    Rule(
        "the end of a range that begins at the broadcast address does not overflow",
        "the Go plugin hands out addresses behind the subnet; here the configuration is refused",
        lambda c, a: c.step.command in ("ADD", "CHECK") and overflowing(c),
        lambda c, a: refusal(999, Begins("invalid range set "), c.before),
    ),
]

UPSTREAM_BUGS = [
    Rule(
        "a null among the requested addresses is an error",
        "the Go plugin crashes",
        lambda c, a: c.step.command in ("ADD", "CHECK") and null_addresses(c) and a.exit == 2,
        lambda c, a: refusal(999, Begins(""), c.before),
    ),
    Rule(
        "a cursor that cannot be written does not fail the ADD",
        "the Go plugin fails and leaks the address; the cursor is only a hint",
        lambda c, a: c.step.command == "ADD" and cursor_is_directory(c) and "last_reserved_ip" in a.message,
        lambda c, a: c.modelled_add(),
    ),
    Rule(
        "a failed ADD frees only what it made itself",
        "the Go plugin frees the live address of an earlier ADD of the same attachment",
        freed_earlier,
        restored,
    ),
    Rule(
        "DEL leaves sub-directories, symbolic links, the lock and the cursors alone",
        "the Go plugin walks into everything, reads through links and removes what has the content",
        released_too_much,
        lambda c, a: c.modelled_release(len(model.range_sets(c.step.conf))),
    ),
    Rule(
        "CHECK finds reservations only, not the cursor, the lock, links or sub-directories",
        "the Go plugin walks into everything and reads through links",
        lambda c, a: c.step.command == "CHECK" and a.exit == 0 and not c.finds(),
        lambda c, a: refusal(999, not_found(c), a.state),
    ),
    Rule(
        "ADD sees a duplicate only in the regular files of the folder itself",
        "the Go plugin walks into sub-directories and reads through links",
        lambda c, a: c.step.command == "ADD" and a.message.endswith("is not allowed") and not same_duplicate(c, a),
        lambda c, a: c.modelled_add(),
    ),
    Rule(
        "ADD sees a duplicate in a network folder that is a link",
        "the Go plugin walks with lstat and sees nothing there",
        lambda c, a: c.step.command == "ADD" and c.is_link and a.exit == 0 and has_duplicate(c),
        lambda c, a: c.modelled_add(),
    ),
    Rule(
        "CHECK finds a reservation in a network folder that is a link",
        "the Go plugin walks with lstat and sees nothing there",
        lambda c, a: c.step.command == "CHECK" and c.is_link and a.message == not_found(c) and c.finds(),
        lambda c, a: replace(a, exit=0, doc=None),
    ),
    Rule(
        "DEL releases in a network folder that is a link",
        "the Go plugin walks with lstat, releases nothing and succeeds",
        lambda c, a: c.step.command == "DEL" and c.is_link and a.exit == 0 and c.finds(),
        lambda c, a: c.modelled_release(len(model.range_sets(c.step.conf))),
    ),
    Rule(
        "DEL needs no valid ranges, routes, requests or CNI_ARGS, and no folder",
        "the Go plugin refuses and the address leaks",
        lambda c, a: c.step.command == "DEL" and needless_refusal(a),
        lambda c, a: c.modelled_release(passes_of_lenient_del(c)),
    ),
    Rule(
        "CHECK makes no folder",
        "where there can be none nothing is reserved; the Go plugin complains of the folder",
        lambda c, a: c.step.command == "CHECK" and a.message.startswith("mkdir "),
        lambda c, a: refusal(999, not_found(c), a.state),
    ),
    Rule(
        "CHECK compares with prevResult",
        "the specification asks for it; the Go plugin ignores prevResult",
        lambda c, a: c.step.command == "CHECK" and a.exit == 0 and contradicts_previous(c),
        lambda c, a: refusal(999, Begins(""), a.state),
    ),
    Rule(
        "a null route or a route without dst is an error",
        "the Go plugin prints <nil> or null, or crashes, and keeps the address; CHECK does not look at routes",
        lambda c, a: c.step.command in ("ADD", "CHECK") and bad_routes(c) and a.code in (None, 999),
        lambda c, a: refusal(999, Begins("/ipam/"), c.before),
    ),
]


def allocates(step, answer):
    """Whether the step is an ADD that got as far as the choice of an address."""
    return step.command == "ADD" and (answer.exit == 0 or answer.message.startswith("failed to allocate"))


def other_orders(case):
    """The answers to an ADD for every order of its requested addresses; none when there are fewer than two."""
    wanted = model.requests(case.step)
    return [case.modelled_add(order) for order in itertools.permutations(wanted)] if 2 <= len(wanted) <= 4 else []


HARMLESS = [
    Rule(
        "a message names a relative folder by its whole path",
        "whoever reads it does not know the plugin's working directory",
        lambda c, a: re.match(r"mkdir \d+/", a.message) is not None,
        lambda c, a: with_fields(a, msg=re.sub(r"^mkdir \d+", "mkdir @DATA@", a.message)),
    ),
    Rule(
        "a lock that cannot be opened is named",
        "the Go plugin says only what is wrong with it",
        lambda c, a: a.message == CANNOT_LOCK,
        lambda c, a: with_fields(a, msg=Begins("open ")),
    ),
    Rule(
        "requested addresses are tried in the order of the list",
        "the order of a Go map is random",
        lambda c, a: allocates(c.step, a) and a in other_orders(c) and a != c.modelled_add(),
        lambda c, a: c.modelled_add(),
    ),
    Rule(
        "texts of the JSON decoder are our own",
        "they are Go's; code and effect are the same",
        lambda c, a: re.match(r"json: cannot unmarshal|invalid character '", a.message) is not None,
        lambda c, a: with_fields(a, msg=Begins("/")),
    ),
    Rule(
        "the details of a taken or missing address tell who has it",
        "the Go plugin gives none",
        lambda c, a: detailed(a) != a,
        lambda c, a: detailed(a),
    ),
]


PROVOKED = {
    DEBIAN: [*FIXED_BUGS, *BUGS_UP_TO_1_9, *UPSTREAM_BUGS, *SINCE_1_1_1],
    SPEC_1_1: [*HALF_FIXED_BUGS, *BUGS_UP_TO_1_9, *UPSTREAM_BUGS],
    STRICTER: [*SINCE_1_10, *UPSTREAM_BUGS],
}


def expectation(case, age):
    """What this plugin must answer beside a host-local of this age, and the rules that say so where it is not what
    the Go plugin answered.

    Errors: an assertion when a rule matches but asks for no difference.
    """
    expected, used = case.reference, []
    for rule in (*PROVOKED[age], *HARMLESS):
        if rule.matches(case, expected):
            rewritten = rule.instead(case, expected)
            assert rewritten != expected, f"the rule '{rule.name}' matches, but asks for no difference"
            expected = rewritten
            used.append(rule.name)
    return expected, used
