"""What a recorded call of the reference plugin must be answered by this one: the record, rewritten by named rules.

A rule looks at the inputs and at the recorded answer, never at an id, and says what must be answered instead. OURS
are the deliberate deviations from the newest host-local, SINCE_1_1_1 what that one changed since Debian's 1.1.1.
"""
import ipaddress
import json
import re
from dataclasses import dataclass, replace

from answer import Begins, Pattern, same

VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
# what Go's unicode.IsSpace accepts
SPACES = "\t\n\v\f\r \u0085\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"


@dataclass(frozen=True)
class Answer:
    """Exit code, the JSON value on stdout (None: nothing, a list: several) and stderr (None: not compared)."""

    exit: int
    doc: object
    stderr: object = None


DIFFERENT = Answer(-1, "anything but the recorded answer")


class Vector:
    """One recorded call; the newest plugin's record of the same call, if there is one, is its `twin`."""

    def __init__(self, raw):
        self.raw = raw
        self.env = raw["env"]
        self.command = self.env.get("CNI_COMMAND", "")
        self.config = parsed(raw["stdin"])
        self.recorded = Answer(raw["exit"], raw["stdout_json"], raw.get("stderr"))
        self.inputs = json.dumps([self.env, raw["stdin"], raw.get("files"), raw.get("group")], sort_keys=True)
        self.twin = None

    def value(self, *path):
        """The value under these keys (any letter case, the last duplicate), or None."""
        found = self.config
        for key in path:
            pairs = found if isinstance(found, Pairs) else ()
            found = ([value for name, value in pairs if name.lower() == key.lower()] or [None])[-1]
        return found


class Pairs(list):
    """A JSON object as its (key, value) pairs in order, duplicates included."""


def parsed(text):
    try:
        return json.loads(text, object_pairs_hook=Pairs)
    except ValueError:
        return None


def agrees(expected, got):
    texts = expected.stderr is None or same(expected.stderr, got.stderr)
    return expected.exit == got.exit and same(expected.doc, got.doc) and texts


def error(code, msg, details=None):
    doc = {"code": code, "msg": msg}
    return Answer(1, {**doc, "details": details} if details else doc)


def field(answer, key):
    return answer.doc.get(key) if isinstance(answer.doc, dict) else None


def with_fields(answer, **fields):
    return replace(answer, doc={**answer.doc, **fields})


# ---- rules ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """A deviation: `matches(vector, answer)` says where, `instead(vector, answer)` what must be answered there."""

    name: str
    reason: str
    matches: object
    instead: object


def not_found(answer):
    return str(field(answer, "msg")).startswith("host-local: Failed to find address")


def not_refused(answer):
    return answer.exit == 0 or not_found(answer)


def about_text(answer):
    """The recorded about text with our name and version in its first line."""
    return Pattern(r"CNI delegated-ipam plugin v\d\S*\n" + re.escape(answer.stderr.split("\n", 1)[1]))


def go_decoder_text(answer):
    """The part of an error message that precedes the text of Go's JSON decoder; None without such a text."""
    found = re.search(r"json: cannot unmarshal|invalid character '", field(answer, "msg") or "")
    return answer.doc["msg"][: found.start()] if found else None


def is_netns_complaint(answer):
    last = answer.doc[-1] if isinstance(answer.doc, list) else answer.doc
    return isinstance(last, dict) and last.get("code") == 8


def elements(value):
    """The elements of a JSON array; none of anything else."""
    return value if isinstance(value, list) and not isinstance(value, Pairs) else []


def member(pairs, key):
    return ([value for name, value in pairs if name.lower() == key] or [None])[-1] if isinstance(pairs, Pairs) else None


