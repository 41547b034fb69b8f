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
from concurrent.futures import ThreadPoolExecutor

import command
import tap
from plugin import ROOT

QEMU = {"arm64": "qemu-aarch64-static", "armhf": "qemu-arm-static"}
LOADERS = {"arm64": "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1",
           "armhf": "/usr/arm-linux-gnueabihf/lib/ld-linux-armhf.so.3"}
MACHINES = {"arm64": r"Machine: +AArch64$", "armhf": r"Machine: +ARM\n(.*\n)*.*hard-float ABI$"}
SUITES = ["vectors/skel", "vectors/delegate_exec", "vectors/conversion_delegate", "delegate/callers",
          "delegate/earlier_leases", "delegate/faults", "delegate/inherited", "node/sequences", "churn/identity",
          "cli/show", "e2e/foreign_state"]
# What the emulator does otherwise than a kernel: a child whose exec fails ends, and its parent hears nothing of it. The
# shell that starts it passes each variable on once.
EMULATOR = re.compile("not executable|no interpreter|interpreter that is not there|empty file|a text is an error|"
                      "a cut program|a variable that is there twice")
# Unit tests that need openat2(2), which it has not.
NO_OPENAT2 = {"the links of a copy are looked up inside it", "a copy has neither processes nor namespaces"}
SHARES = 16  # of the unit tests: an ADD of a process that has run for ten minutes counts as an orphan's
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
    """Those of the preset dev, linked against the cross compiler's libraries. They know where these lie: with the option
    -L the emulator would look for every path below that folder first, and put files there.
    """
    build = os.path.join(ROOT, f"build/unit-{architecture}")
    emulator, loader = shutil.which(QEMU[architecture]), LOADERS[architecture]
    run("cmake", "--preset", preset(architecture), "-B", build, "-D", "CMAKE_BUILD_TYPE=Debug", "-D",
        "CMAKE_CXX_FLAGS=-Werror -D_GLIBCXX_ASSERTIONS", "-D", "DELEGATED_IPAM_TESTS=ON", "-D",
        "DELEGATED_IPAM_STATIC=OFF", "-D", f"CMAKE_CROSSCOMPILING_EMULATOR={emulator}", "-D",
        f"CMAKE_EXE_LINKER_FLAGS=-Wl,--dynamic-linker={loader},-rpath,{os.path.dirname(loader)}")
    run("cmake", "--build", build, "--target", "unit_tests")
    command_line = [emulator, f"{build}/test/unit_tests"]
    listed = subprocess.run([*command_line, "--list-test-names-only"], capture_output=True, text=True).stdout
    names = [re.sub(r"([\[\],\\])", r"\\\1", name) for name in listed.splitlines()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = list(pool.map(functools.partial(unit_tests, command_line), (names[one::SHARES] for one in range(SHARES))))
    failed = [name for one in said for name in re.findall(r"^-{79}\n(\S.*)\n(?:  .*\n)*-{79}$", one, re.MULTILINE)]
    print(f"# {architecture}: {len(names) - len(set(failed))} of {len(names)} unit tests passed", flush=True)
    told = [text for one in said for text in re.findall(r"^-{79}\n\S(?:(?!^[-=]{79}$).)*^-{79}$(?:(?!^[-=]{79}$).)*",
                                                        one, re.MULTILINE | re.DOTALL)]
    assert set(failed) <= NO_OPENAT2, "\n".join(sorted(set(failed)) + told)[:20000]


def unit_tests(command_line, names):
    """What Catch2 says of the tests of these names."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("\n".join(names))
        file.flush()
        done = subprocess.run([*command_line, "-f", file.name], capture_output=True, text=True, cwd=ROOT,
                              stdin=subprocess.DEVNULL, timeout=1800)
    counted = re.search(rf"^(All tests passed \(.* in|test cases:) +{len(names)}\b", done.stdout, re.MULTILINE)
    assert counted, f"not all of {len(names)} tests ran: {done.stdout[-3000:]}{done.stderr[-1000:]}"
    return done.stdout


def tests():
    for architecture in QEMU:
        yield f"{architecture}: one static file of at most 3 000 000 bytes", is_static, architecture
        yield from ((f"{architecture}: {suite}", passes, architecture, suite) for suite in SUITES)
        yield f"{architecture}: unit tests", passes_unit_tests, architecture


if __name__ == "__main__":
    tap.main("foreign processors", tests, require_compilers)
