#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""pin: an address that only one pod gets, by hand; pin --remove ends it. Who has it now is not hurt.

usage: pin_test.py [--update] [WORD ...]

--update writes pin.golden.txt from what the tool says now: read the difference before you keep it.
"""
import json
import os
import signal
import subprocess
import time

import sandbox
import tap
import tool
from golden import Golden
from looked_at import Looked, snapshot
from node import fake_boots
from plugin import BINARY, require

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = "/var/lib/cni/pin"
# web-0 and web-1 are in use, web-2 is dead, web-3 is held, e9 is a plain caller's.
SUBJECTS = [("shop/web-0",), ("web-3",), ("web-2",), ("new-0",), ("shop/new-0",), ("shop/new-0", "10.9.0.9"),
            ("new-0", "10.9.0.9", "fd00:9::9", "-n", "shop"), ("shop/new-0", "10.9.0.5"), ("shop/new-0", "10.9.0.2"),
            ("shop/new-0", "10.9.0.2", "--force"), ("shop/new-0", "10.9.0.9", "10.9.0.6"), ("shop/new-0", "10.9.0.4"),
            ("shop/new-0", "10.9.0.1"), ("shop/new-0", "10.77.0.1"), ("shop/new-0", "nonsense"), ("10.9.0.9", "shop/new-0"),
            ("shop/web-3", "--remove"), ("shop/new-0", "10.9.0.9", "-o", "json"), ("shop/new-0", "--root", "/"), ()]


def pin(node, *arguments):
    return tool.call("pin", *node.look(), *arguments)


def pinned(node):
    items = json.loads(tool.call("list", *node.look(), "--state", "reserved", "-o", "json").stdout)["items"]
    return {item["address"]: f'{item["namespace"]}/{item["pod"]}' for item in items if item["pod"]}


def dry_run(golden):
    """What it says of each state, and nothing is written."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        before = snapshot(HOME, "/run")
        for subject in SUBJECTS:
            node.calls(golden, "pin")(" ".join(subject) or "nothing named", *subject)
        after = snapshot(HOME, "/run")
        assert before == after, before.items() ^ after.items()


def same_text(golden):
    """--apply does what the dry run said, in the same words; the second time there is nothing to do."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        title = node.calls(golden, "pin")
        for words in (("shop/new-0", "10.9.0.9", "fd00:9::9"), ("shop/web-3",), ("shop/new-0", "10.9.0.9", "--remove")):
            dry, done = pin(node, *words), pin(node, *words, "--apply")
            assert (done.exit, done.stdout) == (tool.FINE, dry.stdout) and not done.stderr and "dry run" in dry.stderr, done
            title(" ".join(words) + " again", *words, "--apply")
        assert pinned(node) == {"10.9.0.5": "shop/web-3", "fd00:9::5": "shop/web-3", "fd00:9::9": "shop/new-0"}, pinned(node)
        title("taken by another pod", "shop/other", "10.9.0.5")
        title("a second one in the range", "shop/new-0", "fd00:9::7")
        node.calls(golden, "show")("a pinned address", "fd00:9::9")
        history = json.loads(tool.call("show", *node.look(), "--history", "10.9.0.9", "-o", "json").stdout)["history"]
        assert [(line["command"], line["was"], line["becomes"]) for line in history] == [
            ("pin", "free", "reserved"), ("pin", "reserved", "free")], history


def adds_follow():
    """The pod gets its pin, in the next boot too, and nobody else, however full the range is."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        assert pin(node, "shop/new-0", "10.9.0.9", "fd00:9::9", "--apply").exit == tool.FINE
        for number in range(3):
            assert "10.9.0.9" not in node.add(f"f{number}", f"shop/more-{number}")
        assert node.add("f9", "shop/new-0") == ["10.9.0.9", "fd00:9::9"]
        node.delete("f9", "shop/new-0")
        assert pin(node, "shop/new-0", "--remove", "--apply").exit == tool.FINE
        assert pinned(node) == {}
        assert node.add("fa", "shop/new-0") == ["10.9.0.9", "fd00:9::9"]  # held, as every pod's


