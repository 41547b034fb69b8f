#!/usr/bin/python3
"""Stands in for docker, kind, kubectl, helm and nsenter, by the name it is called by: notes its command line and
answers from a kind_model.Model. Both lie in the folder KIND_MODEL. What it does not know is an error, exit code 64.
KIND_MODEL_KEPT names a file for what was on the nodes when the cluster is deleted, {node: {path: text}}.
"""
import json
import os
import re
import signal
import sys
import textwrap

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from kind_model import CONF_DIR, NODE_IMAGE, SERVICES, Model, workloads_in  # noqa: E402

INSTALLED = "/opt/cni/bin/delegated-ipam"
FOLDER = os.environ.get("KIND_MODEL", "")
MAPS = {  # kubeadm's, as far as it matters
    "kube-proxy": {"kubeconfig.conf": "    server: https://x:6443\n    name: default\n"},
    "coredns": {"Corefile": ".:53 {\n  kubernetes cluster.local in-addr.arpa {\n    pods insecure\n  }\n}\n"},
}


class Unknown(Exception):
    """A command line that the stand-in has no answer to."""


def options(arguments, *with_value):
    """Split a command line: (words, {option: value}), of options with a value; others are {option: ""}."""
    words, found, rest = [], {}, list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("--") or len(word) == 2:
            words.append(word)
        elif equals:
            found[name] = value
        else:
            found[word] = rest.pop(0) if word in with_value else ""
    return words, found


def contents(path):
    """The text of a file; of a program only that it is one."""
    with open(path, "rb") as file:
        data = file.read()
    return "a program" if b"\0" in data else data.decode()


def docker(model, arguments):
    verb, *rest = arguments
    if verb == "info":
        return sys.exit("docker:info" in model.faults)
    if verb == "exec":
        rest = rest[1:] if rest[0] == "-i" else rest
        return execute(model, rest[0], rest[1:])
    if verb == "image" and rest[0] == "ls":
        images = [] if "docker:image" in model.faults else model.images
        return print("\n".join(image for image in images if image.startswith(rest[-1])))
    if verb == "image" and rest[0] == "inspect":
        return sys.exit(rest[1] not in model.images)
    if verb == "image" and rest[0] == "rm":
        model.images = [image for image in model.images if image not in rest[1:]]
    elif verb == "build":
        words, given = options(rest, "--tag", "--file")
        assert contents(given["--file"]).startswith("FROM scratch\n") and os.path.isdir(words[0])
        model.images.append(given["--tag"])
    elif verb == "cp":
        node, path = rest[1].split(":")
        model.nodes[node]["files"][path] = contents(rest[0])
    elif verb == "inspect":
        print(os.getpid())
    elif verb == "run":
        words, given = options(rest, "--name", "--hostname", "--net", "--label", "--security-opt", "--tmpfs", "--volume")
        assert words == [NODE_IMAGE] and given["--name"] == given["--hostname"] and "--privileged" in given, rest
        model.add_node(given["--name"])
    elif verb in ("restart", "start"):
        model.power_on(rest[0], verb)
    elif verb == "kill":
        for node in rest:
            model.nodes[node]["runs"] = False
    else:
        raise Unknown


def execute(model, node, command):
    """docker exec"""
    place, program = model.nodes[node], command[0]
    if not place["runs"]:
        sys.exit("the container is not running")
    if program == "crictl":
        return crictl(model, node, command[1:])
    if command[:2] == ["sh", "-c"] and "cat >" in command[2]:
        if command[3].startswith(CONF_DIR):
            return write_conflist(model, node, command[3], model.stdin)
        place["files"][command[3]] = model.stdin
    elif command[:2] == ["sh", "-c"] and "ls -A" in command[2]:
        print("\n".join(model.stored(node)))
    elif program == "test":
        sys.exit(command[2] not in place["files"])
    elif program == "rm":
        for path in command[1:]:
            place["gone"][path] = place["files"].pop(path, None)
        model.reconcile()
    elif program == "nft":
        place["is_cut"] = command[1] == "-f"
        assert not place["is_cut"] or "tcp dport 6443 drop" in place["files"][command[2]]
    elif program.endswith("/delegated-ipam"):
        look(model, node, command[1:])
    elif program == "curl":
        sys.exit(28 if place["is_cut"] and command[-1].endswith("/readyz") else 0)
    elif program == "kubeadm":
        kubeadm(model, node, command[1:])
    elif program not in ("sed", "systemctl", "mkdir", "modprobe"):
        raise Unknown


