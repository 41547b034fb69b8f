"""`rangesFrom.yurthubNode`: the Node object in YurtHub's cache on disk."""
import json
import os
import subprocess

from conf_node import POD, ConfNode
from conf_sources import FIRST, FIRST_SIX, write

CACHE = "/etc/kubernetes/cache"


class YurtHub:
    """YurtHub's cache on disk, for a with block: an empty /etc is put over the host's."""

    def __enter__(self):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/etc"], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "/etc"], check=True)

    def put(self, path, content):
        """Write an object, or a text as it is; None removes it."""
        path = os.path.join(CACHE, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if content is None:
            os.unlink(path)
        else:
            write(path, content if isinstance(content, str) else json.dumps(content))


def node_object(*cidrs, key="podCIDRs"):
    """A Node as the API server gives it."""
    spec = {"podCIDR": cidrs[0]} if cidrs else {}
    if key == "podCIDRs":
        spec["podCIDRs"] = list(cidrs)
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {"a": "b"}}, "spec": spec,
            "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.7"}]}}


def yurthub_layouts():
    layouts = ("kubelet/nodes.v1.core/n1", "kubelet/nodes.v1.core/n1.json", "kubelet/nodes/n1", "kubelet/nodes/n1.json",
               "flanneld/nodes.v1.core/n1")
    for layout in layouts:
        with YurtHub() as cache:
            cache.put(layout, node_object("10.244.1.0/24"))
            assert ConfNode(rangesFrom={"yurthubNode": "n1"}).add("c-1", POD) == [FIRST], layout


def yurthub_families():
    source = {"yurthubNode": "n1"}
    with YurtHub() as cache:
        cache.put("kubelet/nodes.v1.core/n1", node_object("10.244.1.0/24", "2001:cafe:42:1::/64"))
        assert ConfNode(rangesFrom=source).add("c-1", POD) == [FIRST, FIRST_SIX]
        cache.put("kubelet/nodes.v1.core/n1", node_object("10.244.1.0/24", key="podCIDR"))
        assert ConfNode(rangesFrom=source).add("c-1", POD) == [FIRST]


def yurthub_own_name():
    """An empty name is this node's own, as in nodesDir."""
    with YurtHub() as cache:
        cache.put("kubelet/nodes.v1.core/n7", node_object("10.244.7.0/24"))
        node = ConfNode(rangesFrom={"yurthubNode": ""})
        assert node.add("c-1", POD, env={"NODE_NAME": "n7"}) == ["10.244.7.2"]


def yurthub_torn():
    """A torn object is passed over for another copy, then for the last good ranges; without any it is code 11."""
    node = ConfNode(rangesFrom={"yurthubNode": "n1"})
    whole = json.dumps(node_object("10.244.1.0/24"))
    current, old = "kubelet/nodes.v1.core/n1", "kubelet/nodes/n1"
    with YurtHub() as cache:
        cache.put(current, whole[:len(whole) // 2])
        node.refused(11, f"{CACHE}/{current}")
        cache.put(old, node_object("10.244.9.0/24"))
        assert node.add("c-1", POD) == ["10.244.9.2"]
        cache.put(old, None)
        for length in range(0, len(whole), 7):
            cache.put(current, whole[:length])
            assert node.add("c-1", POD) == ["10.244.9.2"], whole[:length]


def yurthub_odd_objects():
    """No range in it, or not where it should be: the file is named."""
    for content in (node_object(), {"spec": {"podCIDRs": "10.244.1.0/24"}}, {"spec": []}, [], "null", {"kind": "Node"},
                    {"spec": {"podCIDRs": ["web"]}}, {"spec": {"podCIDRs": [7]}}, {"spec": {"podCIDR": 7}}):
        with YurtHub() as cache:
            cache.put("kubelet/nodes.v1.core/n1", content)
            ConfNode(rangesFrom={"yurthubNode": "n1"}).refused(11, f"{CACHE}/kubelet/nodes.v1.core/n1")


TESTS = [
    ("rangesFrom: yurthubNode knows both layouts of the cache", yurthub_layouts),
    ("rangesFrom: yurthubNode reads podCIDRs, else podCIDR", yurthub_families),
    ("rangesFrom: an empty yurthubNode is this node", yurthub_own_name),
    ("rangesFrom: a torn Node object never changes the node's range", yurthub_torn),
    ("rangesFrom: a Node object without ranges is code 11 naming the file", yurthub_odd_objects),
]
