"""What the suites about one ADD of a plugin of its own share: nodes, and what must be true after the ADD.

Use it inside sandbox.enter() or world.enter().
"""
import contextlib
import os

from ledger import DelegatedNode
from race import wait_until

HOME = "/var/lib/cni/delegate"
_count = 0


def new_node(**ipam):
    """A node of its own for a test; its network bears the test's number."""
    global _count
    _count += 1
    return DelegatedNode(f"{HOME}/{_count}", **ipam)


def add(node, **more):
    """ADD of c1, which may fail."""
    return node.call("ADD", "c1", version="1.1.0", **more)


def processes():
    """The ids of all processes of this world, those included that nobody has collected."""
    return {int(entry) for entry in os.listdir("/proc") if entry.isdigit()}


@contextlib.contextmanager
def nobody_left(spared=frozenset):
    """After the with block the same processes must run as before, and those in spared()."""
    before = processes()
    yield
    expected = before | set(spared())
    wait_until(lambda: processes() == expected, lambda: f"processes {processes()}, expected {expected}")


def assert_leased(node, done):
    """The ADD succeeded and its lease is there."""
    assert done.exit == 0 and len(done.addresses) == 1, done
    assert node.ledger.leases() == {done.addresses[0]: "c1"} and node.journal() == 0
    assert node.ledger.commands() == ["ADD c1"]


def assert_rolled_back(node, done, code=999, part=""):
    """The ADD failed with this code, and its lease was freed."""
    assert done.exit == 1 and done.json["code"] == code and part in done.json["msg"], done
    assert node.ledger.leases() == {} and node.journal() == 0, (node.ledger.leases(), node.journal())
    assert node.ledger.commands() == ["ADD c1", "DEL c1"]
