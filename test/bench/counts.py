"""What one call costs that does not depend on the time of day: system calls, flushes, instructions, bytes."""
import os
import re
import shutil
import tempfile

import fill
import place
import plugin
import statistic
from contenders import EMPTY, IPV6, OURS, TITLES, networks, new_id
from measure import say
from tap import Skip

FLUSHES = ("fsync", "fdatasync", "syncfs", "sync")
TIMES = 3  # of each call that is counted; journals commit when they like
SIZES = (0, 250)  # reservations; the first of a boot, and what has no size, count as 0


class Counter:
    """Counts for each contender, on an image: nobody else's flushes reach that device."""

    def __init__(self, tools, others):
        self._tools, self._others = tools, others
        self._points, self.skipped = [], []
        self._place = "image"

    def all(self, folder):
        say("image: counting system calls, flushes and instructions")
        with place.on_image(folder) as fresh:
            for network in networks(f"{fresh}/first", self._others):
                os.makedirs(network.network_dir)
                request = network.request("ADD", new_id(), "shop/first")
                self._calls(network, 0, "ADD first of a boot", request)
            for size in SIZES:
                for network in networks(f"{fresh}/{size}", self._others):
                    fill.fill(network, size, network.addresses)
                    self._warm_up(network)
                    self._kinds(network, size)
                    self._instructions(network, size)
        self._binaries()
        self._on_xfs(folder)
        return [{**about, **statistic.summary(values)} for about, values in self._points]

    @staticmethod
    def _warm_up(network):
        """The boot scan is over, folders of /run are made."""
        for number in range(2):
            network.add(f"warm-{number}", f"shop/warm-{number}")
            network.delete(f"warm-{number}", f"shop/warm-{number}")

    def _kinds(self, network, size):
        dual = [*network.ipam["ranges"], IPV6]
        for number in range(TIMES):
            self._pod(network, size, "", f"shop/new-{number}")
            self._pod(network, size, " dual stack", f"shop/dual-{number}", ranges=dual)
        self._calls(network, size, "DEL unknown", network.request("DEL", new_id(), "shop/unknown"))

    def _on_xfs(self, folder):
        """Another journal may flush more often."""
        self._place = "xfs image"
        try:
            with place.on_image(folder, "xfs") as fresh:
                network = networks(fresh, {})[0]
                self._warm_up(network)
                self._kinds(network, 0)
        except Skip as reason:
            self._skip(f"xfs image: {reason}")

    def _pod(self, network, size, kind, pod, **more):
        container_id = new_id()
        for command in ("ADD", "DEL"):
            self._calls(network, size, command + kind, network.request(command, container_id, pod, **more))

    def _calls(self, network, size, call, request):
        """One call under strace: system calls and flushes; device flushes that it caused."""
        place.settle(network.home)
        before = place.flushes(network.home)
        counted = strace_counts(network.binary, *request)
        after = place.flushes(network.home)
        self._add(network.key, size, f"system calls of {call}", "calls", sum(counted.values()))
        self._add(network.key, size, f"fsyncs of {call}", "calls", sum(counted.get(name, 0) for name in FLUSHES))
        if before is not None:
            self._add(network.key, size, f"device flushes of {call}", "flushes", after - before)

    def _instructions(self, network, size):
        """A new pod and its DEL under callgrind; of Go programs it runs some calls and breaks off others."""
        if network.key != OURS:
            self._skip(f"instructions of {TITLES[network.key]}: valgrind cannot be relied on with Go programs")
            return
        container_id = new_id()
        for command in ("ADD", "DEL"):
            request = network.request(command, container_id, "shop/counted")
            self._callgrind(network.key, size, command, network.binary, *request)
        request = network.request("DEL", new_id(), "shop/unknown")
        self._callgrind(network.key, size, "DEL unknown", network.binary, *request)

    def _callgrind(self, key, size, call, binary, env, conf):
        counted = self._instructions_of(binary, env, conf)
        if counted:
            self._add(key, size, f"instructions of {call}", "instructions", counted)
        elif shutil.which("valgrind"):
            self._skip(f"instructions of {TITLES[key]}: valgrind cannot run it")
        else:
            self._skip("instructions: needs valgrind: apt-get install valgrind")

    @staticmethod
    def _instructions_of(binary, env, conf):
        """What callgrind counts in the process itself; None where it cannot."""
        valgrind = shutil.which("valgrind")
        if not valgrind:
            return None
        wrapper = (valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null")
        done = plugin.run(binary, env, conf, wrapper=wrapper)
        found = re.search(r"Collected : (\d+)", done.stderr)
        return int(found[1]) if done.exit == 0 and found else None

    def _beside(self, value, unit, start):
        """What an empty process has of this, in the rows of all that is counted so."""
        rows = {(about["size"], about["point"]) for about, _ in self._points if about["point"].startswith(start)}
        for size, point in rows if value else ():
            self._add(EMPTY, size, point, unit, value)

    def _skip(self, reason):
        if reason not in self.skipped:
            self.skipped.append(reason)

    def _binaries(self):
        for key, binary in {EMPTY: self._tools.empty, OURS: plugin.BINARY, **self._others}.items():
            self._add(key, 0, "size of the binary", "bytes", os.stat(binary).st_size)
        self._beside(sum(strace_counts(self._tools.empty, {}, "").values()), "calls", "system calls of")
        self._beside(self._instructions_of(self._tools.empty, {}, ""), "instructions", "instructions of")

    def _add(self, key, size, point, unit, value):
        about = {"place": self._place, "size": size, "point": point, "who": key, "unit": unit}
        for known, values in self._points:
            if known == about:
                values.append(value)
                return
        self._points.append((about, [value]))


def strace_counts(binary, env, conf):
    """{system call: how often}, of the process, its threads and children; exit_group is none for strace."""
    strace = shutil.which("strace")
    if not strace:
        raise Skip("system calls: needs strace: apt-get install strace")
    descriptor, log = tempfile.mkstemp(prefix="counts.")
    os.close(descriptor)
    try:
        wrapper = (strace, "-f", "-c", "-U", "calls,name", "-o", log)
        done = plugin.run(binary, env, conf, wrapper=wrapper)
        assert done.exit == 0, done
        with open(log) as file:
            rows = re.findall(r"^\s*(\d+)\s+(\w+)$", file.read(), re.MULTILINE)
        return {name: int(calls) for calls, name in rows if name != "total"}
    finally:
        os.unlink(log)
