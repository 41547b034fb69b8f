"""The article's configuration: its faults are named, the corrected one works, and it works as it stands as well."""
import json
import os

import corpus
import plugin

SNIPPET = os.path.join(corpus.HERE, "corpus/article.conf")


def stdin_of(conflist):
    """What the runtime gives to the first plugin of a list."""
    return {**conflist["plugins"][0], "name": conflist["name"], "cniVersion": conflist["cniVersion"]}


def lives(stdin, prefix):
    """A pod is added, deleted, and gets its address again in a new sandbox; nothing is left in use."""
    def call(verb, container):
        args = plugin.pod_args("shop", "web-0", "uid-0", container)
        return plugin.run(plugin.BINARY, plugin.environment(verb, container, args=args), stdin)
    first = call("ADD", "c-1")
    assert first.exit == 0 and len(first.addresses) == 1 and first.addresses[0].startswith(prefix), first
    assert first.json["cniVersion"] == "0.3.1" and first.json["ips"][0]["version"] == "4", first
    assert call("DEL", "c-1").exit == 0
    again = call("ADD", "c-2")
    assert again.addresses == first.addresses, (first, again)
    assert call("DEL", "c-2").exit == 0
    return first.addresses[0]


def works_as_it_stands():
    """Its dataDir is joined with the name, as host-local does it."""
    with open(SNIPPET) as file:
        snippet = json.load(file)
    address = lives(snippet, "10.244.")
    folder = "/var/lib/cni/networks/cilium/cilium"
    assert os.path.exists(f"{folder}/last_reserved_ip.0") and not os.path.exists(f"{folder}/{address}")


def faults_are_named():
    status, _, stderr = corpus.run(SNIPPET)
    assert status == 1
    for words in ("a single conf", "10.244.0.0/16 is more than one node's share",
                  "addresses are kept in /var/lib/cni/networks/cilium/cilium"):
        assert words in stderr, f"{words!r} is not in {stderr}"


def corrected_works():
    stdout = corpus.run("--subnet", "10.244.3.0/24", SNIPPET)[1]
    conflist = json.loads(stdout)
    ipam = conflist["plugins"][0]["ipam"]
    assert ipam == {"type": "delegated-ipam",
                    "delegate": {"type": "host-local", "ranges": [[{"subnet": "10.244.3.0/24"}]],
                                 "dataDir": "/var/lib/cni/networks"}}, ipam
    lives(stdin_of(conflist), "10.244.3.")
    assert os.path.exists("/var/lib/cni/networks/cilium/last_reserved_ip.0")


def corrected_for_all_nodes_works():
    """Without a subnet the corrected one finds each node's own in the folder that the installer fills."""
    conflist = json.loads(corpus.run(SNIPPET)[1])
    source = conflist["plugins"][0]["ipam"]["rangesFrom"]
    assert source == {"nodesDir": "/etc/cni/delegated-ipam/nodes"}, source
    folder = "/run/nodes"
    os.makedirs(folder)
    with open(f"{folder}/{os.uname().nodename}", "w") as file:
        file.write("10.244.9.0/24\n")
    source["nodesDir"] = folder
    conflist["name"] = "everywhere"
    lives(stdin_of(conflist), "10.244.9.")


def run(suite):
    suite.run("the article's snippet: its three faults are named", faults_are_named)
    suite.run("the article's snippet: works as it stands, as the plugin", works_as_it_stands)
    suite.run("the article's snippet: corrected with this node's subnet it works", corrected_works)
    suite.run("the article's snippet: corrected for all nodes it works", corrected_for_all_nodes_works)
