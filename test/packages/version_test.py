#!/usr/bin/env -S sh -c 'PYTHONPATH="${0%/*}/../lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$0" "$@"'
"""The version comes from the tag: what a configured clone would say in --version and in its packages' names.

usage: version_test.py [WORD ...]
"""
import os
import re
import shutil
import subprocess
import tempfile

import tap
from plugin import ROOT

AUTHOR = ["-c", "user.name=a", "-c", "user.email=a@invalid", "-c", "advice.detachedHead=false"]


def run(folder, *command, **more):
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, "TZ": "Pacific/Chatham", **more}).stdout


def next_version():
    with open(os.path.join(ROOT, "CMakeLists.txt")) as file:
        return re.search(r"project\(delegated-ipam VERSION (\S+)", file.read())[1]


def versions(*steps):
    """(that of the executable, that of the packages) of a clone without tags in which these git commands were given.

    Beside git's: "change" a file, "forget" the repository, "at" a time for the commits that follow."""
    now = {}
    with tempfile.TemporaryDirectory() as folder:
        run("/", "git", "clone", "-q", ROOT, folder)
        for path in run(ROOT, "git", "diff", "--name-only", "--diff-filter=AM", "HEAD").splitlines():
            shutil.copy(os.path.join(ROOT, path), os.path.join(folder, path))  # what is not committed yet
        run(folder, "git", *AUTHOR, "commit", "-q", "-a", "--allow-empty", "-m", "x")
        for tag in run(folder, "git", "tag").split():
            run(folder, "git", "tag", "-d", tag)
        for step in steps:
            if step == "change":
                with open(f"{folder}/LICENSE", "a") as file:
                    file.write("x")
            elif step == "forget":
                shutil.rmtree(f"{folder}/.git")
            elif step.startswith("at "):
                now["GIT_COMMITTER_DATE"] = step.removeprefix("at ")
            else:
                run(folder, "git", *AUTHOR, *step.split(), **now)
        run(folder, "cmake", "--preset", "release")
        with open(f"{folder}/build/release/build.ninja") as file:
            executable = re.search(r'DELEGATED_IPAM_VERSION=\\?"?\\?"?([\w.]+)', file.read())[1]
        with open(f"{folder}/build/release/CPackConfig.cmake") as file:
            packages = re.search(r'set\(CPACK_PACKAGE_VERSION "(.*)"\)', file.read())[1]
        return executable, packages


def says(steps, executable, packages):
    told = versions(*steps)
    assert told[0] == executable and re.fullmatch(packages, told[1]), told


GIT = r"git\d{14}\.[0-9a-f]{10}"
NEXT = next_version()
TESTS = [
    ("a tag's commit is the tag's version", says, ["tag v9.8.7"], "9.8.7", r"9\.8\.7"),
    ("an annotated one too", says, ["tag -a -m x v9.8.7"], "9.8.7", r"9\.8\.7"),
    ("a commit without is on the way to the next version", says, [], NEXT, rf"{re.escape(NEXT)}~{GIT}"),
    ("a commit behind its tag is later", says, [f"tag v{NEXT}", "commit -q --allow-empty -m x"], NEXT,
     rf"{re.escape(NEXT)}\+{GIT}"),
    ("changed files are no release", says, [f"tag v{NEXT}", "change"], NEXT, rf"{re.escape(NEXT)}\+{GIT}\.changed"),
    ("a commit's time is told in UTC and to the second: those of one day are in order", says,
     ["at 2026-01-02T23:30:01-0500", "commit -q --allow-empty -m x"], NEXT,
     rf"{re.escape(NEXT)}~git20260103043001\.[0-9a-f]{{10}}"),
    ("sources without git are no release", says, ["forget"], NEXT, rf"{re.escape(NEXT)}~unknown"),
    ("another tag is no version", says, ["tag vain"], NEXT, rf"{re.escape(NEXT)}~{GIT}"),
]


if __name__ == "__main__":
    tap.main("version", TESTS)
