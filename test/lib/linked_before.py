#!/usr/bin/python3 -B
"""Links a program, unless the same one has been linked before: what ccache is to compiling.

usage: linked_before.py COMPILER [ARGUMENT...]     CMake's linker launcher (CMAKE_CXX_LINKER_LAUNCHER)

The command and what was in each file that the linker read decide. Link-time optimisation takes half a minute for the
plugin, and it is linked twice. Only what was linked is remembered, in the user's cache: the last one of each command, with
the map that it writes.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import remembered

TRIED = "cmTC_"  # how CMake names what it links to learn something: another name each time
MAP = re.compile(r"-Map[=,]([^,]+)")


def made_by(command, entry):
    """The program, and the linker's map where one is wanted: each with where it is kept, beside the entry."""
    outputs = [command[command.index("-o") + 1], *(name for word in command for name in MAP.findall(word))]
    return [(output, f"{entry}.{number}") for number, output in enumerate(outputs)]


def tools_of(compiler):
    """The programs that do the work: what else decides."""
    names = [shutil.which(compiler)]
    for name in ("collect2", "ld", "ld.gold", "lto1", "liblto_plugin.so"):
        found = subprocess.run([compiler, f"-print-prog-name={name}"], stdout=subprocess.PIPE, text=True).stdout.strip()
        names.append(found if os.path.isabs(found) else shutil.which(found))
    return [name for name in names if name]


def link(cache, key, command, made):
    """Links and remembers; returns the exit code. Files that are gone afterwards were made by the linker for itself."""
    with tempfile.NamedTemporaryFile() as rule:
        status = subprocess.run([*command, f"-Wl,--dependency-file={rule.name}"]).returncode
        if status != 0:
            return status
        read = [path for path in remembered.in_rule(rule.name) if os.path.exists(path)]
    if not read:  # a linker that does not tell
        return 0
    for output, copy in made:
        with tempfile.NamedTemporaryFile(dir=cache.folder, delete=False) as file:
            shutil.copy2(output, file.name)
        os.rename(file.name, copy)
    cache.note(key, [*read, *tools_of(command[0]), *(copy for _, copy in made)])
    return 0


def main():
    command = sys.argv[1:]
    if "-o" not in command or command[command.index("-o") + 1].startswith(TRIED):
        return subprocess.run(command).returncode
    cache = remembered.Cache("programs")
    key = remembered.key_of([os.getcwd(), *command])
    made = made_by(command, cache.path(key))
    if not cache.holds(key):
        return link(cache, key, command, made)
    for output, copy in made:
        with open(copy, "rb") as source, open(output, "wb") as file:
            shutil.copyfileobj(source, file)
        shutil.copymode(copy, output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
