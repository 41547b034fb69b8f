"""What goes to syslog: one line for each event that somebody should know of, nothing for what happens every day."""
import os

import plugin
import race
import trace
from conf_node import ALL, DUAL, OTHER, POD, SMALL, ConfNode, assert_error
from node import new_boot
from syslog_socket import Syslog

TINY = [[{"subnet": "10.9.0.0/29"}]]
FILLERS = 5


def expect(lines, *words):
    """Exactly one line, and it says these words."""
    assert len(lines) == 1, f"lines: {lines}"
    missing = [word for word in words if word not in lines[0]]
    assert not missing, f"{lines[0]!r} does not say {missing}"


def every_day():
    """First commands of a boot, pods that return, repeats, errors that the runtime hears of: not a line."""
    with Syslog() as syslog:
        node = ConfNode(DUAL)
        for _ in range(2):
            home = node.add("c-1", POD)
            assert node.add("c-1", POD) == home
            assert node.call("CHECK", "c-1", POD).exit == 0
            node.delete("c-1", POD)
            node.delete("c-1", POD)
            node.collect([])
            assert node.call("STATUS", "", top={"cniVersion": "1.1.0"}).exit == 0
            new_boot()
        node.refused(999, "10.77.0.1", args="IP=10.77.0.1")
        assert syslog.lines() == []


def eviction():
    with Syslog() as syslog:
        node = ConfNode(TINY)
        homes = [node.restart(f"c-{number}", f"shop/old-{number}") for number in range(FILLERS)]
        assert syslog.lines() == []
        assert node.add("c-new", POD) == homes[0]
        expect(syslog.lines(), "shop/old-0", homes[0][0])
        node.add("c-new", POD)
        assert syslog.lines() == []


def eviction_by_nobody():
    """A caller that names no pod evicts as well."""
    with Syslog() as syslog:
        node = ConfNode(TINY)
        for number in range(FILLERS):
            node.restart(f"c-{number}", f"shop/old-{number}")
        node.add("c-new")
        expect(syslog.lines(), "shop/old-0")


def changed_address():
    """The pod's address is another pod's pin now."""
    with Syslog() as syslog:
        node = ConfNode(SMALL)
        home = node.restart("c-1")
        moved = node.add("c-2", POD, pins={OTHER: home})
        expect(syslog.lines(), POD, home[0], moved[0])
        node.add("c-2", POD, pins={OTHER: home})
        assert syslog.lines() == []


def changed_by_overlap():
    """Its old sandbox is not proven dead."""
    with Syslog() as syslog:
        node = ConfNode(SMALL)
        home = node.add("c-1", POD)
        moved = node.add("c-2", POD)
        expect(syslog.lines(), POD, home[0], moved[0])


def changed_by_range():
    """The node has another range: for whoever watches the pod this is a changed address like any other."""
    with Syslog() as syslog:
        node = ConfNode(SMALL)
        home = node.restart("c-1")
        there = [[{"subnet": "10.8.0.0/28"}]]
        moved = node.restart("c-2", ranges=there)
        expect(syslog.lines(), POD, home[0], moved[0])
        node.add("c-3", POD, ranges=there)
        assert syslog.lines() == []


def changed_one_of_two():
    """Dual stack: the address that stays is not told."""
    with Syslog() as syslog:
        node = ConfNode(DUAL)
        home = node.restart("c-1")
        moved = node.add("c-2", POD, exclude=[home[1]])
        expect(syslog.lines(), POD, home[1], moved[1])


def takeover():
    with Syslog() as syslog:
        node = ConfNode(SMALL)
        home = node.add("c-1", POD)
        new_boot()
        assert node.add("c-2", POD) == home
        expect(syslog.lines(), home[0], "c-1")
        node.add("c-2", POD)
        assert syslog.lines() == []


def takeover_of_two_addresses():
    """One dead container is one event, whatever it had."""
    with Syslog() as syslog:
        node = ConfNode(DUAL)
        home = node.add("c-1", POD)
        new_boot()
        assert node.add("c-2", POD) == home
        expect(syslog.lines(), "c-1")


def torn_file(node):
    """What a power cut leaves of the Go plugin's file, in a new boot; returns the address."""
    node.add("c-0", OTHER)
    new_boot()
    with open(os.path.join(node.network_dir, ALL[-1]), "w"):
        return ALL[-1]


def healing():
    """Told by the command that did it, whichever it was."""
    with Syslog() as syslog:
        for command in ("ADD", "DEL"):
            node = ConfNode(SMALL)
            address = torn_file(node)
            assert node.call(command, "c-1", POD).exit == 0
            assert address not in node.entries()
            expect(syslog.lines(), address)
            node.add("c-2", "shop/c")
            assert syslog.lines() == []


def healing_by_gc():
    with Syslog() as syslog:
        node = ConfNode(SMALL)
        address = torn_file(node)
        node.collect([("c-0", "eth0")])
        assert address not in node.entries()
        expect(syslog.lines(), address)


def healing_by_failed_add():
    with Syslog() as syslog:
        node = ConfNode(SMALL)
        address = torn_file(node)
        node.refused(999, "10.77.0.1", args="IP=10.77.0.1")
        assert address not in node.entries()
        expect(syslog.lines(), address)


def refused_del(node, container_id):
    """A DEL on a disk that fails; its outcome."""
    env, conf = node.request("DEL", container_id, POD)
    done, _, _ = trace.run(node.binary, env, conf, ("-e", "inject=unlinkat:error=EIO"))
    assert done.exit == 1 and done.json["code"] == 11, done
    return done


def refused_release():
    with Syslog() as syslog:
        node = ConfNode(SMALL)
        home = node.add("c-1", POD)
        refused_del(node, "c-1")
        assert node.addresses_of("c-1") == home
        expect(syslog.lines(), "DEL", "c-1/eth0", "net=net", "code 11")


