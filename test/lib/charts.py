"""The Helm charts of Cilium and Flannel in the versions that test/peers/charts pins, and our own, rendered by the pinned
helm."""
import json
import os
import subprocess
import tempfile

import peers
import plugin
import yaml

# Where a chart lies: its module and the folder in it.
CHARTS = {
    "cilium": ("github.com/cilium/cilium", "install/kubernetes/cilium"),
    "kube-flannel": ("github.com/flannel-io/flannel", "chart/kube-flannel"),
}
OWN = "delegated-ipam"
KUBERNETES = "1.34.0"  # what helm tells a chart of the cluster; without it the oldest that it knows


def require():
    """End the suite as skipped, with the reason, unless helm and all charts are there."""
    peers.require("helm", *(module for module, _ in CHARTS.values()))


def folder(chart):
    """The folder of a chart; others' files are read-only."""
    if chart == OWN:
        return os.path.join(plugin.ROOT, "examples/chart")
    module, below = CHARTS[chart]
    return os.path.join(peers.folder(module), below)


def version(chart):
    """The version of the module that a chart comes from, as in "v1.20.2"."""
    return peers.version(CHARTS[chart][0])


def template(chart, values=None, files=(), namespace="kube-system"):
    """Render a chart; returns its objects. values: an object as in a values file. files: paths of values files, which
    count before `values`. Errors: RuntimeError with helm's words."""
    with tempfile.TemporaryDirectory() as home:
        own = os.path.join(home, "values.json")  # JSON is YAML
        with open(own, "w") as file:
            json.dump(values or {}, file)
        command = [peers.binary("helm"), "template", chart, folder(chart), "--namespace", namespace,
                   "--kube-version", KUBERNETES]
        for path in (*files, own):
            command += ["--values", path]
        done = subprocess.run(command, env={"HOME": home, "PATH": os.environ["PATH"]}, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"helm template {chart}: {done.stderr.strip()}")
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def config_maps(objects):
    """The data of the ConfigMaps among rendered objects: {name: {key: text}}."""
    return {one["metadata"]["name"]: one.get("data", {}) for one in objects if one["kind"] == "ConfigMap"}
