"""What may be on the command line and in the files: standard input, pipes, what cannot be read, garbage."""
import json
import os
import random
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

import corpus
from plugin import BINARY

CLEAN = json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": {
    "type": "delegated-ipam", "delegate": {"type": "host-local", "ranges": [[{"subnet": "10.244.1.0/24"}]]}}}]})
SHARED = CLEAN.replace("10.244.1.0/24", "10.244.0.0/16")


def standard_input():
    assert corpus.run("-", stdin=CLEAN.encode()) == (0, "", "")
    status, stdout, stderr = corpus.run("-", stdin=SHARED.encode())
    assert status == 1 and stderr.startswith("-:/plugins/0/ipam/delegate/ranges/0/0: error shared-subnet: "), stderr
    assert corpus.run("-", stdin=stdout.encode()) == (0, "", "")


def callers_environment():
    """With arguments it is the tool, whatever a try by hand has left in the shell; without, the plugin."""
    for command in ("ADD", "DEL", "VERSION", "nonsense"):
        env = {"CNI_COMMAND": command, "CNI_CONTAINERID": "c-1", "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin"}
        assert corpus.run("-", stdin=SHARED.encode(), env=env) == corpus.run("-", stdin=SHARED.encode()), command
        assert corpus.run("-", stdin=CLEAN.encode(), env=env) == (0, "", ""), command
        done = subprocess.run([BINARY, "--version"], env=env, capture_output=True)
        assert done.returncode == 0 and done.stdout.startswith(b"CNI delegated-ipam plugin v"), done
    for command in ("VERSION", "nonsense"):
        alone = subprocess.run([BINARY], env={"CNI_COMMAND": command}, input=CLEAN.encode(), capture_output=True)
        assert json.loads(alone.stdout)["cniVersion"], alone


def pipe():
    """bash's <(...): the file's other end writes when it likes."""
    script = f"'{BINARY}' validate <(exec 3>&1; (read -r line; echo \"$line\" >&3) <<<'{CLEAN}')"
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), done


def yaml_and_json_agree():
    """A manifest in JSON has the findings of the same one in YAML."""
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cni"}, "data": {"a~b/c": SHARED}}
    found = corpus.findings("-", stdin=json.dumps(manifest).encode())
    text = "kind: ConfigMap\nmetadata: {name: cni}\ndata:\n  a~b/c: '" + SHARED + "'\n"
    assert found == corpus.findings("-", stdin=text.encode()), found
    assert [one["pointer"] for one in found] == ["/data/a~0b~1c/plugins/0/ipam/delegate/ranges/0/0"], found


def letter_case():
    """A ConfigMap's keys that differ in letter case only are two."""
    for keys in (("CNI", "cni"), ("cni", "CNI")):
        manifest = {"kind": "ConfigMap", "metadata": {"name": "cni"}, "data": dict(zip(keys, (SHARED, CLEAN)))}
        found = corpus.findings("-", stdin=json.dumps(manifest).encode())
        assert [(one["rule"], one["pointer"].split("/")[2]) for one in found][0] == ("shared-subnet", keys[0]), found


def many_keys():
    """A ConfigMap with the ranges of five thousand nodes, and a conflist behind them."""
    data = {f"edge-{number:05}": f"10.{number // 250}.{number % 250}.0/24\n" for number in range(5000)}
    assert corpus.findings("-", stdin=json.dumps({"kind": "ConfigMap", "data": data}).encode()) == []
    found = corpus.findings("-", stdin=json.dumps({"kind": "ConfigMap", "data": {**data, "conf": SHARED}}).encode())
    assert [one["pointer"] for one in found] == ["/data/conf/plugins/0/ipam/delegate/ranges/0/0"], found


def refused(*arguments, words, **more):
    status, stdout, stderr = corpus.run(*arguments, **more)
    assert status == 2 and not stdout, (status, stdout, stderr)
    lines = stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("delegated-ipam validate: "), stderr
    assert all(word in lines[0] for word in words), f"{words} are not all in {lines[0]!r}"


