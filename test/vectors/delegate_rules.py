"""What a recorded call of a delegating plugin must be answered by this one: the record, rewritten by named rules.

The reference passes its whole environment and configuration on to `ipam.type`, as main plugins do. A rule looks at the
inputs and at the recorded answer, never at an id, and says what must happen instead.
"""
import ipaddress
import re
import subprocess
from dataclasses import dataclass, replace
from functools import cached_property

from answer import Begins
from skel_rules import VERSIONS, Pairs, Rule, Vector
from skel_rules import elements, expectation, field, member, parsed, with_fields


@dataclass(frozen=True)
class Call:
    """One run of the delegate: its environment and whether it got the configuration that was meant for it."""

    env: dict
    stdin_same: bool = True

    @property
    def command(self):
        return self.env.get("CNI_COMMAND")


@dataclass(frozen=True)
class Record:
    """Exit code, the JSON value on stdout (None: nothing), what the delegate said on stderr, and its runs in order."""

    exit: int
    doc: object
    stderr: str
    calls: tuple


class DelegateVector(Vector):
    """One recorded call together with what the delegate does in it."""

    def __init__(self, raw):
        super().__init__(raw)
        calls = tuple(Call(call["env"], call["stdin_same"]) for call in raw["calls"])
        self.recorded = Record(raw["exit"], raw["stdout_json"], raw.get("stderr", ""), calls)

    @cached_property
    def spoken(self):
        """Command -> what the delegate's fragment for it prints on stdout and stderr."""
        texts = {}
        for command, fragment in self.raw.get("delegate", {}).items():
            done = subprocess.run(["/bin/sh", "-c", fragment], env={}, capture_output=True, errors="replace")
            texts[command] = (done.stdout, done.stderr)
        return texts

    def printed(self, command):
        """The members of the JSON object that the delegate prints, or none of them."""
        found = parsed(self.spoken.get(command, ("", ""))[0])
        return dict(found) if isinstance(found, Pairs) else {}

    def said(self, calls):
        """What the delegate prints on stderr in these runs."""
        return "".join(self.spoken.get(call.command, ("", ""))[1] for call in calls)


# ---- what the rules ask ----------------------------------------------------------------------------------------------

PASSED_ON = re.compile(
    "CNI_.*|KUBERNETES_.*|TRACEPARENT|TRACESTATE|BAGGAGE|PATH|NODE_NAME|KUBECONFIG|SSL_CERT_FILE|SSL_CERT_DIR|HOME|TZ|"
    "HTTPS?_PROXY|NO_PROXY|ALL_PROXY|https?_proxy|no_proxy|all_proxy"
)
MARKER = {"DELEGATED_IPAM_DELEGATE": "1"}
# libraries before VERSION existed wanted these variables for every command
PROBE = {"CNI_COMMAND": "VERSION", "CNI_NETNS": "dummy", "CNI_IFNAME": "dummy", "CNI_PATH": "dummy"}
NO_ADDRESS = "IPAM plugin returned missing IP config"


def refused(answer, code, msg):
    """The delegate is not run and the command fails so."""
    return replace(answer, exit=1, doc={"code": code, "msg": msg}, stderr="", calls=())


def passed_on(call):
    kept = {name: value for name, value in call.env.items() if PASSED_ON.fullmatch(name)}
    return replace(call, env={**kept, **MARKER})


def command_only(call, command):
    return replace(call, env={**call.env, "CNI_COMMAND": command})


def commands(answer):
    return [call.command for call in answer.calls]


def bad_type(vector):
    """Whether the plugin's name is there and no bare name."""
    name = vector.value("ipam", "type")
    if not isinstance(name, str):
        return name is not None
    return name == "" or ".." in name or any(char in name for char in "/\\\0")


def no_type(vector):
    return vector.value("ipam", "type") is None


def no_ranges(vector):
    has_ipam = any(name.lower() == "ipam" for name, _ in vector.config)
    return "no IP ranges specified" if has_ipam else "IPAM config missing 'ipam' key"


def found_by_relative_path_only(vector):
    folders = vector.env.get("CNI_PATH", "").split(":")
    return not any(re.fullmatch("@TMP@/+bin/*", folder) for folder in folders)


def not_found(vector):
    folders = vector.env["CNI_PATH"].replace(":", " ")
    return f'failed to find plugin "{vector.value("ipam", "type")}" in path [{folders}]'


def before_decoder_text(answer):
    """The part of an error message that precedes the text of Go's JSON decoder; None without such a text."""
    found = re.search(r"(json: cannot unmarshal [^\"]*|invalid character '.+' [a-z -]+)$", field(answer, "msg") or "")
    return answer.doc["msg"][: found.start()] if found else None


def with_interfaces(answer):
    return "interfaces" in answer.doc or any("interface" in ip for ip in answer.doc.get("ips", ()))


def without_interfaces(answer):
    doc = {key: value for key, value in answer.doc.items() if key != "interfaces"}
    if "ips" in doc:
        doc["ips"] = [{key: value for key, value in ip.items() if key != "interface"} for ip in doc["ips"]]
    return replace(answer, doc=doc)


def old_caller(vector):
    return vector.value("cniVersion") in (None, "", "0.1.0", "0.2.0")


def has_second_address(vector):
    """Whether the delegate gives two addresses of a family."""
    return has_repeated_family(member(ip, "address") for ip in elements(vector.printed("ADD").get("ips")))


