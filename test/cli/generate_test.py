#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""generate: what it writes can be used as it is, no address is on two nodes, and wrong input is told with its remedy.

usage: generate_test.py [WORD ...]
"""
import hashlib
import ipaddress
import json
import os
import re
import resource
import shutil
import tempfile

import generate_nodes
import plugin
import sandbox
import tap
import tool
import yaml
from generate_errors import REFUSED
from plugin import BINARY, require

V4, V6 = "10.244.1.0/24", "fd00:10:244:1::/64"


def generate(*arguments, **more):
    return json.loads(tool.must("generate", *arguments, **more))


def ipam_of(conflist):
    return conflist["plugins"][0]["ipam"]


def called(verb, conflist, container, pod, path=None, **more):
    """Run the plugin as the conflist's main plugin would."""
    conf = {**conflist["plugins"][0], "name": conflist["name"], "cniVersion": conflist["cniVersion"], **more}
    args = plugin.pod_args(*pod.split("/"))
    env = plugin.environment(verb, container, args=args, path=path or "/usr/lib/cni")
    return plugin.run(BINARY, env, conf)


def gives(conflist, inside, **more):
    """A pod gets addresses out of these blocks, its successor the same, and nothing is left in use."""
    got = called("ADD", conflist, "c-1", "shop/web-0", **more)
    assert got.exit == 0, got
    assert len(got.addresses) == len(inside), got.addresses
    assert all(ipaddress.ip_address(one) in ipaddress.ip_network(block)
               for one, block in zip(got.addresses, inside)), got.addresses
    assert called("DEL", conflist, "c-1", "shop/web-0", **more).exit == 0
    assert called("ADD", conflist, "c-2", "shop/web-0", **more).addresses == got.addresses
    assert called("DEL", conflist, "c-2", "shop/web-0", **more).exit == 0
    return got


def one_node(network):
    """With its own ranges, of both families, given in no order."""
    conflist = generate(network, "--subnet", V6, "--subnet", V4, "--name", f"one-{network}")
    result = gives(conflist, [V4, V6])
    if network == "ptp":
        assert [route["dst"] for route in result.json["routes"]] == ["0.0.0.0/0", "::/0"], result.json


def flannel():
    conflist = generate("flannel", "--exclude", "10.244.1.2-10.244.1.9", "--pin", "shop/web-0=10.244.1.20",
                        "--subnet-file", "/var/lib/flannel/subnet.env")
    main = conflist["plugins"][0]
    assert "ipam" not in main["delegate"] and main["subnetFile"] == "/var/lib/flannel/subnet.env"
    # What Flannel's plugin makes of it for bridge.
    ipam = {**main["ipam"], "ranges": [[{"subnet": V4}]], "routes": [{"dst": "10.244.0.0/16"}]}
    bridge = {**conflist, "plugins": [{"type": "bridge", "ipam": ipam}]}
    assert gives(bridge, [V4]).addresses == ["10.244.1.20"]
    assert called("ADD", bridge, "c-3", "shop/other").addresses == ["10.244.1.10"]


def ranges_from():
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/subnet.env", "w") as file:
            file.write("FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.7.1/24\n")
        with open(f"{folder}/{os.uname().nodename}", "w") as file:
            file.write(f"{V6}\n{V4}\n")
        gives(generate("bridge", "--ranges-from", f"subnet-file={folder}/subnet.env", "--name", "by-file"),
              ["10.244.7.0/24"])
        gives(generate("cilium", "--ranges-from", f"nodes-dir={folder}", "--name", "by-nodes"), [V6, V4])
    yurthub = generate("bridge", "--ranges-from", "yurthub=edge-1")
    assert ipam_of(yurthub)["rangesFrom"] == {"yurthubNode": "edge-1"}


