#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The installer's DaemonSet before Kubernetes' own Pod Security admission: what "restricted" has against it is what
installing needs and nothing else, and every weakening is found, as our own rules find it.

usage: pod_security_test.py [WORD ...]
"""
import copy
import glob
import json
import os
import subprocess

import installer
import manifest_rules
import peers
import tap
import tool
from installer import init
from plugin import BINARY, ROOT, require
from pod_security_weak import FOLDER, NETWORK, UNDER, VOLUME, WEAKENINGS

MODULE = "k8s.io/pod-security-admission"
NEWEST = "v1." + peers.version(MODULE).split(".")[1]  # module 0.N is Kubernetes 1.N
OLDEST = 25  # the first that has this admission without a feature gate
VERSIONS = [*(f"v1.{minor}" for minor in range(OLDEST, int(NEWEST[3:]) + 1)), "latest"]
LEVELS = ("restricted", "baseline", "privileged")  # the strictest first
ENFORCE = "pod-security.kubernetes.io/enforce"

# Why each must remain. The host's network: the pod that brings the plugin cannot wait for a network that the plugin
# makes. hostPath, which "restricted" asks for once, as a type of volume that it does not list: installing is writing to
# a folder of the host. Root, in two words of the admission: that folder is root's with mode 0755, and who has no
# capability is held to that (installer_test.py: nobody cannot install there).
ROOT_USER = {"runAsNonRoot != true", "runAsUser=0"}

NEEDED = {"restricted": {NETWORK, VOLUME, *ROOT_USER}, "baseline": {NETWORK, FOLDER}, "privileged": set()}
# What our own rules call them.
NEEDED_RULES = {"no network of the host": {NETWORK}, "no folder of the host": {FOLDER, VOLUME}, "nobody": ROOT_USER}


def ask(text, *policies):
    """What the admission says of a stream of manifests: a list, as in pod-security/main.go."""
    done = subprocess.run([peers.binary("pod-security"), *policies], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def reasons(manifest, policy):
    """The reasons for which a policy such as "restricted:latest" forbids a manifest."""
    found, = ask(json.dumps(manifest), policy)
    verdict = found["policies"][policy]
    assert verdict["allowed"] == (not verdict["forbidden"]), verdict
    return {one["reason"] for one in verdict["forbidden"]}


def only_what_is_needed(*arguments):
    check_needs(tool.must("generate", "installer", *arguments))


def check_needs(text):
    """In each version of each level; in the words of the generator, so that a field it misspells is an error."""
    found, = ask(text, *(f"{level}:{version}" for level in LEVELS for version in VERSIONS))
    assert found["kind"] == "DaemonSet" and len(found["policies"]) == len(LEVELS) * len(VERSIONS), found
    for policy, verdict in found["policies"].items():
        details = {one["reason"]: one["detail"] for one in verdict["forbidden"]}
        assert details.keys() == NEEDED[policy.partition(":")[0]], (policy, verdict)
        assert details.get(NETWORK, "hostNetwork=true") == "hostNetwork=true", verdict
        for reason in ROOT_USER & details.keys():
            assert '"install"' in details[reason] and '"pause"' not in details[reason], verdict


def examples_need_no_more():
    paths = glob.glob(os.path.join(ROOT, "examples/*/installer.yaml"))
    assert len(paths) >= 5, paths
    for path in paths:
        with open(path) as file:
            check_needs(file.read())


def without_folders(manifest):
    for volume in manifest_rules.pod_of(manifest)["volumes"]:
        if volume.pop("hostPath", None):
            volume["emptyDir"] = {}


def without_network(manifest):
    del manifest_rules.pod_of(manifest)["hostNetwork"]


def without_root(manifest):
    init(manifest)["securityContext"].update(runAsUser=manifest_rules.NOBODY, runAsGroup=manifest_rules.NOBODY,
                                             runAsNonRoot=True)


def harmless(*arguments):
    """The manifest without all that it needs: an installer that cannot install."""
    manifest = installer.generated(*arguments)
    for take in (without_folders, without_network, without_root):
        take(manifest)
    return manifest


# What is taken away, one after the other; what "restricted" and "baseline" still have against the rest; the strictest
# level that lets it in.
STEPS = [
    (without_folders, {NETWORK, *ROOT_USER}, {NETWORK}, "privileged"),
    (without_network, ROOT_USER, set(), "baseline"),
    (without_root, set(), set(), "restricted"),
]


def needs_are_all(*arguments):
    """Each need is asked for on its own, and there is nothing behind them."""
    manifest = installer.generated(*arguments)
    for take, *left, strictest in STEPS:
        take(manifest)
        for version in (NEWEST, "latest"):
            found = {level: reasons(manifest, f"{level}:{version}") for level in LEVELS}
            assert list(found.values()) == [*left, set()], (take.__name__, version, found)
            assert next(level for level in LEVELS if not found[level]) == strictest, (take.__name__, found)


def is_as_strict(one, level):
    return LEVELS.index(one) <= LEVELS.index(level)


def is_found(level, reason, weaken):
    """From the level that asks for it on, with its own reason and no other."""
    for made, needed in ((harmless, {}), (installer.generated, NEEDED)):
        manifest = made()
        weaken(manifest)
        for one in LEVELS:
            asked = {UNDER.get(reason, reason) if one != level else reason} if is_as_strict(one, level) else set()
            found = reasons(manifest, f"{one}:{NEWEST}")
            assert found == asked | needed.get(one, set()), (made.__name__, one, found)


# Our rules, and the reasons of the admission for the same.
BOTH = {
    "allowPrivilegeEscalation is false": {"allowPrivilegeEscalation != false"},
    "not privileged": {"privileged"},
    "all capabilities are dropped, none is added": {"unrestricted capabilities"},
    "seccomp's profile is the runtime's": {"seccompProfile"},
    "no port of the host": {"hostPort"},
    "nobody": ROOT_USER,
    "no process or IPC namespace of the host": {NETWORK},
    "no network of the host": {NETWORK},
    "no folder of the host": {VOLUME},
    "no volume from elsewhere": {VOLUME},
    "only folders of plugins and of their configuration": {VOLUME},  # it knows no folder that is better than another
}
# Pod Security does not ask for these.
OURS = {"the root file system is read-only", "requests and limits of CPU and memory, and no huge ones",
        "no stranger's image can be pulled", "what is mounted is there", "no token of the API server", "a short end"}
# Nor our rules for these: the generator has no way to write them.
THEIRS = {"procMount", "forbidden AppArmor profile", "seLinuxOptions", "hostProcess", "probe or lifecycle host",
          "forbidden sysctls"}


def what_we_find_it_finds():
    """Our own mistakes. A port without hostPort gets one from the API server, on the host's network, before the pod is
    admitted."""
    assert BOTH.keys() | OURS == {*manifest_rules.CONTAINER_RULES, *manifest_rules.POD_RULES}
    good = harmless()
    assert not manifest_rules.broken(good) and not reasons(good, "restricted:latest")
    for rule, mistake in installer.MISTAKES:
        bad = copy.deepcopy(good)
        mistake(bad)
        for container in manifest_rules.containers_of(bad):
            for port in container.get("ports", []):
                port["hostPort"] = port["containerPort"]
        found = reasons(bad, "restricted:latest")
        assert found <= BOTH.get(rule, set()) and bool(found) == (rule in BOTH), (rule, found)


def what_it_finds_we_find():
    good = harmless()
    for _, _, what, weaken in WEAKENINGS:
        bad = copy.deepcopy(good)
        weaken(bad)
        theirs, ours = reasons(bad, "restricted:latest"), {rule for rule, _ in manifest_rules.broken(bad)} - OURS
        assert ours or theirs <= THEIRS, (what, theirs)
        for rule in ours:
            assert BOTH[rule] & theirs, (what, rule, theirs)


def needs_have_the_same_names():
    """What our own rules let an installer have, beside what the admission has against it."""
    assert {rule for rule, _ in installer.NEEDED} == NEEDED_RULES.keys()
    assert set().union(*NEEDED_RULES.values()) == set().union(*NEEDED.values())


def in_namespace(labels):
    """The answers of an API server to who makes a namespace with these labels, the DaemonSet in it, and its pod."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "labels": labels}}
    space, workload = ask(f"{json.dumps(namespace)}\n---\n{tool.must('generate', 'installer')}")
    return space["admission"], workload["admission"], workload["podAdmission"]


