#!/usr/bin/python3
"""The programs of the guides that need a cluster, a container engine or another machine, each under its own name.

They act on the cluster of paper (cluster.py) as far as files are concerned, refuse what the real ones would refuse (a
file or an object that is not there, an option without its value), and record everything.
"""
import json
import os
import stat
import sys
import tarfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../lib")]
sys.dont_write_bytecode = True

import cluster  # noqa: E402
import strategic_merge  # noqa: E402
import yaml  # noqa: E402
from cluster import Refused  # noqa: E402

VALUED = {"-n", "--namespace", "-f", "--filename", "--values", "--patch-file", "-o", "-l", "--timeout", "--image",
          "--image-pull-policy", "--labels", "--restart", "--overrides", "--for", "--field-selector", "--replicas",
          "--config", "--name", "--version"}
UNITS = "/etc/systemd/system"
K3S = f"{cluster.K3S}/agent/etc/cni/net.d/10-flannel.conflist"


def parse(arguments):
    """Split arguments into words and options {name: [values]}; what follows -- is the last option."""
    words, options, rest = [], {}, list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            options["--"] = rest
            break
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            words.append(word)
        elif equals:
            options.setdefault(name, []).append(value)
        elif name in VALUED:
            if not rest:
                raise Refused(f"flag needs an argument: {name}")
            options.setdefault(name, []).append(rest.pop(0))
        else:
            options.setdefault(name, []).append("")
    return words, options


def kubectl(cluster_, arguments):
    words, options = parse(arguments)
    verb, *words = words
    known = {"get": get, "apply": apply, "replace": apply, "patch": patch, "delete": delete, "rollout": rollout,
             "wait": asked, "run": run, "label": label, "create": asked}
    if verb not in known:
        raise Refused(f'error: unknown command "{verb}"')
    known[verb](cluster_, words, options)


def get(cluster_, words, options):
    kind, *names = words
    output = options.get("-o", ["wide"])[0]
    if kind == "nodes" and not names:
        nodes = cluster_.all("Node")
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes}) if output == "json" else
              "\n".join(f"node/{node['metadata']['name']}" for node in nodes))
    elif names:
        show([cluster_.get(kind, name) for name in names], output)
    elif kind != "pods":
        raise Refused(f"error: not known here: get {kind}")


def show(objects, output):
    if output in ("json", "yaml"):
        print(*(json.dumps(one) if output == "json" else yaml.safe_dump(one) for one in objects), sep="\n")


def apply(cluster_, _, options):
    files = options.get("-f", [])
    if not files:
        raise Refused("error: must specify one of -f and -k")
    for path in files:
        for manifest in cluster.load(path):
            cluster_.note("applied", json.dumps(manifest))
            cluster_.apply(manifest)


def patch(cluster_, words, options):
    (change,) = cluster.load(options["--patch-file"][0])
    if "--local" in options:
        (base,) = cluster.load(options["-f"][0])
        show([strategic_merge.merge(base, change)], options["-o"][0])
    else:
        cluster_.patch(*split(words), change)


def split(words):
    """KIND NAME or KIND/NAME."""
    return words if len(words) == 2 else words[0].split("/", 1)


def delete(cluster_, words, options):
    if "-f" in options:
        for manifest in cluster.load(options["-f"][0]):
            cluster_.delete(manifest["kind"], manifest["metadata"]["name"])
    elif "-l" in options:
        cluster_.delete_pods()
    else:
        cluster_.delete(*split(words))


def rollout(cluster_, words, _):
    action, *what = words
    kind, name = split(what)
    if kind == "deployment":
        return
    daemon_set = cluster_.get(kind, name)
    if action == "restart":
        cluster_.start(daemon_set)


def run(cluster_, words, options):
    if len(words) != 1 or "--image" not in options or "--" not in options:
        raise Refused("error: run NAME --image IMAGE -- COMMAND")
    if json.loads(options["--overrides"][0])["spec"]["nodeName"] == cluster.HERE:
        cluster_.run_pod(words[0])


def label(cluster_, words, _):
    kind, *names = [word for word in words if "=" not in word]
    labels = dict(word.split("=", 1) for word in words if "=" in word)
    for name in names:
        cluster_.put(strategic_merge.merge(cluster_.get(kind, name), {"metadata": {"labels": labels}}))


def asked(*_):
    """Nothing to do to any file."""


