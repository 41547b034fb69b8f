"""What generate writes is accepted, alone and together."""
import os
import subprocess
import tempfile

import corpus
from plugin import BINARY

NODES_DIR = "nodes-dir=/etc/cni/delegated-ipam/nodes"
SUBNETS = ["--subnet", "10.244.1.0/24", "--subnet", "fd00:10:244:1::/64"]
POD_CIDRS = ["--pod-cidr", "10.244.0.0/16", "--pod-cidr", "fd00:10:244::/56"]
IN_MEMORY = ["flannel-subnet-env"]


def generate(folder, name, *arguments):
    """Write one file; returns its path."""
    done = subprocess.run([BINARY, "generate", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(done.stdout)
    return path


def has(expected, *paths):
    found = [one["rule"] for one in corpus.findings(*paths)]
    assert found == expected, f"{found} in {paths}"


def conflists():
    with tempfile.TemporaryDirectory() as folder:
        for network in ("bridge", "ptp", "cilium"):
            has([], generate(folder, f"{network}.conflist", network, *SUBNETS, "--exclude", "10.244.1.2",
                             "--pin", "shop/web-0=10.244.1.10,fd00:10:244:1::10"))
            has([], generate(folder, f"{network}-all.conflist", network, "--ranges-from", NODES_DIR))
        has(IN_MEMORY, generate(folder, "flannel.conflist", "flannel"))
        has(IN_MEMORY, generate(folder, "flannel-shm.conflist", "flannel", "--subnet-file", "/dev/shm/subnet.env"))
        persistent = ["--subnet-file", "/var/lib/flannel/subnet.env"]
        has([], generate(folder, "flannel-disk.conflist", "flannel", *persistent))
        has(IN_MEMORY, generate(folder, "patch.yaml", "flannel", "--format", "configmap"))
        has([], generate(folder, "patch-disk.yaml", "flannel", "--format", "configmap", *persistent))
        has(IN_MEMORY, generate(folder, "values.yaml", "flannel", "--format", "helm"))


def cilium_together():
    """The conflist's ConfigMap and the chart's values."""
    with tempfile.TemporaryDirectory() as folder:
        conflist = generate(folder, "cni.yaml", "cilium", "--ranges-from", NODES_DIR, "--format", "configmap")
        values = generate(folder, "values.yaml", "cilium", "--format", "helm", *POD_CIDRS)
        has([], values)
        has([], conflist, values)


def kind_cluster():
    """The cluster file, with the conflists that it mounts."""
    with tempfile.TemporaryDirectory() as folder:
        for number, node in enumerate(("control-plane", "worker", "worker2")):
            block = ["--subnet", f"10.244.{number}.0/24", "--subnet", f"fd00:10:244:{number}::/64"]
            generate(folder, f"k-{node}.conflist", "cilium", *block)
        arguments = ["kind", "--cni", "cilium", "--name", "k", "--conf-dir", folder, "--binary", "/usr/bin/true"]
        subnets = ["--pod-subnet", "10.244.0.0/16", "--pod-subnet", "fd00:10:244::/56"]
        has([], generate(folder, "cluster.yaml", *arguments, *subnets))
        has(["kind-pod-subnet"] * 6, generate(folder, "other.yaml", *arguments, "--pod-subnet", "10.20.0.0/16"))


def installer():
    with tempfile.TemporaryDirectory() as folder:
        has([], generate(folder, "installer.yaml", "installer"))


def containerd_template():
    """A template is told from broken JSON; what containerd makes of it is accepted."""
    with tempfile.TemporaryDirectory() as folder:
        path = generate(folder, "10.conflist", "containerd-template", "--main", "ptp")
        found = corpus.findings(path)
        assert [one["fix"] for one in found] == ["this is a template: validate what is rendered from it"], found
        with open(path) as file:
            text = file.read()
        start, end = text.index("[{{range"), text.index("{{end}}]\n") + len("{{end}}]")
        rendered = text[:start] + '[[{"subnet": "10.244.1.0/24"}]]' + text[end:]
        assert corpus.run("-", stdin=rendered.encode()) == (0, "", ""), rendered


def run(suite):
    suite.run("generate's conflists, patches and values are accepted", conflists)
    suite.run("generate's files for Cilium are accepted together", cilium_together)
    suite.run("generate's kind cluster is accepted with its conflists, and not with another pod subnet", kind_cluster)
    suite.run("generate's installer is accepted", installer)
    suite.run("generate's template for containerd is known as one, and accepted when rendered", containerd_template)