def has_repeated_family(texts):
    """Whether two of these addresses are of a family; one that is missing (None) is not IPv4."""
    found = [ipaddress.ip_address((text or "::").split("/")[0]) for text in texts]
    families = [4 if address.version == 4 or address.ipv4_mapped else 6 for address in found]
    return len(set(families)) < len(families)


def too_many_for(version):
    return f"CNI version {version} does not support more than 1 address per family"


def may_be_too_old(vector, answer):
    """Whether the delegate's own error can mean that it does not know the version or the command."""
    codes = (1, 4) if vector.command in ("GC", "STATUS") else (1,)
    return answer.calls and field(answer, "code") in codes and vector.printed(vector.command).get("code") in codes


def error_version(vector, answer):
    if str(field(answer, "msg")).startswith("required env variables"):
        return "1.1.0"  # stdin has not been read yet
    version = vector.value("cniVersion")
    return version if version in VERSIONS else "1.1.0"


# ---- the rules, in the order in which they are applied ---------------------------------------------------------------

RULES = [
    Rule(
        "a plugin's name that is no bare name is an error of the configuration",
        "the key is ours, so the code is 7",
        lambda v, a: field(a, "code") == 999 and a.calls == () and bad_type(v),
        lambda v, a: refused(a, 7, Begins("/ipam/delegate/type ")),
    ),
    Rule(
        "without a delegate's block the built-in allocator answers",
        "it is the default, so that every configuration of host-local is valid as it is",
        lambda v, a: v.command == "ADD" and field(a, "msg") == "no plugin name provided" and no_type(v),
        lambda v, a: with_fields(a, msg=no_ranges(v)),
    ),
    Rule(
        "relative elements of CNI_PATH are skipped",
        "what lies there depends on the caller's working directory",
        lambda v, a: a.calls != () and found_by_relative_path_only(v),
        lambda v, a: refused(a, 999, not_found(v)),
    ),
    Rule(
        "two addresses of a family for a caller of 0.1.0 or 0.2.0 are an error",
        "the reference drops the second one: it would be leased, and nobody would know",
        lambda v, a: v.command == "ADD" and a.exit == 0 and old_caller(v) and has_second_address(v),
        lambda v, a: replace(refused(a, 999, too_many_for(v.value("cniVersion") or "")), calls=a.calls),
    ),
    Rule(
        "interfaces are dropped",
        "an IPAM plugin gives an abbreviated result; keepInterfaces passes them on",
        lambda v, a: v.command == "ADD" and a.exit == 0 and with_interfaces(a),
        lambda v, a: without_interfaces(a),
    ),
    Rule(
        "the message of an error object that came with exit code 0 is told in the details",
        "it says why there is no address",
        lambda v, a: field(a, "msg") == NO_ADDRESS and v.printed("ADD").get("msg"),
        lambda v, a: with_fields(a, details=v.printed("ADD")["msg"]),
    ),
    Rule(
        "a CHECK that the delegate does not implement is a success",
        "CRI-O checks after every ADD; the pod would never start",
        lambda v, a: v.command == "CHECK" and a.exit == 1 and "not implemented" in field(a, "msg").lower(),
        lambda v, a: replace(a, exit=0, doc=None, stderr=v.said(a.calls)),
    ),
    Rule(
        "a delegate that may be too old is asked for its versions",
        "the configuration is lowered to what it speaks, and GC and STATUS need not reach an old one",
        lambda v, a: may_be_too_old(v, a),
        lambda v, a: replace(a, calls=(*a.calls, Call(PROBE, False))),
    ),
    Rule(
        "a failed ADD is followed by the delegate's DEL",
        "the delegate may hold a lease that nobody else knows of",
        lambda v, a: v.command == "ADD" and a.exit == 1 and a.calls != () and "DEL" not in commands(a),
        lambda v, a: replace(a, calls=(*a.calls, command_only(a.calls[0], "DEL"))),
    ),
    Rule(
        "a delegate's stderr is passed on when it fails, too",
        "the specification wants it; the reference does so on success only",
        lambda v, a: a.exit == 1 and v.said(a.calls) != a.stderr,
        lambda v, a: replace(a, stderr=v.said(a.calls)),
    ),
    Rule(
        "a delegate's environment has what a plugin may need and says that it is one",
        "anything else, the dynamic loader's variables above all, would reach into it; a copy of this plugin must not "
        "call itself for ever",
        lambda v, a: a.calls != (),
        lambda v, a: replace(a, calls=tuple(map(passed_on, a.calls))),
    ),
    Rule(
        "code 0 becomes 999",
        "0 is no error code, yet the command failed",
        lambda v, a: field(a, "code") == 0,
        lambda v, a: with_fields(a, code=999),
    ),
    Rule(
        "texts of the JSON decoder are our own",
        "they are Go's; the code and the words before them are kept",
        lambda v, a: before_decoder_text(a) is not None,
        lambda v, a: with_fields(a, msg=Begins(before_decoder_text(a))),
    ),
    Rule(
        "an error says the CNI version",
        "the specification wants it; the reference leaves it out",
        lambda v, a: a.exit == 1,
        lambda v, a: with_fields(a, cniVersion=error_version(v, a)),
    ),
]


def require_each(rules, names, vector, agrees):
    """Fail where a rule is not needed: where `agrees` accepts what the rules without it ask for."""
    for name in names:
        less, _ = expectation(vector, [rule for rule in rules if rule.name != name])
        assert not agrees(less), f"the rule '{name}' could be left out: {vector.raw}"


def require_use(rules, used):
    """Fail where no call has needed a rule."""
    unused = [rule.name for rule in rules if rule.name not in used]
    assert not unused, f"no call needs these rules: {unused}"
