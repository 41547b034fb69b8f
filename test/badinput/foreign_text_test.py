#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What others wrote is shown, on every way out, so that it steers no terminal, is seen, and is not long.

Others are the pod's author (annotations, arguments), the caller, a file's author, and a delegate. The ways out are the
error on stdout, stderr, the log, syslog, and what the operator's tool prints.

usage: foreign_text_test.py [WORD ...]
"""
import json
import os
import tempfile

import plugin
import sandbox
import tap
import tool
import yaml
from ledger import DelegatedNode
from node import Node, fake_boots
from syslog_socket import Syslog, private_dev

HOME = "/var/lib/cni/foreign"
RANGES = [[{"subnet": "10.9.0.0/24"}]]
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
HIDDEN = [*range(0x80, 0xa0), 0xad, 0x61c, *range(0x200b, 0x2010), *range(0x2028, 0x202f), *range(0x2060, 0x2070), 0xfeff]
CONTROLS = [*range(1, 0x20), 0x7f]
HOSTILE = "<" + "".join(map(chr, CONTROLS)) + "|" + "".join(map(chr, HIDDEN)) + ">"
SHORT = "<\x1b[2J\x7f\x9b31m\u202eevil\u2066\u200f\u061c\u2028\ufeff>"
LONG = "ü" * 150_000
MOST = 1_000  # bytes of a message with a quotation in it
_count = 0


def home():
    global _count
    _count += 1
    return f"{HOME}/{_count}"


def assert_shown(text, layout="\n"):
    """Nothing in it steers a terminal or cannot be seen."""
    bad = {f"U+{ord(c):04X}" for c in text if ord(c) in HIDDEN or ord(c) in CONTROLS and c not in layout}
    assert not bad, f"{sorted(bad)} in {text!r}"


def assert_short(text, most=MOST):
    assert len(text.encode()) <= most, f"{len(text.encode())} bytes: {text[:300]!r}"


def log_of(node):
    """What it logged: nothing when its configuration could not be read."""
    if not os.path.exists(f"{node.home}/log"):
        return ""
    with open(f"{node.home}/log", errors="surrogateescape") as file:
        return file.read()


def logged(node_type=Node, **ipam):
    """A node that logs."""
    folder = home()
    if node_type is DelegatedNode:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        return DelegatedNode(folder, logFile=f"{folder}/log", **ipam)
    os.makedirs(folder)
    return Node(folder, RANGES, logFile=f"{folder}/log", **ipam)


def called(node, command, env=None, conf=None, **more):
    """One call with more variables, and more keys of the configuration."""
    variables, document = node.request(command, "c1", "shop/web-0", **more)
    return plugin.run(node.binary, {**variables, **(env or {})}, {**document, **(conf or {})})


def annotated(text):
    return {"runtimeConfig": {ANNOTATIONS: {"delegated-ipam.io/ips": text}}}


# What makes an error that quotes the text: (name, verb, more variables, more of the configuration).
WAYS = [
    ("an annotation", "ADD", lambda text: ({}, annotated(text))),
    ("the other annotation", "ADD", lambda text: (
        {}, {"runtimeConfig": {ANNOTATIONS: {"delegated-ipam.io/retain": text}}})),
    ("an argument", "ADD", lambda text: ({"CNI_ARGS": f"IP={text[:40_000]}".replace(";", "")}, {})),
    ("an unknown argument", "ADD", lambda text: ({"CNI_ARGS": f"X={text[:40_000]}".replace(";", "")}, {})),
    ("a wished address", "ADD", lambda text: ({}, {"args": {"cni": {"ips": [text]}}})),
    ("another wished address", "ADD", lambda text: ({}, {"runtimeConfig": {"ips": [text]}})),
    ("the network's name", "DEL", lambda text: ({}, {"name": text})),
    ("a version", "DEL", lambda text: ({}, {"cniVersion": text})),
    ("the command", None, lambda text: ({"CNI_COMMAND": text[:40_000]}, {})),
    ("a container's ID", "DEL", lambda text: ({"CNI_CONTAINERID": text[:40_000]}, {})),
    ("a previous result", "CHECK", lambda text: (
        {}, {"prevResult": {"cniVersion": "1.0.0", "ips": [{"address": text}]}})),
    ("a result's version", "CHECK", lambda text: ({}, {"prevResult": {"cniVersion": text}})),
    ("a range's gateway", "ADD", lambda text: (
        {}, {"runtimeConfig": {"ipRanges": [[{"subnet": "10.9.0.0/24", "gateway": text}]]}})),
    ("a range's subnet", "ADD", lambda text: ({}, {"runtimeConfig": {"ipRanges": [[{"subnet": text}]]}})),
]


def refused(way, text):
    """The plugin's error; the texts of all ways out, after a look at their form."""
    _, command, more = way
    node = logged()
    node.add("c1", "shop/web-0")
    with Syslog() as syslog:
        env, conf = more(text)
        done = called(node, command or "ADD", env, conf)
        lines = syslog.lines()
    assert done.exit == 1 and done.json["code"], done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done, [done.stdout, done.stderr, log_of(node), *lines]


