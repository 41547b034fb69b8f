#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What can be wrong in the benchmark without anybody seeing it in its numbers: its statistics, its comparison with an
earlier run, the folders that it fills, its runner."""
import contextlib
import copy
import json
import os
import signal
import subprocess
import time

import place

FOLDER = os.path.dirname(os.path.abspath(__file__))

DISK = place.enter()
PATIENCE = 300  # unmounting waits for whatever others are writing to the disk

import budgets
import fill
import report
import statistic
import tap
from contenders import DEBIAN, DELEGATE, LOOKED_SUBNET, LOOKS, OURS, VARIANTS, Network, takeover
from plugin import BINARY, HOST_LOCAL, require, run
from runner import Job, Runner, Tools
from tap import Skip

COUNT, HELD = 300, 20
LAST = "10.9.1.45"  # the 300th from 10.9.0.2 on
MACHINE = {"processors": 2, "kernel": "6.1", "load before": 0, "load after": 0, "disk": "ext4", "rounds": 5}


def known_numbers():
    """The percentiles of 0 to 100 are their own numbers; a few values are their own band."""
    assert statistic.summary(range(100, -1, -1)) == {"n": 101, "median": 50, "p10": 10, "p90": 90}
    assert statistic.summary([7]) == {"n": 1, "median": 7, "p10": 7, "p90": 7}
    assert statistic.summary([3, 99, 1, 1]) == {"n": 4, "median": 2, "p10": 1, "p90": 99}


def paired():
    """Quotients of the same round; a round that only one of both has does not count."""
    pairs = statistic.ratios({1: 10.0, 2: 40.0, 3: 9.0, 4: 5.0}, {1: 5.0, 2: 10.0, 3: 3.0})
    assert (pairs["n"], pairs["median"]) == (3, 3), pairs
    assert statistic.ratios({1: 1.0}, {2: 1.0}) is None


def point(what, who, values, unit="ms", **more):
    return {"place": "disk", "size": 250, "point": what, "who": who, "unit": unit, **statistic.summary(values), **more}


def earlier_run():
    """A made-up run."""
    per_empty = statistic.summary([2.0, 2.2, 2.1, 1.9, 2.0])
    points = [point("ADD", OURS, [2.0, 2.1, 2.2, 2.1, 2.0], per_empty=per_empty),
              point("ADD", DEBIAN, [6.0, 6.5, 7.0]),
              point("ADD delegate", DELEGATE, [9.0, 9.5, 10.0]),
              point("250 at once", OURS, [500.0, 510.0], per_host_local=statistic.summary([0.3, 0.32])),
              point("system calls of ADD", OURS, [60, 60, 60], "calls"),
              point("size of the binary", OURS, [2_800_000], "bytes")]
    return report.document(points, [], MACHINE)


def changed(what, who, values, name=None):
    """earlier_run() with other values of one point, or of one of its ratios."""
    run = copy.deepcopy(earlier_run())
    found = [one for one in run["points"] if (one["point"], one["who"]) == (what, who)]
    assert len(found) == 1
    (found[0][name] if name else found[0]).update(statistic.summary(values))
    return run


def finds_growth():
    """More than the noise of both: named, with both bands."""
    for what, values, name in (("ADD", [2.5, 2.6, 2.5, 2.7, 2.6], "per_empty"), ("system calls of ADD", [61], None),
                               ("size of the binary", [2_900_000], None),
                               ("250 at once", [0.36, 0.37], "per_host_local")):
        grown, both = report.compare(earlier_run(), changed(what, OURS, values, name))
        assert len(grown) == 1 and what in grown[0] and "250" in grown[0] and both == 5, (what, grown, both)
    grown, _ = report.compare(earlier_run(), changed("ADD delegate", DELEGATE, [12, 13]))
    assert len(grown) == 1 and "9.5" in grown[0] and "12.5" in grown[0], grown


def finds_no_noise():
    """The same, less, bands that touch, another machine's speed, others' growth, and a few bytes."""
    for what, who, values, name in (
            ("ADD", OURS, [2.0, 2.2, 2.1, 1.9, 2.0], "per_empty"), ("ADD", OURS, [1.0, 1.1], "per_empty"),
            ("ADD", OURS, [2.1, 2.1, 2.6, 3.0], "per_empty"), ("ADD", OURS, [20.0, 22.0], None),
            ("250 at once", OURS, [900.0, 950.0], None), ("250 at once", OURS, [0.31, 0.4], "per_host_local"),
            ("ADD", DEBIAN, [60.0, 65.0], None), ("system calls of ADD", OURS, [59], None),
            ("size of the binary", OURS, [2_801_000], None)):
        grown, _ = report.compare(earlier_run(), changed(what, who, values, name))
        assert not grown, (what, values, grown)


def other_documents():
    """A point that only one run has is not compared; another version is refused."""
    run = earlier_run()
    run["points"] = run["points"][:1]
    assert report.compare(run, earlier_run()) == ([], 1)
    assert report.read(json.dumps(run)) == run
    for other in ({**run, "version": 0}, [], 1):
        try:
            report.read(json.dumps(other))
        except ValueError:
            continue
        raise AssertionError(f"read as an earlier run: {other}")


def judged():
    """A budget beside its measurement, on either side of it."""
    def add(size, times, faster):
        return {**point("ADD", OURS, [1.0], per_empty=statistic.summary([times]),
                        per_host_local=statistic.summary([1 / faster])), "size": size}

    unknown = [{**point("DEL unknown", OURS, [1.0]), "size": size} for size in (0, 60000)]
    looks = [{**point(look, OURS, [ms]), "size": size} for look, ms, size in (("list", 900.0, 60000), ("status", 501.0, 60000),
                                                                            ("list", 2000.0, 10000))]
    rows = budgets.rows([add(0, 2.4, 2), add(60000, 3.0, 100), *unknown, *looks])
    found = {row["what"]: (round(row["value"], 3), row["met"]) for row in rows}
    assert found == {"ADD at 0, times an empty static process": (2.4, True),
                     "ADD: the same at 60000 over that at 0": (1.25, False),
                     "ADD at 0, times faster than Debian's host-local": (2, False),
                     "list at 60000 reservations, ms": (900, True), "status at 60000 reservations, ms": (501, False)}, found
    text = "\n".join(report.tables({**earlier_run(), "budgets": rows, "skipped": ["this, as that"]}))
    assert "missed" in text and "met" in text and "this, as that" in text, text


def filled(key, binary, **more):
    network = Network(key, binary, f"{DISK}/{key}-{len(os.listdir(DISK))}", **more)
    fill.fill(network, COUNT, network.addresses, 0 if binary != BINARY or more else HELD)
    assert len(network.attachments()) == COUNT
    assert network.addresses[COUNT - 1] == LAST and LAST in network.attachments()
    return network


def ours_agrees():
    """Our plugin knows every pod of a folder that was filled, in use and held, and goes on where it ends."""
    network = filled(OURS, BINARY)
    in_use = network.attachments()
    assert len(network.bindings()) == COUNT + HELD
    for number in (0, 1, COUNT - 1):
        done = network.call("ADD", fill.container(number), fill.pod(number))
        assert done.addresses == [network.addresses[number]], done
        env, conf = network.request("CHECK", fill.container(number), fill.pod(number))
        checked = run(BINARY, env, {**conf, "prevResult": done.json})
        assert checked.exit == 0, checked
    assert network.attachments() == in_use
    returned, new = COUNT + 7, network.addresses[COUNT + HELD]
    assert network.add("back", fill.pod(returned)) == [network.addresses[returned]]
    assert network.add("new", "shop/new") == [new], "the next free address is behind those that are held"
    network.delete(fill.container(1), fill.pod(1))
    assert network.bindings()[network.addresses[1]].sequence > HELD, "the sequence goes on behind those of held ones"
    network.assert_sound()


def host_local_agrees():
    """host-local refuses a second ADD of a pod of a folder that was filled, goes on where it ends, and deletes."""
    if not os.access(HOST_LOCAL, os.X_OK):
        raise Skip(f"no {HOST_LOCAL}: apt-get install containernetworking-plugins")
    for network in (filled(DEBIAN, HOST_LOCAL), filled(OURS, BINARY)):
        network.binary = HOST_LOCAL
        done = network.call("ADD", fill.container(5), fill.pod(5))
        assert done.exit != 0 and "duplicate allocation" in done.stdout, done
        assert network.add("new", "shop/new") == [network.addresses[COUNT]]
        network.delete(fill.container(5))
        assert network.addresses[5] not in network.attachments()


def spread():
    """Every 100th address is left free."""
    addresses = fill.Addresses("10.9.0.0/20", 100)
    found = [addresses[number] for number in (0, 98, 99, 4052)]
    assert found == ["10.9.0.2", "10.9.0.100", "10.9.0.102", "10.9.15.254"], found


def takes_over():
    """What is to be measured as a takeover is one."""
    network = filled(OURS, BINARY)
    job = takeover(network, 1)[0]
    before = network.addresses_of("old-1")
    assert len(before) == 1
    network.add(job.env["CNI_CONTAINERID"], "shop/over-1")
    assert network.addresses_of(job.env["CNI_CONTAINERID"]) == before and network.addresses_of("old-1") == []


def measured_calls():
    """Each kind of call succeeds twice in a row for everybody who is measured, and leaves as many addresses in use."""
    tools = Tools(place.MEMORY)
    made = [Network(OURS, BINARY, f"{DISK}/calls-ours")]
    if os.access(HOST_LOCAL, os.X_OK):
        made += [Network(DEBIAN, HOST_LOCAL, f"{DISK}/calls-debian"),
                 Network(DELEGATE, BINARY, f"{DISK}/calls-delegate", inProcess=False)]
    with Runner(tools.runner, place.MEMORY) as runner:
        for network in made:
            fill.fill(network, 10, network.addresses)
            for variant in VARIANTS * 2:
                if variant.has(network.key, False):
                    assert len(runner.one_by_one(variant.jobs(network, 1))) == len(variant.points)
            assert len(network.attachments()) == 10, network.key


def looked_at():
    """The operator's tool finds nothing to warn of in a folder that was filled, and has a line for each reservation."""
    tools = Tools(place.MEMORY)
    network = Network(OURS, BINARY, f"{DISK}/looked-at", LOOKED_SUBNET)
    fill.fill(network, COUNT, network.addresses)
    with Runner(tools.runner, place.MEMORY) as runner:
        for look, job in zip(LOOKS, network.looks()):
            assert len(runner.one_by_one([job])) == 1
            with open(runner.answers) as file:
                said = file.read()
            assert f" {COUNT} " in said if look == "status" else said.count(" in-use ") == COUNT, (look, said)


