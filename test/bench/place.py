"""Where the benchmark runs: a private mount namespace, a folder on the machine's disk, a folder in memory.

Mounts and loop devices go with the namespace, however it ends; the process outside of it removes the folder on disk,
unless it is killed by SIGKILL. TMPDIR names another disk to measure than that of /var/tmp.
"""
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import disk
import sandbox

FOLDER = "DELEGATED_IPAM_BENCH"
PARENT = os.environ.get("TMPDIR") or "/var/tmp"
MEMORY = "/var/lib/cni/bench"  # on the sandbox's tmpfs, and not below /run: that is emptied when a boot is pretended
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
STOPPING = (signal.SIGTERM, signal.SIGHUP)
IMAGE = {"size": "4G", "inodes": "1000000"}  # sparse; 60 000 reservations with their records are 180 000 inodes


def enter():
    """Return an empty folder on the machine's disk; ends the caller outside with the exit code from inside."""
    if FOLDER not in os.environ:
        if os.geteuid() != 0:
            sys.exit("needs root: it makes a private mount namespace; run it with sudo")
        sys.exit(_outside())
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # not without the process that cleans up
    sandbox.enter()
    os.makedirs(MEMORY)
    return os.environ[FOLDER]


def _outside():
    for number in STOPPING:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    folder = tempfile.mkdtemp(prefix="delegated-ipam-bench-", dir=PARENT)
    os.environ.update({FOLDER: folder, "DELEGATED_IPAM_SANDBOX": "1"})
    try:
        return sandbox.run_inside()  # ends what is inside when it is itself ended
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        end_all()
        shutil.rmtree(folder)


def end_all():
    """Kill whatever still runs below this process, and wait for its end: a plugin that outlives the benchmark makes its
    folders anew, also those that have just been removed."""
    children = f"/proc/self/task/{os.getpid()}/children"
    with contextlib.suppress(ChildProcessError):
        while True:
            with open(children) as file:
                for pid in file.read().split():
                    os.kill(int(pid), signal.SIGKILL)  # not yet waited for, so nobody else's
            os.waitpid(-1, 0)


@contextlib.contextmanager
def on_disk(folder):
    """A fresh folder on the machine's disk."""
    path = tempfile.mkdtemp(dir=folder)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def on_image(folder, kind="ext4"):
    """A fresh file system on a loop device; nothing is written to it but by us: no periodic commit, no late zeroing.
    Only an ext4 has room for many reservations."""
    image = disk.Disk(folder, kind, *(("-N", IMAGE["inodes"]) if kind == "ext4" else ()))
    if kind == "ext4":
        image.size = IMAGE["size"]
        image.options += ",noinit_itable"
    with image:
        yield image.mount_point


PLACES = {"image": on_image, "disk": on_disk}


def file_system(path):
    """Which kind of file system a path lies on, as in "ext4"."""
    command = ["findmnt", "--noheadings", "--output", "FSTYPE", "--target", path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def flushes(path):
    """How often the device below a path has been told to flush its cache; None where it does not count that."""
    device = os.stat(path).st_dev
    try:
        with open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat") as file:
            return int(file.read().split()[15])  # Documentation/block/stat.rst: flush I/Os
    except (OSError, IndexError):
        return None


def settle(path):
    """Everything written so far is safe, and not in the way of what is measured next."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.sync()
