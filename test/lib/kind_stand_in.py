"""Stands in for docker, kind, kubectl, helm and nsenter: programs on PATH (kind_stand_in.c) that a thread of the test
answers from a kind_model.Model; each call is noted. What it does not know is an error, exit code 64.
"""
import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import textwrap
import threading
import traceback

import yaml

from kind_model import CONF_DIR, MANIFESTS, NODE_IMAGE, SERVICES, Model, mac_of, workloads_in

INSTALLED = "/opt/cni/bin/delegated-ipam"
MAPS = {  # kubeadm's, as far as it matters
    "kube-proxy": {"kubeconfig.conf": "    server: https://x:6443\n    name: default\n"},
    "coredns": {"Corefile": ".:53 {\n  kubernetes cluster.local in-addr.arpa {\n    pods insecure\n  }\n}\n"},
}


class Exit(Exception):
    """The program ends with this exit code, having said these words on stderr."""

    def __init__(self, code, words=""):
        super().__init__(code, words)
        self.code = int(code)
        self.words = words


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
        raise Exit("docker:info" in model.faults)
    if verb == "exec":
        rest = rest[1:] if rest[0] == "-i" else rest
        return execute(model, rest[0], rest[1:])
    if verb == "image" and rest[0] == "ls":
        images = [] if "docker:image" in model.faults else model.images
        return model.say("\n".join(image for image in images if image.startswith(rest[-1])))
    if verb == "image" and rest[0] == "inspect":
        raise Exit(rest[1] not in model.images)
    if verb == "image" and rest[0] == "rm":
        model.images = [image for image in model.images if image not in rest[1:]]
    elif verb == "build":
        words, given = options(rest, "--tag", "--file")
        assert contents(given["--file"]).startswith("FROM scratch\n") and os.path.isdir(words[0])
        model.images.append(given["--tag"])
    elif verb == "cp":
        node, path = rest[1].split(":")
        model.nodes[node]["files"][path] = contents(rest[0])
        if path.startswith(MANIFESTS):
            model.reconcile()
    elif verb == "inspect" and rest[0] == "--format":
        model.say(os.getpid())
    elif verb == "inspect":
        networks = {"kind": dict(zip(("IPAddress", "GlobalIPv6Address"), own_addresses(model, model.nodes[rest[0]])))}
        model.say(json.dumps([{"NetworkSettings": {"Networks": networks}}]))
    elif verb == "run":
        with_value = ("--name", "--hostname", "--net", "--label", "--security-opt", "--tmpfs", "--volume", "--sysctl")
        words, given = options(rest, *with_value)
        assert words == [NODE_IMAGE] and given["--name"] == given["--hostname"] and "--privileged" in given, rest
        model.add_node(given["--name"])
    elif verb in ("restart", "start"):
        model.power_on(rest[0], verb)
    elif verb == "kill":
        for node in rest:
            model.nodes[node]["runs"] = False
    elif verb == "rm":
        assert rest[:2] == ["--force", "--volumes"], rest
        model.nodes[rest[2]]["runs"] = False
    else:
        raise Unknown


def execute(model, node, command):
    """docker exec"""
    place, program = model.nodes[node], command[0]
    if not place["runs"]:
        raise Exit(1, "the container is not running\n")
    if program == "crictl":
        return crictl(model, node, command[1:])
    if command[:2] == ["sh", "-c"] and "cat >" in command[2]:
        if command[3].startswith(CONF_DIR):
            return write_conflist(model, node, command[3], model.stdin)
        place["files"][command[3]] = model.stdin
    elif command[:2] == ["sh", "-c"] and "ls -A" in command[2]:
        model.say("\n".join(model.stored(node)))
    elif program == "test":
        raise Exit(command[2] not in place["files"])
    elif program == "rm":
        for path in command[1:]:
            place["gone"][path] = place["files"].pop(path, None)
        model.reconcile()
    elif program == "nft" and command[1] == "-f":
        place["is_cut"] = True
        assert "tcp dport 6443 drop" in place["files"][command[2]]
    elif program == "nft":
        model.mend(node)
    elif program.endswith("/delegated-ipam"):
        look(model, node, command[1:])
    elif command == ["ip", "neigh"]:
        neighbours(model, node)
    elif program == "curl":
        raise Exit(28 if place["is_cut"] and command[-1].endswith("/readyz") else 0)
    elif program == "kubeadm":
        kubeadm(model, node, command[1:])
    elif program not in ("sed", "systemctl", "mkdir", "modprobe"):
        raise Unknown