def helm(cluster_, arguments):
    import charts  # noqa: PLC0415  the peers that it needs are not there for every guide
    words, options = parse(arguments)
    if words[0] in ("rollback", "uninstall"):
        return
    _, release, chart = words
    known = {"cilium/cilium": "cilium", "flannel/flannel": "kube-flannel", "examples/chart": charts.OWN}
    namespace = options["--namespace"][0]
    for manifest in charts.template(known[chart], files=options.get("-f", []), namespace=namespace):
        if manifest["kind"] in ("ConfigMap", "DaemonSet"):
            cluster_.put(manifest)
    if release == "cilium":
        cluster_.cilium_agent(cluster_.get("ConfigMap", "cilium-config")["data"])


def kind(cluster_, arguments):
    words, options = parse(arguments)
    if words[0] == "get":
        print("\n".join(node["metadata"]["name"] for node in cluster_.all("Node")))
    if words[:2] != ["create", "cluster"]:
        return
    (config,) = cluster.load(options["--config"][0])
    for node in config["nodes"]:
        for mount in node.get("extraMounts", []):
            if not os.path.exists(mount["hostPath"]):
                raise Refused(f"ERROR: failed to create cluster: {mount['hostPath']}: no such file")


def docker(cluster_, arguments):
    words, options = parse(arguments)
    if words[0] == "import":
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|*") as archive:
            (member,) = list(archive)
        if member.name != "delegated-ipam" or not member.mode & stat.S_IXUSR:
            raise Refused(f"the image would have {member.name}, with mode {member.mode:o}")
    elif words[0] == "save":
        cluster.write(options["-o"][0], "an image archive\n")
    elif words[0] == "cp" and not os.path.exists(words[1]):
        raise Refused(f"no such file or directory: {words[1]}")
    elif words[0] == "inspect":
        print(cluster_.get("Node", words[-1])["status"]["addresses"][0]["address"])


def ssh(_, arguments):
    if len(arguments) < 2 or "@" not in arguments[0]:
        raise Refused("usage: ssh USER@HOST COMMAND")
    if not sys.stdin.isatty():
        sys.stdin.buffer.read()


def scp(_, arguments):
    source, target = arguments
    host, _, path = target.partition(":")
    cluster.copy(source, path if host.endswith(f"@{cluster.HERE}") else "/mnt/other-host")


def systemctl(_, arguments):
    words, options = parse(arguments)
    if words[0] == "is-active":
        print("active" if os.path.exists(f"{UNITS}/multi-user.target.wants/{words[1]}") else "inactive")
    for unit in words[1:]:
        path = f"{UNITS}/{unit}"
        if words[0] in ("enable", "restart") and os.path.exists(path):
            start_unit(path)
        elif words[0] == "restart" and unit.startswith("k3s"):
            start_k3s()
        elif words[0] == "enable":
            raise Refused(f"Failed to enable unit: Unit file {unit} does not exist.")
        if words[0] == "enable":
            os.makedirs(f"{UNITS}/multi-user.target.wants", exist_ok=True)
            os.symlink(path, f"{UNITS}/multi-user.target.wants/{unit}")
        if words[0] == "disable":
            os.unlink(f"{UNITS}/multi-user.target.wants/{unit}")


def start_unit(path):
    with open(path) as file:
        commands = [line.split("=", 1)[1].strip() for line in file if line.startswith(("ExecStartPre=", "ExecStart="))]
    for command in commands:
        if os.system(command) != 0:
            raise Refused(f"Job for {os.path.basename(path)} failed: {command}")


def start_k3s():
    """It copies the conflist that its configuration names, else it writes its own."""
    folder = "/etc/rancher/k3s/config.yaml.d"
    config = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        config.update(cluster.load(f"{folder}/{name}")[0])
    if "flannel-cni-conf" in config:
        cluster.copy(config["flannel-cni-conf"], K3S)
    else:
        stock = {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [{"type": "flannel", "delegate": {}}]}
        cluster.write(K3S, json.dumps(stock))


def crictl(_, arguments):
    if arguments[0] == "pods":
        print('{"items": []}')


def cmake(_cluster, _arguments):
    if not os.access("build/release/delegated-ipam", os.X_OK):
        raise Refused("build/release/delegated-ipam is not built")


PROGRAMS = {"cmake": cmake, "crictl": crictl, "docker": docker, "helm": helm, "journalctl": asked, "kind": kind,
            "kubectl": kubectl, "scp": scp, "ssh": ssh, "systemctl": systemctl}


def main():
    name = os.path.basename(sys.argv[0])
    paper = cluster.Cluster()
    paper.note(name, *sys.argv[1:])
    try:
        PROGRAMS[name](paper, sys.argv[1:])
    except Refused as refusal:
        sys.exit(f"{name}: {refusal}")


if __name__ == "__main__":
    main()
