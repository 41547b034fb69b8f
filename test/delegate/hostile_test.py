#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Plugins that behave badly: each ADD ends, with the right answer, and no lease nobody knows of is left.

Every test looks afterwards whether a process is left that should not be there.
"""
import contextlib
import json
import os
import signal
import tempfile

import world
from ledger import Ledger
from one_add import add, assert_leased, assert_rolled_back, new_node, nobody_left, processes
from plugin import BINARY, Outcome, require
from race import Running, wait_until
from tap import Suite

MIB = 1 << 20
RESULT = '{"cniVersion":"1.1.0","ips":[{"address":"10.50.0.2/24"}]}'
LONG = {"padding": "x" * 900_000}
LISTS_NONE = """echo '{"cniVersion":"9.0.0","supportedVersions":["9.0.0",7,null]}'\nexit 0"""
OWN_SESSION = 'setsid sleep 1000 & echo $! >"$home/child"\n'


def reads_nothing(end, expected):
    node = new_node()
    node.ledger.install(f"#!/bin/sh\nprintf '%s' '{RESULT if end == 0 else json.dumps(expected)}'\nexit {end}\n")
    with nobody_left():
        done = add(node, top=LONG)
    assert done.exit == end and all(done.json[key] == value for key, value in expected.items()), done


def writes_before_it_reads():
    """Both pipes are full at once."""
    node = new_node()
    node.ledger.install("#!/bin/sh\nhead -c 900000 /dev/zero | tr '\\0' ' '\n"
                        "head -c 900000 /dev/zero | tr '\\0' . >&2\n"
                        f"wc -c >{node.ledger.home}/read\nprintf '%s' '{RESULT}'\n")
    with nobody_left():
        done = add(node, top=LONG)
    assert done.exit == 0 and done.addresses == ["10.50.0.2"] and done.stderr == "." * 900_000, done
    with open(f"{node.ledger.home}/read") as file:
        assert int(file.read()) > 900_000


def hundred_megabytes():
    """In 48 MiB of address space: what is too much is not kept."""
    node = new_node()
    node.ledger.hook("ADD", "head -c 100000000 /dev/zero\nexit 0\n", "after")
    with nobody_left():
        done = add(node, wrapper=("prlimit", f"--as={48 * MIB}"))
    assert_rolled_back(node, done, part="printed more than 1 MiB")


def one_mebibyte():
    node = new_node()
    node.ledger.hook("ADD", f"printf '%{MIB - len(RESULT)}s%s' '' '{RESULT}'\nexit 0\n", "after")
    assert_leased(node, add(node))


def ten_megabytes_of_stderr(end):
    node = new_node()
    node.ledger.hook("ADD", f"seq 1500000 >&2\n{end}", "after")
    with nobody_left():
        done = add(node)
    text = "".join(f"{number}\n" for number in range(1, 1_500_001))
    assert len(text) > 10_000_000 and done.stderr.startswith(text), (len(done.stderr), done.stdout)
    if end:
        assert_rolled_back(node, Outcome(done.exit, done.stdout, ""), part=': exit status 1')
    else:
        assert_leased(node, Outcome(done.exit, done.stdout, ""))


def deaf():
    """SIGTERM ends neither; both at a time, as each costs its patience."""
    texts = ("trap '' TERM\nsleep 1000 &\nsleep 1000\nsleep 1000\n", "kill -STOP $$\n")
    nodes = [new_node(timeoutSeconds=10) for _ in texts]
    with nobody_left():
        for node, text in zip(nodes, texts):
            node.ledger.hook("ADD", text, "after")
        running = [Running(node.binary, *node.request("ADD", "c1", version="1.1.0")) for node in nodes]
        outcomes = [one.finish() for one in running]
    for node, done in zip(nodes, outcomes):
        assert_rolled_back(node, done, 11, "no answer within")


def answer_after_deadline():
    """It catches SIGTERM and answers then: too late, the lease goes."""
    node = new_node(timeoutSeconds=4)
    node.ledger.hook("ADD", f"trap 'printf \"%s\" \\'{RESULT}\\'; exit 0' TERM\n".replace("\\'", "'\\''")
                     + "sleep 1000 &\nwait\n", "after")
    with nobody_left():
        done = add(node)
    assert_rolled_back(node, done, 11, "no answer within")


def child_holds_pipes():
    node = new_node()
    node.ledger.hook("ADD", "sleep 1000 &\n", "after")
    with nobody_left():
        assert_leased(node, add(node))


def child_floods():
    """What holds stdout after the end goes on writing."""
    node = new_node()
    node.ledger.hook("ADD", "cat /dev/zero &\nexit 0\n", "after")
    with nobody_left():
        done = add(node)
    assert_rolled_back(node, done, part="printed more than 1 MiB")


def child_elsewhere(text):
    """It is out of reach, or none of our business; the answer counts, and nobody waits for it."""
    node = new_node()
    node.ledger.hook("ADD", text, "after")

    def child():
        with open(f"{node.ledger.home}/child") as file:
            return {int(file.read())}

    with nobody_left(child):
        assert_leased(node, add(node))
    (pid,) = child()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid not in processes(), "the child does not end")


def replaced_while_running():
    node = new_node()
    with node.ledger.gate("ADD", "after") as gate:
        running = Running(node.binary, *node.request("ADD", "c1", version="1.1.0"))
        gate.wait_for()
        node.ledger.install(Ledger.text(node.ledger.home, ("1.0.0", "1.1.0")).replace("DEL)", "DEL) echo new >&2;", 1))
        gate.open()
        assert_leased(node, running.finish())
    done = node.call("DEL", "c1", version="1.1.0")
    assert (done.exit, done.stderr) == (0, "new\n"), done
    assert node.ledger.leases() == {}


def removed_while_running():
    """The DEL after its failure is not possible; the journal knows, and the next DEL is made good."""
    node = new_node()
    node.ledger.hook("ADD", 'rm "$home/bin/ledger"\nfail 123 "gone"\n', "after")
    done = add(node)
    assert done.exit == 1 and done.json["code"] == 123 and "may be left at ledger" in done.stderr, done
    assert len(node.ledger.leases()) == 1 and node.journal() == 1
    node.ledger.install(Ledger.text(node.ledger.home, ("1.0.0", "1.1.0")))
    node.delete("c1", version="1.1.0")
    assert node.ledger.leases() == {} and node.journal() == 0


@contextlib.contextmanager
def tried_again(node):
    """An ADD of a plugin that is being written, for the with block, in which it has been tried at least twice."""
    descriptor, log = tempfile.mkstemp(prefix="busy.", dir=node.home)
    os.close(descriptor)
    wrapper = ("strace", "-D", "-qq", "-o", log, "-e", "trace=clock_nanosleep")
    running = Running(node.binary, *node.request("ADD", "c1", version="1.1.0"), wrapper)

    def pauses():
        with open(log) as file:
            return file.read().count("clock_nanosleep(") >= 2

    try:
        wait_until(pauses, "it is not tried again")
        yield running
    except BaseException:
        running.kill()
        raise


def busy_for_a_while():
    node = new_node()
    with open(f"{node.ledger.path}/ledger", "a") as writer, tried_again(node) as running:
        writer.close()
        assert_leased(node, running.finish())


def busy_for_ever(command, seconds=90):
    """It never ran: no DEL follows."""
    node = new_node(timeoutSeconds=seconds)
    with open(f"{node.ledger.path}/ledger", "a"):
        done = node.call(command, "c1", version="1.1.0")
    assert done.exit == 1 and done.json["code"] == 11 and done.json["msg"].endswith("text file busy"), done
    assert node.ledger.commands() == [] and node.journal() == 0


def version_unknown(text):
    """It refuses the caller's version and does not tell its own: the refusal is told, and nothing is left running."""
    node = new_node()
    spoken = Ledger.text(node.ledger.home, ("0.4.0", "1.0.0"))
    node.ledger.install(spoken.replace('= VERSION ]; then\n', f"= VERSION ]; then\n{text}\n", 1))
    with nobody_left():
        done = add(node, timeoutSeconds=3)
    assert done.exit == 1 and (done.json["code"], done.json["msg"]) == (1, "incompatible CNI versions"), done
    assert node.ledger.take_commands() == ["ADD c1", "VERSION", "DEL c1"] and node.ledger.leases() == {}
    node.ledger.speak("0.4.0", "1.0.0")
    node.add("c1", version="1.1.0")
    assert len(node.ledger.leases()) == 1 and node.journal() == 0