def slices():
    """One LAN, one gateway, and a part of it for each node: no address is on two, the mask is the LAN's. A node whose
    part lies elsewhere is told the file, the line and the subnet."""
    with tempfile.TemporaryDirectory() as folder:
        lan = generate("bridge", "--subnet", "192.168.0.0/16", "--gateway", "192.168.0.1", "--ranges-from",
                       f"nodes-dir={folder}", "--name", "lan")
        assert ipam_of(lan)["delegate"] == {"type": "host-local", "subnet": "192.168.0.0/16",
                                            "gateway": "192.168.0.1"}, ipam_of(lan)
        seen = set()
        for node, line, inside in (("edge-1", "192.168.1.176/28", "192.168.1.176/28"),
                                   ("edge-2", "192.168.1.2-192.168.1.10", "192.168.1.0/28")):
            with open(f"{folder}/{node}", "w") as file:
                file.write(f"# {node}\n{line}\n")
            conflist = json.loads(json.dumps(lan).replace('"nodesDir"', f'"node": "{node}", "nodesDir"'))
            conflist["name"] = f"lan-{node}"  # each node has a folder of its own
            got = gives(conflist, [inside])
            assert got.json["ips"][0]["address"].endswith("/16"), got.json
            assert got.json["ips"][0]["gateway"] == "192.168.0.1", got.json
            seen.update(got.addresses)
            os.unlink(f"{folder}/{node}")  # the last good copy has slices too
            assert called("ADD", conflist, "c-3", "shop/web-1").addresses[0] not in seen
            with open(f"{folder}/{node}", "w") as file:
                file.write("10.9.0.0/28\n")
            wrong = called("ADD", conflist, "c-4", "shop/web-2")
            words = (f"{folder}/{node}", "10.9.0.0/28 is not inside", "/ipam/delegate/subnet 192.168.0.0/16")
            assert wrong.exit == 1 and wrong.json["code"] == 7 and all(word in wrong.json["msg"] for word in words), wrong
            assert called("DEL", conflist, "c-3", "shop/web-1").exit == 0
        assert len(seen) == 2, seen
    dual = generate("ptp", "--subnet", "fd00:7::/64", "--ranges-from", "subnet-file=/x", "--name", "lan")
    assert ipam_of(dual)["delegate"]["routes"] == [{"dst": "::/0"}], dual


