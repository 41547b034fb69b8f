#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""A folder of ours in /run that another user has made, or may write to, is not believed: whatever he puts there, no
running pod loses its address and none gets another's.

usage: run_folder_test.py [WORD ...]
"""
import hashlib
import json
import os
import shutil

import sandbox
import tap
from ledger import DelegatedNode
from live_netns import Namespace
from node import Node, fake_boots
from odd import NOBODY
from plugin import BINARY, require

HOME = "/var/lib/cni/run-folder"
RUNS = "/run/delegated-ipam"
SMALL = [[{"subnet": "10.9.0.0/29"}]]
POD = "shop/live"


def as_stranger(do):
    """Run do() as another user, in a process of its own. AssertionError when it fails there."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            do()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the stranger could not do it"


def made_by_stranger():
    """Before anybody of ours came."""
    shutil.rmtree(RUNS, ignore_errors=True)
    os.mkdir(RUNS)
    os.chmod(RUNS, 0o777)
    os.chown(RUNS, NOBODY, NOBODY)


def led_to_stranger():
    """A link to a folder of his."""
    folder = f"{HOME}/strangers"
    os.makedirs(folder)
    os.chmod(folder, 0o777)
    os.chown(folder, NOBODY, NOBODY)
    shutil.rmtree(RUNS, ignore_errors=True)
    os.symlink(folder, RUNS)


def writable_for_all():
    """Ours, but somebody has opened it to everybody."""
    shutil.rmtree(RUNS, ignore_errors=True)
    os.mkdir(RUNS)
    os.chmod(RUNS, 0o777)


WAYS = {"made by a stranger": made_by_stranger, "a link to a stranger's": led_to_stranger,
        "writable for everybody": writable_for_all}


def cleared():
    if os.path.islink(RUNS):
        os.unlink(RUNS)
    shutil.rmtree(RUNS, ignore_errors=True)
    shutil.rmtree(HOME, ignore_errors=True)
    os.makedirs(HOME)


def replaced(folder, fill):
    """The stranger puts a folder of his own in the place of one of ours; fill() writes into it."""
    def do():
        if os.path.lexists(folder):
            os.rename(folder, f"{folder}.ours")
        os.makedirs(folder, exist_ok=True)
        fill(folder)
    as_stranger(do)


def key_of(container_id):
    return hashlib.sha256(f"{container_id}\r\neth0".encode()).hexdigest()


def release_of_live(folder):
    os.mkdir(f"{folder}/pending")
    os.symlink("c-live\r\neth0", f"{folder}/pending/{key_of('c-live')}")


def assert_answer(done):
    """Acknowledged, or refused with the folder's name."""
    assert done.code in (0, 11), done
    assert done.exit == 0 or RUNS in done.json["msg"], done


def forged_release(make):
    """A release that waits, of a pod that runs."""
    cleared()
    make()
    node = Node(f"{HOME}/node", SMALL, timeoutSeconds=5)
    with Namespace("security") as namespace:
        done = node.call("ADD", "c-live", POD, netns=namespace.path)
        assert_answer(done)
        if done.exit != 0:
            return
        found = os.stat(node.network_dir)
        replaced(f"{RUNS}/{found.st_dev}:{found.st_ino}", release_of_live)
        for number in range(6):
            other = node.call("ADD", f"c-{number}", f"shop/web-{number}")
            assert other.code in (0, 11, 999), other
            assert not set(other.addresses) & set(done.addresses), f"{other.addresses} is a running pod's"
        assert node.addresses_of("c-live") == done.addresses, "a running pod's file is gone"


def forged_answer(make):
    """What a plugin that is run is said to have answered."""
    cleared()
    make()
    node = DelegatedNode(f"{HOME}/node")
    done = node.call("ADD", "c-live", POD)
    assert_answer(done)
    if done.exit != 0:
        return
    answer = json.dumps({"cniVersion": "1.0.0", "ips": [{"address": f"{done.addresses[0]}/24"}]})

    def fill(folder):
        os.mkdir(f"{folder}/attachments")
        os.mkdir(f"{folder}/journal")
        with open(f"{folder}/attachments/{key_of('c-new')}", "w") as file:
            file.write(f"c-new\r\neth0\n{answer}")

    replaced(f"{RUNS}/delegates", lambda folder: os.makedirs(f"{folder}/node%7Eledger") or fill(f"{folder}/node%7Eledger"))
    other = node.call("ADD", "c-new", "shop/new")
    assert not set(other.addresses) & set(done.addresses), f"{other.addresses} is a running pod's"


def tests():
    for way, make in WAYS.items():
        yield f"{RUNS} is {way}: a forged release frees no running pod's address", forged_release, make
        yield f"{RUNS} is {way}: a forged answer gives no running pod's address", forged_answer, make


if __name__ == "__main__":
    tap.main("run folder", tests, lambda: require(BINARY), sandbox.enter, fake_boots)
