"""What others ship is accepted, as it is in their modules; and what is wrong is found when it is changed wrongly.

The files are not copied into this repository: a test that needs one is skipped where its module, of the peer `charts`,
is not there.
"""
import os
import re

import corpus
import peers
from tap import Skip

CILIUM = "github.com/cilium/cilium"
FLANNEL = "github.com/flannel-io/flannel"
OURS = '"type": "flannel", "subnetFile": "/var/lib/flannel/subnet.env", "ipam": {"type": "delegated-ipam"},'


def module(name):
    """The folder of a module's files."""
    folder = peers.folder(name)
    if folder is None:
        raise Skip(f"needs {name}: run {peers.BUILD} charts")
    return folder


def text_of(name, path):
    with open(os.path.join(module(name), path)) as file:
        return file.read()


def rules_of(text, *more):
    """The rules that text breaks, as a YAML file on standard input."""
    return [one["rule"] for one in corpus.findings("-", *more, stdin=text.encode())]


def cilium_values():
    """The whole chart's values: nothing to say but that they do not use us."""
    text = text_of(CILIUM, "install/kubernetes/cilium/values.yaml")
    assert rules_of(text) == ["not-used"], rules_of(text)


def cilium_mode_alone():
    """The chart's values with nothing but the mode changed: all that keeps the agent from starting is found."""
    text = text_of(CILIUM, "install/kubernetes/cilium/values.yaml")
    changed = re.sub(r'(?m)^  mode: "cluster-pool"$', "  mode: delegated-plugin", text)
    assert changed != text
    assert sorted(rules_of(changed)) == ["cilium-endpoint-health", "cilium-local-router", "cilium-native-cidr",
                                         "cilium-own-conflist", "cilium-routing"], rules_of(changed)
    corrected = corpus.run("-", stdin=changed.encode())[1]
    assert rules_of(corrected) == [], rules_of(corrected)


def cilium_conformance():
    """What Cilium's own test of this mode installs: the values of its workflow, and its conflist with our ipam."""
    text = text_of(CILIUM, ".github/workflows/conformance-delegated-ipam.yaml")
    wanted = dict(re.findall(r'--helm-set=([^= ]+)=\\?"?([^ "\\]+)', text))
    arguments = [wanted.pop(f"extraArgs[{index}]") for index in (0, 1)]
    lines = ["extraArgs:"] + [f'- "{argument}"' for argument in arguments]
    for path, value in wanted.items():
        keys = path.split(".")
        lines += ["  " * depth + key + ":" for depth, key in enumerate(keys[:-1])]
        lines.append("  " * (len(keys) - 1) + f"{keys[-1]}: {value}")
    values = merge(lines)
    assert "mode: delegated-plugin" in values and "customConf: true" in values, values
    assert rules_of(values) == [], (rules_of(values), values)


def merge(lines):
    """Lines of YAML in which a key at the top may be there twice: its members are put together."""
    blocks = {}
    for line in lines:
        if not line.startswith((" ", "-")):
            key = line
            blocks.setdefault(key, [])
        else:
            blocks[key].append(line)
    return "".join(line + "\n" for key, members in blocks.items() for line in [key, *members])


def flannel_manifest():
    text = text_of(FLANNEL, "Documentation/kube-flannel.yml")
    assert rules_of(text) == ["not-used"], rules_of(text)
    changed = re.sub(r'"type": "flannel",', OURS, text)
    assert rules_of(changed) == ["flannel-subnet-file"], rules_of(changed)
    changed = changed.replace("        - --kube-subnet-mgr\n",
                              "        - --kube-subnet-mgr\n        - --subnet-file=/var/lib/flannel/subnet.env\n")
    mounts = "        volumeMounts:\n"
    changed = changed.replace(f"{mounts}        - name: run\n",
                              f"{mounts}        - {{name: state, mountPath: /var/lib/flannel}}\n        - name: run\n")
    assert rules_of(changed) == [], rules_of(changed)


def flannel_values():
    text = text_of(FLANNEL, "chart/kube-flannel/values.yaml")
    assert rules_of(text) == ["not-used"], rules_of(text)
    inside = text.replace('"isDefaultGateway": true', '"isDefaultGateway": true, "ipam": {"type": "delegated-ipam"}')
    assert rules_of(inside) == ["flannel-ipam-in-delegate", "flannel-subnet-env"], rules_of(inside)
    assert rules_of(corpus.run("-", stdin=inside.encode())[1]) == ["flannel-subnet-env"]


def run(suite):
    cilium, flannel = f"Cilium {peers.version(CILIUM)[1:]}", f"Flannel {peers.version(FLANNEL)[1:]}"
    suite.run(f"{cilium}: the chart's values are accepted", cilium_values)
    suite.run(f"{cilium}: all that is missing beside the mode is found, and corrected", cilium_mode_alone)
    suite.run(f"{cilium}: the values of its own test of this mode are accepted", cilium_conformance)
    suite.run(f"{flannel}: kube-flannel.yml, as it is and with our ipam", flannel_manifest)
    suite.run(f"{flannel}: the chart's values, as they are and with ipam in the wrong place", flannel_values)
