"""The installer's DaemonSet as tests ask for it and spoil it: its variants, what it cannot do without, and the mistakes
that the rules of manifest_rules.py must find."""
import yaml

import manifest_rules
import tool

DIGEST = f"reg.test/ipam@sha256:{'0' * 64}"
NODES = ("--nodes-config-map", "ranges", "--nodes-dir", "/etc/cni/delegated-ipam/nodes")
# What an installer cannot do without: it is on the nodes before there is a network, and writes to a folder of root's.
NEEDED = {("no network of the host", ""), ("no folder of the host", ""), ("nobody", "install")}
VARIANTS = {"as it is": (), "with an image of a registry": ("--image", DIGEST), "with the nodes' ranges": NODES,
            "in host-local's place": ("--as", "host-local"), "for k3s": ("--bin-dir", "/var/lib/rancher/k3s/data/cni"),
            "with every option": ("--image", DIGEST, "--namespace", "cni", "--as", "host-local", "--bin-dir",
                                  "/usr/lib/cni", "--nodes-config-map", "more-ranges", *NODES)}


def generated(*arguments):
    return yaml.safe_load(tool.must("generate", "installer", *arguments))


def init(manifest):
    return manifest_rules.pod_of(manifest)["initContainers"][0]


def pause(manifest):
    return manifest_rules.pod_of(manifest)["containers"][0]


def change(container, key, value):
    """A mistake: this key of a container's securityContext (the container itself for a key with a dot before it)."""
    def apply(manifest):
        place = container(manifest)
        place = place if key.startswith(".") else place["securityContext"]
        place.pop(key.lstrip("."), None)
        if value is not None:
            place[key.lstrip(".")] = value
    return apply


def of_pod(key, value):
    def apply(manifest):
        manifest_rules.pod_of(manifest)[key] = value
    return apply


# the rule, the mistake
MISTAKES = [
    *((rule, change(container, key, value)) for container in (init, pause) for rule, key, value in [
        ("allowPrivilegeEscalation is false", "allowPrivilegeEscalation", None),
        ("allowPrivilegeEscalation is false", "allowPrivilegeEscalation", True),
        ("not privileged", "privileged", True),
        ("all capabilities are dropped, none is added", "capabilities", None),
        ("all capabilities are dropped, none is added", "capabilities", {"drop": ["ALL"], "add": ["DAC_OVERRIDE"]}),
        ("the root file system is read-only", "readOnlyRootFilesystem", None),
        ("seccomp's profile is the runtime's", "seccompProfile", {"type": "Unconfined"}),
        ("requests and limits of CPU and memory, and no huge ones", ".resources", None),
        ("requests and limits of CPU and memory, and no huge ones", ".resources",
         {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "32Mi"}}),
        ("no stranger's image can be pulled", ".imagePullPolicy", "IfNotPresent"),
        ("no stranger's image can be pulled", ".imagePullPolicy", None),
        ("no stranger's image can be pulled", ".image", "reg.test/ipam:1"),
        ("no port of the host", ".ports", [{"containerPort": 80}]),
        ("what is mounted is there", ".volumeMounts", [{"name": "x", "mountPath": "/x"}])]),
    ("nobody", change(pause, "runAsNonRoot", None)),
    ("nobody", change(pause, "runAsUser", 0)),
    ("seccomp's profile is the runtime's", of_pod("securityContext", {})),
    ("no token of the API server", of_pod("automountServiceAccountToken", None)),
    ("no process or IPC namespace of the host", of_pod("hostPID", True)),
    ("only folders of plugins and of their configuration",
     of_pod("volumes", [{"name": "bin", "hostPath": {"path": "/"}}])),
    ("no volume from elsewhere", of_pod("volumes", [{"name": "bin", "nfs": {"server": "10.0.0.1", "path": "/"}}])),
    ("a short end", of_pod("terminationGracePeriodSeconds", 60)),
]
