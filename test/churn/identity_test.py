#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Which pods, interfaces and networks are told apart, however they are named, and where their records lie."""
import itertools
import os

import sandbox
import tap
from node import Node, fake_boots, new_boot
from plugin import BINARY, pod_args, require

HOME = "/var/lib/cni/identity"
RANGES = [[{"subnet": "10.9.0.0/24"}]]

# (namespace, pod) pairs that a careless key would mix up, or that would lead out of the folder.
ODD_NAMES = [
    ("a", "b_c"), ("a_b", "c"), ("a_b_c", "d"), ("a", "b_c_d"),
    ("a", "b~c"), ("a~b", "c"), ("a", "b@c"), ("a@b", "c"),
    ("a", "b/c"), ("a/b", "c"), ("a%2Fb", "c"), ("a", "b%2Fc"), ("a%", "2Fb"),
    ("a", "b\nc"), ("a\nb", "c"), ("a", "b%0Ac"), ("a", "b\\nc"),
    ("..", ".."), (".", "."), ("..", "../../../../escape"), ("/", "/etc/passwd"), ("a", "../a"),
    ("a", "b"), ("A", "b"), ("a", "B"), ("a", "b "), (" a", "b"), ("a", "b\t"),
    ("a", "ip.10.9.0.2"), ("pod.a", "b"), ("a", "b\x7f"), ("a", "b\x01"), ("\u00e4", "\u00f6"), ("a", "*"),
]


def comes_back(node, sandboxes):
    """All these (container ID, namespace, pod) start, stop and start again; each must have its own address again.

    Returns their addresses.
    """
    before = {}
    for container_id, namespace, pod in sandboxes:
        before[container_id] = node.add(container_id, args=pod_args(namespace, pod))
    assert len({address for got in before.values() for address in got}) == len(before), f"shared: {before}"
    for container_id, namespace, pod in sandboxes:
        node.delete(container_id, args=pod_args(namespace, pod))
    for container_id, namespace, pod in reversed(sandboxes):
        got = node.add(f"{container_id}-next", args=pod_args(namespace, pod))
        assert got == before[container_id], f"{namespace!r} {pod!r}: {before[container_id]}, then {got}"
    return before


def assert_contained(node):
    """The state folder has one folder of symbolic links, and the home nothing but networks and state."""
    assert sorted(os.listdir(node.home)) == ["networks", "state"], os.listdir(node.home)
    folders = os.listdir(node.state_dir)
    assert len(folders) == 1, f"state folder: {folders}"
    folder = os.path.join(node.state_dir, folders[0])
    odd = [name for name in os.listdir(folder) if not os.path.islink(os.path.join(folder, name))]
    assert not odd, f"not records: {odd}"
    node.assert_sound()


def odd_names():
    node = Node(os.path.join(HOME, "odd"), RANGES)
    sandboxes = [(f"c-{number}", *names) for number, names in enumerate(ODD_NAMES)]
    before = comes_back(node, sandboxes)
    assert_contained(node)
    owners = {address: (binding.namespace, binding.pod) for address, binding in node.bindings().items()}
    assert owners == {before[container_id][0]: (namespace, pod) for container_id, namespace, pod in sandboxes}


def long_names():
    """Keys over 200 bytes are hashed, over the whole name."""
    node = Node(os.path.join(HOME, "long"), RANGES)
    names = [(f"{'n' * 62}{a}", f"{'p' * 252}{b}") for a, b in itertools.product("xy", "xy")]
    names += [("n" * 63, "p" * length) for length in range(120, 150)]
    comes_back(node, [(f"c-{number}", *pair) for number, pair in enumerate(names)])
    assert_contained(node)
    assert all(len(os.path.basename(path)) <= 255 for path in node.records())


def long_interface_and_container():
    """The longest names that the protocol lets through."""
    node = Node(os.path.join(HOME, "longest"), RANGES)
    container_id = "c" * 200
    address = node.add(container_id, "shop/web-0", ifname="i" * 15)
    assert node.addresses_of(container_id, "i" * 15) == address
    node.delete(container_id, "shop/web-0", ifname="i" * 15)
    assert node.add("c-next", "shop/web-0", ifname="i" * 15) == address


