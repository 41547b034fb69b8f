#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Repeats every recorded conversion of a delegate's result that a call of the plugin can reach.

The delegate prints the recorded input and the caller speaks the version `to`; the answer must be the recorded one. The
delegate is always asked in the caller's version, so a result without a version of its own is reached only where `from`
is the same; the others run on the function alone (test/unit/conversion_vectors_test.cpp). Every failed ADD must have
run the delegate's DEL, no other one.

VECTORS_DIR names another folder of vectors.
"""
import json
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
from answer import Begins, exact_json, same
import plugin
import sandbox
import tap
from delegate_rules import NO_ADDRESS, has_repeated_family, require_each, require_use, too_many_for
from skel_rules import VERSIONS, Answer, Pairs, Rule, elements, error, expectation
from skel_rules import field, member, parsed, with_fields

VECTORS = os.environ.get("VECTORS_DIR", HERE)
PAIR = ("0.1.0", "0.2.0")  # versions whose results have one address a family, ip4 and ip6


class Conversion:
    """One recorded conversion of a delegate's result."""

    def __init__(self, raw):
        self.raw = raw
        self.origin = raw["from"] or "0.1.0"
        self.to = raw["to"] or "0.1.0"
        self.text = json.dumps(raw["input"]) if "input" in raw else raw["input_text"]
        self.input = parsed(self.text)
        failure = {"code": 999, "msg": raw.get("error")}
        self.recorded = Answer(1, failure) if "error" in raw else Answer(0, raw["output"])

    @property
    def own_version(self):
        """The version that the result itself names, or "". Its key is the only one whose letter case matters."""
        named = [value for key, value in self.input if key == "cniVersion"] if isinstance(self.input, Pairs) else []
        return named[-1] if named and isinstance(named[-1], str) else ""

    @property
    def is_reachable(self):
        is_result = isinstance(self.input, Pairs) or re.fullmatch(r"\s*null\s*", self.text)
        return self.to in VERSIONS and (self.origin == self.to or self.own_version != "" or not is_result)

    def members(self, key):
        """The elements of a list of the result: of interfaces, ips or routes; in a pair, those of both parts."""
        if (self.own_version or self.origin) not in PAIR:
            return elements(member(self.input, key))
        parts = [part for name in ("ip4", "ip6") if isinstance(part := member(self.input, name), Pairs)]
        if key == "ips":
            return parts
        return [item for part in parts for item in elements(member(part, key))]

    @property
    def addresses(self):
        return [member(ip, "address") or member(ip, "ip") for ip in self.members("ips")]


def has_null(vector):
    """Whether a list of the result has a null element."""
    return any(item is None for key in ("interfaces", "ips", "routes") for item in vector.members(key))


def free_text(answer):
    """Where the part of an error begins that only Go's decoder or a crash of Go says."""
    return re.search("json: |invalid character|^panic:", field(answer, "msg") or "")


def without_address(answer):
    if answer.exit == 0:
        return not answer.doc.keys() & {"ips", "ip4", "ip6"}
    return field(answer, "msg") == "cannot convert: no valid IP addresses"


RULES = [
    Rule(
        "a null in a list of interfaces, addresses or routes is refused",
        "Go passes it on to a caller that will crash, or makes a route to nowhere of it",
        lambda v, a: has_null(v) and free_text(a) is None,
        lambda v, a: error(999, Begins("")),
    ),
    Rule(
        "texts of Go's decoder and of a crash are not copied",
        "they vary with the Go version; the words before them are kept",
        lambda v, a: free_text(a) is not None,
        lambda v, a: with_fields(a, msg=Begins(a.doc["msg"][: free_text(a).start()])),
    ),
    Rule(
        "a result without addresses is an error",
        "the main plugins say so after their delegate's ADD; the recorded conversion ends before",
        lambda v, a: without_address(a),
        lambda v, a: error(999, NO_ADDRESS),
    ),
    Rule(
        "two addresses of a family for a caller of 0.1.0 or 0.2.0 are an error",
        "the conversion drops the second one: it would be leased, and nobody would know",
        lambda v, a: a.exit == 0 and v.to in PAIR and has_repeated_family(v.addresses),
        lambda v, a: error(999, too_many_for(v.raw["to"])),
    ),
    Rule(
        "an error says the CNI version",
        "the specification wants it; the reference leaves it out",
        lambda v, a: a.exit == 1,
        lambda v, a: with_fields(a, cniVersion=v.raw["to"] or "1.1.0"),
    ),
]

