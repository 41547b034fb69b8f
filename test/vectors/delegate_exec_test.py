#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Repeats every recorded call of a delegating plugin, against the same scripted delegates, and compares the answers.

Compared are the answer and every run of the delegate: its environment and its configuration. A difference is allowed
only where a rule of delegate_rules.py says so, and must then be the one that the rule asks for; a rule that could be
left out fails the vector, so that no rule excuses too much.

VECTORS_DIR names another folder of vectors; every vector that it holds is run.
"""
import json
import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
from answer import documents, exact_json, same
import plugin
import sandbox
import tap
from delegate_rules import NO_ADDRESS, RULES, Call, DelegateVector, Record, require_each, require_use
from skel_rules import expectation

VECTORS = os.environ.get("VECTORS_DIR", HERE)
STATE = ("/run/delegated-ipam", "/var/lib/delegated-ipam")


def further(name, stdin, command, fragment, exit_code, doc, runs=None, **other):
    """A call like the recorded ones. `runs`: the delegate's commands in order, when not just this one."""
    env = {"CNI_COMMAND": command, "CNI_CONTAINERID": "ctr1", "CNI_NETNS": "/none", "CNI_IFNAME": "eth0"}
    env["CNI_PATH"] = "@TMP@/bin"
    runs = [command] if runs is None else runs
    calls = [{"env": {**env, "CNI_COMMAND": each}, "stdin_same": True} for each in runs]
    vector = {"id": "further", "name": name, "env": env, "stdin": stdin, "delegate": {command: fragment, **other}}
    return {**vector, "exit": exit_code, "stdout_json": doc, "stderr": "", "calls": calls}


def outer(version):
    return json.dumps({"cniVersion": version, "name": "net1", "type": "outer", "ipam": {"type": "fake"}})


def prints(doc, end=""):
    return f"printf '%s' '{json.dumps(doc)}'\n{end}"


