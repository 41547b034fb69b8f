#!/usr/bin/python3 -B
"""clang-tidy over all that a build would compile, without compiling it.

usage: cached_tidy.py FOLDER      a configured build folder with a compile_commands.json, made without a launcher

A translation unit that has passed before is skipped. What decides is the text of it and of all headers that it includes,
its flags, and the checks of .clang-tidy. What passed is remembered in the user's cache; only what has no finding is.

The others are looked at in batches: the text of several files as one, as most of the time goes into the headers that
all of them include. A batch that is not clean, also because two of its files do not go together, says nothing: then
each half is looked at, down to the file by itself that has something to say. The path-sensitive checks follow a
function for NODES steps, a twentieth of what is the default: that decides in the few functions that never end anyway. The
preset tidy has neither of these limits.
A batch hides one kind of finding: an alias or a using that only its neighbour uses.

Prints the findings; exit code 1 when there are any.
"""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import remembered

NODES = 10000
TIDY = ["clang-tidy-14", "--quiet", *(f"--extra-arg={word}" for word in (
    "-Xclang", "-analyzer-config", "-Xclang", f"max-nodes={NODES}"))]
CHECKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.clang-tidy")
CACHE = remembered.Cache("tidy")
QUOTED = re.compile(r'^ *# *include "(.*)"', re.MULTILINE)  # one of ours, by its way from the root
ANGLED = re.compile(r"^ *# *include <(.*)>", re.MULTILINE)
AT_MOST = 40  # files in a batch
# What a file has for itself: names in an unnamed namespace. Two may make the same name of another namespace shorter.
OWN_NAME = re.compile(r"^(?:(?:struct|class|enum class|enum) (\w+)|"
                      r"(?!using (?!\w+ =)|struct |class |enum )[^\s/#}].*?\b(\w+)(?=\(|\s*\{|\s*=|;))", re.MULTILINE)
IN_SIGHT = re.compile(r"^using namespace .*;$", re.MULTILINE)
UNNAMED = re.compile(r"^namespace \{$.*?^\}  // namespace$", re.MULTILINE | re.DOTALL)


class Sources:
    """The files of ours that a file includes, and those of the system that any of them does."""

    def __init__(self):
        self._included = {}
        self._systems = {}
        self._angled = set()

    def add(self, path):
        """Also all that it includes, and so on."""
        if path in self._included:
            return
        with open(path) as file:
            text = file.read()
        self._included[path] = [os.path.join(remembered.ROOT, name) for name in QUOTED.findall(text)]
        self._angled.update(ANGLED.findall(text))
        for one in self._included[path]:
            self.add(one)

    def all_of(self, path):
        """With itself."""
        found = [path]
        for one in found:
            found += [inner for inner in self._included[one] if inner not in found]
        return found

    def system(self, compiler, flags):
        """What stands in the system's headers, in short, as far as the flags decide which they are."""
        where = tuple(word for word in flags if word.startswith(("-D", "-I", "-isystem", "-std", "/")))
        if where not in self._systems:
            self._systems[where] = self._look(compiler, where)
        return self._systems[where]

    def _look(self, compiler, where):
        text = "".join(f"#if __has_include(<{name}>)\n#include <{name}>\n#endif\n" for name in sorted(self._angled))
        key = remembered.key_of([compiler, *where, text])
        if not CACHE.holds(key):
            with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source, tempfile.NamedTemporaryFile() as rule:
                source.write(text)
                source.flush()
                subprocess.run([compiler, *where, "-M", "-MF", rule.name, source.name], check=True)
                CACHE.note(key, [path for path in remembered.in_rule(rule.name) if path != source.name])
        return remembered.digest(CACHE.path(key)) or ""


class Unit:
    """A translation unit of a build. key: what the outcome depends on, in short; set by identify()."""

    def __init__(self, entry):
        self.file = entry["file"]
        self.command = shlex.split(entry["command"])
        with open(self.file) as file:
            self.source = file.read()
        self.key = None

    def identify(self, sources, common):
        """common: what is the same for all units."""
        files = [f"{path} {remembered.digest(path)}" for path in sources.all_of(self.file)]
        self.key = remembered.key_of([*common, *self.flags(), sources.system(self.command[0], self.flags()), *files])

    def flags(self):
        """The words of its command that do not name a file of its own."""
        words = [word for word in self.command[1:] if word not in ("-c", "-MD", self.file)]
        for option in ("-o", "-MF", "-MT"):
            while option in words:
                place = words.index(option)
                del words[place:place + 2]
        return words

    def own_names(self):
        """Names that no other file of its batch may have for itself."""
        return {one or other for part in UNNAMED.findall(self.source) for one, other in OWN_NAME.findall(part)}


def has_passed(unit):
    return os.path.exists(CACHE.path(unit.key))


def note_passed(unit):
    with open(CACHE.path(unit.key), "w"):
        pass


def batches(units):
    """Lists of units that go together: with the same flags, all names of the same namespaces in sight, and without a name
    that two have for themselves."""
    found = []
    for unit in units:
        names, sight = unit.own_names(), (unit.flags(), set(IN_SIGHT.findall(unit.source)))
        for members, taken, common in found:
            if common == sight and len(members) < AT_MOST and not names & taken:
                members.append(unit)
                taken |= names
                break
        else:
            found.append(([unit], names, sight))
    return [members for members, _, _ in found]


def findings(command):
    """clang-tidy's words; none when there is nothing to say."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0 and not done.stdout.strip():
        return ""
    return done.stdout.strip() or done.stderr.strip() or f"{shlex.join(command)}: error: exits {done.returncode}"


def is_clean(batch):
    """True if clang-tidy has no word on the files of a batch as one."""
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as joined:
        for unit in batch:
            joined.write(f'#line 1 "{unit.file}"\n{unit.source}\n')
        joined.flush()
        return not findings([*TIDY, f"--config-file={CHECKS}", joined.name, "--", *batch[0].flags()])


def look(build, batch):
    """The findings on each unit of a batch."""
    if len(batch) == 1:
        return [findings([*TIDY, "-p", build, batch[0].file])]
    if is_clean(batch):
        return [""] * len(batch)
    half = len(batch) // 2
    return look(build, batch[:half]) + look(build, batch[half:])


def main():
    build, = sys.argv[1:]
    with open(os.path.join(build, "compile_commands.json")) as file:
        entries = json.load(file)
    with open(CHECKS) as file:
        version = subprocess.run([TIDY[0], "--version"], stdout=subprocess.PIPE, text=True).stdout
        common = [file.read(), version, shlex.join(TIDY)]
    units, sources = [Unit(entry) for entry in entries], Sources()
    for unit in units:
        sources.add(unit.file)
    for unit in units:
        unit.identify(sources, common)
    said = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        new = batches([unit for unit in units if not has_passed(unit)])
        for batch, outcome in zip(new, pool.map(lambda one: look(build, one), new)):
            for unit, text in zip(batch, outcome):
                if text:
                    said.append(text)
                else:
                    note_passed(unit)
    print("\n".join(said), end="\n" if said else "")
    return 1 if said or not units else 0


if __name__ == "__main__":
    sys.exit(main())