# conversions of a kind that is recorded only where no call reaches it
FURTHER = [
    {
        "id": "further",
        "name": "delegate, two addresses of a family",
        "mode": "delegate",
        "from": "0.2.0",
        "to": to,
        "input": {"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.5/16"}, {"address": "::ffff:10.1.0.6/112"}]},
        "output": {"cniVersion": to or "0.1.0", "ip4": {"ip": "10.1.0.5/16"}, "dns": {}},
    }
    for to in ("", "0.1.0", "0.2.0")
]


def make_delegate(folder):
    """A delegate that answers every ADD with the text in `answer` and notes its commands in `commands`."""
    path = os.path.join(folder, "fake")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\necho $CNI_COMMAND >>{folder}/commands\n")
        file.write(f"[ $CNI_COMMAND != ADD ] || cat {folder}/answer\n")
    os.chmod(path, 0o755)


def write(text, *path):
    with open(os.path.join(*path), "w", encoding="utf-8") as file:
        file.write(text)


def agrees(expected, got):
    return got.exit == expected.exit and got.stdout != "" and same(expected.doc, exact_json(got.stdout))


def check(vector, number, folder, used):
    """Compare one conversion; `number` makes it an attachment of its own. Its rules are added to `used`."""
    write(vector.text, folder, "answer")
    write("", folder, "commands")
    ipam = {"type": "delegated-ipam", "keepInterfaces": True, "delegate": {"type": "fake"}}
    conf = {"cniVersion": vector.raw["to"], "name": "net1", "type": "outer", "ipam": ipam}
    got = plugin.run(plugin.BINARY, plugin.environment("ADD", f"ctr{number}", path=folder), conf)
    with open(os.path.join(folder, "commands"), encoding="utf-8") as file:
        commands = file.read().split()
    expected, names = expectation(vector, RULES)
    context = f"\ninput    {vector.text}\nrecorded {vector.recorded}\ngot      {got}\nrules    {names}"
    assert agrees(expected, got), f"expected {expected}" + context
    assert commands == (["ADD", "DEL"] if expected.exit else ["ADD"]), f"the delegate's runs: {commands}" + context
    require_each(RULES, names, vector, lambda less: agrees(less, got))
    used.update(names)


def tell(suite):
    used = set()
    with open(os.path.join(VECTORS, "conversion.json"), encoding="utf-8") as file:
        raws = [raw for raw in json.load(file)["vectors"] if raw["mode"] == "delegate"]
    vectors = [vector for vector in map(Conversion, [*raws, *FURTHER]) if vector.is_reachable]
    if len(vectors) <= len(FURTHER):
        sys.exit(f"{VECTORS}/conversion.json: no result of a delegate that a call can reach")
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        make_delegate(folder)
        for number, vector in enumerate(vectors):
            raw = vector.raw
            title = f"conversion.json {raw['id']}, {raw['name']!a}, from '{raw['from']}' to '{raw['to']}'"
            suite.run(title.replace("#", "\\#"), check, vector, number, folder, used)
    if os.path.realpath(VECTORS) == HERE:
        suite.run("every rule is needed by a result", require_use, RULES, used)


if __name__ == "__main__":
    tap.story("delegate conversions", tell, lambda: plugin.require(plugin.BINARY), sandbox.enter)
