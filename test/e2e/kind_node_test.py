#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What kind/run.sh asks a node, asked of a real one: its shell functions over the real crictl, containerd and nft, with
a docker that runs the commands on a node of the test's own.

usage: kind_node_test.py      Needs root, the packages of the e2e list, and crictl (a peer).
"""
import json
import os
import subprocess

import world

FOLDER = world.enter()

import nsmount
import peers
import tap
from edge_node import PORT, EdgeNode
from kubelet import Pod
from machine import CNI_PLUGINS, NETNS, PAUSE, SOCKET, Machine
from plugin import BINARY, HOST_LOCAL, ROOT

KIND = f"{ROOT}/test/e2e/kind"
NODE = "delegated-ipam-e2e-worker"
API = "192.0.2.10"
SUBNETS = ["10.244.1.0/24", "fd00:244:0:1::/64"]
DOCKER = """#!/bin/bash
# docker exec [-i] NODE COMMAND..., docker inspect --format '{{{{.State.Pid}}}}' NODE
if [ "$1" = inspect ]; then exec cat {folder}/pid; fi
shift
if [ "$1" = -i ]; then shift; else exec </dev/null; fi
shift
exec nsenter --net={netns} env PATH="{folder}/bin:$PATH" CRI_CONFIG_FILE={folder}/crictl.yaml "$@"
"""
SHELL = """
set -euo pipefail
HERE={kind} NAME=delegated-ipam-e2e CONTROL=$NAME-control-plane WORKER=$NAME-worker NODES=("$WORKER") CNI=bridge FAMILIES=ipv4
for part in checks images network offline story; do . "$HERE/$part.sh"; done
"$@"
"""


class KindNode(Machine):
    """A node with pods that crictl has made, containers and all, as kubelet makes them."""

    program = EdgeNode.program

    def __init__(self, folder):
        self.conflists = {kind: conflist(kind) for kind in ("host-local", "delegated-ipam")}
        names = ("bridge", "loopback", "portmap")
        super().__init__(folder, self.conflists["host-local"],
                         {**{name: f"{CNI_PLUGINS}/{name}" for name in names}, "host-local": HOST_LOCAL,
                          "delegated-ipam": BINARY})
        os.makedirs(f"{folder}/work")
        with open(f"{folder}/crictl.yaml", "w") as file:
            json.dump({"runtime-endpoint": f"unix://{SOCKET}", "timeout": 60}, file)
        os.symlink(peers.binary("crictl"), f"{folder}/bin/crictl")
        self._write("docker", DOCKER.format(netns=NETNS, folder=folder), 0o755)

    def start(self, name, namespace="shop", container="web", on_host=False):
        """A pod with one container. Returns the pod, with its sandbox."""
        pod = Pod(name, namespace)
        linux = {"cgroup_parent": f"/{world.name()}"}
        if on_host:
            linux["security_context"] = {"namespace_options": {"network": 2}}
        config = {"metadata": {"name": name, "namespace": namespace, "uid": pod.uid, "attempt": 0},
                  "hostname": "" if on_host else name, "log_directory": self.folder, "linux": linux}
        own = {"metadata": {"name": container}, "image": {"image": PAUSE}, "linux": {},
               "command": ["/bin/busybox", "sleep", "2147483647"], "log_path": f"{name}.log"}
        sandbox = self.crictl("runp", self._write("pod.json", json.dumps(config)))
        made = self.crictl("create", "--no-pull", sandbox, self._write("own.json", json.dumps(own)),
                           f"{self.folder}/pod.json")
        self.crictl("start", made)
        pod.sandboxes.append(self.inspect(sandbox))
        return pod

    def crictl(self, *words):
        command = [f"{self.folder}/docker", "exec", NODE, "crictl", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"crictl {words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def shell(self, *command, patience="0"):
        """Run a function of run.sh's, the node being the worker; its exit code and what it prints."""
        environment = {"DOCKER": f"{self.folder}/docker", "WORK": f"{self.folder}/work", "KIND_PATIENCE": patience}
        done = subprocess.run(["bash", "-c", SHELL.format(kind=KIND), "shell", *command], capture_output=True,
                              text=True, env={**os.environ, **environment})
        return done.returncode, done.stdout + done.stderr

    def work(self, name, text=None):
        """A file in run.sh's folder: write it, or read it."""
        with open(f"{self.folder}/work/{name}", "r" if text is None else "w") as file:
            return file.read() if text is None else file.write(text)

    def _write(self, name, text, mode=0o644):
        with open(f"{self.folder}/{name}", "w") as file:
            file.write(text)
        os.chmod(f"{self.folder}/{name}", mode)
        return f"{self.folder}/{name}"