def refused_at_the_door():
    """Before the network is known: the attachment is not released either, and this may be its only DEL."""
    with Syslog() as syslog:
        node = ConfNode(SMALL)
        node.add("c-1", POD)
        env, conf = node.request("DEL", "c-1", POD)
        broken = {6: "{broken", 1: {**conf, "cniVersion": "9.0.0"}, 999: node.conf(delegate={"type": "no-such-plugin"})}
        for code, stdin in broken.items():
            assert_error(plugin.run(node.binary, env, stdin), code)
            expect(syslog.lines(), "DEL", f"code {code}")
        node.delete("c-1", POD)
        assert syslog.lines() == []


def odd_names():
    """A line break in a pod's name makes no second line."""
    with Syslog() as syslog:
        node = ConfNode(SMALL)
        args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web\nforged"
        home = node.restart("c-1", None, args=args)
        node.add("c-2", args=args, pins={OTHER: home})
        line, = syslog.lines()
        assert "\n" not in line, line


def two_events():
    """One line each: the pod's own address is taken by a pin, and the only one left is held for another pod."""
    with Syslog() as syslog:
        node = ConfNode(TINY)
        home = node.restart("c-web")
        for number in range(FILLERS - 1):
            node.restart(f"c-{number}", f"shop/old-{number}")
        syslog.lines()
        moved = node.add("c-web-2", POD, pins={"shop/pinned": home})
        lines = syslog.lines()
        assert len(lines) == 2, lines
        assert any("shop/old-0" in line for line in lines), lines
        assert any(f"from {home[0]} to {moved[0]}" in line for line in lines), lines


def in_the_log_file_too():
    with Syslog() as syslog:
        node = ConfNode(TINY)
        log = os.path.join(node.home, "log")
        for number in range(FILLERS + 1):
            node.restart(f"c-{number}", f"shop/old-{number}", logFile=log, logLevel="warning")
        line, = syslog.lines()
        with open(log) as file:
            assert [text for text in file.read().splitlines() if line in text], "not in the log file"


def log_without_a_reader():
    """A log that is a pipe whose reader goes away costs its lines, not the command: it waits for the lock meanwhile."""
    node = ConfNode(SMALL)
    node.add("c-1", POD)
    for verb in ("CHECK", "ADD", "DEL"):
        env, conf = node.request(verb, "c-1", POD, logFile="/proc/self/fd/2", logLevel="debug")
        if verb == "CHECK":
            conf["prevResult"] = {"cniVersion": "1.0.0", "ips": [{"address": "10.9.0.2/28"}]}
        with race.lock_held(node):
            waiting, = race.held_at_lock(node, [(env, conf)])
            waiting.close_stderr()
        done = waiting.finish()
        assert done.exit == 0, f"{verb}: {done}"


def no_daemon():
    """No /dev/log, a dead socket, a plain file: every event happens all the same, silently."""
    for place in (lambda: None, dead_socket, lambda: write_nothing("/dev/log")):
        place()
        try:
            events_without_daemon()
        finally:
            if os.path.lexists("/dev/log"):
                os.unlink("/dev/log")


def events_without_daemon():
    """Eviction, takeover, and a refused DEL."""
    node = ConfNode(TINY)
    for number in range(FILLERS):
        node.restart(f"c-{number}", f"shop/old-{number}")
    done = node.call("ADD", "c-1", POD)
    assert done.exit == 0 and done.stderr == "", done
    new_boot()
    assert node.add("c-2", POD) == done.addresses
    refused_del(node, "c-2")


def dead_socket():
    """A socket that nobody listens at any more."""
    with Syslog():
        os.link("/dev/log", "/dev/dead")
    os.rename("/dev/dead", "/dev/log")


def write_nothing(path):
    with open(path, "w"):
        return


def daemon_that_hangs():
    """A daemon that has stopped reading holds nobody up: the runtime waits for the end of the process."""
    with Syslog() as syslog:
        node = ConfNode(TINY)
        for number in range(FILLERS):
            node.restart(f"c-{number}", f"shop/old-{number}")
        syslog.fill()
        env, conf = node.request("ADD", "c-new", POD)
        done = plugin.run(node.binary, env, conf, timeout=10)
        assert done.exit == 0, done


TESTS = [
    ("syslog: not a line from ordinary commands", every_day),
    ("syslog: one line for an eviction", eviction),
    ("syslog: one line for an eviction by a caller without a pod", eviction_by_nobody),
    ("syslog: one line for a changed address", changed_address),
    ("syslog: one line when the old sandbox is not proven dead", changed_by_overlap),
    ("syslog: one line when the node's range has changed", changed_by_range),
    ("syslog: one line when one of two families changes", changed_one_of_two),
    ("syslog: one line for a takeover", takeover),
    ("syslog: one line for a takeover of two addresses", takeover_of_two_addresses),
    ("syslog: one line for a healed file, by ADD and by DEL", healing),
    ("syslog: one line for a healed file, by GC", healing_by_gc),
    ("syslog: one line for a healed file, by an ADD that fails", healing_by_failed_add),
    ("syslog: one line for a refused DEL", refused_release),
    ("syslog: one line for a DEL that is refused before its network is known", refused_at_the_door),
    ("syslog: a line break in a name makes no second line", odd_names),
    ("syslog: two events are two lines", two_events),
    ("syslog: the lines are in the log file as well", in_the_log_file_too),
    ("syslog: a log whose reader has gone costs its lines only", log_without_a_reader),
    ("syslog: without a daemon nothing fails", no_daemon),
    ("syslog: a daemon that hangs holds nobody up", daemon_that_hangs),
]
