"""The configurations that people give Cilium's plugin: the article's, one for all nodes, and ones with delegates."""
import contextlib
import json
import os
import subprocess

import nsmount
import peers
from cilium_node import POD
from fake_cilium import Agent
from tap import Skip

ARTICLE = {
    "cniVersion": "0.3.1", "name": "cilium", "type": "cilium-cni",
    "ipam": {"type": "delegated-ipam", "delegate": {
        "type": "host-local", "ranges": [[{"subnet": "10.244.0.0/16"}]], "dataDir": "/var/lib/cni/networks/cilium"}}}
ARTICLE_FOLDER = "/var/lib/cni/networks/cilium/cilium"
STATE = ("/var/lib/cni", "/var/lib/delegated-ipam")

# A delegate that knows about uplinks, and writes down what it is asked for.
CLOUD = """#!/bin/sh
echo "$CNI_COMMAND" >>{folder}/asked
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{{"cniVersion": "1.0.0", "interfaces": [{{"name": "{uplink}"}}],
  "ips": [{{"address": "10.9.0.7/24", "gateway": "10.9.0.1", "interface": 0}}]}}'
"""


def article(at):
    """The article's configuration as it stands: reboot, and the pod has its address again."""
    with at() as node, fresh_state():
        made, got = node.up(conf=ARTICLE)
        assert got == ["10.244.0.2"] and made.links() == {"eth0": {"10.244.0.2/32"}}
        assert owners(ARTICLE_FOLDER) == {"10.244.0.2": made.container_id}
        node.reboot()
        node.up("default/stranger", conf=ARTICLE)
        node.must("DEL", made, conf=ARTICLE)
        assert node.up(conf=ARTICLE)[1] == got


def article_by_libcni(file_name, conflist, at):
    """The same through the newest libcni, which finds the configuration by its name."""
    tool = cnitool()
    with at() as node, fresh_state():
        folder = f"{node.node.home}/net.d"
        os.makedirs(folder)
        with open(f"{folder}/{file_name}", "w") as file:
            json.dump(conflist, file)
        os.symlink(node.binary, f"{node.path}/cilium-cni")
        first, second = node.sandbox(), node.sandbox()
        for made in (first, second):  # the pod's next sandbox gets the same address
            done = by_libcni(tool, node, "add", folder, made)
            assert [ip["address"] for ip in json.loads(done)["ips"]] == ["10.244.0.2/32"], done
            assert made.links() == {"eth0": {"10.244.0.2/32"}}
            by_libcni(tool, node, "del", folder, made)
            assert made.links() == {} and owners(ARTICLE_FOLDER) == {}


def article_single(at):
    article_by_libcni("05-cilium.conf", ARTICLE, at)


def article_wrapped(at):
    outer = {key: ARTICLE[key] for key in ("cniVersion", "name")}
    inner = {key: ARTICLE[key] for key in ("type", "ipam")}
    article_by_libcni("05-cilium.conflist", {**outer, "plugins": [inner]}, at)


def per_node(at):
    """One configuration for all nodes: each takes its ranges from a folder that has a file for every node."""
    ranges = {"edge-a": "10.9.1.0/24", "edge-b": "10.9.2.0/24"}
    for name, subnet in ranges.items():
        with at() as node, fresh_state():
            nodes = f"{at.folder}/nodes-{at.peer}"
            os.makedirs(nodes, exist_ok=True)
            with open(f"{nodes}/{name}", "w") as file:
                file.write(f"{subnet}\n")
            conf = {**ARTICLE, "ipam": {"type": "delegated-ipam", "rangesFrom": {"nodesDir": nodes}}}
            made, got = node.up(conf=conf, env={"NODE_NAME": name})
            assert got == [subnet.replace("0/24", "2")], got
            node.must("DEL", made, conf=conf, env={"NODE_NAME": name})
            assert node.up(conf=conf, env={"NODE_NAME": name})[1] == got


def every_key(at):
    """cilium-cni reads the same `ipam` object into its own types: none of our keys may be one that it chokes on.

    `rangesFrom` is per_node's: beside ranges it is an error.
    """
    keys = {
        "retain": {"requireSameUID": True, "exclude": ["batch/*"]}, "exclude": ["10.9.0.2-10.9.0.9"],
        "pins": {POD: ["10.9.0.20"]}, "ipFamilies": ["IPv4"],
        "onDuplicate": "error", "durability": "none", "timeoutSeconds": 20, "keepInterfaces": True, "inProcess": True,
        "logLevel": "debug", "logOptions": {"maxSize": 1, "maxBackups": 1}, "routes": [{"dst": "0.0.0.0/0"}]}
    with at(**keys) as node:
        made, got = node.up()
        assert got == ["10.9.0.20"]
        assert node.up("default/web-1")[1] == ["10.9.0.10"]
        node.must("DEL", made)
        assert node.up()[1] == got


def cloud_node(at, uplink, agent=None, **ipam):
    """A node whose delegate names this uplink in its result."""
    node = at(agent=agent, delegate={"type": "cloud"}, **ipam)
    os.makedirs(node.path)
    with open(f"{node.path}/cloud", "w") as file:
        file.write(CLOUD.format(folder=node.path, uplink=uplink))
    os.chmod(f"{node.path}/cloud", 0o755)
    return node


