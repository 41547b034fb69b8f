"""Runs a plugin under strace: what it called, and what happens when one call is killed or fails."""
import os
import re
import shutil
import tempfile
from dataclasses import dataclass

import plugin
from tap import Skip

LINE = re.compile(r"^(?:\d+ +)?(?P<name>\w+)\((?P<args>.*)\) += (?P<result>.*)$")


@dataclass
class Call:
    """One system call: name, arguments and result as strace prints them, and the how-manieth of its name."""

    name: str
    args: str
    result: str
    occurrence: int

    @property
    def ok(self):
        return not self.result.startswith(("-1", "?"))

    @property
    def path_of_fd(self):
        """The path of the descriptor that is the first argument, "" if it has none."""
        found = re.match(r"(?:-?\d+|AT_FDCWD)<([^>]*)>", self.args)
        return found.group(1) if found else ""


def parse(text):
    """The calls in strace's output, in order."""
    calls = []
    seen = {}
    for line in text.splitlines():
        found = LINE.match(line)
        if found:
            name = found["name"]
            seen[name] = seen.get(name, 0) + 1
            calls.append(Call(name, found["args"], found["result"], seen[name]))
    return calls


def run(binary, env, stdin, options=(), seconds=60, follow=True, arguments=()):
    """Run under strace with these further options; returns (Outcome, calls, strace's text).

    follow: its children are traced as well.
    """
    strace = shutil.which("strace")
    if not strace:
        raise Skip("needs strace: apt-get install strace")
    descriptor, log = tempfile.mkstemp(prefix="trace.")
    os.close(descriptor)
    try:
        wrapper = (strace, *(["-f"] if follow else []), "-qq", "-y", "-s", "256", "-o", log, *options)
        outcome = plugin.run(binary, env, stdin, timeout=seconds, wrapper=wrapper, arguments=arguments)
        with open(log, errors="replace") as file:
            text = file.read()
    finally:
        os.unlink(log)
    return outcome, parse(text), text


def inject(binary, env, stdin, name, occurrence, action, follow=True, arguments=()):
    """Run with one call of that name, the occurrence-th, killed ("signal=KILL") or failing ("error=EIO")."""
    options = ("-e", f"inject={name}:{action}:when={occurrence}")
    return run(binary, env, stdin, options, follow=follow, arguments=arguments)


def always(*inject):
    """A wrapper for plugin.run() under which these calls go wrong every time: always("fsync:error=EIO")."""
    return ("strace", "-f", "-qq", "-o", "/dev/null", *(word for one in inject for word in ("-e", f"inject={one}")))
