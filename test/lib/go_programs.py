"""Compiles other people's programs from Go modules that a go.mod pins and a go.sum vouches for."""
import json
import os
import re
import shutil
import subprocess

import go_toolchain
from tap import Skip

OLDEST_GO = (1, 24)
PLACES = ("go", "/usr/local/go/bin/go")
SECONDS = 3600  # the largest, Cilium's agent, takes 10 minutes of a processor


class CannotBuild(Exception):
    """Why a program is not built, for people."""


def find_go():
    """The go command to build with: this machine's, or the toolchain that lib/go_toolchain.py fetches.

    Errors: CannotBuild when there is none or only an older one, and that cannot be fetched.
    """
    found = []
    for go in PLACES:
        path = shutil.which(go)
        if not path:
            continue
        text = subprocess.run([path, "version"], capture_output=True, text=True).stdout
        number = re.search(r"go(\d+)\.(\d+)", text)
        if number and tuple(map(int, number.groups())) >= OLDEST_GO:
            return path
        found.append(text.strip())
    try:
        return go_toolchain.path()
    except Skip as reason:
        raise CannotBuild(f"needs Go 1.24 or newer in PATH or /usr/local/go/bin; found {', '.join(found) or 'none'}; "
                          f"{reason}") from None


def compile_tool(go, folder, package, output, flags=(), **how):
    """Compile one program, static and without paths of this machine. flags: more for its linker; how: as in run_go().

    Errors: CannotBuild with the compiler's words.
    """
    run_go(go, folder, package, "build", "-p", "2", "-trimpath", f"-ldflags={' '.join(('-s', '-w', *flags))}", "-o",
           output, package, **how)


def fetch(go, folder, module):
    """Fetch the files of a module into Go's own cache; returns their folder there. Errors: CannotBuild."""
    return json.loads(run_go(go, folder, module, "mod", "download", "-json", module))["Dir"]


def run_go(go, folder, what, *arguments, seconds=SECONDS, **variables):
    """Run the go command in a folder with a go.mod; returns its output. variables: of its environment.

    Errors: CannotBuild with its words.
    """
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off", **variables}
    try:
        done = subprocess.run(["nice", "-n", "19", go, *arguments], cwd=folder, env=environment, capture_output=True,
                              text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise CannotBuild(f"{what}: not there within {seconds} s") from None
    if done.returncode != 0:
        raise CannotBuild(f"{what}: {' '.join((done.stdout + done.stderr).split())[-600:]}")
    return done.stdout
