"""The clang that Cilium's datapath is compiled with: what clang 14 to 16 make of it, kernels refuse. Run as a script,
this does no more than to fetch it.
"""
import functools
import os
import shutil
import subprocess

import unpacked
from tap import Skip

NAME = "clang-19"
PACKAGES = (NAME, "libclang-cpp19", "libllvm19")
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/llvm-19/lib")


@functools.cache
def command():
    """What runs it: words before its arguments. Errors: Skip when it cannot be fetched, or does not run."""
    found = shutil.which(NAME)
    if found:
        return [found]
    root = unpacked.tree(NAME, *PACKAGES)
    libraries = ":".join(os.path.join(root, below) for below in LIBRARIES)
    words = ["env", f"LD_LIBRARY_PATH={libraries}", os.path.join(root, "usr/bin", NAME)]
    done = subprocess.run([*words, "--version"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip(f"{NAME} does not run: {done.stderr.strip()[-200:]}")
    return words


if __name__ == "__main__":
    unpacked.main(command)
