"""What a pod must not be allowed, as kube-score and Pod Security's "restricted" ask for: a table of rules over a
workload's manifest, each a sentence and what breaks it."""
import re

NOBODY = 65534
REGISTRY = re.compile(r"^(?!localhost/)[^/]+/")
HUGE = {"cpu": 1.0, "memory": 256 << 20}  # what nobody expects of an installation
VOLUMES = {"hostPath", "projected", "emptyDir"}  # the host's, the cluster's, and nobody's
UNITS = {"m": 1e-3, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def pod_of(manifest):
    return manifest["spec"]["template"]["spec"]


def containers_of(manifest):
    pod = pod_of(manifest)
    return [*pod.get("initContainers", []), *pod["containers"]]


def security(container):
    return container.get("securityContext", {})


def amount(text):
    """A quantity of Kubernetes as a number of CPUs or bytes."""
    number, unit = re.fullmatch(r"([\d.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * (UNITS[unit] if unit else 1)


def has_resources(container):
    resources = container.get("resources", {})
    given = {kind: resources.get(kind, {}) for kind in ("requests", "limits")}
    if any(one.keys() != HUGE.keys() for one in given.values()):
        return False
    return all(amount(given["requests"][key]) <= amount(given["limits"][key]) <= most for key, most in HUGE.items())


def has_seccomp(manifest, container):
    for context in (security(container), pod_of(manifest).get("securityContext", {})):
        if "seccompProfile" in context:
            return context["seccompProfile"].get("type") == "RuntimeDefault"
    return False


def has_safe_image(container):
    """A name without a registry is asked of nobody; with one it is asked for at most once."""
    policy, image = container.get("imagePullPolicy"), container["image"]
    if ":" not in image.rpartition("/")[2]:
        return False  # "latest"
    if REGISTRY.match(image) or "@sha256:" in image:
        return policy == "IfNotPresent"
    return policy == "Never"


def mounts_are_of_volumes(manifest, container):
    names = {volume["name"] for volume in pod_of(manifest).get("volumes", [])}
    return all(mount["name"] in names for mount in container.get("volumeMounts", []))


# Of each container; the names of those that break it are told.
CONTAINER_RULES = {
    "allowPrivilegeEscalation is false": lambda _, one: security(one).get("allowPrivilegeEscalation") is False,
    "not privileged": lambda _, one: security(one).get("privileged", False) is False,
    "all capabilities are dropped, none is added":
        lambda _, one: security(one).get("capabilities") == {"drop": ["ALL"]},
    "the root file system is read-only": lambda _, one: security(one).get("readOnlyRootFilesystem") is True,
    "seccomp's profile is the runtime's": has_seccomp,
    "requests and limits of CPU and memory, and no huge ones": lambda _, one: has_resources(one),
    "no stranger's image can be pulled": lambda _, one: has_safe_image(one),
    "no port of the host": lambda _, one: not one.get("ports"),
    "what is mounted is there": mounts_are_of_volumes,
    "nobody": lambda _, one: (security(one).get("runAsNonRoot"), security(one).get("runAsUser")) == (True, NOBODY),
}
# Of the pod.
POD_RULES = {
    "no token of the API server": lambda pod: pod.get("automountServiceAccountToken") is False,
    "no process or IPC namespace of the host": lambda pod: not pod.get("hostPID") and not pod.get("hostIPC"),
    "no network of the host": lambda pod: not pod.get("hostNetwork"),
    "no folder of the host": lambda pod: not any("hostPath" in volume for volume in pod.get("volumes", [])),
    "only folders of plugins and of their configuration":
        lambda pod: all(is_cni_folder(volume["hostPath"]["path"]) for volume in pod.get("volumes", [])
                        if "hostPath" in volume),
    "no volume from elsewhere":
        lambda pod: all(set(volume) - {"name"} <= VOLUMES for volume in pod.get("volumes", [])),
    "a short end": lambda pod: pod.get("terminationGracePeriodSeconds", 30) <= 10,
}


def is_cni_folder(path):
    return path.startswith("/") and "cni" in path.split("/") and ".." not in path.split("/")


def broken(manifest):
    """The rules that the manifest breaks: ("rule", "container"), or ("rule", "") for one of the pod."""
    found = {(rule, "") for rule, holds in POD_RULES.items() if not holds(pod_of(manifest))}
    return found | {(rule, container["name"]) for rule, holds in CONTAINER_RULES.items()
                    for container in containers_of(manifest) if not holds(manifest, container)}
