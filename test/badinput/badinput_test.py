#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Malformed configurations and environments: each is refused with the message in golden.txt, and changes nothing.

A case is a file cases/NAME.json: "about" (a sentence), "env" (the whole environment) and the standard input as
"stdin" (text, or an object to encode), "stdin_hex" (bytes) or "stdin_repeat" (before, text, times, after).
"keep_open": true leaves the input open until the plugin ends. "files" are made before the run, below @HOME@.
"cursor_moves": true allows last_reserved_ip.* to change: host-local moves it before it refuses some requests.

--update writes golden.txt from what the plugin says now: read the difference before you keep it.
"""
import json
import os
import stat
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

import sandbox
import tap
from node import Node, fake_boots
from plugin import BINARY, Outcome, require

CASES = os.path.join(HERE, "cases")
GOLDEN = os.path.join(HERE, "golden.txt")
HOME = "/var/lib/cni/badinput"
WATCHED = ("/run", "/var/lib/cni", "/var/lib/delegated-ipam")
LONGEST_LINE = 400
REPORTS = ("Sanitizer", "runtime error", "terminate called", "Assertion")


def load(name):
    """One case, with its placeholders filled in."""
    with open(os.path.join(CASES, f"{name}.json")) as file:
        text = file.read()
    return json.loads(text.replace("@HOME@", HOME).replace("@PLUGIN_DIR@", os.path.dirname(BINARY)))


def names():
    return sorted(entry[:-5] for entry in os.listdir(CASES) if entry.endswith(".json"))


def stdin_of(case):
    """The bytes that this case sends."""
    if "stdin_hex" in case:
        return bytes.fromhex(case["stdin_hex"])
    if "stdin_repeat" in case:
        parts = case["stdin_repeat"]
        return (parts["before"] + parts["text"] * parts["times"] + parts["after"]).encode()
    stdin = case["stdin"]
    return (stdin if isinstance(stdin, str) else json.dumps(stdin)).encode()


def run(case):
    """Run the plugin as the case says."""
    if case.get("keep_open"):
        return run_with_open_pipe(case)
    done = subprocess.run([BINARY], env=case["env"], input=stdin_of(case), capture_output=True, timeout=60)
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def run_with_open_pipe(case):
    """The plugin has to end by itself while its caller still holds the pipe."""
    reader, writer = os.pipe()
    try:
        os.write(writer, stdin_of(case))
        done = subprocess.run([BINARY], env=case["env"], stdin=reader, capture_output=True, timeout=60)
    finally:
        os.close(reader)
        os.close(writer)
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def snapshot():
    """Everything below the watched folders: path -> (mode, content or link target)."""
    found = {}
    for top in WATCHED:
        for folder, folders, files in os.walk(top):
            for name in folders + files:
                path = os.path.join(folder, name)
                found[path] = (os.lstat(path).st_mode, content_of(path))
    return found


def without_cursors(tree):
    return {path: entry for path, entry in tree.items() if "/last_reserved_ip." not in path}


def content_of(path):
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    if stat.S_ISREG(mode):
        with open(path, "rb") as file:
            return file.read()
    return None


def report(name, about, outcome):
    """The golden text of one case."""
    error = json.loads(outcome.stdout)
    lines = [name, f"  about    {about}", f"  exit     {outcome.exit}", f"  code     {error['code']}"]
    lines += [f"  {key:8} {json.dumps(error[key], ensure_ascii=False)}" for key in ("msg", "details") if key in error]
    lines.append(f"  stderr   {json.dumps(outcome.stderr, ensure_ascii=False)}")
    return "\n".join(lines).replace(HOME, "@HOME@").replace(os.path.dirname(BINARY), "@PLUGIN_DIR@") + "\n"


def assert_refused(outcome):
    """Exit 1, exactly one JSON object of an error, one line for a human, no report of a sanitizer."""
    assert not any(word in outcome.stderr for word in REPORTS), outcome.stderr
    assert outcome.exit == 1, f"exit {outcome.exit}: {outcome.stdout} {outcome.stderr}"
    error = json.loads(outcome.stdout)
    assert isinstance(error["code"], int) and error["code"] > 0 and isinstance(error["msg"], str), error
    assert error["msg"].strip(), "an empty message"
    assert set(error) <= {"cniVersion", "code", "msg", "details"}, f"foreign keys in {error}"
    lines = outcome.stderr.splitlines()
    assert len(lines) == 1 and lines[0].strip() and outcome.stderr.endswith("\n"), f"stderr {outcome.stderr!r}"
    assert len(lines[0]) <= LONGEST_LINE, f"{len(lines[0])} characters on stderr"


def check(name, expected):
    """Run one case and compare; returns its golden text."""
    case = load(name)
    for path, text in case.get("files", {}).items():
        with open(os.path.join(HOME, path), "w") as file:
            file.write(text)
    before = snapshot()
    outcome = run(case)
    after = snapshot()
    assert_refused(outcome)
    if case.get("cursor_moves"):
        before, after = without_cursors(before), without_cursors(after)
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    assert not changed, f"changed on disk: {changed}"
    said = report(name, case["about"], outcome)
    assert expected is None or said == expected, f"expected\n{expected}\nbut it said\n{said}"
    return said


def read_golden():
    """Name of a case -> its text; none before the first --update."""
    if not os.path.exists(GOLDEN):
        return {}
    with open(GOLDEN) as file:
        blocks = file.read().split("\n\n")
    return {block.split("\n", 1)[0]: block.strip("\n") + "\n" for block in blocks if block.strip()}


def update(suite):
    """Write golden.txt from all cases that are refused properly; the others fail as tests."""
    said = {}
    for name in names():
        suite.run(f"{name} is refused and changes nothing", lambda: said.update({name: check(name, None)}))
    with open(GOLDEN, "w") as file:
        file.write("\n".join(said[name] for name in sorted(said)))


def all_golden_are_cases(golden):
    assert sorted(golden) == names(), set(golden) ^ set(names())


def compare(suite):
    golden = read_golden()
    for name in names():
        sentence = f"{name} is refused with its message and changes nothing"
        suite.run(sentence, check, name, golden.get(name, "(no golden text, run with --update)"))
    suite.run("every golden text has its case, and every case its golden text", all_golden_are_cases, golden)


def neighbour():
    """Another pod has its address: nothing of it may change."""
    Node(HOME, [[{"subnet": "10.9.0.0/24"}]]).add("c-0", "shop/other")


if __name__ == "__main__":
    tap.story("badinput", update if "--update" in sys.argv[1:] else compare,
              sandbox.enter, fake_boots, lambda: require(BINARY), neighbour)