def kubeadm(model, node, arguments):
    if arguments[:2] == ["token", "create"]:
        print("kubeadm join api:6443 --token abcdef.0123456789abcdef")
    elif arguments[0] == "join":  # the DaemonSets come to it
        model.nodes[node]["files"][INSTALLED] = "installed"
        if "kube-flannel-cfg" in model.maps:
            start_flannel(model)
    else:
        raise Unknown


def look(model, node, arguments):
    """The product's own tool on a node: what it exports, and how today compares with that."""
    words, given = options(arguments, "--out", "--against", "--output")
    now = {pod: what["ip"] for pod, what in model.on(node).items()}
    if words == ["export"]:
        model.nodes[node]["files"][given["--out"]] = json.dumps(now)
    elif words == ["report"] and given["--output"] == "json":
        before = json.loads(model.nodes[node]["files"][given["--against"]])
        if "report:changed" in model.faults:
            before[min(before)] = "10.244.1.99"
        items = [dict(zip(("namespace", "pod"), pod.split("/"))) | {"outcome": "KEPT" if now[pod] == ip else "CHANGED"}
                 for pod, ip in before.items()]
        print(json.dumps({"items": items}))
        sys.exit(any(item["outcome"] == "CHANGED" for item in items))
    else:
        raise Unknown


def write_conflist(model, node, path, text):
    was = model.conflist(node)
    model.nodes[node]["files"][path] = text
    model.reconcile()
    if "upgrade:pod" in model.faults and was and was != json.loads(text):
        pod = min(pod for pod in model.on(node))
        model.pods[pod]["sandbox"] = "f" * 64


def crictl(model, node, arguments):
    words, given = options(arguments, "--output", "--name")
    if words[0] == "ps" and "--quiet" in given:
        assert given["--name"] == "^agent$"
        print("agent-container")
    elif words[0] == "ps":
        print(json.dumps({"containers": [{"podSandboxId": what["sandbox"]} for what in model.on(node).values()]}))
    elif words[0] == "inspectp":
        for pod, what in model.on(node).items():
            if what["sandbox"] in words:
                namespace, name = pod.split("/")
                print(json.dumps({"status": {
                    "id": what["sandbox"], "state": "SANDBOX_READY", "network": {"ip": what["ip"]},
                    "metadata": {"name": name, "namespace": namespace}}}))
    elif words[0] == "info":
        networks = [{"Config": {"Source": text}} for path, text in model.nodes[node]["files"].items()
                    if path.startswith(CONF_DIR)]
        print(json.dumps({"cniconfig": {"Networks": networks}}))
    elif words[:3] == ["exec", "agent-container", "/bin/busybox"]:
        in_pod(model, node, words[3:])
    else:
        raise Unknown


def in_pod(model, node, command):
    """What the agent pod gets by its requests."""
    assert any("/agent-" in pod for pod in model.on(node)), "the agent pod does not run"
    if command[0] == "nslookup":
        is_served = command[2] == SERVICES["kube-system/kube-dns"] and model.endpoints("kube-system/kube-dns", node)
        answer = f"Name: {command[1]}\nAddress: {SERVICES['shop/web']}"
        return print(answer if is_served else "no servers could be reached")
    address, count = command[3:]
    (service,) = [name for name, ip in SERVICES.items() if ip == address]
    pods = sorted(model.endpoints(service, node if service == "shop/web-here" else None))
    names = [pod.split("/")[1] for pod in pods]
    if model.is_silent:
        names[0] = "nobody"
    print("\n".join((names * int(count))[:int(count)]))


