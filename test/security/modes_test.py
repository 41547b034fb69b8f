#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Modes and owners of all that is made, whatever the caller's umask.

usage: modes_test.py [WORD ...]
"""
import os
import re
import shutil
import stat

import sandbox
import tap
import tool
from ledger import DelegatedNode
from node import Node, fake_boots, is_address
from plugin import BINARY, require

HOME = "/var/lib/cni/modes"
RUNS = "/run/delegated-ipam"
MASKS = (0o000, 0o022, 0o077, 0o777)
SMALL = [[{"subnet": "10.9.0.0/24"}]]
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


def under(mask):
    return ("sh", "-c", f'umask {mask:04o}; exec "$@"', "sh")


def made(*folders):
    """Path -> status of what lies at and below them; links have no modes."""
    found = {}
    for top in folders:
        for folder, names, files in os.walk(top):
            for path in [folder, *(os.path.join(folder, name) for name in names + files)]:
                if not os.path.islink(path):
                    found[path] = os.lstat(path)
    assert len(found) > 2, found
    return found


def assert_modes(found, expected):
    """expected(path, is a folder) -> mode. All is this user's."""
    wrong = [f"{path}: {stat.S_IMODE(status.st_mode):04o} of {status.st_uid}:{status.st_gid}"
             for path, status in found.items()
             if stat.S_IMODE(status.st_mode) != expected(path, stat.S_ISDIR(status.st_mode))
             or (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid())]
    assert not wrong, "\n".join(wrong)


def built_in(mask):
    """With enough pods for an index, and a log in a folder that is not there yet."""
    node = Node(f"{HOME}/{mask}", SMALL, logFile=f"{HOME}/{mask}/log/ipam.log")
    os.makedirs(node.home)
    for number in range(17):
        node.add(f"c-{number}", f"shop/web-{number}", wrapper=under(mask))
    node.delete("c-3", "shop/web-3", wrapper=under(mask))
    node.delete("c-unknown", wrapper=under(mask))
    assert node.call("CHECK", "c-1", wrapper=under(mask)).exit == 0

    def expected(path, is_folder):
        if path in (node.data_dir, node.network_dir, f"{node.home}/log"):
            return 0o755  # host-local's
        if path == f"{node.network_dir}/lock":
            return 0o750  # host-local's
        return PRIVATE_FOLDER if is_folder else PRIVATE_FILE

    found = made(node.data_dir, node.state_dir, RUNS, f"{node.home}/log")
    kinds = {re.sub(r".*/", "", path) for path in found}
    assert {"lock", "last_reserved_ip.0", "index", "ipam.log", "tombs"} <= kinds and any(map(is_address, kinds)), kinds
    assert_modes(found, expected)


def delegated(mask):
    node = DelegatedNode(f"{HOME}/{mask}")
    node.add("c-1", "shop/web-1", wrapper=under(mask))
    node.add("c-2", "shop/web-2", wrapper=under(mask))
    node.delete("c-2", "shop/web-2", wrapper=under(mask))
    node.ledger.fail("ADD", where="after")
    node.ledger.fail("DEL")
    assert node.call("ADD", "c-3", "shop/web-3", wrapper=under(mask)).exit == 1
    assert node.journal() == 1
    found = made(RUNS)
    assert any("/journal/" in path for path in found) and any("/attachments/" in path for path in found), found
    assert_modes(found, lambda _, is_folder: PRIVATE_FOLDER if is_folder else PRIVATE_FILE)


def of_tool(mask):
    folder = f"{HOME}/{mask}"
    os.makedirs(f"{folder}/bin")
    for words in (("install", f"{folder}/bin"),
                  ("generate", "bridge", "--subnet", "10.9.0.0/24", "--out", f"{folder}/net.conflist"),
                  ("status", "-o", "prometheus", "--out", f"{folder}/ipam.prom", "--conf", f"{folder}/net.conflist")):
        done = tool.call(*words, wrapper=under(mask))
        assert done.exit != tool.USAGE, done
    found = made(folder)
    assert len(found) == 5, found
    assert_modes(found, lambda path, is_folder: 0o755 if is_folder or path.startswith(f"{folder}/bin/") else 0o644)


WHAT = {"the built-in allocator's": built_in, "a run plugin's": delegated, "the tool's": of_tool}


def fresh(test, mask):
    shutil.rmtree(RUNS, ignore_errors=True)
    os.makedirs(HOME)
    try:
        test(mask)
    finally:
        shutil.rmtree(HOME)


def tests():
    for what, test in WHAT.items():
        for mask in MASKS:
            yield f"umask {mask:04o}: {what} files and folders have their modes and owner", fresh, test, mask


if __name__ == "__main__":
    tap.main("modes", tests, lambda: require(BINARY), sandbox.enter, fake_boots)
