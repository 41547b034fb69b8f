"""What recording_plugin.py has noted, as rows of sequence_tables: which calls came in which order, and what they named.

Sandboxes are told by their pod's name and a number: web-0.1 is the first one of web-0. Addresses are told by letters,
in the order in which they were first given.
"""
import json
import os
import re
from dataclasses import dataclass, field

from sequence_tables import (CACHE_IS_LOST, DELS_FAIL, DELS_WORK, NODE_CONTAINER_RESTARTS, REBOOT, Add, Del, Event,
                             Together)

VERBS = ("ADD", "DEL")  # those that rows are made of
ENDS_ALL = (REBOOT, NODE_CONTAINER_RESTARTS)
NEWCOMER = "default/new"  # how the names of pods begin that were never there before


@dataclass
class Call:
    """One call. begin, end: places in the log; no end while it runs, or when it was killed."""

    verb: str
    sandbox: str
    pod: str
    uid: str
    netns: str
    is_there: bool
    has_result: bool
    begin: int
    end: int = None
    exit: int = None
    addresses: list = field(default_factory=list)

    @property
    def is_done(self):
        return self.exit == 0


class Recorder:
    """log: the file that the plugin writes."""

    def __init__(self, log):
        self._log = log
        self._entries = []  # Calls and Events, in their order
        self._calls = {}  # by their ids
        self._read = 0  # bytes
        self._lines = 0
        self._marked = 0
        self._sandboxes = {}  # container ID -> its name here
        self._uids = {}  # pod -> its UIDs, in the order of their ADDs
        self._letters = {}  # address -> letter

    def tell(self, event):
        """Something happens now."""
        self.calls()
        self._entries.append(event)

    def calls(self):
        """All calls up to now, in the order of their begin."""
        if os.path.exists(self._log):
            with open(self._log) as file:
                file.seek(self._read)
                for line in iter(file.readline, ""):
                    if not line.endswith("\n"):
                        break
                    self._take(json.loads(line))
                    self._read += len(line)
        return [one for one in self._entries if isinstance(one, Call)]

    def mark(self):
        """rows() tells from here on."""
        self.calls()
        self._marked = len(self._entries)

    def is_deleted(self, sandbox):
        """True when a DEL of this sandbox (its container ID) has succeeded."""
        return any(one.sandbox == sandbox and one.verb == "DEL" and one.is_done for one in self.calls())

    def since_mark(self, verb):
        """The calls of a verb since the mark."""
        self.calls()
        return [one for one in self._entries[self._marked:] if isinstance(one, Call) and one.verb == verb]

    def rows(self, dismissed=()):
        """(rows that bring to life what the others name, rows since the mark), without pods that are dismissed."""
        self.calls()
        recent = [one for one in self._entries[self._marked:]
                  if isinstance(one, Event) or one.verb in VERBS and one.pod not in dismissed]
        calls = [one for one in recent if isinstance(one, Call)]
        before = self._before({one.sandbox for one in calls}, [one for one in calls if one.verb == "ADD"])
        return before, [self._row(group) for group in _at_once(recent)]

    def name(self, sandbox):
        """What rows call the sandbox with this container ID; the ID itself when it was never seen."""
        return self._sandboxes.get(sandbox, sandbox)

    def letter(self, addresses):
        """The letter of these addresses."""
        return self._letters.get(tuple(addresses), "")

    def _before(self, named, added):
        """Rows that bring those sandboxes to life that were made before the mark, and are named, or live, after it; and
        the last one of each pod that is added again."""
        made, live = {}, set()
        for entry in self._entries[:self._marked]:
            if entry in ENDS_ALL:
                live.clear()
            elif isinstance(entry, Call) and entry.is_done and entry.verb == "ADD":
                made[entry.sandbox] = entry
                live.add(entry.sandbox)
            elif isinstance(entry, Call) and entry.is_done and entry.verb == "DEL":
                live.discard(entry.sandbox)
        of_pods = {call.pod: sandbox for sandbox, call in made.items()}  # the last one of each
        named = named | {of_pods[call.pod] for call in added if call.pod in of_pods}
        rows = []
        for sandbox, call in made.items():
            if sandbox in live or sandbox in named:
                rows.append(self._row([call]))
            if sandbox in named and sandbox not in live:
                rows.append(Del(self.name(sandbox), "live", prev=True))
        return rows

    def _row(self, group):
        rows = [one if isinstance(one, Event) else self._call_row(one) for one in group]
        return rows[0] if len(rows) == 1 else Together(rows)

    def _call_row(self, call):
        name, failed = self._sandboxes[call.sandbox], not call.is_done
        if call.verb == "ADD":
            uid = f"u{self._uids[call.pod].index(call.uid) + 1}"
            return Add(name, call.pod, self.letter(call.addresses), uid, "answer" if failed else "")
        netns = "" if not call.netns else "live" if call.is_there else "stale"
        return Del(name, netns, call.has_result, failed)

    def _take(self, line):
        self._lines += 1
        known = self._calls.get(line["call"])
        if known:
            known.exit, known.addresses, known.end = line["exit"], line["addresses"], self._lines
            if known.verb == "ADD" and known.is_done:
                self._letters.setdefault(tuple(known.addresses), _letter(len(self._letters)))
            return
        call = Call(**{key: value for key, value in line.items() if key != "call"}, begin=self._lines)
        self._calls[line["call"]] = call
        self._entries.append(call)
        if call.verb in VERBS and call.sandbox not in self._sandboxes:
            of_pod = [name for name in self._sandboxes.values() if name.startswith(f"{call.pod.split('/')[1]}.")]
            self._sandboxes[call.sandbox] = f"{call.pod.split('/')[1]}.{len(of_pod) + 1}"
        if call.verb == "ADD":
            uids = self._uids.setdefault(call.pod, [])
            if call.uid not in uids:
                uids.append(call.uid)