def kind(model, arguments):
    words, given = options(arguments, "--name", "--config", "--kubeconfig", "--nodes")
    if words == ["create", "cluster"]:
        text = contents(given["--config"])
        assert text.count("- role: ") == 3 and f"name: {given['--name']}\n" in text, text
        with open(given["--kubeconfig"], "w") as file:
            file.write("apiVersion: v1\n")
        model.create(given["--name"])
    elif words[:2] == ["load", "docker-image"]:
        assert words[2] in model.images and given["--name"] == model.name
        model.loaded.append(words[2])
    elif words == ["delete", "cluster"]:
        assert given["--name"] == model.name
        if "KIND_MODEL_KEPT" in os.environ:
            with open(os.environ["KIND_MODEL_KEPT"], "w") as file:
                json.dump({name: {**node["files"], **node["gone"]} for name, node in model.nodes.items()}, file)
        model.nodes, model.pods = {}, {}
    else:
        raise Unknown


def kubectl(model, arguments):
    with_value = ("--kubeconfig", "--namespace", "--output", "--filename", "--patch", "--patch-file", "--type",
                  "--timeout")
    words, given = options(arguments, *with_value)
    verb, namespace = words[0], given.get("--namespace", "")
    if verb == "get":
        print(json.dumps(get(model, words[1:], namespace)))
    elif verb == "config":
        data = {name: "c3VyZQ==" for name in ("client-certificate-data", "client-key-data")}
        print(json.dumps({"clusters": [{"cluster": {"certificate-authority-data": "c3VyZQ=="}}],
                          "users": [{"user": data}]}))
    elif verb in ("apply", "replace"):
        apply(model, model.stdin if given["--filename"] == "-" else contents(given["--filename"]))
    elif verb == "create" and words[1] == "configmap":
        files = [argument.split("=", 2)[1:] for argument in arguments if argument.startswith("--from-file=")]
        data = {name: contents(path) for name, path in files}
        print(json.dumps({"kind": "ConfigMap", "metadata": {"name": words[2], "namespace": namespace}, "data": data}))
    elif verb == "create" and words[1] == "namespace":
        print(json.dumps({"kind": "Namespace", "metadata": {"name": words[2]}}))
    elif verb == "patch":
        patch(model, words[2], given)
    elif verb == "scale":
        for word in words[1:]:
            kind_of, name = word.split("/")
            kinds = {"statefulset": "StatefulSet", "deployment": "Deployment"}
            model.workloads[f"{namespace}/{kinds[kind_of]}/{name}"] = int(given["--replicas"])
        model.reconcile()
    elif verb == "delete" and words[1:] == ["daemonset"] and "--all" in given:
        gone = f"{namespace}/DaemonSet/"
        model.workloads = {key: count for key, count in model.workloads.items() if not key.startswith(gone)}
        model.reconcile()
    elif verb == "rollout" and words[1:3] == ["restart", "daemonset/kube-flannel-ds"]:
        start_flannel(model)
    elif verb not in ("wait", "rollout"):
        raise Unknown


def get(model, words, namespace):
    """The object or list that kubectl get prints."""
    if words[0] == "configmap":
        return {"kind": "ConfigMap", "metadata": {"name": words[1], "namespace": namespace}, "data": MAPS[words[1]]}
    items = {"nodes": nodes, "pods": pods, "services": services, "endpointslices": slices}[words[0]](model)
    return {"kind": "List", "apiVersion": "v1", "items": items}