def hostile_error(way):
    _, texts = refused(way, SHORT)
    for text in texts:
        assert_shown(text)


def long_error(way):
    done, (_, *texts) = refused(way, LONG)
    for text in (done.json["msg"], done.json.get("details", ""), *texts):
        assert_short(text)
    if "ü" in done.stdout:
        assert "…" in done.stdout and " bytes)" in done.stdout, done.stdout
    assert "\ufffd" not in done.stdout + "".join(texts), "a character was cut in two"


def bad_json():
    """The parser tells the string that it was in."""
    for stdin in ('{"name": "' + LONG + '\n"}', '{"name": "\u202e\u009b\n"}'):
        done = plugin.run(plugin.BINARY, plugin.environment("DEL", "c1"), stdin)
        assert done.exit == 1 and done.json["code"] == 6, done
        for text in (done.stdout, done.stderr):
            assert_short(text)
            assert_shown(text)


def many_unknown_arguments():
    """Each is short."""
    node = logged()
    done = called(node, "ADD", {"CNI_ARGS": ";".join(f"X{n}=\u202e{n}" for n in range(9_000))})
    for text in (done.stdout, done.stderr, log_of(node)):
        assert done.exit == 1
        assert_short(text, 5_000)
        assert_shown(text)


def delegates_stderr(verdict):
    """Passed on line by line, also where a character comes in two pieces."""
    node = logged(DelegatedNode)
    parts = "".join(f"printf '\\{byte:o}' >&2\n" for byte in "é\x9b😀".encode())
    with open(f"{node.ledger.home}/words", "wb") as file:
        file.write(HOSTILE.encode() + b"\n\tone \xff\xc3( more\n")
    node.ledger.hook("ADD", f'cat "$home/words" >&2\n{parts}{verdict}', "after")
    done = called(node, "ADD")
    assert "one \ufffd\ufffd( more\n" in done.stderr and "é\\u009b😀" in done.stderr, done
    assert "\\u202e" in done.stderr, done
    for text in (done.stdout, log_of(node)):
        assert_shown(text)
    assert_shown(done.stderr, layout="\n\t")


def delegates_error():
    """Its words reach the caller with their meaning, and a terminal as something to read."""
    node = logged(DelegatedNode)
    error = {"cniVersion": "1.0.0", "code": 123, "msg": SHORT, "details": SHORT}
    with open(f"{node.ledger.home}/words", "w") as file:
        json.dump(error, file)
    node.ledger.hook("ADD", 'cat "$home/words"\nexit 1\n')
    done = called(node, "ADD")
    assert (done.json["msg"], done.json["details"]) == (SHORT, SHORT), done
    for text in (done.stdout, done.stderr, log_of(node)):
        assert_shown(text)


def delegates_document():
    """What a delegate is given means what the runtime wrote."""
    node = logged(DelegatedNode)
    done = called(node, "ADD", conf={"foreign": {HOSTILE: [HOSTILE, "日本語"]}})
    assert done.exit == 0, done
    assert node.ledger.calls()[0].conf["foreign"] == {HOSTILE: [HOSTILE, "日本語"]}