def kubeadm(model, node, arguments):
    if arguments[:2] == ["token", "create"]:
        model.say("kubeadm join api:6443 --token abcdef.0123456789abcdef")
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
        model.say(json.dumps({"items": items}))
        raise Exit(any(item["outcome"] == "CHANGED" for item in items))
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
    words, given = options(arguments, "--output", "--name", "--pod")
    if words[0] == "ps" and "--pod" in given:
        model.say(f"container-{given['--pod']}")
    elif words[0] == "ps" and "--quiet" in given:
        assert given["--name"] == "^agent$"
        model.say("agent-container")
    elif words[0] == "ps":
        containers = [{"podSandboxId": what["sandbox"]} for what in model.on(node).values()]
        model.say(json.dumps({"containers": containers}))
    elif words[0] == "inspectp":
        for pod, what in model.on(node).items():
            if what["sandbox"] in words:
                namespace, name = pod.split("/")
                first, *more = what["ip"].split(",")
                model.say(json.dumps({"status": {
                    "id": what["sandbox"], "state": "SANDBOX_READY",
                    "network": {"ip": first, "additionalIps": [{"ip": ip} for ip in more]},
                    "metadata": {"name": name, "namespace": namespace}}}))
    elif words[0] == "info":
        networks = [{"Config": {"Source": text}} for path, text in model.nodes[node]["files"].items()
                    if path.startswith(CONF_DIR)]
        model.say(json.dumps({"cniconfig": {"Networks": networks}}))
    elif words[:3] == ["exec", "agent-container", "/bin/busybox"]:
        in_pod(model, node, words[3:])
    elif words[0] == "exec" and words[1].startswith("container-"):
        in_container(model, node, words[1].removeprefix("container-"), words[3:])
    else:
        raise Unknown


def in_container(model, node, sandbox, command):
    """What any other pod says of itself."""
    (pod,) = [pod for pod, what in model.on(node).items() if what["sandbox"] == sandbox]
    if command == ["cat", "/sys/class/net/eth0/address"]:
        model.say(mac_of(sandbox))
    elif command[0] == "wget" and "//127.0.0.1:" in command[-1]:
        model.say(pod.split("/")[1])
    else:
        raise Unknown


def neighbours(model, node):
    """ip neigh: on the node, or in its agent pod. Each knows the pods of the node that any agent has asked."""
    for what in model.on(node).values():
        for address in what["ip"].split(","):
            if model.link_address(address):
                model.say(f"{address} dev cni0 lladdr {model.link_address(address)} used 0/0/0 probes 1 STALE")


def in_pod(model, node, command):
    """What the agent pod gets by its requests."""
    assert any("/agent-" in pod for pod in model.on(node)), "the agent pod does not run"
    if command[0] == "nslookup":
        is_served = command[2] == SERVICES["kube-system/kube-dns"] and model.answering("kube-system/kube-dns", node)
        answer = "\n".join(f"Name: {command[1]}\nAddress: {ip}" for ip in model.cluster_ips("shop/web"))
        return model.say(answer if is_served else "no servers could be reached")
    if command == ["ip", "neigh"]:
        return neighbours(model, node)
    address, count = command[3:]
    if address.endswith(":8080"):
        return ask_pod(model, address.removesuffix(":8080").strip("[]"))
    (service,) = [name for name in SERVICES if address.strip("[]") in model.cluster_ips(name)]
    names = [pod.split("/")[1] for pod in model.answering(service, node)]
    if model.is_silent or "six:service" in model.faults and address.startswith("["):
        names[0] = "nobody"
    model.say("\n".join((names * int(count))[:int(count)]))


def ask_pod(model, address):
    pod, what = model.holder(address)
    is_again = model.known.setdefault(address, what["sandbox"]) != what["sandbox"]
    model.say("nobody" if is_again and "again:silent" in model.faults else pod.split("/")[1])


def kind(model, arguments):
    words, given = options(arguments, "--name", "--config", "--kubeconfig", "--nodes")
    if words == ["create", "cluster"]:
        text = contents(given["--config"])
        assert text.count("- role: ") == 3 and f"name: {given['--name']}\n" in text, text
        with open(given["--kubeconfig"], "w") as file:
            file.write("apiVersion: v1\n")
        model.create(given["--name"], "ipFamily: dual" in text)
    elif words[:2] == ["load", "docker-image"]:
        assert words[2] in model.images and given["--name"] == model.name
        model.loaded.append(words[2])
    elif words == ["delete", "cluster"]:
        assert given["--name"] == model.name
        model.kept = {name: {**node["files"], **node["gone"]} for name, node in model.nodes.items()}
        model.nodes, model.pods = {}, {}
    else:
        raise Unknown


