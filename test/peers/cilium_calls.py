"""What cilium-cni does with the product in each command, and in each version of the configuration."""
import os
from functools import partial

import nsmount
from cilium_node import DUAL, POD
from fake_cilium import ROUTER4, ROUTER6, Agent

SIX = [DUAL[1]]


def life(version, at):
    with at(version=version) as node:
        made = node.sandbox()
        assert node.add(made) == ["10.9.0.2"]
        assert made.result["cniVersion"] == version
        assert made.links() == {"eth0": {"10.9.0.2/32"}}, made.links()
        node.node.assert_in_use({made.container_id: ["10.9.0.2"]})
        node.must("DEL", made)
        assert made.links() == {} and node.agent.endpoints == {}
        assert node.called() == [("ADD", made.container_id), ("DEL", made.container_id)]
        assert node.node.bindings()["10.9.0.2"].owner == POD
        node.up("default/stranger")
        assert node.up()[1] == ["10.9.0.2"]


def endpoint(at):
    with at(DUAL, agent=Agent(router6=ROUTER6)) as node:
        made = node.sandbox(uid="uid-7")
        node.add(made)
        request, = node.agent.puts(made.container_id)
        expected = {
            "addressing": {"ipv4": "10.9.0.2/24", "ipv6": "fd00:9::2/64"}, "container-id": made.container_id,
            "container-interface-name": "eth0", "datapath-configuration": {"external-ipam": True},
            "k8s-namespace": "default", "k8s-pod-name": "web-0", "k8s-uid": "uid-7", "state": "waiting-for-identity",
            "sync-build-endpoint": True}
        assert {key: request.get(key) for key in expected} == expected, request
        assert request["interface-name"] in node.links(), (request, node.links())


def gateways(at):
    """cilium-cni tells the runtime the agent's router, whatever gateway we answer."""
    with at([[{"subnet": "10.9.0.0/24", "gateway": "10.9.0.254"}]]) as node:
        made, _ = node.up()
        told = [(ip["address"], ip["gateway"]) for ip in made.result["ips"]]
        assert told == [("10.9.0.1/32", ROUTER4)], told


def dual_stack(at):
    with at(DUAL, agent=Agent(router6=ROUTER6)) as node:
        made, got = node.up()
        assert got == ["10.9.0.2", "fd00:9::2"]
        assert made.links() == {"eth0": {"10.9.0.2/32", "fd00:9::2/128"}}, made.links()
        node.must("DEL", made)
        node.up("default/stranger")
        assert node.up()[1] == got


def family_of_nobody(at):
    """The agent has no IPv6: the pod gets IPv4 only, and its DEL frees both addresses."""
    with at(DUAL) as node:
        made, got = node.up()
        assert got == ["10.9.0.2"] and made.links() == {"eth0": {"10.9.0.2/32"}}
        assert node.agent.puts(made.container_id)[0]["addressing"] == {"ipv4": "10.9.0.2/24"}
        node.node.assert_in_use({made.container_id: ["10.9.0.2", "fd00:9::2"]})
        node.must("DEL", made)
        node.check_free(got)


def family_filtered(at):
    with at(DUAL, ipFamilies=["IPv4"]) as node:
        made, got = node.up()
        assert got == ["10.9.0.2"]
        node.node.assert_in_use({made.container_id: got})


def no_family_left(at):
    with at(SIX) as node:
        made = node.sandbox()
        error = node.refused("ADD", made)
        assert "neither IPv4 nor IPv6" in error["msg"], error
        assert node.called() == [("ADD", made.container_id), ("DEL", made.container_id)]
        node.node.assert_in_use({})
        assert made.links() == {} and node.agent.endpoints == {}


def check(at):
    with at() as node:
        made, got = node.up()
        node.must("CHECK", made)
        assert node.called() == [("ADD", made.container_id)]  # cilium-cni does not pass CHECK on
        node.node.assert_in_use({made.container_id: got})


def status(at):
    with at(version="1.1.0") as node:
        done = node.must("STATUS")
        assert done.stdout == "" and node.agent.requests[-1].path == "/healthz"
        os.makedirs(node.node.data_dir)
        nsmount.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", node.node.data_dir)
        try:
            error = node.refused("STATUS")
        finally:
            nsmount.run("umount", node.node.data_dir)
        assert error["code"] == 50 and node.node.data_dir in error["msg"], error
        node.must("STATUS")


def collect(at):
    """cilium-cni answers GC itself: nothing reaches us, and nothing is lost."""
    with at(version="1.1.0") as node:
        made, got = node.up()
        node.must("GC", conf={**node.conf(), "cni.dev/valid-attachments": []})
        assert node.called() == [("ADD", made.container_id)]
        node.node.assert_in_use({made.container_id: got})


def exhausted(at):
    with at([[{"subnet": "10.9.0.0/30"}]]) as node:
        node.up()
        made = node.sandbox("default/web-1")
        error = node.refused("ADD", made)
        assert "no IP addresses available in range set" in error["msg"], error
        assert node.called()[1:] == [("ADD", made.container_id)]  # and no DEL: there was nothing to give back
        node.must("DEL", made)
        assert len(node.node.attachments()) == 1


OLD = [(f"ADD and DEL with a configuration of version {version}", partial(life, version))
       for version in ("0.3.1", "0.4.0", "1.0.0")] + [
    ("the agent is told the pod and our addresses, and that it must never release them", endpoint),
    ("the pod's gateway is the agent's router, not ours", gateways),
    ("dual stack: both addresses on the pod's link, and both again after DEL and ADD", dual_stack),
    ("IPv6 offered while the agent has none: the pod is up with IPv4, and DEL frees both", family_of_nobody),
    ("with ipFamilies no address is taken that the agent would skip", family_filtered),
    ("no family that the agent has: refused, and the roll-back DEL frees the address", no_family_left),
    ("CHECK is answered by cilium-cni and the agent alone", check),
    ("no address is left: our message reaches the runtime", exhausted),
]
NEW = [
    ("ADD and DEL with a configuration of version 1.1.0", partial(life, "1.1.0")),
    ("GC is answered by cilium-cni alone", collect),
    ("STATUS reaches us: success, and our code 50 with the reason when no ADD can work", status),
]