def asked(node):
    with open(f"{node.path}/asked") as file:
        return file.read().split()


def uplink_dropped(at):
    """By default the delegate's interfaces do not reach cilium-cni, which would refuse the pod for this one."""
    with cloud_node(at, "no-such-link") as node:
        made, got = node.up()
        assert got == ["10.9.0.7"] and made.links() == {"eth0": {"10.9.0.7/32"}}


def uplink_unknown(at):
    """Passed on, an uplink that does not exist fails the pod, and the delegate gets its DEL."""
    with cloud_node(at, "no-such-link", keepInterfaces=True) as node:
        error = node.refused("ADD", node.sandbox())
        assert "no-such-link" in error["msg"], error
        assert asked(node)[-2:] == ["ADD", "DEL"], asked(node)


def uplink_kept(at):
    """Passed on, the uplink's routes are installed on the node."""
    with cloud_node(at, "up0", Agent(installUplinkRoutesForDelegatedIPAM=True), keepInterfaces=True) as node:
        node.ip("link", "add", "up0", "type", "veth", "peer", "name", "wire")
        node.ip("link", "set", "up0", "up")
        _, got = node.up()
        assert got == ["10.9.0.7"]
        rules = [rule for rule in node.rules() if "10.9.0.7" in (rule.get("src"), rule.get("dst"))]
        assert rules, node.rules()
        routes = node.routes(rules[-1]["table"])
        assert {"10.9.0.1"} == {route["gateway"] for route in routes if "gateway" in route}, routes


def newest_host_local(at):
    """With inProcess false the newest host-local is executed; the pod keeps its address over DEL and reboot."""
    with at(inProcess=False) as node:
        node.path += f":{os.path.dirname(node.newest('host-local'))}"
        made, got = node.up()
        assert got == ["10.9.0.2"] and made.links() == {"eth0": {"10.9.0.2/32"}}
        node.must("DEL", made)
        node.node.assert_in_use({})
        node.up("default/stranger")
        made = node.up()[0]
        assert made.links() == {"eth0": {f"{got[0]}/32"}}
        node.reboot()
        node.up("default/early")
        node.must("DEL", made)
        assert node.up()[1] == got


def moved_over(at):
    """Pods run under stock host-local; then only the type is changed, and the node reboots: all come back as before."""
    with at() as node:
        node.path += f":{os.path.dirname(node.newest('host-local'))}"
        stock = node.conf()
        stock["ipam"] = {"type": "host-local", "dataDir": node.node.data_dir, "ranges": node.node.ipam["ranges"]}
        before = {pod: node.up(pod, conf=stock) for pod in (POD, "default/web-1", "default/web-2")}
        node.reboot()
        node.up("default/stranger")
        for made, _ in before.values():
            node.must("DEL", made)
        for pod, (_, got) in reversed(before.items()):
            assert node.up(pod)[1] == got


@contextlib.contextmanager
def fresh_state():
    """For a with block: empty folders where the product keeps its state by default."""
    for path in STATE:
        nsmount.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
    try:
        yield
    finally:
        for path in STATE:
            nsmount.run("umount", path)


def owners(folder):
    """The address files of a network folder: {address: container ID}."""
    found = {}
    for name in os.listdir(folder):
        if name[0].isdigit():
            with open(f"{folder}/{name}", newline="") as file:
                found[name] = file.read().split("\r\n")[0]
    return found


def cnitool():
    try:
        path = peers.binary("cnitool")
    except LookupError:
        path = None
    if not path:
        raise Skip(f"needs cnitool: run {peers.BUILD}")
    return path


def by_libcni(tool, node, verb, folder, made):
    """Run cnitool for a sandbox; returns what it printed."""
    env, _ = node.request("ADD", made)
    env.update(NETCONFPATH=folder, PATH=os.environ["PATH"], CNI_ARGS=made.args)
    command = ["nsenter", f"--net={node.netns}", tool, verb, "cilium", made.netns]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{verb}: {done.stdout} {done.stderr}"
    return done.stdout


OLD = [
    ("the article's configuration as it stands keeps the address over a reboot", article),
    ("the article's configuration as a single file .conf, by the newest libcni", article_single),
    ("the article's configuration wrapped in a conflist, by the newest libcni", article_wrapped),
    ("one configuration for all nodes, its ranges from a folder with a file a node", per_node),
    ("cilium-cni reads the same object: each of our keys passes, and does what it says", every_key),
    ("a delegate's interfaces do not reach cilium-cni by default", uplink_dropped),
    ("the newest host-local as an executed delegate", newest_host_local),
    ("moved over from host-local with pods running: all keep their addresses over the reboot", moved_over),
]
NEW = [
    ("keepInterfaces: an uplink that does not exist fails the pod, and the delegate gets its DEL", uplink_unknown),
    ("keepInterfaces: the uplink's rules and routes are installed on the node", uplink_kept),
]
