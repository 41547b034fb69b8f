#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What a plugin that is run has answered for a running pod is kept in /run. Whatever lies there instead, an ADD that is
repeated ends no lease, and nobody else is given its address.

usage: answer_test.py [WORD ...]
"""
import hashlib
import os

import sandbox
import tap
from ledger import DelegatedNode
from node import fake_boots
from odd import KINDS, Outside, in_place_of
from plugin import BINARY, require

HOME = "/var/lib/cni/answer"
KEY = hashlib.sha256(b"c-live\r\neth0").hexdigest()


def repeated(number, kind):
    """By a caller without the library that keeps a cache of results: an agent."""
    node = DelegatedNode(f"{HOME}/{number}")
    home = node.add("c-live", "shop/live")
    path = f"{node.runtime_folder()}/attachments/{KEY}"
    with in_place_of(path, kind, Outside(f"{node.home}.outside"), "/run/aside"):
        done = node.call("ADD", "c-live", "shop/live")
        assert node.ledger.leases_of("c-live") == home, f"the running pod's lease is gone: {done}"
        assert done.addresses == home or path in done.json["msg"], done
    assert node.add("c-new", "shop/new") != home
    assert node.add("c-live", "shop/live") == home


def tests():
    for number, kind in enumerate(KINDS):
        yield f"{kind} in place of a running pod's answer: its lease stays", repeated, number, kind


if __name__ == "__main__":
    tap.main("answer", tests, lambda: require(BINARY), sandbox.enter, fake_boots, lambda: os.makedirs(HOME))