def drop_in():
    """One plugin for the folder of a list that has none of its own: libcni gives it the list's name and version."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/edge")
        with open(f"{folder}/10-edge.conflist", "w") as file:
            json.dump({"cniVersion": "1.1.0", "name": "edge"}, file)
        path = f"{folder}/edge/10-bridge.conf"
        tool.must("generate", "bridge", "--subnet", V4, "--name", "edge", "--format", "drop-in", "--out", path)
        with open(path) as file:
            one = json.load(file)
        assert one["type"] == "bridge" and not {"name", "cniVersion", "plugins"} & set(one), one
        gives({"name": "edge", "cniVersion": "1.1.0", "plugins": [one]}, [V4])
        assert tool.must("validate", f"{folder}/10-edge.conflist") == ""
        assert tool.must("validate", path) == ""


def cilium_versions():
    """Each chart gets what it has: mounts where the agent may run the plugin, nodePort.enabled while there is one."""
    def values(*more):
        text = tool.must("generate", "cilium", "--format", "helm", "--pod-cidr", "10.244.0.0/16", "--ranges-from",
                         "nodes-dir=/srv/nodes", *more)
        return yaml.safe_load(text)
    newest = values()
    assert newest == values("--cilium-version", "1.20") == values("--cilium-version", "v1.21.3"), newest
    assert {one["mountPath"]: one["readOnly"] for one in newest["extraHostPathMounts"]} == {
        "/var/lib/delegated-ipam": False, "/run/delegated-ipam": False, "/var/lib/cni/networks": False,
        "/srv/nodes": True}, newest
    assert all(one["hostPath"] == one["mountPath"] for one in newest["extraHostPathMounts"])
    assert "nodePort" not in newest
    older = {key: value for key, value in newest.items() if key != "extraHostPathMounts"}
    assert values("--cilium-version", "1.19.0") == older
    for version in ("1.18.4", "1.15"):
        assert values("--cilium-version", version) == {**older, "nodePort": {"enabled": True}}, version
    moved = values("--state-dir", "/srv/state", "--data-dir", "/srv/data")
    assert {one["hostPath"] for one in moved["extraHostPathMounts"]} == {
        "/srv/state", "/srv/data", "/run/delegated-ipam", "/srv/nodes"}, moved


def places_and_policies():
    with tempfile.TemporaryDirectory(dir="/var/lib/cni") as folder:
        conflist = generate("bridge", "--subnet", "10.9.0.0/29", "--data-dir", f"{folder}/data", "--state-dir",
                            f"{folder}/state", "--exclude", "10.9.0.2", "--exclude", "10.9.0.3-10.9.0.4",
                            "--pin", "shop/web-0=10.9.0.6", "--cni-version", "0.4.0", "--name", "places")
        got = gives(conflist, ["10.9.0.0/29"])
        assert got.addresses == ["10.9.0.6"] and got.json["cniVersion"] == "0.4.0", got.json
        assert os.listdir(f"{folder}/data") == ["places"] and os.listdir(f"{folder}/state"), os.listdir(folder)


def another_plugin():
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/static.json", "w") as file:
            json.dump({"type": "ignored", "addresses": [{"address": "10.9.0.77/24"}]}, file)
        conflist = generate("bridge", "--delegate", "static", "--delegate-config",
                            f"{folder}/static.json", "--name", "other")
    assert ipam_of(conflist) == {
        "type": "delegated-ipam", "delegate": {"type": "static", "addresses": [{"address": "10.9.0.77/24"}]}}
    assert called("ADD", conflist, "c-1", "shop/web-0").addresses == ["10.9.0.77"]
    assert called("DEL", conflist, "c-1", "shop/web-0").exit == 0


def rendered(template, ranges, routes):
    """What containerd makes of its template: the ranges and routes that it fills in, as Go's text/template would."""
    def fill(name, item):
        values = {"PodCIDRRanges": ranges, "Routes": routes}[name]
        return ", ".join(item.replace("{{$range}}", one).replace("{{$route}}", one) for one in values)
    pattern = r"\{\{range \$i, \$\w+ := \.(\w+)\}\}\{\{if \$i\}\}, \{\{end\}\}(.*?)\{\{end\}\}"
    return re.sub(pattern, lambda found: fill(*found.groups()), template)


def containerd_template():
    for main in ("bridge", "ptp"):
        template = tool.must("generate", "containerd-template", "--main", main, "--exclude", "10.244.1.2")
        conflist = json.loads(rendered(template, [V4, V6], ["0.0.0.0/0", "::/0"]))
        assert conflist == generate(main, "--subnet", V4, "--subnet", V6, "--exclude", "10.244.1.2"), conflist
        assert "{{" not in json.dumps(conflist)


def to_a_file():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/x.conflist"
        for _ in range(2):
            assert tool.must("generate", "bridge", "--subnet", V4, "--out", path) == ""
            assert os.listdir(folder) == ["x.conflist"] and os.stat(path).st_mode & 0o777 == 0o644
            with open(path) as file:
                assert file.read() == tool.must("generate", "bridge", "--subnet", V4)
        line = tool.refused("generate", "bridge", "--subnet", V4, "--out", f"{folder}/no/x")
        assert "--out" in line and "is missing" in line, line
    assert tool.call("generate", "bridge", "--subnet", V4, wrapper=("sh", "-c", 'exec "$@" >/dev/full', "sh")).exit == 2


