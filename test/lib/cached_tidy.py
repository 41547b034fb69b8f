#!/usr/bin/python3
"""clang-tidy over all that a build would compile, without compiling it.

usage: cached_tidy.py FOLDER      a configured build folder with a compile_commands.json, made without a launcher

A translation unit whose text it has passed before is skipped. The text is the preprocessed one with its comments, and
the checks are those of .clang-tidy. What passed is remembered in the user's cache; only what has no finding is. Prints
the findings; exit code 1 when there are any.
"""
import hashlib
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

TIDY = ["clang-tidy-14", "--quiet"]
CHECKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.clang-tidy")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "delegated-ipam/tidy")


def preprocessed(command, folder):
    """The text that a compiler command would compile; None if it would not."""
    words = [word for word in command if word not in ("-MD", "-c")]
    for option in ("-o", "-MF", "-MT"):
        while option in words:
            place = words.index(option)
            del words[place:place + 2]
    done = subprocess.run([*words, "-E", "-C", "-P"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder)
    return done.stdout if done.returncode == 0 else None


def key(command, folder, common):
    """What the outcome depends on, in short; None where that cannot be told."""
    text = preprocessed(command, folder)
    if text is None:
        return None
    flags = [word.encode() for word in command if word.startswith(("-W", "-D", "-std"))]
    return hashlib.sha256(b"\0".join([text, *common, *flags])).hexdigest()


def look(build, unit, common):
    """clang-tidy's words on one translation unit; none when there is nothing to say."""
    passed = key(shlex.split(unit["command"]), unit["directory"], common)
    path = os.path.join(CACHE, passed) if passed else None
    if path and os.path.exists(path):
        return ""
    done = subprocess.run([*TIDY, "-p", build, unit["file"]], capture_output=True, text=True)
    if done.returncode == 0 and not done.stdout.strip():
        if path:
            with open(path, "w"):
                pass
        return ""
    return done.stdout.strip() or done.stderr.strip() or f"{unit['file']}: error: clang-tidy exits {done.returncode}"


def main():
    build, = sys.argv[1:]
    with open(os.path.join(build, "compile_commands.json")) as file:
        units = json.load(file)
    with open(CHECKS, "rb") as file:
        common = [file.read(), subprocess.run([*TIDY, "--version"], stdout=subprocess.PIPE).stdout]
    os.makedirs(CACHE, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = [text for text in pool.map(lambda unit: look(build, unit, common), units) if text]
    for text in said:
        print(text)
    return 1 if said or not units else 0


if __name__ == "__main__":
    sys.exit(main())
