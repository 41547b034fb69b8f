#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""What stands on a terminal of 80 and of 200 columns: nothing is cut, columns begin where they are seen, colours there only.

usage: terminal_test.py [--update] [WORD ...]

--update writes terminal.golden.txt from what the tool says now: read the difference before you keep it. In it a colour's
ESC is ^[.
"""
import contextlib
import os
import re
import subprocess
import tempfile

import sandbox
import tap
import terminal
import tool
from golden import Golden
from looked_at import DUAL, Looked
from node import fake_boots
from plugin import BINARY, require

HERE = os.path.dirname(os.path.abspath(__file__))
DISK = "/var/lib/cni/d"  # of one length, so that lines break in the same places
NARROW, BROAD = 80, 200
ONE_FAMILY = [[{"subnet": "10.9.0.0/28"}]]
MERGED = ("sh", "-c", 'exec "$@" 2>&1', "sh")
TABLES = (["status"], ["status", "--map"], ["list"], ["report"], ["plan", "--exclude", "10.9.0.3"], ["list", "--state", "held"])
SHOWN = (["list"], ["list", "-A", "-o", "wide"], ["report"], ["show", "web-0"], ["show", "10.9.0.5"],
         ["plan", "--exclude", "10.9.0.3"])
SHOWN_DUAL = (["status"], ["status", "--map"], ["list"])
UPTIME = re.compile(r"(?<= )\d+(m|h\d+m|d\d+h)$", re.M)
HEADER = re.compile(r"^[A-Z]+(-[A-Z]+)?(   +[A-Z]+(-[A-Z]+)?)+$")
COLOUR = "\x1b["


@contextlib.contextmanager
def disk():
    """A folder on a disk under a name that is the same each time; in the sandbox, nobody else sees it."""
    with tempfile.TemporaryDirectory(prefix="terminal.", dir="/var/tmp") as folder:
        os.makedirs(DISK)
        subprocess.run(["mount", "--bind", folder, DISK], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", DISK], check=True)
            os.rmdir(DISK)


@contextlib.contextmanager
def started(ranges):
    """A node after a reboot, and a terminal."""
    with disk() as folder, Looked(f"{DISK}/n", ranges, name="pods", exclude=["10.9.0.12-10.9.0.13"],
                                  pins={"shop/pinned": ["10.9.0.9"]}) as node:
        node.tell_two_boots()
        with terminal.Terminal(folder) as screen:
            yield node, screen


def run(node, screen, command, columns, *env):
    return screen.run([BINARY, command[0], *node.look(), *command[1:]], columns, env)


def written(node, command):
    """The lines that a pipe gets of both outputs, and the exit code."""
    done = tool.call(command[0], *node.look(), *command[1:], wrapper=MERGED)
    return [line.rstrip() for line in done.stdout.rstrip("\n").split("\n")], done.exit


def timeless(lines):
    return [UPTIME.sub("UP", line) for line in lines]


def keep(golden, screen, command, what):
    text = "\n".join(screen.coloured).replace("\x1b", "^[")
    golden.check(f"{what}, {screen.columns} columns: {' '.join(command)}", UPTIME.sub("UP", text) + "\n")


def headers(lines):
    return [line for line in lines if HEADER.match(line)]


def last_column(header):
    """Where the last column begins, from 0."""
    return header.rindex(" ") + 1


def captures(golden):
    for what, ranges, commands in (("one family", ONE_FAMILY, SHOWN), ("two families", DUAL, SHOWN_DUAL)):
        with started(ranges) as (node, screen):
            for command in commands:
                for columns in (NARROW, BROAD):
                    keep(golden, run(node, screen, command, columns), command, what)


def damaged_captures(golden):
    """What a command has to say beside its table stands below it."""
    with started(ONE_FAMILY) as (node, screen):
        node.damage()
        for command in (["list", "-n", "shop"], ["show", "10.9.0.10"]):
            for columns in (NARROW, BROAD):
                keep(golden, run(node, screen, command, columns), command, "damaged")


def nothing_cut():
    """Whatever the width, what stays on the screen is what a pipe gets, and no more: no line of progress stays."""
    for ranges in (ONE_FAMILY, DUAL):
        with started(ranges) as (node, screen):
            for step in (lambda: None, node.damage):
                step()
                for command in (*TABLES, *SHOWN):
                    lines, code = written(node, command)
                    for columns in (NARROW, BROAD):
                        shown = run(node, screen, command, columns)
                        assert shown.exit == code, (command, shown.exit)
                        assert timeless(shown.joined) == timeless(lines), (command, columns, shown.joined, lines)


def columns_in_place():
    """Of a network of one family every column begins within 80; only what the last one says may go on below."""
    with started(ONE_FAMILY) as (node, screen):
        for command in TABLES:
            shown = run(node, screen, command, NARROW)
            tables = headers(shown.joined)
            assert tables, (command, shown.joined)
            for header in tables:
                assert last_column(header) < NARROW, f"{' '.join(command)}: {header}"
        picture = run(node, screen, ["status", "--map"], NARROW)
        assert not [line for line in picture.wrapped if line.startswith("10.9.")], picture.wrapped
        assert not run(node, screen, ["show", "10.9.0.5"], NARROW).wrapped


def broad_in_place():
    """In 200 columns no line of any table goes on below, also of two families and of -o wide."""
    with started(DUAL) as (node, screen):
        for command in (*TABLES, *SHOWN):
            assert not run(node, screen, command, BROAD).wrapped, command


def colours():
    """On a terminal only, and not where NO_COLOR or the terminal's kind says so."""
    with started(ONE_FAMILY) as (node, screen):
        for command in [one for one in (*TABLES, *SHOWN) if one[0] != "plan"]:  # which has none
            assert COLOUR in "".join(run(node, screen, command, BROAD).coloured), f"no colours: {command}"
            plain = run(node, screen, command, BROAD, ("NO_COLOR", "1"))
            assert COLOUR not in "".join(plain.coloured), plain.coloured
        command = TABLES[0]
        assert COLOUR in "".join(run(node, screen, command, BROAD, ("NO_COLOR", "")).coloured), "empty counts as none"
        assert COLOUR not in "".join(run(node, screen, command, BROAD, ("TERM", "dumb")).coloured)
        piped = screen.run(["sh", "-c", '"$@" | cat', "sh", BINARY, command[0], *node.look()], BROAD)
        assert piped.joined and COLOUR not in "".join(piped.coloured), piped.coloured
        text = tool.call(command[0], *node.look(), env={"TERM": "xterm-256color"}).stdout
        assert "\x1b" not in text, text


def none_left():
    """The server of a terminal has ended with the test, also of one that failed."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        screen = terminal.Terminal(folder)
        with contextlib.suppress(ZeroDivisionError), screen:
            pid = screen.pid
            1 / 0  # noqa: B018
        assert not os.path.exists(f"/proc/{pid}"), "the server runs on"


def need_tmux():
    if not terminal.TMUX:
        tap.skip("needs tmux: apt-get install tmux")


def tests(golden):
    golden.begin()
    return [
        ("captures at 80 and 200 columns", captures, golden),
        ("captures of what is damaged", damaged_captures, golden),
        ("nothing is cut, and nothing stays but what was said", nothing_cut),
        ("in 80 columns every column begins where it is seen", columns_in_place),
        ("in 200 columns no line goes on below", broad_in_place),
        ("colours on a terminal only", colours),
        ("no server is left", none_left),
    ]


if __name__ == "__main__":
    with Golden(f"{HERE}/terminal.golden.txt") as kept:
        tap.main("terminal", lambda: tests(kept), lambda: require(BINARY), need_tmux, sandbox.enter, fake_boots)
