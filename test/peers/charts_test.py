#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The charts of Cilium and Flannel, rendered by helm: what our own values files rely on is there.

usage: charts_test.py
"""
import json
import subprocess

import charts
import peers
import tap
import tool
import yaml

IPAM = {"type": "delegated-ipam", "delegate": {"type": "host-local"}}
# Those of Cilium's own CI for a delegated plugin, short of masquerading.
DELEGATED = {
    "ipam": {"mode": "delegated-plugin"}, "routingMode": "native", "ipv4NativeRoutingCIDR": "10.244.0.0/16",
    "endpointRoutes": {"enabled": True}, "endpointHealthChecking": {"enabled": False},
    "extraConfig": {"local-router-ipv4": "169.254.23.0"},
}
WRITTEN = "write-cni-conf-when-ready"
UPLINK_ROUTES = "install-uplink-routes-for-delegated-ipam"


def cilium_config(**values):
    """The ConfigMap of the agent, rendered with these values."""
    return charts.config_maps(charts.template("cilium", values))["cilium-config"]


def flannel_config(**values):
    """Flannel's conflist and its net-conf, rendered with these values."""
    config = charts.config_maps(charts.template("kube-flannel", values))["kube-flannel-cfg"]
    return json.loads(config["cni-conf.json"]), json.loads(config["net-conf.json"])


def helm_is_the_pinned_one():
    """helm tells its own minor version; the last number only with flags of its own build."""
    told = subprocess.run([peers.binary("helm"), "version", "--short"], capture_output=True, text=True).stdout.strip()
    pinned = peers.version("helm")
    assert told.split(".")[:2] == pinned.split(".")[:2], f"helm calls itself {told}, pinned is {pinned}"


def one_cilium():
    versions = {charts.version("cilium"), peers.version("cilium-cni", "cilium"), peers.version("cilium-agent")}
    assert len(versions) == 1, f"the chart, cilium-cni and cilium-agent are of {versions}"


def cilium_by_default():
    config = cilium_config()
    assert config["ipam"] == "cluster-pool" and config["custom-cni-conf"] == "false", config
    assert config[WRITTEN].endswith("/05-cilium.conflist") and config["cni-exclusive"] == "true", config
    assert "read-cni-conf" not in config, config


def cilium_with_a_delegated_plugin():
    """The keys that the agent checks when it starts in this mode."""
    config = cilium_config(**DELEGATED)
    expected = {"ipam": "delegated-plugin", "routing-mode": "native", "enable-endpoint-routes": "true",
                "enable-endpoint-health-checking": "false", "local-router-ipv4": "169.254.23.0"}
    assert {key: config.get(key) for key in expected} == expected, config
    assert UPLINK_ROUTES not in config, config
    values = {**DELEGATED, "ipam": {**DELEGATED["ipam"], "installUplinkRoutesForDelegatedIPAM": True}}
    assert cilium_config(**values)[UPLINK_ROUTES] == "true"


def cilium_conflist_by_hand():
    """With cni.customConf the agent writes no conflist, and takes none away."""
    config = cilium_config(**DELEGATED, cni={"customConf": True})
    assert config["custom-cni-conf"] == "true" and WRITTEN not in config and "cni-exclusive" not in config, config


def cilium_conflist_from_a_config_map():
    """With cni.configMap the agent copies that text to the node when it is ready; the ConfigMap is mounted there."""
    objects = charts.template("cilium", {**DELEGATED, "cni": {"configMap": "cni-configuration"}})
    config = charts.config_maps(objects)["cilium-config"]
    assert config["read-cni-conf"] == "/tmp/cni-configuration/cni-config" and WRITTEN in config, config
    (agent,) = [one for one in objects if one["kind"] == "DaemonSet" and one["metadata"]["name"] == "cilium"]
    mounted = [volume["configMap"]["name"] for volume in agent["spec"]["template"]["spec"]["volumes"]
               if "configMap" in volume]
    assert "cni-configuration" in mounted, mounted


