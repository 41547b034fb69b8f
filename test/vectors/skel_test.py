#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Repeats every recorded call of the reference plugin and compares the answers.

skel-head.json holds what the newest host-local answers, skel.json what Debian's 1.1.1 answers to the same calls.
A difference is allowed only where a rule of skel_rules.py says so, and must then be the one that the rule asks for; a
vector that a rule matches and that nevertheless agrees with the record fails, so that no rule excuses too much.

VECTORS_DIR names another folder of vectors; every vector that it holds is run.
"""
import json
import os
import re
import shutil
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
from answer import documents
import plugin
import sandbox
import tap
from skel_rules import DIFFERENT, OURS, SINCE_1_1_1, VERSIONS, Answer, Vector, agrees, expectation

VECTORS = os.environ.get("VECTORS_DIR", HERE)
OUR_KEYS = '"retain": false, "onDuplicate": "error"'


def with_our_keys(stdin):
    """The configuration without retention: our keys are put in front of those of an `ipam` that is an object."""
    return re.sub(
        r'("ipam"\s*:\s*\{)(\s*\})?',
        lambda found: found[1] + OUR_KEYS + (found[2] or ", "),
        stdin,
        flags=re.IGNORECASE,
    )


def answer_of(vector, folder):
    """Run the plugin on one vector in this folder.

    Errors: an assertion where an error has no supported `cniVersion` or is not told in one line on stderr.
    """
    for name, text in vector.raw.get("files", {}).items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    env = {key: value.replace("@TMP@", folder) for key, value in vector.env.items()}
    stdin = with_our_keys(vector.raw["stdin"]).replace("@TMP@", folder)
    got = plugin.run(plugin.BINARY, env, stdin, cwd=folder)
    doc = documents(got.stdout.replace(folder, "@TMP@"))
    if isinstance(doc, dict) and "code" in doc:
        assert doc.pop("cniVersion", None) in VERSIONS, f"an error without a supported cniVersion: {got.stdout}"
        assert got.stderr.count("\n") == 1, f"an error is one line on stderr: {got.stderr!r}"
    return Answer(got.exit, doc, got.stderr.replace(folder, "@TMP@"))


def check(vector, rules, folder):
    expected, names = expectation(vector, rules)
    got = answer_of(vector, folder)
    call = f"\nenv      {json.dumps(vector.env)}\nstdin    {vector.raw['stdin']}"
    context = f"{call}\nrecorded {vector.recorded}\ngot      {got}\nrules    {names}"
    if names or expected is DIFFERENT:
        assert not agrees(vector.recorded, got), "a rule allows a difference, but the answers agree" + context
    if expected is not DIFFERENT:
        assert agrees(expected, got), f"expected {expected}" + context


def run_file(suite, name, rules, twins):
    """Run the vectors of one file in order; those of a group share one folder.

    Returned: the vectors by their inputs, a list for each. `twins` is the same of the newest plugin's file.
    """
    with open(os.path.join(VECTORS, name), encoding="utf-8") as file:
        vectors = [Vector(raw) for raw in json.load(file)["vectors"]]
    folders, seen = {}, {}
    with tempfile.TemporaryDirectory(dir="/run") as top:
        for number, vector in enumerate(vectors):
            repeated = seen.setdefault(vector.inputs, [])  # a group makes the same call more than once
            vector.twin = next(iter(twins.get(vector.inputs, [])[len(repeated) :]), None)
            repeated.append(vector)
            folder = folders.setdefault(vector.raw.get("group", number), os.path.join(top, str(number)))
            os.makedirs(folder, exist_ok=True)
            title = f"{name} {vector.raw['id']}, {vector.raw['name']!a}".replace("#", "\\#")
            suite.run(title, check, vector, rules, folder)
            if "group" not in vector.raw:
                shutil.rmtree(folder)
    return seen


def tell(suite):
    twins = run_file(suite, "skel-head.json", OURS, {})
    run_file(suite, "skel.json", SINCE_1_1_1 + OURS, twins)


if __name__ == "__main__":
    tap.story("skel vectors", tell, lambda: plugin.require(plugin.BINARY), sandbox.enter)