def nodes(model):
    return [{"kind": "Node", "metadata": {"name": name}, "spec": {"podCIDR": node["cidr"], "podCIDRs": [node["cidr"]]},
             "status": {"addresses": [{"type": "InternalIP", "address": node["ip"]}]}}
            for name, node in model.nodes.items()]


def pods(model):
    return [{"metadata": dict(zip(("namespace", "name"), pod.split("/"))),
             "status": {"podIPs": [{"ip": what["ip"]}], "conditions": [{"type": "Ready", "status": "True"}]}}
            for pod, what in model.pods.items()]


def services(model):
    return [{"metadata": dict(zip(("namespace", "name"), service.split("/"))), "spec": {"clusterIP": ip}}
            for service, ip in SERVICES.items()]


def slices(model):
    items = []
    for service in SERVICES:
        namespace, name = service.split("/")
        found = model.endpoints(service)
        if model.has_wrong_slice and service == "shop/web":
            found[min(found)] = "10.244.1.99"
        endpoints = [{"addresses": [ip], "targetRef": {"kind": "Pod", "name": pod.split("/")[1]}}
                     for pod, ip in found.items()]
        labels = {"kubernetes.io/service-name": name}
        items.append({"metadata": {"namespace": namespace, "name": f"{name}-x", "labels": labels},
                      "endpoints": endpoints})
    return items


def apply(model, text):
    """kubectl apply: workloads, ConfigMaps, the installer. An image that is not on the nodes fails it."""
    for image in re.findall(r"image: (\S+)", text):
        assert image in model.loaded, f"image {image} is not on the nodes"
    if text.startswith("{"):
        item = json.loads(text)
        model.maps[item["metadata"]["name"]] = item.get("data", {})
    elif "delegated-ipam-installer" in text:
        for node in model.nodes.values():
            node["files"][INSTALLED] = "installed"
    elif "name: kube-flannel-ds" in text:
        start_flannel(model)
    elif "kind: ConfigMap" in text:
        model.maps[re.search(r"^  name: (\S+)$", text, re.MULTILINE)[1]] = {"text": text}
    else:
        model.workloads.update(workloads_in(text))
        model.reconcile()


def patch(model, name, given):
    model.patched.append(name)
    if name == "kube-flannel-cfg":
        text = contents(given["--patch-file"])
        model.maps[name]["cni-conf.json"] = textwrap.dedent(text.partition("cni-conf.json: |\n")[2])


def start_flannel(model):
    """Its init container writes the conflist on each node."""
    for node in list(model.nodes):
        write_conflist(model, node, f"{CONF_DIR}10-flannel.conflist", model.maps["kube-flannel-cfg"]["cni-conf.json"])


def nsenter(model, arguments):
    """The proxy: stays until it is ended."""
    assert arguments[0].startswith("--net=/proc/") and "read_proxy.py" in arguments[2]


def helm(model, arguments):
    words, given = options(arguments, "--kubeconfig", "--namespace", "--values", "--set")
    assert words[:2] == ["install", "cilium"] and "mode: delegated-plugin" in contents(given["--values"])


def main():
    program = os.path.basename(sys.argv[0])
    # Before the model is locked: who writes it may be another stand-in.
    stdin = sys.stdin.read() if {"-", "-i"} & set(sys.argv) else ""
    with Model(FOLDER, stdin) as model:
        with open(f"{FOLDER}/calls", "a") as file:
            file.write(json.dumps([program, *sys.argv[1:]]) + "\n")
        try:
            globals()[program](model, sys.argv[1:])
        except Unknown:
            print(f"{program}: no answer to {sys.argv[1:]}", file=sys.stderr)
            sys.exit(64)
    if program == "nsenter":
        with open("/proc/self/stat") as file:
            started = file.read().rpartition(")")[2].split()[19]  # proc(5); the number alone may come again
        with open(f"{FOLDER}/proxies", "a") as file:
            file.write(f"{os.getpid()} {started}\n")
        signal.pause()


if __name__ == "__main__":
    main()