def conflist_with(text):
    ipam = {"type": "delegated-ipam", "ranges": RANGES, text: 1, "pins": {f"shop/{text}": ["10.9.0.7", text]},
            "delegate": {"type": "host-local", "dataDir": f"/{text}"}}
    return {"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "bridge", "ipam": ipam}], text: {text: text}}


def validated(text, *options, spell=json.dumps, suffix="conflist"):
    """validate on a file of which text is in every place."""
    folder = tempfile.mkdtemp(dir="/run")
    path = f"{folder}/a.{suffix}"
    with open(path, "w") as file:
        file.write(spell(conflist_with(text)))
    return tool.call("validate", *options, path)


def validate_findings():
    done = validated(SHORT)
    assert done.exit == tool.FOUND and "\\u202e" in done.stderr, done
    assert_shown(done.stderr)
    assert_shown(done.stdout)


def validate_as_json():
    done = validated(SHORT, "-o", "json")
    assert done.exit == tool.FOUND and any(SHORT in one["pointer"] for one in done.json["findings"]), done
    assert_shown(done.stdout)


def validate_corrects(spell, read, suffix):
    """The corrected file means the same."""
    folder = tempfile.mkdtemp(dir="/run")
    path = f"{folder}/a.{suffix}"
    conflist = conflist_with("x")
    conflist["plugins"][0]["ipam"] = {
        "type": "delegated-ipam", "delegate": {"type": "host-local", "ranges": RANGES, "retain": True}}
    conflist["plugins"][0]["other"] = HOSTILE
    conflist[SHORT] = [SHORT, "日本語"]
    with open(path, "w") as file:
        file.write(spell(conflist))
    done = tool.call("validate", path)
    assert done.stdout, done
    corrected = read(done.stdout)
    assert corrected[SHORT] == [SHORT, "日本語"] and corrected["plugins"][0]["other"] == HOSTILE, done.stdout
    assert_shown(done.stdout)


def validate_long():
    done = validated(LONG)
    for line in done.stderr.splitlines():
        assert_short(line, 5_000)


def validate_bad_json():
    """The words of the parser."""
    folder = tempfile.mkdtemp(dir="/run")
    for name, text in (("a.conflist", '{"name": "' + SHORT + '\n' + LONG), (f"{SHORT[1:-1]}.conflist", "{")):
        path = f"{folder}/{name}"
        with open(path, "w") as file:
            file.write(text)
        done = tool.call("validate", path)
        assert done.exit != tool.FINE, done
        assert_shown(done.stderr)
        assert_short(done.stderr)


def generate_shows():
    for arguments in (["flannel"], ["flannel", "--format", "configmap"], ["cilium", "--subnet", "10.9.0.0/24"]):
        folder = f"/{HOSTILE.replace(chr(0), '')}"
        done = tool.call("generate", *arguments, "--data-dir", folder)
        assert_shown(done.stdout)
        assert_shown(done.stderr)
        if done.exit == tool.FINE:
            read = yaml.safe_load(done.stdout)
            text = json.dumps(read)
            assert json.dumps(folder)[1:-1] in text or json.dumps(json.dumps(folder)[1:-1])[1:-1] in text, done.stdout


def tool_refuses():
    for arguments in ([SHORT], ["generate", SHORT], ["generate", "flannel", f"--{SHORT}"], ["validate", f"/{SHORT}"],
                      ["generate", "flannel", "--subnet", SHORT], ["generate", "flannel", "--out", f"/{SHORT}/x"]):
        done = tool.call(*arguments)
        assert done.exit == tool.USAGE, done
        assert_shown(done.stderr)


TESTS = [
    *[(f"{way[0]} steers no terminal: stdout, stderr, log, syslog", hostile_error, way) for way in WAYS],
    *[(f"{way[0]} of 300 KB is quoted with its beginning", long_error, way) for way in WAYS],
    ("a syntax error quotes little, and as it can be seen", bad_json),
    ("many unknown arguments have an end", many_unknown_arguments),
    ("a delegate's stderr is passed on as it can be seen", delegates_stderr, ""),
    ("a failing delegate's stderr as well, and its quotation", delegates_stderr, "exit 1\n"),
    ("a delegate's error keeps its meaning on stdout, and can be seen everywhere", delegates_error),
    ("a delegate's configuration keeps its meaning", delegates_document),
    ("validate: findings steer no terminal", validate_findings),
    ("validate -o json: findings keep their meaning", validate_as_json),
    ("validate: a corrected JSON file keeps its meaning", validate_corrects, json.dumps, json.loads, "conflist"),
    ("validate: a corrected YAML file keeps its meaning", validate_corrects,
     lambda value: yaml.safe_dump(value, allow_unicode=False), yaml.safe_load, "yaml"),
    ("validate: a finding has an end", validate_long),
    ("validate: a syntax error and a file's name can be seen, and have an end", validate_bad_json),
    ("generate: files steer no terminal and keep their meaning", generate_shows),
    ("what the tool says of wrong words can be seen", tool_refuses),
]


if __name__ == "__main__":
    tap.main("foreign text", TESTS,
             sandbox.enter, fake_boots, private_dev, lambda: plugin.require(plugin.BINARY), lambda: os.makedirs(HOME))
