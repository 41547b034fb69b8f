#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The run over a real cluster, kind/run.sh, where there is no docker: against stand-ins that note every command and
answer from a small model of a cluster. It does what it says, in order, and it fails when an address changes. Its read
proxy, against an API that goes away; its cluster file, by kind's own parser, where kind is built.

usage: kind_script_test.py      Needs root, bash, jq, busybox, nftables and shellcheck, and cc with a static C library.
"""
import glob
import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import world

FOLDER = world.enter()

import kind_model
import kube_schemas
import peers
import proxy_cases
import tap
from kind_stand_in import StandIns, compile_client, state_of
from plugin import BINARY, ROOT, require
from tap import Skip

import yaml

KIND = f"{ROOT}/test/e2e/kind"
CLIENT = f"{FOLDER}/stand_in"
NAME = "delegated-ipam-e2e"
WORKER = f"{NAME}-worker"
OTHER = f"{NAME}-worker2"
NODES = (f"{NAME}-control-plane", WORKER, OTHER)
LATER = f"{NAME}-worker3"
EVERY_NODE = len(NODES)
NETWORKS = ("bridge", "ptp", "flannel", "cilium")
DUAL = ("ptp", "flannel", "cilium")  # bridge is to the script in dual stack what ptp is
STEPS = 16


class Run:
    """One run of run.sh against stand-ins, in a folder of its own; output, code, calls and what is left in the end."""

    def __init__(self, folder, network="bridge", faults=(), until=None, **environment):
        self.folder = folder
        os.makedirs(f"{folder}/tmp")
        with StandIns(folder, CLIENT, faults) as stand_ins:
            process = subprocess.Popen(
                [f"{KIND}/run.sh", *network.split()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                env={**os.environ, **stand_ins.environment, "TMPDIR": f"{folder}/tmp", "DELEGATED_IPAM": BINARY,
                     "KIND_PATIENCE": "0", "FLANNELD_BIN": "/bin/true", "FLANNEL_CNI_BIN": "/bin/true",
                     "CILIUM_CHART": folder, "CILIUM_IMAGES": kind_model.NODE_IMAGE, **environment})
            lines = []
            for line in process.stdout:
                lines.append(line)
                if until and line.startswith(until):
                    process.send_signal(signal.SIGTERM)
                    until = None
            self.output = "".join(lines)
            self.code = process.wait()
            self.proxies_left = [pid for pid, started in stand_ins.proxies if is_running(pid, started)]
        self.model = stand_ins.model
        self.calls = stand_ins.calls

    @property
    def words(self):
        """The calls as text, with the run's own folder as WORK."""
        return [re.sub(rf"{self.folder}/tmp/[^/ ]+", "WORK", " ".join(call)) for call in self.calls]

    def steps(self):
        """The TAP lines, but for comments."""
        return [line for line in self.output.splitlines() if not line.startswith("#")]

    def assert_nothing_left(self):
        """No cluster, image, proxy or file of the run."""
        assert not self.model.nodes, "the cluster is still there"
        assert self.model.images == [kind_model.NODE_IMAGE], self.model.images
        assert os.listdir(f"{self.folder}/tmp") == [], os.listdir(f"{self.folder}/tmp")
        assert not self.proxies_left, f"a proxy still runs: {self.proxies_left}"


def is_running(pid, started):
    """True unless the process that was started then has ended, be it collected or not."""
    state, since = state_of(pid)
    return state not in ("Z", "X") and since == started


def put(path):
    """The pattern of a file that is put on a node."""
    return rf"docker exec -i \S+ sh -c .* {re.escape(path)}"


def times(count, pattern):
    return [pattern] * count


CONFLIST = {"bridge": "/etc/cni/net.d/10-delegated-ipam.conflist", "ptp": "/etc/cni/net.d/10-delegated-ipam.conflist",
            "cilium": "/etc/cni/net.d/05-cilium.conflist"}


