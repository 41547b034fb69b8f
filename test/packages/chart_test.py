#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The chart in examples/chart makes the objects that `generate` writes, in every variant, and refuses what is no value.

usage: chart_test.py [WORD ...]
"""
import json
import os
import re
import tempfile

import charts
import peers
import tap
import tool
import yaml
from installer import NODES, VARIANTS, generated
from plugin import BINARY, ROOT, require

EXAMPLES = os.path.join(ROOT, "examples")
# An option of `generate installer`, and the chart's value.
VALUES = {"--image": "image", "--bin-dir": "binDir", "--as": "as", "--nodes-dir": "nodesDir"}
REFUSED = [{"imgae": "x"}, {"binDir": "opt/cni/bin"}, {"as": "host-local.orig"}, {"as": "a/b"}, {"nodes": {"n": []}},
           {"nodes": {"node": "10.0.0.0/24"}}, {"nodes": {"n": ["10.0.0.0"]}}, {"nodes": {"N_": ["10.0.0.0/24"]}},
           {"nodesConfigMaps": ["A"]}, {"nodesDir": "x"}]


def rendered(values, namespace="kube-system"):
    return charts.template("delegated-ipam", values=values, namespace=namespace)


def values_of(arguments):
    """(values, namespace) of the chart for these arguments of generate installer."""
    values, namespace = {}, "kube-system"
    for option, value in zip(arguments[::2], arguments[1::2]):
        if option == "--namespace":
            namespace = value
        elif option == "--nodes-config-map":
            values.setdefault("nodesConfigMaps", []).append(value)
        else:
            values[VALUES[option]] = value
    return values, namespace


def same(arguments):
    objects = rendered(*values_of(arguments))
    assert objects == [generated(*arguments)], objects


def images_are_pulled_alike():
    for image in ("delegated-ipam", "other:1", "localhost/delegated-ipam:0.1.0", "library/delegated-ipam:0.1.0",
                  f"delegated-ipam@sha256:{'0' * 64}", "localhost:5000/ipam:1"):
        (made,) = rendered({"image": image})
        wanted = yaml.safe_load(tool.call("generate", "installer", "--image", image).stdout)
        assert made == wanted, image


def nodes_ranges():
    """The cluster's nodes as values make the ConfigMap that `generate --nodes` writes, and the installer that reads it."""
    with open(os.path.join(EXAMPLES, "nodes.json")) as file:
        nodes = {node["metadata"]["name"]: node["spec"]["podCIDRs"] for node in json.load(file)["items"]}
    with open(os.path.join(EXAMPLES, "bridge/shared/delegated-ipam-nodes.yaml")) as file:
        wanted = yaml.safe_load(file)
    config_map, daemon_set = rendered({"nodes": nodes})
    assert config_map == wanted, config_map
    assert daemon_set == generated("--nodes", os.path.join(EXAMPLES, "nodes.json"), *NODES[2:]), daemon_set
    dual = {"n1": ["10.0.0.0/24", "fd00::/64"]}
    assert rendered({"nodes": dual})[0]["data"] == {"n1": "10.0.0.0/24\nfd00::/64\n"}


def made_for_its_ranges():
    """What the chart's installer runs takes what the chart's ConfigMap has, in whatever form; and no other's."""
    values = {"nodes": {"edge-10": ["10.0.0.0/24", "FD00:0::/64"], "edge-2": ["10.0.2.7/24"], "e.1": ["10.0.1.0/24"]}}
    with tempfile.TemporaryDirectory(prefix="chart.", dir="/var/tmp") as home:
        places = {"/host/bin": home, "/nodes": f"{home}/map", "/host/nodes": f"{home}/nodes"}
        config_map, daemon_set = rendered(values)
        other = rendered({"nodes": {**values["nodes"], "edge-2": ["10.0.3.0/24"]}})[1]
        os.mkdir(f"{home}/map")
        for name, text in config_map["data"].items():
            with open(f"{home}/map/{name}", "w") as file:
                file.write(text)
        for made, code in (other, tool.USAGE), (daemon_set, tool.FINE):
            arguments = made["spec"]["template"]["spec"]["initContainers"][0]["args"]
            done = tool.call(*(places.get(one, one) for one in arguments), "--node", "edge-10")
            assert done.exit == code and ("has other ranges" in done.stderr) == (code == tool.USAGE), done
            assert os.path.exists(f"{home}/nodes/edge-10") == (code == tool.FINE), done