def per_node(count):
    """One conflist a node; returns {node: blocks} as they were written."""
    with generate_nodes.Cluster(count) as cluster:
        said = tool.must("generate", "bridge", "--nodes", cluster.file, "--out", cluster.out)
        assert f"{count} conflists" in said, said
        written = {}
        for name in os.listdir(cluster.out):
            with open(os.path.join(cluster.out, name)) as file:
                sets = ipam_of(json.load(file))["delegate"]["ranges"]
            written[name.removesuffix(".conflist")] = [one["subnet"] for blocks in sets for one in blocks]
        assert written == cluster.blocks
        generate_nodes.assert_disjoint(written)


def shared(count, name_length=20):
    """One conflist for all, and ConfigMaps that Kubernetes takes; together they name every node once."""
    with generate_nodes.Cluster(count, name_length) as cluster:
        tool.must("generate", "cilium", "--nodes", cluster.file, "--out", cluster.out, "--nodes-dir", "/etc/x/nodes")
        maps = generate_nodes.config_maps(cluster.out)
        assert all(size < 1 << 20 for size in map(generate_nodes.size_of, maps.values()))
        applied = [generate_nodes.applied_size(generate_nodes.yaml_file(f"{cluster.out}/{name}.yaml")) for name in maps]
        assert max(applied) <= 256 << 10, applied
        written = {node: text.split() for data in maps.values() for node, text in data.items()}
        assert written == cluster.blocks and sum(map(len, maps.values())) == count
        names = ["delegated-ipam-nodes", *(f"delegated-ipam-nodes-{i}" for i in range(2, len(maps) + 1))]
        assert sorted(maps) == sorted(names) and (len(maps) > 1) == (count > 300)
        with open(f"{cluster.out}/cilium.conflist") as file:
            conflist = json.load(file)
        assert ipam_of(conflist)["rangesFrom"] == {"nodesDir": "/etc/x/nodes"}
        document = generate_nodes.yaml_file(f"{cluster.out}/cni-configuration.yaml")
        assert json.loads(document["data"]["cni-config"]) == conflist
        pod = installer_pod("--nodes", cluster.file)
        sources = pod["volumes"][1]["projected"]["sources"]
        assert [one["configMap"]["name"] for one in sources] == names, sources


def installer_pod(*arguments, stdin=""):
    made = tool.must("generate", "installer", *arguments, "--nodes-dir", "/etc/x/nodes", stdin=stdin)
    return yaml.safe_load(made)["spec"]["template"]["spec"]


def installer_of_nodes():
    """The installer's pods are others exactly when a node's ranges are: only then the DaemonSet makes new ones."""
    def of(*pairs):
        pod = installer_pod("--nodes", "-", stdin=json.dumps(generate_nodes.nodes(*pairs)))
        *arguments, option, checksum = pod["initContainers"][0].pop("args")
        assert option == "--nodes-checksum"
        return checksum, arguments, pod
    one, two = ("a", "10.1.0.0/24", "fd00:1::/64"), ("b", "10.2.0.0/24")
    first = of(one, two)
    text = '{"a":["10.1.0.0/24","fd00:1::/64"],"b":["10.2.0.0/24"]}'
    assert first[0] == hashlib.sha256(text.encode()).hexdigest(), first
    assert of(two, one) == first, "the order of the nodes is nobody's business"
    others = [of(one), of(one, two, ("c", "10.3.0.0/24")), of(one, ("b", "10.4.0.0/24")), of(("a", "10.1.0.0/24"), two)]
    assert len({first[0], *(other[0] for other in others)}) == 5, others
    assert all(other[1:] == first[1:] for other in others), "something else is another's too"
    named = installer_pod("--nodes-config-map", "delegated-ipam-nodes")
    assert (named["initContainers"][0].pop("args"), named) == first[1:], "without a list it is as it was"