def kubectl(model, arguments):
    with_value = ("--kubeconfig", "--namespace", "--output", "--filename", "--patch", "--patch-file", "--type",
                  "--timeout", "--field-selector")
    words, given = options(arguments, *with_value)
    verb, namespace = words[0], given.get("--namespace", "")
    if verb == "get":
        model.say(json.dumps(get(model, words[1:], namespace)))
    elif verb == "config":
        data = {name: "c3VyZQ==" for name in ("client-certificate-data", "client-key-data")}
        model.say(json.dumps({"clusters": [{"cluster": {"certificate-authority-data": "c3VyZQ=="}}],
                          "users": [{"user": data}]}))
    elif verb in ("apply", "replace"):
        apply(model, model.stdin if given["--filename"] == "-" else contents(given["--filename"]))
    elif verb == "create" and words[1] == "configmap":
        files = [argument.split("=", 2)[1:] for argument in arguments if argument.startswith("--from-file=")]
        data = {name: contents(path) for name, path in files}
        metadata = {"name": words[2], "namespace": namespace}
        model.say(json.dumps({"kind": "ConfigMap", "metadata": metadata, "data": data}))
    elif verb == "create" and words[1] == "namespace":
        model.say(json.dumps({"kind": "Namespace", "metadata": {"name": words[2]}}))
    elif verb == "patch":
        patch(model, words[2], given)
    elif verb == "scale":
        for word in words[1:]:
            kind_of, name = word.split("/")
            kinds = {"statefulset": "StatefulSet", "deployment": "Deployment"}
            model.workloads[f"{namespace}/{kinds[kind_of]}/{name}"] = int(given["--replicas"])
        model.reconcile()
    elif verb == "delete":
        delete(model, words[1], words[2:], given)
    elif verb in ("cordon", "uncordon"):
        model.nodes[words[1]]["is_closed"] = verb == "cordon"
    elif verb == "rollout" and words[1:3] == ["restart", "daemonset/kube-flannel-ds"]:
        start_flannel(model)
    elif verb not in ("wait", "rollout"):
        raise Unknown


def delete(model, kind_of, names, given):
    """kubectl delete. By force where the node cannot confirm it; without it the command would not come back there."""
    namespace = given.get("--namespace", "")
    if kind_of == "daemonset" and "--all" in given:
        gone = f"{namespace}/DaemonSet/"
        model.workloads = {key: count for key, count in model.workloads.items() if not key.startswith(gone)}
        model.reconcile()
    elif kind_of == "node":
        model.forget_node(names[0])
    elif kind_of == "pod":
        pods = [f"{namespace}/{name}" for name in names]
        assert "--force" in given or not any(model.nodes[model.pods[pod]["node"]]["is_cut"] for pod in pods), pods
        model.delete_pods(pods)
    elif kind_of == "pods" and "--all-namespaces" in given and "--force" in given:
        node = given["--field-selector"].removeprefix("spec.nodeName=")
        model.delete_pods([pod for pod, what in model.pods.items() if what["node"] == node])
    else:
        raise Unknown


def get(model, words, namespace):
    """The object or list that kubectl get prints."""
    if words[0] == "configmap":
        return {"kind": "ConfigMap", "metadata": {"name": words[1], "namespace": namespace}, "data": MAPS[words[1]]}
    items = {"nodes": nodes, "pods": pods, "services": services, "endpointslices": slices}[words[0]](model)
    return {"kind": "List", "apiVersion": "v1", "items": items}


