#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""A pod's author writes annotations, and they stand in the runtime's result cache: whatever they are, his pod is seen
there, and nobody is given its address when the address files are lost.

usage: cache_test.py [WORD ...]
"""
import json
import os
import shutil

import result_cache
import sandbox
import tap
from live_netns import Namespace
from looked_at import Looked
from node import fake_boots
from plugin import BINARY, require

HOME = "/var/lib/cni/cache"
SMALL = [[{"subnet": "10.9.0.0/29"}]]
ALL = 256 << 10  # bytes of annotations that Kubernetes lets through: TotalAnnotationSizeLimitB
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"


def annotate(container_id, text):
    """As the runtime's library writes it: Go's JSON, in which "<" takes six bytes."""
    path = result_cache.path("net", container_id)
    with open(path) as file:
        entry = json.load(file)
    entry["capabilityArgs"] = {ANNOTATIONS: {"x": text}}
    with open(path, "w") as file:
        file.write(json.dumps(entry).replace("<", "\\u003c"))


def lost(text, lose):
    """All other addresses are given first, so that the lost one is what is left."""
    with Namespace("cache") as namespace, Looked(HOME, SMALL, name="net") as node:
        home = node.add("c-live", "shop/live", netns=namespace.path)
        node.cache("c-live", "shop/live", home, namespace.path)
        annotate("c-live", text)
        try:
            lose(node, home[0])
            given = [node.call("ADD", f"c-{number}", f"shop/web-{number}").addresses for number in range(6)]
        finally:
            os.unlink(result_cache.path("net", "c-live"))
        assert len([one for one in given if one]) == 4, given
        assert home not in given, f"{home} is a running pod's: {given}"


def one_file(node, address):
    os.unlink(f"{node.network_dir}/{address}")


def all_files(node, _):
    shutil.rmtree(node.network_dir)


def tests():
    for what, text in (("no", ""), ("256 KiB of", "x" * ALL), ('256 KiB of "<" in', "<" * ALL), ("256 KiB of quotes in", '"' * ALL)):
        yield f"{what} annotations, and its file is gone: a running pod's address is nobody else's", lost, text, one_file
        yield f"{what} annotations, and the folder is gone: a running pod's address is nobody else's", lost, text, all_files


if __name__ == "__main__":
    tap.main("cache", tests, lambda: require(BINARY), sandbox.enter, fake_boots)
