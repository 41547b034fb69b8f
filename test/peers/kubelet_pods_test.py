#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""gc beside the kubelet's own Pods API, as Kubernetes has made it: a list that is whole counts, and nothing else does.

usage: kubelet_pods_test.py [WORD ...]
"""
import contextlib
import json
import os
import socket
import subprocess
import threading

import peers
import sandbox
import tap
import tool
from looked_at import Looked
from node import fake_boots
from plugin import BINARY, require

HOME = "/var/lib/cni/pods-api"
SOCKET = "/var/lib/kubelet/pods-api/pods-api.sock"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"  # RFC 9113, 6.5: a frame without a setting
# Of Looked.tell_two_boots(): web-0 and web-1 are in use, web-3 is held.
RUNNING = ("shop/web-0", "shop/web-1")
HELD = {"10.9.0.5", "fd00:9::5"}


def own_places():
    """No pods of this machine, and nothing of its kubelet, are known in what follows."""
    for path in ("/etc", "/var/log", "/var/lib"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path], check=True)
    for path in ("/var/lib/cni", "/var/lib/delegated-ipam", os.path.dirname(SOCKET)):
        os.makedirs(path)


@contextlib.contextmanager
def kubelet(*arguments):
    with subprocess.Popen([peers.binary("pods-api"), SOCKET, *arguments], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            process.stdin.close()
            assert process.wait(timeout=30) == 0


@contextlib.contextmanager
def node():
    with Looked(HOME, name="pods") as looked:
        looked.tell_two_boots()
        yield looked


def gc(looked):
    """The addresses whose pod is gone, and what is said beside."""
    done = tool.call("gc", *looked.look(), "-o", "json")
    gone = {item["address"] for item in json.loads(done.stdout)["items"] if "its pod is gone" in item["why"]}
    return gone, done


def keeps(trouble, *arguments):
    with node() as looked, kubelet(*arguments):
        gone, done = gc(looked)
        assert not gone and done.exit == tool.FOUND, done
        assert f"kubelet's Pods API, {SOCKET}: {trouble}; every binding is kept\n" in done.stderr, done.stderr


def only_the_listed_are_kept():
    with node() as looked:
        with kubelet(*RUNNING):
            gone, done = gc(looked)
            assert gone == HELD and done.stderr.count("every binding is kept") == 0, done
        with kubelet(*RUNNING, "shop/web-3"):
            assert gc(looked)[0] == set()


def beside_another_list():
    """What one of them names is there."""
    with node() as looked, kubelet(*RUNNING):
        path = looked.write("pods.json", {"kind": "List", "apiVersion": "v1", "metadata": {}, "items": [
            {"kind": "Pod", "apiVersion": "v1", "metadata": {"namespace": "shop", "name": "web-3"}}]})
        assert tool.call("gc", *looked.look(), "--pods", path).stdout.count("its pod is gone") == 0
        assert gc(looked)[0] == HELD


def a_long_list():
    """Longer than what HTTP/2 lets a server send without being asked for more: 20 MiB."""
    with node() as looked, kubelet("--more", "5000", *RUNNING):
        assert gc(looked)[0] == HELD
    with node() as looked, kubelet("--more", "5000", *RUNNING, "shop/web-3"):
        assert gc(looked)[0] == set()


def other_namespaces():
    with node() as looked, kubelet("other/web-0"):
        gone, done = gc(looked)
        assert not gone and "no pod of its namespace is listed" in done.stderr, done


def nobody_listens():
    with node() as looked:
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(SOCKET)
        stale.close()
        try:
            gone, done = gc(looked)
        finally:
            os.unlink(SOCKET)
        assert not gone and f"{SOCKET}: connect: Connection refused; every binding is kept\n" in done.stderr, done


def nobody_answers(words=b""):
    """Somebody has the socket, and says no more than these words of HTTP/2."""
    def answer():
        with mute.accept()[0] as caller:
            caller.sendall(words)
            while caller.recv(4096):
                pass

    with node() as looked, socket.socket(socket.AF_UNIX) as mute:
        mute.bind(SOCKET)
        mute.listen()
        mute.settimeout(60)  # where nobody asks
        answering = threading.Thread(target=answer)
        answering.start()
        try:
            gone, done = gc(looked)
        finally:
            answering.join()
            os.unlink(SOCKET)
        assert not gone and done.exit == tool.FOUND, done
        assert f"{SOCKET}: it did not answer in time; every binding is kept\n" in done.stderr, done.stderr


def not_of_a_copy():
    """The kubelet of this machine knows nothing of another one's pods."""
    with node() as looked, kubelet("shop/other"):
        done = tool.call("gc", "--root", "/", *looked.look())
        assert "Pods API, /" not in done.stderr, done.stderr


def tests():
    yield "only those that the kubelet lists are kept", only_the_listed_are_kept
    yield "each list only adds pods", beside_another_list
    yield "a list of 20 MiB", a_long_list
    yield "a kubelet that has not seen its pods", lambda: keeps("it refuses to list its pods", "--refuse")
    yield "a kubelet without a pod", lambda: keeps("it knows no pod")
    yield "a list of other namespaces", other_namespaces
    yield "a socket at which nobody listens", nobody_listens
    yield "a kubelet that hangs", nobody_answers
    yield "a kubelet that hangs within its answer", lambda: nobody_answers(SETTINGS)
    yield "a copy of another node's folders", not_of_a_copy


if __name__ == "__main__":
    peers.require("pods-api")
    tap.main("kubelet's Pods API", tests, lambda: require(BINARY), sandbox.enter, fake_boots, own_places)