BUSY = {"code": 11, "msg": "busy"}
TOO_OLD = {"code": 1, "msg": "old"}
TWO = {"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.5/16"}, {"address": "10.1.0.6/16"}]}
FIRST_OF_TWO = {"cniVersion": "0.2.0", "ip4": {"ip": "10.1.0.5/16"}, "dns": {}}
ON_LINK = {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0"}], "ips": [{"address": "10.1.0.5/16", "interface": 0}]}
NO_IPS = {"code": 999, "msg": NO_ADDRESS}
NO_CHECK = {"code": 100, "msg": "CHECK is Not Implemented"}

# calls of kinds that are not recorded; what the reference answers follows from its rules
FURTHER = [
    further("ADD error object, exit 0", outer("1.0.0"), "ADD", prints(BUSY), 1, NO_IPS, runs=["ADD", "DEL"]),
    further("ADD {}, failing DEL", outer("1.0.0"), "ADD", prints({}), 1, NO_IPS, runs=["ADD", "DEL"], DEL="exit 1\n"),
    further("ADD failing, then failing DEL", outer("1.0.0"), "ADD", prints(BUSY, "exit 1"), 1, BUSY, DEL="exit 1\n"),
    further("ADD with interfaces", outer("1.0.0"), "ADD", prints(ON_LINK), 0, ON_LINK),
    further("ADD two addresses, outer 1.0.0", outer("1.0.0"), "ADD", prints(TWO), 0, TWO),
    further("ADD two addresses, outer 0.2.0", outer("0.2.0"), "ADD", prints(TWO), 0, FIRST_OF_TWO),
    further("ADD refuses the version", outer("1.0.0"), "ADD", prints(TOO_OLD, "exit 1"), 1, TOO_OLD),
    further("CHECK refuses the version", outer("1.0.0"), "CHECK", prints(TOO_OLD, "exit 1"), 1, TOO_OLD),
    further("GC refuses the version", outer("1.1.0"), "GC", prints(TOO_OLD, "exit 1"), 1, TOO_OLD),
    further("ADD no ipam key", '{"name": "n"}', "ADD", "", 1, {"code": 999, "msg": "no plugin name provided"}, runs=[]),
    further("CHECK not implemented", outer("1.0.0"), "CHECK", prints(NO_CHECK, "exit 1"), 1, NO_CHECK),
]


def delegated(stdin):
    """The configuration with every `ipam` made the delegate's block in one of ours."""
    parts, decoder = [], json.JSONDecoder()
    while found := re.search(r'"ipam"\s*:\s*', stdin, re.IGNORECASE):
        _, end = decoder.raw_decode(stdin, found.end())
        parts.append(f'{stdin[: found.end()]}{{"type": "delegated-ipam", "delegate": {stdin[found.end() : end]}}}')
        stdin = stdin[end:]
    return "".join(parts) + stdin


def write_delegate(vector, folder):
    """Put the scripted delegate into bin/fake: it keeps its stdin and environment in log/, then does as it is told."""
    os.makedirs(os.path.join(folder, "bin"))
    os.makedirs(os.path.join(folder, "log"))
    cases = "".join(f"{command})\n{fragment}\n;;\n" for command, fragment in vector.raw.get("delegate", {}).items())
    log = os.path.join(folder, "log")
    script = f'set -- {log}/*.env\n[ -e "$1" ] || shift\ncat >{log}/$#.stdin\ncat /proc/$$/environ >{log}/$#.env\n'
    text = f"#!/bin/sh\n{script}case $CNI_COMMAND in\n{cases}esac\n"
    fake, kind = os.path.join(folder, "bin/fake"), vector.raw.get("delegate_file")
    assert kind in (None, "dir", "dangling", "link", "noexec", "badinterp", "empty"), f"delegate_file is {kind}"
    if kind == "dir":
        os.mkdir(fake)
        return
    if kind in ("dangling", "link"):
        os.symlink("script" if kind == "link" else "nowhere", fake)
        fake = os.path.join(folder, "bin/script")
    with open(fake, "w", encoding="utf-8") as file:
        file.write({"badinterp": "#!/no/such/interpreter\n", "empty": ""}.get(kind, text))
    os.chmod(fake, 0o644 if kind == "noexec" else 0o755)


def runs_of(folder, meant):
    """The runs of the delegate in order; `meant` is the configuration that it should get."""
    calls, log = [], os.path.join(folder, "log")
    while os.path.exists(f"{log}/{len(calls)}.env"):
        with open(f"{log}/{len(calls)}.env", encoding="utf-8", errors="replace") as file:
            pairs = [entry.split("=", 1) for entry in file.read().replace(folder, "@TMP@").split("\0") if entry]
        with open(f"{log}/{len(calls)}.stdin", encoding="utf-8", errors="replace") as file:
            text = file.read().replace(folder, "@TMP@")
        calls.append(Call(dict(pairs), same(exact_json(meant), exact_json(text))))
    return tuple(calls)


def answer_of(vector, folder):
    """Run the plugin on one vector in this empty folder. Errors: an assertion where an error is not told on stderr."""
    write_delegate(vector, folder)
    env = {key: value.replace("@TMP@", folder) for key, value in vector.env.items()}
    stdin = delegated(vector.raw["stdin"]).replace("@TMP@", folder)
    got = plugin.run(plugin.BINARY, env, stdin, cwd=folder)
    stdout, stderr = got.stdout.replace(folder, "@TMP@"), got.stderr.replace(folder, "@TMP@")
    if got.exit == 1:
        told = re.search(r"(delegated-ipam: .*\n)+\Z", stderr)
        assert told, f"an error is told on stderr: {stderr!r}"
        stderr = stderr[: told.start()]
    return Record(got.exit, documents(stdout), stderr, runs_of(folder, vector.raw["stdin"]))


def agrees(expected, got):
    rest = (expected.exit, expected.stderr, expected.calls) == (got.exit, got.stderr, got.calls)
    return rest and same(expected.doc, got.doc)


def empty(folder):
    for name in os.listdir(folder) if os.path.exists(folder) else ():
        shutil.rmtree(os.path.join(folder, name))


def check(vector, used):
    """Compare one vector's answer; the names of the rules that it needed are added to `used`."""
    for folder in STATE:
        empty(folder)
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        got = answer_of(vector, folder)
    expected, names = expectation(vector, RULES)
    call = f"\nenv      {json.dumps(vector.env)}\nstdin    {vector.raw['stdin']}\ndelegate {vector.raw['delegate']}"
    context = f"{call}\nrecorded {vector.recorded}\nexpected {expected}\ngot      {got}\nrules    {names}"
    assert agrees(expected, got), "another answer" + context
    require_each(RULES, names, vector, lambda less: agrees(less, got))
    used.update(names)


def tell(suite):
    used = set()
    with open(os.path.join(VECTORS, "delegate-exec.json"), encoding="utf-8") as file:
        vectors = json.load(file)["vectors"]
    if not vectors:
        sys.exit(f"{VECTORS}/delegate-exec.json: no recorded call")
    for raw in [*vectors, *FURTHER]:
        title = f"delegate-exec.json {raw['id']}, {raw['name']!a}".replace("#", "\\#")
        suite.run(title, check, DelegateVector(raw), used)
    if os.path.realpath(VECTORS) == HERE:
        suite.run("every rule is needed by a call", require_use, RULES, used)


if __name__ == "__main__":
    tap.story("delegate vectors", tell, lambda: plugin.require(plugin.BINARY), sandbox.enter)
