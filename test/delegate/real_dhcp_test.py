#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Debian's dhcp as a delegate, its daemon and a real DHCP server, under Debian's bridge and macvlan.

usage: real_dhcp_test.py [WORD ...]; with words only those tests run whose names have one of them.
"""
import contextlib
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import world

FOLDER = world.enter()

import tap
from dhcp_server import DNSMASQ, DhcpServer, client_daemon, has_answered
from meeting import LATER
from plugin import BINARY, HOST_LOCAL, require
from race import wait_until
from real_life import delete_twice, live, live_without_main_plugin, refuse_unknown_version
from real_node import GATEWAY, Pod, RealNode, ended, stopped

MAINS = ("bridge", "macvlan")
AT_ONCE = 8  # Debian's dhcp waits for two to five seconds in each ADD: its first request is lost, as the link is new
RESERVED = "10.78.0.50"


@contextlib.contextmanager
def scene_of(name, main, more=(), reserved=()):
    """A node with the daemon, and a server at the far end of its uplink, as (node, server). more: keys for dhcp."""
    folder = os.path.join(FOLDER, f"{name}-{main}")
    keys = {"daemonSocketPath": f"{folder}/dhcp.sock", **dict(more)}
    with RealNode(folder, main, "dhcp", lambda pod: keys) as scene:
        server = scene.enter(
            DhcpServer(folder, scene.server_netns, "lan", "10.78.0.100", "10.78.0.199", reserved))
        scene.enter(client_daemon(folder, keys["daemonSocketPath"]))
        yield scene, server


def client(scene, pod):
    """The client identifier that the dhcp plugin makes of an attachment, as the server lists it."""
    return ":".join(f"{byte:02x}" for byte in b"\0" + f"{pod.container_id}/{scene.network}/eth0".encode())


def assert_leased(scene, server, pods):
    """The server has leased exactly these pods' addresses, those of their links, soon."""
    expected = {address: client(scene, pod) for pod in pods for address in pod.addresses()}
    assert len(expected) == len(pods), f"addresses on the links: {expected}"
    wait_until(lambda: server.leases() == expected,
               lambda: f"the server leased {server.leases()}, the links have {expected}")


def leases_of(scene, server, pod):
    return [address for address, who in server.leases().items() if who == client(scene, pod)]


def whole_life(main, version):
    with scene_of(f"life-{version}", main) as (scene, server), Pod(scene, 1) as pod, Pod(scene, 2) as other:
        adding = scene.start("ADD", other, version=version)
        live(scene, pod, version)
        assert adding.finish().exit == 0
        assert_leased(scene, server, [pod, other])
        assert pod.reaches(other.addresses()[0]), "the pods do not reach each other"
        assert pod.reaches(GATEWAY), "the pod does not reach the server"
        delete_twice(scene, pod, version)
        assert leases_of(scene, server, other) == other.addresses()
        assert scene.journal() == []
        if main == "macvlan":
            assert_leased(scene, server, [other])


def repeated_through_main(main):
    """The main plugin refuses its second ADD; whatever it does then, the lease stays the pod's."""
    with scene_of("again", main) as (scene, server), Pod(scene, 1) as pod:
        scene.must("ADD", pod)
        before = pod.addresses()
        assert scene.call("ADD", pod).exit != 0, "the main plugin made the link twice"
        assert pod.addresses() == before
        assert_leased(scene, server, [pod])


def unknown_version():
    with scene_of("unknown", "macvlan") as (scene, server), Pod(scene, 1) as pod:
        scene.plug(pod)
        refuse_unknown_version(scene, pod)
        assert server.leases() == {}


def other_versions(version):
    with scene_of(f"direct-{version}", "macvlan") as (scene, server), Pod(scene, 1) as pod:
        scene.plug(pod)
        live_without_main_plugin(scene, pod, version)
        wait_until(lambda: not server.leases(), lambda: f"leases are left: {server.leases()}")


def as_stock_leaves(how):
    """What stays leased after ADD, `how`, DEL under bridge: by the stock chain and by ours, at the same server."""
    with scene_of(how.__name__, "bridge") as (scene, server), Pod(scene, 1) as ours, Pod(scene, 2) as stock:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda pod: how(scene, server, pod, pod is stock), (ours, stock)))
        left = {name: len(leases_of(scene, server, pod)) for name, pod in (("ours", ours), ("stock", stock))}
        assert left["ours"] <= left["stock"], f"leases left after DEL: {left}"
        print(f"# leases left under bridge after {how.__name__}: {left}", flush=True)