def two_interfaces():
    """Each interface of a pod has its own address and keeps it, whichever comes up first."""
    node = Node(os.path.join(HOME, "interfaces"), RANGES)
    first = {ifname: node.add("c-1", "shop/web-0", ifname=ifname) for ifname in ("eth0", "net1")}
    assert first["eth0"] != first["net1"]
    node.delete("c-1", "shop/web-0", ifname="eth0")
    assert node.addresses_of("c-1", "net1") == first["net1"], "DEL of one interface released the other"
    node.delete("c-1", "shop/web-0", ifname="net1")
    new_boot()
    for ifname in ("net1", "eth0"):
        assert node.add("c-2", "shop/web-0", ifname=ifname) == first[ifname], ifname


def two_networks():
    """The same pod in two networks of one node: separate folders, separate records."""
    home = os.path.join(HOME, "networks")
    nodes = [Node(home, [[{"subnet": f"10.{number}.0.0/24"}]], name=f"net{number}") for number in (8, 9)]
    first = [node.add("c-1", "shop/web-0") for node in nodes]
    assert first == [["10.8.0.2"], ["10.9.0.2"]]
    nodes[0].delete("c-1", "shop/web-0")
    assert nodes[1].addresses_of("c-1") == first[1], "DEL in one network released the other"
    nodes[1].delete("c-1", "shop/web-0")
    for node in nodes:
        node.add("c-2", "shop/other")
    assert [node.add("c-3", "shop/web-0") for node in nodes] == first


def networks_in_one_range():
    """Two networks with the same addresses do not see each other, as with host-local."""
    home = os.path.join(HOME, "same-range")
    nodes = [Node(home, RANGES, name=name) for name in ("a-b", "a_b", "a.b")]
    assert [node.add("c-1", "shop/web-0") for node in nodes] == [["10.9.0.2"]] * 3
    nodes[0].delete("c-1", "shop/web-0")
    assert [len(node.attachments()) for node in nodes] == [0, 1, 1]


def namespaces():
    """Pods of one name in different namespaces are different pods."""
    node = Node(os.path.join(HOME, "namespaces"), RANGES)
    comes_back(node, [(f"c-{namespace}", namespace, "web-0") for namespace in ("a", "b", "c")])


def without_a_pod():
    """Callers that name no pod get plain allocation and leave no record."""
    node = Node(os.path.join(HOME, "plain"), RANGES)
    assert node.add("c-1") == ["10.9.0.2"]
    node.delete("c-1")
    assert node.add("c-1-next") == ["10.9.0.3"]
    assert node.add("c-2", args="IgnoreUnknown=1;K8S_POD_NAME=podman") == ["10.9.0.4"]
    assert node.bindings() == {}


def order_of_arguments():
    """Runtimes send the keys of CNI_ARGS in random order."""
    node = Node(os.path.join(HOME, "order"), RANGES)
    address = node.add("c-1", args="K8S_POD_NAME=web-0;IgnoreUnknown=1;K8S_POD_NAMESPACE=shop")
    node.delete("c-1", args="K8S_POD_UID=7;K8S_POD_NAMESPACE=shop;IgnoreUnknown=1;K8S_POD_NAME=web-0")
    node.add("c-2", "shop/other")
    assert node.add("c-3", args="IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0") == address


def delete_without_arguments():
    """A DEL that names no pod leaves the address held for the pod that the ADD had named."""
    node = Node(os.path.join(HOME, "anonymous"), RANGES)
    address = node.add("c-1", "shop/web-0")
    node.delete("c-1")
    node.add("c-2", "shop/other")
    assert node.add("c-3", "shop/web-0") == address


TESTS = [
    ("names with separators, slashes, escapes and newlines neither collide nor leave the folder", odd_names),
    ("names of 63 and 253 characters that differ in the last one are told apart", long_names),
    ("the longest interface name and a long container ID work", long_interface_and_container),
    ("two interfaces of a pod have their own addresses and keep them", two_interfaces),
    ("a pod in two networks has an address in each and keeps both", two_networks),
    ("networks with the same range do not see each other", networks_in_one_range),
    ("pods of one name in different namespaces are told apart", namespaces),
    ("a caller that names no pod gets plain allocation", without_a_pod),
    ("the order of the keys in CNI_ARGS does not matter", order_of_arguments),
    ("a DEL without CNI_ARGS still holds the address for its pod", delete_without_arguments),
]


if __name__ == "__main__":
    tap.main("identity", TESTS, sandbox.enter, fake_boots, lambda: require(BINARY))
