"""Commands that run at the same time: started at once, held at the network's lock, stopped at a chosen system call."""
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import tempfile
import time

from plugin import Outcome

PATIENCE = 120  # seconds that anything here may take


def wait_until(condition, failure):
    """Poll until condition() is true and return its value; AssertionError after PATIENCE.

    failure: what the error says, or a function that tells it then.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, failure() if callable(failure) else failure
        time.sleep(0.005)


class Running:
    """A plugin that has been started and has got its whole stdin; `pid` is the plugin's own."""

    def __init__(self, binary, env, conf, wrapper=()):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._process = subprocess.Popen([*wrapper, binary], env=env, **pipes)
        self.pid = self._process.pid
        self._process.stdin.write(json.dumps(conf).encode())
        self._process.stdin.close()
        self._process.stdin = None

    def close_stderr(self):
        """Nobody reads what it says from here on."""
        self._process.stderr.close()
        self._process.stderr = None

    def finish(self):
        """Wait for its end, but not for ever; returns its Outcome."""
        try:
            out, err = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return Outcome(self._process.returncode, out.decode(), (err or b"").decode())

    def kill(self):
        """End it by SIGKILL, whatever it is doing."""
        self._process.kill()
        self._process.communicate(timeout=PATIENCE)


@contextlib.contextmanager
def lock_held(node):
    """Hold the network's lock for a with block, as a command at work does."""
    os.makedirs(node.network_dir, exist_ok=True)
    descriptor = os.open(os.path.join(node.network_dir, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def waiting_for_lock(node):
    """The ids of the processes that wait for the network's lock now."""
    inode = os.stat(os.path.join(node.network_dir, "lock")).st_ino
    with open("/proc/locks") as file:
        lines = [line.split() for line in file]
    return {int(line[5]) for line in lines if line[1] == "->" and line[6].rsplit(":", 1)[1] == str(inode)}


def held_at_lock(node, requests):
    """Start these requests (see at_once) and wait until all wait for the lock, which the caller holds."""
    running = []
    try:
        for env, conf, *binary in requests:
            running.append(Running(*(binary or [node.binary]), env, conf))
        pids = {one.pid for one in running}
        wait_until(lambda: pids <= waiting_for_lock(node), f"not all of {len(pids)} commands come to the lock")
    except BaseException:
        for one in running:
            one.kill()
        raise
    return running


def at_once(node, requests):
    """Run all these at the same time, let loose together at the lock; returns their outcomes in order.

    requests: as Node.request() makes them, (environment, configuration), or with a third member: another binary.
    """
    with lock_held(node):
        running = held_at_lock(node, requests)
    return [one.finish() for one in running]


class Stopped:
    """A command that stands still right after one of its system calls, for a with block; resume() lets it go on.

    call, when: the name of the system call and the how-manieth of that name.
    """

    def __init__(self, node, command, container_id, pod, call, when=1, **more):
        self._request = (node.binary, *node.request(command, container_id, pod, **more))
        self._point = f"inject={call}:signal=STOP:when={when}"
        self._call = call

    def __enter__(self):
        descriptor, self._log = tempfile.mkstemp(prefix="stopped.")
        os.close(descriptor)
        # -D: strace stands aside, so that the plugin is our own child.
        wrapper = ("strace", "-D", "-qq", "-o", self._log, "-e", f"trace={self._call}", "-e", self._point)
        self._running = Running(*self._request, wrapper)
        try:
            wait_until(self._is_stopped, f"the command never came to {self._call}")
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._running:
            self._running.kill()
        os.unlink(self._log)

    def resume(self):
        """Let it go on to its end; returns its Outcome."""
        running, self._running = self._running, None
        os.kill(running.pid, signal.SIGCONT)
        return running.finish()

    def _is_stopped(self):
        with open(self._log) as file:
            return "stopped by SIGSTOP" in file.read()