def lets_it_in(labels, warnings):
    space, workload, pod = in_namespace(labels)
    assert space["allowed"] and workload["allowed"] and pod["allowed"], (space, workload, pod)
    assert len(workload["warnings"]) == len(pod["warnings"]) == warnings, (workload, pod)


def keeps_it_out(level):
    """The DaemonSet is taken with a warning, and there is never a pod: what examples/README.md warns of."""
    space, workload, pod = in_namespace({ENFORCE: level})
    assert space["allowed"] and workload["allowed"] and not pod["allowed"], (space, workload, pod)
    warning, = workload["warnings"]
    for text in (warning, pod["message"]):
        assert f'PodSecurity "{level}:latest"' in text and all(reason in text for reason in NEEDED[level]), text


def misspelt_label():
    space, _, pod = in_namespace({ENFORCE: "priviledged"})
    assert not space["allowed"] and ENFORCE in space["message"], space
    assert not pod["allowed"] and "restricted" in pod["message"], pod


def guide_has_the_label():
    with open(os.path.join(ROOT, "examples/README.md")) as file:
        assert f"{ENFORCE}=privileged" in file.read()


def is_strict():
    """A field that Kubernetes does not know is no field that it overlooks."""
    good = tool.must("generate", "installer")
    for spoilt in (good.replace("hostNetwork:", "hostnetwork:"), good.replace("runAsUser:", "runAsUsr:"),
                   good.replace("      hostNetwork: true\n", "      hostNetwork: true\n      hostNetwork: true\n")):
        assert spoilt != good
        done = subprocess.run([peers.binary("pod-security"), "restricted:latest"], input=spoilt, capture_output=True,
                              text=True)
        assert done.returncode == 1 and "strict decoding error" in done.stderr and not done.stdout, done


