"""Dual-stack pods by number, whose addresses Debian's host-local hands out as a program of its own.

Use it inside sandbox.enter().
"""
import os

from crowd import DUAL, pair, pod
from ledger import DelegatedNode
from plugin import HOST_LOCAL

HOME = "/var/lib/cni/many-pods"
POD = "shop/web-0"
OTHER = "shop/other"
PODS = range(2, 22)  # pod 2 gets the addresses pair(2), and so on


def node_at(name, ranges=None, **ipam):
    """A node with Debian's host-local as a program of its own."""
    return DelegatedNode(os.path.join(HOME, name), ranges or DUAL, HOST_LOCAL, **{"inProcess": False, **ipam})


def start_all(node, prefix="old", pods=PODS):
    """{container ID: addresses} of all pods' new sandboxes."""
    return {f"{prefix}-{number}": node.add(f"{prefix}-{number}", pod(number)) for number in pods}


def delete_all(node, prefix, pods=PODS):
    for number in pods:
        node.delete(f"{prefix}-{number}", pod(number), netns="")


def at_home(prefix, pods=PODS):
    return {f"{prefix}-{number}": pair(number) for number in pods}


def mixed():
    """The pods in an order of their own."""
    return sorted(PODS, key=lambda number: number * 7 % 20)
