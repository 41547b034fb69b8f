"""Network namespaces without a process of their own: they live as long as the mount at their path."""
import os
import subprocess


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