def add_and_delete(scene, server, pod, stock):
    scene.must("ADD", pod, stock=stock)
    assert leases_of(scene, server, pod) == pod.addresses() != []
    scene.must("DEL", pod, stock=stock)


def killed_add_and_delete(scene, server, pod, stock):
    """The process that bridge asked for an address is killed when the daemon has the lease; then the runtime's DEL."""
    path, pids = scene.gate("after", "stock" if stock else "ours")
    chain = scene.start("ADD", pod, path=path, stock=stock)
    delegate, ours = stopped(pids)
    assert leases_of(scene, server, pod)
    os.kill(delegate if stock else ours, signal.SIGKILL)
    assert chain.finish().exit == 1
    scene.must("DEL", pod, stock=stock)


def killed(main, where, victim):
    """Lease taken or not, our process or the main plugin is killed; the other pod's lease stays, and no other one."""
    with scene_of(f"kill-{victim}-{where}", main) as (scene, server), Pod(scene, 1) as live_pod, Pod(scene, 2) as pod:
        scene.must("ADD", live_pod)
        path, pids = scene.gate(where)
        chain = scene.start("ADD", pod, path=path)
        delegate, ours = stopped(pids)
        if victim == "ours":
            os.kill(ours, signal.SIGKILL)
            assert chain.finish().exit == 1
            scene.must("DEL", pod)
        else:
            chain.kill()
            scene.must("DEL", pod)
            os.kill(delegate, signal.SIGCONT)
        ended(ours)
        scene.must("CHECK", live_pod, previous=scene.must("ADD", live_pod, direct=True).json, direct=True)
        if main == "macvlan":
            assert_leased(scene, server, [live_pod])
        assert leases_of(scene, server, live_pod) == live_pod.addresses()
        again = scene.enter(Pod(scene, 3, pod.name))
        scene.must("ADD", again)
        assert leases_of(scene, server, again) == again.addresses() != []


def killed_at_server(scene, server, pod):
    """The daemon's request is on its way when the product is killed and DELed; then the server answers."""
    server.pause()
    adding = scene.start("ADD", pod, direct=True)
    wait_until(server.has_waiting, "no request comes to the server")
    adding.kill()
    scene.must("DEL", pod, direct=True)
    server.resume()
    wait_until(lambda: leases_of(scene, server, pod), "the late lease does not come")
    wait_until(lambda: has_answered(f"{scene.folder}/dhcp.sock"), "the daemon does not end what the killed ADD asked")


def overtaken():
    """The DEL is answered when the ADD's request is at the server; the ADD must not succeed after it."""
    with scene_of("overtaken", "macvlan") as (scene, server), Pod(scene, 1) as pod:
        scene.plug(pod)
        server.pause()
        adding = scene.start("ADD", pod, direct=True)
        wait_until(server.has_waiting, "no request comes to the server")
        scene.must("DEL", pod, direct=True)
        server.resume()
        done = adding.finish()
        assert done.exit == 1 and done.json["code"] == 11, done
        wait_until(lambda: not server.leases(), lambda: f"leases are left: {server.leases()}")


def late_lease(command):
    """The lease comes after the DEL. It is given back by the first command of the network 90 s later, whichever."""
    with scene_of(f"late-{command}", "macvlan") as (scene, server), Pod(scene, 1) as pod, Pod(scene, 2) as other:
        scene.plug(other)
        scene.plug(pod)
        scene.must("ADD", other, direct=True)
        killed_at_server(scene, server, pod)
        assert len(scene.journal()) == 1
        scene.must("DEL", third := scene.enter(Pod(scene, 3)), direct=True)
        assert leases_of(scene, server, pod), "given back at once, when a late lease could still come"
        NEXT[command](scene, other, third)
        wait_until(lambda: not leases_of(scene, server, pod), lambda: f"the late lease stays: {server.leases()}")
        assert scene.journal() == []
        assert leases_of(scene, server, other), "a live pod's lease is gone"


def next_delete(scene, _, third):
    scene.must("DEL", third, direct=True, wrapper=LATER)


def next_add(scene, _, third):
    scene.plug(third)
    scene.must("ADD", third, direct=True, wrapper=LATER)


def next_gc(scene, other, _):
    valid = [{"containerID": other.container_id, "ifname": "eth0"}]
    scene.must("GC", other, direct=True, wrapper=LATER, version="1.1.0", more={"cni.dev/valid-attachments": valid})


