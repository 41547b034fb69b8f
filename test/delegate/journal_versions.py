"""What a plugin's CNI versions are remembered for, and what a command costs in processes; see journal_test.py."""
import json
import os
import re

import trace
from ledger import DelegatedNode, Ledger

HOME = "/var/lib/cni/journal-versions"
POD = "shop/web-0"
ANSWER = {"cniVersion": "1.0.0", "ips": [{"address": "10.50.0.2/24"}]}


def node_at(name):
    return DelegatedNode(os.path.join(HOME, name))


def spoken_versions():
    """A plugin of 2017: the first call learns it, the second costs neither a refusal nor a question."""
    node = node_at("spoken")
    node.ledger.speak("0.3.0", "0.3.1")
    node.add("c1", POD)
    assert node.ledger.take_commands() == ["ADD c1", "VERSION", "ADD c1"]
    node.add("c2", POD)
    node.delete("c1", POD)
    assert node.call("CHECK", "c2", POD).exit in (0, 1)
    assert "VERSION" not in node.ledger.commands()
    assert node.ledger.take_commands()[:2] == ["ADD c2", "DEL c1"]
    node.add("c3", POD, version="0.3.0")
    assert [call.conf["cniVersion"] for call in node.ledger.calls()] == ["0.3.0"]


def learnt_by_delete():
    """A DEL may be the first that hears of it."""
    node = node_at("spoken-del")
    node.ledger.speak("0.3.0", "0.3.1")
    node.delete("c0", POD)
    assert node.ledger.take_commands() == ["DEL c0", "VERSION", "DEL c0"]
    node.add("c1", POD)
    assert node.ledger.commands() == ["ADD c1"]


def replaced(number, replace, expected):
    """replace(node) puts a plugin of other versions there; expected: what the next ADD costs."""
    node = node_at(f"replaced-{number}")
    node.ledger.speak("0.3.0", "0.3.1")
    node.add("c1", POD)
    node.ledger.take_commands()
    replace(node)
    node.add("c2", POD)
    assert node.ledger.take_commands() == expected
    node.add("c3", POD)
    assert node.ledger.commands() == ["ADD c3"]


def by_rename(node):
    node.ledger.speak("0.4.0")


def in_place(node):
    """The same inode, another time of change."""
    with open(f"{node.ledger.path}/ledger", "w") as file:
        file.write(Ledger.text(node.ledger.home, ("0.4.0",)))


def by_newer(node):
    """It speaks everything now: what was remembered does not count any more."""
    node.ledger.speak("0.4.0", "1.0.0", "1.1.0")


def old_time_of_change(node):
    """As from a package: the new file has the same time of change as the old one."""
    path = f"{node.ledger.path}/ledger"
    before = os.stat(path)
    node.ledger.speak("0.4.0")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced_behind():
    """The program stays as it is, the one behind it speaks other versions now."""
    node = node_at("behind")
    for versions in (["0.3.1"], ["0.4.0"]):
        with open(f"{node.ledger.home}/behind.new", "w") as file:
            file.write(Ledger.text(node.ledger.home, versions))
        os.rename(f"{node.ledger.home}/behind.new", f"{node.ledger.home}/behind")
        if versions == ["0.3.1"]:
            node.ledger.install(f"#!/bin/sh\nexec sh {node.ledger.home}/behind\n")
        node.add(f"c-{versions[0]}", POD)
    assert node.ledger.take_commands()[2:] == ["ADD c-0.3.1", "ADD c-0.4.0", "VERSION", "ADD c-0.4.0"]
    node.add("c3", POD)
    assert node.ledger.commands() == ["ADD c3"]


def in_two_folders():
    """Two networks with plugins of the same name and other versions, by turns."""
    old, new = node_at("folder-old"), node_at("folder-new")
    old.ledger.speak("0.3.0", "0.3.1")
    old.add("c1", POD)
    new.add("c1", POD)
    assert new.ledger.take_commands() == ["ADD c1"]
    old.ledger.take_commands()
    old.add("c2", POD)
    new.add("c2", POD)
    assert old.ledger.commands() == ["ADD c2"] and new.ledger.commands() == ["ADD c2"]


def processes(node, command, container_id, **more):
    """The number of processes started, and of programs, the product's own among them, in one command."""
    request = node.request(command, container_id, POD, **more)
    outcome, _, text = trace.run(node.binary, *request, ("-e", "trace=process"))
    assert outcome.exit == 0, outcome
    # Calls of several processes may be written in pieces: what counts is where they begin.
    started = re.findall(r"^(?:\d+ +)?(?:clone3?|v?fork)\(", text, re.MULTILINE)
    programs = re.findall(r"^(?:\d+ +)?execve\(", text, re.MULTILINE)
    print(f"# {command} {container_id}: {len(programs)} programs, {len(started)} processes started", flush=True)
    return len(started), len(programs)


def cost_in_processes():
    """Measured with a plugin that starts no process itself."""
    node = node_at("cost")
    node.ledger.install(f"#!/bin/sh\ncase $CNI_COMMAND in ADD) echo '{json.dumps(ANSWER)}' ;; esac\n")
    assert processes(node, "ADD", "c1") == (1, 2), "one more process and one more program"
    assert processes(node, "ADD", "c1") == (0, 1), "a known attachment costs none"
    assert processes(node, "CHECK", "c1") == (1, 2)
    assert processes(node, "DEL", "c1") == (1, 2)
    assert processes(node, "STATUS", None, ifname=None, netns=None, version="1.1.0") == (1, 2)


TESTS = [
    ("a plugin of older versions is asked once, and then spoken to in its own", spoken_versions),
    ("a DEL learns the plugin's versions for the ADD that follows", learnt_by_delete),
    *((f"what was learned of a plugin that is replaced is forgotten: {how}", replaced, number, replace, expected)
      for number, (how, replace, expected) in enumerate([
          ("by a rename", by_rename, ["ADD c2", "VERSION", "ADD c2"]),
          ("in place", in_place, ["ADD c2", "VERSION", "ADD c2"]),
          ("by one of every version", by_newer, ["ADD c2"]),
          ("by one of the same time of change", old_time_of_change, ["ADD c2", "VERSION", "ADD c2"])])),
    ("a plugin that refuses what was learned of it is asked again", replaced_behind),
    ("what was learned counts for the file in its own folder only", in_two_folders),
    ("on the good path a command costs one more process and one run, a repeated ADD none", cost_in_processes),
]
