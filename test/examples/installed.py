"""What becomes of the files of examples/ in the hands of those whom they are for: charts, other manifests, nodes."""
import json
import os

import cluster
import jsonschema
import kube_schemas
import peers
import strategic_merge
import yaml
from by_hand import by_schema, load
from guide import EXAMPLES
from tap import Skip

CILIUM_VALUES = {"values.yaml": {"read-cni-conf": "/tmp/cni-configuration/cni-config",
                                 "write-cni-conf-when-ready": "/host/etc/cni/net.d/05-cilium.conflist",
                                 "custom-cni-conf": "false", "enable-ipv6": "false"},
                 "values-dual-stack.yaml": {"local-router-ipv6": "fe80::", "enable-ipv6": "true",
                                            "ipv6-native-routing-cidr": "fd00:10:244::/56",
                                            "read-cni-conf": "/tmp/cni-configuration/cni-config"},
                 "values-per-node.yaml": {"custom-cni-conf": "true", "read-cni-conf": None,
                                          "write-cni-conf-when-ready": None}}
ALWAYS = {"ipam": "delegated-plugin", "local-router-ipv4": "169.254.23.0", "enable-endpoint-health-checking": "false",
          "routing-mode": "native", "enable-endpoint-routes": "true", "enable-bpf-masquerade": "true",
          "enable-ip-masq-agent": "true", "ipv4-native-routing-cidr": "10.244.0.0/16", "enable-envoy-config": None}
# Values that the chart of today does not know, with the reason why they are there.
OLDER = {"nodePort.enabled": "charts before 1.18 need it for BPF masquerading"}
FLANNEL = "github.com/flannel-io/flannel"


def charts():
    """The module that renders charts. Errors: Skip when the peers that it needs are not built."""
    import charts as module  # noqa: PLC0415
    for needed in ("helm", *(name for name, _ in module.CHARTS.values())):
        if not peers.binary(needed):
            raise Skip(f"{needed} is not there: run {peers.BUILD}")
    return module


def flannel_daemon_set():
    """kube-flannel's own DaemonSet, as published. Errors: Skip."""
    if not peers.folder(FLANNEL):
        raise Skip(f"{FLANNEL} is not there: run {peers.BUILD}")
    with open(os.path.join(peers.folder(FLANNEL), "Documentation/kube-flannel.yml")) as file:
        return next(one for one in yaml.safe_load_all(file) if one["kind"] == "DaemonSet")


def keys(values, prefix=""):
    """The dotted paths of all leaves of a values file."""
    for key, value in values.items():
        yield from keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]


def cilium_values_are_known():
    """By the chart's own schema; and as that lets unknown keys pass, each key is one that it names."""
    path = os.path.join(charts().folder("cilium"), "values.schema.json")
    with open(path) as file:
        schema = json.load(file)
    for name in CILIUM_VALUES:
        values = load(f"cilium/{name}")
        problems = [one.message for one in jsonschema.Draft7Validator(schema).iter_errors(values)]
        assert not problems, (name, problems)
        unknown = [key for key in keys(values) if not is_in_schema(schema, key.split(".")) and key not in OLDER]
        assert not unknown, (name, unknown)


def is_in_schema(schema, path):
    for key in path:
        if schema.get("type") == "object" and "properties" not in schema:
            return True  # free, as extraConfig
        schema = schema.get("properties", {}).get(key)
        if schema is None:
            return False
    return True


def cilium_config_is_as_wanted():
    for name, wanted in CILIUM_VALUES.items():
        objects = charts().template("cilium", files=[os.path.join(EXAMPLES, "cilium", name)])
        config = charts().config_maps(objects)["cilium-config"]
        expected = {**ALWAYS, **wanted}
        got = {key: config.get(key) for key in expected}
        assert got == expected, (name, {key: got[key] for key in got if got[key] != expected[key]})


def flannel_takes_our_conflist():
    """The chart's ConfigMap and the patched one of the manifest hold the conflist of the folder."""
    conflist = load("flannel/flannel.conflist")
    objects = charts().template("kube-flannel", files=[os.path.join(EXAMPLES, "flannel/values.yaml")],
                                namespace="kube-flannel")
    config = charts().config_maps(objects)["kube-flannel-cfg"]
    assert json.loads(config["cni-conf.json"]) == conflist
    assert json.loads(load("flannel/kube-flannel-cfg.yaml")["data"]["cni-conf.json"]) == conflist
    assert load("k3s/flannel.conflist") == conflist


