"""Live processes of pods, each in a network namespace of its own that is bound to a path, as a runtime does.

Made for tests that need a thousand of them: a fork and three system calls each, no program is started.
live_netns.Namespace has the same meaning for tests that need a few, in a with block.
"""
import ctypes
import os
import signal
import threading

from race import wait_until

CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class PodProcess:
    """A process that lives in its own network namespace, bound to `path` (a new file, its folder must exist).

    It dies with the process that made it. `pid` is its id, None once it is dead.
    Errors: OSError where a system call fails.
    """

    def __init__(self, path):
        self.path = path
        self.pid = _fork_into_new_namespace()
        try:
            with open(path, "x"):
                pass
            _check(_libc.mount(f"/proc/{self.pid}/ns/net".encode(), path.encode(), None, MS_BIND, None), path)
        except OSError:
            self.kill()
            raise

    @property
    def lives(self):
        return self.pid is not None

    @property
    def has_path(self):
        return os.path.exists(self.path)

    def kill(self):
        """End the process and wait for its end; the namespace stays as long as its path."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.pid = None

    def end_main_thread(self):
        """From now on only another thread of the process lives, in the same namespace."""
        os.kill(self.pid, signal.SIGUSR1)
        wait_until(self._has_no_main_thread, f"the main thread of {self.pid} does not end")

    def _has_no_main_thread(self):
        with open(f"/proc/{self.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"

    def remove_path(self):
        """Take the path away; the namespace stays as long as its process."""
        if self.has_path:
            _check(_libc.umount2(self.path.encode(), MNT_DETACH), self.path)
            os.unlink(self.path)

    def end(self):
        """Neither process nor path is left."""
        self.kill()
        self.remove_path()


class ThreadInside:
    """A process of the node's whose main thread is in the node's namespace, and another thread in that at `path`.

    So does a VMM that is started for a pod (Kata's). It dies with the process that made it, or by end().
    """

    def __init__(self, path):
        entered, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _stay_beside(path, tell)
        os.close(tell)
        try:
            if os.read(entered, 1) != b"1":
                self.end()
                raise OSError(f"a thread cannot enter {path}")
        finally:
            os.close(entered)

    def end(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.pid = None


class PodProcesses:
    """The pod processes of one test, for a with block, at whose end neither process nor path is left."""

    def __init__(self, folder):
        self.folder = folder
        self._all = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._all:
            process.end()

    def with_thread(self, name):
        """A PodProcess whose own process has gone; a ThreadInside is in its namespace in its place."""
        pod = self.start(name)
        self._all.append(_EndedWithPath(ThreadInside(pod.path)))
        pod.kill()
        return pod

    def start(self, name, folder=None):
        """A PodProcess at the path `name` in the folder, or in another one, which is made where it is missing."""
        os.makedirs(folder or self.folder, exist_ok=True)
        self._all.append(PodProcess(os.path.join(folder or self.folder, name)))
        return self._all[-1]


class _EndedWithPath:
    """Makes a ThreadInside end with the PodProcesses."""

    def __init__(self, thread):
        self.end = thread.end


def _stay_beside(path, tell):
    """The child's whole life: only its second thread goes into the namespace."""
    def go_in():
        _die_with_parent()
        with open(path) as file:
            _check(_libc.setns(file.fileno(), CLONE_NEWNET), "setns")
        os.write(tell, b"1")
        threading.Event().wait()

    try:
        _die_with_parent()
        thread = threading.Thread(target=go_in)
        thread.start()
        thread.join()
    finally:
        os._exit(1)


def _fork_into_new_namespace():
    """The id of a child that is in a network namespace of its own by now, and waits for a signal."""
    entered, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        _stay_in_new_namespace(tell)
    os.close(tell)
    try:
        if os.read(entered, 1) != b"1":
            os.waitpid(pid, 0)
            raise OSError("a child cannot make a network namespace")
    finally:
        os.close(entered)
    return pid


def _stay_in_new_namespace(tell):
    """The child's whole life. Whatever goes wrong, it does not return into the test."""
    try:
        _die_with_parent()
        signal.signal(signal.SIGUSR1, _go_on_in_another_thread)
        _check(_libc.unshare(CLONE_NEWNET), "unshare")
        os.write(tell, b"1")
        os.close(tell)
        while True:
            signal.pause()
    finally:
        os._exit(1)


def _go_on_in_another_thread(*_):
    """Signal handler of the child: its main thread ends, the process does not."""
    follows = threading.Event()

    def live_on():
        _die_with_parent()
        follows.set()
        threading.Event().wait()

    threading.Thread(target=live_on).start()
    follows.wait()
    _libc.pthread_exit(None)


def _die_with_parent():
    """Threads do not inherit it."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
