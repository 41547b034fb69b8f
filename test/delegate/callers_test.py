#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Callers that do not take what they asked for: a lease that nobody learns of is freed, and nobody waits for them."""
import json
import os
import subprocess

import sandbox
import tap
from one_add import add, new_node
from plugin import BINARY, require
from race import PATIENCE, wait_until


def call_with(node, command, **popen):
    """Run a verb with these of Popen's arguments; returns (exit code, stdout)."""
    env, conf = node.request(command, "c1", version="1.1.0")
    with subprocess.Popen([BINARY], env=env, stdin=subprocess.PIPE, **popen) as process:
        try:
            out, _ = process.communicate(json.dumps(conf).encode(), timeout=PATIENCE)
        except BaseException:
            process.kill()
            raise
        return process.returncode, (out or b"").decode()


def stderr_unread(text, end, part):
    """The caller holds the pipe and never reads it: the answer comes all the same, and the process ends."""
    node = new_node()
    node.ledger.hook("ADD", text, "after")
    reader, writer = os.pipe()
    try:
        code, out = call_with(node, "ADD", stdout=subprocess.PIPE, stderr=writer)
    finally:
        os.close(reader)
        os.close(writer)
    assert code == end and part in out, (code, out[:200])
    assert len(node.ledger.leases()) == 1 - end and node.journal() == 0


def stderr_closed():
    node = new_node()
    node.ledger.hook("ADD", "seq 100000 >&2\n", "after")
    target = pipe_without_reader()
    try:
        code, out = call_with(node, "ADD", stdout=subprocess.PIPE, stderr=target)
    finally:
        os.close(target)
    assert code == 0 and "10.50.0.2/24" in out, (code, out)
    assert len(node.ledger.leases()) == 1 and node.journal() == 0


def stdout_lost(open_stdout):
    """Nobody learns of the lease: it goes."""
    node = new_node()
    target = open_stdout()
    try:
        code, _ = call_with(node, "ADD", stdout=target, stderr=subprocess.DEVNULL)
    finally:
        os.close(target)
    assert code == 1 and node.ledger.leases() == {} and node.journal() == 0
    assert node.ledger.take_commands() == ["ADD c1", "DEL c1"]
    node.add("c1", version="1.1.0")
    assert node.ledger.commands() == ["ADD c1"] and len(node.ledger.leases()) == 1


def pipe_without_reader():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def known_answer_lost():
    """The same for a repeated ADD: the acknowledged lease stays."""
    node = new_node()
    (address,) = node.add("c1", version="1.1.0")
    target = pipe_without_reader()
    try:
        code, _ = call_with(node, "ADD", stdout=target, stderr=subprocess.DEVNULL)
    finally:
        os.close(target)
    assert code == 1 and node.ledger.leases() == {address: "c1"} and node.ledger.commands() == ["ADD c1"]


def repeated_meanwhile():
    """The first ADD waits for its reader; a repeat is answered, and then the first one's reader goes."""
    node = new_node()
    reader, writer = full_pipe()
    env, conf = node.request("ADD", "c1", version="1.1.0")
    with subprocess.Popen([BINARY], env=env, stdin=subprocess.PIPE, stdout=writer, stderr=subprocess.DEVNULL) as first:
        os.close(writer)
        first.stdin.write(json.dumps(conf).encode())
        first.stdin.close()
        known = f"{node.runtime_folder()}/attachments"
        wait_until(lambda: os.path.isdir(known) and os.listdir(known), "no answer is recorded")
        (address,) = node.add("c1", version="1.1.0")
        os.close(reader)
        assert first.wait(PATIENCE) == 1
    assert node.ledger.leases() == {address: "c1"} and node.ledger.commands() == ["ADD c1"]
    assert node.add("c1", version="1.1.0") == [address] and node.journal() == 0
    node.delete("c1", version="1.1.0")
    assert node.ledger.leases() == {}


def full_pipe():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(writer, b" " * size)
        except BlockingIOError:
            pass
    os.set_blocking(writer, True)
    return reader, writer


def descriptors_closed():
    """The plugin's pipes are not mistaken for the caller's descriptors."""
    node = new_node()
    wrapper = ("sh", "-c", 'exec "$0" >&- 2>&-')
    done = add(node, wrapper=wrapper)
    assert (done.exit, done.stdout, done.stderr) == (0, "", ""), done
    assert len(node.ledger.leases()) == 1 and node.ledger.commands() == ["ADD c1"]
    node.ledger.fail("DEL")
    done = node.call("DEL", "c1", version="1.1.0", wrapper=wrapper)
    assert (done.exit, done.stdout, done.stderr) == (1, "", ""), done


def tests():
    noise = "seq 100000 >&2\n"
    yield "a caller that does not read stderr gets the answer", stderr_unread, noise, 0, "10.50.0.2/24"
    yield "a caller that does not read stderr gets the error", stderr_unread, noise + 'fail 12 "no"\n', 1, '"no"'
    yield ("a caller that does not read stderr gets a long error", stderr_unread,
           "head -c 60000 /dev/zero | tr '\\0' x >&2\nexit 1\n", 1, "netplugin failed")
    yield "a caller that closed our stderr gets the answer", stderr_closed
    yield "a caller that closed our stdout: the lease is freed", stdout_lost, pipe_without_reader
    yield "an answer on a full device: the lease is freed", stdout_lost, lambda: os.open("/dev/full", os.O_WRONLY)
    yield "a repeated ADD whose answer is lost frees nothing", known_answer_lost
    yield "a caller that is gone after a repeated ADD was answered: the lease stays", repeated_meanwhile
    yield "a caller that closed stdout and stderr altogether confuses nothing", descriptors_closed


if __name__ == "__main__":
    tap.main("callers", tests, lambda: require(BINARY), sandbox.enter)
