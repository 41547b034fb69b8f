"""What can be configured on top of the ranges that Flannel forces on its address plugin."""
import os

from flannel_node import FIRST, FIRST6, SUBNET_FILE

ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
OUTSIDE = [[{"subnet": "10.244.0.0/16"}]]


def exclude_and_pins(at):
    """Excluded addresses are never handed out, pinned ones only to their pod; a pin of another node is ignored."""
    pins = {"default/dns": ["10.244.1.10"], "default/elsewhere": ["10.244.9.10"]}
    with at(exclude=["10.244.1.2-10.244.1.8"], pins=pins) as node:
        assert [node.up(f"default/web-{number}")[1] for number in range(2)] == [["10.244.1.9"], ["10.244.1.11"]]
        pinned, got = node.up("default/dns")
        assert got == ["10.244.1.10"] and pinned.links() == {"eth0": {"10.244.1.10/24"}}
        assert node.up("default/elsewhere")[1] == ["10.244.1.12"]
        node.reboot(FIRST)
        assert node.up("default/web-1")[1] == ["10.244.1.11"] and node.up("default/dns")[1] == got


def narrowed(at):
    """Ranges inside `delegate` that lie in Flannel's subnet narrow it."""
    inner = {"subnet": "10.244.1.0/24", "rangeStart": "10.244.1.100", "rangeEnd": "10.244.1.101"}
    with at(delegate={"type": "host-local", "ranges": [[inner]]}) as node:
        made, got = node.up()
        assert got == ["10.244.1.100"] and made.links() == {"eth0": {"10.244.1.100/24"}}
        assert node.up("default/web-1")[1] == ["10.244.1.101"]
        assert "no IP addresses available" in node.refused("ADD", node.sandbox("default/web-2"))
        node.must("DEL", made)
        node.reboot(FIRST)
        assert node.up()[1] == got


def outside(at):
    """Ranges inside `delegate` that reach beyond Flannel's subnet are refused, both named; nothing is left."""
    with at() as node:
        there, got = node.up("default/there")
        node.configure_ipam(delegate={"type": "host-local", "ranges": OUTSIDE})
        made = node.sandbox()
        error = node.refused("ADD", made)
        assert "10.244.0.1-10.244.255.254 is not inside" in error and "10.244.1.1-10.244.1.254" in error, error
        node.must("DEL", made)
        node.node.assert_in_use({there.container_id: got})
        node.configure_ipam(delegate={"type": "host-local"})
        assert node.up()[1] == ["10.244.1.3"]


def in_the_wrong_place(at):
    """`ipam` inside Flannel's own `delegate` is refused by Flannel; nobody reaches us."""
    with at() as node:
        node.configure(delegate={"ipam": {"type": "delegated-ipam"}})
        assert "must not have 'ipam' field" in node.refused("ADD", node.sandbox())
        assert node.called() == []


def stray_subnet(at):
    """`subnet` beside the ranges: host-local allocates from it first, and so do we, but with a warning. bridge then
    has two gateways for one bridge, and refuses.
    """
    for kind in ("host-local", "delegated-ipam"):
        with at(type=kind, subnet="192.0.2.0/24") as node:
            made = node.sandbox()
            assert "already has an IP address different from" in node.refused("ADD", made)
            node.must("DEL", made)
            node.node.assert_in_use({})
            assert ("touches none of them" in node.log()) == (kind == "delegated-ipam"), node.log()


def users_routes(at):
    """The user's routes come first, then Flannel's; both reach the pod."""
    with at(routes=[{"dst": "192.0.2.0/24", "gw": "10.244.1.1"}]) as node:
        made, _ = node.up()
        assert [route["dst"] for route in made.result["routes"]][:2] == ["192.0.2.0/24", "10.244.0.0/16"], made.result


def annotations(at):
    """A pod's annotations come to us through Flannel: the address that it asks for, and that nothing be held."""
    with at() as node:
        node.configure(capabilities={ANNOTATIONS: True})
        asking = {ANNOTATIONS: {"delegated-ipam.io/ips": "10.244.1.77", "delegated-ipam.io/retain": "false"}}
        made, got = node.up(capabilities=asking)
        assert got == ["10.244.1.77"]
        node.must("DEL", made, capabilities=asking)
        assert node.node.bindings() == {}
        plain, other = node.up(capabilities={ANNOTATIONS: {}})
        assert other != got
        node.must("DEL", plain, capabilities={ANNOTATIONS: {}})
        assert list(node.node.bindings()) == other


def requested(at):
    """`runtimeConfig.ips` comes through Flannel, one address of each family."""
    with at(FIRST, FIRST6, version="0.4.0") as node:
        node.configure(capabilities={"ips": True})
        wanted = ["10.244.1.40", "fd00:244:0:1::40"]
        assert node.up(capabilities={"ips": wanted})[1] == wanted


def executed_host_local(at):
    """The newest host-local as an executed delegate gets Flannel's ranges, and keeps the pods' addresses."""
    with at(inProcess=False) as node:
        first, got = node.up()
        second, other = node.up("default/web-1")
        node.reboot(FIRST)
        for made, pod, address in ((second, "default/web-1", other), (first, "default/web-0", got)):
            node.must("DEL", made)
            assert node.up(pod)[1] == address
        os.unlink(f"{node.path}/host-local")
        assert 'failed to find plugin "host-local"' in node.refused("ADD", node.sandbox("default/web-2"))


def without_flannel(at):
    """The same subnet.env read by us, under bridge alone, keeps the last good copy while the file is gone."""
    with at(rangesFrom={"subnetFile": SUBNET_FILE}) as node:
        made, got = node.up()
        node.must("DEL", made)
        node.configure(type="bridge", delegate=None, dataDir=None)
        first, address = node.up()
        assert address == got
        node.reboot()
        node.must("DEL", first)
        assert node.up()[1] == got


def several_networks(at):
    """This Flannel does not know several networks in subnet.env, and nobody reaches us; we read that file."""
    with at(rangesFrom={"subnetFile": SUBNET_FILE}) as node:
        node.lease(FIRST, networks="10.244.0.0/16,10.250.0.0/16")
        assert "invalid CIDR address: 10.244.0.0/16,10.250.0.0/16" in node.refused("ADD", node.sandbox())
        assert node.called() == []
        node.configure(type="bridge", delegate=None, dataDir=None)
        assert node.up()[1] == ["10.244.1.2"]


CASES = [
    ("exclude and pins hold on top of Flannel's ranges", exclude_and_pins),
    ("ranges inside `delegate` narrow Flannel's subnet", narrowed),
    ("ranges inside `delegate` that reach beyond Flannel's subnet are refused, both named", outside),
    ("`ipam` inside Flannel's `delegate` is refused by Flannel itself", in_the_wrong_place),
    ("a stray `subnet` is allocated from, as by host-local, but with a warning; bridge refuses", stray_subnet),
    ("the user's routes come before Flannel's", users_routes),
    ("a pod's annotations come through Flannel", annotations),
    ("requested addresses of both families come through Flannel", requested),
    ("the newest host-local as an executed delegate keeps addresses over a reboot", executed_host_local),
    ("away from Flannel: bridge alone, with the same subnet.env, keeps the addresses", without_flannel),
    ("several networks in subnet.env: refused by this Flannel, read by us", several_networks),
]
