"""Does what a guide of examples/ says, command by command, on a layer over this machine and a cluster of paper.

Everything a guide types is run by one bash, in the repository's top folder. delegated-ipam, jq, systemd's tools and the
like are the real ones; what needs a cluster, a container engine or another machine is stand_in.py.
"""
import json
import os
import re
import shutil
import subprocess

import peers
import readme
import scratch_root
import yaml
from cluster import FOLDER, Cluster
from stand_in import PROGRAMS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "examples")
STAND_IN = os.path.join(ROOT, "test/examples/stand_in.py")
PLUGINS = os.environ.get("CNI_PLUGINS", "/usr/lib/cni")
K3S = "/var/lib/rancher/k3s"
BEFORE = "README.md"  # whose blocks come first in every other guide
# Commands whose exit code 1 is an answer.
ANSWERS = r"^(grep|diff) |\| *grep "


class Guide:
    """name: the guide's path below examples/."""

    def __init__(self, name):
        self.name = name
        self.blocks = readme.blocks(os.path.join(EXAMPLES, name))
        self.typed = [block for block in self.blocks if block.kind == "sh"]

    def expectations(self):
        """(block of commands, what it prints), for each `text` block."""
        pairs = []
        for before, block in zip([None, *self.blocks], self.blocks):
            if block.kind != "text":
                continue
            if before is None or before.kind != "sh":
                raise ValueError(f"{self.name}:{block.line}: no command before what it prints")
            pairs.append((before, block))
        return pairs


def follow(name):
    """Follow a guide; returns how many commands blocks ran, how many outputs were as written, and the cluster's record.

    Errors: AssertionError with the place in the guide, the command and what it printed.
    """
    guide, first = Guide(name), Guide(BEFORE)
    with scratch_root.layer(ROOT) as own:
        cluster = set_up(own, name)
        outputs = type_in(own, [first] if name == BEFORE else [prepared(first), guide])
        expected = guide.expectations()
        for commands, text in expected:
            printed = outputs[name, commands.line]
            assert readme.matches(text.text, printed), f"{name}:{text.line}: printed instead:\n{printed}"
        return len(guide.typed), len(expected), cluster.record()


def prepared(guide):
    """The part of the first guide that the others ask for: up to the section after "Before you start"."""
    with open(os.path.join(EXAMPLES, guide.name)) as file:
        lines = file.read().splitlines()
    end = next(number for number, line in enumerate(lines, 1) if line == "## A pod on every node")
    guide.typed = [block for block in guide.typed if block.line < end]
    return guide


def type_in(own, guides):
    """Run the blocks of the guides in one shell; returns {(guide, line): what the block printed}."""
    script = ["set -uo pipefail", "trap 'failed $?' ERR", f"cd {ROOT}", FAILED.format(answers=ANSWERS)]
    outputs = {}
    for guide in guides:
        for block in guide.typed:
            path = os.path.join(own, f"{guide.name.replace('/', '-')}.{block.line}")
            with open(path, "w") as file:
                # So that bash counts lines as the guide does.
                file.write("\n" * (block.line - 1) + block.text)
            script.append(f"place={guide.name}; . {path} >{path}.out 2>&1 </dev/null || exit 1")
            outputs[guide.name, block.line] = f"{path}.out"
    environment = {**os.environ, FOLDER: f"{own}/cluster", "PATH": f"{own}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    done = subprocess.run(["bash", "-c", "\n".join(script)], env=environment, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=300)
    printed = {place: read(path) for place, path in outputs.items() if os.path.exists(path)}
    assert done.returncode == 0, f"{done.stderr}{list(printed.values())[-1]}"
    return printed


FAILED = """failed() {{
  [[ $1 -eq 1 && $BASH_COMMAND =~ {answers} ]] && return 0
  echo "$place:${{BASH_LINENO[0]}}: exit $1: $BASH_COMMAND" >&3
  exit 1
}}
exec 3>&2"""


def set_up(own, name):
    """The programs, the cluster and the node that a guide begins with."""
    for folder in ("bin", "cluster"):
        os.makedirs(f"{own}/{folder}")
    for program in PROGRAMS:
        os.symlink(STAND_IN, f"{own}/bin/{program}")
    cluster = Cluster(f"{own}/cluster")
    cluster.note("begin")
    for node in json.loads(read(os.path.join(EXAMPLES, "kind" if name.startswith("kind/") else "", "nodes.json")))["items"]:
        cluster.put(node)
    shutil.copytree(PLUGINS, "/opt/cni/bin", dirs_exist_ok=True)
    for plugin in ("flannel", "cilium-cni"):
        os.symlink("/usr/bin/true", f"/opt/cni/bin/{plugin}") if not os.path.exists(f"/opt/cni/bin/{plugin}") else None
    START.get(name.split("/")[0], lambda _: None)(cluster)
    return cluster


def flannel(cluster):
    """A cluster with kube-flannel as its project publishes it, and a node that it runs on."""
    for path in ("Documentation/kube-flannel.yml",):
        with open(os.path.join(peers.folder("github.com/flannel-io/flannel"), path)) as file:
            for manifest in yaml.safe_load_all(file):
                cluster.put(manifest)
    cluster.start(cluster.get("DaemonSet", "kube-flannel-ds"))
    os.makedirs("/var/lib/cni/networks/cbr0")


def openyurt(cluster):
    """The same, with OpenYurt's own ConfigMap and YurtHub's cache."""
    flannel(cluster)
    cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "yurt-hub-cfg"}, "data": {"cache_agents": ""}})
    cluster.put({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "cilium"},
                 "spec": {"template": {"spec": {"nodeSelector": {"none": "here"}, "containers": []}}}})
    os.makedirs("/etc/kubernetes/cache/flanneld")


def k3s(_):
    """A k3s node: its plugins are links to one program."""
    os.makedirs(f"{K3S}/data/cni")
    shutil.copyfile("/usr/bin/true", f"{K3S}/data/cni/cni")
    os.chmod(f"{K3S}/data/cni/cni", 0o755)
    for plugin in ("bridge", "flannel", "host-local", "loopback", "portmap"):
        os.symlink("cni", f"{K3S}/data/cni/{plugin}")
    os.makedirs(f"{K3S}/agent/etc/containerd")
    with open(f"{K3S}/agent/etc/containerd/config.toml", "w") as file:
        file.write(f'[plugins."io.containerd.cri.v1.runtime".cni]\n  bin_dirs = ["{K3S}/data/cni"]\n')


def cilium(_):
    os.makedirs("/var/lib/cni/networks/cilium")


START = {"flannel": flannel, "openyurt": openyurt, "upgrade": flannel, "k3s": k3s, "cilium": cilium}


def read(path):
    with open(path) as file:
        return file.read()


def image_names():
    """The image names in all guides: {(guide, name:version)}."""
    found = set()
    for folder, _, files in os.walk(EXAMPLES):
        for file_name in files:
            if file_name == "README.md":
                path = os.path.join(folder, file_name)
                found |= {(os.path.relpath(path, EXAMPLES), name)
                          for name in re.findall(r"\bdelegated-ipam:\d[\w.]*\d", read(path))}
    return found