def who_has_it():
    """A pod whose address is pinned to another one keeps it while it runs; status says that it will move."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        assert pin(node, "shop/new-0", "10.9.0.2", "--apply").exit == tool.FOUND
        assert pinned(node) == {}
        assert pin(node, "shop/new-0", "10.9.0.2", "--force", "--apply").exit == tool.FINE
        assert node.addresses_of("d0") == ["10.9.0.2", "fd00:9::2"]
        told = tool.call("status", *node.look())
        assert "1 address in use is not given to its pod again: 10.9.0.2 (shop/web-0)" in told.stdout, told
        node.delete("d0", "shop/web-0")
        assert node.add("f0", "shop/web-0")[0] != "10.9.0.2"
        assert node.add("f1", "shop/new-0")[0] == "10.9.0.2"


def configured(golden):
    """What the configuration pins, its file alone ends; where nothing of ours decides, nothing is pinned."""
    with Looked(HOME, name="pods", pins={"shop/db": ["10.9.0.9"]}) as node:
        node.tell_two_boots()
        title = node.calls(golden, "pin")
        title("pinned in the configuration", "shop/new-0", "10.9.0.9", "--apply")
        title("so already", "shop/db", "10.9.0.9", "--apply")
        title("not by hand", "shop/db", "--remove", "--apply")
        assert pinned(node) == {"10.9.0.9": "shop/db"}
    with Looked(HOME, name="pods", retain=False) as node:
        node.calls(golden, "pin")("nothing is kept", "shop/db", "10.9.0.9", "--apply")
        assert not os.path.exists(node.state_dir)


def foreign_writer():
    """A folder that only the Go plugin wrote stays its own."""
    with Looked(HOME, name="pods") as node:
        node.configure({"cniVersion": "1.0.0", "name": "pods", "type": "bridge",
                        "ipam": {"type": "host-local", "dataDir": node.data_dir, "ranges": [[{"subnet": "10.9.0.0/28"}]]}})
        done = pin(node, "shop/db", "10.9.0.9", "--apply")
        assert done.exit == tool.FOUND and "ipam.type" in done.stdout, done
        assert not os.path.exists(node.state_dir)


def several_networks():
    """An address in two networks' ranges is pinned in the one that is named."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        node.configure(dict(node.conf(), name="more"), "20-more.conflist")
        assert "more and pods" in tool.refused("pin", *node.look(), "shop/db", "10.9.0.9", "--apply")
        assert pin(node, "shop/db", "10.9.0.9", "--network", "pods", "--apply").exit == tool.FINE
        assert pinned(node) == {"10.9.0.9": "shop/db"}


def damaged(golden):
    """A list of pins that cannot be read is told, is not written over, and no pod stays down for it."""
    with Looked(HOME, name="pods") as node:
        node.tell_two_boots()
        os.symlink("2~of a later version", f"{node.record_dir}/pins")
        node.calls(golden, "list")("pins of a later version", "--state", "held")
        done = pin(node, "shop/db", "10.9.0.9", "--apply")
        assert done.exit == tool.USAGE and "newer version" in done.stderr, done
        assert node.add("f0", "shop/db")
        assert os.readlink(f"{node.record_dir}/pins") == "2~of a later version"


def killed():
    """Killed at any moment: what is pinned was announced, and the same call ends it."""
    for round_number in range(12):
        with Looked(HOME, name="pods") as node:
            node.tell_two_boots()
            words = ("shop/db", "10.9.0.9", "fd00:9::9", "--apply")
            process = subprocess.Popen([BINARY, "pin", *node.look(), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.002 * round_number)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert len(pinned(node)) in (0, 2), pinned(node)
            if pinned(node):
                history = json.loads(tool.call("show", *node.look(), "--history", "10.9.0.9", "-o", "json").stdout)["history"]
                assert history, "pinned, and not announced"
            assert pin(node, *words).exit == tool.FINE
            assert pinned(node) == {"10.9.0.9": "shop/db", "fd00:9::9": "shop/db"}


def tests(golden):
    golden.begin()
    return [
        ("a dry run of pods and addresses in every state", dry_run, golden),
        ("--apply does what the dry run said, once", same_text, golden),
        ("the pod gets its pin, and nobody else", adds_follow),
        ("who has a pinned address keeps it while it runs", who_has_it),
        ("what is configured goes first", configured, golden),
        ("a folder that only the Go plugin wrote", foreign_writer),
        ("an address in two networks", several_networks),
        ("a list of pins that cannot be read", damaged, golden),
        ("killed at any moment", killed),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/pin.golden.txt") as kept:
        tap.main("pin", lambda: tests(kept), lambda: require(BINARY), sandbox.enter, fake_boots)
