"""Whether a pod is reached from somewhere, and after how long: what retention is for.

"Somewhere" is the path of a network namespace: the node's, or that of a pod that had talked to the old pod and so has a
neighbour entry with its MAC. Needs nothing in the pod: a refused connection comes from it as well.
"""
import contextlib
import ctypes
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

PORT = 9  # nobody listens there: the pod's kernel refuses
PATIENCE = 0.1  # seconds for one try; TCP itself would repeat its first packet after a second only
LIMIT = 5.0  # seconds after which a test gives up: a neighbour entry that is not renewed costs 8 to 54
WANTED = 1.0  # seconds: what is promised
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def inside(netns, function, *arguments):
    """Call a function in the network namespace at this path, in a thread of its own; returns what it returns."""
    done = {}

    def run():
        try:
            _enter(netns)
            done["value"] = function(*arguments)
        except BaseException as error:  # re-raised below
            done["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in done:
        raise done["error"]
    return done["value"]


def reaches(netns, address, port=PORT, patience=PATIENCE):
    """True if a TCP connection from the namespace to the address is answered, be it by a refusal."""
    return inside(netns, _connects, address, port, patience)


def seconds_until_reached(netns, address, port=PORT, limit=LIMIT):
    """How long it takes from now until the address answers the namespace. Errors: AssertionError after `limit`."""
    return inside(netns, _seconds, netns, address, port, limit)


def talk(netns, *addresses, port=PORT):
    """The namespace learns where these addresses are: it talks to them. Errors: as above."""
    for address in addresses:
        seconds_until_reached(netns, address, port)


def measure(places, addresses, port=PORT, limit=LIMIT):
    """Seconds until each place reaches each of the addresses, from now: {(name of the place, address): seconds}.

    places: {name: path of its network namespace}. All at once. Errors: AssertionError that names all that was measured
    when one is not reached within `limit`.
    """
    def look(netns, address):
        try:
            return seconds_until_reached(netns, address, port, limit)
        except AssertionError:
            return None

    wanted = [(name, address) for address in addresses for name in places]
    with ThreadPoolExecutor(len(wanted) or 1) as pool:
        looking = {(name, address): pool.submit(look, places[name], address) for name, address in wanted}
        found = {key: seconds.result() for key, seconds in looking.items()}
    assert None not in found.values(), f"not reached within {limit} s: {tell(found)}"
    return found


def worst(measured):
    """What measure() found, in short: of each place how many addresses, and the longest that one took."""
    of_place = {}
    for (name, _), seconds in measured.items():
        of_place.setdefault(name, []).append(seconds)
    return ", ".join(f"{name} {len(seconds)} in at most {max(seconds):.2f} s"
                     for name, seconds in sorted(of_place.items()))


def tell(measured):
    """What measure() found, for a line of a report."""
    return ", ".join(f"{name} {address} {'never' if seconds is None else f'{seconds:.2f} s'}"
                     for (name, address), seconds in sorted(measured.items()))


def _enter(netns):
    descriptor = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), netns)
    finally:
        os.close(descriptor)


def _connects(address, port, patience):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as tcp:
        tcp.settimeout(patience)
        try:
            tcp.connect((address, port))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return True


def _seconds(netns, address, port, limit):
    started = time.monotonic()
    while not _connects(address, port, PATIENCE):
        waited = time.monotonic() - started
        assert waited < limit, f"{netns} does not reach {address} within {limit} s"
        time.sleep(0.01)  # an error that comes at once must not make this a busy loop
    return time.monotonic() - started