def unreadable():
    with tempfile.TemporaryDirectory() as folder:
        refused(f"{folder}/none.conflist", words=["none.conflist", "No such file"])
        refused(folder, words=[folder, "Is a directory"])
        refused(f"{folder}/none.conflist", "-", words=["none.conflist"], stdin=CLEAN.encode())
        big = f"{folder}/big.yaml"
        with open(big, "w") as file:
            file.truncate((4 << 20) + 1)
        refused(big, words=["big.yaml", "larger than 4 MiB"])
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "validate", "-"], input=SHARED.encode(), stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2 and b"standard output: cannot be written" in done.stderr, done


def wrong_options():
    for options, words in (
            (["--subnet", "10.244.1.7/24"], ["--subnet", "host bits", "write 10.244.1.0/24"]),
            (["--subnet", "10.244.1.0"], ["--subnet", "\"10.244.1.0\" is no CIDR block"]),
            (["--subnet", "10.244.0.0/16"], ["--subnet", "more than one node's share"]),
            (["--subnet", "fd00::/56"], ["--subnet", "more than one node's share"]),
            (["--subnet", "10.244.1.0/31"], ["--subnet", "10.244.1.0/31 too small"]),
            (["--subnet", "10.244.1.128/25", "--subnet", "fd00::/64", "--subnet", "10.244.1.0/24"],
             ["--subnet", "\"10.244.1.0/24\" overlaps 10.244.1.128/25", "give one of them"]),
            (["-o", "xml"], ["-o", "no format xml", "text or json"])):
        refused(*options, "-", words=words, stdin=CLEAN.encode())
    assert corpus.run()[0] == 2


def garbage_of(generator, size):
    """Bytes of three kinds: any, those of JSON and YAML, a clean file with some bytes changed."""
    yield bytes(generator.randrange(256) for _ in range(size))
    yield bytes(generator.choice(b"{}[]\",:-|&*#~ \n\tabc0.") for _ in range(size))
    text = bytearray(generator.choice((CLEAN, SHARED)).encode())
    for _ in range(generator.randrange(1, 6)):
        text[generator.randrange(len(text))] = generator.randrange(256)
    yield bytes(text)


def garbage():
    """No crash, no silence, no success for what is nothing."""
    generator = random.Random(2023)
    for size in [0, 1, 2, 7, 100, 5000] * 6:
        for text in garbage_of(generator, size):
            status, _, stderr = corpus.run("-", stdin=text)
            assert status == 0 or stderr, f"exit {status} without a word for {text!r}"


def nasty():
    """Depth, width, and values of every type where another one is wanted."""
    for text in (b"[" * 100000, b"{\"a\":" * 100000, b"a: " * 5000, b"- " * 5000, b"\0" * 1000, b"\xff\xfe{\0}\0",
                 b"&a [*a]", b"? {a: b}\n: c\n", b"\xef\xbb\xbf" + CLEAN.encode(), b"kind: List\nitems: 7\n",
                 b"kind: ConfigMap\ndata: [a]\n",
                 b"kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes: {a: b}\n"):
        status, _, stderr = corpus.run("-", stdin=text)
        assert status == 1 or not stderr, (text[:40], status, stderr)
    crash_nothing([json.loads(SHARED)])


def crash_nothing(documents):
    """Validate each distinct mutation of these, as many at a time as there are processors."""
    texts = {json.dumps(one) for document in documents for one in mutations(document)}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for answer in [pool.submit(corpus.run, "-", stdin=text.encode()) for text in sorted(texts)]:
            answer.result()


def mutations(value):
    """Every document that is this one with one value replaced by one of another type."""
    others = (None, True, 7, -1.5, "", "text", [], [[]], {}, {"": None})
    yield from others
    if isinstance(value, dict):
        for key, member in value.items():
            yield from ({**value, key: other} for other in mutations(member))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from (value[:index] + [other] + value[index + 1:] for other in mutations(member))