def switch(network, plugin="host-local"):
    """The commands by which the nodes get another network, in order."""
    if network != "flannel":
        return times(EVERY_NODE, put(CONFLIST[network]))
    kube = r"kubectl --kubeconfig WORK/kubeconfig"
    change = "create configmap kube-flannel-cfg" if plugin == "host-local" else "patch configmap kube-flannel-cfg"
    return [rf"{kube} --namespace kube-flannel {change}.*",
            rf"{kube} --namespace kube-flannel rollout restart daemonset/kube-flannel-ds"]


def story(network):
    """What a run does that matters, in order, as patterns of whole commands."""
    kube = r"kubectl --kubeconfig WORK/kubeconfig"
    bridge = [r"docker cp \S+/bridge \S+:/opt/cni/bin/bridge", r"docker exec \S+ modprobe br_netfilter"]
    own = {"bridge": bridge * EVERY_NODE, "ptp": [],
           "flannel": times(EVERY_NODE, r"docker cp \S+ \S+:/opt/cni/bin/flannel"),
           "cilium": [r"helm --kubeconfig WORK/kubeconfig install cilium .*--values WORK/values.yaml.*"
                       r"--set k8s.apiServerURLs=http://169.254.2.1:10261 .*"]}[network]
    node_lists = [rf"{kube} apply --filename WORK/generated/delegated-ipam-nodes.yaml"] if network == "bridge" else []
    installer = rf"{kube} apply --filename WORK/installer.yaml"
    join = [rf"docker run .*--name {LATER} .*", rf"docker exec {NODES[0]} kubeadm token create .*",
            rf"docker exec {LATER} kubeadm join .*", *node_lists, *([installer] if node_lists else []),
            rf"docker exec {LATER} test -x /opt/cni/bin/delegated-ipam"]
    reached = [rf"docker exec {node} crictl exec \S+ /bin/busybox sh .* 10\.244\.1\.\d+:8080 1"
               for node in (WORKER, OTHER)]
    remembered = [rf"docker exec {WORKER} crictl exec \S+ /bin/busybox ip neigh", rf"docker exec {WORKER} ip neigh"]
    proxy = r"nsenter --net=/proc/\d+/ns/net python3 \S+/read_proxy.py .*--upstream https://172.18.0.2:6443.*"
    return [
        r"docker info", rf"kind create cluster --name {NAME} --config WORK/cluster.yaml --kubeconfig WORK/kubeconfig",
        r"docker build .*--tag delegated-ipam.test/pods:1.*", rf"kind load docker-image \S+/pods:1 --name {NAME}",
        rf"{kube} get nodes --output json", *times(EVERY_NODE, put("/etc/delegated-ipam-test/start")),
        r"docker exec \S+ systemctl restart kubelet", *own, *switch(network),
        rf"{kube} wait --for=condition=Ready nodes .*", rf"{kube} apply --filename \S+/pods.yaml",
        rf"{kube} get endpointslices .*",
        # the control
        rf"docker restart {WORKER}", rf"docker exec {WORKER} crictl inspectp .*", rf"{kube} get pods .*",
        rf"{kube} get endpointslices .*",
        # (d) the binary everywhere first, then the conflist, then a new pod on each node
        *node_lists, installer,
        *times(EVERY_NODE, r"docker exec \S+ test -x /opt/cni/bin/delegated-ipam"),
        *switch(network, "delegated-ipam"),
        rf"{kube} --namespace shop rollout status daemonset/after-upgrade .*",
        # (a)
        rf"docker restart {WORKER}", rf"docker exec {WORKER} crictl inspectp .*", rf"{kube} get pods .*",
        rf"{kube} get endpointslices .*",
        # (b)
        put("/etc/delegated-ipam-test/cut.nft"), rf"docker exec {WORKER} nft -f \S+", rf"docker kill {WORKER}",
        rf"docker cp \S+ {WORKER}:/etc/kubernetes/manifests/static-1.yaml", rf"docker start {WORKER}", proxy,
        rf"docker exec {WORKER} crictl inspectp .*", rf"docker exec {WORKER} crictl exec \S+ /bin/busybox nslookup .*",
        rf"docker exec {WORKER} crictl exec \S+ /bin/busybox sh .* 10.96.0.21 \d+", rf"{kube} get endpointslices .*",
        # (g) there
        rf"{kube} cordon {WORKER}", rf"{kube} --namespace shop delete pod web-\d+ --force --grace-period=0",
        rf"docker cp \S+ {WORKER}:/etc/kubernetes/manifests/static-3.yaml",
        rf"docker exec {WORKER} crictl inspectp .*", rf"{kube} get endpointslices .*",
        rf"docker exec {WORKER} crictl exec \S+ /bin/busybox sh .* 10.96.0.21 \d+",
        rf"docker exec {OTHER} crictl exec \S+ /bin/busybox sh .* 10.96.0.20 \d+",
        # (b) connected again
        rf"docker exec {WORKER} nft delete table inet delegated_ipam_test", rf"{kube} uncordon {WORKER}",
        rf"docker exec {WORKER} crictl inspectp .*", rf"{kube} get pods .*", rf"{kube} get endpointslices .*",
        # (g) and back
        rf"{kube} --namespace shop delete pod web-\d+", rf"docker exec {WORKER} crictl inspectp .*",
        rf"{kube} get endpointslices .*",
        # (h)
        rf"{kube} cordon {OTHER}", *reached, *remembered, rf"{kube} --namespace shop delete pod web-\d+",
        rf"docker exec {WORKER} crictl inspectp .*", *remembered, *reached, rf"{kube} uncordon {OTHER}",
        rf"{kube} get pods .*", rf"{kube} get endpointslices .*",
        # (e)
        rf"docker exec {WORKER} /opt/cni/bin/delegated-ipam export --out \S+",
        rf"docker kill {WORKER} {OTHER}", rf"docker start {WORKER}", rf"docker start {OTHER}",
        rf"docker exec {WORKER} /opt/cni/bin/delegated-ipam report --against \S+ --output json",
        rf"{kube} get endpointslices .*",
        rf"docker kill {' '.join(NODES)}", *[rf"docker start {node}" for node in NODES], *times(EVERY_NODE, proxy),
        rf"docker exec {NODES[0]} /opt/cni/bin/delegated-ipam report --against \S+ --output json",
        rf"{kube} get endpointslices .*",
        # (f)
        *join, rf"{kube} --namespace shop scale statefulset/web --replicas=33", rf"docker kill {LATER}",
        # (f) once more
        rf"docker rm --force --volumes {LATER}", rf"{kube} delete node {LATER}",
        rf"{kube} delete pods --all-namespaces --field-selector spec.nodeName={LATER} --force --grace-period=0",
        *join, rf"{kube} --namespace shop delete pod( web-\d+){{3}}", rf"docker kill {LATER}",
        # (c)
        rf"{kube} --namespace shop scale statefulset/web deployment/api --replicas=0",
        *times(EVERY_NODE, r"docker exec \S+ sh -c ls .* /var/lib/cni/networks/\w+"),
        # (d) and back
        rf"{kube} apply --filename \S+/pods.yaml", *switch(network),
        rf"{kube} --namespace shop scale statefulset/web deployment/api --replicas=0",
        *times(EVERY_NODE, r"docker exec \S+ sh -c ls .* /var/lib/cni/networks/\w+"),
        rf"kind delete cluster --name {NAME} .*", r"docker image rm delegated-ipam.test/pods:1 .*",
    ]