def conflist(kind):
    """The network of one of the two kinds: what `generate` makes, or that with host-local in our plugin's place."""
    subnets = [option for subnet in SUBNETS for option in ("--subnet", subnet)]
    made = subprocess.run([BINARY, "generate", "bridge", *subnets], check=True, capture_output=True, text=True)
    told = json.loads(made.stdout)
    if kind == "host-local":
        told["plugins"][0]["ipam"] = told["plugins"][0]["ipam"]["delegate"]
    return told


def must(result):
    """The output of a command that has to succeed."""
    assert result[0] == 0, result[1]
    return result[1]


def lines_of(*pods):
    return sorted(f"{pod.namespace}/{pod.name} {','.join(pod.addresses)} {pod.sandbox.id}" for pod in pods)


def pods_are_listed(node, pods):
    """Both addresses of each; not those on the host's network, nor one whose containers have ended."""
    assert must(node.shell("pods_on", NODE)).splitlines() == lines_of(*pods)
    assert all(len(pod.addresses) == 2 for pod in pods), pods
    must(node.shell("pods_everywhere", f"{node.folder}/work/pods"))
    assert node.work("pods").splitlines() == [f"{NODE} {line}" for line in lines_of(*pods)]
    must(node.shell("check_distinct", f"{node.folder}/work/pods"))


def return_is_noticed(node, pods):
    node.work("worker", "".join(f"{NODE} {line}\n" for line in lines_of(*pods)))
    must(node.shell("is_back", NODE, f"{node.folder}/work/worker"))
    told = must(node.shell("kept", "here", f"{node.folder}/work/worker", f"{node.folder}/work/pods"))
    assert told == f"here: kept {len(pods)} of {len(pods)}\n", told
    node.work("more", node.work("worker") + f"{NODE} shop/web-9 10.244.1.99 none\n")
    code, told = node.shell("is_back", NODE, f"{node.folder}/work/more")
    assert code != 0 and "shop/web-9" in told, told
    node.work("moved", node.work("worker").replace(pods[0].addresses[0] + ",", "10.244.1.99,"))
    code, told = node.shell("kept", "here", f"{node.folder}/work/moved", f"{node.folder}/work/pods")
    assert code != 0 and f"changed: {pods[0].namespace}/{pods[0].name}: 10.244.1.99," in told, told


def nothing_back_is_no_return(node, pods):
    """An empty list of pods, as right after a start, satisfies nobody."""
    node.work("empty", "")
    code, told = node.shell("kept", "here", f"{node.folder}/work/worker", f"{node.folder}/work/empty")
    assert code != 0 and f"kept 0 of {len(pods)}" in told and "not running" in told, told


def network_is_recognised(node):
    must(node.shell("uses_network", NODE, "host-local"))
    assert node.shell("uses_network", NODE, "delegated-ipam")[0] != 0
    node.configure(node.conflists["delegated-ipam"], {}, [])
    must(node.shell("uses_network", NODE, "delegated-ipam"))
    assert node.shell("uses_network", NODE, "host-local")[0] != 0


def agent_asks(node, web):
    """By crictl exec, in the pod that has the container "agent"."""
    told = must(node.shell("ask", NODE, f"{web.addresses[0]}:{PORT}", "5"))
    assert told == f"{web.name}\n", told


def files_are_put(node):
    with open(f"{node.folder}/work/text", "w") as file:
        file.write("one\ntwo\n")
    must(node.shell("put", f"{node.folder}/work/text", NODE, f"{node.folder}/new/folder/text"))
    with open(f"{node.folder}/new/folder/text") as file:
        assert file.read() == "one\ntwo\n"
    assert os.listdir(f"{node.folder}/new/folder") == ["text"]


def stores_are_looked_at(node, pods):
    code, told = node.shell("stores_are_empty")
    assert code != 0 and all(pod.addresses[0] in told for pod in pods), told
    for pod in pods:
        node.stop(pod.sandbox)
    must(node.shell("stores_are_empty"))