def usable_subnet(text):
    """Whether this is the text of a network without host bits that is large enough for a gateway and one address."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return False
    return isinstance(text, str) and network.prefixlen <= network.max_prefixlen - 2


def cannot_add(vector):
    """Whether an ADD with this configuration is refused for want of a usable range."""
    if not isinstance(vector.value("ipam"), Pairs):
        return True
    legacy = vector.value("ipam", "subnet")
    sets = [*elements(vector.value("ipam", "ranges")), *elements(vector.value("runtimeConfig", "ipRanges"))]
    subnets = [member(range_, "subnet") for set_ in sets for range_ in elements(set_)]
    subnets += [legacy] if legacy is not None else []
    return not subnets or not all(elements(set_) for set_ in sets) or not all(map(usable_subnet, subnets))


def bad_routes(vector):
    return any(member(route, "dst") is None for route in elements(vector.value("ipam", "routes")))


def malformed_attachments(vector):
    """Whether a list of valid attachments is there that is no list of objects with containerID and ifname."""
    for key in ("cni.dev/valid-attachments", "cni.dev/attachments"):
        value = vector.value(key)
        names = [member(item, name) for item in elements(value) for name in ("containerid", "ifname")]
        if value is not None and (elements(value) is not value or not all(isinstance(name, str) for name in names)):
            return True
    return False


DETAILED = re.compile(r"^failed to allocate for range \d+: "
                      r"(no IP addresses available in range set: |requested IP address \S+ is not available in )")

OURS = [
    Rule(
        "the network namespace is not compared with the plugin's own",
        "an IPAM plugin never enters it; the comparison comes after the answer was printed and makes two documents",
        lambda v, a: is_netns_complaint(a),
        lambda v, a: Answer(0, a.doc[0] if isinstance(a.doc, list) else None),
    ),
    Rule(
        "the about text names this plugin and its version",
        "it is another plugin",
        lambda v, a: v.command == "" and a.stderr is not None,
        lambda v, a: replace(a, stderr=about_text(a)),
    ),
    Rule(
        "DEL needs no valid configuration beyond version, name and dataDir",
        "a release that fails for an address range or a CNI_ARGS key leaks the address",
        lambda v, a: v.command == "DEL" and field(a, "code") == 999,
        lambda v, a: Answer(0, None),
    ),
    Rule(
        "STATUS says 50 where no ADD can succeed",
        "the reference has no STATUS of its own and is silent",
        lambda v, a: v.command == "STATUS" and a.exit == 0 and (cannot_add(v) or bad_routes(v)),
        lambda v, a: error(50, Begins("")),
    ),
    Rule(
        "GC refuses a malformed list of attachments",
        "the reference does not look at it; acting on a guess would drop live attachments",
        lambda v, a: v.command == "GC" and a.exit == 0 and malformed_attachments(v),
        lambda v, a: error(7, Begins("")),
    ),
    Rule(
        "a null route or a route without dst is an error",
        "the reference prints <nil> or null, or crashes; it does not look at routes for CHECK",
        lambda v, a: v.command in ("ADD", "CHECK") and (a.exit != 1 or not_found(a)) and bad_routes(v),
        lambda v, a: error(999, Begins("/ipam/routes/")),
    ),
    Rule(
        "CHECK makes no directory",
        "where none can be made nothing is reserved; the reference complains of the directory",
        lambda v, a: v.command == "CHECK" and str(field(a, "msg")).startswith("mkdir "),
        lambda v, a: error(999, f"host-local: Failed to find address added by container {v.env['CNI_CONTAINERID']}"),
    ),
    Rule(
        "a crash of the reference is an ordinary error",
        "null elements of lists make Go panic",
        lambda v, a: a.exit == 2,
        lambda v, a: Answer(0, None) if v.command == "DEL" else error(999, Begins("")),
    ),
    Rule(
        "texts of the JSON decoder are our own",
        "they are Go's; the code and the words before them are kept",
        lambda v, a: go_decoder_text(a) is not None,
        lambda v, a: with_fields(a, msg=Begins(go_decoder_text(a))),
    ),
    Rule(
        "the details of a taken or missing address tell who has it",
        "the reference gives none",
        lambda v, a: DETAILED.search(str(field(a, "msg"))) is not None and field(a, "details") is None,
        lambda v, a: with_fields(a, details=Begins("in use by " if "requested" in a.doc["msg"] else "in-use ")),
    ),
]


def invalid_environment(vector):
    """The error for a container ID or interface name that is there and invalid, or None."""
    container, ifname = vector.env.get("CNI_CONTAINERID", ""), vector.env.get("CNI_IFNAME", "")
    if container and not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*", container):
        return error(4, "invalid characters in containerID", container)
    if len(ifname.encode()) > 15:
        return error(4, "interface name is too long", "interface name should be less than 16 characters")
    if ifname in (".", ".."):
        return error(4, "interface name is . or ..")
    if any(char in "/:" + SPACES for char in ifname):
        return error(4, "interface name contains / or : or whitespace characters")
    return None


def attached(vector):
    return vector.command in ("ADD", "DEL", "CHECK")


def unknown_command(vector):
    return vector.command not in ("", "ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION")


def told_unknown(vector):
    return f"unknown CNI_COMMAND: {vector.command}"


def empty_dns(answer):
    return field(answer, "dns") == {} and str(field(answer, "cniVersion")).startswith("1.")


ATTRIBUTES = {"mtu": 0, "advmss": 0, "priority": 0, "table": None, "scope": None}  # and what is not printed


def route_attributes(vector, answer):
    """The recorded routes with the attributes that the newest plugin passes on, as the configuration has them."""
    routes = [dict(route or {}) for route in answer.doc["routes"]]
    for route, configured in zip(routes, elements(vector.value("ipam", "routes"))):
        values = {key: member(configured, key) for key in ATTRIBUTES}
        route.update({key: value for key, value in values.items() if value not in (None, ATTRIBUTES[key])})
    return routes


def has_route_attributes(vector, answer):
    return bool(field(answer, "routes")) and route_attributes(vector, answer) != [r or {} for r in answer.doc["routes"]]


def bad_route_attributes(vector):
    routes = elements(vector.value("ipam", "routes"))
    values = [member(route, key) for route in routes for key in ATTRIBUTES]
    return any(value is not None and type(value) is not int for value in values)


def version_numbers(vector):
    """The version as three numbers, absent ones 0; () for anything else."""
    text = str(vector.value("cniVersion"))
    if not re.fullmatch(r"\d+(\.\d+){0,2}", text):
        return ()
    return tuple(int(part) for part in (text + ".0.0").split(".")[:3])


TOO_NEW = "plugin version does not allow CHECK"


def old_list(answer):
    details = str(field(answer, "details"))
    return details.startswith("config is ") and details.endswith('"1.0.0"]')


def incompatible(vector):
    return f'config is "{vector.value("cniVersion")}", plugin supports [{" ".join(map(json.dumps, VERSIONS))}]'


def from_twin(vector, answer):
    return vector.twin.recorded if vector.twin else DIFFERENT


SINCE_1_1_1 = [
    Rule(
        "1.1.0 is a known version",
        "Debian's plugin is older than CNI 1.1.0",
        lambda v, a: attached(v) and v.value("cniVersion") == "1.1.0" and field(a, "code") == 1,
        from_twin,
    ),
    Rule(
        "1.1 is not above every supported version",
        "Debian's plugin is older than CNI 1.1.0",
        lambda v, a: field(a, "msg") == TOO_NEW and (1, 0, 0) < version_numbers(v) <= (1, 1, 0),
        lambda v, a: error(1, "incompatible CNI versions", incompatible(v)),
    ),
    Rule(
        "1.1.0 is among the supported versions of an error",
        "Debian's plugin is older than CNI 1.1.0",
        lambda v, a: old_list(a),
        lambda v, a: with_fields(a, details=a.doc["details"][:-1] + ' "1.1.0"]'),
    ),
    Rule(
        "1.1.0 is among the supported versions of VERSION",
        "Debian's plugin is older than CNI 1.1.0",
        lambda v, a: "supportedVersions" in (a.doc or {}),
        lambda v, a: with_fields(a, cniVersion="1.1.0", supportedVersions=VERSIONS),
    ),
    Rule(
        "1.1.0 is among the supported versions of the about text",
        "Debian's plugin is older than CNI 1.1.0",
        lambda v, a: (a.stderr or "").endswith(" 1.0.0\n"),
        lambda v, a: replace(a, stderr=a.stderr[:-1] + ", 1.1.0\n"),
    ),
    Rule(
        "the environment of ADD, DEL and CHECK is judged before stdin, and an invalid value before a missing one",
        "library 1.3.0 changed the order",
        lambda v, a: attached(v) and invalid_environment(v) not in (None, a),
        lambda v, a: invalid_environment(v),
    ),
    Rule(
        "an unknown command is told before its other variables are judged",
        "library 1.3.0 judges them for ADD, DEL and CHECK only",
        lambda v, a: unknown_command(v) and field(a, "code") in (3, 4) and field(a, "msg") != told_unknown(v),
        lambda v, a: error(4, told_unknown(v)),
    ),
    Rule(
        "GC and STATUS are known commands that need no container",
        "they are younger than Debian's plugin",
        lambda v, a: v.command in ("GC", "STATUS") and field(a, "code") in (3, 4),
        from_twin,
    ),
    Rule(
        "a result of 1.x leaves an empty dns out",
        "library 1.3.0 prints 1.x results so",
        lambda v, a: empty_dns(a),
        lambda v, a: replace(a, doc={key: value for key, value in a.doc.items() if key != "dns"}),
    ),
    Rule(
        "an attribute of a route must be a number",
        "library 1.3.0 knows mtu, advmss, priority, table and scope",
        lambda v, a: attached(v) and v.command != "DEL" and not_refused(a) and bad_route_attributes(v),
        lambda v, a: error(999, Begins("/ipam/routes/")),
    ),
    Rule(
        "mtu, advmss, priority, table and scope of a route are passed on",
        "library 1.3.0 knows them",
        lambda v, a: has_route_attributes(v, a),
        lambda v, a: with_fields(a, routes=route_attributes(v, a)),
    ),
]


def expectation(vector, rules):
    """What must be answered, and the names of the rules that the vector matches."""
    expected, names = vector.recorded, []
    for rule in rules:
        if expected is not DIFFERENT and rule.matches(vector, expected):
            rewritten = rule.instead(vector, expected)
            assert rewritten != expected, f"the rule '{rule.name}' matches, but asks for no difference"
            expected = rewritten
            names.append(rule.name)
    return expected, names
