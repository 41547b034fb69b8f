#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The executables for other processors, cross-compiled, pass the suites of the native one under qemu's user mode: unit
tests, vectors, delegates, and end-to-end ones that need no containerd.

usage: foreign_test.py [WORD ...]      words such as arm64, vectors; builds what is not built
"""
import functools
import os
import re
import shutil
import subprocess
import tempfile

import command
import tap
from plugin import ROOT

QEMU = {"arm64": "qemu-aarch64-static", "armhf": "qemu-arm-static"}
LIBRARIES = {"arm64": "/usr/aarch64-linux-gnu", "armhf": "/usr/arm-linux-gnueabihf"}
MACHINES = {"arm64": r"Machine: +AArch64$", "armhf": r"Machine: +ARM\n(.*\n)*.*hard-float ABI$"}
SUITES = ["vectors/skel", "vectors/delegate_exec", "vectors/conversion_delegate", "delegate/callers",
          "delegate/earlier_leases", "delegate/faults", "delegate/inherited", "node/sequences", "churn/identity",
          "cli/show", "e2e/foreign_state"]
# What the emulator does otherwise than a kernel: a child whose exec fails ends, and its parent hears nothing of it.
EMULATOR = re.compile("not executable|no interpreter|interpreter that is not there|empty file|a text is an error|a cut program")
run = functools.partial(command.run, cwd=ROOT)


def preset(architecture):
    return f"release-{architecture}"


def require_compilers():
    for name in ("aarch64-linux-gnu-g++", "arm-linux-gnueabihf-g++", *QEMU.values()):
        if not shutil.which(name):
            tap.skip(f"{name} is not there: . test/lib/packages.sh && install_packages cross")


def is_static(architecture):
    run("cmake", "--preset", preset(architecture))
    run("cmake", "--build", "--preset", preset(architecture))
    path = os.path.join(ROOT, "build", preset(architecture), "delegated-ipam")
    header, segments, dynamic = (run("readelf", "-W", option, path, env={**os.environ, "LC_ALL": "C"})
                                 for option in ("-h", "-l", "-d"))
    assert re.search(MACHINES[architecture], header, re.MULTILINE), header
    assert "LOAD" in segments and "INTERP" not in segments, segments
    assert "(NEEDED)" not in dynamic, dynamic
    assert os.path.getsize(path) <= 3_000_000, os.path.getsize(path)
    print(f"# {architecture}: {os.path.getsize(path)} bytes", flush=True)


def passes(architecture, suite):
    """All tests of the suite, but for what only a kernel can show."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        plugin = os.path.join(folder, "delegated-ipam")
        with open(plugin, "w") as file:
            file.write(f"#!/bin/sh\nexec {shutil.which(QEMU[architecture])} "
                       f"{ROOT}/build/{preset(architecture)}/delegated-ipam \"$@\"\n")
        os.chmod(plugin, 0o755)
        done = subprocess.run([os.path.join(ROOT, f"test/{suite}_test.py")], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=1800, env={
                                  **os.environ, "DELEGATED_IPAM": plugin,
                                  "VECTORS_DIR": os.path.join(ROOT, "test/vectors")})
    good = [line for line in re.findall(r"^ok .*", done.stdout, re.MULTILINE) if "# SKIP" not in line]
    bad = re.findall(r"^not ok .*", done.stdout, re.MULTILINE)
    ours = [line for line in bad if not EMULATOR.search(line)]
    print(f"# {architecture}: {suite}: {len(good)} passed, {len(bad) - len(ours)} that the emulator cannot show",
          flush=True)
    assert good and re.search(r"^1\.\.\d+$", done.stdout, re.MULTILINE), done.stdout[-2000:] + done.stderr[-2000:]
    assert not ours, ours


def passes_unit_tests(architecture):
    """Those of the preset dev, linked against the cross compiler's libraries."""
    build = os.path.join(ROOT, f"build/unit-{architecture}")
    emulator = f"{shutil.which(QEMU[architecture])};-L;{LIBRARIES[architecture]}"
    run("cmake", "--preset", preset(architecture), "-B", build, "-D", "CMAKE_BUILD_TYPE=Debug", "-D",
        "CMAKE_CXX_FLAGS=-Werror -D_GLIBCXX_ASSERTIONS", "-D", "DELEGATED_IPAM_TESTS=ON", "-D",
        "DELEGATED_IPAM_STATIC=OFF", "-D", f"CMAKE_CROSSCOMPILING_EMULATOR={emulator}")
    run("cmake", "--build", build, "--target", "unit_tests")
    done = subprocess.run([*emulator.split(";"), f"{build}/test/unit_tests"], capture_output=True, text=True, cwd=ROOT,
                          stdin=subprocess.DEVNULL, timeout=1800)
    told = (re.findall(r"^(?:All tests passed|test cases:).*$", done.stdout, re.MULTILINE) or [done.stdout[-300:]])[-1]
    print(f"# {architecture}: {told}", flush=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def tests():
    for architecture in QEMU:
        yield f"{architecture}: one static file of at most 3 000 000 bytes", is_static, architecture
        yield from ((f"{architecture}: {suite}", passes, architecture, suite) for suite in SUITES)
        yield f"{architecture}: unit tests", passes_unit_tests, architecture


if __name__ == "__main__":
    tap.main("foreign processors", tests, require_compilers)