def _at_once(entries):
    """The entries in groups: each call of a group began before any of them had ended."""
    groups = []
    for entry in entries:
        if groups and isinstance(entry, Call) and all(_still_ran(one, entry) for one in groups[-1]):
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return groups


def _still_ran(one, later):
    return isinstance(one, Call) and (one.end is None or one.end > later.begin)


def _letter(number):
    return chr(ord("a") + number) if number < 26 else f"a{number - 25}"


def shape(before, rows):
    """What of rows must come again when the same is recorded once more: {pod: its calls}, without what depends on the
    moment: the order across pods, how often a call is repeated, and the DELs of sandboxes that had theirs already.
    A sandbox, an address and a UID are told by their numbers among the pod's own; what was before counts with each
    pod's last sandbox only, as the others are named or not. A newcomer is told by NEWCOMER."""
    told, pods = {}, {row.sandbox: row.pod for row in before if isinstance(row, Add)}
    ended = {row.sandbox for row in before if isinstance(row, Del)}
    for row in {row.pod: row for row in before if isinstance(row, Add)}.values():
        _Numbers.of(told, row.pod).say(row)
    for call in (call for row in rows for call in (row if isinstance(row, Together) else [row])):
        if isinstance(call, Event) or isinstance(call, Del) and call.sandbox in ended and not call.prev:
            continue
        if isinstance(call, Add):
            pods[call.sandbox] = call.pod
        pod = _Numbers.of(told, pods[call.sandbox])
        said = pod.say(call)
        if said not in pod.calls[-1:]:
            pod.calls.append(said)
        if isinstance(call, Del) and not call.fails:
            ended.add(call.sandbox)
    return {name: pod.calls for name, pod in told.items() if pod.calls}


class _Numbers:
    """The calls of one pod, its names replaced by their numbers."""

    def __init__(self):
        self.calls = []
        self._known = {}

    @classmethod
    def of(cls, told, pod):
        return told.setdefault(NEWCOMER if pod.startswith(NEWCOMER) else pod, cls())

    def say(self, call):
        if isinstance(call, Add):
            address = self._number("address", call.gets) if call.gets else 0
            return ("ADD", self._number("sandbox", call.sandbox), address, self._number("uid", call.uid), call.fails)
        return ("DEL", self._number("sandbox", call.sandbox), call.netns, call.prev, call.fails)

    def _number(self, kind, value):
        known = self._known.setdefault(kind, [])
        if value not in known:
            known.append(value)
        return known.index(value) + 1


EVENTS = {REBOOT: "REBOOT", NODE_CONTAINER_RESTARTS: "NODE_CONTAINER_RESTARTS", CACHE_IS_LOST: "CACHE_IS_LOST",
          DELS_FAIL: "DELS_FAIL", DELS_WORK: "DELS_WORK"}


def source(recording, before, rows, in_use, held):
    """A Recording of what was recorded now, as it is written in sequence_tables_newest.py, numbers from 1 on."""
    names = _Names()
    told = [[names.text(row) for row in part] for part in (before, rows)]
    told.append([f"{names.sandbox(one)}: {names.letter(of)}" for one, of in sorted(in_use.items())])
    told.append([f"{_quoted(one)}: {names.letter(of)}" for one, of in sorted(held.items())])
    first, second, third, fourth = (",\n         ".join(part) for part in told)
    parts = (f"{_quoted(recording.chapter)},\n        {_quoted(recording.name)}", f"[{first}]", f"[{second}]",
             f"{{{third}}}", f"{{{fourth}}}")
    inner = ",\n        ".join(parts)
    return f"    Recording(\n        {inner}),"


class _Names:
    """What a recording calls sandboxes, addresses and UIDs: by their numbers in it, newcomers without one."""

    def __init__(self):
        self._letters = {}
        self._numbers = {}

    def text(self, row):
        """A row as Python."""
        if isinstance(row, Together):
            return f"Together(({', '.join(map(self.text, row))}))"
        if isinstance(row, Event):
            return EVENTS.get(row) or f"process_ends({self.sandbox(row.sandbox)})"
        if isinstance(row, Add):
            uid = self._number(row.pod, row.uid)
            more = [_quoted(_plain(row.pod)), *([self.letter(row.gets)] if row.gets else [])]
            more += [f'uid="u{uid}"'] if uid > 1 else []
            more += [f'fails="{row.fails}"'] if row.fails else []
            return f"Add({', '.join([self.sandbox(row.sandbox), *more])})"
        more = [_quoted(row.netns)] if row.netns else []
        more += [f"{name}=True" for name in ("prev", "fails") if getattr(row, name)]
        return f"Del({', '.join([self.sandbox(row.sandbox), *more])})"

    def sandbox(self, name):
        pod = name.rpartition(".")[0]
        return _quoted(f"{_plain(pod)}.{self._number(pod, name)}")

    def letter(self, of):
        return _quoted(self._letters.setdefault(of, _letter(len(self._letters))))

    def _number(self, kind, value):
        known = self._numbers.setdefault(kind, [])
        if value not in known:
            known.append(value)
        return known.index(value) + 1


def _plain(pod):
    return re.sub(r"^(default/)?new-\d+$", r"\1new", pod)


def _quoted(text):
    return f'"{text}"'
