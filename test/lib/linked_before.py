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


def made_by(command):
    """The program, and the linker's map where one is wanted."""
    return [command[command.index("-o") + 1], *(name for word in command for name in MAP.findall(word))]


def kept(cache, key, outputs):
    """Where they are kept, beside the entry."""
    return [f"{cache.path(key)}.{number}" for number in range(len(outputs))]


def tools_of(compiler):
    """The programs that do the work: what else decides."""
    names = [shutil.which(compiler)]
    for name in ("collect2", "ld", "ld.gold", "lto1", "liblto_plugin.so"):
        found = subprocess.run([compiler, f"-print-prog-name={name}"], stdout=subprocess.PIPE, text=True).stdout.strip()
        names.append(found if os.path.isabs(found) else shutil.which(found))
    return [name for name in names if name]


def link(cache, key, command):
    """Links and remembers; returns the exit code. Files that are gone afterwards were made by the linker for itself."""
    with tempfile.NamedTemporaryFile() as rule:
        status = subprocess.run([*command, f"-Wl,--dependency-file={rule.name}"]).returncode
        if status != 0:
            return status
        read = [path for path in remembered.in_rule(rule.name) if os.path.exists(path)]
    if not read:  # a linker that does not tell
        return 0
    copies = kept(cache, key, made_by(command))
    for output, copy in zip(made_by(command), copies):
        with tempfile.NamedTemporaryFile(dir=cache.folder, delete=False) as file:
            shutil.copy2(output, file.name)
        os.rename(file.name, copy)
    cache.note(key, [*read, *tools_of(command[0]), *copies])
    return 0


def main():
    command = sys.argv[1:]
    if "-o" not in command or command[command.index("-o") + 1].startswith(TRIED):
        return subprocess.run(command).returncode
    cache = remembered.Cache("programs")
    key = remembered.key_of([os.getcwd(), *command])
    if not cache.holds(key):
        return link(cache, key, command)
    for output, copy in zip(made_by(command), kept(cache, key, made_by(command))):
        with open(copy, "rb") as made, open(output, "wb") as file:
            shutil.copyfileobj(made, file)
        shutil.copymode(copy, output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
