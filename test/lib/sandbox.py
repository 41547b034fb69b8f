"""A private mount namespace for tests that run as root: the host's own state is never touched.

Call enter() first thing in a suite. It executes the suite again under unshare(1) with empty tmpfs file systems
over /run, /var/lib/cni and /var/lib/delegated-ipam; they vanish with the process.
"""
import contextlib
import fcntl
import os
import subprocess
import sys

MADE_HERE = 1  # seconds after 1970: no folder in use has this time of change
INITIAL_PID_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel
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
    """Run this suite again in a mount namespace of its own; returns its exit code."""
    with mount_points():
        return subprocess.call(["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def need_initial_pid_namespace():
    """Skip the suite where only some of the machine's processes are seen."""
    if os.readlink("/proc/self/ns/pid") != INITIAL_PID_NAMESPACE:
        print("1..0 # SKIP needs the initial PID namespace: nothing is proven about processes in another")
        sys.exit(0)


@contextlib.contextmanager
def mount_points():
    """Make the folders that enter() mounts on, where they are missing; afterwards those made here are removed.

    Removing a folder takes away what others have mounted on it in their namespaces. So suites that run at the same time
    share a lock, the last one removes, and a folder made here is known by its time of change.
    """
    lock = os.open("/var/lib", os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_SH)
    for path in PRIVATE:
        if not os.path.isdir(path):
            os.makedirs(path, exist_ok=True)  # a suite of another lane may make it at the same moment
            os.utime(path, (MADE_HERE, MADE_HERE))
    try:
        yield
    finally:
        remove_mount_points(lock)
        os.close(lock)


def remove_mount_points(lock):
    """Remove the folders made here, unless another suite still runs or somebody has begun to use one."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    for path in PRIVATE:
        try:
            if os.stat(path).st_mtime == MADE_HERE:
                os.rmdir(path)
        except OSError:
            continue
