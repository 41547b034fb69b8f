#!/usr/bin/python3 -B
"""Links a program, unless the same one has been linked before: what ccache is to compiling.

usage: linked_before.py COMPILER [ARGUMENT...]     CMake's linker launcher (CMAKE_CXX_LINKER_LAUNCHER)

The command and what was in each file that the linker read decide. Link-time optimisation takes half a minute for the
plugin, and it is linked twice. Only what was linked is remembered, in the user's cache: the last one of each command.
"""
import os
import shutil
import subprocess
import sys
import tempfile

import remembered

MADE = ".made"  # beside an entry: the program


def tools_of(compiler):
    """The programs that do the work: what else decides."""
    names = [shutil.which(compiler)]
    for name in ("collect2", "ld", "ld.gold", "lto1", "liblto_plugin.so"):
        found = subprocess.run([compiler, f"-print-prog-name={name}"], stdout=subprocess.PIPE, text=True).stdout.strip()
        names.append(found if os.path.isabs(found) else shutil.which(found))
    return [name for name in names if name]


def link(cache, key, command, output):
    """Links and remembers; returns the exit code. Files that are gone afterwards were made by the linker for itself."""
    with tempfile.NamedTemporaryFile() as rule:
        status = subprocess.run([*command, f"-Wl,--dependency-file={rule.name}"]).returncode
        if status != 0:
            return status
        read = [path for path in remembered.in_rule(rule.name) if os.path.exists(path)]
    if not read:  # a linker that does not tell
        return 0
    made = cache.path(key) + MADE
    with tempfile.NamedTemporaryFile(dir=cache.folder, delete=False) as copy:
        shutil.copy2(output, copy.name)
    os.rename(copy.name, made)
    cache.note(key, [*read, *tools_of(command[0]), made])
    return 0


def main():
    command = sys.argv[1:]
    if "-o" not in command:
        return subprocess.run(command).returncode
    output = command[command.index("-o") + 1]
    cache = remembered.Cache("linked")
    key = remembered.key_of([os.getcwd(), *command])
    if not cache.holds(key):
        return link(cache, key, command, output)
    with open(cache.path(key) + MADE, "rb") as made, open(output, "wb") as file:
        shutil.copyfileobj(made, file)
    shutil.copymode(cache.path(key) + MADE, output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