NEXT = {"DEL": next_delete, "ADD": next_add, "GC": next_gc}


def dead_daemon():
    """A repeated ADD needs no daemon. A DEL fails until there is one again, so that the runtime goes on sending it."""
    with scene_of("dead-daemon", "macvlan") as (scene, server), Pod(scene, 1) as pod:
        with client_daemon(scene.folder, f"{scene.folder}/dhcp.sock"):
            scene.plug(pod)
            answer = scene.must("ADD", pod, direct=True).stdout
        assert scene.must("ADD", pod, direct=True).stdout == answer
        done = scene.call("DEL", pod, direct=True)
        assert done.exit == 1 and "error dialing DHCP daemon" in done.json["msg"], done
        with client_daemon(scene.folder, f"{scene.folder}/dhcp.sock"):
            scene.must("DEL", pod, direct=True)


def no_daemon():
    """An ADD fails with the delegate's own words; a DEL too, so that the runtime sends it again."""
    with RealNode(os.path.join(FOLDER, "no-daemon"), "macvlan", "dhcp") as scene, Pod(scene, 1) as pod:
        scene.plug(pod)
        for command in ("ADD", "DEL"):
            done = scene.call(command, pod, direct=True)
            assert done.exit == 1 and "error dialing DHCP daemon" in done.json["msg"], f"{command}: {done}"


def reserved_by_name():
    """A server that knows host names: the pod's name reaches it, and its address is the same after each DEL."""
    name = [{"option": "host-name", "fromArg": "K8S_POD_NAME"}]
    with scene_of("reserved", "macvlan", {"provide": name}, {"web-0": RESERVED}) as (scene, server):
        for number in (1, 2):
            with Pod(scene, number, "web-0") as pod:
                scene.must("ADD", pod)
                assert pod.addresses() == [RESERVED], f"{pod.addresses()}"
                assert_leased(scene, server, [pod])
                scene.must("DEL", pod)
                wait_until(lambda: not server.leases(), lambda: f"leases are left: {server.leases()}")


def tests():
    """All tests as (sentence, function, arguments)."""
    for main in MAINS:
        for version in ("0.3.1", "0.4.0", "1.0.0"):
            yield (f"dhcp under {main}, {version}: ADD, repeated ADD, CHECK, DEL, repeated DEL",
                whole_life, main, version)
        yield (f"dhcp under {main}: a second ADD of the whole chain does not take the pod's lease away",
            repeated_through_main, main)
        for where in ("before", "after"):
            yield (f"dhcp under {main}, killed while it runs, {where} it has the lease: none is freed",
                killed, main, where, "ours")
            yield (f"dhcp under {main}, orphaned by a killed {main}, {where} it has the lease: none is freed",
                killed, main, where, "main")
    for version in ("0.1.0", "0.2.0", "1.1.0"):
        yield (f"dhcp, {version}: a caller of this version is answered in it, DEL gives the lease back",
            other_versions, version)
    yield "dhcp: a caller of an unknown version gets code 1, nothing is leased", unknown_version
    yield "dhcp under bridge: a DEL leaves no more leases than without us", as_stock_leaves, add_and_delete
    yield ("dhcp under bridge: the DEL after a killed ADD leaves no more leases than without us",
        as_stock_leaves, killed_add_and_delete)
    yield "dhcp: an ADD that its DEL overtakes fails with code 11 and gives its lease back", overtaken
    for command in NEXT:
        yield (f"dhcp: a lease that comes after a killed ADD's DEL is given back by the next {command} after 90 s",
            late_lease, command)
    yield "dhcp whose daemon died: a repeated ADD is answered, DEL fails until the daemon is back", dead_daemon
    yield "dhcp without its daemon: ADD and DEL fail with the delegate's words", no_daemon
    yield "dhcp: the address that a server reserves for a host name comes back with the pod", reserved_by_name


def dnsmasq():
    if not os.path.exists(DNSMASQ):
        tap.skip(f"needs {DNSMASQ}: apt-get install dnsmasq-base")


def tell(suite):
    """Several at a time, as each waits most of its time."""
    words = sys.argv[1:]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        chosen = [test for test in tests() if not words or any(word in test[0] for word in words)]
        running = [(sentence, pool.submit(test, *arguments)) for sentence, test, *arguments in chosen]
        for sentence, test in running:
            suite.run(sentence, test.result)


if __name__ == "__main__":
    tap.story("dhcp as delegate", tell, lambda: require(BINARY, HOST_LOCAL), dnsmasq)