def closes_stdout_early():
    """Its end is waited for: until then it may take a lease."""
    node = new_node()
    with node.ledger.gate("ADD") as gate, nobody_left():
        node.ledger.hook("ADD", f'exec >&- 2>&-\n: >"$home/waiting.$$"\nread -r line <"$home/gate"\n')
        node.ledger.hook("ADD", "exit 0\n", "after")
        running = Running(node.binary, *node.request("ADD", "c1", version="1.1.0"))
        gate.wait_for()
        assert node.journal() == 1 and node.ledger.leases() == {}
        gate.open()
        done = running.finish()
    assert_rolled_back(node, done, part="unexpected end of JSON input")


def run_plugins(suite):
    suite.run("a long configuration that is not read does not fail an ADD", reads_nothing, 0, {"cniVersion": "1.1.0"})
    suite.run("a long configuration that is not read does not hide an error", reads_nothing, 1,
              {"code": 12, "msg": "at once"})
    suite.run("a plugin that writes much before it reads blocks nobody", writes_before_it_reads)
    suite.run("100 MB on stdout are not kept, and the DEL is run", hundred_megabytes)
    suite.run("1 MiB on stdout is not too much", one_mebibyte)
    suite.run("10 MB on stderr are passed on, and the answer counts", ten_megabytes_of_stderr, "")
    suite.run("10 MB on stderr are passed on, and the error is told", ten_megabytes_of_stderr, "exit 1\n")
    suite.run("a plugin that ignores SIGTERM, or has stopped itself, is killed with its children", deaf)
    suite.run("an answer after the deadline does not count", answer_after_deadline)
    suite.run("a child that holds the pipes is killed, and the answer counts", child_holds_pipes)
    suite.run("a child that goes on writing is killed, and the DEL is run", child_floods)
    suite.run("a child in a session of its own that holds the pipes delays nothing for long", child_elsewhere,
              OWN_SESSION)
    suite.run("a child that holds no pipe is left alone", child_elsewhere,
              'sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >"$home/child"\n')
    suite.run("a plugin that is replaced while it runs is waited for, and the new one runs next",
              replaced_while_running)
    suite.run("a plugin that is removed while it runs leaves a lease that the next DEL frees", removed_while_running)
    suite.run("a plugin that is being written is tried again", busy_for_a_while)
    suite.run("a plugin that is written for ever is code 11 after 5 s", busy_for_ever, "ADD")
    for command in ("ADD", "CHECK"):
        suite.run(f"{command}: a plugin that is written until the deadline is code 11", busy_for_ever, command, 0.4)
    for sentence, text in (("hangs", "sleep 1000 &\nwait"), ("floods", "exec cat /dev/zero"), ("fails", "exit 1"),
                           ("prints garbage", "echo x\nexit 0"), ("lists no version that exists", LISTS_NONE)):
        suite.run(f"a plugin that refuses the version, and whose VERSION {sentence}, has refused", version_unknown,
                  text)
    suite.run("a plugin that closes its stdout early is waited for", closes_stdout_early)


if __name__ == "__main__":
    require(BINARY)
    world.enter()
    tests = Suite("hostile")
    run_plugins(tests)
    tests.finish()
