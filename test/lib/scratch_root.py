"""This machine with a throw-away layer over it: for tests that do what a guide says, with its own paths.

Call enter() first thing in a suite: it runs again in a mount namespace of its own. What is written inside
`with layer()` below the folders there is gone afterwards, and other processes never see it. The plugin's own state is
empty there, and so is /run.
"""
import contextlib
import os
import shutil
import subprocess
import sys

MARK = "DELEGATED_IPAM_SCRATCH_ROOT"
FOLDERS = ("/etc", "/opt", "/srv", "/usr/local", "/var/lib")
STATE = ("/var/lib/cni", "/var/lib/delegated-ipam", "/etc/cni", "/opt/cni")
STORE = "/mnt"  # hidden inside


def enter():
    """Ends the caller outside with the exit code from inside."""
    if os.environ.get(MARK) == "1":
        return
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root: it makes a private mount namespace; run it with sudo")
        sys.exit(0)
    sys.exit(subprocess.call(["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv],
                             env={**os.environ, MARK: "1"}))


@contextlib.contextmanager
def layer(*folders):
    """Put an empty layer over FOLDERS and these. Yields a folder for the caller's own files, empty too."""
    if os.environ.get(MARK) != "1":
        raise RuntimeError("scratch_root.layer: call enter() first, or everybody would see it")
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", STORE)
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    mounted = [STORE, "/run"]
    try:
        for number, folder in enumerate((*FOLDERS, *folders)):
            upper, work = f"{STORE}/upper{number}", f"{STORE}/work{number}"
            os.makedirs(upper)
            os.makedirs(work)
            options = f"lowerdir={folder},upperdir={upper},workdir={work}"
            _run("mount", "-t", "overlay", "-o", options, "overlay", folder)
            mounted.append(folder)
        for folder in STATE:
            shutil.rmtree(folder, ignore_errors=True)
        own = f"{STORE}/own"
        os.makedirs(own)
        yield own
    finally:
        for folder in reversed(mounted):
            _run("umount", "--lazy", folder)


def _run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