TESTS = [
    *((f"{what}, no version of a level has more against it than installing needs", only_what_is_needed, *arguments)
      for what, arguments in installer.VARIANTS.items()),
    ("nor against the manifests in examples/", examples_need_no_more),
    *((f"{what}, without the folder of the host, its network and root, it is restricted", needs_are_all, *arguments)
      for what, arguments in installer.VARIANTS.items()),
    *((f"{what}: {reason}", is_found, level, reason, weaken) for level, reason, what, weaken in WEAKENINGS),
    ("what our own rules find, it finds", what_we_find_it_finds),
    ("what it finds, our own rules find, but for what the generator cannot write", what_it_finds_we_find),
    ("what installing needs has a name in both", needs_have_the_same_names),
    ("a namespace without labels lets it in", lets_it_in, {}, 0),
    ("one that enforces privileged lets it in", lets_it_in, {ENFORCE: "privileged"}, 0),
    ("one that only warns lets it in, and warns", lets_it_in,
     {ENFORCE: "privileged", "pod-security.kubernetes.io/warn": "restricted"}, 1),
    *((f"one that enforces {level} takes the DaemonSet and no pod of it", keeps_it_out, level)
      for level in ("baseline", "restricted")),
    ("a misspelt label is refused, and is restricted where it is there", misspelt_label),
    ("the guide names the label", guide_has_the_label),
    ("a field that Kubernetes does not know is an error", is_strict),
]


def tell(suite):
    suite.run_all(TESTS)
    peers.summary(MODULE, suite.count, suite.failed)


if __name__ == "__main__":
    tap.story("Pod Security", tell, lambda: require(BINARY), lambda: peers.require("pod-security"))