def assert_in_order(patterns, words):
    """Each pattern matches a command after the one before it."""
    at = 0
    for number, pattern in enumerate(patterns):
        while at < len(words) and not re.fullmatch(pattern, words[at], re.DOTALL):
            at += 1
        assert at < len(words), f"no command for pattern {number}, {pattern!r}, after those before it"
        at += 1


def shell_is_clean():
    for script in [f"{KIND}/run.sh", *sorted(glob.glob(f"{KIND}/*.sh"))]:
        done = subprocess.run(["shellcheck", "-x", script], cwd=KIND, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def manifests_are_kubernetes():
    """Each object of each manifest by Kubernetes' own schemas; coredns.yaml is a patch of kubeadm's Deployment."""
    seen = 0
    for path in sorted(glob.glob(f"{KIND}/*.yaml")):
        with open(path) as file:
            text = file.read().replace("NAME", "name").replace("IMAGE", "image")
        for manifest in yaml.safe_load_all(text):
            is_patch = "kind" not in manifest
            whole = {"apiVersion": "apps/v1", "kind": "Deployment", **manifest} if is_patch else manifest
            kube_schemas.check(whole, partial=is_patch)
            seen += 1
    assert seen >= 10, f"only {seen} objects in {KIND}"


def tells_the_story(run, network):
    assert run.code == 0, run.output
    assert [line.split()[0] for line in run.steps()] == ["ok"] * STEPS + [f"1..{STEPS}"], run.output
    assert "host-local, online restart: kept 0 of 19" in run.output, run.output
    assert "kept 39 of 39" in run.output and "online restart: kept 20 of 20" in run.output, run.output
    assert_in_order(story(network), run.words)
    strange = [words for words in run.words if words.startswith(("kubectl", "helm"))
               and not re.match(r"(kubectl|helm) --kubeconfig WORK/kubeconfig ", words)]
    assert not strange, f"a cluster of the user's could be meant: {strange}"
    others = [words for words in run.words if words.startswith(("docker exec", "docker cp"))
              and not any(node in words for node in (*NODES, LATER))]
    assert not others, f"not a container of the cluster: {others}"
    run.assert_nothing_left()


def tells_of_both_families(run, network):
    """Each Service is asked at both addresses, and a node that comes later is one of both."""
    tells_the_story(run, network)
    six = [rf"docker exec {WORKER} crictl exec \S+ /bin/busybox sh .* \[{re.escape(address)}\] \d+"
           for address in kind_model.SIX.values()]
    assert_in_order(sorted(six, reverse=True), run.words)  # web-here is asked first
    assert_in_order(times(4, r"docker exec \S+ crictl exec \S+ /bin/busybox sh .* \[fd00:10:244:1::\w+\]:8080 1"),
                    run.words)
    assert_in_order([rf"docker run .*--name {LATER} .*--sysctl net.ipv6.conf.all.forwarding=1 .*",
                     rf"docker exec {LATER} sed -i .* --node-ip=172\.18\.0\.5,fc00:f853::5\| /etc/default/kubelet",
                     rf"docker exec {LATER} kubeadm join .*"], run.words)
    if network == "flannel":
        return  # it lays the routes
    start = run.model.kept[WORKER]["/etc/delegated-ipam-test/start"]
    assert len(re.findall(r"^ip route replace 10\.244\.\S+ via 172\.18\.", start, re.MULTILINE)) == EVERY_NODE, start
    assert len(re.findall(r"^ip route replace fd00:10:244:\S+ via fc00:", start, re.MULTILINE)) == EVERY_NODE, start


def networks_have_both_families(flannel, cilium):
    network = json.loads(flannel.model.maps["kube-flannel-cfg"]["net-conf.json"])
    assert network["EnableIPv6"] and network["Network"] == "10.244.0.0/16", network
    assert network["IPv6Network"] == "fd00:10:244::/56", network
    for family, block in (("ipv4", "10.244.0.0/16"), ("ipv6", "fd00:10:244::/56")):
        assert cilium.model.values[family] == {"enabled": True}, cilium.model.values
        assert cilium.model.values[f"{family}NativeRoutingCIDR"] == block, cilium.model.values


def fails_at(run, step, *told):
    """The run ends as failed at this step, says these words, and cleans up."""
    assert run.code == 1, f"exit {run.code}: {run.output}"
    ends = run.steps()[step - 1:]
    assert len(ends) == 2 and ends[0].startswith(f"not ok {step} - ") and ends[1] == f"1..{step}", run.output
    for words in told:
        assert words in run.output, f"{words!r} is not told: {run.output}"
    run.assert_nothing_left()


def stopped_in_the_middle(run):
    assert run.code == 128 + signal.SIGTERM, run.code
    assert f"1..{STEPS}" not in run.output and run.output.count("\nok ") <= 3, run.output
    run.assert_nothing_left()


def is_skipped(run, *told):
    assert run.code == 0, run.output
    (line,) = run.output.splitlines()
    assert line.startswith("1..0 # SKIP ") and "; " in line, line
    for words in told:
        assert words in line, line
    assert not any("create" in words for words in run.words), run.words


def files_are_good(kept):
    """What the nodes were given is understood by those who read it there."""
    for node, files in kept.items():
        subprocess.run(["bash", "-n"], input=files["/etc/delegated-ipam-test/start"], text=True, check=True)
        routes = files["/etc/delegated-ipam-test/start"].count("ip route replace 10.244.")
        assert routes == EVERY_NODE, files["/etc/delegated-ipam-test/start"]
        assert f"/{node}" not in files["/etc/delegated-ipam-test/start"]
    rules = kept[WORKER]["/etc/delegated-ipam-test/cut.nft"]
    done = subprocess.run(["unshare", "--net", "nft", "-f", "/dev/stdin"], input=rules * 2, capture_output=True,
                          text=True)
    assert done.returncode == 0, f"{rules}: {done.stderr}"


def kind_reads_the_cluster_file(folder):
    """kind gets as far as asking docker for the node image, and no further with a file that is wrong."""
    if not peers.binary("kind"):
        raise Skip(f"kind is not built: run {peers.BUILD} kind")
    os.makedirs(f"{folder}/bin")
    with open(f"{folder}/bin/docker", "w") as file:
        file.write(DOCKER.format(folder=folder))
    os.chmod(f"{folder}/bin/docker", 0o755)
    for network in NETWORKS:
        command = [BINARY, "generate", "kind", "--name", "k", "--workers", "2", "--cni", network,
                   "--pod-subnet", "10.244.0.0/16", "--image", kind_model.NODE_IMAGE]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        asked, said = ask_kind(folder, text)
        assert f"inspect --type=image {kind_model.NODE_IMAGE}" in asked, f"{network}: {said}"
    for good, bad in (("networking:", "networkin:"), ("role: worker", "role: walker"), ("10.244.0.0/16", "10.244.0.0")):
        asked, said = ask_kind(folder, text.replace(good, bad))
        assert "inspect" not in asked and "ERROR" in said, f"{bad}: {said}"


DOCKER = """#!/bin/sh
echo "$@" >>{folder}/asked
case $1 in
    -v) echo "Docker version 27.0.0, build 1" ;;
    info) echo '{{"CgroupDriver": "systemd", "CgroupVersion": "2", "MemoryLimit": true, "PidsLimit": true}}' ;;
    ps | inspect) ;;
    *) exit 1 ;;
esac
"""


def ask_kind(folder, text):
    """What kind asks docker when it is to make the cluster of a file, and what it says; it never gets one."""
    with open(f"{folder}/cluster.yaml", "w") as file:
        file.write(text)
    with open(f"{folder}/asked", "w"):
        pass
    done = subprocess.run(
        [peers.binary("kind"), "create", "cluster", "--config", f"{folder}/cluster.yaml", "--kubeconfig",
         f"{folder}/kubeconfig"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "KIND_EXPERIMENTAL_PROVIDER": "docker"})
    assert done.returncode != 0, done.stdout
    with open(f"{folder}/asked") as file:
        return file.read(), done.stdout + done.stderr


# faults of the model, the step that notices, what it says
FAULTS = [
    ("a host-local that keeps its pods' addresses", "local:keeps", 3, "this run shows nothing"),
    ("a pod that is restarted when the conflist is replaced", "upgrade:pod", 4, "restarted: "),
    ("a pod with another address after the online restart", "restart:pod", 5, "changed: shop/web-0: 10.244.1."),
    ("a pod with another address after the offline restart", "start:pod", 6, "changed: shop/web-0: 10.244.1."),
    ("an EndpointSlice that has changed", "start:slice", 6, "EndpointSlices have changed", "web-0 10.244.1.99"),
    ("a pod that does not answer off the network", "start:service", 6, "exactly its pods answer", "> nobody"),
    ("a newcomer on the address of a sandbox whose pod was deleted by force", "force:newcomer", 7,
     "two pods have the address: 10.244.1.", "static-3"),
    ("an EndpointSlice that keeps the address of before", "force:slice", 7,
     "EndpointSlices name the new address alone"),
    ("a pod that does not find its own address again", "delete:pod", 9, "changed: shop/web-0: 10.244.1."),
    ("a pod made again that others go on sending to as it was", "again:stale", 10, "is sent to as: agent 10.244.1."),
    ("a pod made again that does not answer at once", "again:silent", 10, "of web-0, nobody answers"),
    ("a pod that has moved for the tool on the node", "report:changed", 11, "delegated-ipam report on ", "CHANGED"),
    ("an installer that leaves a node made again its former range", "join:range", 14, "outside of "),
    ("a store that is not empty", "zero:store", 15, f"left on {WORKER}: 10.244.1.77"),
]
FAULTS_OF_BOTH = [  # the same, in dual stack
    ("a Service that answers at its address of IPv4 alone", "six:service", 2, "exactly its pods answer",
     "fd00:10:96::15"),
    ("a pod with another address of IPv6 alone after the online restart", "restart:six", 5, "changed: ", "::99"),
]
SKIPS = [
    ("docker is missing", {"DOCKER_BIN": "no-docker"}, [], "no-docker is missing"),
    ("docker's daemon does not answer", {}, ["docker:info"], "daemon does not answer"),
    ("kind is missing", {"KIND_BIN": "no-kind"}, [], "no-kind is missing"),
    ("kubectl is missing", {"KUBECTL_BIN": "no-kubectl"}, [], "no-kubectl is missing"),
    ("there is no node image", {}, ["docker:image"], "no node image", "docker pull kindest/node"),
    ("the node image named is not there", {"KIND_NODE_IMAGE": "kindest/node:v0"}, [], "kindest/node:v0"),
]


def tell(suite):
    suite.run("run.sh and what it reads are clean by shellcheck", shell_is_clean)
    suite.run("its manifests are what Kubernetes' schemas describe", manifests_are_kubernetes)
    compile_client(CLIENT)
    with ThreadPoolExecutor(2) as pool:
        tell_runs(suite, pool)
    suite.run("kind's own parser takes the generated cluster files, and refuses spoilt ones",
              kind_reads_the_cluster_file, f"{FOLDER}/kind")
    proxy_cases.tell(suite, f"{FOLDER}/proxy")


def tell_runs(suite, pool):
    """The runs, two at a time, and what is said of each."""
    runs = {name: pool.submit(Run, f"{FOLDER}/{number}", **arguments)
            for number, (name, arguments) in enumerate(arguments_of_runs())}
    for network in NETWORKS:
        suite.run(f"{network}: each step, in this order, with nothing left behind",
                  lambda one=network: tells_the_story(runs[one].result(), one))
    for network in DUAL:
        suite.run(f"{network} in dual stack: the same, for both families of addresses",
                  lambda one=network: tells_of_both_families(runs[f"{one} dual"].result(), one))
    suite.run("in dual stack flanneld is told of both, and Cilium's agent",
              lambda: networks_have_both_families(runs["flannel dual"].result(), runs["cilium dual"].result()))
    suite.run("what the nodes were given: start script, routes, rules of the cut",
              lambda: files_are_good(runs["bridge"].result().model.kept))
    for sentence, fault, step, *told in FAULTS + FAULTS_OF_BOTH:
        suite.run(f"{sentence} fails the run, which names it",
                  lambda: fails_at(runs[fault].result(), step, *told))
    suite.run("stopped in the middle, it still removes the cluster",
              lambda: stopped_in_the_middle(runs["stopped"].result()))
    for sentence, _, _, *told in SKIPS:
        suite.run(f"skipped with the remedy where {sentence}", lambda: is_skipped(runs[sentence].result(), *told))


def arguments_of_runs():
    """(name, arguments of Run) of each."""
    for network in NETWORKS:
        yield network, {"network": network}
    for network in DUAL:
        yield f"{network} dual", {"network": f"{network} dual"}
    for _, fault, *_ in FAULTS:
        yield fault, {"faults": [fault]}
    for _, fault, *_ in FAULTS_OF_BOTH:
        yield fault, {"network": "ptp dual", "faults": [fault]}
    yield "stopped", {"until": "ok 2 "}
    for sentence, environment, faults, *_ in SKIPS:
        yield sentence, {"faults": faults, **environment}


if __name__ == "__main__":
    tap.story("kind script", tell, lambda: require(BINARY))