def cilium_mounts_for_a_plugin():
    """What an agent needs that runs the plugin itself, from our own values."""
    text = tool.must("generate", "cilium", "--format", "helm", "--pod-cidr", "10.244.0.0/16", "--ranges-from",
                     "nodes-dir=/srv/nodes", "--cilium-version", charts.version("cilium"))
    (agent,) = [one for one in charts.template("cilium", yaml.safe_load(text))
                if one["kind"] == "DaemonSet" and one["metadata"]["name"] == "cilium"]
    pod = agent["spec"]["template"]["spec"]
    (container,) = [one for one in pod["containers"] if one["name"] == "cilium-agent"]
    volumes = {one["name"]: one["hostPath"] for one in pod["volumes"] if "hostPath" in one}
    mounts = {one["mountPath"]: (volumes[one["name"]], one.get("readOnly")) for one in container["volumeMounts"]
              if one["name"].startswith("delegated-ipam-")}
    writable = ("/var/lib/delegated-ipam", "/run/delegated-ipam", "/var/lib/cni/networks")
    expected = {path: ({"path": path, "type": "DirectoryOrCreate"}, path not in writable)
                for path in (*writable, "/srv/nodes")}
    assert mounts == expected, mounts


def cilium_refuses():
    """A mistyped value is an error, so a test of a values file can fail."""
    try:
        cilium_config(ipam={"mode": 7})
    except RuntimeError as error:
        assert "ipam" in str(error), error
    else:
        raise AssertionError("helm took a number for ipam.mode")


def flannel_by_default():
    conflist, net_conf = flannel_config()
    assert [plugin["type"] for plugin in conflist["plugins"]] == ["flannel", "portmap"], conflist
    assert conflist["name"] == "cbr0" and "ipam" not in conflist["plugins"][0], conflist
    assert net_conf["Network"] == "10.244.0.0/16" and net_conf["Backend"]["Type"] == "vxlan", net_conf


def flannel_with_our_conflist():
    """The chart takes the conflist as text, whole; two families come from podCidr and podCidrv6."""
    ours = {"name": "cbr0", "cniVersion": "1.0.0", "plugins": [
        {"type": "flannel", "ipam": IPAM, "delegate": {"hairpinMode": True, "isDefaultGateway": True}}]}
    conflist, net_conf = flannel_config(flannel={"cniConf": json.dumps(ours, indent=2)}, podCidrv6="fd00:244::/48")
    assert conflist == ours, conflist
    assert net_conf["IPv6Network"] == "fd00:244::/48" and net_conf["EnableIPv6"] is True, net_conf


def kind_runs():
    """Its binary alone: clusters are for machines with a container engine."""
    told = subprocess.run([peers.binary("kind"), "version"], capture_output=True, text=True).stdout
    assert peers.version("kind") in told, told


CASES = {
    "helm": [
        ("it is of the pinned release", helm_is_the_pinned_one),
        ("Cilium's chart is of the release of cilium-cni", one_cilium),
        ("Cilium's chart by default: the agent assigns addresses and writes its own conflist", cilium_by_default),
        ("Cilium's chart with ipam.mode=delegated-plugin: the keys that the agent then wants",
         cilium_with_a_delegated_plugin),
        ("Cilium's chart with cni.customConf leaves the conflist to us", cilium_conflist_by_hand),
        ("Cilium's chart with cni.configMap: the agent is told to copy the conflist from there",
         cilium_conflist_from_a_config_map),
        ("Cilium's chart mounts what an agent needs that runs the plugin itself", cilium_mounts_for_a_plugin),
        ("Cilium's chart refuses a mistyped value", cilium_refuses),
        ("Flannel's chart by default: its conflist and net-conf", flannel_by_default),
        ("Flannel's chart takes our conflist as it is", flannel_with_our_conflist),
    ],
    "kind": [("it is of the pinned release", kind_runs)],
}


def tell(suite):
    for program, cases in CASES.items():
        suite.name = f"{program} {peers.version(program)}"
        failed = suite.failed
        for sentence, test in cases:
            suite.run(sentence, test)
        peers.summary(program, len(cases), suite.failed - failed)


if __name__ == "__main__":
    tap.story("charts", tell, charts.require, lambda: peers.require("kind"))
