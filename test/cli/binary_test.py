#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The release binary as readelf(1) and objdump(1) see it: what makes a fault of it hard to use.

usage: binary_test.py [WORD ...]      DELEGATED_IPAM names the binary
"""
import glob
import json
import os
import platform
import re
import shutil
import subprocess

import tap
from plugin import BINARY, ROOT, require
from tap import Skip

CODE = {".init", ".plt", ".plt.got", ".plt.sec", ".iplt", ".text", ".fini", "__libc_freeres_fn"}
# The libraries' own functions have some 500.
CANARIES = 1_500
FLAGS = ("-fPIE", "-fstack-protector-strong", "-fstack-clash-protection", "-D_FORTIFY_SOURCE=3", "-D_GLIBCXX_ASSERTIONS")


def tool(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def segments():
    """[(type, flags, its sections)] of the program headers."""
    text = tool("readelf", "--wide", "--program-headers", BINARY)
    heads = re.findall(r"^  (\w+) +0x\w+ 0x\w+ 0x\w+ 0x\w+ 0x\w+ ([R W E]{3}) 0x\w+$", text, re.MULTILINE)
    lists = re.findall(r"^   \d\d +(.*)$", text, re.MULTILINE)
    assert heads and len(heads) == len(lists), text
    return [(kind, flags, sections.split()) for (kind, flags), sections in zip(heads, lists)]


def of_kind(kind):
    return [(flags, sections) for one, flags, sections in segments() if one == kind]


def dynamic():
    return tool("readelf", "--wide", "--dynamic", BINARY)


def is_static_pie():
    """At another address each time, and needs no other file."""
    head = tool("readelf", "--file-header", BINARY)
    assert re.search(r"Type: +DYN", head), head
    assert "PIE" in dynamic() and "NEEDED" not in dynamic(), dynamic()
    assert not of_kind("INTERP")


def is_bound_at_start():
    """No table of addresses can be written once main() runs."""
    assert "BIND_NOW" in dynamic() or re.search(r"FLAGS_1.* NOW", dynamic()), dynamic()
    (_, sections), = of_kind("GNU_RELRO")
    assert {".got", ".data.rel.ro", ".init_array", ".dynamic"} <= set(sections), sections
    assert all(".got.plt" not in sections or ".got.plt" in of_kind("GNU_RELRO")[0][1]
               for _, sections in of_kind("LOAD")), of_kind("LOAD")


def only_code_is_executable():
    executable = [sections for flags, sections in of_kind("LOAD") if "E" in flags]
    assert executable and all(set(sections) <= CODE for sections in executable), executable
    both = [flags for _, flags, _ in segments() if "W" in flags and "E" in flags]
    assert not both, segments()


def stack_is_not_executable():
    (flags, _), = of_kind("GNU_STACK")
    assert "E" not in flags, flags


def functions_look_at_a_canary():
    if platform.machine() != "x86_64":
        raise Skip("the pattern is that of x86-64")
    found = tool("objdump", "--disassemble", "--no-show-raw-insn", BINARY).count("%fs:0x28")
    print(f"# {found} places that read the canary")
    assert found >= CANARIES, found


def exceptions_find_their_frames():
    """By a sorted table, instead of sorting all frames at the first one."""
    assert of_kind("GNU_EH_FRAME"), segments()


def relocations_are_packed():
    """24 bytes each otherwise, of thousands."""
    size = re.search(r"\(RELASZ\) +(\d+)", dynamic())
    assert "(RELR)" in dynamic() and (not size or int(size[1]) < 24 * 200), dynamic()


def streams_bring_no_facets():
    """shim/cli/streams/classic_locale.cpp has taken the place of libstdc++'s own: 400 KB."""
    with open(BINARY, "rb") as file:
        text = file.read()
    assert b"St7num_putIc" in text, "no names of types in the file: look for something else"
    assert not re.search(rb"St\d+(time|money)_[gp][eu]tI|St7num_putIw", text)


def sources_of(path):
    """The file, or those that it compiles as one."""
    if "/Unity/" not in path:
        return [path]
    with open(path) as file:
        return re.findall(r'^#include "(.*)"$', file.read(), re.MULTILINE)


def every_file_is_compiled_so():
    """What cannot be seen in a stripped file."""
    path = os.path.join(os.path.dirname(BINARY), "compile_commands.json")
    if not os.path.exists(path):
        raise Skip("the binary is not in its build folder")
    with open(path) as file:
        commands = json.load(file)
    compiled = {os.path.realpath(source) for one in commands for source in sources_of(one["file"])}
    ours = {source for folder in ("allocator", "delegate", "shim")
            for source in glob.glob(os.path.join(os.path.realpath(ROOT), folder, "**/*.cpp"), recursive=True)}
    assert len(ours) > 100 and ours <= compiled, sorted(ours - compiled)[:3]
    missing = [(one["file"], flag) for one in commands for flag in FLAGS if flag not in one["command"].split()]
    assert not missing, missing[:3]


TESTS = [
    ("is a static-pie: at another address each time, needs no other file", is_static_pie),
    ("is bound at its start, and its tables are read-only then", is_bound_at_start),
    ("only code is executable, and nothing that can be written", only_code_is_executable),
    ("its stack is not executable", stack_is_not_executable),
    ("its functions look at a canary", functions_look_at_a_canary),
    ("exceptions find their frames by a table", exceptions_find_their_frames),
    ("its relocations are packed", relocations_are_packed),
    ("its streams bring no money, no time and no wide characters", streams_bring_no_facets),
    ("every file is compiled with stack, string and container checks", every_file_is_compiled_so),
]


def readelf():
    if not shutil.which("readelf"):
        tap.skip("needs readelf: apt-get install binutils")


if __name__ == "__main__":
    tap.main("binary", TESTS, lambda: require(BINARY), readelf)
