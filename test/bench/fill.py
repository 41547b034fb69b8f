"""Fills a network with reservations as if its pods had come one by one, only faster.

The first pod is added by the plugin itself; what it left (stamp, binding, hint: allocator/store/README.md) is then
written once more for each other pod with that pod's names in it. For host-local there are only its own files.
"""
import hashlib
import ipaddress
import os
import re

from node import STAMP
from plugin import BINARY

FIRST = "first-of-all"  # in names and targets nothing else looks like it
NAMESPACE = "shop"
DEAD_BOOT = "00000000-1111-4222-8333-444444444444"


def pod(number):
    return f"{NAMESPACE}/{_name(number)}"


def container(number):
    """A container ID as runtimes make them."""
    return hashlib.sha256(f"filled {number}".encode()).hexdigest()


def _name(number):
    return FIRST if number == 0 else f"filled-{number}"


class Addresses:
    """The addresses that pods 0, 1, 2... get in an IPv4 subnet from its second one on; every `gap`-th is left out."""

    def __init__(self, subnet, gap=0):
        self._base = int(ipaddress.ip_network(subnet)[2])
        self._gap = gap

    def __getitem__(self, number):
        left_out = number // (self._gap - 1) if self._gap else 0
        return str(ipaddress.ip_address(self._base + number + left_out))


def fill(node, count, addresses, held=0):
    """Make `count` reservations, and `held` more whose pods are gone; the last one in use is where the round robin goes
    on. node: fresh, see node.Node; of what it runs only our own binary leaves records."""
    if count == 0:
        assert held == 0, "who is gone was there"
        os.makedirs(node.network_dir)
        return
    if node.binary != BINARY or not node.ipam.get("inProcess", True):
        os.makedirs(node.network_dir)
        _write_files(node, range(count), addresses, None)
    else:
        given = node.add(container(0), pod(0))
        assert given == [addresses[0]], f"the first address is {given}, expected {addresses[0]}"
        template = _Template(node, addresses[0])
        _write_files(node, range(1, count), addresses, template)
        template.write_records(range(1, count + held), addresses, count)
    with open(os.path.join(node.network_dir, "last_reserved_ip.0"), "w") as file:
        file.write(addresses[count - 1])


def _write_files(node, numbers, addresses, template):
    folder = os.open(node.network_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number in numbers:
            descriptor = os.open(addresses[number], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
            os.write(descriptor, f"{container(number)}\r\neth0".encode())
            if template:
                os.setxattr(descriptor, STAMP, template.stamp(container(number)))
            os.close(descriptor)
    finally:
        os.close(folder)


class _Template:
    """What the first pod's ADD has left."""

    def __init__(self, node, address):
        self._address = address
        self._stamp = os.getxattr(os.path.join(node.network_dir, address), STAMP)
        assert self._stamp.count(_hash(container(0))) == 1, self._stamp
        self._records = {os.path.join(node.state_dir, path): target for path, target in node.records().items()
                         if FIRST in path or FIRST in target}
        assert len(self._records) == 2, f"a binding and a hint, not {self._records}"

    def stamp(self, container_id):
        return self._stamp.replace(_hash(container(0)), _hash(container_id))

    def write_records(self, numbers, addresses, in_use):
        """Bindings and hints; from the number in_use on those of held addresses, in the order of their DELs."""
        whole = re.compile(rf"(?<![\d.]){re.escape(self._address)}(?![\d.])|{FIRST}")
        for number in numbers:
            other = {self._address: addresses[number], FIRST: _name(number)}
            for path, target in self._records.items():
                folder, name = os.path.split(path)
                target = whole.sub(lambda found: other[found[0]], target)
                name = re.sub(rf"{re.escape(self._address)}$|{FIRST}", lambda found: other[found[0]], name)
                if name.startswith("ip.") and number >= in_use:
                    fields = target.split("~")
                    fields[5] = str(number - in_use + 1)  # the sequence number of its DEL
                    target = "~".join(fields)
                os.symlink(target, os.path.join(folder, name))


def _hash(container_id):
    return hashlib.sha256(container_id.encode()).hexdigest()[:16].encode()


def make_dead(node, address):
    """The attachment of this address is of another boot from now on, as far as anybody can tell."""
    path = os.path.join(node.network_dir, address)
    fields = os.getxattr(path, STAMP).split(b"~")
    fields[1] = DEAD_BOOT.encode()
    os.setxattr(path, STAMP, b"~".join(fields))
