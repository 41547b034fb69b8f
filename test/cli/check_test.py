#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""check: what is wrong with records, address files and the node; --repair mends records, and takes nothing from who may be alive.

usage: check_test.py [--update] [WORD ...]

--update writes check.golden.txt from what the tool says now: read the difference before you keep it.
"""
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import live_netns
import sandbox
import tap
import tool
from golden import Golden
from looked_at import BOOTS, Looked, changes_in, snapshot, traced
from node import fake_boots, new_boot
from plugin import BINARY, HOST_LOCAL, require

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = os.path.join(HERE, "../../shim/cli/inspect/networks/finding.hpp")
HOME = "/var/lib/cni/check"


def alike(node):
    options = " ".join(node.look())
    return lambda text: text.replace(f" {options}", "").replace(escaped(node.home), "node").replace(node.home, "/node")


def escaped(path):
    """A path in the name of a folder of records."""
    return "_".join(re.sub(r"[^A-Za-z0-9.-]", lambda found: f"%{ord(found[0]):02X}", part)
                    for part in path.strip("/").split("/"))


def check(node, *arguments, **more):
    """The findings as (rule, last part of the place); the exit code says whether there are any."""
    done = tool.call("check", *arguments, *node.look(), "-o", "json", **more)
    answer = json.loads(done.stdout)
    assert done.exit == (tool.FOUND if answer["findings"] else tool.FINE), done
    return [(one["rule"], one["place"].rsplit("/", 1)[1]) for one in answer["findings"]]


def repair(node, *more):
    """What becomes of which record."""
    done = tool.call("check", "store", "--repair", *more, *node.look(), "-o", "json")
    assert done.exit in (tool.FINE, tool.FOUND), done
    return {item["record"]: item["becomes"] for item in json.loads(done.stdout)["items"]}


def record(folder, name, target):
    """A record in the place of any of that name."""
    path = f"{folder}/{name}"
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(target, path)


def break_records(node):
    """One of each kind of what may be wrong with records."""
    node.damage()
    records = node.record_dir
    os.unlink(f"{records}/pod.shop_web-0@eth0")
    record(records, "pod.shop_web-3@eth0", "1~10.9.0.13~")
    record(records, "pod.shop_gone@eth0", "1~10.9.0.13~")
    record(records, "pod.shop_torn@eth0", "1~nonsense")
    record(records, "pod.shop_later@eth0", "2~of a later version")
    record(records, "stamp.10.9.0.12", "1~1.2~2~x")
    record(records, ".new", "1~shop~web-9~eth0~~0~0~")
    record(records, "node-ranges.0123456789abcdef.0", "1~10.9.0.0/28")
    record(records, "netdir", "1~/elsewhere")
    record(records, "boots", "torn")
    for name in ("what-is-this", "ip.010.9.0.1", "pod.nokey"):
        record(records, name, "1~x")
    node.write("state/stray", "")
    os.makedirs(f"{node.state_dir}/nobodys")
    node.write(f"networks/{node.name}/last_reserved_ip.0", "nonsense")
    node.write(f"networks/{node.name}/last_reserved_ip.1", "fd00:77::1")
    os.chmod(f"{node.network_dir}/10.9.0.2", 0o666)


def forms(golden):
    """Each kind of flaw, what --repair says of it, and nothing is written."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        golden.call("in order", "check", "store", *node.look(), alike=alike(node))
        break_records(node)
        before = snapshot(HOME, "/run", "/var/lib")
        for more in ((), ("--repair",), ("--repair", "-o", "json"), ("-o", "yaml")):
            golden.call(f"broken {' '.join(more)}".strip(), "check", "store", *more, *node.look(), alike=alike(node))
        after = snapshot(HOME, "/run", "/var/lib")
        assert before == after, before.items() ^ after.items()


def tests(golden):
    golden.begin()
    return [
        ("each kind of flaw, and a dry run", forms, golden),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/check.golden.txt") as kept:
        tap.main("check", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots)
