"""Network namespaces without a process of their own: they live as long as the mount at their path."""
import ctypes
import os
import struct
import subprocess

from race import wait_until

# fcntl.h and linux/fcntl.h
AT_FDCWD, AT_SYMLINK_FOLLOW, MAX_HANDLE_SZ, FD_NSFS_ROOT = -100, 0x400, 128, -10003
LIBC = ctypes.CDLL(None)


def make(path):
    """Make a network namespace at path, a new file; returns the path."""
    with open(path, "x"):
        pass
    run("unshare", f"--net={path}", "true")
    return path


def remove(path):
    """Unmount the namespace, as runtimes do, and remove its file; it ends when no process uses it any more."""
    run("umount", "--lazy", path)
    os.unlink(path)


def end(path):
    """Remove a namespace that nobody else uses, and wait until the kernel has taken it down, which it does when it has time;
    before Linux 6.18, which does not tell, only remove it."""
    handle = ctypes.create_string_buffer(struct.pack("Ii", MAX_HANDLE_SZ, 0), 8 + MAX_HANDLE_SZ)
    is_told = LIBC.name_to_handle_at(AT_FDCWD, path.encode(), handle, ctypes.byref(ctypes.c_int()), AT_SYMLINK_FOLLOW) == 0
    remove(path)
    if is_told:
        wait_until(lambda: not _is_found(handle), f"the namespace at {path} does not end")


def _is_found(handle):
    """By open_by_handle_at(2). What the kernel has no answer to counts as not found."""
    found = LIBC.open_by_handle_at(FD_NSFS_ROOT, handle, os.O_RDONLY)
    if found >= 0:
        os.close(found)
    return found >= 0


def is_entered(pid, path):
    """True if the process is in the network namespace at path."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino == os.stat(path).st_ino
    except OSError:
        return False


def inside(path, *command):
    """Run a command in the network namespace at path; errors as in run()."""
    run("nsenter", f"--net={path}", *command)


def run(*command):
    """Run a command; RuntimeError with its output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}".strip())
