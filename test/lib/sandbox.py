"""A private mount namespace for tests that run as root: the host's own state is never touched.

Call enter() first thing in a suite. It executes the suite again under unshare(1) with empty tmpfs file systems
over /run, /var/lib/cni and /var/lib/delegated-ipam; they vanish with the process.
"""
import os
import subprocess
import sys

PRIVATE = ("/run", "/var/lib/cni", "/var/lib/delegated-ipam")


def enter():
    if os.environ.get("DELEGATED_IPAM_SANDBOX") != "1":
        if os.geteuid() != 0:
            print("1..0 # SKIP needs root: it makes a private mount namespace; run it with sudo")
            sys.exit(0)
        os.environ["DELEGATED_IPAM_SANDBOX"] = "1"
        sys.exit(run_inside())
    for path in PRIVATE:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path], check=True)


def run_inside():
    """Run this suite again in a mount namespace of its own; mount points made for it are removed afterwards."""
    made = []
    for path in PRIVATE:
        if not os.path.isdir(path):
            os.makedirs(path)
            made.append(path)
    try:
        command = ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv]
        return subprocess.call(command)
    finally:
        for path in made:
            try:
                os.rmdir(path)
            except OSError:
                pass  # somebody else has begun to use it
