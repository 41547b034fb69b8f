#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""Up to 250 processes at a time, ours and the Go plugin's mixed on one folder, killed and stopped at random.

OPERATIONS and SEED in the environment make a longer run, and another one. Which process the kernel lets run first is
not in the seed's hand.

What is known for certain of an attachment is an interval: from the answer to its ADD, as it is read here, to the start
of its first DEL. No address may be in two intervals at a time.
"""
import os
import random
import select
import signal
import time

import race
import sandbox
import tap
from node import Node, fake_boots
from plugin import BINARY, HOST_LOCAL, require

HOME = "/var/lib/cni/mixed"
AT_ONCE = 250
OPERATIONS = int(os.environ.get("OPERATIONS", "1500"))
SEED = int(os.environ.get("SEED", "605"))
RANGES = [[{"subnet": "10.9.0.0/22"}]]  # 1021 addresses, so that no attachment is refused for want of one
KILLED, STOPPED = 0.12, 0.10  # of the processes
STOPPED_FOR = 0.5  # seconds, or until none ends any more: it may have the lock, for which ours wait ten seconds


class Call:
    """One command that runs: of which attachment, by whose plugin, and what is done to it."""

    def __init__(self, node, command, attachment, binary):
        self.command = command
        self.attachment = attachment
        self.is_ours = binary == BINARY
        env, conf = node.request(command, attachment.container_id, attachment.pod)
        self.running = race.Running(binary, env, conf)
        self.ended = os.pidfd_open(self.running.pid)
        self.was_killed = False
        self.stopped_at = None

    def finish(self):
        os.close(self.ended)
        return self.running.finish()


class Attachment:
    """A sandbox of a pod. addresses: what its ADD answered, until its first DEL starts."""

    def __init__(self, number):
        self.container_id = f"mixed-{number}"
        self.pod = f"shop/web-{number % AT_ONCE}"
        self.addresses = []


class Churn:
    """The processes, and what must be true of their answers."""

    def __init__(self, node):
        self.node = node
        self.chance = random.Random(SEED)
        self.calls = {}  # by the descriptor that tells of its end
        self.stopped = []
        self.holders = {}  # address -> the attachment that surely has it
        self.idle = []  # attachments that have been added, and that nothing runs for
        self.unknown = []  # attachments that only a DEL can follow: their ADD or DEL was killed
        self.counts = dict.fromkeys(("operations", "ours", "killed", "stopped", "go_adds_killed", "duplicates"), 0)
        self.free_pods = list(range(AT_ONCE))
        self.failures = []

    def start_one(self):
        """The next command: an ADD of a pod that has no sandbox, or a DEL."""
        if self.unknown and self.chance.random() < 0.6:
            attachment = self.unknown.pop(0)
        elif self.free_pods and (not self.idle or self.chance.random() < 0.55):
            pod = self.free_pods.pop(self.chance.randrange(len(self.free_pods)))
            self.start("ADD", Attachment(pod + AT_ONCE * self.counts["operations"]))
            return
        elif self.idle:
            attachment = self.idle.pop(self.chance.randrange(len(self.idle)))
        elif self.unknown:
            attachment = self.unknown.pop(0)
        else:
            return
        self.start("DEL", attachment)

    def start(self, command, attachment):
        for address in attachment.addresses:
            self.holders.pop(address, None)
        attachment.addresses = []
        call = Call(self.node, command, attachment, self.chance.choice([BINARY, BINARY, HOST_LOCAL]))
        self.calls[call.ended] = call
        self.counts["operations"] += 1
        self.counts["ours"] += call.is_ours

    def disturb(self):
        """Perhaps one of those that run is killed or stopped now."""
        roll = self.chance.random()
        if roll > KILLED + STOPPED or not self.calls:
            return
        call = self.chance.choice(list(self.calls.values()))
        if call.was_killed:
            return
        if roll < KILLED:
            call.was_killed = True
            os.kill(call.running.pid, signal.SIGKILL)
            self.counts["killed"] += 1
            self.counts["go_adds_killed"] += call.command == "ADD" and not call.is_ours
        elif call not in self.stopped:
            os.kill(call.running.pid, signal.SIGSTOP)
            call.stopped_at = time.monotonic()
            self.stopped.append(call)
            self.counts["stopped"] += 1

    def collect(self):
        """Waits for whoever ends, and for nobody who is stopped."""
        ended, _, _ = select.select(list(self.calls), [], [], STOPPED_FOR / 5)
        while self.stopped and (not ended or time.monotonic() - self.stopped[0].stopped_at > STOPPED_FOR):
            os.kill(self.stopped.pop(0).running.pid, signal.SIGCONT)
        for descriptor in ended:
            self.judge(self.calls.pop(descriptor))

    def judge(self, call):
        if call in self.stopped:
            self.stopped.remove(call)
        attachment, outcome = call.attachment, call.finish()
        if outcome.exit != 0 and outcome.exit != -signal.SIGKILL:
            self.failures.append((call.command, attachment.container_id, call.is_ours, outcome))
        if outcome.exit != 0:
            self.unknown.append(attachment)
        elif call.command == "DEL":
            self.free_pods.append(int(attachment.pod.rsplit("-", 1)[1]))
        else:
            self.note_answer(attachment, outcome.addresses)

    def note_answer(self, attachment, addresses):
        assert addresses, f"{attachment.container_id} was answered no address"
        for address in addresses:
            if address in self.holders:
                self.counts["duplicates"] += 1
                self.failures.append((address, attachment.container_id, self.holders[address].container_id))
            self.holders[address] = attachment
        attachment.addresses = addresses
        self.idle.append(attachment)

    def run(self):
        while self.counts["operations"] < OPERATIONS:
            while len(self.calls) < AT_ONCE and self.counts["operations"] < OPERATIONS:
                before = len(self.calls)
                self.start_one()
                self.disturb()
                if len(self.calls) == before:
                    break
            self.disturb()
            self.collect()
        self.drain()

    def drain(self):
        while self.calls:
            self.collect()

    def end_all(self):
        """Our DEL for every attachment that may have something."""
        for attachment in self.idle + self.unknown:
            self.node.delete(attachment.container_id, attachment.pod)


def mixed():
    node = Node(HOME, RANGES)
    churn = Churn(node)
    try:
        churn.run()
    finally:
        for call in churn.calls.values():
            call.running.kill()
    counts = churn.counts
    print("# " + ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in counts.items()) +
          f", {len(churn.holders)} attachments at the end, seed {SEED}")
    assert not churn.failures, f"{len(churn.failures)}: {churn.failures[:5]}"
    assert counts["killed"] > OPERATIONS / 50 and counts["stopped"] > OPERATIONS / 50, "too little was done to them"
    assert len(churn.holders) > 20, "nearly nobody was there in the end"
    files = node.attachments()
    lost = [address for address, attachment in churn.holders.items()
            if files.get(address) != f"{attachment.container_id}\r\neth0".encode()]
    assert not lost, f"acknowledged, and not in the folder: {lost}"
    churn.end_all()
    left = node.attachments()
    named = {address: content for address, content in left.items() if content.strip()}
    # The Go plugin makes the file first and writes it then.
    assert not named and len(left) <= counts["go_adds_killed"], f"left: {left}"
    node.tolerated = tuple(left)
    node.assert_sound()


def tests():
    yield "no address is two attachments', nothing acknowledged is lost, and what is released is free", mixed


if __name__ == "__main__":
    tap.main("both plugins, killed and stopped", tests, sandbox.enter, fake_boots, lambda: require(BINARY, HOST_LOCAL))
