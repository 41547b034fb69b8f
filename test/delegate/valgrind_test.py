#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The plugin with a plugin of its own, under valgrind: no error, no lost memory, no descriptor left but 0, 1 and 2.

DYNAMIC names the binary: dynamic, with symbols, by default the target delegated-ipam-dynamic of the preset release.
"""
import os
import platform
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))

import plugin
import tap
import world
from one_add import new_node

DYNAMIC = os.environ.get("DYNAMIC", os.path.join(plugin.ROOT, "build/release/delegated-ipam-dynamic"))
FOUND_ERRORS = 99
VALGRIND = ("--track-fds=yes", "--leak-check=full", "--errors-for-leak-kinds=definite", "--trace-children=no",
            "--child-silent-after-fork=yes", "--read-inline-info=no", f"--error-exitcode={FOUND_ERRORS}")
AT_ONCE = 2
_stand_in = None


def require_tools():
    """End the suite with the reason when it cannot run here."""
    if not os.path.exists(DYNAMIC):
        sys.exit(f"{DYNAMIC}: no such plugin; build it: cmake --build --preset release --target delegated-ipam-dynamic")
    missing = [tool for tool in ("valgrind", "gcc") if not shutil.which(tool)]
    if missing or platform.machine() != "x86_64":
        tap.skip(f"needs x86-64 and valgrind and gcc: apt-get install {' '.join(missing)}")


def build_stand_in(folder):
    """The library that takes the place of a system call unknown to valgrind; returns its path."""
    library = f"{folder}/stand_in.so"
    source = os.path.join(HERE, "pidfd_stand_in.c")
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", library, source, "-lpthread"], check=True)
    return library


def call(node, command, **more):
    """Run a verb under valgrind; returns its Outcome. AssertionError for whatever valgrind has found."""
    log = f"{node.home}/valgrind.{command}"
    env, conf = node.request(command, "c1", version="1.1.0", **more)
    wrapper = (shutil.which("valgrind"), *VALGRIND, f"--log-file={log}")
    done = plugin.run(DYNAMIC, {**env, "LD_PRELOAD": _stand_in}, conf, wrapper=wrapper, timeout=120)
    with open(log) as file:
        text = file.read()
    opened = re.findall(r"Open file descriptor .*\n.*", text)
    leaked = [found for found in opened if "<inherited from parent>" not in found]
    assert "FILE DESCRIPTORS:" in text and not leaked, text
    assert "ERROR SUMMARY: 0 errors" in text and "unhandled" not in text, text
    assert done.exit != FOUND_ERRORS, text
    return done


def life():
    """ADD, repeated ADD, CHECK, DEL."""
    node = new_node()
    for command, runs in (("ADD", ["ADD c1"]), ("ADD", []), ("CHECK", ["CHECK c1"]), ("DEL", ["DEL c1"])):
        done = call(node, command)
        assert done.exit == 0 and node.ledger.take_commands() == runs, done
    assert node.ledger.leases() == {}


def older_version():
    node = new_node()
    node.ledger.speak("0.3.0", "0.3.1", "0.4.0")
    done = call(node, "ADD")
    assert done.exit == 0 and node.ledger.commands() == ["ADD c1", "VERSION", "ADD c1"], done


def failure():
    node = new_node()
    node.ledger.fail("ADD", where="after")
    done = call(node, "ADD")
    assert done.exit == 1 and done.json["code"] == 123, done
    assert node.ledger.commands() == ["ADD c1", "DEL c1"] and node.ledger.leases() == {}


def time_out():
    node = new_node(timeoutSeconds=6)
    node.ledger.hook("ADD", "sleep 1000 &\nwait\n", "after")
    done = call(node, "ADD")
    assert done.exit == 1 and done.json["code"] == 11, done
    assert node.ledger.commands() == ["ADD c1", "DEL c1"] and node.ledger.leases() == {}


def too_much_output():
    node = new_node()
    node.ledger.hook("CHECK", "exec cat /dev/zero\n")
    done = call(node, "CHECK")
    assert done.exit == 1 and "printed more than 1 MiB" in done.json["msg"], done


def missing():
    """One that cannot be executed would tell nothing: valgrind makes a fork of vfork(2), which hides the reason."""
    node = new_node()
    os.unlink(f"{node.ledger.path}/ledger")
    done = call(node, "ADD")
    assert done.exit == 1 and done.json["msg"].startswith("failed to find plugin"), done


def stand_in():
    global _stand_in
    _stand_in = build_stand_in(world.enter())


def tell(suite):
    tests = (("ADD, repeated ADD, CHECK and DEL", life), ("a plugin that speaks older versions only", older_version),
             ("an ADD that fails, and its DEL", failure), ("a time-out with a child", time_out),
             ("too much output", too_much_output), ("a plugin that is not there", missing))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = [(sentence, pool.submit(test)) for sentence, test in tests]
        for sentence, result in results:
            suite.run(f"{sentence}: no error, no lost memory, no descriptor left", result.result)


if __name__ == "__main__":
    tap.story("valgrind", tell, require_tools, stand_in)
