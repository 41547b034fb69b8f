"""Weakenings of the installer's DaemonSet, each with what Pod Security calls it."""
import json

import manifest_rules
from installer import change, init, of_pod, pause

# Reasons of "baseline"; the last is how "restricted" calls the one before.
NETWORK, FOLDER, VOLUME = "host namespaces", "hostPath volumes", "restricted volume types"


def of_both(level, reason, key, value):
    return [(level, reason, f"{key.lstrip('.')} {json.dumps(value)} of {container.__name__}",
             change(container, key, value)) for container in (init, pause)]


def in_pod(level, reason, key, value):
    return [(level, reason, f"{key} {json.dumps(value)}", of_pod(key, value))]


def with_volume(level, reason, source):
    def apply(manifest):
        manifest_rules.pod_of(manifest)["volumes"].append({"name": "more", **source})
    return [(level, reason, f"a volume {json.dumps(source)}", apply)]


PROBE = {"httpGet": {"host": "10.0.0.1", "port": 80}}
# The level that asks for it first, the reason, what is weakened and how.
WEAKENINGS = [
    *of_both("baseline", "privileged", "privileged", True),
    *of_both("baseline", "non-default capabilities", "capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    *of_both("baseline", "seccompProfile", "seccompProfile", {"type": "Unconfined"}),
    *of_both("baseline", "procMount", "procMount", "Unmasked"),
    *of_both("baseline", "forbidden AppArmor profile", "appArmorProfile", {"type": "Unconfined"}),
    *of_both("baseline", "seLinuxOptions", "seLinuxOptions", {"type": "spc_t"}),
    *of_both("baseline", "hostProcess", "windowsOptions", {"hostProcess": True}),
    *of_both("baseline", "hostPort", ".ports", [{"containerPort": 80, "hostPort": 80}]),
    *of_both("baseline", "probe or lifecycle host", ".livenessProbe", PROBE),
    *in_pod("baseline", NETWORK, "hostNetwork", True),
    *in_pod("baseline", NETWORK, "hostPID", True),
    *in_pod("baseline", NETWORK, "hostIPC", True),
    *with_volume("baseline", FOLDER, {"hostPath": {"path": "/opt/cni/bin"}}),
    *in_pod("baseline", "forbidden sysctls", "securityContext",
            {"seccompProfile": {"type": "RuntimeDefault"}, "sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
    *of_both("restricted", "allowPrivilegeEscalation != false", "allowPrivilegeEscalation", None),
    *of_both("restricted", "allowPrivilegeEscalation != false", "allowPrivilegeEscalation", True),
    *of_both("restricted", "unrestricted capabilities", "capabilities", None),
    *of_both("restricted", "unrestricted capabilities", "capabilities", {"drop": ["NET_RAW"]}),
    *of_both("restricted", "unrestricted capabilities", "capabilities", {"drop": ["ALL"], "add": ["DAC_OVERRIDE"]}),
    *of_both("restricted", "runAsNonRoot != true", "runAsNonRoot", None),
    *of_both("restricted", "runAsUser=0", "runAsUser", 0),
    *in_pod("restricted", "seccompProfile", "securityContext", {}),
    *with_volume("restricted", VOLUME, {"nfs": {"server": "10.0.0.1", "path": "/"}}),
]
# "restricted" puts some checks of "baseline" under a stricter one of its own.
UNDER = {"non-default capabilities": "unrestricted capabilities", FOLDER: VOLUME}
