"""Commands for one pod that are started and not waited for, on a node whose plugin has a ledger of leases."""
import contextlib
import os

from ledger import DelegatedNode
from race import Running, wait_until
from real_node import state_of

HOME = "/var/lib/cni/delegate-races"
POD = "shop/web-0"
LATER = ("unshare", "--time", "--boottime", "100", "--fork")  # 100 s later, for the product's clock


def node_at(name, **ipam):
    return DelegatedNode(os.path.join(HOME, name), **ipam)


def start(node, command, container_id="c1", **more):
    return Running(node.binary, *node.request(command, container_id, POD, **more))


@contextlib.contextmanager
def inside(node, command, where="before"):
    """A command that waits inside the plugin, through which others pass; gives it and its gate."""
    with node.ledger.gate(command, where) as gate:
        running = start(node, command)
        gate.wait_for()
        gate.close()
        yield running, gate


def locks_waited_for():
    """The ids of the processes that wait for a flock(2)."""
    with open("/proc/locks") as file:
        return {int(line.split()[5]) for line in file if " -> FLOCK " in line}


def is_at_lock(running):
    wait_until(lambda: running.pid in locks_waited_for(), "it does not wait for the other")


def has_ended(pid):
    """True if the process is no more, or only waits to be collected."""
    return state_of(pid) in ("Z", "X", "")