def nodes(model):
    closed = {"taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]}
    return [{"kind": "Node", "metadata": {"name": name},
             "spec": {"podCIDR": node["cidr"], "podCIDRs": model.blocks(node["cidr"]),
                      **(closed if node["is_closed"] else {})},
             "status": {"addresses": [{"type": "InternalIP", "address": one} for one in own_addresses(model, node)]}}
            for name, node in model.nodes.items()]


def own_addresses(model, node):
    return [node["ip"], *([f"fc00:f853::{node['ip'].rpartition('.')[2]}"] if model.is_dual else [])]


def pods(model):
    return [{"metadata": dict(zip(("namespace", "name"), pod.split("/"))),
             "status": {"podIPs": [{"ip": ip} for ip in what["ip"].split(",")],
                        "conditions": [{"type": "Ready", "status": "True"}]}}
            for pod, what in model.pods.items()]


def services(model):
    return [{"metadata": dict(zip(("namespace", "name"), service.split("/"))),
             "spec": {"clusterIPs": model.cluster_ips(service)}} for service in SERVICES]


def slices(model):
    items = []
    for service in SERVICES:
        namespace, name = service.split("/")
        found = model.endpoints(service)
        if service == "shop/web":
            found |= model.wrong
        labels = {"kubernetes.io/service-name": name}
        for family, _ in enumerate(model.cluster_ips(service)):
            endpoints = [{"addresses": [ip.split(",")[family]], "targetRef": {"kind": "Pod", "name": pod.split("/")[1]}}
                         for pod, ip in found.items()]
            items.append({"metadata": {"namespace": namespace, "name": f"{name}-{family}", "labels": labels},
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
        ranges = re.search(r"--nodes-checksum\n *- (\S+)", text)
        model.install(ranges and ranges[1])
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


def nsenter(_model, arguments):
    """The proxy; that it stays until it is ended is StandIns' business."""
    assert arguments[0].startswith("--net=/proc/") and "read_proxy.py" in arguments[2]


def helm(model, arguments):
    words, given = options(arguments, "--kubeconfig", "--namespace", "--values", "--set")
    model.values = yaml.safe_load(contents(given["--values"]))
    assert words[:2] == ["install", "cilium"] and model.values["ipam"] == {"mode": "delegated-plugin"}, words


PROGRAMS = {program.__name__: program for program in (docker, kind, kubectl, helm, nsenter)}


def compile_client(path):
    """Make the program that all of PROGRAMS are on PATH. Errors: CalledProcessError, FileNotFoundError without cc."""
    source = f"{os.path.dirname(os.path.realpath(__file__))}/kind_stand_in.c"
    flags = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-static")
    subprocess.run(["cc", *flags, "-o", path, source], check=True)


class StandIns:
    """For a with block: the programs in folder/bin, and a thread that answers them, one call after the other.

    environment: what they need. calls: the command lines so far. proxies: (process id, time of start) of each nsenter;
    these stay until they are ended, or the block is over.
    """

    def __init__(self, folder, client, faults=()):
        self.model = Model(faults)
        self.calls, self.proxies, self._held = [], [], []
        self.environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "KIND_STAND_INS": f"{folder}/socket"}
        os.makedirs(f"{folder}/bin")
        for program in PROGRAMS:
            os.symlink(client, f"{folder}/bin/{program}")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/socket")
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):  # when it has ended by an error, and said so
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for connection in self._held:
            connection.close()

    def _serve(self):
        with self._listener:  # after an error nobody waits for an answer
            while True:
                try:
                    connection, _ = self._listener.accept()
                except OSError:  # shutdown()
                    return
                with connection:
                    self._take(connection)

    def _take(self, connection):
        """Hear one call and answer it. Who is killed has called if all of it has come."""
        with connection.makefile("rb") as file:
            text = file.read().decode()
        if not text.endswith("\0"):
            return
        count, text = text[:-1].split("\0", 1)
        *call, stdin = text.split("\0", int(count))
        code, stdout, stderr = self._answer(call, stdin)
        if call[0] == "nsenter" and code == 0:
            self._hold(connection)
            return
        said = stdout.encode()
        with contextlib.suppress(ConnectionError):
            connection.sendall(struct.pack("=II", code, len(said)) + said + stderr.encode())

    def _answer(self, call, stdin):
        """(exit code, what is said on stdout, on stderr)"""
        self.calls.append(call)
        self.model.stdin, self.model.said = stdin, []
        code, words = 0, ""
        try:
            PROGRAMS[call[0]](self.model, call[1:])
        except Exit as end:
            code, words = end.code, end.words
        except Unknown:
            code, words = 64, f"{call[0]}: no answer to {call[1:]}\n"
        except Exception:  # an assertion, or what the model has not got
            code, words = 1, traceback.format_exc()
        return code, "".join(self.model.said), words

    def _hold(self, connection):
        """The proxy gets no answer until it is ended."""
        pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        self.proxies.append((pid, state_of(pid)[1]))
        self._held.append(connection.dup())


def state_of(pid):
    """(state, time of start) of a process, of proc(5): the number alone may come again; ("X", None) without one."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return "X", None
    return fields[0], fields[19]