def proxy_starts(node):
    """In the node's network, with the administrator's certificate; and again, as after a restart, without the API."""
    nsmount.inside(NETNS, "ip", "address", "add", "169.254.2.1/32", "dev", "lo")
    with open(f"{node.folder}/pid", "w") as file:
        file.write(f"{node.runtime_pid()}\n")
    api = start_api(node)
    try:
        must(node.shell("start_proxy", NODE, patience="100"))
        told = must(node.shell("on", NODE, "curl", "--silent", f"http://169.254.2.1:10261/api/v1/nodes/{NODE}"))
        assert json.loads(told)["metadata"]["name"] == NODE, told
    finally:
        api.kill()
        api.wait()
    first = node.work(f"proxy-{NODE}.pid")
    must(node.shell("start_proxy", NODE, patience="100"))
    assert not os.path.exists(f"/proc/{first.strip()}/ns/net"), "the first proxy still runs"
    told = must(node.shell("on", NODE, "curl", "--silent", f"http://169.254.2.1:10261/api/v1/nodes/{NODE}"))
    assert json.loads(told)["metadata"]["name"] == NODE, told
    must(node.shell("end_proxy", f"{node.folder}/work/proxy-{NODE}.pid"))


def start_api(node):
    """An API at its address and port that tells of the node, to those only who have its certificate."""
    for name in ("ca", "admin"):
        nsmount.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days", "2",
                    "-addext", f"subjectAltName=IP:{API}", "-keyout", f"{node.folder}/work/{name}.key",
                    "-out", f"{node.folder}/work/{name}.crt")
    os.makedirs(f"{node.folder}/api/api/v1/nodes")
    head = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
    told = json.dumps({"kind": "Node", "apiVersion": "v1", "metadata": {"name": NODE}})
    for path in (f"api/v1/nodes/{NODE}", "readyz"):
        with open(f"{node.folder}/api/{path}", "w", newline="") as file:
            file.write(head + told)
    work = f"{node.folder}/work"
    return subprocess.Popen(
        ["nsenter", f"--net={NETNS}", "openssl", "s_server", "-quiet", "-HTTP", "-accept", f"{API}:6443", "-cert",
         f"{work}/ca.crt", "-key", f"{work}/ca.key", "-CAfile", f"{work}/admin.crt", "-Verify", "1",
         "-verify_return_error"], cwd=f"{node.folder}/api", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)


def way_is_cut(node):
    """Nothing from the node to port 6443 of the API's address, and nothing else; and back."""
    # The folder on the node is the test's, not the host's /etc.
    place = f"START={node.folder}/start; "
    code, told = node.shell("eval", f"{place} cut_off {NODE}")
    assert code == 0, told
    listed = subprocess.run(["nsenter", f"--net={NETNS}", "nft", "list", "table", "inet", "delegated_ipam_test"],
                            check=True, capture_output=True, text=True).stdout
    assert listed.count(f"ip daddr {API} tcp dport 6443 drop") == 2, listed
    assert os.path.exists(f"{node.folder}/start/cut.nft")
    code, told = node.shell("eval", f"{place} mend {NODE}")
    assert code != 0 and "reaches the API" in told, "there is no API here"
    assert os.listdir(f"{node.folder}/start") == []
    tables = subprocess.run(["nsenter", f"--net={NETNS}", "nft", "list", "tables"], capture_output=True, text=True)
    assert "delegated_ipam_test" not in tables.stdout, tables.stdout


def tell(suite):
    node = KindNode(f"{FOLDER}/machine")
    try:
        node.boot()
        web, agent = node.start("web-0"), node.start("agent-x2k", container="agent")
        node.start("proxy", "kube-system", on_host=True)
        ended = node.start("ended")
        node.crictl("stop", "--timeout", "0", node.crictl("ps", "--quiet", "--pod", ended.sandbox.id))
        pods = [web, agent]
        suite.run("pods with a network of their own are listed, with all addresses", pods_are_listed, node, pods)
        suite.run("a pod that is back is noticed, and one with another address", return_is_noticed, node, pods)
        suite.run("an empty list is not taken for a full one", nothing_back_is_no_return, node, pods)
        suite.run("the network in use is recognised", network_is_recognised, node)
        suite.run("the agent pod asks, and hears who answers", agent_asks, node, web)
        suite.run("files are put in place, with their folder", files_are_put, node)
        suite.run("stores are full while pods run, and empty afterwards", stores_are_looked_at, node, [*pods, ended])
        node.work("nodes.json", json.dumps({"items": [{
            "metadata": {"name": "delegated-ipam-e2e-control-plane"},
            "status": {"addresses": [{"type": "InternalIP", "address": API}]}}]}))
        nsmount.inside(NETNS, "ip", "address", "add", f"{API}/32", "dev", "lo")
        suite.run("a proxy starts in the node's network, and again without the API", proxy_starts, node)
        suite.run("the way to the API is cut and mended", way_is_cut, node)
    finally:
        node.remove()


if __name__ == "__main__":
    tap.story("kind node", tell, lambda: peers.require("crictl"))
