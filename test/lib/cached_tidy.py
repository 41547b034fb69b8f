#!/usr/bin/python3
"""clang-tidy over all that a build would compile, without compiling it.

usage: cached_tidy.py FOLDER      a configured build folder with a compile_commands.json, made without a launcher

A translation unit whose text it has passed before is skipped. The text is the preprocessed one with its comments and
macros, and the checks are those of .clang-tidy. What passed is remembered in the user's cache; only what has no finding is.

The others are looked at in batches: the text of several files as one, as most of the time goes into the headers that
all of them include. A batch that is not clean, also because two of its files do not go together, says nothing: then
each half is looked at, down to the file by itself that has something to say. The path-sensitive checks follow a
function for NODES steps, a twentieth of what is the default: that decides in the few functions that never end anyway. The
preset tidy has neither of these limits.
A batch hides one kind of finding: an alias or a using that only its neighbour uses.

Prints the findings; exit code 1 when there are any.
"""
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

NODES = 10000
TIDY = ["clang-tidy-14", "--quiet", *(f"--extra-arg={word}" for word in (
    "-Xclang", "-analyzer-config", "-Xclang", f"max-nodes={NODES}"))]
CHECKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.clang-tidy")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "delegated-ipam/tidy")
AT_MOST = 24  # files in a batch
# What a file has for itself: names in an unnamed namespace, and what it makes shorter for itself.
OWN_NAME = re.compile(r"^(?!using namespace)[^\s/#}].*?\b(\w+)(?=\(|\s*\{|\s*=|;)", re.MULTILINE)
UNNAMED = re.compile(r"^namespace \{$.*?^\}  // namespace$", re.MULTILINE | re.DOTALL)


class Unit:
    """A translation unit of a build. key: what the outcome depends on, in short, with what is `common` to all units;
    None where that cannot be told, as the compiler would refuse it.
    """

    def __init__(self, entry, common):
        self.file = entry["file"]
        self.folder = entry["directory"]
        self.command = shlex.split(entry["command"])
        with open(self.file) as file:
            self.source = file.read()
        self.key = self._key(common)

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
        return {name for part in UNNAMED.findall(self.source) for name in OWN_NAME.findall(part)}

    def _key(self, common):
        seen = subprocess.run([self.command[0], *self.flags(), self.file, "-E", "-CC", "-P", "-dD"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.folder)
        if seen.returncode != 0:
            return None
        flags = [word.encode() for word in self.command if word.startswith(("-W", "-D", "-std"))]
        return hashlib.sha256(b"\0".join([seen.stdout, *common, *flags])).hexdigest()


def has_passed(unit):
    return unit.key is not None and os.path.exists(os.path.join(CACHE, unit.key))


def note_passed(unit):
    if unit.key is not None:
        with open(os.path.join(CACHE, unit.key), "w"):
            pass


def batches(units):
    """Lists of units that go together: with the same flags, and without a name that two have for themselves."""
    found = []
    for unit in units:
        names, flags = unit.own_names(), unit.flags()
        for members, taken, common in found:
            if common == flags and len(members) < AT_MOST and not names & taken:
                members.append(unit)
                taken |= names
                break
        else:
            found.append(([unit], names, flags))
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
    with open(CHECKS, "rb") as file:
        version = subprocess.run([TIDY[0], "--version"], stdout=subprocess.PIPE).stdout
        common = [file.read(), version, shlex.join(TIDY).encode()]
    os.makedirs(CACHE, exist_ok=True)
    said = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        units = list(pool.map(lambda entry: Unit(entry, common), entries))
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
