"""Pods by number in a dual-stack network, and what a kubelet asks for many of them at the same time.

Pod 7 is "shop/web-7"; its sandboxes are named "<prefix>-7".
"""
import os
import random

import race
from node import Node

HOME = "/var/lib/cni/crowd"
SEED = int(os.environ.get("SEED", "1701"))
DUAL = [[{"subnet": "10.9.0.0/24"}], [{"subnet": "fd00:9::/64"}]]

_chance = random.Random(SEED)


def node_at(name, ranges=None):
    """A node of its own, by default with plenty of addresses."""
    return Node(os.path.join(HOME, name), ranges or DUAL)


def small(first, last):
    """Dual-stack ranges of which exactly the addresses from first to last can be handed out."""
    return [[{"subnet": "10.9.0.0/24", "rangeStart": f"10.9.0.{first}", "rangeEnd": f"10.9.0.{last}"}],
            [{"subnet": "fd00:9::/64", "rangeStart": f"fd00:9::{first:x}", "rangeEnd": f"fd00:9::{last:x}"}]]


def pair(number):
    """The addresses that number stands for in both ranges."""
    return [f"10.9.0.{number}", f"fd00:9::{number:x}"]


def pod(number):
    return f"shop/web-{number}"


def adds(node, prefix, numbers, **more):
    """Requests for the ADD of these pods."""
    return [node.request("ADD", f"{prefix}-{number}", pod(number), **more) for number in numbers]


def dels(node, prefix, numbers):
    return [node.request("DEL", f"{prefix}-{number}", pod(number)) for number in numbers]


def all_at_once(node, requests):
    """Run all at the same time in random order; all must succeed. Returns {container ID: addresses} of the ADDs."""
    requests = _chance.sample(requests, len(requests))
    done = list(zip((env for env, *_ in requests), race.at_once(node, requests)))
    failed = [(env["CNI_COMMAND"], env["CNI_CONTAINERID"], outcome) for env, outcome in done if outcome.exit != 0]
    assert not failed, f"{len(failed)} of {len(done)} failed: {failed}"
    return {env["CNI_CONTAINERID"]: outcome.addresses for env, outcome in done if env["CNI_COMMAND"] == "ADD"}


def assert_refused(outcome, *words):
    """An ADD or DEL that failed with code 11 (try again later) and says these words."""
    assert outcome.exit == 1 and outcome.json["code"] == 11, outcome
    assert all(word in outcome.json["msg"] for word in words), f"{outcome.stdout} does not say {words}"


def assert_exhausted(outcome):
    """An ADD that failed because no address is left."""
    assert outcome.exit == 1 and "no IP addresses available" in outcome.json["msg"], outcome