VALUES = {
    "ipam": {"mode": "delegated-plugin"}, "cni": {"configMap": "cni", "chainingTarget": "x"},
    "bpf": {"masquerade": True}, "routingMode": "native", "extraConfig": {"routing-mode": "tunnel"},
    "extraArgs": ["--local-router-ipv4=169.254.23.0"],
    "encryption": {"enabled": True, "type": "ipsec"}, "loadBalancer": {"l7": {"backend": "envoy"}},
    "yurthub": {"cacheAgents": "a,b"}, "flannel": {"args": ["--subnet-file", "/run/x"], "cniConf": json.loads(SHARED)}}
CLUSTER = {
    "kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4",
    "networking": {"disableDefaultCNI": False, "ipFamily": "dual", "podSubnet": "10.244.0.0/16"},
    "nodes": [{"extraMounts": [{"hostPath": "/nowhere", "containerPath": "/etc/cni/net.d/1.conflist"},
                               {"hostPath": "/nowhere", "containerPath": "/opt/cni/bin/delegated-ipam"}]}]}
DAEMON_SET = {
    "kind": "DaemonSet", "spec": {"template": {"spec": {"containers": [
        {"command": ["flanneld"], "args": ["--subnet-file=/var/x"], "volumeMounts": [{"mountPath": "/var"}]}]}}}}
FLANNEL = {
    "name": "cbr0", "cniVersion": "0.2.0", "ipam": {"type": "delegated-ipam"}, "plugins": [
        {"type": "flannel", "subnetFile": "/run/x", "capabilities": {"ipRanges": True},
         "ipam": {"type": "delegated-ipm", "ranges": [[{"subnet": "10.0.0.0/8", "rangeStrt": "x"}]], "gateway": "x",
                  "retain": {"excludes": []}, "delegate": {"type": "host-local", "exclude": [], "dataDir": "/tmp/x"}},
         "delegate": {"type": "dhcp", "name": "x", "ipam": {}}}]}
CILIUM = {
    "kind": "ConfigMap", "metadata": {"name": "cni"}, "data": {"cni-config": {
        "name": "azure", "type": "cilium-cni", "chaining-mode": "x", "delegate": {"subnet": "10.1.0.0/24"},
        "ipam": {"type": "delegated-ipam", "pool": {}, "stateDir": "/run/x", "subnet": "fd00::/64"}}}}


def mutated_kinds():
    """The same for what has more rules: values, manifests, cluster files."""
    crash_nothing([VALUES, CLUSTER, DAEMON_SET, FLANNEL, CILIUM])


def many_files():
    """A thousand nodes' conflists at once; one of them has a neighbour's range."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number in range(1000):
            names.append(f"{folder}/node-{number:03}.conflist")
            block = f"10.{100 + number // 250}.{number % 250}.0/24"
            with open(names[-1], "w") as file:
                file.write(CLEAN.replace("10.244.1.0/24", "10.100.7.0/25" if number == 900 else block))
        found = corpus.findings(*names)
        assert [(one["file"], one["rule"]) for one in found] == [(names[900], "overlapping-nodes")], found
        assert "node-007.conflist" in found[0]["message"], found


def run(suite):
    suite.run("standard input", standard_input)
    suite.run("with arguments it is the tool, also with CNI_COMMAND in the environment", callers_environment)
    suite.run("a pipe whose other end takes its time", pipe)
    suite.run("YAML and JSON manifests have the same findings; pointers are escaped", yaml_and_json_agree)
    suite.run("a ConfigMap's keys in two letter cases", letter_case)
    suite.run("a ConfigMap with thousands of keys, and a conflist behind them", many_keys)
    suite.run("what cannot be read or written ends with 2, naming it", unreadable)
    suite.run("wrong options end with 2, with the remedy", wrong_options)
    suite.run("garbage is told, and crashes nothing", garbage)
    suite.run("deep, wide and mistyped documents crash nothing", nasty)
    suite.run("mistyped values, manifests and cluster files crash nothing", mutated_kinds)
    suite.run("a thousand conflists together", many_files)
