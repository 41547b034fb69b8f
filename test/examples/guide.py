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
from cluster import FOLDER, K3S, Cluster
from plugin import BINARY
from stand_in import PROGRAMS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "examples")
STAND_IN = os.path.join(ROOT, "test/examples/stand_in.py")
PLUGINS = os.environ.get("CNI_PLUGINS", "/usr/lib/cni")
COMMON = "README.md"  # whose first part every other guide begins with, and whose check they name
CHECK = "A pod on every node"
# Tells the place of a command that fails, and ends the shell. Exit code 1 of grep and diff is an answer, no failure.
PRELUDE = r"""set -uo pipefail
exec 3>&2
answers='^(grep|diff) '
failed() {
  [[ $1 -eq 1 && $BASH_COMMAND =~ $answers ]] && return 0
  echo "$place:${BASH_LINENO[0]}: exit $1: $BASH_COMMAND" >&3
  exit 1
}
trap 'failed $?' ERR
"""


class Guide:
    """name: the guide's path below examples/."""

    def __init__(self, name):
        self.name = name
        self.lines = read(os.path.join(EXAMPLES, name)).splitlines()
        self.blocks = readme.blocks(os.path.join(EXAMPLES, name))

    def typed(self, until=None):
        """The blocks of commands, up to a heading."""
        end = self.lines.index(f"## {until}") if until else len(self.lines)
        return [(self.name, block) for block in self.blocks if block.kind == "sh" and block.line <= end]

    def section(self, heading):
        """The blocks of commands of one section."""
        start = self.lines.index(f"## {heading}")
        end = next((number for number, line in enumerate(self.lines) if number > start and line.startswith("## ")),
                   len(self.lines))
        return [(self.name, block) for block in self.blocks if block.kind == "sh" and start < block.line <= end]

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
    """Follow a guide; returns how many blocks of commands ran, how many outputs were as written, the cluster's record.

    Errors: AssertionError with the place in the guide, the command and what it printed.
    """
    guide = Guide(name)
    blocks = guide.typed() if name == COMMON else with_common(guide)
    with scratch_root.layer(ROOT) as own:
        cluster = set_up(own, name)
        outputs = type_in(own, blocks)
        expected = guide.expectations()
        for commands, text in expected:
            printed = outputs[name, commands.line]
            assert readme.matches(text.text, printed), f"{name}:{text.line}: printed instead:\n{printed}"
        return len(blocks), len(expected), cluster.record()


def with_common(guide):
    """The blocks of a guide, behind the preparations of the first one, with that one's check where it is asked for."""
    common = Guide(COMMON)
    asked = [number for number, line in enumerate(guide.lines, 1) if CHECK in line]
    blocks = common.typed(until=CHECK)
    for name, block in guide.typed():
        while asked and asked[0] < block.line:
            asked.pop(0)
            blocks += common.section(CHECK)
        blocks.append((name, block))
    return blocks + common.section(CHECK) * bool(asked)


def type_in(own, blocks):
    """Run blocks, each with its guide's name, in one shell; returns {(guide, line): what the block printed last}."""
    script, outputs = [PRELUDE, f"cd {ROOT}"], {}
    for number, (name, block) in enumerate(blocks):
        path = f"{own}/block{number}"
        with open(path, "w") as file:
            # Bash counts lines as the guide does; the exit code of the block is no command's.
            file.write("\n" * (block.line - 1) + block.text + "true\n")
        script.append(f"place={name}; . {path} >{path}.out 2>&1 </dev/null")
        outputs[f"{path}.out"] = name, block.line
    path = f"{own}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    done = subprocess.run(["bash", "-c", "\n".join(script)], env={**os.environ, FOLDER: f"{own}/cluster", "PATH": path},
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    printed = {outputs[path]: read(path) for path in outputs if os.path.exists(path)}
    assert done.returncode == 0 and not done.stderr, f"{done.stderr}{list(printed.values())[-1:]}"
    assert os.path.exists(list(outputs)[-1]), f"the shell ended after {list(printed)[-1]}"
    return printed


def set_up(own, name):
    """The programs, the cluster and the node that a guide begins with."""
    for folder in ("bin", "cluster"):
        os.makedirs(f"{own}/{folder}")
    for program in PROGRAMS:
        os.symlink(STAND_IN, f"{own}/bin/{program}")
    cluster = Cluster(f"{own}/cluster")
    cluster.note("begin")
    nodes = "kind/nodes.json" if name.startswith("kind/") else "nodes.json"
    for node in json.loads(read(os.path.join(EXAMPLES, nodes)))["items"]:
        cluster.put(node)
    shutil.copytree(PLUGINS, "/opt/cni/bin")
    for plugin in {"flannel", "cilium-cni"} - set(os.listdir(PLUGINS)):
        os.symlink("/usr/bin/true", f"/opt/cni/bin/{plugin}")
    START.get(name.split("/")[0], lambda _: None)(cluster)
    return cluster


def flannel(cluster):
    """A cluster with kube-flannel as its project publishes it, and a node that it runs on."""
    published = os.path.join(peers.folder("github.com/flannel-io/flannel"), "Documentation/kube-flannel.yml")
    for manifest in yaml.safe_load_all(read(published)):
        cluster.put(manifest)
    cluster.start(cluster.get("DaemonSet", "kube-flannel-ds"))
    os.makedirs("/var/lib/cni/networks/cbr0")


def openyurt(cluster):
    """The same, with OpenYurt's own ConfigMap and YurtHub's cache."""
    flannel(cluster)
    cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "yurt-hub-cfg"},
                 "data": {"cache_agents": ""}})
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


def systemd(_):
    """A node with the folk remedy against leaked addresses."""
    os.makedirs("/usr/local/lib/tmpfiles.d", exist_ok=True)
    with open("/usr/local/lib/tmpfiles.d/cni-cleanup.conf", "w") as file:
        file.write("# Empties what host-local leaks.\nR! /var/lib/cni/networks/*\n")


def monitoring(_):
    """A node that has the plugin."""
    shutil.copy(BINARY, "/opt/cni/bin/delegated-ipam")


START = {"monitoring": monitoring, "flannel": flannel, "openyurt": openyurt, "upgrade": flannel, "k3s": k3s, "cilium": cilium, "systemd": systemd}


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
