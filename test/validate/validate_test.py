#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""validate: finds every mistake in the corpus and no other, corrects what can be corrected, accepts what is right.

usage: validate_test.py [--write]

--write writes golden.txt, what people see for each broken file, from what the tool says now: read the difference
before you keep it.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

import article
import corpus
import generated
import in_memory
import inputs
import on_node
import properties
import sandbox
import tap
import upstream
from plugin import BINARY, require

GOLDEN = os.path.join(HERE, "golden.txt")
HEADS = os.path.join(HERE, "../../shim/cli/validate/document/rules.hpp")


def golden():
    """Name of a case -> its text."""
    if not os.path.exists(GOLDEN):
        return {}
    with open(GOLDEN) as file:
        return {block.split("\n", 1)[0]: block.rstrip("\n") + "\n" for block in file.read().split("\n\n")}


def says(case, expected):
    said = case.report()
    assert said == expected, f"expected\n{expected}\nbut it said\n{said}"


def is_complete(cases, texts):
    """Every case has its golden text; each rule has a case, but for those that look at a machine."""
    assert {case.name for case in cases} == set(texts), {case.name for case in cases} ^ set(texts)
    with open(HEADS) as file:
        words = file.read().replace("{\n    ", "{").split('Rule k')[1:]
    rules = {word.split('{"', 1)[1].split('"', 1)[0] for word in words}
    shown = {word for case in cases for finding in case.findings for word in finding.split()}
    missing = {rule for rule in rules - shown if not rule.startswith("node-")}
    assert len(rules) > 50 and not missing, f"no case for {missing}"


def accepted(case):
    """No error in it, whatever it warns of."""
    case.check_findings()
    status, _, stderr = case.said
    assert status == 0 and " error " not in stderr, stderr
    strict = corpus.run("--strict", *case.files, cwd=case.folder)[0]
    assert strict == (1 if case.findings else 0), f"--strict: exit {strict}"


def tell(suite):
    broken, good = corpus.load("corpus", "expected.json"), corpus.load("good", "good.json")
    if sys.argv[1:] == ["--write"]:
        with open(GOLDEN, "w") as file:
            file.write("\n".join(case.report() for case in broken))
    texts = golden()
    for case in broken:
        suite.run(f"{case.name}: all mistakes are found, and no others", case.check_findings)
        suite.run(f"{case.name}: says what it said before", says, case, texts.get(case.name))
        suite.run(f"{case.name}: the corrected file is clean", case.check_corrected)
    for case in good:
        suite.run(f"{case.name}: {case.about}", accepted, case)
    suite.run("every rule has a case, every case its golden text", is_complete, broken, texts)
    for part in (article, generated, in_memory, inputs, properties, upstream, on_node):
        part.run(suite)


if __name__ == "__main__":
    tap.story("validate", tell, sandbox.enter, lambda: require(BINARY))