def runner_tells():
    """Times in order, all of a crowd, and what a process that fails has printed."""
    tools = Tools(place.MEMORY)
    with Runner(tools.runner, place.MEMORY) as runner:
        for took in (runner.one_by_one([Job(tools.empty)] * 3), runner.at_once([Job(tools.empty)] * 30)):
            assert all(one.start < one.end and 0 < one.peak < 4096 for one in took), took
            assert sorted(took, key=lambda one: one.start) == took
        with open(f"{place.MEMORY}/script", "w") as file:
            file.write("#!/bin/sh\nread -r line\necho $line $NAME $2$1\nexit 3\n")
        os.chmod(file.name, 0o755)
        with open(f"{place.MEMORY}/line", "w") as line:
            line.write("hello\n")
        try:
            runner.one_by_one([Job(file.name, line.name, {"NAME": "you; there"}, ("b c", "a"))])
        except RuntimeError as error:
            assert "exit 3: hello you; there ab c" in str(error), error
            return
        raise AssertionError("a failure was taken for a measurement")


def leaves_nothing():
    """Ended in the middle of a measurement: no folder, loop device or process is left."""
    ours = (place.FOLDER, "DELEGATED_IPAM_SANDBOX")
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    parent = environment["TMPDIR"] = f"{DISK}/interrupted"
    os.mkdir(parent)
    command = [os.path.join(FOLDER, "bench.py"), "--quick", "--place", "image", "--out", f"{DISK}/out"]
    for number in (signal.SIGTERM, signal.SIGINT):
        pipe = {"stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=heeds_sigint,
                              **pipe) as bench:
            while "measuring" not in (line := bench.stderr.readline()):
                assert line, "it ended by itself"
            bench.send_signal(number)
            code = bench.wait(timeout=PATIENCE)
            assert code == 128 + number, (code, bench.stderr.read())
        deadline = time.monotonic() + PATIENCE
        while (left := traces(parent)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not left, left


def outlived():
    """What was being measured, and goes on when the benchmark ends, makes no folder anew."""
    parent = f"{DISK}/outlived"
    os.mkdir(parent)
    stubborn = 'cd /; trap "" INT TERM HUP; for _ in $(seq 20000); do mkdir -p "$DELEGATED_IPAM_BENCH/made/anew"; done 2>/dev/null'
    bench = ("import place, subprocess; place.enter();"
             f"subprocess.Popen(['sh', '-c', {stubborn!r}], start_new_session=True); print('measuring', flush=True); input()")
    script = f"{DISK}/outlived.py"
    with open(script, "w") as file:
        file.write(bench)
    ours = (place.FOLDER, "DELEGATED_IPAM_SANDBOX")
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    environment.update(TMPDIR=parent, PYTHONPATH=f"{FOLDER}:{os.path.dirname(tap.__file__)}")
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen(["/usr/bin/python3", script], env=environment, start_new_session=True, preexec_fn=heeds_sigint,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as outside:
            assert outside.stdout.readline() == "measuring\n"
            outside.send_signal(number)
            assert outside.wait(timeout=PATIENCE) == 128 + number
        assert not traces(parent), traces(parent)


def heeds_sigint():
    """What a shell starts in the background ignores SIGINT, and hands that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def traces(parent):
    """Folders, loop devices and processes of a benchmark whose folder is made in `parent`."""
    losetup = ["losetup", "--noheadings", "--output", "BACK-FILE"]
    devices = subprocess.run(losetup, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [*os.listdir(parent), *(line for line in devices if parent in line)]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ") as file:
            if f"TMPDIR={parent}" in file.read():
                found.append(f"process {pid}")
    return found


TESTS = [
    ("medians and tenths of known numbers", known_numbers),
    ("ratios are those of the same round", paired),
    ("--compare finds what has grown", finds_growth),
    ("--compare finds no noise", finds_no_noise),
    ("--compare with points of one run only, and with another version", other_documents),
    ("budgets are met and missed", judged),
    ("a folder that was filled is one for our plugin", ours_agrees),
    ("a folder that was filled is one for host-local", host_local_agrees),
    ("a range that is 99 % full", spread),
    ("a takeover is one", takes_over),
    ("every kind of call works", measured_calls),
    ("a folder that was filled, for the operator's tool", looked_at),
    ("the runner tells what it ran", runner_tells),
    ("interrupted, it leaves nothing behind", leaves_nothing),
    ("interrupted, what outlives it leaves nothing behind either", outlived),
]


if __name__ == "__main__":
    tap.main("benchmark", TESTS, lambda: require(BINARY))
