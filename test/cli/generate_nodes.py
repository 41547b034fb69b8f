"""Clusters as `kubectl get nodes -o json` tells them, and what may be expected of the files made for them."""
import glob
import ipaddress
import json
import os
import shutil
import subprocess
import tempfile

import yaml

from plugin import BINARY


class Cluster:
    """count nodes with an IPv4 and an IPv6 block each, for a with block; `details` bytes more for each node.

    file: the list; out: an empty folder; blocks: {node: its blocks, IPv4 first}.
    """

    def __init__(self, count, name_length=20, details=0):
        self.blocks = {}
        for i in range(count):
            name = f"edge-{i:05}.site.".ljust(name_length - 1, "x") + "n"
            self.blocks[name] = [f"10.{i // 256}.{i % 256}.0/24", str(ipaddress.ip_network(f"fd00:{i:x}::/64"))]
        self._details = details

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="cluster.", dir="/var/tmp")
        self.file, self.out = f"{self.home}/nodes.json", f"{self.home}/out"
        os.mkdir(self.out)
        with open(self.file, "w") as file:
            file.write('{"apiVersion": "v1", "kind": "List", "items": [\n')
            for place, (name, blocks) in enumerate(self.blocks.items()):
                file.write((",\n" if place else "") + json.dumps(node(name, blocks, self._details), indent=4))
            file.write('], "metadata": {"resourceVersion": ""}}\n')
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.home)


def node(name, blocks, details=0):
    """A Node; some members come before and behind what counts, with keys that could be taken for it."""
    images = [{"names": [f"some/image@sha256:{i:064x}"], "sizeBytes": i} for i in range(details // 190)]
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"annotations": {"name": "wrong", "podCIDR": "192.0.2.0/24"}, "name": name,
                     "labels": {"spec": "x"}},
        "spec": {"podCIDR": blocks[0], "podCIDRs": blocks, "taints": [{"key": "podCIDR", "effect": "NoSchedule"}]},
        "status": {"images": images, "nodeInfo": {"name": "wrong"}, "conditions": [{"type": "Ready"}]},
    }


def nodes(*pairs):
    """A list of nodes, (name, block, ...) each."""
    return {"kind": "List", "items": [
        {"kind": "Node", "metadata": {"name": name}, "spec": {"podCIDRs": blocks} if blocks else {}}
        for name, *blocks in pairs]}


def assert_disjoint(written):
    """No address is in the blocks of two nodes: their bounds, in order, never cross."""
    spans = {4: [], 6: []}
    for name, blocks in written.items():
        for block in map(ipaddress.ip_network, blocks):
            spans[block.version].append((int(block[0]), int(block[-1]), name))
    for family in spans.values():
        family.sort()
        for (_, last, one), (first, _, other) in zip(family, family[1:]):
            assert last < first, f"{one} and {other} overlap"


def yaml_file(path):
    """The one document of a YAML file."""
    with open(path) as file:
        return yaml.load(file, Loader=yaml.CSafeLoader)


def config_maps(folder):
    """{name: data} of the ConfigMaps with the nodes' ranges in a folder."""
    found = {}
    for path in glob.glob(f"{folder}/delegated-ipam-nodes*.yaml"):
        document = yaml_file(path)
        name = document["metadata"]["name"]
        assert document["kind"] == "ConfigMap" and document["metadata"]["namespace"] == "kube-system"
        assert os.path.basename(path) == f"{name}.yaml"
        found[name] = document["data"]
    return found


def size_of(data):
    """As Kubernetes counts a ConfigMap."""
    return sum(len(key) + len(value) for key, value in data.items())


def applied_size(document):
    """Bytes of the annotation in which `kubectl apply` keeps an object, whose limit is 256 KiB (apimachinery's
    TotalAnnotationSizeLimitB)."""
    name = "kubectl.kubernetes.io/last-applied-configuration"
    document["metadata"].setdefault("annotations", {})
    return len(name) + len(json.dumps(document, separators=(",", ":"), ensure_ascii=False)) + 1


def peak_memory_mib(arguments):
    """The most memory that one run of the tool has resident."""
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); " \
             "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    command = ["/usr/bin/python3", "-c", script, BINARY, *arguments]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