def memory():
    """10 000 nodes with all that kubectl tells of them: the whole text is larger than what is allowed."""
    with generate_nodes.Cluster(10_000, details=15_000) as cluster:
        size = os.path.getsize(cluster.file) >> 20
        seconds = []
        for more in (["--nodes-dir", "/etc/x/nodes"], []):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            tool.must("generate", "bridge", "--nodes", cluster.file, "--out", cluster.out, *more)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        peak = generate_nodes.peak_memory_mib(["generate", "bridge", "--nodes", cluster.file, "--out", cluster.out])
        print(f"# 10 000 nodes, {size} MiB of JSON: {seconds[0]:.2f} s of a processor to ConfigMaps, {seconds[1]:.2f} s "
              f"to a conflist a node, at most {peak} MiB")
        assert size > 140 and peak < 200


def standard_input():
    with generate_nodes.Cluster(3) as cluster:
        with open(cluster.file) as file:
            text = file.read()
        tool.must("generate", "ptp", "--nodes", "-", "--out", cluster.out, stdin=text)
        assert len(os.listdir(cluster.out)) == 3
        single = json.dumps(json.loads(text)["items"][0])
        shutil.rmtree(cluster.out)
        os.mkdir(cluster.out)
        tool.must("generate", "ptp", "--nodes", "-", "--out", cluster.out, stdin=single)
        assert len(os.listdir(cluster.out)) == 1


def refused(arguments, words, stdin):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/list.json", "w") as file:
            file.write("[1]")
        filled = [one.replace("@OUT@", folder) for one in arguments]
        line = tool.refused("generate", *filled, stdin=stdin if isinstance(stdin, str) else json.dumps(stdin))
        assert line.startswith(f"delegated-ipam generate {arguments[0]}: ") and len(line) < 1200, line
        missing = [word for word in words if word not in line]
        assert not missing, f"{missing} not in: {line}"
        assert os.listdir(folder) == ["list.json"], "something was written"


def misspelt():
    for words, place, text in (
            (["generat", "flannel"], "", '"generat" is no command; the commands are status, '),
            (["generate", "flanel"], " generate", '"flanel" is no command; the commands are flannel, cilium, '),
            (["generate", "--subnets", "x"], " generate", '"--subnets" is no option; the commands are flannel, ')):
        line = tool.refused(*words)
        assert line.startswith(f"delegated-ipam{place}: {text}"), line


TESTS = [
    *((f"{network}: a pod gets an address of each family, and keeps it", one_node, network)
      for network in ("bridge", "ptp", "cilium")),
    ("flannel: ipam beside Flannel's delegate; exclude and pins hold within the ranges that it gives", flannel),
    ("ranges from subnet.env, a folder of nodes, YurtHub", ranges_from),
    ("slices of one LAN, a part for each node", slices),
    ("a drop-in plugin for a list of CNI 1.1", drop_in),
    ("Cilium's values by its version", cilium_versions),
    ("folders, excluded addresses, pins and version are what was asked for", places_and_policies),
    ("another IPAM plugin with its own block", another_plugin),
    ("containerd's template, filled in, is the node's conflist", containerd_template),
    ("--out writes the same, by rename", to_a_file),
    ("a misspelt command is named, with those that there are", misspelt),
    ("a conflist a node: every node, its own ranges, no address twice", per_node, 300),
    ("one conflist and a ConfigMap: every node, its own ranges", shared, 300),
    ("names that are long, in a cluster that is large: as many ConfigMaps as can be applied", shared, 4000, 240),
    ("10 000 nodes: so many of them", shared, 10_000),
    ("the installer's pods are others when a node's ranges are", installer_of_nodes),
    ("10 000 nodes in at most 200 MiB", memory),
    ("nodes from standard input, and a single one", standard_input),
    *((f"refused: {' '.join(arguments)}: {words[0]}", refused, arguments, words, stdin)
      for arguments, words, stdin in REFUSED),
]


if __name__ == "__main__":
    tap.main("generate", TESTS, lambda: require(BINARY), sandbox.enter)