def one_conflist_finds_the_ranges():
    """The installer writes the nodes' ranges to the folder that the conflists name, from the ConfigMap there."""
    for folder, conflist in (("cilium", "cilium/cluster/cilium.conflist"), ("bridge", "bridge/shared/pods.conflist")):
        named = load(conflist)["plugins"][0]["ipam"]["rangesFrom"]["nodesDir"]
        pod = load(f"{folder}/installer.yaml")["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert volumes["nodes-dir"]["hostPath"]["path"] == named, folder
        ranges = load(os.path.join(os.path.dirname(conflist), "delegated-ipam-nodes.yaml"))
        assert volumes["nodes"]["projected"]["sources"] == [{"configMap": {"name": ranges["metadata"]["name"]}}], folder
        assert set(ranges["data"]) == {node["metadata"]["name"] for node in load("nodes.json")["items"]}
    text = load("cilium/cluster/cni-configuration.yaml")["data"]["cni-config"]
    assert json.loads(text) == load("cilium/cluster/cilium.conflist")


def manifests_are_valid():
    """Generated DaemonSets and ConfigMaps by Kubernetes' schemas; patches of ConfigMaps too."""
    for path in ("flannel/installer.yaml", "cilium/installer.yaml", "bridge/installer.yaml", "k3s/installer.yaml",
                 "openyurt/installer.yaml", "cilium/cluster/cni-configuration.yaml",
                 "cilium/cluster/delegated-ipam-nodes.yaml", "bridge/shared/delegated-ipam-nodes.yaml"):
        kube_schemas.check(load(path))
    for path in ("flannel/kube-flannel-cfg.yaml", "openyurt/kube-flannel-cfg.yaml"):
        kube_schemas.check({"apiVersion": "v1", "kind": "ConfigMap", **load(path)}, partial=True)


def schemas_find_mistakes():
    """The checks can fail: a mistyped key, a mistyped value and a missing key; the last is no mistake in a patch."""
    for path, key, value in (("spec", "selectr", {}), ("spec/template/spec", "hostNetwork", "yes"),
                             ("spec", "template", None)):
        manifest = load("flannel/installer.yaml")
        target = manifest
        for step in path.split("/"):
            target = target[step]
        target.update({key: value}) if value is not None else target.pop(key)
        for partial in (False, True):
            try:
                kube_schemas.check(manifest, partial=partial)
            except AssertionError:
                continue
            assert partial and value is None, (path, key, partial)


def kind_files_are_valid():
    for name in ("ptp", "cilium", "flannel"):
        by_schema(load(f"kind/{name}.yaml"), "kind-cluster.schema.json")
    for name in ("ptp", "cilium"):
        mounted = [mount["hostPath"] for node in load(f"kind/{name}.yaml")["nodes"] for mount in node["extraMounts"]]
        conflists = {os.path.basename(path) for path in mounted if path.endswith(".conflist")}
        assert conflists == set(os.listdir(os.path.join(EXAMPLES, f"kind/{name}-conf"))), conflists


def edge_nodes_only():
    """OpenYurt: the patched DaemonSets and installer take edge nodes or the others, none both, none neither."""
    labels = {node["metadata"]["name"]: node["metadata"]["labels"] for node in load("nodes.json")["items"]}
    stock = flannel_daemon_set()
    cloud = strategic_merge.merge(stock, load("openyurt/kube-flannel-ds.yaml"))
    edge = strategic_merge.merge(stock, load("openyurt/kube-flannel-ds-edge.yaml"))
    installer = strategic_merge.merge(load("openyurt/installer.yaml"), load("openyurt/installer-edge.yaml"))
    for manifest, expected in ((stock, ["cloud-1", "edge-1", "edge-2"]), (cloud, ["cloud-1"]),
                               (edge, ["edge-1", "edge-2"]), (installer, ["edge-1", "edge-2"])):
        kube_schemas.check(manifest)
        pod = manifest["spec"]["template"]["spec"]
        assert [name for name in labels if cluster.belongs(pod, labels[name])] == expected, manifest["metadata"]["name"]
    wanted = edge["spec"]["selector"]["matchLabels"].items()
    assert wanted <= edge["spec"]["template"]["metadata"]["labels"].items(), "the selector misses its own pods"
    assert not wanted <= stock["spec"]["template"]["metadata"]["labels"].items(), "the selector takes the other pods"


def one_subnet_file():
    """OpenYurt: the conflist's subnetFile lies in the host's folder that the edge DaemonSet mounts at the same path."""
    conflist = json.loads(load("openyurt/kube-flannel-cfg.yaml")["data"]["cni-conf.json"])
    folder = os.path.dirname(conflist["plugins"][0]["subnetFile"])
    pod = load("openyurt/kube-flannel-ds-edge.yaml")["spec"]["template"]["spec"]
    (mount,) = pod["containers"][0]["volumeMounts"]
    (volume,) = [one for one in pod["volumes"] if one["name"] == mount["name"]]
    assert mount["mountPath"] == volume["hostPath"]["path"] == folder, (mount, volume, folder)
    assert not folder.startswith(("/run", "/tmp", "/var/run")), folder


CASES = [
    ("generated manifests are valid in every version of Kubernetes that there are schemas of", manifests_are_valid),
    ("the schemas find mistakes", schemas_find_mistakes),
    ("Cilium's chart knows every value", cilium_values_are_known),
    ("Cilium's chart makes of the values what the agent wants in this mode", cilium_config_is_as_wanted),
    ("Flannel's chart and manifest take the conflist", flannel_takes_our_conflist),
    ("one conflist for all nodes: the installer brings the ranges to its folder", one_conflist_finds_the_ranges),
    ("kind's cluster files are valid, and mount the conflists that there are", kind_files_are_valid),
    ("OpenYurt: edge nodes and the others part cleanly", edge_nodes_only),
    ("OpenYurt: flanneld writes and the conflist reads one file, on disk", one_subnet_file),
]
