#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""ADD and DEL of a plugin of its own when a system call for processes fails: no descriptors, no memory, no processes.

Each such call fails once, by number. Afterwards no process may be left, and no lease that neither the caller nor the
journal knows of; the runtime's DEL heals what is left.
"""
import os

import tap
import trace
import world
from one_add import new_node, nobody_left
from plugin import BINARY, require

FAULTS = {
    "vfork": ("EAGAIN",), "pipe2": ("EMFILE",), "fcntl": ("EINVAL",), "pidfd_open": ("EMFILE",),
    "epoll_create1": ("EMFILE",), "timerfd_create": ("EMFILE",), "epoll_ctl": ("ENOMEM",), "poll": ("EINTR", "ENOMEM"),
    "wait4": ("EINTR", "ECHILD"), "read": ("EINTR",), "write": ("EINTR",),
}
ONLY = ("-e", f"trace={','.join(FAULTS)}")


def points(command):
    """Every (system call, number, error) of a command that goes well."""
    node = node_before(command)
    done, calls, _ = trace.run(BINARY, *node.request(command, "c1", version="1.1.0"), ONLY, follow=False)
    assert done.exit == 0, done
    counts = {}
    for call in calls:
        counts[call.name] = max(counts.get(call.name, 0), call.occurrence)
    node.remove()
    return [(name, number, error) for name, errors in FAULTS.items() for error in errors
            for number in range(1, counts.get(name, 0) + 1)]


def node_before(command):
    """A node on which the command has something to do."""
    node = new_node()
    if command == "DEL":
        node.add("c1", version="1.1.0")
    return node


def one_fails(command, name, number, error):
    """Returns whether the command failed as a whole; None when it made fewer such calls this time."""
    node = node_before(command)
    with nobody_left():
        request = node.request(command, "c1", version="1.1.0")
        done, _, text = trace.inject(BINARY, *request, name, number, f"error={error}", follow=False)
    if "(INJECTED)" not in text:
        assert done.exit == 0, done
        return None
    if done.exit == 0:
        assert_done(node, command, done)
    else:
        assert done.exit == 1 and done.json["code"] in (4, 5, 11, 999) and done.json["msg"], done
        assert len(node.ledger.leases()) <= node.journal() + len(known(node)), "a lease that nobody knows of"
    node.delete("c1", version="1.1.0")
    assert node.ledger.leases() == {} and node.journal() == 0
    node.remove()
    return done.exit != 0


def known(node):
    """The acknowledged attachments of the node."""
    folder = f"{node.runtime_folder()}/attachments"
    return os.listdir(folder) if os.path.isdir(folder) else []


def assert_done(node, command, done):
    """What was answered is so."""
    expected = {done.addresses[0]: "c1"} if command == "ADD" else {}
    assert node.ledger.leases() == expected and node.journal() == 0, (done, node.ledger.leases(), node.journal())


def all_points(command, name, found):
    outcomes = [one_fails(command, *point) for point in found]
    reached = [outcome for outcome in outcomes if outcome is not None]
    assert 2 * len(reached) > len(found), f"only {len(reached)} of {len(found)} reached"
    print(f"# {command}, {name}: {len(reached)} points, {sum(reached)} failed as a whole", flush=True)


def tests():
    for command in ("ADD", "DEL"):
        found = points(command)
        for name in FAULTS:
            mine = [point for point in found if point[0] == name]
            if mine:
                yield (f"{command}: each {name} that fails once leaves no process and no unknown lease",
                       all_points, command, name, mine)


if __name__ == "__main__":
    tap.main("starved", tests, lambda: require(BINARY), world.enter)
