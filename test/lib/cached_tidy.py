#!/usr/bin/python3
"""clang-tidy that skips a translation unit whose text it has passed before: what CMake runs as CMAKE_CXX_CLANG_TIDY.

The text is the preprocessed one with its comments, and the checks are those of .clang-tidy. What passed is remembered
in the user's cache; only what has no finding is.
"""
import hashlib
import os
import subprocess
import sys

TIDY = ["clang-tidy-14", "--quiet"]
CHECKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.clang-tidy")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "delegated-ipam/tidy")


def preprocessed(compiler):
    """The text that a compiler command would compile; None if it would not."""
    words = [word for word in compiler if word not in ("-MD", "-c")]
    for option in ("-o", "-MF", "-MT"):
        while option in words:
            place = words.index(option)
            del words[place:place + 2]
    done = subprocess.run([*words, "-E", "-C", "-P"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout if done.returncode == 0 else None


def key(arguments):
    """What the outcome depends on, in short; None where that cannot be told."""
    if "--" not in arguments:
        return None
    text = preprocessed(arguments[arguments.index("--") + 1:])
    if text is None:
        return None
    with open(CHECKS, "rb") as file:
        checks = file.read()
    version = subprocess.run([*TIDY, "--version"], stdout=subprocess.PIPE).stdout
    flags = [word for word in arguments if word.startswith(("-W", "-D", "-std", "--extra"))]
    return hashlib.sha256(b"\0".join([text, checks, version, *(flag.encode() for flag in flags)])).hexdigest()


def main():
    passed = key(sys.argv[1:])
    path = os.path.join(CACHE, passed) if passed else None
    if path and os.path.exists(path):
        return 0
    done = subprocess.run([*TIDY, *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
    sys.stdout.write(done.stdout)
    if path and done.returncode == 0 and not done.stdout.strip():
        os.makedirs(CACHE, exist_ok=True)
        with open(path, "w"):
            pass
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