def namespace_is_text(namespace):
    """Whatever YAML would take it for. helm's own look at the name is the cluster's, too."""
    made = rendered({"nodes": {"n": ["10.0.0.0/24"]}}, namespace)
    assert [one["metadata"]["namespace"] for one in made] == [namespace] * 2, made
    same(("--namespace", namespace))


def both_kinds_of_ranges():
    made = rendered({"nodes": {"n": ["10.0.0.0/24"]}, "nodesConfigMaps": ["more"]})[1]
    (key, checksum), = made["spec"]["template"]["metadata"].pop("annotations").items()
    assert made == generated("--nodes-config-map", "delegated-ipam-nodes", "--nodes-config-map", "more", *NODES[2:])
    other = rendered({"nodes": {"n": ["10.9.0.0/24"]}, "nodesConfigMaps": ["more"]})[1]
    assert other["spec"]["template"]["metadata"]["annotations"][key] != checksum, "no new pods for a new range"


def one_block_of_two_nodes():
    """As helm merges a list of nodes with that of before."""
    before = {"edge-1": ["10.1.0.0/24", "fd00:1::/64"], "edge-2": ["10.2.0.0/24", "fd00:2::/64"]}
    for now in ({"edge-9": ["10.2.0.0/24"]}, {"edge-9": ["10.9.0.0/24", "FD00:2::/64"]}, {"a": ["fd00:2::/64"]}):
        try:
            rendered({"nodes": {**before, **now}})
        except RuntimeError as refusal:
            assert all(word in str(refusal) for word in (*now, "edge-2 ", "--reuse-values")), refusal
        else:
            raise AssertionError(f"taken: {now}")
    rendered({"nodes": {**before, "edge-9": ["10.9.0.0/24", "FD00:9::/64", "fd00:9::/64"]}})


def refuses(values):
    try:
        rendered(values)
    except RuntimeError as refusal:
        (key, value), = values.items()  # of a name that is none helm tells the name
        assert "schema" in str(refusal) and any(
            one in str(refusal) for one in (key, *(value if isinstance(value, dict) else ()))), refusal
        return
    raise AssertionError("taken")


def is_of_this_version():
    with open(os.path.join(charts.folder("delegated-ipam"), "Chart.yaml")) as file:
        chart = yaml.safe_load(file)
    with open(os.path.join(ROOT, "CMakeLists.txt")) as file:
        version = re.search(r"project\(delegated-ipam VERSION (\S+)", file.read())[1]
    assert chart["version"] == chart["appVersion"] == version, chart


TESTS = [
    *((f"{name}: the object that generate installer writes", same, arguments) for name, arguments in VARIANTS.items()),
    ("an image's name decides alike whether it is pulled", images_are_pulled_alike),
    ("the nodes' ranges: the ConfigMap and the DaemonSet that generate writes", nodes_ranges),
    ("the DaemonSet takes the ranges of its ConfigMap, and of no other", made_for_its_ranges),
    ("ranges of the values and of ConfigMaps that are there", both_kinds_of_ranges),
    ("a block that two nodes have is refused", one_block_of_two_nodes),
    *((f"--namespace {name}: it is that", namespace_is_text, name) for name in ("2024", "on", "0x10")),
    *((f"{json.dumps(values)} is refused", refuses, values) for values in REFUSED),
    ("the chart is of the version that CMakeLists.txt says", is_of_this_version),
]


if __name__ == "__main__":
    tap.main("chart", TESTS, lambda: require(BINARY), lambda: peers.require("helm"))
