"""A contained world for tests that start many processes: own mounts, names, process tree, one folder on disk.

Call enter() first thing in a script. The script runs again as a child inside new mount and process namespaces;
everything that it starts or mounts dies with it, however it ends. The process outside waits, and then removes the
folder, the control groups and the mount points that were made. Signals to the process outside end the world.

A world can hold others, say one a node: spawn() starts a script in one, and its enter() makes it at home there.
"""
import contextlib
import fcntl
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import sandbox

FOLDER = "DELEGATED_IPAM_WORLD"
PARENT = "/var/tmp"
PREFIX = "delegated-ipam-world-"
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_own_process_tree = False


def enter():
    """Return the world's empty folder, on a real disk. Ends the caller outside with the exit code from inside."""
    if os.environ.get(FOLDER) is None:
        if os.geteuid() != 0:
            print("1..0 # SKIP needs root: it makes private namespaces; run it with sudo")
            sys.exit(0)
        with sandbox.mount_points():
            code = _stay_outside()
        sys.exit(code)
    _become_init()
    os.environ["DELEGATED_IPAM_SANDBOX"] = "1"
    sandbox.enter()
    return os.environ[FOLDER]


def name():
    """A name for control groups that no other world has at this time; of an inner world, a path below its outer's."""
    return os.path.relpath(os.environ[FOLDER], PARENT)


def spawn(folder, script, *arguments, pass_fds=()):
    """Start a Python script in a world inside this one, whose folder is this new one; returns the process to end().

    Call it in the main thread: the inner world dies with the thread that made it.
    """
    os.mkdir(folder)
    return _start(folder, [script, *arguments], pass_fds)


def end(child):
    """End the world that spawn() made: its first process, by its group; the kernel then ends every other one."""
    if child is None or child.poll() is not None:
        return
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(timeout=20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def kill_processes(others=()):
    """End every process of the world except the script itself and the others, and wait until none of them runs.

    Errors: RuntimeError outside a world (nothing is killed then), or when a process survives for a minute.
    """
    if not _own_process_tree:
        raise RuntimeError("kill_processes: not inside a world")
    spared = {1, os.getpid(), *others}
    wait_until(lambda: not _kill(_running() - spared), 60, "the processes of the world did not end")


def remove_groups(top):
    """Remove the control groups of this name that nobody is in, with all below them."""
    for path in glob.glob(f"/sys/fs/cgroup/{top}") + glob.glob(f"/sys/fs/cgroup/*/{top}"):
        for group, _, _ in os.walk(path, topdown=False):
            _remove_if_empty(group)


def called_with(variable):
    """The ids of the world's processes that have the environment variable."""
    found = set()
    for pid in _running():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
            if any(one.startswith(f"{variable}=".encode()) for one in file.read().split(b"\0")):
                found.add(pid)
    return found


def wait_until(condition, seconds, failure):
    """Poll until condition() is true and return its value; RuntimeError with `failure` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise RuntimeError(failure() if callable(failure) else failure)
        time.sleep(0.02)


def _stay_outside():
    """Run the script inside, clean up after it, and return the exit code; 128 + signal when stopped by one."""
    folder, lock = _make_folder()
    for number in STOPPING:
        signal.signal(number, _stop)
    child = None
    try:
        child = _start(folder, sys.argv)
        return child.wait()
    except SystemExit as stopped:
        return stopped.code
    finally:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        end(child)
        _remove_folder(folder)
        os.close(lock)


def _start(folder, arguments, pass_fds=()):
    """Run Python with these arguments as the first process of a world with this folder."""
    # A session of its own: Ctrl-C reaches only the process outside, which then ends the world in order.
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "--uts", "--pid", "--fork",
         "--kill-child", "--mount-proc", sys.executable, *arguments],
        env={**os.environ, FOLDER: folder}, start_new_session=True, pass_fds=pass_fds)


def _make_folder():
    """A new locked folder and its lock; removes those that nobody locks, of worlds whose outside was killed."""
    parent = os.open(PARENT, os.O_RDONLY)
    fcntl.flock(parent, fcntl.LOCK_EX)
    try:
        for abandoned in glob.glob(f"{PARENT}/{PREFIX}*"):
            lock = _lock(abandoned)
            if lock is not None:
                _remove_folder(abandoned)
                os.close(lock)
        folder = tempfile.mkdtemp(prefix=PREFIX, dir=PARENT)
        return folder, _lock(folder)
    finally:
        os.close(parent)


def _lock(folder):
    """Lock a folder against removal; its descriptor, or None when another process has it or removed it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    except BlockingIOError:
        os.close(descriptor)
        return None


def _remove_folder(folder):
    """Remove a world's folder and its control groups (they bear its name and are empty by now)."""
    remove_groups(os.path.basename(folder))
    shutil.rmtree(folder, ignore_errors=True)


def _stop(number, _frame):
    sys.exit(128 + number)


def _become_init():
    """Process 1 of a process namespace stays behind as its init; the script goes on in a child of it."""
    global _own_process_tree
    if os.getpid() != 1:
        raise RuntimeError(f"{FOLDER} is set, but this is not the first process of a world: unset it")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    script = os.fork()
    if script == 0:
        _own_process_tree = True
        return
    signal.signal(signal.SIGTERM, _stop)
    while True:
        ended, status = os.wait()
        if ended == script:
            os._exit(max(os.waitstatus_to_exitcode(status), 0) or (1 if status else 0))


def _running():
    """The ids of all processes of this namespace that are not merely waiting to be collected."""
    return {int(entry) for entry in os.listdir("/proc") if entry.isdigit() and _state(entry) not in ("Z", "X", "")}


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _kill(pids):
    """Send SIGKILL to each; returns the ids given."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return pids


def _remove_if_empty(folder):
    try:
        os.rmdir(folder)
    except OSError:
        pass
